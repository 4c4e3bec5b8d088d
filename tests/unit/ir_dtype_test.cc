// Dtypes: table, halves on every value, rounding, saturation.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "tests/support/internal.h"
#include "tests/support/random.h"

namespace {

const double kInf = std::numeric_limits<double>::infinity();
const double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Dtype, Table) {
  const struct {
    tir_dtype dtype;
    const char *name;
    size_t size;
    bool is_float, is_integer, is_compute;
  } rows[] = {
      {TIR_DTYPE_F32, "f32", 4, true, false, true},
      {TIR_DTYPE_F64, "f64", 8, true, false, true},
      {TIR_DTYPE_F16, "f16", 2, true, false, false},
      {TIR_DTYPE_BF16, "bf16", 2, true, false, false},
      {TIR_DTYPE_I8, "i8", 1, false, true, false},
      {TIR_DTYPE_U8, "u8", 1, false, true, false},
      {TIR_DTYPE_I16, "i16", 2, false, true, false},
      {TIR_DTYPE_I32, "i32", 4, false, true, false},
      {TIR_DTYPE_I64, "i64", 8, false, true, false},
      {TIR_DTYPE_BOOL, "bool", 1, false, false, false},
  };
  EXPECT_EQ(sizeof rows / sizeof *rows, TIR_N_DTYPES - 1u);
  for (const auto &row : rows) {
    EXPECT_TRUE(tir_ir_dtype_is_valid(row.dtype));
    EXPECT_STREQ(tir_dtype_name(row.dtype), row.name);
    EXPECT_EQ(tir_dtype_size(row.dtype), row.size);
    EXPECT_EQ(tir_ir_dtype_is_float(row.dtype), row.is_float);
    EXPECT_EQ(tir_ir_dtype_is_integer(row.dtype), row.is_integer);
    EXPECT_EQ(tir_ir_dtype_is_compute_float(row.dtype), row.is_compute);
    EXPECT_EQ(tir_ir_dtype_parse(row.name, strlen(row.name)), row.dtype);
  }
}

TEST(Dtype, Unknown) {
  for (int number : {0, 11, 12, 15}) {
    const tir_dtype dtype = static_cast<tir_dtype>(number);
    EXPECT_FALSE(tir_ir_dtype_is_valid(dtype));
    EXPECT_STREQ(tir_dtype_name(dtype), "invalid");
    EXPECT_EQ(tir_dtype_size(dtype), 0u);
  }
  for (const char *text : {"", "f3", "f322", "F32", "invalid", "f8"})
    EXPECT_EQ(tir_ir_dtype_parse(text, strlen(text)), TIR_DTYPE_INVALID);
  EXPECT_EQ(tir_ir_dtype_parse("f32[4]", 3), TIR_DTYPE_F32);
}

// --- halves ----------------------------------------------------------------

// A 16-bit float format described by formulas, not bit tricks: the oracle.
struct HalfFormat {
  int exponent_bits, mantissa_bits;
  float (*widen)(uint16_t);
  uint16_t (*narrow32)(float);
  uint16_t (*narrow64)(double);

  int Bias() const { return (1 << (exponent_bits - 1)) - 1; }
  uint16_t Infinity() const {
    return static_cast<uint16_t>((2 * Bias() + 1) << mantissa_bits);
  }
  double Value(uint16_t h) const {
    const int e = (h & 0x7FFF) >> mantissa_bits;
    const int m = h & ((1 << mantissa_bits) - 1);
    const double sign = h & 0x8000 ? -1.0 : 1.0;
    if (e == 2 * Bias() + 1) return m ? kNaN : sign * kInf;
    if (e == 0) return sign * std::ldexp(m, 1 - Bias() - mantissa_bits);
    return sign *
           std::ldexp(m + (1 << mantissa_bits), e - Bias() - mantissa_bits);
  }
};

const HalfFormat kF16 = {5, 10, tir_ir_f16_to_f32, tir_ir_f32_to_f16,
                         tir_ir_f64_to_f16};
const HalfFormat kBF16 = {8, 7, tir_ir_bf16_to_f32, tir_ir_f32_to_bf16,
                          tir_ir_f64_to_bf16};

class Half : public testing::TestWithParam<const HalfFormat *> {};

TEST_P(Half, EveryValueWidensAndComesBack) {
  const HalfFormat &f = *GetParam();
  for (int i = 0; i <= 0xFFFF; i++) {
    const uint16_t h = static_cast<uint16_t>(i);
    const double expected = f.Value(h);
    const float wide = f.widen(h);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(wide)) << i;
      const uint16_t quiet = static_cast<uint16_t>(1 << (f.mantissa_bits - 1));
      // Payload and sign stay, a signalling NaN becomes quiet.
      ASSERT_EQ(f.narrow32(wide) | quiet, h | quiet) << i;
      continue;
    }
    ASSERT_EQ(static_cast<double>(wide), expected) << i;
    ASSERT_EQ(std::signbit(wide), (h & 0x8000) != 0) << i;
    ASSERT_EQ(f.narrow32(wide), h) << i;
    ASSERT_EQ(f.narrow64(expected), h) << i;
  }
}

// Between neighbours: below the middle down, above up, the middle to even.
TEST_P(Half, RoundsToNearestEven) {
  const HalfFormat &f = *GetParam();
  for (uint16_t h = 0; h < f.Infinity(); h++) {
    const uint16_t next = static_cast<uint16_t>(h + 1);
    const double a = f.Value(h);
    // Above the largest finite value the next step would be one more ulp.
    const double b = next == f.Infinity()
                         ? 2 * a - f.Value(static_cast<uint16_t>(h - 1))
                         : f.Value(next);
    const double middle = a + (b - a) / 2;
    const uint16_t even = h % 2 == 0 ? h : next;
    for (double sign : {1.0, -1.0}) {
      const int bit = sign < 0 ? 0x8000 : 0;
      ASSERT_EQ(f.narrow64(sign * middle), even | bit) << h;
      ASSERT_EQ(f.narrow64(sign * std::nextafter(middle, 0)), h | bit) << h;
      ASSERT_EQ(f.narrow64(sign * std::nextafter(middle, kInf)), next | bit)
          << h;
      const float middle32 = static_cast<float>(middle);
      ASSERT_EQ(static_cast<double>(middle32), middle);
      ASSERT_EQ(f.narrow32(static_cast<float>(sign) * middle32), even | bit);
      ASSERT_EQ(
          f.narrow32(static_cast<float>(sign) * std::nextafter(middle32, 0.0F)),
          h | bit);
      ASSERT_EQ(f.narrow32(static_cast<float>(sign) *
                           std::nextafter(middle32, HUGE_VALF)),
                next | bit);
    }
  }
}

TEST_P(Half, ExtremesOfDouble) {
  const HalfFormat &f = *GetParam();
  for (double sign : {1.0, -1.0}) {
    const int bit = sign < 0 ? 0x8000 : 0;
    EXPECT_EQ(f.narrow64(sign * kInf), f.Infinity() | bit);
    EXPECT_EQ(f.narrow64(sign * DBL_MAX), f.Infinity() | bit);
    EXPECT_EQ(f.narrow64(sign * 0.0), bit);
    EXPECT_EQ(f.narrow64(sign * DBL_TRUE_MIN), bit);
    EXPECT_EQ(f.narrow64(sign * DBL_MIN), bit);
  }
  EXPECT_TRUE(std::isnan(f.widen(f.narrow64(kNaN))));
}

// Converting through float first would round twice and give another answer.
TEST_P(Half, DoubleRoundsOnce) {
  const HalfFormat &f = *GetParam();
  const uint16_t one = f.narrow64(1.0);
  const double middle = std::ldexp(1.0, -f.mantissa_bits - 1);
  const double above = 1.0 + middle + 0x1p-50;
  EXPECT_EQ(f.narrow64(above), one + 1);
  EXPECT_EQ(f.narrow32(static_cast<float>(above)), one);
}

// Random doubles of every size against the nearest of the two neighbours.
TEST_P(Half, RandomDoublesGoToTheNearest) {
  const HalfFormat &f = *GetParam();
  TestRandom random(6);
  for (int i = 0; i < 200000; i++) {
    const int e = static_cast<int>(random.Below(300)) - 150;
    const double x = std::ldexp(1 + random.Unit(), e);
    const uint16_t h = f.narrow64(x);
    const double got = f.Value(h);
    if (h == f.Infinity()) {
      const uint16_t largest = static_cast<uint16_t>(h - 1);
      const double max = f.Value(largest);
      const double ulp = max - f.Value(static_cast<uint16_t>(largest - 1));
      ASSERT_GE(x, max + ulp / 2);
      continue;
    }
    const double error = std::fabs(got - x);
    if (h > 0) {
      ASSERT_LE(error, std::fabs(f.Value(static_cast<uint16_t>(h - 1)) - x));
    }
    ASSERT_LE(error, std::fabs(f.Value(static_cast<uint16_t>(h + 1)) - x));
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Half, testing::Values(&kF16, &kBF16));

// --- single elements -------------------------------------------------------

template <typename T>
T Stored(tir_dtype dtype, double x) {
  T out = {};
  tir_ir_store_f64(dtype, &out, x);
  return out;
}

template <typename T>
T Stored64(tir_dtype dtype, int64_t x) {
  T out = {};
  tir_ir_store_i64(dtype, &out, x);
  return out;
}

template <typename T>
void CheckSaturation(tir_dtype dtype) {
  const T low = std::numeric_limits<T>::min();
  const T high = std::numeric_limits<T>::max();
  EXPECT_EQ(Stored<T>(dtype, kNaN), 0);
  EXPECT_EQ(Stored<T>(dtype, kInf), high);
  EXPECT_EQ(Stored<T>(dtype, -kInf), low);
  EXPECT_EQ(Stored<T>(dtype, 1e30), high);
  EXPECT_EQ(Stored<T>(dtype, -1e30), low);
  EXPECT_EQ(Stored<T>(dtype, 0x1p63), high);
  EXPECT_EQ(Stored<T>(dtype, -0x1p63), low);
  EXPECT_EQ(Stored<T>(dtype, static_cast<double>(high) + 1), high);
  EXPECT_EQ(Stored<T>(dtype, 2.99), 2);
  EXPECT_EQ(Stored<T>(dtype, -0.99), 0);
  EXPECT_EQ(Stored<T>(dtype, -2.99), low < 0 ? static_cast<T>(-2) : 0);
  EXPECT_EQ(Stored64<T>(dtype, INT64_MAX), high);
  EXPECT_EQ(Stored64<T>(dtype, INT64_MIN), low);
  for (T x : {low, static_cast<T>(low + 1), static_cast<T>(0),
              static_cast<T>(1), static_cast<T>(high - 1), high}) {
    EXPECT_EQ(tir_ir_load_i64(dtype, &x), static_cast<int64_t>(x));
    EXPECT_EQ(tir_ir_load_f64(dtype, &x), static_cast<double>(x));
    EXPECT_EQ(Stored64<T>(dtype, static_cast<int64_t>(x)), x);
  }
}

TEST(Element, IntegersSaturate) {
  CheckSaturation<int8_t>(TIR_DTYPE_I8);
  CheckSaturation<uint8_t>(TIR_DTYPE_U8);
  CheckSaturation<int16_t>(TIR_DTYPE_I16);
  CheckSaturation<int32_t>(TIR_DTYPE_I32);
  CheckSaturation<int64_t>(TIR_DTYPE_I64);
}

TEST(Element, BoolIsNotZero) {
  for (double x : {1.0, -1.0, 0.5, 1e-300, kInf, kNaN, DBL_TRUE_MIN})
    EXPECT_EQ(Stored<uint8_t>(TIR_DTYPE_BOOL, x), 1) << x;
  EXPECT_EQ(Stored<uint8_t>(TIR_DTYPE_BOOL, 0.0), 0);
  EXPECT_EQ(Stored<uint8_t>(TIR_DTYPE_BOOL, -0.0), 0);
  EXPECT_EQ(Stored64<uint8_t>(TIR_DTYPE_BOOL, INT64_MIN), 1);
  EXPECT_EQ(Stored64<uint8_t>(TIR_DTYPE_BOOL, 0), 0);
  const uint8_t two = 2;
  EXPECT_EQ(tir_ir_load_i64(TIR_DTYPE_BOOL, &two), 1);
  EXPECT_EQ(tir_ir_load_f64(TIR_DTYPE_BOOL, &two), 1.0);
}

TEST(Element, Floats) {
  EXPECT_EQ(Stored<float>(TIR_DTYPE_F32, 0.1), 0.1F);
  EXPECT_EQ(Stored<float>(TIR_DTYPE_F32, 1e300), HUGE_VALF);
  EXPECT_TRUE(std::isnan(Stored<float>(TIR_DTYPE_F32, kNaN)));
  EXPECT_TRUE(std::signbit(Stored<float>(TIR_DTYPE_F32, -0.0)));
  EXPECT_EQ(Stored<double>(TIR_DTYPE_F64, 0.1), 0.1);
  EXPECT_EQ(Stored<uint16_t>(TIR_DTYPE_F16, 1.0), 0x3C00);
  EXPECT_EQ(Stored<uint16_t>(TIR_DTYPE_BF16, 1.0), 0x3F80);
  const float minus_nine = -9.7F;
  EXPECT_EQ(tir_ir_load_i64(TIR_DTYPE_F32, &minus_nine), -9);
  const double nan = kNaN, huge = 1e19, minus_huge = -1e19;
  EXPECT_EQ(tir_ir_load_i64(TIR_DTYPE_F64, &nan), 0);
  EXPECT_EQ(tir_ir_load_i64(TIR_DTYPE_F64, &huge), INT64_MAX);
  EXPECT_EQ(tir_ir_load_i64(TIR_DTYPE_F64, &minus_huge), INT64_MIN);
  const uint16_t half = 0x3C00;
  EXPECT_EQ(tir_ir_load_f64(TIR_DTYPE_F16, &half), 1.0);
  EXPECT_EQ(tir_ir_load_i64(TIR_DTYPE_F16, &half), 1);
}

// i64 → bf16 in one rounding: these lie just above a middle, by less than a
// double can hold.
TEST(Element, LargeIntegersToBfloat16RoundOnce) {
  for (int k = 55; k < 63; k++) {
    const int64_t middle = (INT64_C(1) << k) + (INT64_C(1) << (k - 8));
    const uint16_t down = Stored64<uint16_t>(TIR_DTYPE_BF16, middle);
    EXPECT_EQ(tir_ir_bf16_to_f32(down), std::ldexp(1.0F, k));
    const uint16_t up = Stored64<uint16_t>(TIR_DTYPE_BF16, middle + 1);
    EXPECT_EQ(up, down + 1);
    EXPECT_EQ(Stored64<uint16_t>(TIR_DTYPE_BF16, -middle - 1), up | 0x8000);
  }
  EXPECT_EQ(Stored64<uint16_t>(TIR_DTYPE_F16, 65519), 0x7BFF);
  EXPECT_EQ(Stored64<uint16_t>(TIR_DTYPE_F16, 65520), 0x7C00);
  EXPECT_EQ(Stored64<float>(TIR_DTYPE_F32, INT64_MAX), 0x1p63F);
  EXPECT_EQ(Stored64<double>(TIR_DTYPE_F64, INT64_MIN), -0x1p63);
}

// Elements of a packed buffer need not be aligned.
TEST(Element, UnalignedAccess) {
  unsigned char bytes[17] = {};
  tir_ir_store_f64(TIR_DTYPE_F64, bytes + 1, 2.5);
  EXPECT_EQ(tir_ir_load_f64(TIR_DTYPE_F64, bytes + 1), 2.5);
  tir_ir_store_i64(TIR_DTYPE_I32, bytes + 3, -7);
  EXPECT_EQ(tir_ir_load_i64(TIR_DTYPE_I32, bytes + 3), -7);
}

}  // namespace
