// Maxima and minima over axes, and their positions. A NaN wins over numbers;
// of nothing there is neither a maximum nor a minimum.

#include "ir/ops/checks.h"
#include "ir/ops/reduce.h"

// Known when recorded, so it is refused there and not in a run.
static tir_status check_not_empty(const tir_ir_infer_query *q,
                                  const bool reduced[TIR_MAX_RANK],
                                  const char *what) {
  char text[TIR_OPERAND_TEXT_MAX];
  for (int i = 0; i < q->in[0].rank; i++)
    if (reduced[i] && q->in[0].dims[i] == 0)
      return tir_ir_fail(q, TIR_ERR_SHAPE, "no %s over axis %d of size 0: %s",
                         what, i, tir_ir_operand_text(q, 0, text));
  return TIR_OK;
}

// `what` names the op in a message: "no maximum over axis 1 of size 0".
static tir_status infer_extreme(const tir_ir_infer_query *q, const char *what) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(tir_ir_check_number(q, 0));
  TIR_TRY(tir_ir_infer_reduce(q, reduced));
  return check_not_empty(q, reduced, what);
}

// The elements equal to the result share g equally. With n ties dx = g / n at
// each of them, and an exact 0 elsewhere. At a NaN nothing is equal to the
// result, so no element takes any.
static void extreme_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value x = q->in[0], g = tir_ir_with_axes(q, q->out_grad[0]);
  const tir_value tied = tir_equal(t, x, tir_ir_with_axes(q, q->out[0]));
  tir_ir_type type;
  tir_ir_value_type(t, x, &type);
  const tir_value ones = tir_cast(t, tied, type.dtype);
  // 0 only where the result is NaN; what the division gives there is not taken.
  const tir_value count = tir_ir_reduce_again(q, TIR_OP_REDUCE_SUM, ones);
  q->in_grad[0] = tir_where(t, tied, tir_div(t, g, count), tir_ir_zero(t, g));
}

// Positions are i64, whatever they are positions in. Operand and result have
// different dtypes, so none of the shared infers fits.
static tir_status infer_position(const tir_ir_infer_query *q,
                                 const char *what) {
  const tir_attrs_argmax *attrs = q->attrs;
  bool reduced[TIR_MAX_RANK] = {false};
  int axis = 0;
  TIR_TRY(tir_ir_check_number(q, 0));
  TIR_TRY(tir_ir_check_axis(q, 0, attrs->axis, &axis));
  reduced[axis] = true;
  TIR_TRY(check_not_empty(q, reduced, what));
  tir_ir_reduced_type(q, reduced, attrs->keep_dims != 0);
  q->out[0].dtype = TIR_DTYPE_I64;
  return TIR_OK;
}

// The position has no gradient: it changes in jumps.
static tir_value record_position(tir_tape *tape, tir_op op, tir_value x,
                                 int axis, bool keep_dims) {
  const tir_attrs_argmax attrs = {
      .axis = tir_ir_axis_attr(tape, x, axis),
      .keep_dims = keep_dims,
  };
  return tir_ir_record(tape, op, &x, 1, &attrs);
}

// --- reduce_max -----------------------------------------------------------

static tir_status reduce_max_infer(const tir_ir_infer_query *q) {
  return infer_extreme(q, "maximum");
}

const tir_op_desc tir_op_reduce_max = {
    .name = "reduce_max",
    .family = "reduce",
    .summary = "Maximum over axes; NaN wins.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    // Exact in any order: a maximum rounds nothing.
    .traits = TIR_TRAIT_EXACT,
    .attrs = tir_ir_reduce_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_reduce),
    .infer = reduce_max_infer,
    .vjp = extreme_vjp,
    .needs = {{.in = 1 << 0, .out = 1 << 0}},
};

tir_value tir_max(tir_tape *tape, tir_value x, const int *axes, int n_axes,
                  bool keep_dims) {
  return tir_ir_record_reduce(tape, TIR_OP_REDUCE_MAX, x, axes, n_axes,
                              keep_dims);
}

// --- argmax ----------------------------------------------------------------

static tir_status argmax_infer(const tir_ir_infer_query *q) {
  return infer_position(q, "maximum");
}

// Of equal elements the first counts, so that threads and blocks change
// nothing.
const tir_op_desc tir_op_argmax = {
    .name = "argmax",
    .family = "reduce",
    .summary = "Position of the first maximum, or first NaN, along an axis.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_EXACT,
    .attrs = tir_ir_along_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_argmax),
    .infer = argmax_infer,
    .vjp = tir_ir_vjp_zero,
};

tir_value tir_argmax(tir_tape *tape, tir_value x, int axis, bool keep_dims) {
  return record_position(tape, TIR_OP_ARGMAX, x, axis, keep_dims);
}

// --- reduce_min -----------------------------------------------------------

static tir_status reduce_min_infer(const tir_ir_infer_query *q) {
  return infer_extreme(q, "minimum");
}

const tir_op_desc tir_op_reduce_min = {
    .name = "reduce_min",
    .family = "reduce",
    .summary = "Minimum over axes; NaN wins.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_EXACT,
    .attrs = tir_ir_reduce_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_reduce),
    .infer = reduce_min_infer,
    .vjp = extreme_vjp,
    .needs = {{.in = 1 << 0, .out = 1 << 0}},
};

tir_value tir_min(tir_tape *tape, tir_value x, const int *axes, int n_axes,
                  bool keep_dims) {
  return tir_ir_record_reduce(tape, TIR_OP_REDUCE_MIN, x, axes, n_axes,
                              keep_dims);
}

// --- argmin ----------------------------------------------------------------

static tir_status argmin_infer(const tir_ir_infer_query *q) {
  return infer_position(q, "minimum");
}

const tir_op_desc tir_op_argmin = {
    .name = "argmin",
    .family = "reduce",
    .summary = "Position of the first minimum, or first NaN, along an axis.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_EXACT,
    .attrs = tir_ir_along_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_argmax),
    .infer = argmin_infer,
    .vjp = tir_ir_vjp_zero,
};

tir_value tir_argmin(tir_tape *tape, tir_value x, int axis, bool keep_dims) {
  return record_position(tape, TIR_OP_ARGMIN, x, axis, keep_dims);
}
