// Conversions between any two dtypes.
//
// Frequent pairs have loops in levels/cast.c. The others go in two steps
// through a block of doubles (from floats) or int64 (from integers and bool),
// which is exact, so the second step rounds once.
#include "exec/kernels/levels.h"

// `truth` is bool, which is a macro and cannot be pasted.

// --- first step: widen -------------------------------------------------------

#define TIR_WIDEN_LOOP(name, WIDE, T, expr)                \
  static void name(int64_t n, void *out, const void *in) { \
    WIDE *const to = out;                                  \
    const T *const from = in;                              \
    for (int64_t i = 0; i < n; i++) {                      \
      const T x = from[i];                                 \
      to[i] = expr;                                        \
    }                                                      \
  }

TIR_WIDEN_LOOP(widen_f32, double, float, (double)x)
TIR_WIDEN_LOOP(widen_f64, double, double, x)
TIR_WIDEN_LOOP(widen_f16, double, uint16_t, (double)tir_ir_f16_to_f32(x))
TIR_WIDEN_LOOP(widen_bf16, double, uint16_t, (double)tir_ir_bf16_to_f32(x))
TIR_WIDEN_LOOP(widen_i8, int64_t, int8_t, x)
TIR_WIDEN_LOOP(widen_u8, int64_t, uint8_t, x)
TIR_WIDEN_LOOP(widen_i16, int64_t, int16_t, x)
TIR_WIDEN_LOOP(widen_i32, int64_t, int32_t, x)
TIR_WIDEN_LOOP(widen_i64, int64_t, int64_t, x)
TIR_WIDEN_LOOP(widen_truth, int64_t, uint8_t, x != 0)

// --- second step: round or saturate ------------------------------------------

// Truncates toward zero and saturates; NaN becomes 0. (double)INT64_MAX is
// 2^63, the first double that does not fit, so >= is right for i64 too; all
// narrower bounds are exact.
static int64_t saturate_f64(double x, int64_t min, int64_t max) {
  if (x != x) return 0;
  if (x <= (double)min) return min;
  if (x >= (double)max) return max;
  return (int64_t)x;
}

static int64_t saturate_i64(int64_t x, int64_t min, int64_t max) {
  return x < min ? min : x > max ? max : x;
}

// An int64 as a double rounded to odd: what does not fit is or-ed into the last
// bit, so that rounding the double once more rounds the integer once. The kept
// bits are 11 … 63, 53 of them, so the conversion below is exact; f16 and bf16
// keep at most 11 of those and round far above the sticky one.
static double odd_double(int64_t x) {
  const uint64_t magnitude = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
  if (magnitude >> 53 == 0) return (double)x;
  const uint64_t kept = magnitude & ~(uint64_t)0x7ff;
  const uint64_t sticky = kept == magnitude ? 0 : 0x800;
  const double y = (double)(kept | sticky);
  return x < 0 ? -y : y;
}

#define TIR_NARROW_INT(suffix, T, MIN, MAX)                                  \
  TIR_WIDEN_LOOP(suffix##_from_f64, T, double, (T)saturate_f64(x, MIN, MAX)) \
  TIR_WIDEN_LOOP(suffix##_from_i64, T, int64_t, (T)saturate_i64(x, MIN, MAX))
TIR_NARROW_INT(i8, int8_t, INT8_MIN, INT8_MAX)
TIR_NARROW_INT(u8, uint8_t, 0, UINT8_MAX)
TIR_NARROW_INT(i16, int16_t, INT16_MIN, INT16_MAX)
TIR_NARROW_INT(i32, int32_t, INT32_MIN, INT32_MAX)
TIR_NARROW_INT(i64, int64_t, INT64_MIN, INT64_MAX)
TIR_WIDEN_LOOP(truth_from_f64, uint8_t, double, x != 0)
TIR_WIDEN_LOOP(truth_from_i64, uint8_t, int64_t, x != 0)
TIR_WIDEN_LOOP(f32_from_f64, float, double, (float)x)
// C rounds an int64 to float or double once. It knows no conversion to f16 and
// bf16, hence the odd double.
TIR_WIDEN_LOOP(f32_from_i64, float, int64_t, (float)x)
TIR_WIDEN_LOOP(f64_from_f64, double, double, x)
TIR_WIDEN_LOOP(f64_from_i64, double, int64_t, (double)x)
TIR_WIDEN_LOOP(f16_from_f64, uint16_t, double, tir_ir_f64_to_f16(x))
TIR_WIDEN_LOOP(f16_from_i64, uint16_t, int64_t,
               tir_ir_f64_to_f16(odd_double(x)))
TIR_WIDEN_LOOP(bf16_from_f64, uint16_t, double, tir_ir_f64_to_bf16(x))
TIR_WIDEN_LOOP(bf16_from_i64, uint16_t, int64_t,
               tir_ir_f64_to_bf16(odd_double(x)))

// --- kernel ------------------------------------------------------------------

// Both steps, block by block. `out` may stand where `a` does if their elements
// are of one size: each block is read before its place is written.
#define TIR_CAST_LOOP(from, wide, to)                                    \
  static void from##_to_##to(int64_t n, void *out, const void *a,        \
                             const void *b, const void *c) {             \
    _Alignas(64) char block[TIR_EXEC_BLOCK * 8];                         \
    const char *at = a;                                                  \
    char *result = out;                                                  \
    (void)b;                                                             \
    (void)c;                                                             \
    for (int64_t i = 0; i < n; i += TIR_EXEC_BLOCK) {                    \
      const int64_t m = n - i < TIR_EXEC_BLOCK ? n - i : TIR_EXEC_BLOCK; \
      widen_##from(m, block, at + (size_t)i * sizeof_##from);            \
      to##_from_##wide(m, result + (size_t)i * sizeof_##to, block);      \
    }                                                                    \
  }

enum {
  sizeof_f32 = 4,
  sizeof_f64 = 8,
  sizeof_f16 = 2,
  sizeof_bf16 = 2,
  sizeof_i8 = 1,
  sizeof_u8 = 1,
  sizeof_i16 = 2,
  sizeof_i32 = 4,
  sizeof_i64 = 8,
  sizeof_truth = 1,
};

#define TIR_CAST_LOOPS(from, wide) \
  TIR_CAST_LOOP(from, wide, f32)   \
  TIR_CAST_LOOP(from, wide, f64)   \
  TIR_CAST_LOOP(from, wide, f16)   \
  TIR_CAST_LOOP(from, wide, bf16)  \
  TIR_CAST_LOOP(from, wide, i8)    \
  TIR_CAST_LOOP(from, wide, u8)    \
  TIR_CAST_LOOP(from, wide, i16)   \
  TIR_CAST_LOOP(from, wide, i32)   \
  TIR_CAST_LOOP(from, wide, i64)   \
  TIR_CAST_LOOP(from, wide, truth)

#define TIR_CAST_ENTRIES(from)                                           \
  {                                                                      \
    [TIR_DTYPE_F32] = from##_to_f32, [TIR_DTYPE_F64] = from##_to_f64,    \
    [TIR_DTYPE_F16] = from##_to_f16, [TIR_DTYPE_BF16] = from##_to_bf16,  \
    [TIR_DTYPE_I8] = from##_to_i8, [TIR_DTYPE_U8] = from##_to_u8,        \
    [TIR_DTYPE_I16] = from##_to_i16, [TIR_DTYPE_I32] = from##_to_i32,    \
    [TIR_DTYPE_I64] = from##_to_i64, [TIR_DTYPE_BOOL] = from##_to_truth, \
  }

TIR_CAST_LOOPS(f32, f64)
TIR_CAST_LOOPS(f64, f64)
TIR_CAST_LOOPS(f16, f64)
TIR_CAST_LOOPS(bf16, f64)
TIR_CAST_LOOPS(i8, i64)
TIR_CAST_LOOPS(u8, i64)
TIR_CAST_LOOPS(i16, i64)
TIR_CAST_LOOPS(i32, i64)
TIR_CAST_LOOPS(i64, i64)
TIR_CAST_LOOPS(truth, i64)

static const tir_exec_loops two_steps[TIR_N_DTYPES] = {
    [TIR_DTYPE_F32] = TIR_CAST_ENTRIES(f32),
    [TIR_DTYPE_F64] = TIR_CAST_ENTRIES(f64),
    [TIR_DTYPE_F16] = TIR_CAST_ENTRIES(f16),
    [TIR_DTYPE_BF16] = TIR_CAST_ENTRIES(bf16),
    [TIR_DTYPE_I8] = TIR_CAST_ENTRIES(i8),
    [TIR_DTYPE_U8] = TIR_CAST_ENTRIES(u8),
    [TIR_DTYPE_I16] = TIR_CAST_ENTRIES(i16),
    [TIR_DTYPE_I32] = TIR_CAST_ENTRIES(i32),
    [TIR_DTYPE_I64] = TIR_CAST_ENTRIES(i64),
    [TIR_DTYPE_BOOL] = TIR_CAST_ENTRIES(truth),
};

// Every pair has a loop; the two steps cost more than a direct one.
static tir_status cast_prepare(tir_exec_prepare *q) {
  const tir_dtype from = q->in[0].dtype;
  const tir_dtype to = q->out[0].dtype;
  const tir_exec_level_cast *const level =
      TIR_AT_LEVEL(tir_exec_cast, q->cpu_level);
  const tir_exec_loop loop = level->to[from][to];
  if (!loop) q->cost = 8;
  return tir_exec_prepare_elementwise(q, 1, loop ? loop : two_steps[from][to]);
}

const tir_exec_kernel_desc tir_kernel_cast = {.prepare = cast_prepare};
