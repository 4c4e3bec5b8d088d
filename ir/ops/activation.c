// Activations that are more than one operation away from arithmetic. Kept
// whole, because composed from others they lose digits where terms cancel, and
// kinks of the parts would break their gradients.

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

// --- softplus ---------------------------------------------------------------

// dx = g * sigmoid(x).
static void softplus_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  q->in_grad[0] = tir_mul(t, q->out_grad[0], tir_sigmoid(t, q->in[0]));
}

const tir_op_desc tir_op_softplus = {
    .name = "softplus",
    .family = "activation",
    .summary = "Logarithm of 1 + exp(x) of every element.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = softplus_vjp,
    .needs = {{.in = 1 << 0}},
};

tir_value tir_softplus(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_SOFTPLUS, &x, 1, NULL);
}

// --- silu -------------------------------------------------------------------

// With s = sigmoid(x): dx = g * (s + y * (1 - s)). From 40 on 1 - s is 0, but
// an infinite y times 0 would be NaN: y is clipped for it.
static void silu_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value s = tir_sigmoid(t, q->in[0]);
  const tir_value y = tir_clip_scalar(t, q->out[0], -1.0, 40.0);
  const tir_value bend = tir_mul(t, y, tir_rsub_scalar(t, s, 1.0));
  q->in_grad[0] = tir_mul(t, q->out_grad[0], tir_add(t, s, bend));
}

const tir_op_desc tir_op_silu = {
    .name = "silu",
    .family = "activation",
    .summary = "Every element times its sigmoid.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = silu_vjp,
    .needs = {{.in = 1 << 0, .out = 1 << 0}},
};

tir_value tir_silu(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_SILU, &x, 1, NULL);
}

// --- gelu -------------------------------------------------------------------

// dx = g * (P(x) + x * p(x)) with P(x) = (1 + erf(x / sqrt(2))) / 2 and the
// density p(x) = exp(-x^2 / 2) / sqrt(2 pi). Beyond 40 it is 0 in f64 too, and
// P is 0 or 1, but x may be infinite: it is clipped.
static void gelu_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value x = tir_clip_scalar(t, q->in[0], -40.0, 40.0);
  const tir_value erf = tir_erf(t, tir_mul_scalar(t, x, 0.7071067811865476));
  const tir_value below = tir_mul_scalar(t, tir_add_scalar(t, erf, 1.0), 0.5);
  const tir_value bell = tir_exp(t, tir_mul_scalar(t, tir_square(t, x), -0.5));
  const tir_value density = tir_mul_scalar(t, bell, 0.3989422804014327);
  const tir_value slope = tir_add(t, below, tir_mul(t, x, density));
  q->in_grad[0] = tir_mul(t, q->out_grad[0], slope);
}

const tir_op_desc tir_op_gelu = {
    .name = "gelu",
    .family = "activation",
    .summary = "Every element times the normal distribution function there.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = gelu_vjp,
    .needs = {{.in = 1 << 0}},
};

tir_value tir_gelu(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_GELU, &x, 1, NULL);
}

// --- gelu_tanh --------------------------------------------------------------

// y = x * s with s = sigmoid(2u), 2u = a * x + b * x^3:
// dx = g * (s + x * s * (1 - s) * (a + 3 * b * x^2)). Beyond 20 s is 0 or 1 and
// the second term 0, though x^2 may overflow: x is clipped for it.
static void gelu_tanh_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  // a = 2 sqrt(2 / pi), b = 0.044715 a.
  const double a = 1.5957691216057308, b = 0.07135481627260025;
  const tir_value x = tir_clip_scalar(t, q->in[0], -20.0, 20.0);
  const tir_value x2 = tir_square(t, x);
  const tir_value u =
      tir_mul(t, x, tir_add_scalar(t, tir_mul_scalar(t, x2, b), a));
  const tir_value s = tir_sigmoid(t, u);
  const tir_value du = tir_add_scalar(t, tir_mul_scalar(t, x2, 3 * b), a);
  const tir_value ds =
      tir_mul(t, tir_mul(t, s, tir_rsub_scalar(t, s, 1.0)), du);
  const tir_value slope = tir_add(t, s, tir_mul(t, x, ds));
  q->in_grad[0] = tir_mul(t, q->out_grad[0], slope);
}

const tir_op_desc tir_op_gelu_tanh = {
    .name = "gelu_tanh",
    .family = "activation",
    .summary = "The approximation of gelu by tanh.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = tir_ir_infer_float,
    .vjp = gelu_tanh_vjp,
    .needs = {{.in = 1 << 0}},
};

tir_value tir_gelu_tanh(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_GELU_TANH, &x, 1, NULL);
}

// --- leaky_relu --------------------------------------------------------------

// The slope at 0 is that of the negative side, as for every x not above 0.
tir_value tir_leaky_relu(tir_tape *tape, tir_value x, double slope) {
  if (!tir_ir_usable(tape, x, "leaky_relu", "x"))
    return tir_ir_refused(tape, "leaky_relu");
  tir_ir_type type;
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_value_type(tape, x, &type);
  if (!tir_ir_dtype_is_compute_float(type.dtype))
    return tir_ir_keep_error(tape, "leaky_relu", TIR_ERR_DTYPE,
                             "wrong dtype: x %s, expected f32 or f64",
                             tir_ir_value_text(tape, x, text));
  const tir_value above = tir_greater(tape, x, tir_ir_zero(tape, x));
  return tir_where(tape, above, x, tir_mul_scalar(tape, x, slope));
}
