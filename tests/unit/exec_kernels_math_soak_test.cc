// exp, log, tanh and sigmoid in f32 at every one of the 2^32 inputs.
// Labels: optimised hot

#include "tests/support/kernel_math.h"

namespace tapeir_test {
namespace {

TEST(MathKernelsSoak, AreWithinTwoUlpsEverywhere) {
  for (const MathFunction &f : MathFunctions())
    printf("%s: %.3f ULP\n", f.name,
           ExpectAccurate(f, 0, 0x100000000u, 1, 2.0));
}

}  // namespace
}  // namespace tapeir_test
