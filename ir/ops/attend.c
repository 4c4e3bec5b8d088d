// Builders of attention: the scale, heads of q that share one of k and v, and
// the form in ordinary ops for operands that the op does not take. What does
// not fit is refused first, in the shapes of the call.
//
// Which form it becomes is decided from the shapes alone, when it is recorded:
// the op takes k and v whose leading axes broadcast to those of q, and nothing
// else.

#include <inttypes.h>
#include <math.h>

#include "ir/ops/attention.h"
#include "ir/ops/rules.h"
#include "ir/ops/window.h"

// A call: operands that are left out are all-zero handles.
typedef struct attention {
  tir_tape *tape;
  const char *op;
  tir_value q, k, v, mask, length;
  bool causal;
} attention;

static tir_ir_type type_of(const attention *a, tir_value v) {
  tir_ir_type type;
  tir_ir_value_type(a->tape, v, &type);
  return type;
}

// The length is checked by the one builder that takes it.
static bool is_usable(const attention *a) {
  tir_tape *t = a->tape;
  return tir_ir_usable(t, a->q, a->op, "q") &&
         tir_ir_usable(t, a->k, a->op, "k") &&
         tir_ir_usable(t, a->v, a->op, "v") &&
         (!tir_ir_is_given(a->mask) ||
          tir_ir_usable(t, a->mask, a->op, "mask"));
}

static tir_attrs_attention attrs_of(const attention *a) {
  return (tir_attrs_attention){
      .causal = a->causal,
      .has_mask = tir_ir_is_given(a->mask),
      .has_length = tir_ir_is_given(a->length),
  };
}

// In the order that the op has them; how many.
static size_t operands_of(const attention *a, tir_value in[5]) {
  const tir_value all[] = {a->q, a->k, a->v, a->mask, a->length};
  size_t n = 0;
  for (size_t i = 0; i < 5; i++)
    if (tir_ir_is_given(all[i])) in[n++] = all[i];
  return n;
}

// --- forms -----------------------------------------------------------------

// Has k a leading axis that q would have to be repeated along?
static bool is_wider(const tir_ir_type *q, const tir_ir_type *k) {
  if (k->rank > q->rank) return true;
  const int missing = q->rank - k->rank;
  for (int i = 0; i < k->rank - 2; i++)
    if (q->dims[i + missing] == 1 && k->dims[i] != 1) return true;
  return false;
}

// Heads of q for each of k and v; 0 if none are shared. One head in k and v
// broadcasts as it is, so that it is no case of this.
static int64_t count_shared(const tir_ir_type *q, const tir_ir_type *k,
                            const tir_ir_type *v) {
  if (q->rank < 3 || k->rank != q->rank || v->rank != q->rank) return 0;
  const int axis = q->rank - 3;
  const int64_t heads = q->dims[axis], kept = k->dims[axis];
  if (q->symbols[axis] || k->symbols[axis] || kept <= 1 || heads == kept ||
      heads % kept != 0 || v->dims[axis] != kept)
    return 0;
  return heads / kept;
}

// A type with 1 for its last two sizes.
static tir_ir_type leading_of(tir_ir_type type) {
  for (int i = type.rank - 2; i < type.rank; i++)
    type.dims[i] = 1, type.symbols[i] = 0;
  return type;
}

// Written out, q, k and v broadcast to each other.
static tir_status check_written_out(const tir_ir_infer_query *query) {
  const tir_ir_type k = leading_of(query->in[1]), v = leading_of(query->in[2]);
  tir_ir_type scores = leading_of(query->in[0]), all;
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX],
      c[TIR_OPERAND_TEXT_MAX];
  if (!tir_ir_broadcast(&scores, &k, &scores) ||
      !tir_ir_broadcast(&scores, &v, &all))
    return tir_ir_fail(
        query, TIR_ERR_SHAPE, "leading axes do not broadcast: %s, %s, %s",
        tir_ir_operand_text(query, 0, a), tir_ir_operand_text(query, 1, b),
        tir_ir_operand_text(query, 2, c));
  return tir_ir_check_attention_rest(query, &scores);
}

// Of as many axes each, all but 1 head in k and v is a wish to share.
static tir_status check_heads(const tir_ir_infer_query *query) {
  const tir_ir_type *q = &query->in[0];
  const int axis = q->rank - 3;
  if (axis < 0) return TIR_OK;
  int64_t heads[3];
  bool fit = true;
  for (size_t i = 0; i < 3; i++) {
    const tir_ir_type *x = &query->in[i];
    if (x->rank != q->rank || x->symbols[axis]) return TIR_OK;
    heads[i] = x->dims[axis];
    fit = fit && (heads[i] == 1 || heads[i] == heads[0]);
  }
  if (fit) return TIR_OK;
  return tir_ir_fail(query, TIR_ERR_SHAPE,
                     "heads do not fit: q has %" PRId64 ", k %" PRId64
                     ", v %" PRId64
                     ", expected the same number in k and v, which divides "
                     "that of q",
                     heads[0], heads[1], heads[2]);
}

static tir_status check_types(const tir_ir_infer_query *query) {
  const tir_ir_type *q = &query->in[0], *k = &query->in[1], *v = &query->in[2];
  TIR_TRY(tir_ir_check_attention(query));
  const bool shares = count_shared(q, k, v) > 0;
  if (!shares && (is_wider(q, k) || is_wider(q, v)))
    return check_written_out(query);
  if (!shares) TIR_TRY(check_heads(query));
  TIR_TRY(tir_ir_check_attention_leading(query, shares));
  return tir_ir_check_attention_rest(query, q);
}

// Before anything is recorded: operands have the caller's shapes and names.
static bool fits(const attention *a) {
  tir_tape *t = a->tape;
  const tir_attrs_attention attrs = attrs_of(a);
  tir_value in[5];
  tir_ir_type types[5];
  uint32_t ids[5];
  tir_error error;
  const size_t n = operands_of(a, in);
  for (size_t i = 0; i < n; i++) {
    ids[i] = tir_ir_peek(t, in[i]).id;
    types[i] = type_of(a, in[i]);
  }
  if (!tir_ir_ready(t)) return false;
  const tir_ir_infer_query query = {
      .desc = &tir_op_attention,
      .in = types,
      .n_in = n,
      .attrs = &attrs,
      .graph = t->graph,
      .in_values = ids,
      .error = &error,
  };
  const tir_status status = check_types(&query);
  if (status != TIR_OK) tir_ir_keep_error(t, NULL, status, "%s", error.message);
  return status == TIR_OK;
}

// --- scale -----------------------------------------------------------------

// q times the scale; 0 stands for 1 / sqrt(d) for the size d of its last axis.
// A size that follows a symbol must not become a number in the graph.
static bool scale_query(attention *a, double scale) {
  if (!isfinite(scale)) {
    tir_ir_keep_error(a->tape, a->op, TIR_ERR_ARGUMENT,
                      "scale is %s, expected a finite number",
                      TIR_NUMBER(scale, 6));
    return false;
  }
  const tir_ir_type type = type_of(a, a->q);
  const int last = type.rank - 1;
  if (scale == 0) {
    if (last >= 0 && type.symbols[last]) {
      tir_ir_keep_error(a->tape, a->op, TIR_ERR_UNSUPPORTED,
                        "axis %d of q is symbolic: give a scale", last);
      return false;
    }
    // Of no features every score is 0, whatever the scale.
    scale = last >= 0 && type.dims[last] > 0 ? 1 / sqrt((double)type.dims[last])
                                             : 1;
  }
  a->q = tir_mul_scalar(a->tape, a->q, scale);
  return tir_ir_ready(a->tape);
}

// --- ordinary ops ----------------------------------------------------------

// softmax(q·kᵀ + mask)·v, where positions behind the one that looks are
// −infinity.
static tir_value record_written_out(const attention *a) {
  tir_tape *t = a->tape;
  tir_value scores = tir_matmul_t(t, a->q, a->k, false, true);
  if (tir_ir_is_given(a->mask)) scores = tir_add(t, scores, a->mask);
  if (!tir_ir_ready(t)) return tir_ir_refused(t, a->op);
  if (a->causal) scores = tir_ir_see_the_past(t, scores);
  return tir_matmul(t, tir_softmax(t, scores, -1), a->v);
}

// --- one op ----------------------------------------------------------------

// A length out of range fails the run, and not the kernel: check_range is a
// node of its own before it.
static tir_value record_op(const attention *a) {
  const tir_attrs_attention attrs = attrs_of(a);
  tir_value in[5];
  const size_t n = operands_of(a, in);
  if (attrs.has_length)
    in[n - 1] = tir_ir_check_range(a->tape, a->length, a->k, (tir_value){0},
                                   type_of(a, a->k).rank - 2, 0);
  return tir_ir_record(a->tape, TIR_OP_ATTENTION, in, n, &attrs);
}

// x [..., heads, a, b] as [..., heads / n, n, a, b], or back with `joined`.
// Only one dim may be −1, which a reshape computes: hence at most one symbol.
static tir_value split_heads(const attention *a, tir_value x, int axis,
                             int64_t n, bool joined) {
  const tir_ir_type type = type_of(a, x);
  int64_t dims[TIR_MAX_RANK + 1];
  int rank = 0, n_symbols = 0;
  for (int i = 0; i < type.rank; i++) {
    if (joined && i == axis + 1) continue;
    int64_t size = type.symbols[i] ? -1 : type.dims[i];
    n_symbols += type.symbols[i] != 0;
    if (i == axis) size = joined ? size * n : size / n;
    dims[rank++] = size;
    if (!joined && i == axis) dims[rank++] = n;
  }
  if (n_symbols > 1)
    return tir_ir_keep_error(a->tape, a->op, TIR_ERR_UNSUPPORTED,
                             "shared heads with %d symbolic dims, expected at "
                             "most 1",
                             n_symbols);
  return tir_reshape(a->tape, x, dims, rank);
}

// The heads that share one become an axis that k and v broadcast along.
static tir_value record_shared(attention a, int64_t n) {
  tir_tape *t = a.tape;
  const int axis = type_of(&a, a.q).rank - 3;
  const int between = axis + 1;
  a.q = split_heads(&a, a.q, axis, n, false);
  a.k = tir_expand_dims(t, a.k, &between, 1);
  a.v = tir_expand_dims(t, a.v, &between, 1);
  if (tir_ir_is_given(a.mask)) {
    const tir_ir_type mask = type_of(&a, a.mask);
    const int own = mask.rank - 3;
    const int behind = own + 1;
    if (own >= 0)
      a.mask = mask.dims[own] == 1 ? tir_expand_dims(t, a.mask, &behind, 1)
                                   : split_heads(&a, a.mask, own, n, false);
  }
  // One length for each head: split as those of q.
  if (tir_ir_is_given(a.length) && type_of(&a, a.length).rank > axis)
    a.length = split_heads(&a, a.length, axis, n, false);
  const tir_value y = record_op(&a);
  if (!tir_ir_ready(t)) return tir_ir_refused(t, a.op);
  return split_heads(&a, y, axis, n, true);
}

// The scale goes into q before its heads are split, since it needs the last
// axis alone.
static tir_value record_attention(attention a, double scale) {
  if (!is_usable(&a)) return tir_ir_refused(a.tape, a.op);
  const tir_ir_type q = type_of(&a, a.q), k = type_of(&a, a.k),
                    v = type_of(&a, a.v);
  const int64_t n_shared = count_shared(&q, &k, &v);
  const bool written_out =
      n_shared == 0 && (is_wider(&q, &k) || is_wider(&q, &v));
  if (written_out && tir_ir_is_given(a.length))
    return tir_ir_keep_error(a.tape, a.op, TIR_ERR_UNSUPPORTED,
                             "k or v has leading axes that q has not: "
                             "broadcast q first");
  if (!fits(&a) || !scale_query(&a, scale)) return tir_ir_refused(a.tape, a.op);
  if (n_shared > 0) return record_shared(a, n_shared);
  return written_out ? record_written_out(&a) : record_op(&a);
}

tir_value tir_attention(tir_tape *tape, tir_value q, tir_value k, tir_value v,
                        tir_value mask, bool causal, double scale) {
  return record_attention((attention){.tape = tape,
                                      .op = "attention",
                                      .q = q,
                                      .k = k,
                                      .v = v,
                                      .mask = mask,
                                      .causal = causal},
                          scale);
}

tir_value tir_attention_prefix(tir_tape *tape, tir_value q, tir_value k,
                               tir_value v, tir_value length, tir_value mask,
                               bool causal, double scale) {
  const char *op = "attention_prefix";
  if (!tir_ir_usable(tape, length, op, "length"))
    return tir_ir_refused(tape, op);
  return record_attention((attention){.tape = tape,
                                      .op = op,
                                      .q = q,
                                      .k = k,
                                      .v = v,
                                      .mask = mask,
                                      .length = length,
                                      .causal = causal},
                          scale);
}
