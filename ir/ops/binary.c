// Ops of two operands with NumPy broadcasting, their scalar forms, clip, add_n.
//
// The gradient of an operand that was broadcast is summed back to its shape.
// A scalar form is the op itself with a literal as second operand, so a number
// that changes never changes the structure.

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

enum {
  ARITHMETIC = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_EXACT,
};

// --- add -------------------------------------------------------------------

// da = db = g, summed to each operand's shape.
static void add_vjp(const tir_ir_vjp *q) {
  const tir_value g = q->out_grad[0];
  for (size_t i = 0; i < 2; i++)
    if (q->wants[i]) q->in_grad[i] = tir_ir_grad_reduce(q->tape, g, q->in[i]);
}

const tir_op_desc tir_op_add = {
    .name = "add",
    .family = "binary",
    .summary = "Sum of two values.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = ARITHMETIC | TIR_TRAIT_COMMUTATIVE,
    .infer = tir_ir_infer_binary,
    .vjp = add_vjp,
    .has_right_identity = true,
    // x + (−0) is x for every x, −0 included; x + 0 would make −0 a +0.
    .right_identity = -0.0,
};

tir_value tir_add(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_ADD, a, b);
}

tir_value tir_add_scalar(tir_tape *tape, tir_value a, double b) {
  return tir_add(tape, a, tir_ir_literal(tape, "add_scalar", a, b));
}

// --- sub -------------------------------------------------------------------

// da = g, db = -g. The sum to b's shape comes first: it has fewer elements.
static void sub_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value g = q->out_grad[0];
  if (q->wants[0]) q->in_grad[0] = tir_ir_grad_reduce(t, g, q->in[0]);
  if (q->wants[1])
    q->in_grad[1] = tir_neg(t, tir_ir_grad_reduce(t, g, q->in[1]));
}

const tir_op_desc tir_op_sub = {
    .name = "sub",
    .family = "binary",
    .summary = "Difference of two values.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = ARITHMETIC,
    .infer = tir_ir_infer_binary,
    .vjp = sub_vjp,
    .has_right_identity = true,
    .right_identity = 0.0,
};

tir_value tir_sub(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_SUB, a, b);
}

tir_value tir_sub_scalar(tir_tape *tape, tir_value a, double b) {
  return tir_sub(tape, a, tir_ir_literal(tape, "sub_scalar", a, b));
}

tir_value tir_rsub_scalar(tir_tape *tape, tir_value a, double b) {
  return tir_sub(tape, tir_ir_literal(tape, "rsub_scalar", a, b), a);
}

// --- mul -------------------------------------------------------------------

// da = g * b, db = g * a. Broadcasting is undone after the product, which needs
// both at full shape.
static void mul_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  for (size_t i = 0; i < 2; i++) {
    if (!q->wants[i]) continue;
    const tir_value product = tir_mul(t, q->out_grad[0], q->in[1 - i]);
    q->in_grad[i] = tir_ir_grad_reduce(t, product, q->in[i]);
  }
}

const tir_op_desc tir_op_mul = {
    .name = "mul",
    .family = "binary",
    .summary = "Product of two values, element by element.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = ARITHMETIC | TIR_TRAIT_COMMUTATIVE,
    .infer = tir_ir_infer_binary,
    .vjp = mul_vjp,
    .needs = {{.in = 1 << 1}, {.in = 1 << 0}},
    .has_right_identity = true,
    .right_identity = 1.0,
};

tir_value tir_mul(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_MUL, a, b);
}

tir_value tir_mul_scalar(tir_tape *tape, tir_value a, double b) {
  return tir_mul(tape, a, tir_ir_literal(tape, "mul_scalar", a, b));
}

// --- div -------------------------------------------------------------------

// da = g / b, db = -g * y / b with y = a / b. The quotient g / b serves both
// halves.
static void div_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value b = q->in[1];
  const tir_value quotient = tir_div(t, q->out_grad[0], b);
  if (q->wants[0]) q->in_grad[0] = tir_ir_grad_reduce(t, quotient, q->in[0]);
  if (q->wants[1]) {
    const tir_value product = tir_mul(t, quotient, q->out[0]);
    q->in_grad[1] = tir_neg(t, tir_ir_grad_reduce(t, product, b));
  }
}

const tir_op_desc tir_op_div = {
    .name = "div",
    .family = "binary",
    .summary = "Quotient of two values; integers truncate toward zero.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = ARITHMETIC | TIR_TRAIT_FALLIBLE,
    .infer = tir_ir_infer_binary,
    .vjp = div_vjp,
    .needs = {{.in = 1 << 1}, {.in = 1 << 1, .out = 1 << 0}},
    .has_right_identity = true,
    .right_identity = 1.0,
};

tir_value tir_div(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_DIV, a, b);
}

tir_value tir_div_scalar(tir_tape *tape, tir_value a, double b) {
  return tir_div(tape, a, tir_ir_literal(tape, "div_scalar", a, b));
}

tir_value tir_rdiv_scalar(tir_tape *tape, tir_value a, double b) {
  return tir_div(tape, tir_ir_literal(tape, "rdiv_scalar", a, b), a);
}

// --- pow -------------------------------------------------------------------

// Integer powers would leave the integers at negative exponents.
static tir_status pow_infer(const tir_ir_infer_query *q) {
  TIR_TRY(tir_ir_check_float(q, 0));
  return tir_ir_infer_binary(q);
}

// dx = g * y * x^(y-1). At x = y = 0 the power would be infinite and the
// product NaN; the exponent 0 in its place gives the 0 wanted. |x| + |y| is 0
// just there.
static tir_value pow_base_grad(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value x = q->in[0], y = q->in[1];
  const tir_value zero = tir_ir_zero(t, y);
  const tir_value size = tir_add(t, tir_abs(t, x), tir_abs(t, y));
  const tir_value exponent =
      tir_where(t, tir_equal(t, size, zero), zero, tir_sub_scalar(t, y, 1.0));
  const tir_value slope = tir_mul(t, y, tir_pow(t, x, exponent));
  return tir_mul(t, q->out_grad[0], slope);
}

// dy = g * x^y * log|x|, and 0 at x = 0, y >= 0, where 1 stands in for |x|.
// For x < 0 the power itself is NaN unless y is an integer.
static tir_value pow_exponent_grad(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value x = q->in[0], y = q->in[1];
  const tir_value zero = tir_ir_zero(t, x), one = tir_ir_scalar_like(t, x, 1);
  const tir_value size = tir_abs(t, x);
  const tir_value not_zero = tir_where(t, tir_equal(t, size, zero), one, size);
  const tir_value base =
      tir_where(t, tir_greater_equal(t, y, zero), not_zero, size);
  const tir_value slope = tir_mul(t, q->out[0], tir_log(t, base));
  return tir_mul(t, q->out_grad[0], slope);
}

// Each half is computed only where it is wanted.
static void pow_vjp(const tir_ir_vjp *q) {
  if (q->wants[0])
    q->in_grad[0] = tir_ir_grad_reduce(q->tape, pow_base_grad(q), q->in[0]);
  if (q->wants[1])
    q->in_grad[1] = tir_ir_grad_reduce(q->tape, pow_exponent_grad(q), q->in[1]);
}

const tir_op_desc tir_op_pow = {
    .name = "pow",
    .family = "binary",
    .summary = "The first value raised to the power of the second.",
    .operands = "x, y",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = pow_infer,
    .vjp = pow_vjp,
    .needs = {{.in = 3}, {.in = 3, .out = 1 << 0}},
};

tir_value tir_pow(tir_tape *tape, tir_value x, tir_value y) {
  return tir_ir_record2(tape, TIR_OP_POW, x, y);
}

tir_value tir_pow_scalar(tir_tape *tape, tir_value x, double y) {
  return tir_pow(tape, x, tir_ir_literal(tape, "pow_scalar", x, y));
}

// --- maximum ---------------------------------------------------------------

// The operand that `beats` the other takes g; each takes half at a tie.
static void extreme_vjp(const tir_ir_vjp *q,
                        tir_value (*beats)(tir_tape *, tir_value, tir_value)) {
  tir_tape *t = q->tape;
  const tir_value g = q->out_grad[0], zero = tir_ir_zero(t, g);
  const tir_value tie = tir_equal(t, q->in[0], q->in[1]);
  const tir_value at_tie = tir_where(t, tie, tir_mul_scalar(t, g, 0.5), zero);
  for (size_t i = 0; i < 2; i++) {
    if (!q->wants[i]) continue;
    const tir_value wins = beats(t, q->in[i], q->in[1 - i]);
    const tir_value part = tir_where(t, wins, g, at_tie);
    q->in_grad[i] = tir_ir_grad_reduce(t, part, q->in[i]);
  }
}

// greater is false on NaN, so a NaN operand wins no gradient.
static void maximum_vjp(const tir_ir_vjp *q) { extreme_vjp(q, tir_greater); }

const tir_op_desc tir_op_maximum = {
    .name = "maximum",
    .family = "binary",
    .summary = "The larger of two values, element by element; NaN wins.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = ARITHMETIC | TIR_TRAIT_COMMUTATIVE,
    .infer = tir_ir_infer_binary,
    .vjp = maximum_vjp,
    .needs = {{.in = 3}, {.in = 3}},
};

tir_value tir_maximum(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_MAXIMUM, a, b);
}

tir_value tir_maximum_scalar(tir_tape *tape, tir_value a, double b) {
  return tir_maximum(tape, a, tir_ir_literal(tape, "maximum_scalar", a, b));
}

// --- minimum ---------------------------------------------------------------

static void minimum_vjp(const tir_ir_vjp *q) { extreme_vjp(q, tir_less); }

const tir_op_desc tir_op_minimum = {
    .name = "minimum",
    .family = "binary",
    .summary = "The smaller of two values, element by element; NaN wins.",
    .operands = "a, b",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = ARITHMETIC | TIR_TRAIT_COMMUTATIVE,
    .infer = tir_ir_infer_binary,
    .vjp = minimum_vjp,
    .needs = {{.in = 3}, {.in = 3}},
};

tir_value tir_minimum(tir_tape *tape, tir_value a, tir_value b) {
  return tir_ir_record2(tape, TIR_OP_MINIMUM, a, b);
}

tir_value tir_minimum_scalar(tir_tape *tape, tir_value a, double b) {
  return tir_minimum(tape, a, tir_ir_literal(tape, "minimum_scalar", a, b));
}

// --- clip ------------------------------------------------------------------

// Bounds may be scalars, rows or as large as x; the result has the shape of all
// three.
static tir_status clip_infer(const tir_ir_infer_query *q) {
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  TIR_TRY(tir_ir_check_number(q, 0));
  q->out[0] = q->in[0];
  for (size_t i = 1; i < 3; i++) {
    TIR_TRY(tir_ir_check_same_dtype(q, 0, i));
    const tir_ir_type so_far = q->out[0];
    if (!tir_ir_broadcast(&so_far, &q->in[i], &q->out[0]))
      return tir_ir_fail(q, TIR_ERR_SHAPE, "shapes do not broadcast: %s, %s",
                         tir_ir_operand_text(q, 0, a),
                         tir_ir_operand_text(q, i, b));
    q->out[0].dtype = q->in[0].dtype;
  }
  return TIR_OK;
}

// What stands in the result takes g: x inside and at the bounds (and NaN),
// a bound where x is beyond it. If the bounds are crossed that is `high`.
static void clip_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_value x = q->in[0], low = q->in[1], high = q->in[2];
  const tir_value g = q->out_grad[0], zero = tir_ir_zero(t, g);
  if (q->wants[0]) {
    const tir_value passes = tir_where(t, tir_greater(t, x, high), zero, g);
    const tir_value dx = tir_where(t, tir_less(t, x, low), zero, passes);
    q->in_grad[0] = tir_ir_grad_reduce(t, dx, x);
  }
  if (q->wants[1]) {
    const tir_value crossed = tir_greater(t, low, high);
    const tir_value passes = tir_where(t, crossed, zero, g);
    const tir_value dlow = tir_where(t, tir_less(t, x, low), passes, zero);
    q->in_grad[1] = tir_ir_grad_reduce(t, dlow, low);
  }
  if (q->wants[2]) {
    const tir_value beyond = tir_greater(t, tir_maximum(t, x, low), high);
    const tir_value dhigh = tir_where(t, beyond, g, zero);
    q->in_grad[2] = tir_ir_grad_reduce(t, dhigh, high);
  }
}

const tir_op_desc tir_op_clip = {
    .name = "clip",
    .family = "binary",
    .summary = "A value kept between two bounds, element by element.",
    .operands = "x, low, high",
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .traits = ARITHMETIC,
    .infer = clip_infer,
    .vjp = clip_vjp,
    .needs = {{.in = 7}, {.in = 7}, {.in = 7}},
};

tir_value tir_clip(tir_tape *tape, tir_value x, tir_value low, tir_value high) {
  const tir_value in[] = {x, low, high};
  return tir_ir_record(tape, TIR_OP_CLIP, in, 3, NULL);
}

// Crossed or NaN bounds are refused, as numbers can be judged here; bounds that
// are values are not looked at.
tir_value tir_clip_scalar(tir_tape *tape, tir_value x, double low,
                          double high) {
  const char *op = "clip_scalar";
  if (!tir_ir_usable(tape, x, op, "x")) return tir_ir_refused(tape, op);
  if (!(low <= high))
    return tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                             "low is %s, expected at most high, %s",
                             TIR_NUMBER(low, 6), TIR_NUMBER(high, 6));
  return tir_clip(tape, x, tir_ir_literal(tape, op, x, low),
                  tir_ir_literal(tape, op, x, high));
}

// --- add_n -----------------------------------------------------------------

// All operands have one shape; a symbol that any of them has carries over. Not
// by broadcasting: it sums gradients, which all have the shape of one value.
static tir_status add_n_infer(const tir_ir_infer_query *q) {
  TIR_TRY(tir_ir_check_number(q, 0));
  q->out[0] = q->in[0];
  for (size_t i = 1; i < q->n_in; i++) {
    TIR_TRY(tir_ir_check_same_type(q, 0, i));
    for (int a = 0; a < q->out[0].rank; a++)
      if (!q->out[0].symbols[a]) q->out[0].symbols[a] = q->in[i].symbols[a];
  }
  return TIR_OK;
}

// Every operand gets g itself: one value, however many they are.
static void add_n_vjp(const tir_ir_vjp *q) {
  for (size_t i = 0; i < q->n_in; i++)
    if (q->wants[i])
      q->in_grad[i] = tir_ir_grad_reduce(q->tape, q->out_grad[0], q->in[i]);
}

const tir_op_desc tir_op_add_n = {
    .name = "add_n",
    .family = "binary",
    .summary = "Sum of any number of values of one type, in their order.",
    .operands = "x...",
    .min_inputs = 1,
    .max_inputs = 255,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = add_n_infer,
    .vjp = add_n_vjp,
};
