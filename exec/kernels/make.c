// Values made from attributes or shapes alone: arange, dim_product.
//
// Both are runs of consecutive integers, so one kernel serves them: arange
// starts at 0, dim_product is a run of one number that is known when the
// program is compiled.
#include "exec/kernels/call.h"

typedef struct number_params {
  tir_dtype dtype;
  uint32_t out_arg;
  size_t elem_size;
  // Element i is first + i, converted to the dtype.
  int64_t first;
  int64_t n;
} number_params;

// n numbers counting up from `first`. Not worth loops of its own per dtype.
static tir_status numbers_run(const tir_exec_call *call) {
  const number_params *const p = call->params;
  const bool is_float = tir_ir_dtype_is_float(p->dtype);
  char *out = tir_exec_arg(call, p->out_arg);
  for (int64_t i = 0; i < p->n; i++, out += p->elem_size) {
    if (is_float)
      tir_ir_store_f64(p->dtype, out, (double)(p->first + i));
    else
      tir_ir_store_i64(p->dtype, out, p->first + i);
  }
  return TIR_OK;
}

// The output comes behind the operands, of which only the shape is used.
static tir_status prepare_numbers(tir_exec_prepare *q, int64_t first) {
  number_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  p->dtype = q->out[0].dtype;
  p->out_arg = (uint32_t)q->n_in;
  p->elem_size = tir_dtype_size(p->dtype);
  p->first = first;
  p->n = tir_ir_type_numel(&q->out[0]);
  q->run = numbers_run;
  q->params = p;
  return TIR_OK;
}

static tir_status arange_prepare(tir_exec_prepare *q) {
  return prepare_numbers(q, 0);
}

const tir_exec_kernel_desc tir_kernel_arange = {.prepare = arange_prepare};

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
  return prepare_numbers(q, product);
}

const tir_exec_kernel_desc tir_kernel_dim_product = {.prepare =
                                                         dim_product_prepare};
