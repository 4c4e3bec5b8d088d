// attention: softmax(q · kᵀ + mask) · v over the positions that are seen. One
// op, so that a kernel can go over blocks of k; the scale is multiplied into q
// before it.
//
// The leading axes of k and v broadcast to those of q. The gradient rule makes
// the scores again from ordinary ops and differentiates by hand.

#include "ir/ops/attention.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"
#include "ir/ops/window.h"

static const tir_ir_attr attention_attrs[] = {
    {.name = "causal",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_attention, causal)},
    {.name = "has_mask",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_attention, has_mask)},
    {.name = "has_length",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_attention, has_length)},
};

// Of q nothing is repeated: attend.c writes such calls out in ordinary ops.
static bool leading_fits(const tir_ir_type *q, const tir_ir_type *k,
                         bool shares_heads) {
  if (k->rank > q->rank) return false;
  const int missing = q->rank - k->rank;
  const int n = shares_heads ? k->rank - 3 : k->rank - 2;
  for (int i = 0; i < n; i++)
    if (k->dims[i] != 1 && k->dims[i] != q->dims[i + missing]) return false;
  return true;
}

tir_status tir_ir_check_attention_leading(const tir_ir_infer_query *q,
                                          bool shares_heads) {
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  for (size_t i = 1; i < 3; i++)
    if (!leading_fits(&q->in[0], &q->in[i], shares_heads))
      return tir_ir_fail(q, TIR_ERR_SHAPE,
                         "leading axes of %s do not broadcast to those of %s",
                         tir_ir_operand_text(q, i, b),
                         tir_ir_operand_text(q, 0, a));
  return TIR_OK;
}

tir_status tir_ir_check_attention(const tir_ir_infer_query *q) {
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  for (size_t i = 0; i < 3; i++) {
    TIR_TRY(tir_ir_check_float(q, i));
    if (i > 0) TIR_TRY(tir_ir_check_same_dtype(q, 0, i));
    if (q->in[i].rank < 2)
      return tir_ir_fail(q, TIR_ERR_SHAPE, "%s has rank %d, expected 2 or more",
                         tir_ir_operand_text(q, i, a), q->in[i].rank);
  }
  const tir_ir_type *x = &q->in[0], *k = &q->in[1], *v = &q->in[2];
  if (x->dims[x->rank - 1] != k->dims[k->rank - 1])
    return tir_ir_fail(q, TIR_ERR_SHAPE, "features differ: %s, %s",
                       tir_ir_operand_text(q, 0, a),
                       tir_ir_operand_text(q, 1, b));
  if (k->dims[k->rank - 2] != v->dims[v->rank - 2])
    return tir_ir_fail(q, TIR_ERR_SHAPE, "positions differ: %s, %s",
                       tir_ir_operand_text(q, 1, a),
                       tir_ir_operand_text(q, 2, b));
  return TIR_OK;
}

// The scores are q · kᵀ: the positions of both are their last axes.
static tir_status check_mask(const tir_ir_infer_query *q, size_t i,
                             const tir_ir_type *leading) {
  const tir_ir_type *x = &q->in[0], *k = &q->in[1], *mask = &q->in[i];
  TIR_TRY(tir_ir_check_same_dtype(q, 0, i));
  tir_ir_type scores = *leading;
  scores.dims[scores.rank - 2] = x->dims[x->rank - 2];
  scores.dims[scores.rank - 1] = k->dims[k->rank - 2];
  const int missing = scores.rank - mask->rank;
  bool fits = missing >= 0;
  for (int d = 0; fits && d < mask->rank; d++)
    fits = mask->dims[d] == 1 || mask->dims[d] == scores.dims[d + missing];
  if (fits) return TIR_OK;
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_TYPE_TEXT_MAX];
  for (int d = 0; d < scores.rank; d++) scores.symbols[d] = 0;
  return tir_ir_fail(
      q, TIR_ERR_SHAPE, "%s does not broadcast to the scores, %s",
      tir_ir_operand_text(q, i, a), tir_ir_shape_text(&scores, b));
}

// The operand behind the mask, or in its place: named here. One length for all,
// or one for each index of the leading axes of q.
static tir_status check_length(const tir_ir_infer_query *q, size_t i) {
  const tir_ir_type *x = &q->in[0], *length = &q->in[i];
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_TYPE_TEXT_MAX];
  tir_ir_type_text(length, b);
  if (length->dtype != TIR_DTYPE_I32 && length->dtype != TIR_DTYPE_I64)
    return tir_ir_fail(q, TIR_ERR_DTYPE,
                       "wrong dtype: length %s, expected i32 or i64", b);
  bool fits = length->rank <= x->rank - 2;
  for (int d = 0; fits && d < length->rank; d++)
    fits = length->dims[d] == x->dims[d];
  if (fits) return TIR_OK;
  return tir_ir_fail(q, TIR_ERR_SHAPE,
                     "length %s is not a scalar and has not the leading sizes "
                     "of %s",
                     b, tir_ir_operand_text(q, 0, a));
}

tir_status tir_ir_check_attention_rest(const tir_ir_infer_query *q,
                                       const tir_ir_type *leading) {
  const tir_attrs_attention *attrs = q->attrs;
  if (attrs->has_mask) TIR_TRY(check_mask(q, 3, leading));
  if (attrs->has_length) TIR_TRY(check_length(q, q->n_in - 1));
  return TIR_OK;
}

// The result is as q with the last axis of v.
static tir_status attention_infer(const tir_ir_infer_query *q) {
  const tir_attrs_attention *attrs = q->attrs;
  const size_t n_in = 3 + (size_t)attrs->has_mask + (size_t)attrs->has_length;
  if (q->n_in != n_in)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "%zu operands, expected %zu: has_mask is %" PRId64
                       ", has_length %" PRId64,
                       q->n_in, n_in, attrs->has_mask, attrs->has_length);
  TIR_TRY(tir_ir_check_attention(q));
  TIR_TRY(tir_ir_check_attention_leading(q, false));
  TIR_TRY(tir_ir_check_attention_rest(q, &q->in[0]));
  const tir_ir_type *v = &q->in[2];
  q->out[0] = q->in[0];
  tir_ir_copy_dim(v, v->rank - 1, &q->out[0], q->out[0].rank - 1);
  return TIR_OK;
}

// --- decomposition ---------------------------------------------------------

// 1 along all axes but the last `n_kept`, which are as in x; the elements do
// not matter. So what is made of it follows symbolic dims.
static tir_value first_of(tir_tape *tape, tir_value x, int n_kept) {
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  const int64_t starts[TIR_MAX_RANK] = {0};
  int64_t stops[TIR_MAX_RANK];
  for (int i = 0; i < type.rank; i++) stops[i] = 1;
  const int n = type.rank - n_kept;
  return n <= 0 ? x : tir_slice(tape, x, starts, stops, NULL, n);
}

// Position i sees positions 0 … i.
tir_value tir_ir_see_the_past(tir_tape *tape, tir_value scores) {
  const tir_value one = first_of(tape, scores, 2);
  const tir_value triangle = tir_tril(tape, tir_ones_like(tape, one), 0);
  const tir_value seen = tir_greater(tape, triangle, tir_ir_zero(tape, scores));
  return tir_where(tape, seen, scores,
                   tir_ir_scalar_like(tape, scores, -INFINITY));
}

// 0, 1, 2 … along an axis, in the shape of the last two axes of x.
static tir_value count(tir_tape *tape, tir_value x, int axis) {
  const tir_value ones =
      tir_cast(tape, tir_ones_like(tape, first_of(tape, x, 2)), TIR_DTYPE_I64);
  return tir_cumsum(tape, ones, axis, true, false);
}

// An i64 scalar: the size of the axis before the last one.
static tir_value count_rows(tir_tape *tape, tir_value x) {
  const tir_attrs_dim_product rows = {.dtype = TIR_DTYPE_I64,
                                      .axes = {.n = 1, .v = {-2}}};
  return tir_ir_record(tape, TIR_OP_DIM_PRODUCT, &x, 1, &rows);
}

// Lengths as i64, no more than there is, with axes of size 1 behind, to
// broadcast to q's rank.
static tir_value spread_length(tir_tape *tape, tir_value length,
                               tir_value query, tir_value k) {
  tir_ir_type type, q_type;
  tir_ir_value_type(tape, length, &type);
  tir_ir_value_type(tape, query, &q_type);
  int axes[TIR_MAX_RANK], n = 0;
  if (type.rank > 0)
    for (int i = type.rank; i < q_type.rank; i++) axes[n++] = i;
  if (type.dtype != TIR_DTYPE_I64)
    length = tir_cast(tape, length, TIR_DTYPE_I64);
  length = tir_minimum(tape, length, count_rows(tape, k));
  return n == 0 ? length : tir_expand_dims(tape, length, axes, n);
}

// Scores of positions that are not valid, or behind the one that looks, are
// −infinity. Without causal j < length is seen. With it the last of the m rows
// of q stands at position length − 1, so that row i sees
//   j ≤ length − m + i, written as j − i + m ≤ length.
static tir_value see_valid(tir_tape *tape, tir_value scores, tir_value query,
                           tir_value length, bool causal) {
  tir_value seen, j = count(tape, scores, -1);
  if (causal) {
    const tir_value i = count(tape, scores, -2);
    const tir_value m = count_rows(tape, query);
    j = tir_add(tape, tir_sub(tape, j, i), m);
    seen = tir_less_equal(tape, j, length);
  } else {
    seen = tir_less(tape, j, length);
  }
  return tir_where(tape, seen, scores,
                   tir_ir_scalar_like(tape, scores, -INFINITY));
}

// k or v with zeros at positions that are not valid: they may hold anything.
static tir_value clean(tir_tape *tape, tir_value k, tir_value length) {
  const tir_value seen = tir_less(tape, count(tape, k, -2), length);
  return tir_where(tape, seen, k, tir_ir_zero(tape, k));
}

// What the rule needs again.
typedef struct parts {
  tir_value q, k, v, weights;
} parts;

// Scores and weights as the forward pass had them, from ordinary ops, so that
// they can be differentiated again.
static parts make_parts(const tir_ir_vjp *q, bool with_v) {
  const tir_attrs_attention *attrs = q->attrs;
  tir_tape *t = q->tape;
  parts p = {.q = q->in[0], .k = q->in[1], .v = q->in[2]};
  tir_value length = {0};
  if (attrs->has_length) {
    length = spread_length(t, q->in[q->n_in - 1], p.q, p.k);
    p.k = clean(t, p.k, length);
    if (with_v) p.v = clean(t, p.v, length);
  }
  tir_value scores = tir_matmul_t(t, p.q, p.k, false, true);
  if (attrs->has_mask) scores = tir_add(t, scores, q->in[3]);
  if (attrs->has_length)
    scores = see_valid(t, scores, p.q, length, attrs->causal != 0);
  else if (attrs->causal)
    scores = tir_ir_see_the_past(t, scores);
  p.weights = tir_softmax(t, scores, -1);
  return p;
}

// With w the weights: dv = wᵀ·g, and for the scores s
// ds = w · (dw − Σ dw · w), dw = g · vᵀ.
static void attention_vjp(const tir_ir_vjp *q) {
  const tir_attrs_attention *attrs = q->attrs;
  tir_tape *t = q->tape;
  const bool wants_mask = attrs->has_mask && q->wants[3];
  const bool wants_scores = q->wants[0] || q->wants[1] || wants_mask;
  if (!wants_scores && !q->wants[2]) return;
  const tir_value g = q->out_grad[0];
  const parts p = make_parts(q, wants_scores);
  if (q->wants[2])
    q->in_grad[2] = tir_ir_grad_reduce(
        t, tir_matmul_t(t, p.weights, g, true, false), q->in[2]);
  if (!wants_scores) return;
  const tir_value dw = tir_matmul_t(t, g, p.v, false, true);
  const int last = -1;
  const tir_value weighted = tir_mul(t, dw, p.weights);
  const tir_value sum = tir_sum(t, weighted, &last, 1, true);
  const tir_value ds = tir_mul(t, p.weights, tir_sub(t, dw, sum));
  if (q->wants[0])
    q->in_grad[0] = tir_ir_grad_reduce(t, tir_matmul(t, ds, p.k), q->in[0]);
  if (q->wants[1])
    q->in_grad[1] =
        tir_ir_grad_reduce(t, tir_matmul_t(t, ds, p.q, true, false), q->in[1]);
  if (wants_mask) q->in_grad[3] = tir_ir_grad_reduce(t, ds, q->in[3]);
}

enum { Q = 1 << 0, K = 1 << 1, V = 1 << 2, REST = 1 << 3 | 1 << 4 };

const tir_op_desc tir_op_attention = {
    .name = "attention",
    .family = "attention",
    .summary = "Values weighted by the softmax of products of q and k.",
    .operands = "q, k, v, mask, length",
    .min_inputs = 3,
    .max_inputs = 5,
    .n_outputs = 1,
    .attrs = attention_attrs,
    .n_attrs = 3,
    .attrs_size = sizeof(tir_attrs_attention),
    .infer = attention_infer,
    .vjp = attention_vjp,
    .needs = {{.in = Q | K | V | REST},
              {.in = Q | K | V | REST},
              {.in = Q | K | REST},
              {.in = Q | K | V | REST}},
};
