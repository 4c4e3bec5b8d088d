// Normalising over axes, with the statistics as further results: kept whole,
// because squares would overflow and differences cancel outside of a kernel.
// The layers made of it are in layers.c.
//
// With r = 1 / sqrt(variance + epsilon), means over n elements and the result
// y = (x - mean) * r the gradient of y is
//   dx = r * (g - mean(g) - y * mean(g * y)),
// written from y and r alone. Without centring mean(g) drops out.

#include <math.h>
#include <stddef.h>

#include "ir/ops/checks.h"
#include "ir/ops/reduce.h"

static const tir_ir_attr axes_attrs[] = {
    {.name = "axes",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_axes, axes)},
};

// y has the operand's type, each statistic that with size 1 along the axes.
static tir_status normalize_infer(const tir_ir_infer_query *q) {
  const tir_attrs_axes *attrs = q->attrs;
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(tir_ir_check_float(q, 0));
  TIR_TRY(tir_ir_check_scalar(q, 1, q->in[0].dtype));
  TIR_TRY(tir_ir_check_axes(q, 0, &attrs->axes, reduced));
  for (int i = 0; i < TIR_MAX_RANK; i++)
    reduced[i] = reduced[i] || attrs->axes.n == 0;
  tir_ir_reduced_type(q, reduced, true);
  for (size_t i = 1; i < q->n_out; i++) q->out[i] = q->out[0];
  q->out[0] = q->in[0];
  return TIR_OK;
}

// Along the op's own axes, kept with size 1 so that it broadcasts back.
static tir_value mean_over(const tir_ir_vjp *q, tir_value v) {
  const tir_attrs_axes *attrs = q->attrs;
  const tir_attrs_reduce mean = {.axes = attrs->axes, .keep_dims = 1};
  return tir_ir_record(q->tape, TIR_OP_REDUCE_MEAN, &v, 1, &mean);
}

// Elements per mean, as a value that follows a symbolic dim.
static tir_value count_of(const tir_ir_vjp *q) {
  const tir_attrs_axes *attrs = q->attrs;
  tir_ir_type type;
  tir_ir_value_type(q->tape, q->in[0], &type);
  const tir_attrs_dim_product count = {.dtype = type.dtype,
                                       .axes = attrs->axes};
  return tir_ir_record(q->tape, TIR_OP_DIM_PRODUCT, &q->in[0], 1, &count);
}

// An all-zero handle is an exact zero: nothing is recorded for it.
static tir_value plus(tir_tape *tape, tir_value a, tir_value b) {
  if (!tir_ir_has(a)) return b;
  return tir_ir_has(b) ? tir_add(tape, a, b) : a;
}

// What reaches x through y.
static tir_value through_result(const tir_ir_vjp *q, tir_value r,
                                bool is_centered) {
  tir_tape *t = q->tape;
  const tir_value y = q->out[0], g = q->out_grad[0];
  const tir_value along = mean_over(q, tir_mul(t, g, y));
  tir_value rest = tir_sub(t, g, tir_mul(t, y, along));
  if (is_centered) rest = tir_sub(t, rest, mean_over(q, g));
  return tir_mul(t, rest, r);
}

// Through r: dr/dx = -r^2 * y / n.
static tir_value through_root(const tir_ir_vjp *q, tir_value r, tir_value g) {
  tir_tape *t = q->tape;
  const tir_value slope = tir_mul(t, g, tir_neg(t, tir_square(t, r)));
  return tir_mul(t, q->out[0], tir_div(t, slope, count_of(q)));
}

// dy/depsilon = -r^2 * y / 2, dr/depsilon = -r^3 / 2.
static tir_value epsilon_grad(const tir_ir_vjp *q, tir_value r,
                              tir_value r_grad) {
  tir_tape *t = q->tape;
  const tir_value half = tir_mul_scalar(t, tir_square(t, r), -0.5);
  tir_value sum = {0};
  for (int i = 0; i < 2; i++) {
    const tir_value g = i == 0 ? q->out_grad[0] : r_grad;
    const tir_value v = i == 0 ? q->out[0] : r;
    if (!tir_ir_has(g)) continue;
    const tir_value terms = tir_mul(t, tir_mul(t, g, v), half);
    sum = plus(t, sum, tir_sum(t, terms, NULL, 0, false));
  }
  return sum;
}

// --- normalize -------------------------------------------------------------

// Through the mean g / n, through the variance g * 2 * (x - mean) / n.
static void normalize_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value *g = q->out_grad;
  const tir_value y = q->out[0], r = q->out[2];
  if (q->wants[0]) {
    tir_value dx = {0};
    if (tir_ir_has(g[0])) dx = through_result(q, r, true);
    if (tir_ir_has(g[1])) {
      const tir_value share = tir_div(t, g[1], count_of(q));
      dx = plus(t, dx, tir_broadcast_like(t, share, q->in[0]));
    }
    if (tir_ir_has(g[2])) dx = plus(t, dx, through_root(q, r, g[2]));
    if (tir_ir_has(g[3])) {
      const tir_value twice = tir_mul_scalar(t, g[3], 2.0);
      const tir_value share = tir_div(t, twice, tir_mul(t, r, count_of(q)));
      dx = plus(t, dx, tir_mul(t, y, share));
    }
    q->in_grad[0] = dx;
  }
  if (q->wants[1]) q->in_grad[1] = epsilon_grad(q, r, g[2]);
}

const tir_op_desc tir_op_normalize = {
    .name = "normalize",
    .family = "normalize",
    .summary =
        "The operand minus its mean, divided by its standard deviation; "
        "the mean, the divisor's reciprocal, the variance.",
    .operands = "x, epsilon",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 4,
    .attrs = axes_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_axes),
    .infer = normalize_infer,
    .vjp = normalize_vjp,
    .needs = {{.out = 1 << 0 | 1 << 2}, {.out = 1 << 0 | 1 << 2}},
};

// epsilon is an operand, so that changing it recompiles nothing. No axes means
// all of them, as in reductions.
static tir_value record_normalize(tir_tape *tape, tir_op op, tir_value x,
                                  const int *axes, int n_axes, double epsilon) {
  const char *name = tir_ir_op_desc(op)->name;
  tir_attrs_axes attrs;
  tir_ir_type type;
  if (!tir_ir_usable(tape, x, name, "x")) return tir_ir_refused(tape, name);
  tir_ir_value_type(tape, x, &type);
  if (!tir_ir_axes_attr(tape, name, "axes", type.rank, axes, n_axes,
                        &attrs.axes))
    return tir_ir_refused(tape, name);
  if (!(epsilon >= 0))
    return tir_ir_keep_error(tape, name, TIR_ERR_ARGUMENT,
                             "epsilon is %s, expected 0 or more",
                             TIR_NUMBER(epsilon, 6));
  const tir_value in[] = {x, tir_ir_scalar_like(tape, x, epsilon)};
  return tir_ir_record(tape, op, in, 2, &attrs);
}

// Results 0 to 3 are y, mean, r and variance; what is not asked for gets no
// handle.
tir_value tir_normalize(tir_tape *tape, tir_value x, const int *axes,
                        int n_axes, double epsilon, tir_value *out_mean,
                        tir_value *out_variance) {
  if (out_mean) *out_mean = (tir_value){0};
  if (out_variance) *out_variance = (tir_value){0};
  const tir_value y =
      record_normalize(tape, TIR_OP_NORMALIZE, x, axes, n_axes, epsilon);
  if (!tir_ir_value_valid(tape ? tir_ir_peek(tape, y) : (tir_ir_value){0}))
    return y;
  if (out_mean) *out_mean = tir_ir_result(tape, y, 1);
  if (out_variance) *out_variance = tir_ir_result(tape, y, 3);
  return y;
}

// --- rms_normalize ---------------------------------------------------------

// Without centring r = 1 / sqrt(mean(x²) + epsilon) and y = x * r; the rules
// through y and r are the same, less the mean of g.
static void rms_normalize_vjp(const tir_ir_vjp *q) {
  const tir_value *g = q->out_grad;
  const tir_value r = q->out[1];
  if (q->wants[0]) {
    tir_value dx = {0};
    if (tir_ir_has(g[0])) dx = through_result(q, r, false);
    if (tir_ir_has(g[1])) dx = plus(q->tape, dx, through_root(q, r, g[1]));
    q->in_grad[0] = dx;
  }
  if (q->wants[1]) q->in_grad[1] = epsilon_grad(q, r, g[1]);
}

const tir_op_desc tir_op_rms_normalize = {
    .name = "rms_normalize",
    .family = "normalize",
    .summary =
        "The operand divided by its root mean square; the divisor's "
        "reciprocal.",
    .operands = "x, epsilon",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 2,
    .attrs = axes_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_axes),
    .infer = normalize_infer,
    .vjp = rms_normalize_vjp,
    .needs = {{.out = 1 << 0 | 1 << 1}, {.out = 1 << 0 | 1 << 1}},
};

tir_value tir_rms_normalize(tir_tape *tape, tir_value x, const int *axes,
                            int n_axes, double epsilon) {
  return record_normalize(tape, TIR_OP_RMS_NORMALIZE, x, axes, n_axes, epsilon);
}
