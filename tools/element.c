// Elements of tensors as double, whatever their dtype.
#include <math.h>
#include <string.h>

#include "tool.h"

bool tool_is_float(tir_dtype dtype) {
  return dtype == TIR_DTYPE_F32 || dtype == TIR_DTYPE_F64;
}

bool tool_is_half(tir_dtype dtype) {
  return dtype == TIR_DTYPE_F16 || dtype == TIR_DTYPE_BF16;
}

// Sign, 5 bits of exponent, 10 of mantissa.
static double f16_element(uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f, mantissa = bits & 0x3ff;
  double x;
  if (exponent == 0x1f)
    x = mantissa ? (double)NAN : (double)INFINITY;
  else if (exponent == 0)
    // Subnormal: there is no leading one.
    x = ldexp(mantissa, -24);
  else
    x = ldexp(mantissa + 0x400, exponent - 25);
  return bits >> 15 ? -x : x;
}

// The upper half of an f32.
static double bf16_element(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float x;
  memcpy(&x, &wide, sizeof x);
  return (double)x;
}

double tool_element(const tir_tensor *tensor, size_t i) {
  const void *data = tir_tensor_data(tensor);
  switch (tir_tensor_dtype(tensor)) {
    case TIR_DTYPE_F32:
      return (double)((const float *)data)[i];
    case TIR_DTYPE_F64:
      return ((const double *)data)[i];
    case TIR_DTYPE_F16:
      return f16_element(((const uint16_t *)data)[i]);
    case TIR_DTYPE_BF16:
      return bf16_element(((const uint16_t *)data)[i]);
    case TIR_DTYPE_I8:
      return ((const int8_t *)data)[i];
    case TIR_DTYPE_I16:
      return ((const int16_t *)data)[i];
    case TIR_DTYPE_I32:
      return ((const int32_t *)data)[i];
    case TIR_DTYPE_I64:
      return (double)((const int64_t *)data)[i];
    case TIR_DTYPE_U8:
    case TIR_DTYPE_BOOL:
      return ((const uint8_t *)data)[i];
    case TIR_DTYPE_INVALID:
      break;
  }
  // No tensor has another dtype.
  return (double)NAN;
}
