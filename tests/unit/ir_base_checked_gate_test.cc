// Labels: hot
// The same properties as the fast test, on 10 million random cases.
#include "tests/support/checked_property.h"

namespace {

TEST(CheckedGate, TenMillionRandomSizes) { CheckRandomSizes(2, 10000000); }

}  // namespace
