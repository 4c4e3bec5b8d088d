// Every function of one argument in f32 at every one of the 2^32 inputs.
// Labels: optimised hot

#include "tests/support/kernel_math.h"

namespace tapeir_test {
namespace {

class MathKernelsSoak : public testing::TestWithParam<size_t> {};

TEST_P(MathKernelsSoak, IsWithinTwoUlpsEverywhere) {
  const MathFunction &f = MathFunctions()[GetParam()];
  const unsigned n_cores = std::max(1u, std::thread::hardware_concurrency());
  printf("%s: %.3f ULP\n", f.name,
         ExpectAccurate(f, 0, 0x100000000u, 1, 2.0, n_cores));
}

INSTANTIATE_TEST_SUITE_P(Functions, MathKernelsSoak,
                         testing::Range(size_t{0}, MathFunctions().size()),
                         [](const testing::TestParamInfo<size_t> &param) {
                           return std::string(
                               MathFunctions()[param.param].name);
                         });

}  // namespace
}  // namespace tapeir_test
