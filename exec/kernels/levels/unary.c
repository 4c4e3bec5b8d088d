// Loops of elementwise ops with one operand.
//
// f32 functions are branch-free and vectorised: math.h in f32, wide_math.h in
// f64 with one rounding. f64 functions are libm's, one element at a time.
#include "exec/kernels/levels/exps.h"
#include "exec/kernels/levels/loops.h"
#include "exec/kernels/levels/wide_math.h"

// f32 expressions of many operations go in pieces (loops.h); all others take
// the plain loop.
TIR_LOOP_1(neg_f32, float, float, -x)
TIR_LOOP_1(neg_f64, double, double, -x)
TIR_LOOP_1(abs_f32, float, float, __builtin_fabsf(x))
TIR_LOOP_1(abs_f64, double, double, __builtin_fabs(x))
TIR_LOOP_1(square_f32, float, float, x *x)
TIR_LOOP_1(square_f64, double, double, x *x)
TIR_LOOP_1(sqrt_f32, float, float, __builtin_sqrtf(x))
TIR_LOOP_1(sqrt_f64, double, double, __builtin_sqrt(x))
TIR_LOOP_PIECES_F32(log_f32, tir_log_f32(x))
TIR_LOOP_1(log_f64, double, double, log(x))
TIR_LOOP_PIECES_F32(tanh_f32, tir_tanh_f32(x))
TIR_LOOP_1(tanh_f64, double, double, tanh(x))
TIR_LOOP_PIECES_F32(sigmoid_f32, tir_sigmoid_f32(x))
TIR_LOOP_1(sigmoid_f64, double, double, tir_sigmoid_f64(x))
// Two roundings of half a unit each.
TIR_LOOP_1(rsqrt_f32, float, float, 1.0f / __builtin_sqrtf(x))
TIR_LOOP_1(rsqrt_f64, double, double, 1.0 / __builtin_sqrt(x))
TIR_LOOP_PIECES_F32(expm1_f32, tir_expm1_f32(x))
TIR_LOOP_1(expm1_f64, double, double, expm1(x))
TIR_LOOP_PIECES_F32(log1p_f32, tir_log1p_f32(x))
TIR_LOOP_1(log1p_f64, double, double, log1p(x))
TIR_LOOP_PIECES_F32(erf_f32, tir_erf_f32(x))
TIR_LOOP_1(erf_f64, double, double, erf(x))
TIR_LOOP_PIECES_F32(softplus_f32, tir_softplus_f32(x))
TIR_LOOP_1(softplus_f64, double, double, tir_softplus_f64(x))
TIR_LOOP_PIECES_F32(silu_f32, tir_silu_f32(x))
TIR_LOOP_1(silu_f64, double, double, tir_silu_f64(x))
TIR_LOOP_PIECES_F32(gelu_f32, tir_gelu_f32(x))
TIR_LOOP_1(gelu_f64, double, double, tir_gelu_f64(x))
TIR_LOOP_PIECES_F32(gelu_tanh_f32, tir_gelu_tanh_f32(x))
TIR_LOOP_1(gelu_tanh_f64, double, double, tir_gelu_tanh_f64(x))

// sin and cos: all elements first, then the rare large ones (inf and NaN too)
// again, by themselves, so that no result depends on a neighbour.
#define TIR_TRIG_PIECE(name, expr, exact)                         \
  static inline void name##_piece(float *to, const float *from) { \
    float y[16];                                                  \
    int all_small = 1;                                            \
    for (int i = 0; i < 16; i++)                                  \
      all_small &= __builtin_fabsf(from[i]) <= TIR_TRIG_LIMIT;    \
    for (int i = 0; i < 16; i++) {                                \
      const float x = from[i];                                    \
      y[i] = (expr);                                              \
    }                                                             \
    for (int i = 0; !all_small && i < 16; i++)                    \
      if (!(__builtin_fabsf(from[i]) <= TIR_TRIG_LIMIT))          \
        y[i] = (float)exact((double)from[i]);                     \
    memcpy(to, y, sizeof y);                                      \
  }
TIR_TRIG_PIECE(sin_f32, tir_sin_f32(x, 0), sin)
TIR_PIECES_F32(sin_f32)
TIR_TRIG_PIECE(cos_f32, tir_sin_f32(x, 1), cos)
TIR_PIECES_F32(cos_f32)
TIR_LOOP_1(sin_f64, double, double, sin(x))
TIR_LOOP_1(cos_f64, double, double, cos(x))

// A NaN passes; −0 becomes +0, as maximum(x, +0) has it.
TIR_LOOP_1(relu_f32, float, float, ((x > 0.0f) | (x != x)) ? x : 0.0f)
TIR_LOOP_1(relu_f64, double, double, ((x > 0.0) | (x != x)) ? x : 0.0)

// Integers wrap: −INT_MIN and |INT_MIN| are INT_MIN.
#define TIR_INT_LOOPS(suffix, T, W)           \
  TIR_LOOP_1(neg_##suffix, T, T, (W)0 - (W)x) \
  TIR_LOOP_1(square_##suffix, T, T, (W)x *(W)x)
TIR_INTS(TIR_INT_LOOPS)
#undef TIR_INT_LOOPS

#define TIR_SIGNED_LOOPS(suffix, T, W)                       \
  TIR_LOOP_1(abs_##suffix, T, T, x < 0 ? (W)0 - (W)x : (W)x) \
  TIR_LOOP_1(relu_##suffix, T, T, x < 0 ? (T)0 : x)
TIR_SIGNED_LOOPS(i8, int8_t, uint32_t)
TIR_SIGNED_LOOPS(i16, int16_t, uint32_t)
TIR_SIGNED_LOOPS(i32, int32_t, uint32_t)
TIR_SIGNED_LOOPS(i64, int64_t, uint64_t)
#undef TIR_SIGNED_LOOPS
// abs and relu of what has no sign.
TIR_LOOP_1(same_u8, uint8_t, uint8_t, x)

#define TIR_FLOAT_ENTRIES(name) \
  [TIR_DTYPE_F32] = name##_f32, [TIR_DTYPE_F64] = name##_f64
#define TIR_SIGNED_ENTRIES(name)                            \
  [TIR_DTYPE_I8] = name##_i8, [TIR_DTYPE_I16] = name##_i16, \
  [TIR_DTYPE_I32] = name##_i32, [TIR_DTYPE_I64] = name##_i64

// What is not named is NULL: there is no such kernel.
const tir_exec_level_unary TIR_LEVEL(tir_exec_unary) = {
    .neg = {TIR_FLOAT_ENTRIES(neg),
            TIR_SIGNED_ENTRIES(neg), [TIR_DTYPE_U8] = neg_u8},
    .abs = {TIR_FLOAT_ENTRIES(abs),
            TIR_SIGNED_ENTRIES(abs), [TIR_DTYPE_U8] = same_u8},
    .square = {TIR_FLOAT_ENTRIES(square),
               TIR_SIGNED_ENTRIES(square), [TIR_DTYPE_U8] = square_u8},
    .sqrt = {TIR_FLOAT_ENTRIES(sqrt)},
    .exp = {TIR_FLOAT_ENTRIES(exp)},
    .log = {TIR_FLOAT_ENTRIES(log)},
    .tanh = {TIR_FLOAT_ENTRIES(tanh)},
    .sigmoid = {TIR_FLOAT_ENTRIES(sigmoid)},
    .rsqrt = {TIR_FLOAT_ENTRIES(rsqrt)},
    .expm1 = {TIR_FLOAT_ENTRIES(expm1)},
    .log1p = {TIR_FLOAT_ENTRIES(log1p)},
    .erf = {TIR_FLOAT_ENTRIES(erf)},
    .sin = {TIR_FLOAT_ENTRIES(sin)},
    .cos = {TIR_FLOAT_ENTRIES(cos)},
    .softplus = {TIR_FLOAT_ENTRIES(softplus)},
    .silu = {TIR_FLOAT_ENTRIES(silu)},
    .gelu = {TIR_FLOAT_ENTRIES(gelu)},
    .gelu_tanh = {TIR_FLOAT_ENTRIES(gelu_tanh)},
    .relu = {TIR_FLOAT_ENTRIES(relu),
             TIR_SIGNED_ENTRIES(relu), [TIR_DTYPE_U8] = same_u8},
};
