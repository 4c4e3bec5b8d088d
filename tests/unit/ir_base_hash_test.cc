// XXH3-64: published values, and the same hash over pieces.
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/internal.h"
#include "tests/support/random.h"

namespace {

// From the XXH3 specification: seed 0, empty input.
TEST(Hash, EmptyInput) {
  EXPECT_EQ(tir_base_hash("", 0), UINT64_C(0x2D06800538D394C2));
}

TEST(Hash, PiecesHashLikeTheWhole) {
  TestRandom random(5);
  std::vector<unsigned char> bytes(5000);
  for (unsigned char &byte : bytes)
    byte = static_cast<unsigned char>(random.Bits());
  for (size_t size : {0, 1, 3, 16, 17, 128, 129, 240, 241, 1024, 5000}) {
    const uint64_t whole = tir_base_hash(bytes.data(), size);
    for (int round = 0; round < 20; round++) {
      tir_base_hasher hasher;
      tir_base_hasher_begin(&hasher);
      for (size_t at = 0; at < size;) {
        const size_t left = size - at;
        const size_t piece = random.Below(left + 1);
        tir_base_hasher_add(&hasher, bytes.data() + at, piece);
        at += piece;
        if (round == 0) {
          tir_base_hasher_add(&hasher, bytes.data() + at, size - at);
          break;
        }
      }
      ASSERT_EQ(tir_base_hasher_end(&hasher), whole) << size;
      ASSERT_EQ(tir_base_hasher_end(&hasher), whole) << "end changes nothing";
    }
  }
}

TEST(Hash, EveryBitCounts) {
  std::vector<unsigned char> bytes(300, 7);
  const uint64_t before = tir_base_hash(bytes.data(), bytes.size());
  for (size_t i = 0; i < bytes.size(); i++)
    for (int bit = 0; bit < 8; bit++) {
      bytes[i] = static_cast<unsigned char>(bytes[i] ^ (1 << bit));
      ASSERT_NE(tir_base_hash(bytes.data(), bytes.size()), before);
      bytes[i] = static_cast<unsigned char>(bytes[i] ^ (1 << bit));
    }
}

}  // namespace
