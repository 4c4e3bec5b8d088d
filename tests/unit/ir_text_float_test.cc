// Elements as text and back: exactly, briefly, in any locale.
#include <math.h>

#include <limits>
#include <string>

#include "tests/support/comma_locale.h"
#include "tests/support/context_fixture.h"
#include "tests/support/random.h"
#include "tests/support/text_graph.h"

namespace {

class TextFloat : public testing::Test {
 protected:
  TextFloat() { tir_ir_text_init(&text_, context_); }
  ~TextFloat() override { tir_ir_text_free(&text_); }

  std::string Print(tir_dtype dtype, const void *element) {
    text_.bytes.count = 0;
    tir_ir_text_element(&text_, dtype, element);
    return std::string(text_.bytes.data, text_.bytes.count);
  }
  template <typename T>
  std::string Of(tir_dtype dtype, T x) {
    return Print(dtype, &x);
  }
  std::string F32(float x) { return Of(TIR_DTYPE_F32, x); }
  std::string F64(double x) { return Of(TIR_DTYPE_F64, x); }

  // Prints bits, reads them back.
  template <typename Bits>
  std::string RoundTrip(tir_dtype dtype, Bits bits) {
    const std::string printed = Print(dtype, &bits);
    Bits back = static_cast<Bits>(~bits);
    EXPECT_TRUE(
        tir_ir_read_element(printed.data(), printed.size(), dtype, &back))
        << printed;
    EXPECT_EQ(back, bits) << printed;
    return printed;
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_ir_text text_;
};

TEST_F(TextFloat, LooksAsOneWouldWriteIt) {
  EXPECT_EQ(F32(0.0f), "0");
  EXPECT_EQ(F32(-0.0f), "-0.0");
  EXPECT_EQ(F32(1.0f), "1");
  EXPECT_EQ(F32(-2.0f), "-2");
  EXPECT_EQ(F32(0.1f), "0.1");
  EXPECT_EQ(F32(0.5f), "0.5");
  EXPECT_EQ(F32(1024.0f), "1024");
  EXPECT_EQ(F32(1e-5f), "0.00001");
  EXPECT_EQ(F32(1e-6f), "1e-6");
  EXPECT_EQ(F32(1e30f), "1e30");
  EXPECT_EQ(F32(16777216.0f), "16777216");
  EXPECT_EQ(F32(3.14159274f), "3.1415927");
  EXPECT_EQ(F64(0.1), "0.1");
  EXPECT_EQ(F64(1e15), "1000000000000000");
  EXPECT_EQ(F64(1e16), "1e16");
  EXPECT_EQ(F64(123.25), "123.25");
  EXPECT_EQ(F64(5e-324), "5e-324");
  EXPECT_EQ(F64(1.7976931348623157e308), "1.7976931348623157e308");
  EXPECT_EQ(F32(INFINITY), "inf");
  EXPECT_EQ(F32(-INFINITY), "-inf");
  EXPECT_EQ(Of(TIR_DTYPE_F16, tir_ir_f32_to_f16(0.1f)), "0.1");
  EXPECT_EQ(Of(TIR_DTYPE_BF16, tir_ir_f32_to_bf16(0.1f)), "0.1");
  EXPECT_EQ(Of(TIR_DTYPE_BF16, tir_ir_f32_to_bf16(300.0f)), "300");
}

TEST_F(TextFloat, NansAreBits) {
  EXPECT_EQ(RoundTrip<uint32_t>(TIR_DTYPE_F32, 0x7fc00000), "0x7fc00000");
  EXPECT_EQ(RoundTrip<uint32_t>(TIR_DTYPE_F32, 0xffc12345), "0xffc12345");
  // A signalling NaN stays one.
  EXPECT_EQ(RoundTrip<uint32_t>(TIR_DTYPE_F32, 0x7f800001), "0x7f800001");
  EXPECT_EQ(RoundTrip<uint64_t>(TIR_DTYPE_F64, 0x7ff0000000000001),
            "0x7ff0000000000001");
  EXPECT_EQ(RoundTrip<uint16_t>(TIR_DTYPE_F16, 0x7e01), "0x7e01");
  EXPECT_EQ(RoundTrip<uint16_t>(TIR_DTYPE_BF16, 0xff81), "0xff81");
  uint32_t bits = 0;
  EXPECT_TRUE(tir_ir_read_element("nan", 3, TIR_DTYPE_F32, &bits));
  EXPECT_EQ(bits, 0x7fc00000u);
}

TEST_F(TextFloat, EveryHalfRoundTrips) {
  for (uint32_t bits = 0; bits <= 0xffff; bits++) {
    RoundTrip<uint16_t>(TIR_DTYPE_F16, static_cast<uint16_t>(bits));
    RoundTrip<uint16_t>(TIR_DTYPE_BF16, static_cast<uint16_t>(bits));
    if (HasFailure()) return;
  }
}

TEST_F(TextFloat, RandomBitsRoundTrip) {
  TestRandom random(7);
  for (int i = 0; i < 20000; i++) {
    const uint64_t bits = random.Bits();
    RoundTrip<uint32_t>(TIR_DTYPE_F32, static_cast<uint32_t>(bits));
    RoundTrip<uint64_t>(TIR_DTYPE_F64, bits);
    // Around powers of two, where spacing changes.
    const uint32_t edge = static_cast<uint32_t>(bits >> 40) & 0x7f800000;
    RoundTrip<uint32_t>(TIR_DTYPE_F32, edge + (bits & 3) - 1);
    if (HasFailure()) return;
  }
}

TEST_F(TextFloat, ShorterWouldNotReadBack) {
  TestRandom random(3);
  for (int i = 0; i < 3000; i++) {
    const double x = random.Between(1, 10);
    const std::string printed = F64(x);
    for (size_t n = 1; n < printed.size(); n++)
      ASSERT_NE(strtod(printed.substr(0, n).c_str(), nullptr), x) << printed;
  }
}

TEST_F(TextFloat, Integers) {
  EXPECT_EQ(Of(TIR_DTYPE_I8, int8_t{-128}), "-128");
  EXPECT_EQ(Of(TIR_DTYPE_U8, uint8_t{255}), "255");
  EXPECT_EQ(Of(TIR_DTYPE_I16, int16_t{-32768}), "-32768");
  EXPECT_EQ(Of(TIR_DTYPE_I32, INT32_MIN), "-2147483648");
  EXPECT_EQ(Of(TIR_DTYPE_I64, INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(Of(TIR_DTYPE_BOOL, uint8_t{1}), "true");
  EXPECT_EQ(Of(TIR_DTYPE_BOOL, uint8_t{0}), "false");
  RoundTrip<uint64_t>(TIR_DTYPE_I64, UINT64_C(1) << 63);
  RoundTrip<uint64_t>(TIR_DTYPE_I64, (UINT64_C(1) << 53) + 1);
  for (int i = 0; i < 256; i++) {
    RoundTrip<uint8_t>(TIR_DTYPE_I8, static_cast<uint8_t>(i));
    RoundTrip<uint8_t>(TIR_DTYPE_U8, static_cast<uint8_t>(i));
  }
}

TEST_F(TextFloat, ReadsWhatPeopleWrite) {
  const auto f32 = [](const char *text) {
    float x = -77;
    EXPECT_TRUE(tir_ir_read_element(text, strlen(text), TIR_DTYPE_F32, &x))
        << text;
    return x;
  };
  EXPECT_EQ(f32("1"), 1.0f);
  EXPECT_EQ(f32("1."), 1.0f);
  EXPECT_EQ(f32(".5"), 0.5f);
  EXPECT_EQ(f32("-1.5e+2"), -150.0f);
  EXPECT_EQ(f32("1E3"), 1000.0f);
  EXPECT_EQ(f32("1e-999"), 0.0f);
  EXPECT_EQ(f32("1e999"), INFINITY);
  EXPECT_EQ(f32("0x3f800000"), 1.0f);
  EXPECT_TRUE(signbit(f32("-0")));
  // Rounded once: not by way of double.
  EXPECT_EQ(f32("1.00000017881393432617187499"), 1.00000012f);
}

TEST_F(TextFloat, RefusesWhatIsNoElement) {
  struct Case {
    tir_dtype dtype;
    const char *text;
  };
  const Case cases[] = {
      {TIR_DTYPE_F32, ""},
      {TIR_DTYPE_F32, "-"},
      {TIR_DTYPE_F32, "."},
      {TIR_DTYPE_F32, "1e"},
      {TIR_DTYPE_F32, "1e+"},
      {TIR_DTYPE_F32, "1,5"},
      {TIR_DTYPE_F32, "1.5.2"},
      {TIR_DTYPE_F32, "+1"},
      {TIR_DTYPE_F32, "infinity"},
      {TIR_DTYPE_F32, "0x"},
      {TIR_DTYPE_F32, "0x123456789"},
      {TIR_DTYPE_F32, "0xg"},
      {TIR_DTYPE_F32, "--1"},
      {TIR_DTYPE_F32, " 1"},
      {TIR_DTYPE_F32, "true"},
      {TIR_DTYPE_F16, "0x12345"},
      {TIR_DTYPE_I8, "128"},
      {TIR_DTYPE_I8, "-129"},
      {TIR_DTYPE_U8, "-1"},
      {TIR_DTYPE_U8, "256"},
      {TIR_DTYPE_I32, "2147483648"},
      {TIR_DTYPE_I64, "9223372036854775808"},
      {TIR_DTYPE_I32, "1.0"},
      {TIR_DTYPE_I32, "0x10"},
      {TIR_DTYPE_BOOL, "1"},
      {TIR_DTYPE_BOOL, "True"},
      {TIR_DTYPE_I32, "nan"},
      {TIR_DTYPE_BOOL, ""},
  };
  for (const Case &c : cases) {
    uint64_t element = 0;
    EXPECT_FALSE(tir_ir_read_element(c.text, strlen(c.text), c.dtype, &element))
        << c.text;
  }
  const std::string longest(1000, '1');
  double x;
  EXPECT_FALSE(
      tir_ir_read_element(longest.data(), longest.size(), TIR_DTYPE_F64, &x));
}

TEST_F(TextFloat, LocaleMakesNoDifference) {
  const CommaLocale comma;
  EXPECT_EQ(F32(0.1f), "0.1");
  EXPECT_EQ(F64(1.5e-9), "1.5e-9");
  double x = 0;
  EXPECT_TRUE(tir_ir_read_element("0.25", 4, TIR_DTYPE_F64, &x));
  EXPECT_EQ(x, 0.25);
}

TEST_F(TextFloat, AttributesPrintAsFloats) {
  const auto print = [&](double x, bool is_f32) {
    text_.bytes.count = 0;
    tir_ir_text_float(&text_, x, is_f32);
    return std::string(text_.bytes.data, text_.bytes.count);
  };
  EXPECT_EQ(print(0.1, false), "0.1");
  EXPECT_EQ(print(0.1f, true), "0.1");
  EXPECT_EQ(print(0.1f, false), "0.10000000149011612");
}

}  // namespace
