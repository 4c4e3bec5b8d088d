// Reference: ops of one operand, and cast.
//
// Floats are computed in double and rounded once. Integers wrap: neg and abs
// of the smallest number are that number again.

#include <math.h>

#include "ir/reference/element.h"

typedef double (*float_fn)(double x);
typedef uint64_t (*int_fn)(int64_t x);

// Floats by way of double, integers by way of int64 and back by their low bits.
// An op without an integer form gives NULL.
static tir_status map(const tir_reference_call *call, float_fn on_float,
                      int_fn on_int) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  const bool is_float = tir_reference_is_float(call);
  if (!is_float && !on_int)
    return tir_base_fail(call->error, TIR_ERR_DTYPE, "no such op on %s",
                         tir_dtype_name(call->in[0].dtype));
  for (int64_t e = 0; e < n; e++) {
    if (is_float)
      tir_reference_put(call, 0, e, on_float(tir_reference_get(call, 0, e)));
    else
      tir_reference_put_wrapped(call, 0, e,
                                on_int(tir_reference_get_int(call, 0, e)));
  }
  return TIR_OK;
}

static double float_neg(double x) { return -x; }
// In unsigned, where the smallest number maps to itself.
static uint64_t int_neg(int64_t x) { return 0 - (uint64_t)x; }

tir_status tir_reference_neg(const tir_reference_call *call) {
  return map(call, float_neg, int_neg);
}

static uint64_t int_abs(int64_t x) {
  return x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
}

tir_status tir_reference_abs(const tir_reference_call *call) {
  return map(call, fabs, int_abs);
}

static double float_square(double x) { return x * x; }
static uint64_t int_square(int64_t x) { return (uint64_t)x * (uint64_t)x; }

tir_status tir_reference_square(const tir_reference_call *call) {
  return map(call, float_square, int_square);
}

tir_status tir_reference_sqrt(const tir_reference_call *call) {
  return map(call, sqrt, NULL);
}

tir_status tir_reference_exp(const tir_reference_call *call) {
  return map(call, exp, NULL);
}

tir_status tir_reference_log(const tir_reference_call *call) {
  return map(call, log, NULL);
}

tir_status tir_reference_tanh(const tir_reference_call *call) {
  return map(call, tanh, NULL);
}

// 1/(1 + e^−x), in the form that never divides infinities.
static double float_sigmoid(double x) {
  if (x >= 0) return 1 / (1 + exp(-x));
  const double e = exp(x);
  return e / (1 + e);
}

tir_status tir_reference_sigmoid(const tir_reference_call *call) {
  return map(call, float_sigmoid, NULL);
}

// NaN passes; −0 becomes +0, as maximum(x, +0) gives.
static double float_relu(double x) { return x > 0 || isnan(x) ? x : 0; }
static uint64_t int_relu(int64_t x) { return x > 0 ? (uint64_t)x : 0; }

tir_status tir_reference_relu(const tir_reference_call *call) {
  return map(call, float_relu, int_relu);
}

static double float_rsqrt(double x) { return 1 / sqrt(x); }

tir_status tir_reference_rsqrt(const tir_reference_call *call) {
  return map(call, float_rsqrt, NULL);
}

tir_status tir_reference_expm1(const tir_reference_call *call) {
  return map(call, expm1, NULL);
}

tir_status tir_reference_log1p(const tir_reference_call *call) {
  return map(call, log1p, NULL);
}

tir_status tir_reference_erf(const tir_reference_call *call) {
  return map(call, erf, NULL);
}

tir_status tir_reference_sin(const tir_reference_call *call) {
  return map(call, sin, NULL);
}

tir_status tir_reference_cos(const tir_reference_call *call) {
  return map(call, cos, NULL);
}

// log(1 + e^x), in the form that never takes the logarithm of infinity.
static double float_softplus(double x) {
  return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

tir_status tir_reference_softplus(const tir_reference_call *call) {
  return map(call, float_softplus, NULL);
}

// x·p for a p that tends to 0 faster than x to −infinity. In long double,
// because e^z of a rounded z is as wrong as z is large.
static double float_silu(double x) {
  if (x == -INFINITY) return -0.0;
  const long double wide = x;
  return (double)(wide / (1 + expl(-wide)));
}

tir_status tir_reference_silu(const tir_reference_call *call) {
  return map(call, float_silu, NULL);
}

// x·Φ(x), Φ(x) = erfc(−x/√2)/2.
static double float_gelu(double x) {
  if (x == -INFINITY) return -0.0;
  const long double wide = x;
  return (double)(wide * (erfcl(-wide / sqrtl(2)) / 2));
}

tir_status tir_reference_gelu(const tir_reference_call *call) {
  return map(call, float_gelu, NULL);
}

// x·(1 + tanh u)/2 with u = √(2/π)·(x + 0.044715·x³), and 1 + tanh u written
// as 2/(1 + e^−2u), where nothing cancels.
static double float_gelu_tanh(double x) {
  if (x == -INFINITY) return -0.0;
  const long double wide = x;
  const long double root = sqrtl(2 / acosl(-1));
  const long double u = root * (wide + 0.044715L * wide * wide * wide);
  return (double)(wide / (1 + expl(-2 * u)));
}

tir_status tir_reference_gelu_tanh(const tir_reference_call *call) {
  return map(call, float_gelu_tanh, NULL);
}

// Double of an int64 rounded to odd: bits that do not fit are or-ed into the
// last one. Rounding that to any narrower float is rounding once.
static double int_to_odd_double(int64_t x) {
  uint64_t magnitude = int_abs(x);
  int shift = 0;
  // Until 53 bits are left, all a double keeps.
  while ((magnitude >> shift) >= ((uint64_t)1 << 53)) shift++;
  const uint64_t lost = magnitude & (((uint64_t)1 << shift) - 1);
  magnitude >>= shift;
  if (lost != 0) magnitude |= 1;
  const double result = ldexp((double)magnitude, shift);
  return x < 0 ? -result : result;
}

// Float to integer truncates and saturates, NaN gives 0; integer to integer
// saturates; anything to bool is x != 0.
static void cast_int(const tir_reference_call *call, int64_t e) {
  const tir_dtype to = call->out[0].dtype;
  const int64_t x = tir_reference_get_int(call, 0, e);
  if (to == TIR_DTYPE_BOOL)
    tir_reference_put_int(call, 0, e, x != 0);
  else if (to == TIR_DTYPE_F64)
    tir_reference_put(call, 0, e, (double)x);
  else if (tir_ir_dtype_is_float(to))
    tir_reference_put(call, 0, e, int_to_odd_double(x));
  else
    tir_reference_put_int(call, 0, e, x);
}

tir_status tir_reference_cast(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t e = 0; e < n; e++) {
    if (tir_reference_is_float(call))
      tir_reference_put(call, 0, e, tir_reference_get(call, 0, e));
    else
      cast_int(call, e);
  }
  return TIR_OK;
}
