// softmax, log_softmax, logsumexp, cross_entropy: parameters; the loops are in
// levels/softmax.c.
//
// Rows are what is handed out, never a part of one: each needs its largest
// element and its sum before anything can be written.
#include "exec/kernels/softmax.h"

#include "exec/kernels/levels.h"

// The block of the three that go along one axis. logsumexp of an empty axis is
// a value, so it is the result that decides whether there is work.
static tir_status prepare_rows(tir_exec_prepare *q, int64_t axis_attr,
                               tir_exec_kernel_fn run) {
  const tir_ir_type *const in = &q->in[0];
  int axis = 0;
  if (!tir_ir_axis(axis_attr, in->rank, &axis))
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT, "%s: axis out of range",
                         q->desc->name);
  if (!run) return tir_exec_kernel_missing(q);
  tir_exec_rows *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  // 8 is the cost of an exponential.
  tir_exec_fill_rows(q, in, axis, 8, p);
  q->params = p;
  q->run = tir_ir_type_numel(&q->out[0]) == 0 ? tir_exec_kernel_nothing : run;
  return TIR_OK;
}

static tir_status softmax_prepare(tir_exec_prepare *q) {
  const tir_attrs_axis *const attrs = q->attrs;
  return prepare_rows(
      q, attrs->axis,
      TIR_AT_LEVEL(tir_exec_softmax, q->cpu_level)->softmax[q->in[0].dtype]);
}

const tir_exec_kernel_desc tir_kernel_softmax = {.prepare = softmax_prepare};

static tir_status log_softmax_prepare(tir_exec_prepare *q) {
  const tir_attrs_axis *const attrs = q->attrs;
  return prepare_rows(q, attrs->axis,
                      TIR_AT_LEVEL(tir_exec_softmax, q->cpu_level)
                          ->log_softmax[q->in[0].dtype]);
}

const tir_exec_kernel_desc tir_kernel_log_softmax = {.prepare =
                                                         log_softmax_prepare};

static tir_status logsumexp_prepare(tir_exec_prepare *q) {
  const tir_attrs_argmax *const attrs = q->attrs;
  return prepare_rows(
      q, attrs->axis,
      TIR_AT_LEVEL(tir_exec_softmax, q->cpu_level)->logsumexp[q->in[0].dtype]);
}

const tir_exec_kernel_desc tir_kernel_logsumexp = {.prepare =
                                                       logsumexp_prepare};

// --- cross_entropy ----------------------------------------------------------

static tir_status cross_entropy_prepare(tir_exec_prepare *q) {
  const tir_ir_type *const logits = &q->in[0];
  const tir_exec_kernel_fn run = TIR_AT_LEVEL(tir_exec_softmax, q->cpu_level)
                                     ->cross_entropy[logits->dtype];
  if (!run) return tir_exec_kernel_missing(q);
  tir_exec_cross_entropy *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  // Targets are numbers of classes, which is the last axis of the logits.
  tir_exec_fill_indices(&q->in[1], logits->dims[logits->rank - 1], &p->targets);
  p->rows_per_unit = tir_exec_cut(q, p->targets.n, 8 * (double)p->targets.size);
  q->params = p;
  q->run = run;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_cross_entropy = {
    .prepare = cross_entropy_prepare};
