// Bodies that several tests of control nodes use, and a live tape to run them.
#ifndef TAPEIR_TESTS_CONTROL_LOOPS_H
#define TAPEIR_TESTS_CONTROL_LOOPS_H

#include <cstring>

#include "../semantics/tape_fixture.h"
#include "tapeir/check.h"
#include "tapeir/file.h"
#include "tapeir/inspect.h"
#include "tapeir/program.h"
#include "tapeir/train.h"

// h' = tanh(x·W + h·U): W and U come from outside.
struct Cell {
  tir_value w, u;
};

inline tir_value Step(tir_tape *t, const Cell &cell, tir_value h, tir_value x) {
  return tir_tanh(
      t, tir_add(t, tir_matmul(t, x, cell.w), tir_matmul(t, h, cell.u)));
}

inline void CellBody(tir_tape *t, void *user, const tir_value *carry,
                     const tir_value *x, tir_value *out_carry,
                     tir_value *out_y) {
  out_carry[0] = Step(t, *static_cast<Cell *>(user), carry[0], x[0]);
  out_y[0] = tir_mul_scalar(t, out_carry[0], 2.0);
}

inline tir_value Number(tir_tape *t, tir_value like, double x) {
  return tir_scalar(t, tir_value_dtype(t, like), x);
}
inline tir_value Below(tir_tape *t, tir_value x, double y) {
  return tir_less(t, x, Number(t, x, y));
}
inline tir_value Above(tir_tape *t, tir_value x, double y) {
  return tir_greater(t, x, Number(t, x, y));
}

// Values that look random and are the same everywhere.
inline std::vector<float> Noise(size_t n, int seed) {
  std::vector<float> out(n);
  uint32_t x = 12345u + 977u * static_cast<uint32_t>(seed);
  for (float &v : out) {
    x = x * 1664525u + 1013904223u;
    v = static_cast<float>(static_cast<int32_t>(x >> 8) % 2000) / 2000.0f;
  }
  return out;
}

inline std::vector<double> NoiseF64(size_t n, int seed) {
  const std::vector<float> f = Noise(n, seed);
  return {f.begin(), f.end()};
}

#endif
