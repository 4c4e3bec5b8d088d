// Growable arrays: contents, growth, refusal, failure.
#include "tests/support/context_fixture.h"
#include "tests/support/internal.h"

namespace {

typedef TIR_VEC(uint32_t) Words;

TEST(Vec, KeepsItsElementsAndDoubles) {
  FailingAllocator allocator;
  const TestContext context(&allocator);
  Words words = {};
  for (uint32_t i = 0; i < 100000; i++)
    ASSERT_TRUE(TIR_VEC_PUSH(context, &words, i * 3));
  EXPECT_EQ(words.count, 100000u);
  for (uint32_t i = 0; i < 100000; i++) ASSERT_EQ(words.data[i], i * 3);
  EXPECT_LT(allocator.n_allocs(), 20u);
  TIR_VEC_FREE(context, &words);
  EXPECT_EQ(words.data, nullptr);
  EXPECT_EQ(words.count, 0u);
  EXPECT_EQ(words.capacity, 0u);
  TIR_VEC_FREE(context, &words);
}

TEST(Vec, ReserveMakesRoomOnce) {
  FailingAllocator allocator;
  const TestContext context(&allocator);
  Words words = {};
  ASSERT_TRUE(TIR_VEC_RESERVE(context, &words, 1000));
  const uint64_t n = allocator.n_allocs();
  for (uint32_t i = 0; i < 1000; i++)
    ASSERT_TRUE(TIR_VEC_PUSH(context, &words, i));
  EXPECT_EQ(allocator.n_allocs(), n);
  TIR_VEC_FREE(context, &words);
}

// Sizes whose sum or byte count wraps are refused, and nothing changes.
TEST(Vec, ImpossibleSizesAreRefused) {
  FailingAllocator allocator;
  const TestContext context(&allocator);
  Words words = {};
  ASSERT_TRUE(TIR_VEC_PUSH(context, &words, 9));
  const Words before = words;
  for (size_t extra : {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 4,
                       (SIZE_MAX >> 3) + 2})
    EXPECT_FALSE(TIR_VEC_RESERVE(context, &words, extra)) << extra;
  EXPECT_EQ(words.data, before.data);
  EXPECT_EQ(words.count, 1u);
  EXPECT_EQ(words.capacity, before.capacity);
  EXPECT_EQ(words.data[0], 9u);
  TIR_VEC_FREE(context, &words);
}

TEST(Vec, AllocationFailureLeavesTheVectorUnchanged) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    const TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    Words words = {};
    tir_status status = TIR_OK;
    for (uint32_t i = 0; i < 200; i++) {
      const Words before = words;
      if (TIR_VEC_PUSH(context, &words, i)) continue;
      status = TIR_ERR_MEMORY;
      EXPECT_EQ(words.data, before.data);
      EXPECT_EQ(words.count, before.count);
      EXPECT_EQ(words.capacity, before.capacity);
      EXPECT_TRUE(TIR_VEC_PUSH(context, &words, i));
    }
    for (uint32_t i = 0; i < 200; i++) EXPECT_EQ(words.data[i], i);
    TIR_VEC_FREE(context, &words);
    return status;
  });
}

}  // namespace
