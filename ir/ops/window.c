// Windows: a part of an axis whose start is a number of the run, read
// (slice_at) or replaced (update_slice), each the other's gradient.
//
// What can fail is apart from what writes: check_range refuses a start before
// anything is computed, so that update_slice may write into a state in place
// behind the commit point. By themselves the two take the nearest start that
// is in range, so that no file can make them leave their memory.
//
// The operand that gives a size is looked at for its shape alone. So a rule can
// ask for the window of a value whose size follows a symbol.

#include "ir/ops/window.h"

#include <inttypes.h>
#include <stddef.h>

#include "ir/infer.h"
#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

static const tir_ir_attr window_attrs[] = {
    {.name = "axis",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_window, axis)},
    {.name = "size",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_window, size)},
};

static const tir_ir_attr axis_attrs[] = {
    {.name = "axis",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_axis, axis)},
};

// Operand `part` fits into operand 0 along `axis` and has its other sizes.
// Sizes must agree along the other axes; broadcasting would write elements
// twice.
static tir_status check_part(const tir_ir_infer_query *q, size_t part,
                             int axis) {
  const tir_ir_type *whole = &q->in[0], *x = &q->in[part];
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  bool fits = x->rank == whole->rank;
  for (int i = 0; fits && i < x->rank; i++)
    fits =
        i == axis ? x->dims[i] <= whole->dims[i] : x->dims[i] == whole->dims[i];
  if (fits) return TIR_OK;
  return tir_ir_fail(q, TIR_ERR_SHAPE, "%s does not fit into %s along axis %d",
                     tir_ir_operand_text(q, part, b),
                     tir_ir_operand_text(q, 0, a), axis);
}

// One start for everything, or one for each index of the leading axes. The
// leading axes are those before `axis`; one start each makes a batch of
// windows.
static tir_status check_start(const tir_ir_infer_query *q, size_t start,
                              int axis) {
  const tir_ir_type *whole = &q->in[0], *x = &q->in[start];
  TIR_TRY(tir_ir_check_index(q, start));
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  bool fits = x->rank <= axis;
  for (int i = 0; fits && i < x->rank; i++) fits = x->dims[i] == whole->dims[i];
  if (fits) return TIR_OK;
  return tir_ir_fail(q, TIR_ERR_SHAPE,
                     "%s is not a scalar and has not the leading sizes of %s "
                     "before axis %d",
                     tir_ir_operand_text(q, start, b),
                     tir_ir_operand_text(q, 0, a), axis);
}

// A window larger than the axis has no place at any start.
static tir_status check_size(const tir_ir_infer_query *q, size_t whole,
                             int axis, int64_t size) {
  char text[TIR_OPERAND_TEXT_MAX];
  if (size >= 0 && size <= q->in[whole].dims[axis]) return TIR_OK;
  return tir_ir_fail(
      q, TIR_ERR_SHAPE,
      "size is %" PRId64 ", expected 0 to %" PRId64 ", axis %d of %s", size,
      q->in[whole].dims[axis], axis, tir_ir_operand_text(q, whole, text));
}

static tir_status check_no_size(const tir_ir_infer_query *q, int64_t size) {
  if (size == 0) return TIR_OK;
  return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                     "size is %" PRId64
                     ", expected 0 beside an operand that "
                     "gives it",
                     size);
}

// --- check_range -----------------------------------------------------------

// The size of the window is an attribute, or that of a third operand.
static tir_status check_range_infer(const tir_ir_infer_query *q) {
  const tir_attrs_window *attrs = q->attrs;
  int axis = 0;
  TIR_TRY(tir_ir_check_index(q, 0));
  TIR_TRY(tir_ir_check_axis(q, 1, attrs->axis, &axis));
  if (q->n_in < 3) {
    TIR_TRY(check_size(q, 1, axis, attrs->size));
  } else {
    TIR_TRY(check_no_size(q, attrs->size));
    char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
    if (q->in[2].rank != q->in[1].rank ||
        q->in[2].dims[axis] > q->in[1].dims[axis])
      return tir_ir_fail(
          q, TIR_ERR_SHAPE, "%s does not fit into %s along axis %d",
          tir_ir_operand_text(q, 2, b), tir_ir_operand_text(q, 1, a), axis);
  }
  q->out[0] = q->in[0];
  return TIR_OK;
}

// It hands its integers on, so that what needs them checked runs behind it.
const tir_op_desc tir_op_check_range = {
    .name = "check_range",
    .family = "index",
    .summary = "Its integers; a run fails unless a window there fits an axis.",
    .operands = "x, whole, part",
    .min_inputs = 2,
    .max_inputs = 3,
    .n_outputs = 1,
    .traits = TIR_TRAIT_MOVEMENT | TIR_TRAIT_EXACT | TIR_TRAIT_FALLIBLE |
              TIR_TRAIT_IN_PLACE,
    .shape_only = 1 << 1 | 1 << 2,
    .attrs = window_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_window),
    .infer = check_range_infer,
    .no_gradient = "it takes and gives integers",
};

tir_value tir_ir_check_range(tir_tape *tape, tir_value x, tir_value whole,
                             tir_value part, int axis, int64_t size) {
  const tir_attrs_window attrs = {.axis = tir_ir_axis_attr(tape, whole, axis),
                                  .size = size};
  const tir_value in[] = {x, whole, part};
  return tir_ir_record(tape, TIR_OP_CHECK_RANGE, in, part.owner ? 3 : 2,
                       &attrs);
}

// --- slice_at --------------------------------------------------------------

// The axis keeps a symbol only where `like` brings one.
static tir_status slice_at_infer(const tir_ir_infer_query *q) {
  const tir_attrs_window *attrs = q->attrs;
  int axis = 0;
  TIR_TRY(tir_ir_check_axis(q, 0, attrs->axis, &axis));
  TIR_TRY(check_start(q, 1, axis));
  q->out[0] = q->in[0];
  if (q->n_in == 3) {
    TIR_TRY(check_no_size(q, attrs->size));
    TIR_TRY(check_part(q, 2, axis));
    tir_ir_copy_dim(&q->in[2], axis, &q->out[0], axis);
    return TIR_OK;
  }
  TIR_TRY(check_size(q, 0, axis, attrs->size));
  q->out[0].dims[axis] = attrs->size;
  q->out[0].symbols[axis] = 0;
  return TIR_OK;
}

// dx = zeros with g where the window was.
static void slice_at_vjp(const tir_ir_vjp *q) {
  if (!q->wants[0]) return;
  const tir_attrs_window *attrs = q->attrs;
  const tir_attrs_axis where = {.axis = attrs->axis};
  const tir_value in[] = {tir_zeros_like(q->tape, q->in[0]), q->out_grad[0],
                          q->in[1]};
  q->in_grad[0] = tir_ir_record(q->tape, TIR_OP_UPDATE_SLICE, in, 3, &where);
}

const tir_op_desc tir_op_slice_at = {
    .name = "slice_at",
    .family = "index",
    .summary = "A window of an axis that starts where the run says.",
    .operands = "x, start, like",
    .min_inputs = 2,
    .max_inputs = 3,
    .n_outputs = 1,
    .traits = TIR_TRAIT_MOVEMENT | TIR_TRAIT_EXACT,
    .shape_only = 1 << 2,
    .attrs = window_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_window),
    .infer = slice_at_infer,
    .vjp = slice_at_vjp,
    .needs = {{.in = 1 << 1}},
};

// Would recording the call be refused? Asked before a check_range is made for
// it, so that a bad call is refused in its own name and leaves nothing behind.
static bool is_refused(tir_tape *tape, tir_op op, const tir_value *in,
                       size_t n_in, const void *attrs) {
  uint32_t ids[3];
  if (!tape || !tir_ir_ready(tape)) return true;
  for (size_t i = 0; i < n_in; i++) {
    ids[i] = tir_ir_peek(tape, in[i]).id;
    if (ids[i] == 0) return true;
  }
  const tir_ir_call call = {
      .op = op, .operands = ids, .n_in = n_in, .attrs = attrs, .n_out = 1};
  tir_ir_call_types types;
  const tir_status status = tir_ir_infer_call(tape->graph, &call, &types, NULL);
  tir_ir_call_types_free(tape->graph, &types);
  return status != TIR_OK;
}

// A start out of range fails the run. A refused call goes to the recorder all
// the same, for its message.
tir_value tir_slice_at(tir_tape *tape, tir_value x, tir_value start, int axis,
                       int64_t size) {
  const tir_attrs_window attrs = {.axis = tir_ir_axis_attr(tape, x, axis),
                                  .size = size};
  tir_value in[] = {x, start};
  if (!is_refused(tape, TIR_OP_SLICE_AT, in, 2, &attrs))
    in[1] = tir_ir_check_range(tape, start, x, (tir_value){0}, axis, size);
  return tir_ir_record(tape, TIR_OP_SLICE_AT, in, 2, &attrs);
}

// --- update_slice ----------------------------------------------------------

// The result is the base with other content: its type, symbols and all.
static tir_status update_slice_infer(const tir_ir_infer_query *q) {
  const tir_attrs_axis *attrs = q->attrs;
  int axis = 0;
  TIR_TRY(tir_ir_check_axis(q, 0, attrs->axis, &axis));
  TIR_TRY(tir_ir_check_same_dtype(q, 0, 1));
  TIR_TRY(check_part(q, 1, axis));
  TIR_TRY(check_start(q, 2, axis));
  q->out[0] = q->in[0];
  return TIR_OK;
}

// dbase = g with zeros in the window, dvalue = the window of g.
static void update_slice_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_attrs_axis *attrs = q->attrs;
  const tir_value g = q->out_grad[0], value = q->in[1], start = q->in[2];
  if (q->wants[0]) {
    const tir_value in[] = {g, tir_zeros_like(t, value), start};
    q->in_grad[0] = tir_ir_record(t, TIR_OP_UPDATE_SLICE, in, 3, attrs);
  }
  if (q->wants[1]) {
    const tir_attrs_window window = {.axis = attrs->axis};
    const tir_value in[] = {g, start, value};
    q->in_grad[1] = tir_ir_grad_reduce(
        t, tir_ir_record(t, TIR_OP_SLICE_AT, in, 3, &window), value);
  }
}

const tir_op_desc tir_op_update_slice = {
    .name = "update_slice",
    .family = "index",
    .summary = "A value with a window of an axis replaced where the run says.",
    .operands = "base, value, start",
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .traits = TIR_TRAIT_MOVEMENT | TIR_TRAIT_EXACT | TIR_TRAIT_IN_PLACE,
    .attrs = axis_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_axis),
    .infer = update_slice_infer,
    .vjp = update_slice_vjp,
    .needs = {{.in = 1 << 2}, {.in = 1 << 2}},
};

// Recorded as slice_at is.
tir_value tir_update_slice(tir_tape *tape, tir_value base, tir_value value,
                           tir_value start, int axis) {
  const tir_attrs_axis attrs = {.axis = tir_ir_axis_attr(tape, base, axis)};
  tir_value in[] = {base, value, start};
  if (!is_refused(tape, TIR_OP_UPDATE_SLICE, in, 3, &attrs))
    in[2] = tir_ir_check_range(tape, start, base, value, axis, 0);
  return tir_ir_record(tape, TIR_OP_UPDATE_SLICE, in, 3, &attrs);
}
