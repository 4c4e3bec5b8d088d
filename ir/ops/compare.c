// Comparing two values, and choosing between two by a third.
//
// Comparisons take numbers of one dtype and give bools. As in C every
// comparison with a NaN is false, but for not_equal. They serve gradient rules
// as masks, with where: unlike a product with 0, it lets nothing of the other
// branch through.

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

enum { COMPARE = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_EXACT };

// --- comparisons: results change in jumps, so gradients are 0 ---------------

// +0 equals −0, and a NaN equals nothing.
const tir_op_desc tir_op_equal = {
    .name = "equal",
    .family = "compare",
    .summary = "True where two values are equal.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = COMPARE | TIR_TRAIT_COMMUTATIVE,
    .infer = tir_ir_infer_compare,
    .vjp = tir_ir_vjp_zero,
};

tir_value tir_equal(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_EQUAL, a, b);
}

const tir_op_desc tir_op_not_equal = {
    .name = "not_equal",
    .family = "compare",
    .summary = "True where two values differ.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = COMPARE | TIR_TRAIT_COMMUTATIVE,
    .infer = tir_ir_infer_compare,
    .vjp = tir_ir_vjp_zero,
};

tir_value tir_not_equal(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_NOT_EQUAL, a, b);
}

// Swapping the operands of these four gives another of them, so none of them is
// commutative.
const tir_op_desc tir_op_less = {
    .name = "less",
    .family = "compare",
    .summary = "True where the first value is less than the second.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = COMPARE,
    .infer = tir_ir_infer_compare,
    .vjp = tir_ir_vjp_zero,
};

tir_value tir_less(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_LESS, a, b);
}

const tir_op_desc tir_op_less_equal = {
    .name = "less_equal",
    .family = "compare",
    .summary = "True where the first value is at most the second.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = COMPARE,
    .infer = tir_ir_infer_compare,
    .vjp = tir_ir_vjp_zero,
};

tir_value tir_less_equal(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_LESS_EQUAL, a, b);
}

const tir_op_desc tir_op_greater = {
    .name = "greater",
    .family = "compare",
    .summary = "True where the first value is greater than the second.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = COMPARE,
    .infer = tir_ir_infer_compare,
    .vjp = tir_ir_vjp_zero,
};

tir_value tir_greater(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_GREATER, a, b);
}

const tir_op_desc tir_op_greater_equal = {
    .name = "greater_equal",
    .family = "compare",
    .summary = "True where the first value is at least the second.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = COMPARE,
    .infer = tir_ir_infer_compare,
    .vjp = tir_ir_vjp_zero,
};

tir_value tir_greater_equal(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_GREATER_EQUAL, a, b);
}

// --- where -----------------------------------------------------------------

// The condition broadcasts like an operand, but only a and b give the dtype.
// Halves and bools are allowed: elements are moved, not computed with.
static tir_status where_infer(const tir_ir_infer_query *q) {
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  if (q->in[0].dtype != TIR_DTYPE_BOOL)
    return tir_ir_fail(q, TIR_ERR_DTYPE, "wrong dtype: %s, expected bool",
                       tir_ir_operand_text(q, 0, a));
  TIR_TRY(tir_ir_check_same_dtype(q, 1, 2));
  tir_ir_type *out = &q->out[0];
  if (!tir_ir_broadcast(&q->in[1], &q->in[2], out))
    return tir_ir_fail(q, TIR_ERR_SHAPE, "shapes do not broadcast: %s, %s",
                       tir_ir_operand_text(q, 1, a),
                       tir_ir_operand_text(q, 2, b));
  if (!tir_ir_broadcast(&q->in[0], out, out))
    return tir_ir_fail(q, TIR_ERR_SHAPE,
                       "shapes do not broadcast: %s, a and b %s",
                       tir_ir_operand_text(q, 0, a), tir_ir_shape_text(out, b));
  out->dtype = q->in[1].dtype;
  return TIR_OK;
}

// The branch not taken gets an exact 0, whatever it holds. da = g where c, else
// 0; db = 0 where c, else g. Each is summed to its operand's shape; the
// condition is a bool and has no gradient.
static void where_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value c = q->in[0], g = q->out_grad[0], zero = tir_ir_zero(t, g);
  if (q->wants[1])
    q->in_grad[1] = tir_ir_grad_reduce(t, tir_where(t, c, g, zero), q->in[1]);
  if (q->wants[2])
    q->in_grad[2] = tir_ir_grad_reduce(t, tir_where(t, c, zero, g), q->in[2]);
}

// It reads the condition alone: neither a nor b is kept for the gradient.
const tir_op_desc tir_op_where = {
    .name = "where",
    .family = "compare",
    .summary = "The second value where the first is true, else the third.",
    .operands = "condition, a, b",
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_EXACT,
    .infer = where_infer,
    .vjp = where_vjp,
    .needs = {{0, 0}, {.in = 1 << 0}, {.in = 1 << 0}},
};

tir_value tir_where(tir_tape *tape, tir_value condition, tir_value a,
                    tir_value b) {
  const tir_value in[] = {condition, a, b};
  return tir_ir_record(tape, TIR_OP_WHERE, in, 3, NULL);
}
