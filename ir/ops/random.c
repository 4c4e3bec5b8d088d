// Random values. The numbers depend on seed and step (the state operand), on
// the place of the node in the step (the stream operand) and on the position
// of the element, never on threads or plans.

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

static const tir_ir_attr random_attrs[] = {
    {.name = "dtype",
     .kind = TIR_ATTR_DTYPE,
     .offset = offsetof(tir_attrs_random, dtype),
     .required = true},
    {.name = "dims",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_random, dims)},
};

// State and stream are operands: a graph says itself which numbers it draws.
// Seed and step are one operand, because a captured graph advances them with
// one assign.
static tir_status check_state(const tir_ir_infer_query *q) {
  const tir_ir_type *state = &q->in[0];
  char text[TIR_OPERAND_TEXT_MAX];
  if (state->dtype != TIR_DTYPE_I64 || state->rank != 1 || state->dims[0] != 2)
    return tir_ir_fail(q, TIR_ERR_SHAPE,
                       "wrong type: %s, expected i64[2] of seed and step",
                       tir_ir_operand_text(q, 0, text));
  return tir_ir_check_scalar(q, 1, TIR_DTYPE_I64);
}

// The shape is that of the third operand, or dims without one.
static tir_status infer_random(const tir_ir_infer_query *q) {
  const tir_attrs_random *attrs = q->attrs;
  tir_ir_type *out = &q->out[0];
  const tir_dtype dtype = (tir_dtype)attrs->dtype;
  TIR_TRY(check_state(q));
  if (!tir_ir_dtype_is_compute_float(dtype))
    return tir_ir_fail(q, TIR_ERR_DTYPE, "dtype is %s, expected f32 or f64",
                       tir_dtype_name(dtype));
  if (q->n_in == 3) {
    if (attrs->dims.n != 0)
      return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                         "dims has %" PRId64
                         " entries, expected none beside operand like",
                         attrs->dims.n);
    *out = q->in[2];
  } else {
    out->rank = (int)attrs->dims.n;
    for (int i = 0; i < out->rank; i++) out->dims[i] = attrs->dims.v[i];
  }
  out->dtype = dtype;
  return TIR_OK;
}

// No gradient flows into the numbers: state, stream and the shape of `like` are
// no floats to differentiate by.
const tir_op_desc tir_op_random_uniform = {
    .name = "random_uniform",
    .family = "random",
    .summary = "Independent numbers, uniform in [0, 1).",
    .operands = "state, stream, like",
    .min_inputs = 2,
    .max_inputs = 3,
    .n_outputs = 1,
    .traits = TIR_TRAIT_RANDOM,
    .shape_only = 1 << 2,
    .attrs = random_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_random),
    .infer = infer_random,
    .vjp = tir_ir_vjp_zero,
};

const tir_op_desc tir_op_random_normal = {
    .name = "random_normal",
    .family = "random",
    .summary = "Independent numbers of the standard normal distribution.",
    .operands = "state, stream, like",
    .min_inputs = 2,
    .max_inputs = 3,
    .n_outputs = 1,
    .traits = TIR_TRAIT_RANDOM,
    .shape_only = 1 << 2,
    .attrs = random_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_random),
    .infer = infer_random,
    .vjp = tir_ir_vjp_zero,
};

// offset + scale * numbers of `op`. The standard distribution itself (0, 1) is
// taken as it is. Scale and offset are operands of ordinary ops, so another
// range draws the same numbers and compiles nothing anew.
static tir_value draw(tir_tape *tape, const char *name, tir_op op,
                      const tir_ir_type *type, double offset, double scale) {
  if (!tape || !tir_ir_ready(tape)) return tir_ir_refused(tape, name);
  tir_attrs_random attrs = {.dtype = type->dtype, .dims = {.n = type->rank}};
  for (int i = 0; i < type->rank; i++) attrs.dims.v[i] = type->dims[i];
  tir_value in[2];
  tir_ir_random_operands(tape, &in[0], &in[1]);
  const tir_value x = tir_ir_record(tape, op, in, 2, &attrs);
  if (offset == 0 && scale == 1) return x;
  return tir_add_scalar(tape, tir_mul_scalar(tape, x, scale), offset);
}

// low + u·(high − low) with u in [0, 1).
tir_value tir_uniform(tir_tape *tape, tir_dtype dtype, const int64_t *dims,
                      int rank, double low, double high) {
  tir_ir_type type;
  if (!tir_ir_type_arg(tape, "uniform", dtype, dims, rank, &type))
    return tir_ir_refused(tape, "uniform");
  // The width must be finite too, or low + 0 * width would be NaN.
  if (!isfinite(high - low))
    return tir_ir_keep_error(tape, "uniform", TIR_ERR_ARGUMENT,
                             "the bounds %s and %s are not finite",
                             TIR_NUMBER(low, 6), TIR_NUMBER(high, 6));
  if (low > high)
    return tir_ir_keep_error(tape, "uniform", TIR_ERR_ARGUMENT,
                             "low is %s, expected at most high, %s",
                             TIR_NUMBER(low, 6), TIR_NUMBER(high, 6));
  return draw(tape, "uniform", TIR_OP_RANDOM_UNIFORM, &type, low, high - low);
}

// A deviation of 0 is allowed and gives the mean. mean + deviation·z with z of
// the standard distribution.
tir_value tir_normal(tir_tape *tape, tir_dtype dtype, const int64_t *dims,
                     int rank, double mean, double standard_deviation) {
  tir_ir_type type;
  if (!tir_ir_type_arg(tape, "normal", dtype, dims, rank, &type))
    return tir_ir_refused(tape, "normal");
  if (!isfinite(mean) || !isfinite(standard_deviation))
    return tir_ir_keep_error(
        tape, "normal", TIR_ERR_ARGUMENT,
        "mean %s and standard deviation %s are not both finite",
        TIR_NUMBER(mean, 6), TIR_NUMBER(standard_deviation, 6));
  if (standard_deviation < 0)
    return tir_ir_keep_error(tape, "normal", TIR_ERR_ARGUMENT,
                             "standard deviation is %s, expected 0 or more",
                             TIR_NUMBER(standard_deviation, 6));
  return draw(tape, "normal", TIR_OP_RANDOM_NORMAL, &type, mean,
              standard_deviation);
}

// where(u >= p, x / (1 - p), 0): a dropped element is an exact 0, whatever it
// held. P(u ≥ p) = 1 − p, so dividing by it keeps the mean. Outside training it
// is x itself, without a node.
tir_value tir_dropout(tir_tape *tape, tir_value x, double p) {
  if (!tir_ir_usable(tape, x, "dropout", "x"))
    return tir_ir_refused(tape, "dropout");
  if (!(p >= 0 && p < 1))
    return tir_ir_keep_error(tape, "dropout", TIR_ERR_ARGUMENT,
                             "p is %s, expected 0 or more and below 1",
                             TIR_NUMBER(p, 6));
  tir_ir_type type;
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_value_type(tape, x, &type);
  if (!tir_ir_dtype_is_compute_float(type.dtype))
    return tir_ir_keep_error(tape, "dropout", TIR_ERR_DTYPE,
                             "wrong dtype: x %s, expected f32 or f64",
                             tir_ir_value_text(tape, x, text));
  if (!tir_ir_ready(tape)) return tir_ir_refused(tape, "dropout");
  if (!tir_is_training(tape)) return x;
  const tir_attrs_random attrs = {.dtype = type.dtype};
  tir_value in[3] = {[2] = x};
  tir_ir_random_operands(tape, &in[0], &in[1]);
  const tir_value u = tir_ir_record(tape, TIR_OP_RANDOM_UNIFORM, in, 3, &attrs);
  const tir_value kept =
      tir_greater_equal(tape, u, tir_ir_scalar_like(tape, u, p));
  const tir_value scaled = tir_div_scalar(tape, x, 1 - p);
  return tir_where(tape, kept, scaled, tir_ir_zero(tape, x));
}
