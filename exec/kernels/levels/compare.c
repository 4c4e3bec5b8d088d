// Loops of comparisons and of `where`. Results are bytes 0 and 1.
#include "exec/kernels/levels/loops.h"

// C's operators are the rules: false with a NaN, but for x != y, and −0 equals
// +0. bool is compared as u8.
#define TIR_COMPARE_LOOPS(suffix, T)                 \
  TIR_LOOP_2(equal_##suffix, uint8_t, T, x == y)     \
  TIR_LOOP_2(not_equal_##suffix, uint8_t, T, x != y) \
  TIR_LOOP_2(less_##suffix, uint8_t, T, x < y)       \
  TIR_LOOP_2(less_equal_##suffix, uint8_t, T, x <= y)
TIR_COMPARE_LOOPS(f32, float)
TIR_COMPARE_LOOPS(f64, double)
TIR_COMPARE_LOOPS(i8, int8_t)
TIR_COMPARE_LOOPS(u8, uint8_t)
TIR_COMPARE_LOOPS(i16, int16_t)
TIR_COMPARE_LOOPS(i32, int32_t)
TIR_COMPARE_LOOPS(i64, int64_t)
#undef TIR_COMPARE_LOOPS

// x > y is y < x.
#define TIR_SWAPPED(suffix)                                               \
  static void greater_##suffix(int64_t n, void *out, const void *a,       \
                               const void *b, const void *c) {            \
    less_##suffix(n, out, b, a, c);                                       \
  }                                                                       \
  static void greater_equal_##suffix(int64_t n, void *out, const void *a, \
                                     const void *b, const void *c) {      \
    less_equal_##suffix(n, out, b, a, c);                                 \
  }
TIR_SWAPPED(f32)
TIR_SWAPPED(f64)
TIR_SWAPPED(i8)
TIR_SWAPPED(u8)
TIR_SWAPPED(i16)
TIR_SWAPPED(i32)
TIR_SWAPPED(i64)
#undef TIR_SWAPPED

// Elements are moved as bits: floats are never touched. Both operands are read
// whichever is chosen, so that the loop has no branches.
#define TIR_WHERE_LOOP(T)                                                   \
  static void where_##T(int64_t n, void *out, const void *a, const void *b, \
                        const void *c) {                                    \
    T *const to = out;                                                      \
    const uint8_t *const condition = a;                                     \
    const T *const left = b;                                                \
    const T *const right = c;                                               \
    TIR_IVDEP                                                               \
    for (int64_t i = 0; i < n; i++) {                                       \
      const T x = left[i];                                                  \
      const T y = right[i];                                                 \
      to[i] = condition[i] ? x : y;                                         \
    }                                                                       \
  }
// One per element size.
TIR_WHERE_LOOP(uint8_t)
TIR_WHERE_LOOP(uint16_t)
TIR_WHERE_LOOP(uint32_t)
TIR_WHERE_LOOP(uint64_t)
#undef TIR_WHERE_LOOP

// f16 and bf16 have none.
#define TIR_ENTRIES(name)                                       \
  {                                                             \
    [TIR_DTYPE_F32] = name##_f32, [TIR_DTYPE_F64] = name##_f64, \
    [TIR_DTYPE_I8] = name##_i8, [TIR_DTYPE_U8] = name##_u8,     \
    [TIR_DTYPE_I16] = name##_i16, [TIR_DTYPE_I32] = name##_i32, \
    [TIR_DTYPE_I64] = name##_i64, [TIR_DTYPE_BOOL] = name##_u8  \
  }

const tir_exec_level_compare TIR_LEVEL(tir_exec_compare) = {
    .equal = TIR_ENTRIES(equal),
    .not_equal = TIR_ENTRIES(not_equal),
    .less = TIR_ENTRIES(less),
    .less_equal = TIR_ENTRIES(less_equal),
    .greater = TIR_ENTRIES(greater),
    .greater_equal = TIR_ENTRIES(greater_equal),
    .where = {where_uint8_t, where_uint16_t, where_uint32_t, where_uint64_t},
};
