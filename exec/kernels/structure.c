// Structure ops and views. What is bound from outside never executes; views
// copy where the planner could not alias them.
//
// A view has its operand's elements in the same order, so the copy is one of
// bytes. Where the plan gave both one address it does nothing.
#include <string.h>

#include "exec/kernels/call.h"

const tir_exec_kernel_desc tir_kernel_input = {.prepare = NULL};
const tir_exec_kernel_desc tir_kernel_param = {.prepare = NULL};
const tir_exec_kernel_desc tir_kernel_constant = {.prepare = NULL};
const tir_exec_kernel_desc tir_kernel_gradient = {.prepare = NULL};

typedef struct copy_params {
  uint32_t from;
  uint32_t to;
  int64_t size_bytes;
  int64_t per_unit;  // bytes
} copy_params;

static tir_status copy_run(const tir_exec_call *call) {
  const copy_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->size_bytes, p->per_unit);
  char *const to = tir_exec_arg(call, p->to);
  const char *const from = tir_exec_arg(call, p->from);
  if (to != from)
    tir_exec_copy_bytes(to + span.first, from + span.first,
                        (size_t)(span.end - span.first));
  return TIR_OK;
}

// `from` is the number of the operand that is copied. Copying a byte costs a
// quarter of an addition of f32.
static tir_status prepare_copy(tir_exec_prepare *q, uint32_t from) {
  copy_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  p->from = from;
  p->to = (uint32_t)q->n_in;
  p->size_bytes = (int64_t)tir_ir_type_bytes(&q->out[0]);
  p->per_unit = tir_exec_cut(q, p->size_bytes, 0.25);
  q->run = copy_run;
  q->params = p;
  return TIR_OK;
}

static tir_status view_prepare(tir_exec_prepare *q) {
  return prepare_copy(q, 0);
}

const tir_exec_kernel_desc tir_kernel_stop_gradient = {.prepare = view_prepare};
const tir_exec_kernel_desc tir_kernel_cut = {.prepare = view_prepare};
const tir_exec_kernel_desc tir_kernel_reshape = {.prepare = view_prepare};
const tir_exec_kernel_desc tir_kernel_reshape_like = {.prepare = view_prepare};
const tir_exec_kernel_desc tir_kernel_expand_dims = {.prepare = view_prepare};

// target, value: the new version is the value.
static tir_status assign_prepare(tir_exec_prepare *q) {
  return prepare_copy(q, 1);
}

const tir_exec_kernel_desc tir_kernel_assign = {.prepare = assign_prepare};
