// Other numbers around the elements, or in place of some: pad, tril, triu.
//
// Padding copies elements, so it takes any dtype; the value is an operand,
// since numbers that change must not change the graph.

#include <inttypes.h>
#include <stddef.h>

#include "ir/base/checked.h"
#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

// --- pad -------------------------------------------------------------------

static const tir_ir_attr pad_attrs[] = {
    {.name = "before",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_pad, before),
     .required = true},
    {.name = "after",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_pad, after),
     .required = true},
};

// Trailing axes may be left out; they are not padded. Lists from a file may
// have any length up to the highest rank.
static tir_status check_pad(const tir_ir_infer_query *q) {
  const tir_attrs_pad *attrs = q->attrs;
  const int64_t n = attrs->before.n;
  char text[TIR_OPERAND_TEXT_MAX];
  if (attrs->after.n != n)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "before has %" PRId64 " entries, after %" PRId64
                       ": expected as many",
                       n, attrs->after.n);
  if (n > q->in[0].rank)
    return tir_ir_fail(q, TIR_ERR_SHAPE,
                       "%" PRId64 " axes are padded, %s has rank %d", n,
                       tir_ir_operand_text(q, 0, text), q->in[0].rank);
  return tir_ir_check_scalar(q, 1, q->in[0].dtype);
}

// An axis that is padded has a computed size, which follows no symbol.
static tir_status pad_infer(const tir_ir_infer_query *q) {
  const tir_attrs_pad *attrs = q->attrs;
  tir_ir_type *out = &q->out[0];
  TIR_TRY(check_pad(q));
  *out = q->in[0];
  for (int64_t i = 0; i < attrs->before.n; i++) {
    const int64_t before = attrs->before.v[i], after = attrs->after.v[i];
    if (before < 0 || after < 0)
      return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                         "axis %" PRId64 " is padded by %" PRId64
                         " and %" PRId64 ", expected 0 or more",
                         i, before, after);
    if (!tir_base_i64_add(out->dims[i], before, &out->dims[i]) ||
        !tir_base_i64_add(out->dims[i], after, &out->dims[i]))
      return tir_ir_fail(q, TIR_ERR_LIMIT,
                         "sizes along axis %" PRId64
                         " add up to more than %" PRId64,
                         i, INT64_MAX);
    if (before > 0 || after > 0) out->symbols[i] = 0;
  }
  return TIR_OK;
}

// dx is the part of g where x was put. It ends so far from the end, whatever
// the size; 0 from the end is the end itself. The slice has fixed sizes where x
// may have symbols: grad_reduce gives it x's type.
static tir_value pad_inner_grad(const tir_ir_vjp *q) {
  const tir_attrs_pad *attrs = q->attrs;
  tir_attrs_slice slice = {.starts = attrs->before,
                           .stops = {.n = attrs->after.n}};
  for (int64_t i = 0; i < attrs->after.n; i++)
    slice.stops.v[i] = attrs->after.v[i] == 0 ? INT64_MAX : -attrs->after.v[i];
  const tir_value g =
      tir_ir_record(q->tape, TIR_OP_SLICE, &q->out_grad[0], 1, &slice);
  return tir_ir_grad_reduce(q->tape, g, q->in[0]);
}

// The value takes the sum of g around x: where zeros padded with ones are not
// zero. Made from shapes alone: the data of x plays no part.
static tir_value pad_value_grad(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value g = q->out_grad[0], zero = tir_ir_zero(t, g);
  const tir_value in[] = {tir_zeros_like(t, q->in[0]),
                          tir_ir_scalar_like(t, g, 1.0)};
  const tir_value around = tir_ir_record(t, TIR_OP_PAD, in, 2, q->attrs);
  const tir_value is_value = tir_not_equal(t, around, zero);
  return tir_sum(t, tir_where(t, is_value, g, zero), NULL, 0, false);
}

static void pad_vjp(const tir_ir_vjp *q) {
  if (q->wants[0]) q->in_grad[0] = pad_inner_grad(q);
  if (q->wants[1]) q->in_grad[1] = pad_value_grad(q);
}

// No `needs`: the rule reads shapes and g alone.
const tir_op_desc tir_op_pad = {
    .name = "pad",
    .family = "movement",
    .summary = "The operand with a number around it.",
    .operands = "x, value",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = TIR_TRAIT_MOVEMENT | TIR_TRAIT_EXACT,
    .attrs = pad_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_pad),
    .infer = pad_infer,
    .vjp = pad_vjp,
};

tir_value tir_pad(tir_tape *tape, tir_value x, const int64_t *before,
                  const int64_t *after, int n, double value) {
  const char *op = "pad";
  tir_attrs_pad attrs;
  if (!tir_ir_usable(tape, x, op, "x") ||
      !tir_ir_list_attr(tape, op, "before", before, n, &attrs.before) ||
      !tir_ir_list_attr(tape, op, "after", after, n, &attrs.after))
    return tir_ir_refused(tape, op);
  const tir_value in[] = {x, tir_ir_literal(tape, op, x, value)};
  return tir_ir_record(tape, TIR_OP_PAD, in, 2, &attrs);
}

// --- tril and triu ---------------------------------------------------------

static const tir_ir_attr triangle_attrs[] = {
    {.name = "diagonal",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_triangle, diagonal)},
};

// Any diagonal is allowed; beyond the matrix it takes all or nothing.
static tir_status triangle_infer(const tir_ir_infer_query *q) {
  char text[TIR_OPERAND_TEXT_MAX];
  if (q->in[0].rank < 2)
    return tir_ir_fail(q, TIR_ERR_SHAPE, "rank is %d, expected at least 2: %s",
                       q->in[0].rank, tir_ir_operand_text(q, 0, text));
  q->out[0] = q->in[0];
  return TIR_OK;
}

// A triangle of zeros and ones times x: its own gradient. dx = tril(g) with the
// same diagonal.
static void tril_vjp(const tir_ir_vjp *q) {
  q->in_grad[0] =
      tir_ir_record(q->tape, TIR_OP_TRIL, &q->out_grad[0], 1, q->attrs);
}

// In place it only writes zeros.
const tir_op_desc tir_op_tril = {
    .name = "tril",
    .family = "movement",
    .summary = "The last two axes' triangle below a diagonal, and zeros.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_EXACT | TIR_TRAIT_IN_PLACE,
    .attrs = triangle_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_triangle),
    .infer = triangle_infer,
    .vjp = tril_vjp,
};

tir_value tir_tril(tir_tape *tape, tir_value x, int64_t diagonal) {
  const tir_attrs_triangle attrs = {.diagonal = diagonal};
  return tir_ir_record(tape, TIR_OP_TRIL, &x, 1, &attrs);
}

// dx = triu(g).
static void triu_vjp(const tir_ir_vjp *q) {
  q->in_grad[0] =
      tir_ir_record(q->tape, TIR_OP_TRIU, &q->out_grad[0], 1, q->attrs);
}

const tir_op_desc tir_op_triu = {
    .name = "triu",
    .family = "movement",
    .summary = "The last two axes' triangle above a diagonal, and zeros.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_EXACT | TIR_TRAIT_IN_PLACE,
    .attrs = triangle_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_triangle),
    .infer = triangle_infer,
    .vjp = triu_vjp,
};

tir_value tir_triu(tir_tape *tape, tir_value x, int64_t diagonal) {
  const tir_attrs_triangle attrs = {.diagonal = diagonal};
  return tir_ir_record(tape, TIR_OP_TRIU, &x, 1, &attrs);
}
