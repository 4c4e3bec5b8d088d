// Joining and cutting along axes, each with the op that undoes it for its
// gradient: concat and concat_part, slice and unslice.
//
// A part of an axis has a computed size and so loses its symbol; only the whole
// axis keeps it. Steps are positive: flip reverses.

#include <inttypes.h>
#include <stddef.h>

#include "ir/base/checked.h"
#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

enum { MOVEMENT = TIR_TRAIT_MOVEMENT | TIR_TRAIT_EXACT };

// --- concat ----------------------------------------------------------------

static const tir_ir_attr concat_attrs[] = {
    {.name = "axis",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_axis, axis),
     .required = true},
};

// Type of operands first … last joined along `axis`, which operand `first`
// has. Dtypes are the caller's matter.
static tir_status joined_type(const tir_ir_infer_query *q, size_t first,
                              int axis, tir_ir_type *out) {
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  *out = q->in[first];
  for (size_t i = first + 1; i < q->n_in; i++) {
    const tir_ir_type *x = &q->in[i];
    // Symbols of the other axes are gathered from all operands: a name that any
    // of them knows is right for all.
    bool fits = x->rank == out->rank;
    for (int d = 0; fits && d < out->rank; d++) {
      if (d == axis) continue;
      fits = x->dims[d] == out->dims[d];
      if (!out->symbols[d]) out->symbols[d] = x->symbols[d];
    }
    if (!fits)
      return tir_ir_fail(
          q, TIR_ERR_SHAPE, "shapes differ outside axis %d: %s, %s", axis,
          tir_ir_operand_text(q, first, a), tir_ir_operand_text(q, i, b));
    if (!tir_base_i64_add(out->dims[axis], x->dims[axis], &out->dims[axis]))
      return tir_ir_fail(q, TIR_ERR_LIMIT,
                         "sizes along axis %d add up to more than %" PRId64,
                         axis, INT64_MAX);
    out->symbols[axis] = 0;  // a sum of sizes has no name
  }
  return TIR_OK;
}

// One operand is allowed and is its own result.
static tir_status concat_infer(const tir_ir_infer_query *q) {
  const tir_attrs_axis *attrs = q->attrs;
  int axis = 0;
  TIR_TRY(tir_ir_check_axis(q, 0, attrs->axis, &axis));
  for (size_t i = 1; i < q->n_in; i++)
    TIR_TRY(tir_ir_check_same_dtype(q, 0, i));
  return joined_type(q, 0, axis, &q->out[0]);
}

// Records an op of `first` (unless invalid) and then `n` more operands. The
// list is needed for this call alone.
static tir_value record_many(tir_tape *tape, tir_op op, tir_value first,
                             const tir_value *more, size_t n,
                             const void *attrs) {
  const size_t has_first = first.owner ? 1 : 0;
  const size_t bytes = (n + has_first) * sizeof(tir_value);
  tir_value *in = tir_base_alloc(tape->context, bytes, _Alignof(tir_value));
  if (!in)
    return tir_ir_keep_error(tape, tir_ir_op_desc(op)->name, TIR_ERR_MEMORY,
                             "out of memory for %zu operands", n + has_first);
  if (has_first) in[0] = first;
  for (size_t i = 0; i < n; i++) in[has_first + i] = more[i];
  const tir_value out = tir_ir_record(tape, op, in, n + has_first, attrs);
  tir_base_free(tape->context, in, bytes, _Alignof(tir_value));
  return out;
}

// Each operand takes its piece of g. concat_part finds the place from the
// shapes of all parts, so the rule holds at every size.
static void concat_vjp(const tir_ir_vjp *q) {
  const tir_attrs_axis *attrs = q->attrs;
  for (size_t i = 0; i < q->n_in; i++) {
    if (!q->wants[i]) continue;
    const tir_attrs_concat_part part = {.axis = attrs->axis,
                                        .index = (int64_t)i};
    q->in_grad[i] = record_many(q->tape, TIR_OP_CONCAT_PART, q->out_grad[0],
                                q->in, q->n_in, &part);
  }
}

const tir_op_desc tir_op_concat = {
    .name = "concat",
    .family = "movement",
    .summary = "Values joined along an axis.",
    .operands = "x...",
    .min_inputs = 1,
    .max_inputs = 255,
    .n_outputs = 1,
    .traits = MOVEMENT,
    .attrs = concat_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_axis),
    .infer = concat_infer,
    .vjp = concat_vjp,
};

tir_value tir_concat(tir_tape *tape, const tir_value *values, size_t n_values,
                     int axis) {
  if (n_values == 0)
    return tir_ir_keep_error(tape, "concat", TIR_ERR_ARGUMENT,
                             "no values given, expected at least 1");
  if (!values)
    return tir_ir_keep_error(tape, "concat", TIR_ERR_ARGUMENT,
                             "values is NULL, expected %zu entries", n_values);
  const tir_attrs_axis attrs = {
      .axis = tir_ir_axis_attr(tape, values[0], axis),
  };
  return tir_ir_record(tape, TIR_OP_CONCAT, values, n_values, &attrs);
}

// --- concat_part -----------------------------------------------------------

static const tir_ir_attr concat_part_attrs[] = {
    {.name = "axis",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_concat_part, axis),
     .required = true},
    {.name = "index",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_concat_part, index),
     .required = true},
};

// The parts must join to the whole, or an offset could leave it.
static tir_status concat_part_infer(const tir_ir_infer_query *q) {
  const tir_attrs_concat_part *attrs = q->attrs;
  const int64_t n_parts = (int64_t)q->n_in - 1;
  int axis = 0;
  TIR_TRY(tir_ir_check_axis(q, 0, attrs->axis, &axis));
  if (attrs->index < 0 || attrs->index >= n_parts)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "index is %" PRId64 ", expected 0 to %" PRId64,
                       attrs->index, n_parts - 1);
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_TYPE_TEXT_MAX];
  if (q->in[1].rank != q->in[0].rank) {
    char part[TIR_OPERAND_TEXT_MAX];
    return tir_ir_fail(q, TIR_ERR_SHAPE, "ranks differ: %s, %s",
                       tir_ir_operand_text(q, 0, a),
                       tir_ir_operand_text(q, 1, part));
  }
  tir_ir_type whole;
  TIR_TRY(joined_type(q, 1, axis, &whole));
  if (!tir_ir_same_shape(&whole, &q->in[0]))
    return tir_ir_fail(
        q, TIR_ERR_SHAPE, "the parts join to %s, not to the shape of %s",
        tir_ir_shape_text(&whole, b), tir_ir_operand_text(q, 0, a));
  // The part's own type, symbols and all, in the dtype of what is cut.
  q->out[0] = q->in[1 + attrs->index];
  q->out[0].dtype = q->in[0].dtype;
  return TIR_OK;
}

// The gradient of the whole: this part's gradient between zeros.
static void concat_part_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_attrs_concat_part *attrs = q->attrs;
  const size_t n = q->n_in - 1, bytes = n * sizeof(tir_value);
  tir_value *parts = tir_base_alloc(t->context, bytes, _Alignof(tir_value));
  if (!parts) {
    tir_ir_keep_error(t, "concat_part", TIR_ERR_MEMORY,
                      "out of memory for %zu operands", n);
    return;
  }
  // Zeros by broadcasting, so that the other parts may follow their symbols.
  const tir_value zero = tir_ir_zero(t, q->out_grad[0]);
  for (size_t i = 0; i < n; i++)
    parts[i] = i == (size_t)attrs->index
                   ? q->out_grad[0]
                   : tir_broadcast_like(t, zero, q->in[1 + i]);
  const tir_attrs_axis join = {.axis = attrs->axis};
  const tir_value g = tir_ir_record(t, TIR_OP_CONCAT, parts, n, &join);
  q->in_grad[0] = tir_ir_grad_reduce(t, g, q->in[0]);
  tir_base_free(t->context, parts, bytes, _Alignof(tir_value));
}

const tir_op_desc tir_op_concat_part = {
    .name = "concat_part",
    .family = "movement",
    .summary = "The piece of a joined value that one of the parts takes up.",
    .operands = "whole, part...",
    .min_inputs = 2,
    .max_inputs = 255,
    .n_outputs = 1,
    .traits = MOVEMENT,
    .shape_only = 0xFFFE,
    .attrs = concat_part_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_concat_part),
    .infer = concat_part_infer,
    .vjp = concat_part_vjp,
};

// --- slice -----------------------------------------------------------------

static const tir_ir_attr slice_attrs[] = {
    {.name = "starts",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_slice, starts),
     .required = true},
    {.name = "stops",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_slice, stops),
     .required = true},
    {.name = "steps",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_slice, steps)},
};

// What is left out at the end of the lists are whole axes.
static tir_status check_slice(const tir_ir_infer_query *q, size_t operand) {
  const tir_attrs_slice *attrs = q->attrs;
  const int64_t n = attrs->starts.n;
  if (attrs->stops.n != n || (attrs->steps.n != 0 && attrs->steps.n != n))
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "%" PRId64 " starts, %" PRId64 " stops, %" PRId64
                       " steps: expected as many of each, or no steps",
                       n, attrs->stops.n, attrs->steps.n);
  char text[TIR_OPERAND_TEXT_MAX];
  if (n > q->in[operand].rank)
    return tir_ir_fail(
        q, TIR_ERR_SHAPE, "%" PRId64 " axes are sliced, %s has rank %d", n,
        tir_ir_operand_text(q, operand, text), q->in[operand].rank);
  for (int64_t i = 0; i < attrs->steps.n; i++)
    if (attrs->steps.v[i] < 1)
      return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                         "step %" PRId64 " is %" PRId64 ", expected 1 or more",
                         i, attrs->steps.v[i]);
  return TIR_OK;
}

// A bound as in NumPy: negative counts from the end, then clamped. A bound
// below -dim clamps to 0 before the sum, which therefore never overflows.
static int64_t clamp(int64_t bound, int64_t dim) {
  if (bound < -dim) return 0;
  if (bound < 0) return bound + dim;
  return bound > dim ? dim : bound;
}

// `x` sliced; the attributes are checked. Elements start, start + step, … below
// stop: (stop − start − 1) / step + 1 of them, and none if stop is not behind
// start.
static void sliced_type(const tir_attrs_slice *attrs, const tir_ir_type *x,
                        tir_ir_type *out) {
  *out = *x;
  for (int64_t i = 0; i < attrs->starts.n; i++) {
    const int64_t step = attrs->steps.n ? attrs->steps.v[i] : 1;
    // The whole axis follows its symbol; any other part does not.
    if (attrs->starts.v[i] == 0 && attrs->stops.v[i] == INT64_MAX && step == 1)
      continue;
    const int64_t start = clamp(attrs->starts.v[i], x->dims[i]);
    const int64_t stop = clamp(attrs->stops.v[i], x->dims[i]);
    out->dims[i] = stop > start ? (stop - start - 1) / step + 1 : 0;
    out->symbols[i] = 0;
  }
}

static tir_status slice_infer(const tir_ir_infer_query *q) {
  TIR_TRY(check_slice(q, 0));
  sliced_type(q->attrs, &q->in[0], &q->out[0]);
  return TIR_OK;
}

// dx = zeros of x's shape with g where the slice was; the shape comes from x as
// an operand, of which no data is read.
static void slice_vjp(const tir_ir_vjp *q) {
  const tir_value in[] = {q->out_grad[0], q->in[0]};
  q->in_grad[0] = tir_ir_record(q->tape, TIR_OP_UNSLICE, in, 2, q->attrs);
}

const tir_op_desc tir_op_slice = {
    .name = "slice",
    .family = "movement",
    .summary = "A range of each of the leading axes, with steps.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = MOVEMENT,
    .attrs = slice_attrs,
    .n_attrs = 3,
    .attrs_size = sizeof(tir_attrs_slice),
    .infer = slice_infer,
    .vjp = slice_vjp,
};

// NULL for steps means 1 everywhere.
tir_value tir_slice(tir_tape *tape, tir_value x, const int64_t *starts,
                    const int64_t *stops, const int64_t *steps, int n) {
  tir_attrs_slice attrs;
  const char *op = "slice";
  if (!tir_ir_list_attr(tape, op, "starts", starts, n, &attrs.starts) ||
      !tir_ir_list_attr(tape, op, "stops", stops, n, &attrs.stops) ||
      !tir_ir_list_attr(tape, op, "steps", steps, steps ? n : 0, &attrs.steps))
    return tir_ir_refused(tape, op);
  return tir_ir_record(tape, TIR_OP_SLICE, &x, 1, &attrs);
}

// --- unslice ---------------------------------------------------------------

// The operand must be what the slice of `like` would be, or elements would have
// no place.
static tir_status unslice_infer(const tir_ir_infer_query *q) {
  TIR_TRY(check_slice(q, 1));
  tir_ir_type part;
  sliced_type(q->attrs, &q->in[1], &part);
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  char shape[TIR_TYPE_TEXT_MAX];
  if (!tir_ir_same_shape(&part, &q->in[0]))
    return tir_ir_fail(
        q, TIR_ERR_SHAPE, "the slice of %s is %s, not the shape of %s",
        tir_ir_operand_text(q, 1, b), tir_ir_shape_text(&part, shape),
        tir_ir_operand_text(q, 0, a));
  q->out[0] = q->in[1];
  q->out[0].dtype = q->in[0].dtype;
  return TIR_OK;
}

// dpart = the same slice of g. Its sizes are numbers; grad_reduce gives back
// the part's symbols.
static void unslice_vjp(const tir_ir_vjp *q) {
  const tir_value g =
      tir_ir_record(q->tape, TIR_OP_SLICE, &q->out_grad[0], 1, q->attrs);
  q->in_grad[0] = tir_ir_grad_reduce(q->tape, g, q->in[0]);
}

// Only gradient rules make it: there is no public function.
const tir_op_desc tir_op_unslice = {
    .name = "unslice",
    .family = "movement",
    .summary = "Zeros of a shape with a value where slice would take it from.",
    .operands = "part, like",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = MOVEMENT,
    .shape_only = 1 << 1,
    .attrs = slice_attrs,
    .n_attrs = 3,
    .attrs_size = sizeof(tir_attrs_slice),
    .infer = unslice_infer,
    .vjp = unslice_vjp,
};
