// Loops of elementwise ops with two operands, and of clip.
//
// A loop sees whole runs; broadcasting is over when it is called. Float rules
// are those of docs/numerics.md §2: NaN passes maximum, minimum and clip.
#include "exec/kernels/levels/loops.h"
#include "exec/kernels/levels/math.h"

#define TIR_FLOAT_LOOPS(suffix, T)      \
  TIR_LOOP_2(add_##suffix, T, T, x + y) \
  TIR_LOOP_2(sub_##suffix, T, T, x - y) \
  TIR_LOOP_2(mul_##suffix, T, T, x *y)  \
  TIR_LOOP_2(div_##suffix, T, T, x / y)
TIR_FLOATS(TIR_FLOAT_LOOPS)
#undef TIR_FLOAT_LOOPS

TIR_LOOP_2(maximum_f32, float, float, tir_max_f32(x, y))
TIR_LOOP_2(maximum_f64, double, double, tir_max_f64(x, y))
TIR_LOOP_2(minimum_f32, float, float, tir_min_f32(x, y))
TIR_LOOP_2(minimum_f64, double, double, tir_min_f64(x, y))
// max first, then min: with crossed bounds the upper one wins.
TIR_LOOP_3(clip_f32, float, float, tir_min_f32(tir_max_f32(x, y), z))
TIR_LOOP_3(clip_f64, double, double, tir_min_f64(tir_max_f64(x, y), z))

// pow in double. A whole block of one small exponent, as x² and its gradient
// have it, needs no pow: x·x is rounded once, as pow's result is. The loops
// ignore the exponents then, but keep the shape of all others.
static inline int all_are_f32(double y0, int64_t n, const float *y) {
  int same = 1;
  for (int64_t i = 0; i < n; i++) same &= (double)y[i] == y0;
  return same;
}

static inline int all_are_f64(double y0, int64_t n, const double *y) {
  int same = 1;
  for (int64_t i = 0; i < n; i++) same &= y[i] == y0;
  return same;
}

TIR_LOOP_2(power_f32, float, float, pow((double)x, (double)y))
// A square is the same bits wherever it stands: beside other exponents too,
// where the loop for squares alone is not taken.
TIR_LOOP_2(power_f64, double, double, y == 2 ? x * x : pow(x, y))
TIR_LOOP_2(square_f32, float, float, ((void)y, x *x))
TIR_LOOP_2(square_f64, double, double, ((void)y, x *x))
TIR_LOOP_2(same_f32, float, float, ((void)y, x))
TIR_LOOP_2(same_f64, double, double, ((void)y, x))

static void pow_f32(int64_t n, void *out, const void *a, const void *b,
                    const void *c) {
  if (all_are_f32(2, n, b))
    square_f32(n, out, a, b, c);
  else if (all_are_f32(1, n, b))
    same_f32(n, out, a, b, c);
  else
    power_f32(n, out, a, b, c);
}

static void pow_f64(int64_t n, void *out, const void *a, const void *b,
                    const void *c) {
  if (all_are_f64(2, n, b))
    square_f64(n, out, a, b, c);
  else if (all_are_f64(1, n, b))
    same_f64(n, out, a, b, c);
  else
    power_f64(n, out, a, b, c);
}

// In W, an unsigned type: sums and products wrap, and the cast to T cuts them.
#define TIR_INT_LOOPS(suffix, T, W)                              \
  TIR_LOOP_2(add_##suffix, T, T, (W)x + (W)y)                    \
  TIR_LOOP_2(sub_##suffix, T, T, (W)x - (W)y)                    \
  TIR_LOOP_2(mul_##suffix, T, T, (W)x *(W)y)                     \
  TIR_LOOP_2(maximum_##suffix, T, T, x > y ? x : y)              \
  TIR_LOOP_2(minimum_##suffix, T, T, x < y ? x : y)              \
  static inline T clip_one_##suffix(T x, T low, T high) {        \
    const T most = x > low ? x : low;                            \
    return most < high ? most : high;                            \
  }                                                              \
  TIR_LOOP_3(clip_##suffix, T, T, clip_one_##suffix(x, y, z))    \
  static int64_t zero_divisor_##suffix(int64_t n, const void *a, \
                                       const void *b) {          \
    const T *const divisor = b;                                  \
    (void)a;                                                     \
    for (int64_t i = 0; i < n; i++)                              \
      if (divisor[i] == 0) return i;                             \
    return n;                                                    \
  }
TIR_INTS(TIR_INT_LOOPS)
#undef TIR_INT_LOOPS

// Rounds toward zero; INT_MIN / −1 saturates. The divisor is not 0: checked
// before.
#define TIR_DIV_LOOP(suffix, T, MAX)            \
  static inline T quotient_##suffix(T x, T y) { \
    if (y != -1) return (T)(x / y);             \
    return x < -MAX ? MAX : (T)-x;              \
  }                                             \
  TIR_LOOP_2(div_##suffix, T, T, quotient_##suffix(x, y))
TIR_DIV_LOOP(i8, int8_t, INT8_MAX)
TIR_DIV_LOOP(i16, int16_t, INT16_MAX)
TIR_DIV_LOOP(i32, int32_t, INT32_MAX)
TIR_DIV_LOOP(i64, int64_t, INT64_MAX)
#undef TIR_DIV_LOOP
// Nothing to saturate without a sign.
TIR_LOOP_2(div_u8, uint8_t, uint8_t, x / y)

#define TIR_FLOAT_ENTRIES(name) \
  [TIR_DTYPE_F32] = name##_f32, [TIR_DTYPE_F64] = name##_f64
#define TIR_INT_ENTRIES(name)                                 \
  [TIR_DTYPE_I8] = name##_i8, [TIR_DTYPE_U8] = name##_u8,     \
  [TIR_DTYPE_I16] = name##_i16, [TIR_DTYPE_I32] = name##_i32, \
  [TIR_DTYPE_I64] = name##_i64
#define TIR_ENTRIES(name) \
  { TIR_FLOAT_ENTRIES(name), TIR_INT_ENTRIES(name) }

// What is not named is NULL: pow of integers, checks of floats.
const tir_exec_level_binary TIR_LEVEL(tir_exec_binary) = {
    .add = TIR_ENTRIES(add),
    .sub = TIR_ENTRIES(sub),
    .mul = TIR_ENTRIES(mul),
    .div = TIR_ENTRIES(div),
    .pow = {TIR_FLOAT_ENTRIES(pow)},
    .maximum = TIR_ENTRIES(maximum),
    .minimum = TIR_ENTRIES(minimum),
    .clip = TIR_ENTRIES(clip),
    .division = {TIR_INT_ENTRIES(zero_divisor)},
};
