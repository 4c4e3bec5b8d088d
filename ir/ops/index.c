// Indexing along an axis by i32 or i64 values of -n … n-1. An index out of
// range is found by the run, which names the node. Here only shapes are known.

#include <inttypes.h>
#include <stddef.h>

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

static const tir_ir_attr axis_attrs[] = {
    {.name = "axis",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_axis, axis)},
};

// Operand x with `axis` replaced by the shape of operand 1. Symbols of x and of
// the indices go along with their axes.
static tir_status gathered_type(const tir_ir_infer_query *q, int axis,
                                tir_ir_type *out) {
  const tir_ir_type *x = &q->in[0], *indices = &q->in[1];
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  const int rank = x->rank - 1 + indices->rank;
  if (rank > TIR_MAX_RANK)
    return tir_ir_fail(q, TIR_ERR_SHAPE,
                       "%s at %s has rank %d, expected at most %d",
                       tir_ir_operand_text(q, 0, a),
                       tir_ir_operand_text(q, 1, b), rank, TIR_MAX_RANK);
  *out = (tir_ir_type){.dtype = x->dtype};
  for (int i = 0; i < axis; i++) tir_ir_copy_dim(x, i, out, out->rank++);
  for (int i = 0; i < indices->rank; i++)
    tir_ir_copy_dim(indices, i, out, out->rank++);
  for (int i = axis + 1; i < x->rank; i++)
    tir_ir_copy_dim(x, i, out, out->rank++);
  return TIR_OK;
}

// --- gather ----------------------------------------------------------------

// Shapes alone: whether an index is in range shows when it is read.
static tir_status gather_infer(const tir_ir_infer_query *q) {
  const tir_attrs_axis *attrs = q->attrs;
  int axis = 0;
  TIR_TRY(tir_ir_check_axis(q, 0, attrs->axis, &axis));
  TIR_TRY(tir_ir_check_index(q, 1));
  return gathered_type(q, axis, &q->out[0]);
}

// Each gathered row adds its gradient to the row it came from. dx = zeros with
// g added at the indices; an index that occurs twice adds twice. The positions
// have no gradient.
static void gather_vjp(const tir_ir_vjp *q) {
  if (!q->wants[0]) return;
  tir_tape *t = q->tape;
  const tir_value g = q->out_grad[0];
  const tir_dtype wide = tir_ir_sum_dtype(t, g);
  const tir_value in[] = {tir_ir_as(t, tir_zeros_like(t, q->in[0]), wide),
                          q->in[1], tir_ir_as(t, g, wide)};
  const tir_value sum = tir_ir_record(t, TIR_OP_SCATTER_ADD, in, 3, q->attrs);
  q->in_grad[0] = tir_ir_as(t, sum, tir_value_dtype(t, g));
}

const tir_op_desc tir_op_gather = {
    .name = "gather",
    .family = "index",
    .summary = "The rows of a value at given positions along an axis.",
    .operands = "x, indices",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = TIR_TRAIT_MOVEMENT | TIR_TRAIT_EXACT | TIR_TRAIT_FALLIBLE,
    .attrs = axis_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_axis),
    .infer = gather_infer,
    .vjp = gather_vjp,
    .needs = {{.in = 1 << 1}},
};

// An axis out of range goes on to infer, which names it.
tir_value tir_gather(tir_tape *tape, tir_value x, tir_value indices, int axis) {
  const tir_attrs_axis attrs = {.axis = tir_ir_axis_attr(tape, x, axis)};
  const tir_value in[] = {x, indices};
  return tir_ir_record(tape, TIR_OP_GATHER, in, 2, &attrs);
}

// gather by rows, with the rank checked so that the message speaks of a table.
tir_value tir_embedding(tir_tape *tape, tir_value table, tir_value indices) {
  const char *op = "embedding";
  if (!tir_ir_usable(tape, table, op, "table") ||
      !tir_ir_usable(tape, indices, op, "indices"))
    return tir_ir_refused(tape, op);
  tir_ir_type type;
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_value_type(tape, table, &type);
  if (type.rank != 2)
    return tir_ir_keep_error(tape, op, TIR_ERR_SHAPE,
                             "table %s has rank %d, expected 2",
                             tir_ir_value_text(tape, table, text), type.rank);
  return tir_gather(tape, table, indices, 0);
}

// --- scatter_add -----------------------------------------------------------

// Updates have the shape gather would give for these indices. The result is the
// base with another content: its type, symbols and all.
static tir_status scatter_add_infer(const tir_ir_infer_query *q) {
  const tir_attrs_axis *attrs = q->attrs;
  int axis = 0;
  tir_ir_type updates;
  TIR_TRY(tir_ir_check_number(q, 0));
  TIR_TRY(tir_ir_check_axis(q, 0, attrs->axis, &axis));
  TIR_TRY(tir_ir_check_index(q, 1));
  TIR_TRY(tir_ir_check_same_dtype(q, 0, 2));
  TIR_TRY(gathered_type(q, axis, &updates));
  char text[TIR_OPERAND_TEXT_MAX], shape[TIR_TYPE_TEXT_MAX];
  if (!tir_ir_same_shape(&updates, &q->in[2]))
    return tir_ir_fail(q, TIR_ERR_SHAPE, "wrong shape: %s, expected %s",
                       tir_ir_operand_text(q, 2, text),
                       tir_ir_shape_text(&updates, shape));
  q->out[0] = q->in[0];
  return TIR_OK;
}

// The base takes g as it is, an update the part of g where it was added:
//   dbase = g, dupdates = g gathered at the indices.
static void scatter_add_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  if (q->wants[0]) q->in_grad[0] = q->out_grad[0];
  if (q->wants[2]) {
    const tir_value in[] = {q->out_grad[0], q->in[1]};
    const tir_value g = tir_ir_record(t, TIR_OP_GATHER, in, 2, q->attrs);
    q->in_grad[2] = tir_ir_grad_reduce(t, g, q->in[2]);
  }
}

// The order of the positions is part of the definition, because float sums
// depend on it.
const tir_op_desc tir_op_scatter_add = {
    .name = "scatter_add",
    .family = "index",
    .summary =
        "A value with updates added at positions along an axis, in the "
        "order of the positions.",
    .operands = "base, indices, updates",
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .traits = TIR_TRAIT_FALLIBLE,
    .attrs = axis_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_axis),
    .infer = scatter_add_infer,
    .vjp = scatter_add_vjp,
    .needs = {{0, 0}, {0, 0}, {.in = 1 << 1}},
};

tir_value tir_scatter_add(tir_tape *tape, tir_value base, tir_value indices,
                          tir_value updates, int axis) {
  const tir_attrs_axis attrs = {.axis = tir_ir_axis_attr(tape, base, axis)};
  const tir_value in[] = {base, indices, updates};
  return tir_ir_record(tape, TIR_OP_SCATTER_ADD, in, 3, &attrs);
}

// --- one_hot ---------------------------------------------------------------

static const tir_ir_attr one_hot_attrs[] = {
    {.name = "depth",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_one_hot, depth),
     .required = true},
    {.name = "dtype",
     .kind = TIR_ATTR_DTYPE,
     .offset = offsetof(tir_attrs_one_hot, dtype),
     .required = true},
};

// The new axis is the last one, as in NumPy's eye(depth)[indices]. The depth is
// a size and so an attribute; an index beyond it fails the run.
static tir_status one_hot_infer(const tir_ir_infer_query *q) {
  const tir_attrs_one_hot *attrs = q->attrs;
  tir_ir_type *out = &q->out[0];
  const tir_dtype dtype = (tir_dtype)attrs->dtype;
  char text[TIR_OPERAND_TEXT_MAX];
  TIR_TRY(tir_ir_check_index(q, 0));
  if (attrs->depth < 0)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "depth is %" PRId64 ", expected 0 or more",
                       attrs->depth);
  if (q->in[0].rank == TIR_MAX_RANK)
    return tir_ir_fail(q, TIR_ERR_SHAPE, "%s has no room for another axis",
                       tir_ir_operand_text(q, 0, text));
  *out = q->in[0];
  out->dtype = dtype;
  out->dims[out->rank++] = attrs->depth;
  return TIR_OK;
}

const tir_op_desc tir_op_one_hot = {
    .name = "one_hot",
    .family = "index",
    .summary = "A new last axis that is 1 at each index and 0 elsewhere.",
    .operands = "indices",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_EXACT | TIR_TRAIT_FALLIBLE,
    .attrs = one_hot_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_one_hot),
    .infer = one_hot_infer,
    .vjp = tir_ir_vjp_zero,
};

tir_value tir_one_hot(tir_tape *tape, tir_value indices, int64_t depth,
                      tir_dtype dtype) {
  const tir_attrs_one_hot attrs = {.depth = depth, .dtype = dtype};
  return tir_ir_record(tape, TIR_OP_ONE_HOT, &indices, 1, &attrs);
}
