// Values made from attributes or shapes alone: arange, dim_product, and what
// reductions give where there is nothing to reduce.
#include "exec/kernels/make.h"

#include <string.h>

#include "exec/kernels/elementwise.h"

// --- counting ----------------------------------------------------------------

typedef struct count_params {
  tir_dtype dtype;
  size_t elem_size;
  int64_t n, per_unit;
} count_params;

static void store(tir_dtype dtype, void *to, int64_t x) {
  if (tir_ir_dtype_is_float(dtype))
    tir_ir_store_f64(dtype, to, (double)x);
  else
    tir_ir_store_i64(dtype, to, x);
}

// Element i is i. Not worth loops of its own per dtype.
static tir_status arange_run(const tir_exec_call *call) {
  const count_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  char *const out = tir_exec_arg(call, 0);
  for (int64_t i = span.first; i < span.end; i++)
    store(p->dtype, out + (size_t)i * p->elem_size, i);
  return TIR_OK;
}

static tir_status arange_prepare(tir_exec_prepare *q) {
  count_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  p->dtype = q->out[0].dtype;
  p->elem_size = tir_dtype_size(p->dtype);
  p->n = tir_ir_type_numel(&q->out[0]);
  p->per_unit = tir_exec_cut(q, p->n, 8);
  q->run = arange_run;
  q->params = p;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_arange = {.prepare = arange_prepare};

// --- repeating ---------------------------------------------------------------

typedef struct repeat_params {
  char element[8];
  size_t elem_size;
  uint32_t out_arg;
  int64_t n, per_unit;
} repeat_params;

static tir_status repeat_run(const tir_exec_call *call) {
  const repeat_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  char *const out = tir_exec_arg(call, p->out_arg);
  tir_exec_fill(out + (size_t)span.first * p->elem_size, p->element,
                p->elem_size, span.end - span.first);
  return TIR_OK;
}

// The output comes behind the operands, of which nothing is read.
tir_status tir_exec_prepare_repeated(tir_exec_prepare *q, const void *element) {
  repeat_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  p->elem_size = tir_dtype_size(q->out[0].dtype);
  memcpy(p->element, element, p->elem_size);
  p->out_arg = (uint32_t)q->n_in;
  p->n = tir_ir_type_numel(&q->out[0]);
  p->per_unit = tir_exec_cut(q, p->n, 1);
  q->run = repeat_run;
  q->params = p;
  return TIR_OK;
}

static tir_status dim_product_prepare(tir_exec_prepare *q) {
  const tir_attrs_dim_product *const attrs = q->attrs;
  const tir_ir_type *const in = &q->in[0];
  // No axes mean all of them. The product fits: a type was checked with its
  // zero dims left out, and inference lets an axis stand in the list once.
  int64_t product = 1;
  if (attrs->axes.n == 0) product = tir_ir_type_numel(in);
  for (int64_t i = 0; i < attrs->axes.n; i++) {
    int axis = 0;
    if (!tir_ir_axis(attrs->axes.v[i], in->rank, &axis))
      return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                           "dim_product: axis out of range");
    product *= in->dims[axis];
  }
  char element[8];
  store(q->out[0].dtype, element, product);
  return tir_exec_prepare_repeated(q, element);
}

const tir_exec_kernel_desc tir_kernel_dim_product = {.prepare =
                                                         dim_product_prepare};
