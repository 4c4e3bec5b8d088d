// Arenas: alignment, no overlap, big objects, failure.
#include <string>
#include <vector>

#include "tests/support/context_fixture.h"
#include "tests/support/internal.h"
#include "tests/support/random.h"

namespace {

struct Piece {
  unsigned char *at;
  size_t size;
  unsigned char fill;
};

// Fills each piece with its own byte; any overlap destroys an earlier one.
TEST(Arena, PiecesKeepTheirBytes) {
  FailingAllocator allocator;
  const TestContext context(&allocator);
  TestRandom random(3);
  tir_base_arena arena;
  tir_base_arena_init(&arena, context);
  std::vector<Piece> pieces;
  for (int i = 0; i < 3000; i++) {
    size_t size = random.Below(200);
    if (random.Below(40) == 0) size = random.Below(20000);
    if (random.Below(400) == 0) size = random.Below(1 << 20);
    const size_t align = static_cast<size_t>(1) << random.Below(7);
    void *at = tir_base_arena_alloc(&arena, size, align);
    ASSERT_NE(at, nullptr);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(at) % align, 0u);
    const Piece piece = {static_cast<unsigned char *>(at), size,
                         static_cast<unsigned char>(random.Bits())};
    memset(piece.at, piece.fill, size);
    pieces.push_back(piece);
  }
  size_t total = 0;
  for (const Piece &piece : pieces) {
    total += piece.size;
    for (size_t i = 0; i < piece.size; i++) ASSERT_EQ(piece.at[i], piece.fill);
  }
  EXPECT_GE(arena.total_bytes, total);
  EXPECT_LE(arena.total_bytes, total + total / 4 + (1 << 20));
  tir_base_arena_free(&arena);
  EXPECT_EQ(arena.total_bytes, 0u);
}

TEST(Arena, ManySmallPiecesTakeFewAllocations) {
  FailingAllocator allocator;
  const TestContext context(&allocator);
  tir_base_arena arena;
  tir_base_arena_init(&arena, context);
  for (int i = 0; i < 100000; i++)
    ASSERT_NE(tir_base_arena_alloc(&arena, 16, 8), nullptr);
  EXPECT_LT(allocator.n_allocs(), 24u);
  tir_base_arena_free(&arena);
}

TEST(Arena, UsableAgainAfterFree) {
  FailingAllocator allocator;
  const TestContext context(&allocator);
  tir_base_arena arena;
  tir_base_arena_init(&arena, context);
  for (int round = 0; round < 3; round++) {
    char *text = tir_base_arena_text(&arena, "tapir!", 5);
    ASSERT_NE(text, nullptr);
    EXPECT_STREQ(text, "tapir");
    tir_base_arena_free(&arena);
  }
}

TEST(Arena, ImpossibleSizesAreRefused) {
  FailingAllocator allocator;
  const TestContext context(&allocator);
  tir_base_arena arena;
  tir_base_arena_init(&arena, context);
  EXPECT_EQ(tir_base_arena_alloc(&arena, SIZE_MAX, 1), nullptr);
  EXPECT_EQ(tir_base_arena_alloc(&arena, PTRDIFF_MAX, 64), nullptr);
  ASSERT_NE(tir_base_arena_alloc(&arena, 8, 8), nullptr);
  EXPECT_EQ(tir_base_arena_alloc(&arena, PTRDIFF_MAX - 4, 64), nullptr);
  EXPECT_EQ(tir_base_arena_text(&arena, "", SIZE_MAX), nullptr);
  tir_base_arena_free(&arena);
}

TEST(Arena, EmptyPieceIsNotNull) {
  FailingAllocator allocator;
  const TestContext context(&allocator);
  tir_base_arena arena;
  tir_base_arena_init(&arena, context);
  EXPECT_NE(tir_base_arena_alloc(&arena, 0, 1), nullptr);
  EXPECT_STREQ(tir_base_arena_text(&arena, nullptr, 0), "");
  tir_base_arena_free(&arena);
}

TEST(Arena, AllocationFailure) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    const TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    tir_base_arena arena;
    tir_base_arena_init(&arena, context);
    tir_status status = TIR_OK;
    for (size_t size = 1; size < 100000 && status == TIR_OK; size *= 3)
      if (!tir_base_arena_alloc(&arena, size, 8)) status = TIR_ERR_MEMORY;
    tir_base_arena_free(&arena);
    return status;
  });
}

}  // namespace
