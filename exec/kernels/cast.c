// Conversions between any two dtypes.
//
// Frequent pairs have loops in levels/cast.c. The others go in two steps
// through a block of doubles (from floats) or int64 (from integers and bool),
// which is exact, so the second step rounds once.
#include <math.h>
#include <string.h>

#include "exec/kernels/levels.h"

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

typedef void (*convert_fn)(int64_t n, void *out, const void *in);

TIR_WIDEN_LOOP(widen_f32, double, float, (double)x)
TIR_WIDEN_LOOP(widen_f64, double, double, x)
TIR_WIDEN_LOOP(widen_f16, double, uint16_t, (double)tir_ir_f16_to_f32(x))
TIR_WIDEN_LOOP(widen_bf16, double, uint16_t, (double)tir_ir_bf16_to_f32(x))
TIR_WIDEN_LOOP(widen_i8, int64_t, int8_t, x)
TIR_WIDEN_LOOP(widen_u8, int64_t, uint8_t, x)
TIR_WIDEN_LOOP(widen_i16, int64_t, int16_t, x)
TIR_WIDEN_LOOP(widen_i32, int64_t, int32_t, x)
TIR_WIDEN_LOOP(widen_i64, int64_t, int64_t, x)
TIR_WIDEN_LOOP(widen_bool, int64_t, uint8_t, x != 0)

static const convert_fn widen[TIR_N_DTYPES] = {
    [TIR_DTYPE_F32] = widen_f32, [TIR_DTYPE_F64] = widen_f64,
    [TIR_DTYPE_F16] = widen_f16, [TIR_DTYPE_BF16] = widen_bf16,
    [TIR_DTYPE_I8] = widen_i8,   [TIR_DTYPE_U8] = widen_u8,
    [TIR_DTYPE_I16] = widen_i16, [TIR_DTYPE_I32] = widen_i32,
    [TIR_DTYPE_I64] = widen_i64, [TIR_DTYPE_BOOL] = widen_bool,
};

// --- second step: round or saturate ------------------------------------------

// Truncates toward zero and saturates; NaN becomes 0. `limit` is the largest
// value + 1 as a power of two.
static int64_t saturate_f64(double x, int64_t min, int64_t max) {
  if (x != x) return 0;
  if (x <= (double)min) return min;
  if (x >= (double)max) return max;
  return (int64_t)x;
}

static int64_t saturate_i64(int64_t x, int64_t min, int64_t max) {
  return x < min ? min : x > max ? max : x;
}

// An int64 as a double rounded to odd: what does not fit is or-ed into the
// last bit, so that rounding the double once more rounds the integer once.
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
TIR_WIDEN_LOOP(bool_from_f64, uint8_t, double, x != 0)
TIR_WIDEN_LOOP(bool_from_i64, uint8_t, int64_t, x != 0)
TIR_WIDEN_LOOP(f32_from_f64, float, double, (float)x)
TIR_WIDEN_LOOP(f32_from_i64, float, int64_t, (float)x)
TIR_WIDEN_LOOP(f64_from_f64, double, double, x)
TIR_WIDEN_LOOP(f64_from_i64, double, int64_t, (double)x)
TIR_WIDEN_LOOP(f16_from_f64, uint16_t, double, tir_ir_f64_to_f16(x))
TIR_WIDEN_LOOP(f16_from_i64, uint16_t, int64_t,
               tir_ir_f64_to_f16(odd_double(x)))
TIR_WIDEN_LOOP(bf16_from_f64, uint16_t, double, tir_ir_f64_to_bf16(x))
TIR_WIDEN_LOOP(bf16_from_i64, uint16_t, int64_t,
               tir_ir_f64_to_bf16(odd_double(x)))

static const convert_fn from_f64[TIR_N_DTYPES] = {
    [TIR_DTYPE_F32] = f32_from_f64, [TIR_DTYPE_F64] = f64_from_f64,
    [TIR_DTYPE_F16] = f16_from_f64, [TIR_DTYPE_BF16] = bf16_from_f64,
    [TIR_DTYPE_I8] = i8_from_f64,   [TIR_DTYPE_U8] = u8_from_f64,
    [TIR_DTYPE_I16] = i16_from_f64, [TIR_DTYPE_I32] = i32_from_f64,
    [TIR_DTYPE_I64] = i64_from_f64, [TIR_DTYPE_BOOL] = bool_from_f64,
};
static const convert_fn from_i64[TIR_N_DTYPES] = {
    [TIR_DTYPE_F32] = f32_from_i64, [TIR_DTYPE_F64] = f64_from_i64,
    [TIR_DTYPE_F16] = f16_from_i64, [TIR_DTYPE_BF16] = bf16_from_i64,
    [TIR_DTYPE_I8] = i8_from_i64,   [TIR_DTYPE_U8] = u8_from_i64,
    [TIR_DTYPE_I16] = i16_from_i64, [TIR_DTYPE_I32] = i32_from_i64,
    [TIR_DTYPE_I64] = i64_from_i64, [TIR_DTYPE_BOOL] = bool_from_i64,
};

// --- kernel ------------------------------------------------------------------

typedef struct cast_params {
  convert_fn first, second;
  int64_t n;
  size_t in_size, out_size;
  int64_t per_unit;
} cast_params;

static tir_status cast_run(const tir_exec_call *call) {
  const cast_params *const p = call->params;
  _Alignas(64) char wide[TIR_EXEC_BLOCK * 8];
  const char *const in = tir_exec_arg(call, 0);
  char *const out = tir_exec_arg(call, 1);
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  for (int64_t i = span.first; i < span.end; i += TIR_EXEC_BLOCK) {
    const int64_t m =
        span.end - i < TIR_EXEC_BLOCK ? span.end - i : TIR_EXEC_BLOCK;
    p->first(m, wide, in + (size_t)i * p->in_size);
    p->second(m, out + (size_t)i * p->out_size, wide);
  }
  return TIR_OK;
}

static tir_status cast_prepare(tir_exec_prepare *q) {
  const tir_dtype from = q->in[0].dtype;
  const tir_dtype to = q->out[0].dtype;
  const tir_exec_level_cast *const level =
      TIR_AT_LEVEL(tir_exec_cast, q->cpu_level);
  if (level->to[from][to])
    return tir_exec_prepare_elementwise(q, 1, level->to[from][to]);
  cast_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  p->first = widen[from];
  p->second = tir_ir_dtype_is_float(from) ? from_f64[to] : from_i64[to];
  p->n = tir_ir_type_numel(&q->out[0]);
  p->in_size = tir_dtype_size(from);
  p->out_size = tir_dtype_size(to);
  p->per_unit = tir_exec_cut(q, p->n, 8);
  q->run = cast_run;
  q->params = p;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_cast = {.prepare = cast_prepare};
