// Dtypes, and conversion of single elements through double or int64.
//
// Both half formats go through one routine on the bits of a double, so every
// conversion rounds exactly once, also from float: float to double is exact.
//
// Kernels have loops of their own for all of this. What stands here is used for
// literals, text, files and the reference evaluator, where one element at a
// time is fast enough and one definition is worth more.
#include "ir/dtype.h"

#include <string.h>

typedef struct dtype_info {
  const char *name;
  size_t size;
} dtype_info;

// The names are those of the text form and of files: they never change.
static const dtype_info infos[TIR_N_DTYPES] = {
    [TIR_DTYPE_INVALID] = {"invalid", 0}, [TIR_DTYPE_F32] = {"f32", 4},
    [TIR_DTYPE_F64] = {"f64", 8},         [TIR_DTYPE_F16] = {"f16", 2},
    [TIR_DTYPE_BF16] = {"bf16", 2},       [TIR_DTYPE_I8] = {"i8", 1},
    [TIR_DTYPE_U8] = {"u8", 1},           [TIR_DTYPE_I16] = {"i16", 2},
    [TIR_DTYPE_I32] = {"i32", 4},         [TIR_DTYPE_I64] = {"i64", 8},
    [TIR_DTYPE_BOOL] = {"bool", 1},
};

bool tir_ir_dtype_is_valid(tir_dtype dtype) {
  return (int)dtype > TIR_DTYPE_INVALID && (int)dtype < TIR_N_DTYPES;
}

// Never NULL: numbers of dtypes come from files and callers.
const char *tir_dtype_name(tir_dtype dtype) {
  return infos[tir_ir_dtype_is_valid(dtype) ? dtype : TIR_DTYPE_INVALID].name;
}

size_t tir_dtype_size(tir_dtype dtype) {
  return infos[tir_ir_dtype_is_valid(dtype) ? dtype : TIR_DTYPE_INVALID].size;
}

bool tir_ir_dtype_is_float(tir_dtype dtype) {
  return dtype == TIR_DTYPE_F32 || dtype == TIR_DTYPE_F64 ||
         dtype == TIR_DTYPE_F16 || dtype == TIR_DTYPE_BF16;
}

bool tir_ir_dtype_is_integer(tir_dtype dtype) {
  return dtype == TIR_DTYPE_I8 || dtype == TIR_DTYPE_U8 ||
         dtype == TIR_DTYPE_I16 || dtype == TIR_DTYPE_I32 ||
         dtype == TIR_DTYPE_I64;
}

bool tir_ir_dtype_is_compute_float(tir_dtype dtype) {
  return dtype == TIR_DTYPE_F32 || dtype == TIR_DTYPE_F64;
}

// Sizes are compared first: the text need not end with a zero.
tir_dtype tir_ir_dtype_parse(const char *text, size_t size) {
  for (int d = TIR_DTYPE_INVALID + 1; d < TIR_N_DTYPES; d++)
    if (strlen(infos[d].name) == size && memcmp(infos[d].name, text, size) == 0)
      return (tir_dtype)d;
  return TIR_DTYPE_INVALID;
}

// --- halves ----------------------------------------------------------------

// Widths of the fields; with the sign they make 16 bits.
enum {
  F16_EXPONENT = 5,
  F16_MANTISSA = 10,
  BF16_EXPONENT = 8,
  BF16_MANTISSA = 7,
};

// A double to a 16-bit float with these field widths, round to nearest even.
static uint16_t narrow(double x, int exponent_bits, int mantissa_bits) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t sign = (uint32_t)(bits >> 63) << 15;
  const int biased = (int)(bits >> 52 & 0x7FF);
  uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const uint32_t infinity = (uint32_t)(2 * bias + 1) << mantissa_bits;

  if (biased == 0x7FF) {
    if (mantissa == 0) return (uint16_t)(sign | infinity);
    // The top of the payload is kept, and the quiet bit set: cut off alone it
    // could leave no bit at all, which would be an infinity.
    const uint32_t quiet = UINT32_C(1) << (mantissa_bits - 1);
    const uint32_t payload = (uint32_t)(mantissa >> (52 - mantissa_bits));
    return (uint16_t)(sign | infinity | quiet | payload);
  }
  const int exponent = biased - 1023;
  // Rounding can only reach infinity from the exponent below: that is the carry
  // at the end.
  if (exponent > bias) return (uint16_t)(sign | infinity);
  // Below half of the least subnormal; also every subnormal double.
  if (exponent < -bias - mantissa_bits) return (uint16_t)sign;

  // From here x = mantissa · 2^(exponent − 52), with the leading one written
  // out. A subnormal result has fewer digits, so more of them are shifted out;
  // the shift stays below 64 because of the test above.
  mantissa |= UINT64_C(1) << 52;
  int shift = 52 - mantissa_bits;
  uint32_t high = 0;  // exponent field without the mantissa's leading one
  if (exponent < 1 - bias)
    shift += 1 - bias - exponent;
  else
    high = (uint32_t)(exponent + bias - 1) << mantissa_bits;
  uint64_t kept = mantissa >> shift;
  const uint64_t rest = mantissa & ((UINT64_C(1) << shift) - 1);
  const uint64_t half = UINT64_C(1) << (shift - 1);
  // To nearest; halfway to the even neighbour.
  if (rest > half || (rest == half && (kept & 1))) kept++;
  // A carry out of the mantissa steps the exponent, up to infinity.
  return (uint16_t)(sign | (high + (uint32_t)kept));
}

static float float_of_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

uint16_t tir_ir_f64_to_f16(double x) {
  return narrow(x, F16_EXPONENT, F16_MANTISSA);
}

uint16_t tir_ir_f64_to_bf16(double x) {
  return narrow(x, BF16_EXPONENT, BF16_MANTISSA);
}

// By way of double, which is exact: still one rounding.
uint16_t tir_ir_f32_to_f16(float x) { return tir_ir_f64_to_f16((double)x); }

uint16_t tir_ir_f32_to_bf16(float x) { return tir_ir_f64_to_bf16((double)x); }

// Exact. Exponent biases are 15 and 127, so 112 is added; subnormals are
// counted in units of 2^-24.
float tir_ir_f16_to_f32(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16;
  const uint32_t exponent = h >> 10 & 0x1F, mantissa = h & 0x3FF;
  if (exponent == 0x1F)
    return float_of_bits(sign | 0x7F800000 | mantissa << 13);
  if (exponent != 0)
    return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
  const float magnitude = (float)mantissa * 0x1p-24F;
  return sign ? -magnitude : magnitude;
}

// A bfloat16 is the upper half of a float. Exact, NaNs and subnormals included.
float tir_ir_bf16_to_f32(uint16_t b) {
  return float_of_bits((uint32_t)b << 16);
}

// --- single elements -------------------------------------------------------

// Saturates; the comparisons come before the conversion, which would be
// undefined.
static int64_t i64_of_f64(double x) {
  if (x != x) return 0;
  if (x >= 0x1p63) return INT64_MAX;
  if (x <= -0x1p63) return INT64_MIN;
  return (int64_t)x;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) {
  return x < low ? low : x > high ? high : x;
}

// An integer as a double that rounds to a half as the integer would: beyond
// 53 bits the low ones are merged into one sticky bit, so that the conversion
// to double is exact and the only rounding is the one to the half.
static double f64_for_half(int64_t x) {
  // With the low 11 of 64 bits gone 53 are left at most. The sticky bit lies
  // far below the 8 or 11 that a half keeps: all it does is break ties.
  uint64_t u = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
  if (u >> 53) u = (u & ~UINT64_C(0x7FF)) | (u & 0x7FF ? UINT64_C(0x800) : 0);
  return x < 0 ? -(double)u : (double)u;
}

#define LOAD_ELEMENT(type, name) \
  type name;                     \
  memcpy(&name, element, sizeof name)

// By memcpy throughout: elements of files and callers may lie unaligned.
double tir_ir_load_f64(tir_dtype dtype, const void *element) {
  switch (dtype) {
    case TIR_DTYPE_F32: {
      LOAD_ELEMENT(float, x);
      return (double)x;
    }
    case TIR_DTYPE_F64: {
      LOAD_ELEMENT(double, x);
      return x;
    }
    case TIR_DTYPE_F16: {
      LOAD_ELEMENT(uint16_t, x);
      return (double)tir_ir_f16_to_f32(x);
    }
    case TIR_DTYPE_BF16: {
      LOAD_ELEMENT(uint16_t, x);
      return (double)tir_ir_bf16_to_f32(x);
    }
    default:
      return (double)tir_ir_load_i64(dtype, element);
  }
}

// A stored bool may be any byte of a foreign tensor; all but 0 are true.
int64_t tir_ir_load_i64(tir_dtype dtype, const void *element) {
  switch (dtype) {
    case TIR_DTYPE_I8: {
      LOAD_ELEMENT(int8_t, x);
      return x;
    }
    case TIR_DTYPE_U8: {
      LOAD_ELEMENT(uint8_t, x);
      return x;
    }
    case TIR_DTYPE_I16: {
      LOAD_ELEMENT(int16_t, x);
      return x;
    }
    case TIR_DTYPE_I32: {
      LOAD_ELEMENT(int32_t, x);
      return x;
    }
    case TIR_DTYPE_I64: {
      LOAD_ELEMENT(int64_t, x);
      return x;
    }
    case TIR_DTYPE_BOOL: {
      LOAD_ELEMENT(uint8_t, x);
      return x != 0;
    }
    case TIR_DTYPE_F32:
    case TIR_DTYPE_F64:
    case TIR_DTYPE_F16:
    case TIR_DTYPE_BF16:
      return i64_of_f64(tir_ir_load_f64(dtype, element));
    default:
      return 0;
  }
}

// To f32 and f64 by the C conversion, which rounds to nearest even; integers go
// through int64, which holds all of theirs.
void tir_ir_store_f64(tir_dtype dtype, void *element, double x) {
  switch (dtype) {
    case TIR_DTYPE_F32: {
      const float y = (float)x;
      memcpy(element, &y, sizeof y);
      return;
    }
    case TIR_DTYPE_F64:
      memcpy(element, &x, sizeof x);
      return;
    case TIR_DTYPE_F16:
    case TIR_DTYPE_BF16: {
      const uint16_t y =
          dtype == TIR_DTYPE_F16 ? tir_ir_f64_to_f16(x) : tir_ir_f64_to_bf16(x);
      memcpy(element, &y, sizeof y);
      return;
    }
    case TIR_DTYPE_BOOL: {
      const uint8_t y = x != 0;
      memcpy(element, &y, sizeof y);
      return;
    }
    default:
      tir_ir_store_i64(dtype, element, i64_of_f64(x));
  }
}

// Saturates where the dtype is narrower, like every cast.
void tir_ir_store_i64(tir_dtype dtype, void *element, int64_t x) {
  switch (dtype) {
    case TIR_DTYPE_I8: {
      const int8_t y = (int8_t)clamp(x, INT8_MIN, INT8_MAX);
      memcpy(element, &y, sizeof y);
      return;
    }
    case TIR_DTYPE_U8: {
      const uint8_t y = (uint8_t)clamp(x, 0, UINT8_MAX);
      memcpy(element, &y, sizeof y);
      return;
    }
    case TIR_DTYPE_I16: {
      const int16_t y = (int16_t)clamp(x, INT16_MIN, INT16_MAX);
      memcpy(element, &y, sizeof y);
      return;
    }
    case TIR_DTYPE_I32: {
      const int32_t y = (int32_t)clamp(x, INT32_MIN, INT32_MAX);
      memcpy(element, &y, sizeof y);
      return;
    }
    case TIR_DTYPE_I64:
      memcpy(element, &x, sizeof x);
      return;
    case TIR_DTYPE_BOOL: {
      const uint8_t y = x != 0;
      memcpy(element, &y, sizeof y);
      return;
    }
    case TIR_DTYPE_F32: {
      // At once: by way of double it would round twice.
      const float y = (float)x;
      memcpy(element, &y, sizeof y);
      return;
    }
    case TIR_DTYPE_F64:
      tir_ir_store_f64(dtype, element, (double)x);
      return;
    case TIR_DTYPE_F16:
    case TIR_DTYPE_BF16:
      tir_ir_store_f64(dtype, element, f64_for_half(x));
      return;
    default:
      return;
  }
}
