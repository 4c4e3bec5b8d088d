// normalize, rms_normalize: parameters; the loops are in levels/normalize.c.
//
// One kernel serves both: without a mean to take away (is_centered false) the
// squares are those of the elements, and there is only the root to give out.
#include "exec/kernels/normalize.h"

#include <math.h>

#include "exec/kernels/levels.h"

// Statistics of no elements: NaN, as 0/0. There is no y to write then.
static tir_status empty_run(const tir_exec_call *call) {
  const tir_exec_normalize *const p = call->params;
  const uint32_t args[] = {p->mean, p->root, p->variance};
  const tir_dtype dtype = p->dtype;
  char nan[8];
  tir_ir_store_f64(dtype, nan, (double)NAN);
  for (int i = 0; i < 3; i++) {
    char *out = args[i] == TIR_EXEC_NO_ARG ? NULL : tir_exec_arg(call, args[i]);
    if (!out) continue;
    tir_exec_fill(out, nan, tir_dtype_size(dtype), p->n_groups);
  }
  return TIR_OK;
}

// Rows of results, or tiles of columns, are independent of each other.
static void cut_groups(tir_exec_prepare *q, tir_exec_normalize *p) {
  tir_exec_axes *const axes = &p->axes;
  // As a reduction cuts its groups (reduce.c), but a group never into parts.
  const int64_t tile = TIR_EXEC_COLUMN_TILE;
  p->tiles =
      axes->inner_reduced ? 1 : axes->inner / tile + (axes->inner % tile != 0);
  axes->n_groups = axes->kept_count * p->tiles;
  const double n = (double)tir_ir_type_numel(&q->in[0]);
  if (n > 0)
    axes->groups_per_unit =
        tir_exec_cut(q, axes->n_groups, 8 * n / (double)axes->n_groups);
}

static tir_status prepare(tir_exec_prepare *q, bool is_centered) {
  const tir_attrs_axes *const attrs = q->attrs;
  const tir_ir_type *const in = &q->in[0];
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(tir_exec_read_axes(q, &attrs->axes, reduced));
  const tir_exec_kernel_fn run =
      TIR_AT_LEVEL(tir_exec_normalize, q->cpu_level)->normalize[in->dtype];
  if (!run) return tir_exec_kernel_missing(q);
  tir_exec_normalize *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  tir_exec_fill_axes(in, reduced, &p->axes);
  cut_groups(q, p);
  p->is_centered = is_centered;
  p->dtype = in->dtype;
  p->n_groups = tir_ir_type_numel(&q->out[1]);
  // Outputs: y, mean, root, variance; or y, root.
  const uint32_t first = (uint32_t)q->n_in;
  p->y = first;
  p->mean = is_centered ? first + 1 : TIR_EXEC_NO_ARG;
  p->root = is_centered ? first + 2 : first + 1;
  p->variance = is_centered ? first + 3 : TIR_EXEC_NO_ARG;
  q->params = p;
  q->run = tir_ir_type_numel(in) == 0 ? empty_run : run;
  return TIR_OK;
}

static tir_status normalize_prepare(tir_exec_prepare *q) {
  return prepare(q, true);
}

const tir_exec_kernel_desc tir_kernel_normalize = {.prepare =
                                                       normalize_prepare};

static tir_status rms_normalize_prepare(tir_exec_prepare *q) {
  return prepare(q, false);
}

const tir_exec_kernel_desc tir_kernel_rms_normalize = {
    .prepare = rms_normalize_prepare};
