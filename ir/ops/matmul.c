// Matrix products over the last two axes, with transpose flags; leading axes
// broadcast.

#include <inttypes.h>
#include <stddef.h>

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

static const tir_ir_attr matmul_attrs[] = {
    {.name = "transpose_a",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_matmul, transpose_a)},
    {.name = "transpose_b",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_matmul, transpose_b)},
};

// Rank 1 is dot's: a missing axis cannot be told from a batch. Halves are cast
// first: products are summed in f32 or f64.
static tir_status check_operands(const tir_ir_infer_query *q) {
  TIR_TRY(tir_ir_check_same_dtype(q, 0, 1));
  TIR_TRY(tir_ir_check_float(q, 0));
  char text[TIR_OPERAND_TEXT_MAX];
  for (size_t i = 0; i < 2; i++)
    if (q->in[i].rank < 2)
      return tir_ir_fail(q, TIR_ERR_SHAPE,
                         "rank is %d, expected at least 2: %s", q->in[i].rank,
                         tir_ir_operand_text(q, i, text));
  return TIR_OK;
}

// Axes of the operands that make m, k (of a) and k, n (of b). The result is
// [leading axes, m, n]; the two k must agree in size, not in name.
static tir_status matmul_infer(const tir_ir_infer_query *q) {
  const tir_attrs_matmul *attrs = q->attrs;
  TIR_TRY(check_operands(q));
  const tir_ir_type *a = &q->in[0], *b = &q->in[1];
  const int a_m = attrs->transpose_a ? a->rank - 1 : a->rank - 2;
  const int a_k = attrs->transpose_a ? a->rank - 2 : a->rank - 1;
  const int b_k = attrs->transpose_b ? b->rank - 1 : b->rank - 2;
  const int b_n = attrs->transpose_b ? b->rank - 2 : b->rank - 1;
  char a_text[TIR_OPERAND_TEXT_MAX], b_text[TIR_OPERAND_TEXT_MAX];
  if (a->dims[a_k] != b->dims[b_k])
    return tir_ir_fail(q, TIR_ERR_SHAPE,
                       "inner sizes differ: %s has k=%" PRId64
                       ", %s has k=%" PRId64,
                       tir_ir_operand_text(q, 0, a_text), a->dims[a_k],
                       tir_ir_operand_text(q, 1, b_text), b->dims[b_k]);
  tir_ir_type a_lead = *a, b_lead = *b, *out = &q->out[0];
  a_lead.rank -= 2;
  b_lead.rank -= 2;
  if (!tir_ir_broadcast(&a_lead, &b_lead, out))
    return tir_ir_fail(
        q, TIR_ERR_SHAPE, "leading axes do not broadcast: %s, %s",
        tir_ir_operand_text(q, 0, a_text), tir_ir_operand_text(q, 1, b_text));
  out->dtype = a->dtype;
  // At most TIR_MAX_RANK again, since both operands had their two axes.
  out->rank += 2;
  tir_ir_copy_dim(a, a_m, out, out->rank - 2);
  tir_ir_copy_dim(b, b_n, out, out->rank - 1);
  return TIR_OK;
}

// With A and B the operands after their flags and C = A B:
//   dA = g B^T and dB = A^T g; the gradient of an operand read transposed is
//   the transpose of that, which is the same product in the other order.
// With both flags off these are two products whose flags differ, so nothing is
// ever transposed in memory. Leading axes that were broadcast are summed
// afterwards.
static void matmul_vjp(const tir_ir_vjp *q) {
  const tir_attrs_matmul *attrs = q->attrs;
  tir_tape *t = q->tape;
  const tir_value a = q->in[0], b = q->in[1], g = q->out_grad[0];
  const bool ta = attrs->transpose_a != 0, tb = attrs->transpose_b != 0;
  if (q->wants[0]) {
    const tir_value da = ta ? tir_matmul_t(t, b, g, tb, true)
                            : tir_matmul_t(t, g, b, false, !tb);
    q->in_grad[0] = tir_ir_grad_reduce(t, da, a);
  }
  if (q->wants[1]) {
    const tir_value db = tb ? tir_matmul_t(t, g, a, true, ta)
                            : tir_matmul_t(t, a, g, !ta, false);
    q->in_grad[1] = tir_ir_grad_reduce(t, db, b);
  }
}

const tir_op_desc tir_op_matmul = {
    .name = "matmul",
    .family = "matmul",
    .summary =
        "Matrix product over the last two axes; leading axes "
        "broadcast.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .attrs = matmul_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_matmul),
    .infer = matmul_infer,
    .vjp = matmul_vjp,
    .needs = {{.in = 1 << 1}, {.in = 1 << 0}},
};

tir_value tir_matmul(tir_tape *tape, tir_value a, tir_value b) {
  return tir_matmul_t(tape, a, b, false, false);
}

tir_value tir_matmul_t(tir_tape *tape, tir_value a, tir_value b,
                       bool transpose_a, bool transpose_b) {
  const tir_attrs_matmul attrs = {
      .transpose_a = transpose_a,
      .transpose_b = transpose_b,
  };
  const tir_value in[] = {a, b};
  return tir_ir_record(tape, TIR_OP_MATMUL, in, 2, &attrs);
}

// Vectors are multiplied and summed. Their sizes are compared here, because mul
// would broadcast a vector of size 1. Σ aᵢ·bᵢ for two vectors; with a matrix on
// either side it is matmul.
tir_value tir_dot(tir_tape *tape, tir_value a, tir_value b) {
  if (!tir_ir_usable(tape, a, "dot", "a") ||
      !tir_ir_usable(tape, b, "dot", "b"))
    return tir_ir_refused(tape, "dot");
  tir_ir_type a_type, b_type;
  tir_ir_value_type(tape, a, &a_type);
  tir_ir_value_type(tape, b, &b_type);
  if (a_type.rank != 1 && b_type.rank != 1) return tir_matmul(tape, a, b);
  if (a_type.dtype != b_type.dtype || !tir_ir_same_shape(&a_type, &b_type)) {
    char a_text[TIR_OPERAND_TEXT_MAX], b_text[TIR_OPERAND_TEXT_MAX];
    return tir_ir_keep_error(
        tape, "dot",
        a_type.dtype != b_type.dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
        "expected two vectors of one type: a %s, b %s",
        tir_ir_value_text(tape, a, a_text), tir_ir_value_text(tape, b, b_text));
  }
  return tir_sum(tape, tir_mul(tape, a, b), NULL, 0, false);
}
