// Reductions over axes. No axes means all of them; negative ones count from
// the end.
//
// Gradients: the result's gradient gets its reduced axes back with size 1 and
// is broadcast to the operand. With no axes given the result is a scalar (or
// keeps all axes), which broadcasts as it is.

#include <math.h>
#include <stddef.h>

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

static const tir_ir_attr reduce_attrs[] = {
    {.name = "axes",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_reduce, axes)},
    {.name = "keep_dims",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_reduce, keep_dims)},
};

// Type of operand 0 without the reduced axes, or with size 1 in their place.
static void reduced_type(const tir_ir_infer_query *q,
                         const bool reduced[TIR_MAX_RANK], bool keep_dims) {
  const tir_ir_type *x = &q->in[0];
  tir_ir_type *out = &q->out[0];
  out->dtype = x->dtype;
  for (int i = 0; i < x->rank; i++) {
    if (!reduced[i])
      tir_ir_copy_dim(x, i, out, out->rank++);
    else if (keep_dims)
      out->dims[out->rank++] = 1;
  }
}

static tir_status infer_reduce(const tir_ir_infer_query *q,
                               bool out_reduced[TIR_MAX_RANK]) {
  const tir_attrs_reduce *attrs = q->attrs;
  TIR_TRY(tir_ir_check_axes(q, 0, &attrs->axes, out_reduced));
  if (attrs->axes.n == 0)
    for (int i = 0; i < TIR_MAX_RANK; i++) out_reduced[i] = true;
  reduced_type(q, out_reduced, attrs->keep_dims != 0);
  return TIR_OK;
}

// A maximum of nothing does not exist.
static tir_status check_not_empty(const tir_ir_infer_query *q,
                                  const bool reduced[TIR_MAX_RANK]) {
  char text[TIR_OPERAND_TEXT_MAX];
  for (int i = 0; i < q->in[0].rank; i++)
    if (reduced[i] && q->in[0].dims[i] == 0)
      return tir_ir_fail(q, TIR_ERR_SHAPE,
                         "no maximum over axis %d of size 0: %s", i,
                         tir_ir_operand_text(q, 0, text));
  return TIR_OK;
}

// `v`, shaped like the result, with the reduced axes back as size 1: it then
// broadcasts against the operand.
static tir_value with_axes(const tir_ir_vjp *q, tir_value v) {
  const tir_attrs_reduce *attrs = q->attrs;
  if (attrs->keep_dims || attrs->axes.n == 0) return v;
  const tir_attrs_axes expand = {.axes = attrs->axes};
  return tir_ir_record(q->tape, TIR_OP_EXPAND_DIMS, &v, 1, &expand);
}

static tir_value record_reduce(tir_tape *tape, tir_op op, tir_value x,
                               const int *axes, int n_axes, bool keep_dims) {
  const char *name = tir_ir_op_desc(op)->name;
  tir_attrs_reduce attrs = {.keep_dims = keep_dims};
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  if (!tir_ir_axes_attr(tape, name, "axes", type.rank, axes, n_axes,
                        &attrs.axes))
    return tir_ir_refused(tape, name);
  return tir_ir_record(tape, op, &x, 1, &attrs);
}

// --- reduce_sum ------------------------------------------------------------

static tir_status reduce_sum_infer(const tir_ir_infer_query *q) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(tir_ir_check_number(q, 0));
  return infer_reduce(q, reduced);
}

static void reduce_sum_vjp(const tir_ir_vjp *q) {
  const tir_value g = with_axes(q, q->out_grad[0]);
  q->in_grad[0] = tir_broadcast_like(q->tape, g, q->in[0]);
}

const tir_op_desc tir_op_reduce_sum = {
    .name = "reduce_sum",
    .family = "reduce",
    .summary = "Sum over axes; the sum of nothing is 0.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .attrs = reduce_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_reduce),
    .infer = reduce_sum_infer,
    .vjp = reduce_sum_vjp,
};

tir_value tir_sum(tir_tape *tape, tir_value x, const int *axes, int n_axes,
                  bool keep_dims) {
  return record_reduce(tape, TIR_OP_REDUCE_SUM, x, axes, n_axes, keep_dims);
}

// --- reduce_mean -----------------------------------------------------------

static tir_status reduce_mean_infer(const tir_ir_infer_query *q) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(tir_ir_check_float(q, 0));
  return infer_reduce(q, reduced);
}

// dx = g / n. The count is a value, so that it follows a symbolic dim.
static void reduce_mean_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_attrs_reduce *attrs = q->attrs;
  tir_ir_type type;
  tir_ir_value_type(t, q->in[0], &type);
  const tir_attrs_dim_product count = {.dtype = type.dtype,
                                       .axes = attrs->axes};
  const tir_value n =
      tir_ir_record(t, TIR_OP_DIM_PRODUCT, &q->in[0], 1, &count);
  const tir_value g = with_axes(q, tir_div(t, q->out_grad[0], n));
  q->in_grad[0] = tir_broadcast_like(t, g, q->in[0]);
}

const tir_op_desc tir_op_reduce_mean = {
    .name = "reduce_mean",
    .family = "reduce",
    .summary = "Mean over axes; the mean of nothing is NaN.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .attrs = reduce_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_reduce),
    .infer = reduce_mean_infer,
    .vjp = reduce_mean_vjp,
};

tir_value tir_mean(tir_tape *tape, tir_value x, const int *axes, int n_axes,
                   bool keep_dims) {
  return record_reduce(tape, TIR_OP_REDUCE_MEAN, x, axes, n_axes, keep_dims);
}

// --- reduce_max ------------------------------------------------------------

static tir_status reduce_max_infer(const tir_ir_infer_query *q) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(tir_ir_check_number(q, 0));
  TIR_TRY(infer_reduce(q, reduced));
  return check_not_empty(q, reduced);
}

// The elements equal to the maximum share g equally.
static void reduce_max_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_attrs_reduce *attrs = q->attrs;
  const tir_value x = q->in[0], g = with_axes(q, q->out_grad[0]);
  const tir_value tied = tir_equal(t, x, with_axes(q, q->out[0]));
  tir_ir_type type;
  tir_ir_value_type(t, x, &type);
  const tir_value ones = tir_cast(t, tied, type.dtype);
  // Same axes as the op itself, kept with size 1 where g has them so.
  tir_attrs_reduce count_attrs = *attrs;
  if (attrs->axes.n != 0) count_attrs.keep_dims = 1;
  const tir_value count =
      tir_ir_record(t, TIR_OP_REDUCE_SUM, &ones, 1, &count_attrs);
  q->in_grad[0] = tir_where(t, tied, tir_div(t, g, count), tir_ir_zero(t, g));
}

const tir_op_desc tir_op_reduce_max = {
    .name = "reduce_max",
    .family = "reduce",
    .summary = "Maximum over axes; NaN wins.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_EXACT,
    .attrs = reduce_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_reduce),
    .infer = reduce_max_infer,
    .vjp = reduce_max_vjp,
    .needs = {{.in = 1 << 0, .out = 1 << 0}},
};

tir_value tir_max(tir_tape *tape, tir_value x, const int *axes, int n_axes,
                  bool keep_dims) {
  return record_reduce(tape, TIR_OP_REDUCE_MAX, x, axes, n_axes, keep_dims);
}

// --- norm ------------------------------------------------------------------

static tir_status norm_infer(const tir_ir_infer_query *q) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(tir_ir_check_float(q, 0));
  return infer_reduce(q, reduced);
}

// dx = g * x / y. At y = 0 the divisor is infinity, which gives 0 and keeps
// higher derivatives finite.
static void norm_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value y = with_axes(q, q->out[0]);
  const tir_value g = with_axes(q, q->out_grad[0]);
  const tir_value divisor = tir_where(t, tir_equal(t, y, tir_ir_zero(t, y)),
                                      tir_ir_scalar_like(t, y, INFINITY), y);
  q->in_grad[0] = tir_mul(t, g, tir_div(t, q->in[0], divisor));
}

const tir_op_desc tir_op_norm = {
    .name = "norm",
    .family = "reduce",
    .summary = "Euclidean norm over axes.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .attrs = reduce_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_reduce),
    .infer = norm_infer,
    .vjp = norm_vjp,
    .needs = {{.in = 1 << 0, .out = 1 << 0}},
};

tir_value tir_norm(tir_tape *tape, tir_value x, const int *axes, int n_axes,
                   bool keep_dims) {
  return record_reduce(tape, TIR_OP_NORM, x, axes, n_axes, keep_dims);
}

// --- argmax ----------------------------------------------------------------

static const tir_ir_attr argmax_attrs[] = {
    {.name = "axis",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_argmax, axis),
     .required = true},
    {.name = "keep_dims",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_argmax, keep_dims)},
};

static tir_status argmax_infer(const tir_ir_infer_query *q) {
  const tir_attrs_argmax *attrs = q->attrs;
  bool reduced[TIR_MAX_RANK] = {false};
  int axis = 0;
  TIR_TRY(tir_ir_check_number(q, 0));
  TIR_TRY(tir_ir_check_axis(q, 0, attrs->axis, &axis));
  reduced[axis] = true;
  TIR_TRY(check_not_empty(q, reduced));
  reduced_type(q, reduced, attrs->keep_dims != 0);
  q->out[0].dtype = TIR_DTYPE_I64;
  return TIR_OK;
}

const tir_op_desc tir_op_argmax = {
    .name = "argmax",
    .family = "reduce",
    .summary = "Position of the first maximum, or first NaN, along an axis.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_EXACT,
    .attrs = argmax_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_argmax),
    .infer = argmax_infer,
    .vjp = tir_ir_vjp_zero,
};

tir_value tir_argmax(tir_tape *tape, tir_value x, int axis, bool keep_dims) {
  const tir_attrs_argmax attrs = {
      .axis = tir_ir_axis_attr(tape, x, axis),
      .keep_dims = keep_dims,
  };
  return tir_ir_record(tape, TIR_OP_ARGMAX, &x, 1, &attrs);
}

// --- reduce_to -------------------------------------------------------------

static tir_status reduce_to_infer(const tir_ir_infer_query *q) {
  const tir_ir_type *x = &q->in[0], *like = &q->in[1];
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  tir_ir_type whole = {0};
  TIR_TRY(tir_ir_check_number(q, 0));
  if (!tir_ir_broadcast(x, like, &whole) || !tir_ir_same_shape(&whole, x))
    return tir_ir_fail(q, TIR_ERR_SHAPE, "%s does not broadcast to %s",
                       tir_ir_operand_text(q, 1, b),
                       tir_ir_operand_text(q, 0, a));
  q->out[0] = *like;
  q->out[0].dtype = x->dtype;
  return TIR_OK;
}

static void reduce_to_vjp(const tir_ir_vjp *q) {
  q->in_grad[0] = tir_broadcast_like(q->tape, q->out_grad[0], q->in[0]);
}

const tir_op_desc tir_op_reduce_to = {
    .name = "reduce_to",
    .family = "reduce",
    .summary =
        "Sum over the axes along which another shape would be "
        "broadcast to the operand's.",
    .operands = "x, like",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .shape_only = 1 << 1,
    .infer = reduce_to_infer,
    .vjp = reduce_to_vjp,
};

tir_value tir_reduce_to(tir_tape *tape, tir_value x, tir_value like) {
  const tir_value in[] = {x, like};
  return tir_ir_record(tape, TIR_OP_REDUCE_TO, in, 2, NULL);
}
