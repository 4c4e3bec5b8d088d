// Ops of one operand, element by element. Gradients are written from the output
// where that is possible, so that the operand need not be kept.
//
// Where a formula is 0 · ∞ or 0 / 0 at a point, a mask or another divisor
// stands in so that the gradient there is a number. The constants are the
// nearest doubles.

#include <math.h>

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

// --- neg -------------------------------------------------------------------

// dx = -g.
static void neg_vjp(const tir_ir_vjp *q) {
  q->in_grad[0] = tir_neg(q->tape, q->out_grad[0]);
}

const tir_op_desc tir_op_neg = {
    .name = "neg",
    .family = "unary",
    .summary = "Every element with its sign flipped.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_EXACT,
    .infer = tir_ir_infer_number,
    .vjp = neg_vjp,
};

tir_value tir_neg(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_NEG, &x, 1, NULL);
}

// --- abs -------------------------------------------------------------------

// dx = g where x > 0, -g where x < 0, 0 at x = 0.
static void abs_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value x = q->in[0], g = q->out_grad[0];
  const tir_value zero = tir_ir_zero(t, x);
  const tir_value below =
      tir_where(t, tir_less(t, x, zero), tir_neg(t, g), zero);
  q->in_grad[0] = tir_where(t, tir_greater(t, x, zero), g, below);
}

const tir_op_desc tir_op_abs = {
    .name = "abs",
    .family = "unary",
    .summary = "Absolute value of every element.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_EXACT,
    .infer = tir_ir_infer_number,
    .vjp = abs_vjp,
    .needs = {{.in = 1 << 0}},
};

tir_value tir_abs(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_ABS, &x, 1, NULL);
}

// --- square ----------------------------------------------------------------

// dx = 2 * x * g.
static void square_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value twice = tir_mul_scalar(t, q->in[0], 2.0);
  q->in_grad[0] = tir_mul(t, q->out_grad[0], twice);
}

const tir_op_desc tir_op_square = {
    .name = "square",
    .family = "unary",
    .summary = "Every element times itself.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_EXACT,
    .infer = tir_ir_infer_number,
    .vjp = square_vjp,
    .needs = {{.in = 1 << 0}},
};

tir_value tir_square(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_SQUARE, &x, 1, NULL);
}

// --- sqrt ------------------------------------------------------------------

// dx = g / (2 * y). Where both g and y are 0 the quotient would be NaN; there
// the divisor is infinity, which gives 0 and keeps higher derivatives finite.
// y + |g| is 0 just there: y is never negative and the sum never underflows.
static void sqrt_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value y = q->out[0], g = q->out_grad[0];
  const tir_value both_zero =
      tir_equal(t, tir_add(t, y, tir_abs(t, g)), tir_ir_zero(t, y));
  const tir_value divisor =
      tir_where(t, both_zero, tir_ir_scalar_like(t, y, INFINITY),
                tir_mul_scalar(t, y, 2.0));
  q->in_grad[0] = tir_div(t, g, divisor);
}

const tir_op_desc tir_op_sqrt = {
    .name = "sqrt",
    .family = "unary",
    .summary = "Square root of every element.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_EXACT,
    .infer = tir_ir_infer_float,
    .vjp = sqrt_vjp,
    .needs = {{.out = 1 << 0}},
};

tir_value tir_sqrt(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_SQRT, &x, 1, NULL);
}

// --- exp -------------------------------------------------------------------

// dx = g * y.
static void exp_vjp(const tir_ir_vjp *q) {
  q->in_grad[0] = tir_mul(q->tape, q->out_grad[0], q->out[0]);
}

const tir_op_desc tir_op_exp = {
    .name = "exp",
    .family = "unary",
    .summary = "Exponential of every element.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = exp_vjp,
    .needs = {{.out = 1 << 0}},
};

tir_value tir_exp(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_EXP, &x, 1, NULL);
}

// --- log -------------------------------------------------------------------

// dx = g / x.
static void log_vjp(const tir_ir_vjp *q) {
  q->in_grad[0] = tir_div(q->tape, q->out_grad[0], q->in[0]);
}

const tir_op_desc tir_op_log = {
    .name = "log",
    .family = "unary",
    .summary = "Natural logarithm of every element.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = log_vjp,
    .needs = {{.in = 1 << 0}},
};

tir_value tir_log(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_LOG, &x, 1, NULL);
}

// --- tanh ------------------------------------------------------------------

// dx = g * (1 - y^2). Uses the output y, so x need not be kept alive.
static void tanh_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value slope = tir_rsub_scalar(t, tir_square(t, q->out[0]), 1.0);
  q->in_grad[0] = tir_mul(t, q->out_grad[0], slope);
}

const tir_op_desc tir_op_tanh = {
    .name = "tanh",
    .family = "unary",
    .summary = "Hyperbolic tangent of every element.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = tanh_vjp,
    .needs = {{.out = 1 << 0}},
};

tir_value tir_tanh(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_TANH, &x, 1, NULL);
}

// --- sigmoid ---------------------------------------------------------------

// dx = g * y * (1 - y).
static void sigmoid_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value y = q->out[0];
  const tir_value slope = tir_mul(t, y, tir_rsub_scalar(t, y, 1.0));
  q->in_grad[0] = tir_mul(t, q->out_grad[0], slope);
}

const tir_op_desc tir_op_sigmoid = {
    .name = "sigmoid",
    .family = "unary",
    .summary = "Logistic function 1 / (1 + exp(-x)) of every element.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = sigmoid_vjp,
    .needs = {{.out = 1 << 0}},
};

tir_value tir_sigmoid(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_SIGMOID, &x, 1, NULL);
}

// --- relu ------------------------------------------------------------------

// dx = g where y > 0, exact 0 elsewhere; y > 0 just where x > 0.
static void relu_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value zero = tir_ir_zero(t, q->out[0]);
  const tir_value passes = tir_greater(t, q->out[0], zero);
  q->in_grad[0] = tir_where(t, passes, q->out_grad[0], zero);
}

const tir_op_desc tir_op_relu = {
    .name = "relu",
    .family = "unary",
    .summary = "The larger of every element and 0.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_EXACT,
    .infer = tir_ir_infer_number,
    .vjp = relu_vjp,
    .needs = {{.out = 1 << 0}},
};

tir_value tir_relu(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_RELU, &x, 1, NULL);
}

// --- rsqrt ------------------------------------------------------------------

// dx = -g/2 * y^3. From y alone: x^(-3/2) = y^3.
static void rsqrt_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value y = q->out[0];
  const tir_value cube = tir_mul(t, tir_square(t, y), y);
  q->in_grad[0] = tir_mul(t, q->out_grad[0], tir_mul_scalar(t, cube, -0.5));
}

const tir_op_desc tir_op_rsqrt = {
    .name = "rsqrt",
    .family = "unary",
    .summary = "One divided by the square root of every element.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = rsqrt_vjp,
    .needs = {{.out = 1 << 0}},
};

tir_value tir_rsqrt(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_RSQRT, &x, 1, NULL);
}

// --- expm1 ------------------------------------------------------------------

// dx = g * (y + 1). The slope exp(x) is y + 1.
static void expm1_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value slope = tir_add_scalar(t, q->out[0], 1.0);
  q->in_grad[0] = tir_mul(t, q->out_grad[0], slope);
}

const tir_op_desc tir_op_expm1 = {
    .name = "expm1",
    .family = "unary",
    .summary = "Exponential minus 1 of every element, exact near 0 too.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = expm1_vjp,
    .needs = {{.out = 1 << 0}},
};

tir_value tir_expm1(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_EXPM1, &x, 1, NULL);
}

// --- log1p ------------------------------------------------------------------

// dx = g / (1 + x). At x = -1 it is infinite, as the slope is.
static void log1p_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  q->in_grad[0] = tir_div(t, q->out_grad[0], tir_add_scalar(t, q->in[0], 1.0));
}

const tir_op_desc tir_op_log1p = {
    .name = "log1p",
    .family = "unary",
    .summary = "Logarithm of 1 + x of every element, exact near 0 too.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = log1p_vjp,
    .needs = {{.in = 1 << 0}},
};

tir_value tir_log1p(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_LOG1P, &x, 1, NULL);
}

// --- erf --------------------------------------------------------------------

// dx = g * 2/sqrt(pi) * exp(-x^2). Far out the square overflows to infinity and
// the exponential is 0, as it should be.
static void erf_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value bell = tir_exp(t, tir_neg(t, tir_square(t, q->in[0])));
  const tir_value slope = tir_mul_scalar(t, bell, 1.1283791670955126);
  q->in_grad[0] = tir_mul(t, q->out_grad[0], slope);
}

const tir_op_desc tir_op_erf = {
    .name = "erf",
    .family = "unary",
    .summary = "Error function of every element.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = erf_vjp,
    .needs = {{.in = 1 << 0}},
};

tir_value tir_erf(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_ERF, &x, 1, NULL);
}

// --- sin --------------------------------------------------------------------

// dx = g * cos(x).
static void sin_vjp(const tir_ir_vjp *q) {
  q->in_grad[0] = tir_mul(q->tape, q->out_grad[0], tir_cos(q->tape, q->in[0]));
}

const tir_op_desc tir_op_sin = {
    .name = "sin",
    .family = "unary",
    .summary = "Sine of every element, in radians.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = sin_vjp,
    .needs = {{.in = 1 << 0}},
};

tir_value tir_sin(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_SIN, &x, 1, NULL);
}

// --- cos --------------------------------------------------------------------

// dx = -g * sin(x).
static void cos_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value product = tir_mul(t, q->out_grad[0], tir_sin(t, q->in[0]));
  q->in_grad[0] = tir_neg(t, product);
}

const tir_op_desc tir_op_cos = {
    .name = "cos",
    .family = "unary",
    .summary = "Cosine of every element, in radians.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = cos_vjp,
    .needs = {{.in = 1 << 0}},
};

tir_value tir_cos(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_COS, &x, 1, NULL);
}
