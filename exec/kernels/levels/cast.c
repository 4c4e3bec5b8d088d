// Conversions frequent enough for a loop of their own. Every other pair takes
// the two steps of kernels/cast.c.
#include "exec/kernels/levels/loops.h"
#include "exec/kernels/levels/math.h"

TIR_LOOP_1(f32_to_f64, double, float, x)
TIR_LOOP_1(f64_to_f32, float, double, x)
TIR_LOOP_1(i32_to_f32, float, int32_t, x)
TIR_LOOP_1(i64_to_f32, float, int64_t, x)
TIR_LOOP_1(u8_to_f32, float, uint8_t, x)
TIR_LOOP_1(bool_to_f32, float, uint8_t, x != 0)
TIR_LOOP_1(bool_to_f64, double, uint8_t, x != 0)
TIR_LOOP_1(i64_to_f64, double, int64_t, x)
TIR_LOOP_1(i32_to_f64, double, int32_t, x)
TIR_LOOP_1(i32_to_i64, int64_t, int32_t, x)

static inline float from_bf16(uint16_t x) {
  return tir_from_bits_f32((uint32_t)x << 16);
}

// To nearest even. A NaN keeps its upper bits and is made quiet, so that it
// cannot round to an infinity.
static inline uint16_t to_bf16(float x) {
  const uint32_t bits = tir_bits_f32(x);
  const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  const uint32_t quiet = bits >> 16 | 0x40u;
  return (uint16_t)(x != x ? quiet : rounded);
}

// Exponents are moved by a multiplication, which also normalises subnormal
// halves; infinities and NaNs then only lack the exponent's top.
static inline float from_f16(uint16_t x) {
  const uint32_t magnitude = (uint32_t)(x & 0x7fffu) << 13;
  const float moved =
      tir_from_bits_f32(magnitude) * tir_from_bits_f32(0x77800000u);
  const uint32_t finite = tir_bits_f32(moved);
  const uint32_t special = magnitude | 0x7f800000u;
  const uint32_t bits = magnitude >= 0x0f800000u ? special : finite;
  return tir_from_bits_f32(bits | (uint32_t)(x & 0x8000u) << 16);
}

// To nearest even. Normal results round in integer arithmetic; subnormal ones
// by adding 0.5, whose last bit is the last bit of a subnormal half.
static inline uint16_t to_f16(float x) {
  const uint32_t bits = tir_bits_f32(x);
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t normal =
      (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
  const float shifted = tir_from_bits_f32(magnitude) + 0.5f;
  const uint32_t small = tir_bits_f32(shifted) - 0x3f000000u;
  uint32_t half = magnitude < 0x38800000u ? small : normal;
  half = magnitude >= 0x477ff000u ? 0x7c00u : half;
  half = magnitude > 0x7f800000u ? 0x7e00u : half;
  return (uint16_t)(half | (bits >> 16 & 0x8000u));
}

TIR_LOOP_1(bf16_to_f32, float, uint16_t, from_bf16(x))
TIR_LOOP_1(f32_to_bf16, uint16_t, float, to_bf16(x))
TIR_LOOP_1(f16_to_f32, float, uint16_t, from_f16(x))
TIR_LOOP_1(f32_to_f16, uint16_t, float, to_f16(x))

const tir_exec_level_cast TIR_LEVEL(tir_exec_cast) = {
    .to[TIR_DTYPE_F32] = {[TIR_DTYPE_F64] = f32_to_f64,
                          [TIR_DTYPE_F16] = f32_to_f16,
                          [TIR_DTYPE_BF16] = f32_to_bf16},
    .to[TIR_DTYPE_F64] = {[TIR_DTYPE_F32] = f64_to_f32},
    .to[TIR_DTYPE_F16] = {[TIR_DTYPE_F32] = f16_to_f32},
    .to[TIR_DTYPE_BF16] = {[TIR_DTYPE_F32] = bf16_to_f32},
    .to[TIR_DTYPE_U8] = {[TIR_DTYPE_F32] = u8_to_f32},
    .to[TIR_DTYPE_I32] = {[TIR_DTYPE_F32] = i32_to_f32,
                          [TIR_DTYPE_F64] = i32_to_f64,
                          [TIR_DTYPE_I64] = i32_to_i64},
    .to[TIR_DTYPE_I64] =
        {[TIR_DTYPE_F32] = i64_to_f32, [TIR_DTYPE_F64] = i64_to_f64},
    .to[TIR_DTYPE_BOOL] =
        {[TIR_DTYPE_F32] = bool_to_f32, [TIR_DTYPE_F64] = bool_to_f64},
};
