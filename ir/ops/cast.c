// cast: the same elements in another dtype.

#include <stddef.h>

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

static const tir_ir_attr cast_attrs[] = {
    {.name = "dtype",
     .kind = TIR_ATTR_DTYPE,
     .offset = offsetof(tir_attrs_dtype, dtype),
     .required = true},
};

// Every dtype casts to every other; how is told in docs/numerics.md.
static tir_status cast_infer(const tir_ir_infer_query *q) {
  const tir_attrs_dtype *attrs = q->attrs;
  const tir_dtype dtype = (tir_dtype)attrs->dtype;
  q->out[0] = q->in[0];
  q->out[0].dtype = dtype;
  return TIR_OK;
}

// Between floats the gradient is cast back. A jump (to integer or bool) has
// slope 0, and an integer operand takes no gradient. Only the types of operand
// and result are read, so nothing need be kept.
static void cast_vjp(const tir_ir_vjp *q) {
  tir_ir_type x, y;
  tir_ir_value_type(q->tape, q->in[0], &x);
  tir_ir_value_type(q->tape, q->out[0], &y);
  if (tir_ir_dtype_is_float(x.dtype) && tir_ir_dtype_is_float(y.dtype))
    q->in_grad[0] = tir_cast(q->tape, q->out_grad[0], x.dtype);
}

const tir_op_desc tir_op_cast = {
    .name = "cast",
    .family = "cast",
    .summary = "The elements converted to another dtype.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_EXACT,
    .attrs = cast_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_dtype),
    .infer = cast_infer,
    .vjp = cast_vjp,
};

// A dtype that does not exist goes on to infer, which names it.
tir_value tir_cast(tir_tape *tape, tir_value x, tir_dtype dtype) {
  const tir_attrs_dtype attrs = {.dtype = dtype};
  return tir_ir_record(tape, TIR_OP_CAST, &x, 1, &attrs);
}
