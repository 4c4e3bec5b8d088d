// Softmax and the losses. Kept whole for their stable kernels and gradients;
// the gradients are written from the outputs, so logits need not be kept.

#include <math.h>
#include <stddef.h>

#include "ir/ops/checks.h"
#include "ir/ops/reduce.h"

static const tir_ir_attr axis_attrs[] = {
    {.name = "axis",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_axis, axis),
     .default_i64 = -1},
};

// The result has x's own type: one axis is worked along, none is lost.
static tir_status infer_along_axis(const tir_ir_infer_query *q) {
  const tir_attrs_axis *attrs = q->attrs;
  int axis = 0;
  TIR_TRY(tir_ir_check_float(q, 0));
  TIR_TRY(tir_ir_check_axis(q, 0, attrs->axis, &axis));
  q->out[0] = q->in[0];
  return TIR_OK;
}

static tir_value record_along_axis(tir_tape *tape, tir_op op, tir_value x,
                                   int axis) {
  const tir_attrs_axis attrs = {.axis = tir_ir_axis_attr(tape, x, axis)};
  return tir_ir_record(tape, op, &x, 1, &attrs);
}

// Sum along one axis, kept with size 1.
static tir_value sum_along(tir_tape *tape, tir_value x, int64_t axis) {
  const tir_attrs_reduce attrs = {.axes = {.n = 1, .v = {axis}},
                                  .keep_dims = 1};
  return tir_ir_record(tape, TIR_OP_REDUCE_SUM, &x, 1, &attrs);
}

// y * (g - sum(g * y)), the rule of softmax. The factor y · Σ g·y takes the
// part of g out that would move all logits alike.
static tir_value through_softmax(tir_tape *tape, tir_value y, tir_value g,
                                 int64_t axis) {
  const tir_value sum = sum_along(tape, tir_mul(tape, g, y), axis);
  return tir_mul(tape, y, tir_sub(tape, g, sum));
}

// --- softmax ---------------------------------------------------------------

static void softmax_vjp(const tir_ir_vjp *q) {
  const tir_attrs_axis *attrs = q->attrs;
  q->in_grad[0] =
      through_softmax(q->tape, q->out[0], q->out_grad[0], attrs->axis);
}

const tir_op_desc tir_op_softmax = {
    .name = "softmax",
    .family = "softmax",
    .summary = "Exponentials along an axis, divided by their sum.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .attrs = axis_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_axis),
    .infer = infer_along_axis,
    .vjp = softmax_vjp,
    .needs = {{.out = 1 << 0}},
};

tir_value tir_softmax(tir_tape *tape, tir_value x, int axis) {
  return record_along_axis(tape, TIR_OP_SOFTMAX, x, axis);
}

// --- log_softmax -----------------------------------------------------------

// dx = g - exp(y) * sum(g). exp(y) is the softmax itself, so x is not needed.
static void log_softmax_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_attrs_axis *attrs = q->attrs;
  const tir_value g = q->out_grad[0];
  const tir_value sum = sum_along(t, g, attrs->axis);
  q->in_grad[0] = tir_sub(t, g, tir_mul(t, tir_exp(t, q->out[0]), sum));
}

const tir_op_desc tir_op_log_softmax = {
    .name = "log_softmax",
    .family = "softmax",
    .summary = "Logarithm of softmax along an axis.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .attrs = axis_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_axis),
    .infer = infer_along_axis,
    .vjp = log_softmax_vjp,
    .needs = {{.out = 1 << 0}},
};

tir_value tir_log_softmax(tir_tape *tape, tir_value x, int axis) {
  return record_along_axis(tape, TIR_OP_LOG_SOFTMAX, x, axis);
}

// --- logsumexp -------------------------------------------------------------

// One axis only; the builder goes over several one by one.
static tir_status logsumexp_infer(const tir_ir_infer_query *q) {
  const tir_attrs_argmax *attrs = q->attrs;
  bool reduced[TIR_MAX_RANK] = {false};
  int axis = 0;
  TIR_TRY(tir_ir_check_float(q, 0));
  TIR_TRY(tir_ir_check_axis(q, 0, attrs->axis, &axis));
  reduced[axis] = true;
  tir_ir_reduced_type(q, reduced, attrs->keep_dims != 0);
  return TIR_OK;
}

// dx = g * softmax(x). exp(x - y) would be as inexact as y is large. A row of
// nothing but -infinity has y = -infinity and gradient 0; zeros stand in for
// it, because its softmax is NaN.
static void logsumexp_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  const tir_attrs_argmax *attrs = q->attrs;
  const tir_value x = q->in[0], zero = tir_ir_zero(t, x);
  tir_value g = q->out_grad[0], y = q->out[0];
  if (!attrs->keep_dims) {
    const tir_attrs_axes expand = {.axes = {.n = 1, .v = {attrs->axis}}};
    g = tir_ir_record(t, TIR_OP_EXPAND_DIMS, &g, 1, &expand);
    y = tir_ir_record(t, TIR_OP_EXPAND_DIMS, &y, 1, &expand);
  }
  const tir_value empty = tir_equal(t, y, tir_ir_scalar_like(t, x, -INFINITY));
  const tir_attrs_axis along = {.axis = attrs->axis};
  const tir_value rows = tir_where(t, empty, zero, x);
  const tir_value p = tir_ir_record(t, TIR_OP_SOFTMAX, &rows, 1, &along);
  q->in_grad[0] = tir_mul(t, g, tir_where(t, empty, zero, p));
}

const tir_op_desc tir_op_logsumexp = {
    .name = "logsumexp",
    .family = "softmax",
    .summary = "Logarithm of the sum of exponentials along an axis.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .attrs = tir_ir_along_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_argmax),
    .infer = logsumexp_infer,
    .vjp = logsumexp_vjp,
    .needs = {{.in = 1 << 0, .out = 1 << 0}},
};

// Along one axis after the other, from the last to the first: the sum of the
// sums is the sum of all.
tir_value tir_logsumexp(tir_tape *tape, tir_value x, const int *axes,
                        int n_axes, bool keep_dims) {
  const char *op = "logsumexp";
  if (!tir_ir_usable(tape, x, op, "x")) return tir_ir_refused(tape, op);
  bool reduced[TIR_MAX_RANK] = {false};
  tir_ir_ints list;
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  if (!tir_ir_axes_attr(tape, op, "axes", type.rank, axes, n_axes, &list))
    return tir_ir_refused(tape, op);
  // A scalar has no axis, so no node that would check it.
  char text[TIR_OPERAND_TEXT_MAX];
  if (type.rank == 0 && !tir_ir_dtype_is_compute_float(type.dtype))
    return tir_ir_keep_error(tape, op, TIR_ERR_DTYPE,
                             "wrong dtype: x %s, expected f32 or f64",
                             tir_ir_value_text(tape, x, text));
  for (int i = 0; i < n_axes; i++) {
    const int64_t axis = list.v[i];
    const bool fits = axis >= 0 && axis < type.rank;
    if (fits && reduced[axis])
      return tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                               "axis %d is given twice", (int)axis);
    if (fits) reduced[axis] = true;
    // The op itself refuses any other.
    const tir_attrs_argmax bad = {.axis = axis};
    if (!fits) return tir_ir_record(tape, TIR_OP_LOGSUMEXP, &x, 1, &bad);
  }
  for (int axis = type.rank - 1; axis >= 0; axis--) {
    if (n_axes > 0 && !reduced[axis]) continue;
    const tir_attrs_argmax attrs = {.axis = axis, .keep_dims = keep_dims};
    x = tir_ir_record(tape, TIR_OP_LOGSUMEXP, &x, 1, &attrs);
  }
  return x;
}

// --- cross_entropy ---------------------------------------------------------

// The classes stand along the last axis; each row before it has one target.
static tir_status cross_entropy_infer(const tir_ir_infer_query *q) {
  const tir_ir_type *logits = &q->in[0], *target = &q->in[1];
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  TIR_TRY(tir_ir_check_float(q, 0));
  TIR_TRY(tir_ir_check_index(q, 1));
  if (logits->rank < 1)
    return tir_ir_fail(q, TIR_ERR_SHAPE, "%s has no axis of classes",
                       tir_ir_operand_text(q, 0, a));
  tir_ir_type rows = *logits;
  rows.rank--;
  if (!tir_ir_same_shape(&rows, target))
    return tir_ir_fail(
        q, TIR_ERR_SHAPE, "%s does not name a class for each row of %s",
        tir_ir_operand_text(q, 1, b), tir_ir_operand_text(q, 0, a));
  // Result 1 is the softmax, from which the gradient is written.
  q->out[1] = *logits;
  q->out[0] = rows;
  q->out[0].dims[rows.rank] = 0;
  q->out[0].symbols[rows.rank] = 0;
  return TIR_OK;
}

// From the losses: (p - onehot(target)) * g, with g along the classes. The
// depth of the one-hot is an attribute, hence the fixed number of classes. p =
// softmax(logits) is result 1, so logits are not read.
static tir_value loss_grad(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  tir_ir_type type;
  tir_ir_value_type(t, q->out[1], &type);
  const int last = type.rank - 1;
  if (type.symbols[last])
    return tir_ir_keep_error(t, "cross_entropy", TIR_ERR_UNSUPPORTED,
                             "the gradient needs a fixed number of classes, "
                             "axis %d of logits is symbolic",
                             last);
  const tir_value hot = tir_one_hot(t, q->in[1], type.dims[last], type.dtype);
  const tir_value g = tir_expand_dims(t, q->out_grad[0], &last, 1);
  const tir_value dx = tir_mul(t, tir_sub(t, q->out[1], hot), g);
  // Symbols of the target's rows may have come in: back to those of logits.
  return tir_ir_grad_reduce(t, dx, q->in[0]);
}

// Either result may have a gradient; they add up.
static void cross_entropy_vjp(const tir_ir_vjp *q) {
  tir_tape *t = q->tape;
  if (!q->wants[0]) return;
  tir_value from_loss = {0}, from_p = {0};
  if (tir_ir_has(q->out_grad[0])) from_loss = loss_grad(q);
  if (tir_ir_has(q->out_grad[1]))
    from_p = through_softmax(t, q->out[1], q->out_grad[1], -1);
  if (tir_ir_has(from_loss) && tir_ir_has(from_p))
    q->in_grad[0] = tir_add(t, from_loss, from_p);
  else
    q->in_grad[0] = tir_ir_has(from_loss) ? from_loss : from_p;
}

const tir_op_desc tir_op_cross_entropy = {
    .name = "cross_entropy",
    .family = "softmax",
    .summary =
        "The loss -log(softmax(logits)[target]) of each row, and the "
        "softmax itself.",
    .operands = "logits, target",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 2,
    .traits = TIR_TRAIT_FALLIBLE,
    .infer = cross_entropy_infer,
    .vjp = cross_entropy_vjp,
    .needs = {{.in = 1 << 1, .out = 1 << 1}},
};

// The mean over all rows; the softmax stays inside.
tir_value tir_cross_entropy(tir_tape *tape, tir_value logits,
                            tir_value target) {
  const tir_value in[] = {logits, target};
  const tir_value loss = tir_ir_record(tape, TIR_OP_CROSS_ENTROPY, in, 2, NULL);
  return tir_mean(tape, loss, NULL, 0, false);
}

// --- mse, bce_with_logits ---------------------------------------------------

// Shapes must agree: [n] against [n, 1] would broadcast to [n, n], which is
// never what a loss wants. `names` are the operands' names in the public
// function.
static bool check_loss(tir_tape *tape, const char *op, const char *names[2],
                       tir_value a, tir_value b) {
  if (!tir_ir_usable(tape, a, op, names[0]) ||
      !tir_ir_usable(tape, b, op, names[1])) {
    tir_ir_refused(tape, op);
    return false;
  }
  tir_ir_type a_type, b_type;
  tir_ir_value_type(tape, a, &a_type);
  tir_ir_value_type(tape, b, &b_type);
  if (a_type.dtype == b_type.dtype && tir_ir_same_shape(&a_type, &b_type))
    return true;
  char a_text[TIR_OPERAND_TEXT_MAX], b_text[TIR_OPERAND_TEXT_MAX];
  tir_ir_keep_error(
      tape, op, a_type.dtype != b_type.dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
      "types differ: %s %s, %s %s", names[0],
      tir_ir_value_text(tape, a, a_text), names[1],
      tir_ir_value_text(tape, b, b_text));
  return false;
}

// mean((a − b)²).
tir_value tir_mse(tir_tape *tape, tir_value a, tir_value b) {
  const char *names[] = {"a", "b"};
  if (!check_loss(tape, "mse", names, a, b)) return tir_ir_refused(tape, "mse");
  const tir_value error = tir_sub(tape, a, b);
  return tir_mean(tape, tir_square(tape, error), NULL, 0, false);
}

// t * softplus(-x) + (1 - t) * softplus(x): two terms of one sign, so nothing
// cancels, and smooth at 0.
tir_value tir_bce_with_logits(tir_tape *tape, tir_value logits,
                              tir_value target) {
  const char *op = "bce_with_logits";
  const char *names[] = {"logits", "target"};
  if (!check_loss(tape, op, names, logits, target))
    return tir_ir_refused(tape, op);
  const tir_value no = tir_softplus(tape, tir_neg(tape, logits));
  const tir_value yes = tir_softplus(tape, logits);
  const tir_value loss =
      tir_add(tape, tir_mul(tape, target, no),
              tir_mul(tape, tir_rsub_scalar(tape, target, 1.0), yes));
  return tir_mean(tape, loss, NULL, 0, false);
}
