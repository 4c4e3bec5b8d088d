// Sums, means, products, norms over axes. No axes means all of them; negative
// ones count from the end. Maxima and minima are in extreme.c.
//
// Gradients: the result's gradient gets its reduced axes back with size 1 and
// is broadcast to the operand. With no axes given the result is a scalar (or
// keeps all axes), which broadcasts as it is.

#include "ir/ops/reduce.h"

#include <math.h>
#include <stddef.h>

#include "ir/ops/checks.h"

const tir_ir_attr tir_ir_reduce_attrs[2] = {
    {.name = "axes",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_reduce, axes)},
    {.name = "keep_dims",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_reduce, keep_dims)},
};

const tir_ir_attr tir_ir_along_attrs[2] = {
    {.name = "axis",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_argmax, axis),
     .required = true},
    {.name = "keep_dims",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_argmax, keep_dims)},
};

// Axes that stay keep size and symbol, in their order.
void tir_ir_reduced_type(const tir_ir_infer_query *q,
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

// No axes means all of them, which no list of axes can say for every rank.
tir_status tir_ir_infer_reduce(const tir_ir_infer_query *q,
                               bool out_reduced[TIR_MAX_RANK]) {
  const tir_attrs_reduce *attrs = q->attrs;
  TIR_TRY(tir_ir_check_axes(q, 0, &attrs->axes, out_reduced));
  if (attrs->axes.n == 0)
    for (int i = 0; i < TIR_MAX_RANK; i++) out_reduced[i] = true;
  tir_ir_reduced_type(q, out_reduced, attrs->keep_dims != 0);
  return TIR_OK;
}

// Axes of the attribute are counted in the operand, which is what expand_dims
// wants.
tir_value tir_ir_with_axes(const tir_ir_vjp *q, tir_value v) {
  const tir_attrs_reduce *attrs = q->attrs;
  if (attrs->keep_dims || attrs->axes.n == 0) return v;
  const tir_attrs_axes expand = {.axes = attrs->axes};
  return tir_ir_record(q->tape, TIR_OP_EXPAND_DIMS, &v, 1, &expand);
}

tir_value tir_ir_reduce_again(const tir_ir_vjp *q, tir_op op, tir_value v) {
  tir_attrs_reduce attrs = *(const tir_attrs_reduce *)q->attrs;
  if (attrs.axes.n != 0) attrs.keep_dims = 1;
  return tir_ir_record(q->tape, op, &v, 1, &attrs);
}

// Axes become non-negative here, so that equal calls have equal attributes.
tir_value tir_ir_record_reduce(tir_tape *tape, tir_op op, tir_value x,
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

static tir_status reduce_number_infer(const tir_ir_infer_query *q) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(tir_ir_check_number(q, 0));
  return tir_ir_infer_reduce(q, reduced);
}

// Every term counts once: dx = g everywhere.
static void reduce_sum_vjp(const tir_ir_vjp *q) {
  const tir_value g = tir_ir_with_axes(q, q->out_grad[0]);
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
    .attrs = tir_ir_reduce_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_reduce),
    .infer = reduce_number_infer,
    .vjp = reduce_sum_vjp,
};

tir_value tir_sum(tir_tape *tape, tir_value x, const int *axes, int n_axes,
                  bool keep_dims) {
  return tir_ir_record_reduce(tape, TIR_OP_REDUCE_SUM, x, axes, n_axes,
                              keep_dims);
}

// --- reduce_mean -----------------------------------------------------------

// The mean of integers is rarely one: they are cast first.
static tir_status reduce_mean_infer(const tir_ir_infer_query *q) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(tir_ir_check_float(q, 0));
  return tir_ir_infer_reduce(q, reduced);
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
  const tir_value g = tir_ir_with_axes(q, tir_div(t, q->out_grad[0], n));
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
    .attrs = tir_ir_reduce_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_reduce),
    .infer = reduce_mean_infer,
    .vjp = reduce_mean_vjp,
};

tir_value tir_mean(tir_tape *tape, tir_value x, const int *axes, int n_axes,
                   bool keep_dims) {
  return tir_ir_record_reduce(tape, TIR_OP_REDUCE_MEAN, x, axes, n_axes,
                              keep_dims);
}

// --- reduce_prod -----------------------------------------------------------

// dx_i = g * (product of all others), which is not y / x_i where there are
// zeros. With z the zeros, c_i the number of them among the others and p the
// product of all that are not zero, it is
//   p / x_i (p if x_i is zero)   times   1 if c_i = 0, the zero itself if
//                                        c_i = 1, 0 if there are more.
// "The zero itself" is 0, but its slope is 1: second derivatives are right.
static void reduce_prod_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value x = q->in[0];
  const tir_value zero = tir_ir_zero(t, x), one = tir_ir_scalar_like(t, x, 1);
  const tir_value is_zero = tir_equal(t, x, zero);
  const tir_value factors = tir_where(t, is_zero, one, x);
  const tir_value zeros = tir_where(t, is_zero, x, zero);
  const tir_value counts = tir_where(t, is_zero, one, zero);
  const tir_value others =
      tir_sub(t, tir_ir_reduce_again(q, TIR_OP_REDUCE_SUM, counts), counts);
  const tir_value other_zero =
      tir_sub(t, tir_ir_reduce_again(q, TIR_OP_REDUCE_SUM, zeros), zeros);
  const tir_value one_or_less =
      tir_where(t, tir_equal(t, others, one), other_zero, zero);
  const tir_value weight =
      tir_where(t, tir_equal(t, others, zero), one, one_or_less);
  const tir_value product = tir_ir_reduce_again(q, TIR_OP_REDUCE_PROD, factors);
  const tir_value slope = tir_mul(t, tir_div(t, product, factors), weight);
  q->in_grad[0] = tir_mul(t, tir_ir_with_axes(q, q->out_grad[0]), slope);
}

const tir_op_desc tir_op_reduce_prod = {
    .name = "reduce_prod",
    .family = "reduce",
    .summary = "Product over axes; the product of nothing is 1.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .attrs = tir_ir_reduce_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_reduce),
    .infer = reduce_number_infer,
    .vjp = reduce_prod_vjp,
    .needs = {{.in = 1 << 0}},
};

tir_value tir_prod(tir_tape *tape, tir_value x, const int *axes, int n_axes,
                   bool keep_dims) {
  return tir_ir_record_reduce(tape, TIR_OP_REDUCE_PROD, x, axes, n_axes,
                              keep_dims);
}

// --- norm ------------------------------------------------------------------

// The result is as large as x and no square of it: kernels scale where squares
// would overflow.
static tir_status norm_infer(const tir_ir_infer_query *q) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(tir_ir_check_float(q, 0));
  return tir_ir_infer_reduce(q, reduced);
}

// dx = g * x / y. At y = 0 the divisor is infinity, which gives 0 and keeps
// higher derivatives finite. With y = sqrt(Σx²) the slope is x / y.
static void norm_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value y = tir_ir_with_axes(q, q->out[0]);
  const tir_value g = tir_ir_with_axes(q, q->out_grad[0]);
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
    .attrs = tir_ir_reduce_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_reduce),
    .infer = norm_infer,
    .vjp = norm_vjp,
    .needs = {{.in = 1 << 0, .out = 1 << 0}},
};

tir_value tir_norm(tir_tape *tape, tir_value x, const int *axes, int n_axes,
                   bool keep_dims) {
  return tir_ir_record_reduce(tape, TIR_OP_NORM, x, axes, n_axes, keep_dims);
}

// --- reduce_to -------------------------------------------------------------

// The inverse of broadcasting: like must broadcast to x.
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

// A sum backward is a broadcast: the reverse of the rule of broadcast_like.
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
