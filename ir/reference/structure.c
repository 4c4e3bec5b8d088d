// Reference: ops of structure and ops that make values from attributes or
// shapes alone.

#include <string.h>

#include "ir/reference/element.h"

// What a graph is given from outside has no computation of its own;
// tir_reference_graph binds it.
static tir_status bound_outside(const tir_reference_call *call) {
  return tir_base_fail(call->error, TIR_ERR_ARGUMENT,
                       "has no value of its own");
}

tir_status tir_reference_input(const tir_reference_call *call) {
  return bound_outside(call);
}

tir_status tir_reference_param(const tir_reference_call *call) {
  return bound_outside(call);
}

tir_status tir_reference_gradient(const tir_reference_call *call) {
  return tir_base_fail(call->error, TIR_ERR_STATE,
                       "the gradient call is not expanded: run the gradient "
                       "pass first");
}

// One element repeated. A constant with a tensor is bound like an input.
tir_status tir_reference_constant(const tir_reference_call *call) {
  const tir_attrs_constant *attrs = call->attrs;
  if (attrs->tensor != 0) return bound_outside(call);
  const size_t size = tir_dtype_size(call->out[0].dtype);
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  // `bits` holds the element's bytes in little-endian order.
  unsigned char bytes[8];
  for (size_t i = 0; i < 8; i++)
    bytes[i] = (unsigned char)(attrs->bits >> (8 * i));
  for (int64_t e = 0; e < n; e++)
    memcpy((char *)call->out_data[0] + (size_t)e * size, bytes, size);
  return TIR_OK;
}

// target, value: the new version of the target.
tir_status tir_reference_assign(const tir_reference_call *call) {
  return tir_reference_copy_whole(call, 1);
}

tir_status tir_reference_stop_gradient(const tir_reference_call *call) {
  return tir_reference_copy_whole(call, 0);
}

tir_status tir_reference_cut(const tir_reference_call *call) {
  return tir_reference_copy_whole(call, 0);
}

static void put_number(const tir_reference_call *call, int64_t e, int64_t x) {
  if (tir_ir_dtype_is_float(call->out[0].dtype))
    tir_reference_put(call, 0, e, (double)x);
  else
    tir_reference_put_int(call, 0, e, x);
}

tir_status tir_reference_arange(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t e = 0; e < n; e++) put_number(call, e, e);
  return TIR_OK;
}

// Product of the operand's sizes along the axes, as a number.
tir_status tir_reference_dim_product(const tir_reference_call *call) {
  const tir_attrs_dim_product *attrs = call->attrs;
  tir_reference_axes axes;
  TIR_TRY(
      tir_reference_read_axes(&call->in[0], &attrs->axes, &axes, call->error));
  put_number(call, 0, axes.count);
  return TIR_OK;
}
