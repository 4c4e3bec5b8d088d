// Accuracy of the f32 math loops over ranges of bit patterns.
#ifndef TAPEIR_TESTS_SUPPORT_KERNEL_MATH_H
#define TAPEIR_TESTS_SUPPORT_KERNEL_MATH_H

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "tests/support/kernel_call.h"

extern "C" {
#include "exec/kernels/levels.h"
}

namespace tapeir_test {

struct MathFunction {
  const char *name;
  tir_exec_loops tir_exec_level_unary::*loops;
  double (*exact)(double);
  tir_exec_loop at(int level) const {
    return (TIR_AT_LEVEL(tir_exec_unary, level)->*loops)[TIR_DTYPE_F32];
  }
};

inline double ExactSigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

// What vanishes at −infinity faster than x grows, times x.
inline double Gated(double x, double gate) {
  return std::isinf(x) && x < 0 ? -0.0 : x * gate;
}

inline const std::vector<MathFunction> &MathFunctions() {
  static const std::vector<MathFunction> functions = {
      {"exp", &tir_exec_level_unary::exp, [](double x) { return std::exp(x); }},
      {"log", &tir_exec_level_unary::log, [](double x) { return std::log(x); }},
      {"tanh", &tir_exec_level_unary::tanh,
       [](double x) { return std::tanh(x); }},
      {"sigmoid", &tir_exec_level_unary::sigmoid, ExactSigmoid},
      {"rsqrt", &tir_exec_level_unary::rsqrt,
       [](double x) { return 1 / std::sqrt(x); }},
      {"expm1", &tir_exec_level_unary::expm1,
       [](double x) { return std::expm1(x); }},
      {"log1p", &tir_exec_level_unary::log1p,
       [](double x) { return std::log1p(x); }},
      {"erf", &tir_exec_level_unary::erf, [](double x) { return std::erf(x); }},
      {"sin", &tir_exec_level_unary::sin, [](double x) { return std::sin(x); }},
      {"cos", &tir_exec_level_unary::cos, [](double x) { return std::cos(x); }},
      {"softplus", &tir_exec_level_unary::softplus,
       [](double x) {
         return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x)));
       }},
      {"silu", &tir_exec_level_unary::silu,
       [](double x) { return Gated(x, 1 / (1 + std::exp(-x))); }},
      {"gelu", &tir_exec_level_unary::gelu,
       [](double x) {
         return Gated(x, std::erfc(x * -0.70710678118654752440) / 2);
       }},
      {"gelu_tanh", &tir_exec_level_unary::gelu_tanh,
       [](double x) {
         const double u = 0.79788456080286535588 * (x + 0.044715 * x * x * x);
         return Gated(x, 1 / (1 + std::exp(-2 * u)));
       }},
  };
  return functions;
}

inline uint32_t Bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

// Error in units of the last place of the true value, which is given to more
// digits than a float has. Infinity counts as 2^128 where the true value does
// not round to it.
inline double FloatUlps(float got, double exact) {
  if (std::isnan(exact) || std::isnan(got))
    return std::isnan(exact) && std::isnan(got) ? 0 : HUGE_VAL;
  if (std::isinf(got) && static_cast<float>(exact) == got) return 0;
  if (static_cast<double>(got) == exact) return 0;
  if (std::isinf(exact)) return HUGE_VAL;
  const double value = std::isinf(got) ? std::copysign(0x1p128, got) : got;
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::fabs(value - exact) /
         std::ldexp(1.0, std::min(std::max(exponent - 24, -149), 104));
}

// The input with the largest error. Results that are rounded correctly, so by
// half a unit at most, count as without one.
struct WorstInput {
  double error = 0;
  float x = 0;
  int level = 0;
  void Add(double e, float at, int at_level) {
    if (e > error) *this = {e, at, at_level};
  }
};

// Every `stride`-th bit pattern from `first` on, before `last`, at every level
// of the machine.
inline WorstInput FindWorst(const MathFunction &f, uint64_t first,
                            uint64_t last, uint64_t stride) {
  constexpr size_t kPiece = 4096;
  std::vector<float> x(kPiece), y(kPiece);
  std::vector<double> exact(kPiece);
  WorstInput worst;
  for (uint64_t bits = first; bits < last;) {
    size_t n = 0;
    for (; n < kPiece && bits < last; n++, bits += stride) {
      const uint32_t pattern = static_cast<uint32_t>(bits);
      memcpy(&x[n], &pattern, sizeof pattern);
      exact[n] = f.exact(x[n]);
    }
    for (int level : Levels()) {
      f.at(level)(static_cast<int64_t>(n), y.data(), x.data(), nullptr,
                  nullptr);
      for (size_t i = 0; i < n; i++)
        if (y[i] != static_cast<float>(exact[i]))
          worst.Add(FloatUlps(y[i], exact[i]), x[i], level);
    }
  }
  return worst;
}

// Returns the worst error. `n_threads` share the range.
inline double ExpectAccurate(const MathFunction &f, uint64_t first,
                             uint64_t last, uint64_t stride, double ulps,
                             unsigned n_threads = 1) {
  std::vector<WorstInput> found(n_threads);
  std::vector<std::thread> threads;
  const uint64_t n = (last - first + stride - 1) / stride;
  for (unsigned i = 0; i < n_threads; i++)
    threads.emplace_back([&, i] {
      const uint64_t end = first + n * (i + 1) / n_threads * stride;
      found[i] = FindWorst(f, first + n * i / n_threads * stride,
                           std::min(end, last), stride);
    });
  for (std::thread &thread : threads) thread.join();
  WorstInput worst;
  for (const WorstInput &one : found) worst.Add(one.error, one.x, one.level);
  EXPECT_LE(worst.error, ulps) << f.name << "(" << worst.x << ") at level "
                               << tir_exec_cpu_name(worst.level);
  return worst.error;
}

}  // namespace tapeir_test

#endif
