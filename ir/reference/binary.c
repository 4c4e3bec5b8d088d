// Reference: ops of two operands with broadcasting, clip and add_n.
//
// Floats are computed in double and rounded once (which for + − × ÷ of f32 is
// correct rounding). Integer + − × wrap; integer ÷ truncates toward zero.

#include <inttypes.h>
#include <math.h>

#include "ir/reference/element.h"

typedef double (*float_fn)(double a, double b);
typedef uint64_t (*int_fn)(int64_t a, int64_t b);

// All operands broadcast. Floats by way of double, the others by way of int64
// and back by their low bits.
static tir_status map(const tir_reference_call *call, float_fn on_float,
                      int_fn on_int) {
  const tir_ir_type *out = &call->out[0];
  const int64_t n = tir_ir_type_numel(out);
  const bool is_float = tir_reference_is_float(call);
  if (!is_float && !on_int)
    return tir_base_fail(call->error, TIR_ERR_DTYPE, "no such op on %s",
                         tir_dtype_name(call->in[0].dtype));
  for (int64_t e = 0; e < n; e++) {
    const int64_t i = tir_reference_broadcast(&call->in[0], out, e);
    const int64_t j = tir_reference_broadcast(&call->in[1], out, e);
    if (is_float)
      tir_reference_put(call, 0, e,
                        on_float(tir_reference_get(call, 0, i),
                                 tir_reference_get(call, 1, j)));
    else
      tir_reference_put_wrapped(call, 0, e,
                                on_int(tir_reference_get_int(call, 0, i),
                                       tir_reference_get_int(call, 1, j)));
  }
  return TIR_OK;
}

static double float_add(double a, double b) { return a + b; }
// Unsigned: a signed overflow would be undefined.
static uint64_t int_add(int64_t a, int64_t b) {
  return (uint64_t)a + (uint64_t)b;
}

tir_status tir_reference_add(const tir_reference_call *call) {
  return map(call, float_add, int_add);
}

static double float_sub(double a, double b) { return a - b; }
static uint64_t int_sub(int64_t a, int64_t b) {
  return (uint64_t)a - (uint64_t)b;
}

tir_status tir_reference_sub(const tir_reference_call *call) {
  return map(call, float_sub, int_sub);
}

static double float_mul(double a, double b) { return a * b; }
static uint64_t int_mul(int64_t a, int64_t b) {
  return (uint64_t)a * (uint64_t)b;
}

tir_status tir_reference_mul(const tir_reference_call *call) {
  return map(call, float_mul, int_mul);
}

// As IEEE has it: a zero divisor gives an infinity or NaN.
static double float_div(double a, double b) { return a / b; }

// Stored saturating, not wrapping: INT_MIN / −1 is INT_MAX at every width. The
// quotient of narrower dtypes fits int64; of i64 this one does not.
static int64_t int_div(int64_t a, int64_t b) {
  return b == -1 && a == INT64_MIN ? INT64_MAX : a / b;
}

static tir_status div_ints(const tir_reference_call *call) {
  const tir_ir_type *out = &call->out[0];
  const int64_t n = tir_ir_type_numel(out);
  for (int64_t e = 0; e < n; e++) {
    const int64_t i = tir_reference_broadcast(&call->in[0], out, e);
    const int64_t j = tir_reference_broadcast(&call->in[1], out, e);
    const int64_t divisor = tir_reference_get_int(call, 1, j);
    // The first zero in the order of the result is the one told.
    if (divisor == 0)
      return tir_base_fail(call->error, TIR_ERR_VALUE,
                           "integer division by zero at position %" PRId64, e);
    tir_reference_put_int(call, 0, e,
                          int_div(tir_reference_get_int(call, 0, i), divisor));
  }
  return TIR_OK;
}

tir_status tir_reference_div(const tir_reference_call *call) {
  if (!tir_reference_is_float(call)) return div_ints(call);
  return map(call, float_div, NULL);
}

tir_status tir_reference_pow(const tir_reference_call *call) {
  return map(call, pow, NULL);
}

// NaN in either operand gives NaN; +0 is greater than −0, so the order of the
// operands does not matter.
static double float_maximum(double a, double b) {
  if (isnan(a)) return a;
  if (isnan(b)) return b;
  if (a == b) return signbit(a) ? b : a;
  return a > b ? a : b;
}

// The bits of the larger one; storing turns them back.
static uint64_t int_maximum(int64_t a, int64_t b) {
  return (uint64_t)(a > b ? a : b);
}

tir_status tir_reference_maximum(const tir_reference_call *call) {
  return map(call, float_maximum, int_maximum);
}

// The same with −0 less than +0.
static double float_minimum(double a, double b) {
  if (isnan(a)) return a;
  if (isnan(b)) return b;
  if (a == b) return signbit(a) ? a : b;
  return a < b ? a : b;
}

static uint64_t int_minimum(int64_t a, int64_t b) {
  return (uint64_t)(a < b ? a : b);
}

tir_status tir_reference_minimum(const tir_reference_call *call) {
  return map(call, float_minimum, int_minimum);
}

// x, low, high → minimum(maximum(x, low), high).
tir_status tir_reference_clip(const tir_reference_call *call) {
  const tir_ir_type *out = &call->out[0];
  const int64_t n = tir_ir_type_numel(out);
  // With low above high the result is high.
  for (int64_t e = 0; e < n; e++) {
    int64_t at[3];
    for (size_t i = 0; i < 3; i++)
      at[i] = tir_reference_broadcast(&call->in[i], out, e);
    if (tir_reference_is_float(call)) {
      const double x = tir_reference_get(call, 0, at[0]);
      const double most = float_maximum(x, tir_reference_get(call, 1, at[1]));
      tir_reference_put(call, 0, e,
                        float_minimum(most, tir_reference_get(call, 2, at[2])));
      continue;
    }
    int64_t x = tir_reference_get_int(call, 0, at[0]);
    const int64_t low = tir_reference_get_int(call, 1, at[1]);
    const int64_t high = tir_reference_get_int(call, 2, at[2]);
    if (x < low) x = low;
    tir_reference_put_int(call, 0, e, x > high ? high : x);
  }
  return TIR_OK;
}

// Sum of all operands, which have one type, in their order.
tir_status tir_reference_add_n(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t e = 0; e < n; e++) {
    if (tir_reference_is_float(call)) {
      tir_reference_sum sum = {0, false};
      for (size_t i = 0; i < call->n_in; i++)
        tir_reference_sum_add(&sum, tir_reference_get(call, i, e));
      tir_reference_put(call, 0, e, sum.value);
      continue;
    }
    uint64_t total = 0;
    for (size_t i = 0; i < call->n_in; i++)
      total += (uint64_t)tir_reference_get_int(call, i, e);
    tir_reference_put_wrapped(call, 0, e, total);
  }
  return TIR_OK;
}
