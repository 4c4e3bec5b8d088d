// Loops of elementwise ops with one operand.
#include "exec/kernels/levels/loops.h"
#include "exec/kernels/levels/math.h"

TIR_LOOP_1(neg_f32, float, float, -x)
TIR_LOOP_1(neg_f64, double, double, -x)
TIR_LOOP_1(abs_f32, float, float, __builtin_fabsf(x))
TIR_LOOP_1(abs_f64, double, double, __builtin_fabs(x))
TIR_LOOP_1(square_f32, float, float, x *x)
TIR_LOOP_1(square_f64, double, double, x *x)
TIR_LOOP_1(sqrt_f32, float, float, __builtin_sqrtf(x))
TIR_LOOP_1(sqrt_f64, double, double, __builtin_sqrt(x))
TIR_LOOP_PIECES_F32(exp_f32, tir_exp_f32(x))
TIR_LOOP_1(exp_f64, double, double, exp(x))
TIR_LOOP_PIECES_F32(log_f32, tir_log_f32(x))
TIR_LOOP_1(log_f64, double, double, log(x))
TIR_LOOP_PIECES_F32(tanh_f32, tir_tanh_f32(x))
TIR_LOOP_1(tanh_f64, double, double, tanh(x))
TIR_LOOP_PIECES_F32(sigmoid_f32, tir_sigmoid_f32(x))
TIR_LOOP_1(sigmoid_f64, double, double, tir_sigmoid_f64(x))
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
TIR_LOOP_1(same_u8, uint8_t, uint8_t, x)

#define TIR_FLOAT_ENTRIES(name) \
  [TIR_DTYPE_F32] = name##_f32, [TIR_DTYPE_F64] = name##_f64
#define TIR_SIGNED_ENTRIES(name)                            \
  [TIR_DTYPE_I8] = name##_i8, [TIR_DTYPE_I16] = name##_i16, \
  [TIR_DTYPE_I32] = name##_i32, [TIR_DTYPE_I64] = name##_i64

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
    .relu = {TIR_FLOAT_ENTRIES(relu),
             TIR_SIGNED_ENTRIES(relu), [TIR_DTYPE_U8] = same_u8},
};
