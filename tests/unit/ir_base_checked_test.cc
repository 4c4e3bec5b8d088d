// Checked arithmetic: edge pairs, random pairs and shapes against 128 bits.
#include <vector>

#include "tests/support/checked_property.h"

namespace {

std::vector<uint64_t> EdgeWords() {
  std::vector<uint64_t> words = {0, 1, 2, UINT64_MAX};
  for (int k = 1; k < 64; k++) {
    const uint64_t power = UINT64_C(1) << k;
    words.insert(words.end(), {power - 1, power, power + 1});
  }
  return words;
}

TEST(Checked, AllPairsOfEdgeWords) {
  for (uint64_t a : EdgeWords())
    for (uint64_t b : EdgeWords()) {
      ASSERT_TRUE(SizePairAgrees(a, b)) << a << " " << b;
      ASSERT_TRUE(
          SignedPairAgrees(static_cast<int64_t>(a), static_cast<int64_t>(b)))
          << a << " " << b;
    }
}

TEST(Checked, EdgeShapes) {
  for (uint64_t a : EdgeWords())
    for (uint64_t b : EdgeWords())
      for (size_t elem_size : {1, 2, 4, 8}) {
        const int64_t dims[] = {static_cast<int64_t>(a),
                                static_cast<int64_t>(b)};
        ASSERT_TRUE(ShapeAgrees(dims, 2, elem_size)) << a << " " << b;
      }
}

TEST(Checked, RandomSizes) { CheckRandomSizes(1, 200000); }

TEST(Checked, ScalarHasOneElement) {
  int64_t numel = 0;
  EXPECT_TRUE(tir_base_numel(nullptr, 0, &numel));
  EXPECT_EQ(numel, 1);
}

TEST(Checked, ZeroDimDoesNotHideAnOverflow) {
  const int64_t dims[] = {INT64_C(1) << 40, INT64_C(1) << 40, 0};
  int64_t numel = 7;
  EXPECT_FALSE(tir_base_numel(dims, 3, &numel));
  EXPECT_EQ(numel, 0);
}

TEST(Checked, RoundedSizeMustFitToo) {
  size_t bytes = 0;
  const int64_t fits[] = {PTRDIFF_MAX - 63};
  EXPECT_TRUE(tir_base_tensor_bytes(fits, 1, 1, &bytes));
  const int64_t over[] = {PTRDIFF_MAX - 62};
  EXPECT_FALSE(tir_base_tensor_bytes(over, 1, 1, &bytes));
  EXPECT_EQ(bytes, 0u);
}

TEST(Checked, NegativeRankIsRefused) {
  int64_t numel = 0;
  EXPECT_FALSE(tir_base_numel(nullptr, -1, &numel));
}

}  // namespace
