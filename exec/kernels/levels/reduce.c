// Loops of the reductions: each op and dtype is one inclusion of
// reduce_template.h, or of argbest_template.h, with its own fold.
//
// The templates undefine their parameters, so each inclusion gives all of them.
// At the end stand the tables by dtype.
#include "exec/kernels/levels.h"
#include "exec/kernels/levels/math.h"

// Narrow integers are rare here: one level of them serves all. Tables of the
// other levels have no entry for them, and kernels/reduce.c takes that of the
// baseline.
#if defined(TIR_LEVEL_IS_baseline)
#define TIR_SMALL_INTS 1
#else
#define TIR_SMALL_INTS 0
#endif

// --- sums and means ---------------------------------------------------------

// −0 is what addition leaves alone bit for bit; +0 is not: −0 + +0 is +0. A
// mean divides in double: not every count above 2^24 is an f32.
#define SUM_FINISH(p, a, T) \
  ((p)->divide ? (T)((double)(a) / (double)(p)->count) : (a))

#define T float
#define A float
#define NAME(x) sum_f32_##x
#define MAP(x) (x)
#define FOLD(a, b) ((a) + (b))
#define IDENTITY (-0.0f)
#define FINISH(p, a) SUM_FINISH(p, a, float)
#include "exec/kernels/levels/reduce_template.h"

#define T double
#define A double
#define NAME(x) sum_f64_##x
#define MAP(x) (x)
#define FOLD(a, b) ((a) + (b))
#define IDENTITY (-0.0)
#define FINISH(p, a) SUM_FINISH(p, a, double)
#include "exec/kernels/levels/reduce_template.h"

// Integers wrap, so their sums run on unsigned numbers. Those narrower than int
// are promoted to it, where two of them cannot overflow, and cut back by the
// cast.
#if TIR_SMALL_INTS
#define T int8_t
#define A uint8_t
#define NAME(x) sum_i8_##x
#define MAP(x) ((A)(x))
#define FOLD(a, b) ((A)((a) + (b)))
#define IDENTITY 0
#define FINISH(p, a) ((void)(p), (T)(a))
#include "exec/kernels/levels/reduce_template.h"

#define T uint8_t
#define A uint8_t
#define NAME(x) sum_u8_##x
#define MAP(x) (x)
#define FOLD(a, b) ((A)((a) + (b)))
#define IDENTITY 0
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"

#define T int16_t
#define A uint16_t
#define NAME(x) sum_i16_##x
#define MAP(x) ((A)(x))
#define FOLD(a, b) ((A)((a) + (b)))
#define IDENTITY 0
#define FINISH(p, a) ((void)(p), (T)(a))
#include "exec/kernels/levels/reduce_template.h"
#endif

#define T int32_t
#define A uint32_t
#define NAME(x) sum_i32_##x
#define MAP(x) ((A)(x))
#define FOLD(a, b) ((a) + (b))
#define IDENTITY 0
#define FINISH(p, a) ((void)(p), (T)(a))
#include "exec/kernels/levels/reduce_template.h"

#define T int64_t
#define A uint64_t
#define NAME(x) sum_i64_##x
#define MAP(x) ((A)(x))
#define FOLD(a, b) ((a) + (b))
#define IDENTITY 0
#define FINISH(p, a) ((void)(p), (T)(a))
#include "exec/kernels/levels/reduce_template.h"

// --- products ---------------------------------------------------------------

// Nothing is skipped: 0·∞ is NaN, wherever it comes in the tree. Narrow
// products are made in 32 unsigned bits: two u16 would overflow the int they
// promote to.

#define T float
#define A float
#define NAME(x) prod_f32_##x
#define MAP(x) (x)
#define FOLD(a, b) ((a) * (b))
#define IDENTITY 1
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"

#define T double
#define A double
#define NAME(x) prod_f64_##x
#define MAP(x) (x)
#define FOLD(a, b) ((a) * (b))
#define IDENTITY 1
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"

#if TIR_SMALL_INTS
#define T int8_t
#define A uint8_t
#define NAME(x) prod_i8_##x
#define MAP(x) ((A)(x))
#define FOLD(a, b) ((A)((uint32_t)(a) * (b)))
#define IDENTITY 1
#define FINISH(p, a) ((void)(p), (T)(a))
#include "exec/kernels/levels/reduce_template.h"

#define T uint8_t
#define A uint8_t
#define NAME(x) prod_u8_##x
#define MAP(x) ((A)(x))
#define FOLD(a, b) ((A)((uint32_t)(a) * (b)))
#define IDENTITY 1
#define FINISH(p, a) ((void)(p), (T)(a))
#include "exec/kernels/levels/reduce_template.h"

#define T int16_t
#define A uint16_t
#define NAME(x) prod_i16_##x
#define MAP(x) ((A)(x))
#define FOLD(a, b) ((A)((uint32_t)(a) * (b)))
#define IDENTITY 1
#define FINISH(p, a) ((void)(p), (T)(a))
#include "exec/kernels/levels/reduce_template.h"
#endif

#define T int32_t
#define A uint32_t
#define NAME(x) prod_i32_##x
#define MAP(x) ((A)(x))
#define FOLD(a, b) ((a) * (b))
#define IDENTITY 1
#define FINISH(p, a) ((void)(p), (T)(a))
#include "exec/kernels/levels/reduce_template.h"

#define T int64_t
#define A uint64_t
#define NAME(x) prod_i64_##x
#define MAP(x) ((A)(x))
#define FOLD(a, b) ((a) * (b))
#define IDENTITY 1
#define FINISH(p, a) ((void)(p), (T)(a))
#include "exec/kernels/levels/reduce_template.h"

// --- maxima and minima ------------------------------------------------------

// Floats as integers of the same order: −0 below +0, every NaN as `nan`, which
// is above all or below all. The fold is then a single operation, and any order
// of it gives the same element. Of negative numbers all bits but the sign are
// turned over, since their magnitude orders the wrong way round.
static inline int32_t key_f32(float x, int32_t nan) {
  const uint32_t bits = tir_bits_f32(x);
  const uint32_t sign = (uint32_t)((int32_t)bits >> 31);
  const int32_t key = (int32_t)(bits ^ (sign & 0x7fffffffu));
  return (bits & 0x7fffffffu) > 0x7f800000u ? nan : key;
}

// The inverse; `nan` becomes a NaN again: INT32_MAX has all bits but the sign,
// INT32_MIN turns into all bits.
static inline float from_key_f32(int32_t key) {
  const uint32_t sign = (uint32_t)(key >> 31);
  return tir_from_bits_f32((uint32_t)key ^ (sign & 0x7fffffffu));
}

static inline int64_t key_f64(double x, int64_t nan) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint64_t sign = (uint64_t)((int64_t)bits >> 63);
  const int64_t key = (int64_t)(bits ^ (sign & (uint64_t)INT64_MAX));
  return (bits & (uint64_t)INT64_MAX) > 0x7ff0000000000000u ? nan : key;
}

static inline double from_key_f64(int64_t key) {
  const uint64_t sign = (uint64_t)(key >> 63);
  const uint64_t bits = (uint64_t)key ^ (sign & (uint64_t)INT64_MAX);
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// Each evaluates an operand twice: callers give no side effects.
#define INT_MAX_FOLD(a, b) ((a) > (b) ? (a) : (b))
#define INT_MIN_FOLD(a, b) ((a) < (b) ? (a) : (b))

#define T float
#define A int32_t
#define NAME(x) max_f32_##x
// A NaN wins against everything.
#define MAP(x) key_f32(x, INT32_MAX)
#define FOLD(a, b) INT_MAX_FOLD(a, b)
#define IDENTITY INT32_MIN
#define FINISH(p, a) ((void)(p), from_key_f32(a))
#include "exec/kernels/levels/reduce_template.h"

#define T double
#define A int64_t
#define NAME(x) max_f64_##x
#define MAP(x) key_f64(x, INT64_MAX)
#define FOLD(a, b) INT_MAX_FOLD(a, b)
#define IDENTITY INT64_MIN
#define FINISH(p, a) ((void)(p), from_key_f64(a))
#include "exec/kernels/levels/reduce_template.h"

#if TIR_SMALL_INTS
#define T int8_t
#define A int8_t
#define NAME(x) max_i8_##x
#define MAP(x) (x)
#define FOLD(a, b) INT_MAX_FOLD(a, b)
#define IDENTITY INT8_MIN
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"

#define T uint8_t
#define A uint8_t
#define NAME(x) max_u8_##x
#define MAP(x) (x)
#define FOLD(a, b) INT_MAX_FOLD(a, b)
#define IDENTITY 0
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"

#define T int16_t
#define A int16_t
#define NAME(x) max_i16_##x
#define MAP(x) (x)
#define FOLD(a, b) INT_MAX_FOLD(a, b)
#define IDENTITY INT16_MIN
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"
#endif

#define T int32_t
#define A int32_t
#define NAME(x) max_i32_##x
#define MAP(x) (x)
#define FOLD(a, b) INT_MAX_FOLD(a, b)
#define IDENTITY INT32_MIN
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"

#define T int64_t
#define A int64_t
#define NAME(x) max_i64_##x
#define MAP(x) (x)
#define FOLD(a, b) INT_MAX_FOLD(a, b)
#define IDENTITY INT64_MIN
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"

#define T float
#define A int32_t
#define NAME(x) min_f32_##x
// Here a NaN is the least.
#define MAP(x) key_f32(x, INT32_MIN)
#define FOLD(a, b) INT_MIN_FOLD(a, b)
#define IDENTITY INT32_MAX
#define FINISH(p, a) ((void)(p), from_key_f32(a))
#include "exec/kernels/levels/reduce_template.h"

#define T double
#define A int64_t
#define NAME(x) min_f64_##x
#define MAP(x) key_f64(x, INT64_MIN)
#define FOLD(a, b) INT_MIN_FOLD(a, b)
#define IDENTITY INT64_MAX
#define FINISH(p, a) ((void)(p), from_key_f64(a))
#include "exec/kernels/levels/reduce_template.h"

#if TIR_SMALL_INTS
#define T int8_t
#define A int8_t
#define NAME(x) min_i8_##x
#define MAP(x) (x)
#define FOLD(a, b) INT_MIN_FOLD(a, b)
#define IDENTITY INT8_MAX
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"

#define T uint8_t
#define A uint8_t
#define NAME(x) min_u8_##x
#define MAP(x) (x)
#define FOLD(a, b) INT_MIN_FOLD(a, b)
#define IDENTITY UINT8_MAX
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"

#define T int16_t
#define A int16_t
#define NAME(x) min_i16_##x
#define MAP(x) (x)
#define FOLD(a, b) INT_MIN_FOLD(a, b)
#define IDENTITY INT16_MAX
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"
#endif

#define T int32_t
#define A int32_t
#define NAME(x) min_i32_##x
#define MAP(x) (x)
#define FOLD(a, b) INT_MIN_FOLD(a, b)
#define IDENTITY INT32_MAX
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"

#define T int64_t
#define A int64_t
#define NAME(x) min_i64_##x
#define MAP(x) (x)
#define FOLD(a, b) INT_MIN_FOLD(a, b)
#define IDENTITY INT64_MAX
#define FINISH(p, a) ((void)(p), (a))
#include "exec/kernels/levels/reduce_template.h"

// --- norms ------------------------------------------------------------------

// Squares of f32 fit double with room to spare: they are below 2^256, so
// nothing overflows. Those of f64 are scaled: kernels/reduce.c.
#define T float
#define A double
#define NAME(x) norm_f32_##x
#define MAP(x) ((double)(x) * (double)(x))
#define FOLD(a, b) ((a) + (b))
#define IDENTITY 0.0
#define FINISH(p, a) ((void)(p), (float)__builtin_sqrt(a))
#include "exec/kernels/levels/reduce_template.h"

// --- argmax and argmin ------------------------------------------------------

#define T float
#define NAME(x) argmax_f32_##x
#define BEATS(a, b) ((a) > (b))
#define IS_NAN(x) ((x) != (x))
#include "exec/kernels/levels/argbest_template.h"

#define T double
#define NAME(x) argmax_f64_##x
#define BEATS(a, b) ((a) > (b))
#define IS_NAN(x) ((x) != (x))
#include "exec/kernels/levels/argbest_template.h"

#if TIR_SMALL_INTS
#define T int8_t
#define NAME(x) argmax_i8_##x
#define BEATS(a, b) ((a) > (b))
#define IS_NAN(x) 0
#include "exec/kernels/levels/argbest_template.h"

#define T uint8_t
#define NAME(x) argmax_u8_##x
#define BEATS(a, b) ((a) > (b))
#define IS_NAN(x) 0
#include "exec/kernels/levels/argbest_template.h"

#define T int16_t
#define NAME(x) argmax_i16_##x
#define BEATS(a, b) ((a) > (b))
#define IS_NAN(x) 0
#include "exec/kernels/levels/argbest_template.h"
#endif

#define T int32_t
#define NAME(x) argmax_i32_##x
#define BEATS(a, b) ((a) > (b))
#define IS_NAN(x) 0
#include "exec/kernels/levels/argbest_template.h"

#define T int64_t
#define NAME(x) argmax_i64_##x
#define BEATS(a, b) ((a) > (b))
#define IS_NAN(x) 0
#include "exec/kernels/levels/argbest_template.h"

#define T float
#define NAME(x) argmin_f32_##x
#define BEATS(a, b) ((a) < (b))
#define IS_NAN(x) ((x) != (x))
#include "exec/kernels/levels/argbest_template.h"

#define T double
#define NAME(x) argmin_f64_##x
#define BEATS(a, b) ((a) < (b))
#define IS_NAN(x) ((x) != (x))
#include "exec/kernels/levels/argbest_template.h"

#if TIR_SMALL_INTS
#define T int8_t
#define NAME(x) argmin_i8_##x
#define BEATS(a, b) ((a) < (b))
#define IS_NAN(x) 0
#include "exec/kernels/levels/argbest_template.h"

#define T uint8_t
#define NAME(x) argmin_u8_##x
#define BEATS(a, b) ((a) < (b))
#define IS_NAN(x) 0
#include "exec/kernels/levels/argbest_template.h"

#define T int16_t
#define NAME(x) argmin_i16_##x
#define BEATS(a, b) ((a) < (b))
#define IS_NAN(x) 0
#include "exec/kernels/levels/argbest_template.h"
#endif

#define T int32_t
#define NAME(x) argmin_i32_##x
#define BEATS(a, b) ((a) < (b))
#define IS_NAN(x) 0
#include "exec/kernels/levels/argbest_template.h"

#define T int64_t
#define NAME(x) argmin_i64_##x
#define BEATS(a, b) ((a) < (b))
#define IS_NAN(x) 0
#include "exec/kernels/levels/argbest_template.h"

// Fields of tir_exec_fold, in order.
#define TIR_FOLD_ENTRY(name) \
  { name##_kernel, name##_finish, name##_row_part, name##_finish_rows }
#define TIR_BEST_ENTRY(name) \
  { name##_kernel, name##_finish }

#if TIR_SMALL_INTS
// They follow on the entries before them, hence the comma.
#define TIR_SMALL_ENTRIES(ENTRY, name)                                    \
  , [TIR_DTYPE_I8] = ENTRY(name##_i8), [TIR_DTYPE_U8] = ENTRY(name##_u8), \
    [TIR_DTYPE_I16] = ENTRY(name##_i16)
#else
#define TIR_SMALL_ENTRIES(ENTRY, name)
#endif

#define TIR_ENTRIES(ENTRY, name)                                              \
  {                                                                           \
    [TIR_DTYPE_F32] = ENTRY(name##_f32), [TIR_DTYPE_F64] = ENTRY(name##_f64), \
    [TIR_DTYPE_I32] = ENTRY(name##_i32),                                      \
    [TIR_DTYPE_I64] = ENTRY(name##_i64) TIR_SMALL_ENTRIES(ENTRY, name)        \
  }

const tir_exec_level_reduce TIR_LEVEL(tir_exec_reduce) = {
    .sum = TIR_ENTRIES(TIR_FOLD_ENTRY, sum),
    .prod = TIR_ENTRIES(TIR_FOLD_ENTRY, prod),
    .max = TIR_ENTRIES(TIR_FOLD_ENTRY, max),
    .min = TIR_ENTRIES(TIR_FOLD_ENTRY, min),
    .norm = {[TIR_DTYPE_F32] = TIR_FOLD_ENTRY(norm_f32)},
    .argmax = TIR_ENTRIES(TIR_BEST_ENTRY, argmax),
    .argmin = TIR_ENTRIES(TIR_BEST_ENTRY, argmin),
};
