// Functions of f32 computed in f64 and rounded once: where f32 arithmetic
// would lose digits to cancellation, or would need as many operations to keep
// them. Branch-free, so that the compiler vectorises them.
//
// The polynomials are Chebyshev fits of relative error below 2^-29 on the
// reduced ranges; with the last rounding that is less than 0.51 ULP.
#ifndef TAPEIR_EXEC_KERNELS_LEVELS_WIDE_MATH_H
#define TAPEIR_EXEC_KERNELS_LEVELS_WIDE_MATH_H

#include "exec/kernels/levels/math.h"

#define TIR_FMA TIR_FMA_F64

static inline uint64_t tir_bits_f64(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline double tir_from_bits_f64(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// As tir_select_f32.
static inline double tir_select_f64(int condition, double a, double b) {
  const uint64_t mask = UINT64_C(0) - (uint64_t)(condition != 0);
  return tir_from_bits_f64((tir_bits_f64(a) & mask) |
                           (tir_bits_f64(b) & ~mask));
}

#define TIR_ROUND_MAGIC 6755399441055744.0  // 1.5 · 2^52

// x = k·ln 2 + r; e^r − 1 and 2^k. For |x| <= 700; NaN stays in the first.
static inline double tir_exp_core(double x, double *out_scale) {
  const double shifted = TIR_FMA(x, 1.4426950408889634, TIR_ROUND_MAGIC);
  const double k = shifted - TIR_ROUND_MAGIC;
  const double r = TIR_FMA(k, -0.6931471805599453, x);
  double p = 0.00019890990824673654;
  p = TIR_FMA(p, r, 0.0013933649996309251);
  p = TIR_FMA(p, r, 0.0083333109254809);
  p = TIR_FMA(p, r, 0.041666464925285904);
  p = TIR_FMA(p, r, 0.16666666681623232);
  p = TIR_FMA(p, r, 0.500000001346581);
  *out_scale = tir_from_bits_f64((tir_bits_f64(shifted) + 1023) << 52);
  return TIR_FMA(p * r, r, r);
}

// e^x, with x taken as within ±700: e^700 is more than any float.
static inline double tir_wide_exp(double x) {
  double t = tir_select_f64(x > 700.0, 700.0, x);
  t = tir_select_f64(t < -700.0, -700.0, t);
  double scale;
  const double p = tir_exp_core(t, &scale);
  return TIR_FMA(p, scale, scale);
}

// log u = k·ln 2 + 2·atanh(f/(2 + f)) for u = 2^k·(1 + f).
static inline double tir_wide_log(double u) {
  const uint64_t root_half = UINT64_C(0x3fe6a09e667f3bcd);  // √½
  const uint64_t shifted =
      tir_bits_f64(u) + (UINT64_C(0x3ff0000000000000) - root_half);
  // The exponent as a number: the bits of 2^52 + k + 1023.
  const double k =
      tir_from_bits_f64((shifted >> 52) | UINT64_C(0x4330000000000000)) -
      4503599627371519.0;
  const double f =
      tir_from_bits_f64((shifted & UINT64_C(0x000fffffffffffff)) + root_half) -
      1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double p = 0.23616988018825041;
  p = TIR_FMA(p, z, 0.2853501866115047);
  p = TIR_FMA(p, z, 0.4000038518245024);
  p = TIR_FMA(p, z, 0.6666666524498865);
  p = TIR_FMA(p, z, 2.0000000000083777);
  return TIR_FMA(k, 0.6931471805599453, p * s);
}

// log(1 + x). With u = 1 + x rounded and c what that lost it is log u + c/u.
static inline double tir_wide_log1p(double x) {
  const double u = 1.0 + x;
  const double c = x - (u - 1.0);
  return tir_wide_log(u) + c / u;
}

// erfc(t) = e^(−t²)·p(w)/(1 + 2t) with w = (t − 3)/(t + 3), for t >= 0. Taken
// as within 11, where it is less than any float.
static inline double tir_wide_erfc(double t) {
  t = tir_select_f64(t > 11.0, 11.0, t);
  const double w = (t - 3.0) / (t + 3.0);
  double p = 4.188165158950081e-05;
  p = TIR_FMA(p, w, -0.000165138854995802);
  p = TIR_FMA(p, w, -0.000730318118808006);
  p = TIR_FMA(p, w, 0.0019430951614387644);
  p = TIR_FMA(p, w, 0.002520801145510911);
  p = TIR_FMA(p, w, -0.023787735988358233);
  p = TIR_FMA(p, w, 0.06830799958144855);
  p = TIR_FMA(p, w, -0.1192713770893743);
  p = TIR_FMA(p, w, 0.12964524339519987);
  p = TIR_FMA(p, w, -0.04756240440653541);
  p = TIR_FMA(p, w, -0.1356211087430914);
  p = TIR_FMA(p, w, 1.2530080591428208);
  double scale;
  const double e = tir_exp_core(-t * t, &scale);
  return TIR_FMA(e, scale, scale) * p / (1.0 + 2.0 * t);
}

// Near 0 an odd polynomial, else 1 − erfc(|x|) with the sign of x.
static inline float tir_erf_f32(float x) {
  const double t = (double)__builtin_fabsf(x);
  const double z = t * t;
  double p = -0.0007694534279142308;
  p = TIR_FMA(p, z, 0.005200413724335493);
  p = TIR_FMA(p, z, -0.026863143032249386);
  p = TIR_FMA(p, z, 0.11283774013179539);
  p = TIR_FMA(p, z, -0.37612638525650693);
  p = TIR_FMA(p, z, 1.1283791670824095);
  const double y = tir_select_f64(t < 0.5, p * t, 1.0 - tir_wide_erfc(t));
  return __builtin_copysignf((float)y, x);
}

static inline float tir_expm1_f32(float x) {
  double t = tir_select_f64((double)x > 700.0, 700.0, (double)x);
  t = tir_select_f64(t < -700.0, -700.0, t);
  double scale;
  const double p = tir_exp_core(t, &scale);
  const float y = (float)TIR_FMA(p, scale, scale - 1.0);
  return tir_select_f32(x == 0.0f, x, y);
}

// A float of at least 2^-25 and 1 add up exactly, or to what differs from their
// sum by less than a double tells; below it is x − x²/2, which rounds to x.
static inline float tir_log1p_f32(float x) {
  float y = (float)tir_wide_log(1.0 + (double)x);
  y = tir_select_f32(x == -1.0f, -INFINITY, y);
  y = tir_select_f32(x < -1.0f, NAN, y);
  // inf and NaN are their own results.
  y = tir_select_f32(__builtin_fabsf(x) < 2.98023224e-8f, x, y);
  return tir_select_f32(x < INFINITY, y, x);
}

// log(1 + e^x) = max(x, 0) + log(1 + e^−|x|).
static inline float tir_softplus_f32(float x) {
  const double e = tir_wide_exp(-(double)__builtin_fabsf(x));
  const double most = (double)tir_select_f32(x < 0.0f, 0.0f, x);
  return (float)(most + tir_wide_log1p(e));
}

// x/(1 + e^−z), where x·e^z vanishes below `least`: x is taken as not below
// it, so that −inf gives −0.
static inline float tir_gated_f32(float x, double z, float least) {
  const double t = (double)tir_select_f32(x < least, least, x);
  return (float)(t / (1.0 + tir_wide_exp(-z)));
}

static inline float tir_silu_f32(float x) {
  return tir_gated_f32(x, (double)x, -150.0f);
}

// x·(1 + tanh u)/2 is x/(1 + e^−2u), 2u = √(8/π)·(x + 0.044715·x³). Beyond
// ±20 the factor is 0 or 1 to the last bit, so u need not grow.
static inline float tir_gelu_tanh_f32(float x) {
  double t = tir_select_f64((double)x > 20.0, 20.0, (double)x);
  t = tir_select_f64(t < -20.0, -20.0, t);
  const double u = t * TIR_FMA(t * t, 0.07135481627260025, 1.5957691216057308);
  return tir_gated_f32(x, u, -20.0f);
}

// x·Φ(x), Φ(x) = erfc(−x/√2)/2. Below −16 less than any float.
static inline float tir_gelu_f32(float x) {
  const double t = (double)tir_select_f32(x < -16.0f, -16.0f, x);
  const double tail =
      0.5 * tir_wide_erfc(__builtin_fabs(t) * 0.7071067811865476);
  return (float)(t * tir_select_f64(t < 0.0, tail, 1.0 - tail));
}

// Beyond this the reduction below is not exact enough; libm does it.
#define TIR_TRIG_LIMIT 1e6f

// sin(x + quarters·π/2). x = n·π/2 + r with π/2 in two pieces, of which the
// first has so few bits that n times it is exact.
static inline float tir_sin_f32(float x, uint64_t quarters) {
  const double t = (double)x;
  const double shifted = TIR_FMA(t, 0.6366197723675814, TIR_ROUND_MAGIC);
  const double n = shifted - TIR_ROUND_MAGIC;
  const double r = (t - n * 1.5707963267341256) - n * 6.077100506506192e-11;
  const double z = r * r;
  double s = 2.7249864655139585e-06;
  s = TIR_FMA(s, z, -0.00019840086263755443);
  s = TIR_FMA(s, z, 0.008333331873837089);
  s = TIR_FMA(s, z, -0.16666666663853044);
  s = r * TIR_FMA(s, z, 1.0);
  double c = 2.454789161981386e-05;
  c = TIR_FMA(c, z, -0.0013888302802309161);
  c = TIR_FMA(c, z, 0.04166666465830042);
  c = TIR_FMA(c, z, -0.5);
  c = TIR_FMA(c, z, 1.0);
  const uint64_t quadrant = tir_bits_f64(shifted) + quarters;
  const uint64_t odd = UINT64_C(0) - (quadrant & 1);
  const uint64_t bits = (tir_bits_f64(c) & odd) | (tir_bits_f64(s) & ~odd);
  return (float)tir_from_bits_f64(bits ^ ((quadrant & 2) << 62));
}

// --- f64, through libm -------------------------------------------------------

static inline double tir_softplus_f64(double x) {
  return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

// In long double, whose digits and range take in what the exponentials lose.
static inline double tir_silu_f64(double x) {
  const long double t = x < -2000.0 ? -2000.0L : x;
  return (double)(t / (1 + expl(-t)));
}

static inline double tir_gelu_tanh_f64(double x) {
  const long double t = x < -40.0 ? -40.0L : x;
  const long double u = 1.59576912160573071176L * t * (1 + 0.044715L * t * t);
  return (double)(t / (1 + expl(-u)));
}

static inline double tir_gelu_f64(double x) {
  const long double t = x < -60.0 ? -60.0L : x;
  return (double)(t * erfcl(t * -0.70710678118654752440L) / 2);
}

#undef TIR_FMA

#endif
