// exp, log, tanh and sigmoid in f32 as branch-free polynomials that the
// compiler vectorises; f64 goes through libm.
//
// At most 2 ULP from the true value for every input, subnormal results
// included (tests/unit/exec_kernels_math_soak_test.cc tries all 2^32). The
// coefficients are minimax fits of the usual kind on the reduced ranges.
#ifndef TAPEIR_EXEC_KERNELS_LEVELS_MATH_H
#define TAPEIR_EXEC_KERNELS_LEVELS_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

// a·b + c with one rounding where the level has the instruction; the build's
// -ffp-contract=off keeps the compiler from choosing by itself.
#if defined(__FMA__) || defined(__aarch64__)
#define TIR_FMA_F32(a, b, c) __builtin_fmaf((a), (b), (c))
#define TIR_FMA_F64(a, b, c) __builtin_fma((a), (b), (c))
// c − a·b where a is c/b rounded: exact, or left out without the instruction.
#define TIR_FMA_REST_F32(a, b, c) __builtin_fmaf(-(a), (b), (c))
#else
#define TIR_FMA_F32(a, b, c) ((a) * (b) + (c))
#define TIR_FMA_F64(a, b, c) ((a) * (b) + (c))
#define TIR_FMA_REST_F32(a, b, c) 0.0f
#endif

static inline uint32_t tir_bits_f32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline float tir_from_bits_f32(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// `a` where the condition holds, else `b`, by bits: compilers do not vectorise
// a choice between two results whose computation might trap.
static inline float tir_select_f32(int condition, float a, float b) {
  const uint32_t mask = 0u - (uint32_t)(condition != 0);
  return tir_from_bits_f32((tir_bits_f32(a) & mask) |
                           (tir_bits_f32(b) & ~mask));
}

// 2^k for −126 <= k <= 127.
static inline float tir_power_of_two_f32(int32_t k) {
  return tir_from_bits_f32((uint32_t)(k + 127) << 23);
}

// The larger one; NaN from either side passes. Of +0 and −0 it is +0 in any
// order, so that swapping operands never changes a bit.
static inline float tir_max_f32(float x, float y) {
  uint32_t x_bits, y_bits;
  memcpy(&x_bits, &x, sizeof x_bits);
  memcpy(&y_bits, &y, sizeof y_bits);
  const uint32_t common = x_bits & y_bits;
  float same;
  memcpy(&same, &common, sizeof same);
  const float larger = ((x > y) | (x != x)) ? x : y;
  return x == y ? same : larger;
}

static inline double tir_max_f64(double x, double y) {
  uint64_t x_bits, y_bits;
  memcpy(&x_bits, &x, sizeof x_bits);
  memcpy(&y_bits, &y, sizeof y_bits);
  const uint64_t common = x_bits & y_bits;
  double same;
  memcpy(&same, &common, sizeof same);
  const double larger = ((x > y) | (x != x)) ? x : y;
  return x == y ? same : larger;
}

// The smaller one, by the same rules: −0 is below +0.
static inline float tir_min_f32(float x, float y) {
  return -tir_max_f32(-x, -y);
}

static inline double tir_min_f64(double x, double y) {
  return -tir_max_f64(-x, -y);
}

// e^x = 2^k · e^r with k the integer nearest to x/ln 2. ln 2 is split so that
// k·high is exact; high and low parts of r, and what rounding 1 + r loses, are
// kept apart, so little but the last rounding shows. Beyond the clamp results
// are 0 and inf anyway; 2^k is applied in two halves, so that a subnormal
// result is rounded once.
//
// *low is what the last rounding of a normal result left out.
static inline float tir_exp_parts_f32(float x, float *low_out) {
  const float magic = 12582912.0f;  // 1.5 · 2^23: adding it rounds to integer
  float t = tir_select_f32(x > 89.0f, 89.0f, x);
  t = tir_select_f32(t < -104.0f, -104.0f, t);
  const float shifted = TIR_FMA_F32(t, 1.44269504088896341f, magic);
  const float whole = shifted - magic;
  const float high = TIR_FMA_F32(whole, -0.693359375f, t);
  const float low = whole * 2.12194440e-4f;
  const float r = high + low;
  float p = 1.9875691500e-4f;
  p = TIR_FMA_F32(p, r, 1.3981999507e-3f);
  p = TIR_FMA_F32(p, r, 8.3334519073e-3f);
  p = TIR_FMA_F32(p, r, 4.1665795894e-2f);
  p = TIR_FMA_F32(p, r, 1.6666665459e-1f);
  p = TIR_FMA_F32(p, r, 5.0000001201e-1f);
  p = TIR_FMA_F32(p, r * r, low);
  const float sum = 1.0f + high;
  const float rest = p + (high - (sum - 1.0f));
  p = sum + rest;
  const int32_t k =
      (int32_t)(tir_bits_f32(shifted) - tir_bits_f32(12582912.0f));
  const int32_t half = k >> 1;
  const float scale = tir_power_of_two_f32(half);
  const float other = tir_power_of_two_f32(k - half);
  *low_out = (rest - (p - sum)) * scale * other;
  return p * scale * other;
}

static inline float tir_exp_f32(float x) {
  float low;
  return tir_exp_parts_f32(x, &low);
}

// x = 2^k · m with m in [√½, √2); log x = k·ln 2 + log m. Subnormal x are
// scaled up first.
static inline float tir_log_f32(float x) {
  const int small = x < 1.17549435e-38f;
  const float scaled = x * tir_select_f32(small, 8388608.0f, 1.0f);
  const uint32_t shifted = tir_bits_f32(scaled) + (0x3f800000u - 0x3f3504f3u);
  const int32_t k = (int32_t)(shifted >> 23) - (small ? 150 : 127);
  const float m =
      tir_from_bits_f32((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  const float k_f = (float)k;
  const float z = m * m;
  float p = 7.0376836292e-2f;
  p = TIR_FMA_F32(p, m, -1.1514610310e-1f);
  p = TIR_FMA_F32(p, m, 1.1676998740e-1f);
  p = TIR_FMA_F32(p, m, -1.2420140846e-1f);
  p = TIR_FMA_F32(p, m, 1.4249322787e-1f);
  p = TIR_FMA_F32(p, m, -1.6668057665e-1f);
  p = TIR_FMA_F32(p, m, 2.0000714765e-1f);
  p = TIR_FMA_F32(p, m, -2.4999993993e-1f);
  p = TIR_FMA_F32(p, m, 3.3333331174e-1f);
  p = p * m * z;
  p = TIR_FMA_F32(k_f, -2.12194440e-4f, p);
  p = TIR_FMA_F32(z, -0.5f, p);
  float y = TIR_FMA_F32(k_f, 0.693359375f, m + p);
  y = tir_select_f32(x == 0.0f, -INFINITY, y);
  y = tir_select_f32(x < 0.0f, NAN, y);
  // Neither +inf nor NaN is below inf.
  return tir_select_f32(x < INFINITY, y, x);
}

// |x| < 0.625: odd polynomial; above: 1 − 2/(e^2|x| + 1). Sign from x, so −0
// stays −0.
static inline float tir_tanh_f32(float x) {
  const float a = __builtin_fabsf(x);
  const float s = x * x;
  float p = -5.70498872745e-3f;
  p = TIR_FMA_F32(p, s, 2.06390887954e-2f);
  p = TIR_FMA_F32(p, s, -5.37397155531e-2f);
  p = TIR_FMA_F32(p, s, 1.33314422036e-1f);
  p = TIR_FMA_F32(p, s, -3.33332819422e-1f);
  const float near = TIR_FMA_F32(p * s, a, a);
  const float far = 1.0f - 2.0f / (tir_exp_f32(a + a) + 1.0f);
  const float y = tir_select_f32(a < 0.625f, near, far);
  return __builtin_copysignf(y, x);
}

// With z = e^−|x| it is z/(1 + z) or 1/(1 + z): neither overflows and tiny
// results are kept. One step of refinement takes in what e^x and 1 + z lost to
// rounding, and with FMA also what the division lost.
static inline float tir_sigmoid_f32(float x) {
  float z_low;
  const float z = tir_exp_parts_f32(-__builtin_fabsf(x), &z_low);
  const float d = 1.0f + z;
  const float d_low = (z - (d - 1.0f)) + z_low;
  const int negative = x < 0.0f;
  const float n = tir_select_f32(negative, z, 1.0f);
  const float n_low = tir_select_f32(negative, z_low, 0.0f);
  const float y = n / d;
  const float missing = TIR_FMA_REST_F32(y, d, n) + (n_low - y * d_low);
  return y + missing * tir_select_f32(negative, 1.0f - y, y);
}

static inline double tir_sigmoid_f64(double x) {
  const double z = exp(-fabs(x));
  return (x < 0.0 ? z : 1.0) / (1.0 + z);
}

#endif
