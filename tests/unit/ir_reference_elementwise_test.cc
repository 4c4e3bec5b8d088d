// Reference evaluator: unary, binary, compare. Every rule of semantics §6
// that concerns values.

#include <cmath>
#include <limits>

#include "tests/support/reference_call.h"

namespace tapeir_test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
using V = std::vector<double>;
using I = std::vector<int64_t>;

V Unary(tir_reference_fn fn, tir_dtype dtype, const V &x) {
  const int64_t n = static_cast<int64_t>(x.size());
  ReferenceCall call;
  call.In(dtype, {n}, x).Out(dtype, {n});
  EXPECT_EQ(call.Run(fn), TIR_OK);
  return call.F64();
}

V Binary(tir_reference_fn fn, tir_dtype dtype, const V &a, const V &b) {
  const int64_t n = static_cast<int64_t>(a.size());
  ReferenceCall call;
  call.In(dtype, {n}, a).In(dtype, {n}, b).Out(dtype, {n});
  EXPECT_EQ(call.Run(fn), TIR_OK);
  return call.F64();
}

I BinaryI64(tir_reference_fn fn, const I &a, const I &b) {
  const int64_t n = static_cast<int64_t>(a.size());
  ReferenceCall call;
  call.InI64({n}, a).InI64({n}, b).Out(TIR_DTYPE_I64, {n});
  EXPECT_EQ(call.Run(fn), TIR_OK);
  return call.I64();
}

TEST(ReferenceUnary, FloatsAreRoundedOnce) {
  EXPECT_EQ(Unary(tir_reference_exp, TIR_DTYPE_F32, {1}),
            V{static_cast<float>(std::exp(1.0))});
  EXPECT_EQ(Unary(tir_reference_exp, TIR_DTYPE_F64, {1}), V{std::exp(1.0)});
  EXPECT_EQ(Unary(tir_reference_sqrt, TIR_DTYPE_F32, {2}), V{std::sqrt(2.0f)});
  EXPECT_EQ(Unary(tir_reference_square, TIR_DTYPE_F32, {3}), V{9});
  EXPECT_EQ(Unary(tir_reference_log, TIR_DTYPE_F64, {0, 1}), (V{-kInf, 0}));
  EXPECT_EQ(Unary(tir_reference_tanh, TIR_DTYPE_F64, {kInf, -kInf}),
            (V{1, -1}));
}

TEST(ReferenceUnary, NegAndAbsKeepTheSignOfZero) {
  const V neg = Unary(tir_reference_neg, TIR_DTYPE_F32, {0.0, -0.0});
  EXPECT_TRUE(std::signbit(neg[0]));
  EXPECT_FALSE(std::signbit(neg[1]));
  EXPECT_FALSE(
      std::signbit(Unary(tir_reference_abs, TIR_DTYPE_F32, {-0.0})[0]));
}

TEST(ReferenceUnary, IntegersWrap) {
  EXPECT_EQ(Unary(tir_reference_neg, TIR_DTYPE_I8, {-128, 5}), (V{-128, -5}));
  EXPECT_EQ(Unary(tir_reference_abs, TIR_DTYPE_I8, {-128, -5}), (V{-128, 5}));
  EXPECT_EQ(Unary(tir_reference_square, TIR_DTYPE_I8, {16, 12}), (V{0, -112}));
  EXPECT_EQ(Unary(tir_reference_square, TIR_DTYPE_U8, {16, 15}), (V{0, 225}));
  EXPECT_EQ(Unary(tir_reference_neg, TIR_DTYPE_U8, {1}), V{255});
  EXPECT_EQ(Unary(tir_reference_relu, TIR_DTYPE_I32, {-3, 4}), (V{0, 4}));
}

TEST(ReferenceUnary, ReluPassesNan) {
  const V y = Unary(tir_reference_relu, TIR_DTYPE_F32, {kNan, -1, 2, -0.0});
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], 0);
  EXPECT_EQ(y[2], 2);
  EXPECT_FALSE(std::signbit(y[3]));
}

TEST(ReferenceUnary, SigmoidDoesNotOverflow) {
  const V y = Unary(tir_reference_sigmoid, TIR_DTYPE_F64,
                    {-740, -40, 0, 40, 740, kInf, -kInf});
  EXPECT_GT(y[0], 0);
  EXPECT_NEAR(y[1], std::exp(-40.0), 1e-32);
  EXPECT_EQ(y[2], 0.5);
  EXPECT_EQ(y[3], 1);
  EXPECT_EQ(y[4], 1);
  EXPECT_EQ(y[5], 1);
  EXPECT_EQ(y[6], 0);
}

V Cast(tir_dtype from, tir_dtype to, const V &x) {
  const int64_t n = static_cast<int64_t>(x.size());
  ReferenceCall call;
  call.In(from, {n}, x).Out(to, {n});
  EXPECT_EQ(call.Run(tir_reference_cast), TIR_OK);
  return call.F64();
}

TEST(ReferenceCast, FloatToIntegerTruncatesAndSaturates) {
  EXPECT_EQ(Cast(TIR_DTYPE_F32, TIR_DTYPE_I8,
                 {-1.9, 1.9, 300, -300, kNan, kInf, -kInf}),
            (V{-1, 1, 127, -128, 0, 127, -128}));
  EXPECT_EQ(Cast(TIR_DTYPE_F64, TIR_DTYPE_U8, {-1, 256}), (V{0, 255}));
}

TEST(ReferenceCast, IntegerToIntegerSaturates) {
  EXPECT_EQ(Cast(TIR_DTYPE_I32, TIR_DTYPE_I8, {300, -300, 7}),
            (V{127, -128, 7}));
  EXPECT_EQ(Cast(TIR_DTYPE_I32, TIR_DTYPE_U8, {-1, 300}), (V{0, 255}));
}

TEST(ReferenceCast, ToBoolIsNotZero) {
  EXPECT_EQ(Cast(TIR_DTYPE_F32, TIR_DTYPE_BOOL, {0, -0.0, 0.5, kNan}),
            (V{0, 0, 1, 1}));
  EXPECT_EQ(Cast(TIR_DTYPE_I32, TIR_DTYPE_BOOL, {0, 256}), (V{0, 1}));
  EXPECT_EQ(Cast(TIR_DTYPE_BOOL, TIR_DTYPE_F32, {0, 1}), (V{0, 1}));
}

// 2^60 + 2^36 + 1 lies above the middle of two f32: through f64 the last bit
// would be lost and the tie go to even, down.
TEST(ReferenceCast, WideIntegersRoundOnce) {
  const int64_t x = (int64_t{1} << 60) + (int64_t{1} << 36) + 1;
  for (int sign : {1, -1}) {
    ReferenceCall call;
    call.InI64({1}, {sign * x}).Out(TIR_DTYPE_F32, {1});
    ASSERT_EQ(call.Run(tir_reference_cast), TIR_OK);
    EXPECT_EQ(call.F64()[0], sign * static_cast<double>((int64_t{1} << 60) +
                                                        (int64_t{1} << 37)));
  }
  ReferenceCall exact;
  exact.InI64({2}, {kMin, kMax}).Out(TIR_DTYPE_F64, {2});
  ASSERT_EQ(exact.Run(tir_reference_cast), TIR_OK);
  EXPECT_EQ(exact.F64(), (V{-0x1p63, 0x1p63}));
}

TEST(ReferenceCast, ToHalves) {
  EXPECT_EQ(Cast(TIR_DTYPE_F64, TIR_DTYPE_F16, {65520, 65519, 1}),
            (V{kInf, 65504, 1}));
  EXPECT_EQ(Cast(TIR_DTYPE_F16, TIR_DTYPE_F32, {0.5}), V{0.5});
}

TEST(ReferenceBinary, IntegersWrapAtTheirWidth) {
  EXPECT_EQ(Binary(tir_reference_add, TIR_DTYPE_I8, {127}, {1}), V{-128});
  EXPECT_EQ(Binary(tir_reference_sub, TIR_DTYPE_U8, {0}, {1}), V{255});
  EXPECT_EQ(Binary(tir_reference_mul, TIR_DTYPE_I16, {256}, {256}), V{0});
  EXPECT_EQ(BinaryI64(tir_reference_add, {kMax}, {1}), I{kMin});
  EXPECT_EQ(BinaryI64(tir_reference_mul, {kMin}, {-1}), I{kMin});
}

TEST(ReferenceBinary, IntegerDivision) {
  EXPECT_EQ(BinaryI64(tir_reference_div, {7, -7, 7, -7}, {2, 2, -2, -2}),
            (I{3, -3, -3, 3}));
  EXPECT_EQ(BinaryI64(tir_reference_div, {kMin, kMin}, {-1, 1}),
            (I{kMax, kMin}));
  EXPECT_EQ(Binary(tir_reference_div, TIR_DTYPE_I8, {-128}, {-1}), V{127});
  EXPECT_EQ(Binary(tir_reference_div, TIR_DTYPE_I32, {-2147483648.0}, {-1}),
            V{2147483647});
}

TEST(ReferenceBinary, IntegerDivisionByZeroIsAnError) {
  ReferenceCall call;
  call.InI64({3}, {1, 2, 3}).InI64({3}, {1, 1, 0}).Out(TIR_DTYPE_I64, {3});
  EXPECT_EQ(call.Run(tir_reference_div), TIR_ERR_VALUE);
  EXPECT_EQ(call.Message(), "integer division by zero at position 2");
}

TEST(ReferenceBinary, FloatDivisionByZero) {
  const V y = Binary(tir_reference_div, TIR_DTYPE_F32, {1, -1, 0}, {0, 0, 0});
  EXPECT_EQ(y[0], kInf);
  EXPECT_EQ(y[1], -kInf);
  EXPECT_TRUE(std::isnan(y[2]));
}

TEST(ReferenceBinary, PowIsForFloats) {
  const V y = Binary(tir_reference_pow, TIR_DTYPE_F64, {2, 0, -8}, {3, 0, 2});
  EXPECT_EQ(y, (V{8, 1, 64}));
  ReferenceCall call;
  call.InI64({}, {2}).InI64({}, {3}).Out(TIR_DTYPE_I64, {});
  EXPECT_EQ(call.Run(tir_reference_pow), TIR_ERR_DTYPE);
}

TEST(ReferenceBinary, MaximumDoesNotDependOnTheOrder) {
  const V a = {1, kNan, 2, -0.0, 0.0};
  const V b = {2, 1, kNan, 0.0, -0.0};
  const V y = Binary(tir_reference_maximum, TIR_DTYPE_F32, a, b);
  EXPECT_EQ(y[0], 2);
  EXPECT_TRUE(std::isnan(y[1]));
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_FALSE(std::signbit(y[3]));
  EXPECT_FALSE(std::signbit(y[4]));
}

TEST(ReferenceBinary, Broadcasts) {
  ReferenceCall call;
  call.In(TIR_DTYPE_F32, {2, 1}, {1, 2})
      .In(TIR_DTYPE_F32, {3}, {10, 20, 30})
      .Out(TIR_DTYPE_F32, {2, 3});
  ASSERT_EQ(call.Run(tir_reference_add), TIR_OK);
  EXPECT_EQ(call.F64(), (V{11, 21, 31, 12, 22, 32}));
}

TEST(ReferenceBinary, EmptyAndScalar) {
  ReferenceCall empty;
  empty.In(TIR_DTYPE_F32, {0, 3}, {})
      .In(TIR_DTYPE_F32, {3}, {1, 2, 3})
      .Out(TIR_DTYPE_F32, {0, 3});
  EXPECT_EQ(empty.Run(tir_reference_mul), TIR_OK);
  ReferenceCall scalar;
  scalar.In(TIR_DTYPE_F32, {}, {2}).In(TIR_DTYPE_F32, {}, {3});
  scalar.Out(TIR_DTYPE_F32, {});
  ASSERT_EQ(scalar.Run(tir_reference_sub), TIR_OK);
  EXPECT_EQ(scalar.F64(), V{-1});
}

TEST(ReferenceAddN, AddsInOrder) {
  ReferenceCall call;
  call.In(TIR_DTYPE_F64, {1}, {1e16})
      .In(TIR_DTYPE_F64, {1}, {1})
      .In(TIR_DTYPE_F64, {1}, {-1e16})
      .Out(TIR_DTYPE_F64, {1});
  ASSERT_EQ(call.Run(tir_reference_add_n), TIR_OK);
  EXPECT_EQ(call.F64(), V{0});
}

TEST(ReferenceAddN, OneTermKeepsItsSign) {
  ReferenceCall call;
  call.In(TIR_DTYPE_F32, {1}, {-0.0}).Out(TIR_DTYPE_F32, {1});
  ASSERT_EQ(call.Run(tir_reference_add_n), TIR_OK);
  EXPECT_TRUE(std::signbit(call.F64()[0]));
}

TEST(ReferenceCompare, NanIsUnordered) {
  struct Row {
    tir_reference_fn fn;
    V expected;  // of 1?2, 2?1, 1?1, NaN?1, NaN?NaN
  } rows[] = {
      {tir_reference_equal, {0, 0, 1, 0, 0}},
      {tir_reference_not_equal, {1, 1, 0, 1, 1}},
      {tir_reference_less, {1, 0, 0, 0, 0}},
      {tir_reference_less_equal, {1, 0, 1, 0, 0}},
      {tir_reference_greater, {0, 1, 0, 0, 0}},
      {tir_reference_greater_equal, {0, 1, 1, 0, 0}},
  };
  for (const Row &row : rows) {
    ReferenceCall call;
    call.In(TIR_DTYPE_F32, {5}, {1, 2, 1, kNan, kNan})
        .In(TIR_DTYPE_F32, {5}, {2, 1, 1, 1, kNan})
        .Out(TIR_DTYPE_BOOL, {5});
    ASSERT_EQ(call.Run(row.fn), TIR_OK);
    EXPECT_EQ(call.F64(), row.expected);
  }
}

TEST(ReferenceCompare, WideIntegersAreNotRounded) {
  ReferenceCall call;
  call.InI64({1}, {kMax}).InI64({1}, {kMax - 1}).Out(TIR_DTYPE_BOOL, {1});
  ASSERT_EQ(call.Run(tir_reference_equal), TIR_OK);
  EXPECT_EQ(call.F64(), V{0});
}

TEST(ReferenceWhere, OtherBranchIsNotTouched) {
  ReferenceCall call;
  call.In(TIR_DTYPE_BOOL, {2, 1}, {1, 0})
      .In(TIR_DTYPE_F32, {2}, {1, 2})
      .In(TIR_DTYPE_F32, {}, {kNan})
      .Out(TIR_DTYPE_F32, {2, 2});
  ASSERT_EQ(call.Run(tir_reference_where), TIR_OK);
  const V y = call.F64();
  EXPECT_EQ(y[0], 1);
  EXPECT_EQ(y[1], 2);
  EXPECT_TRUE(std::isnan(y[2]));
}

}  // namespace
}  // namespace tapeir_test
