// exp, log, tanh, sin and the like in f32: at most 2 ULP from the true value,
// on a sample of all exponents and at the edges. The soak test tries all.

#include "tests/support/kernel_math.h"

namespace tapeir_test {
namespace {

class MathKernels : public testing::TestWithParam<size_t> {};

TEST_P(MathKernels, AreWithinTwoUlpsOnASample) {
  // A stride that is odd and shares nothing with the exponents' spacing.
  ExpectAccurate(MathFunctions()[GetParam()], 0, 0x100000000u, 20011, 2.0);
}

TEST_P(MathKernels, AreWithinTwoUlpsWhereResultsRunOut) {
  // The ends of [87.3, 89.5] and of [−104.5, −87], the smallest and the
  // largest numbers, and where a function changes its formula.
  const MathFunction &f = MathFunctions()[GetParam()];
  ExpectAccurate(f, Bits(87.3f), Bits(89.5f), 61, 2.0);
  ExpectAccurate(f, Bits(-87.0f), Bits(-104.5f), 211, 2.0);
  ExpectAccurate(f, 0, 2000, 1, 2.0);
  ExpectAccurate(f, 0x007ffc00, 0x00800400, 1, 2.0);
  ExpectAccurate(f, 0x7f7ffc00, 0x7f800400, 1, 2.0);
  ExpectAccurate(f, 0xff7ffc00, 0xff800400, 1, 2.0);
  ExpectAccurate(f, 0x80000000, 0x80000400, 1, 2.0);
  ExpectAccurate(f, Bits(0.999f), Bits(1.001f), 3, 2.0);
  ExpectAccurate(f, Bits(0.62f), Bits(0.63f), 7, 2.0);
  ExpectAccurate(f, Bits(0.499f), Bits(0.501f), 3, 2.0);
  ExpectAccurate(f, Bits(0.346f), Bits(0.347f), 3, 2.0);
  ExpectAccurate(f, Bits(-0.999f), Bits(-1.001f), 3, 2.0);
  ExpectAccurate(f, Bits(-12.0f), Bits(-22.0f), 211, 2.0);
  // Where sine and cosine change to libm, and near multiples of π.
  ExpectAccurate(f, Bits(999990.0f), Bits(1000010.0f), 1, 2.0);
  for (double n : {1.0, 2.0, 710.0, 318309.0})
    for (double side : {1.0, -1.0}) {
      const float x = static_cast<float>(side * n * M_PI);
      ExpectAccurate(f, Bits(x) - 200, Bits(x) + 200, 1, 2.0);
    }
}

TEST_P(MathKernels, HaveTheValuesOfLibmAtSpecialPoints) {
  const MathFunction &f = MathFunctions()[GetParam()];
  for (int level : Levels())
    for (float x : {0.0f, -0.0f, HUGE_VALF, -HUGE_VALF, NAN, -1.0f}) {
      float y = 0;
      f.at(level)(1, &y, &x, nullptr, nullptr);
      const float wanted = static_cast<float>(f.exact(x));
      if (std::isnan(wanted)) {
        EXPECT_TRUE(std::isnan(y)) << f.name << "(" << x << ")";
      } else if (wanted == 0 || std::isinf(wanted)) {
        EXPECT_EQ(Bits(y), Bits(wanted)) << f.name << "(" << x << ")";
      } else {
        EXPECT_FLOAT_EQ(y, wanted) << f.name << "(" << x << ")";
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Functions, MathKernels,
                         testing::Range(size_t{0}, MathFunctions().size()),
                         [](const testing::TestParamInfo<size_t> &param) {
                           return std::string(
                               MathFunctions()[param.param].name);
                         });

}  // namespace
}  // namespace tapeir_test
