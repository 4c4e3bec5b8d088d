// Contexts: options, allocator, lifetime, diagnostics.
#include <string>
#include <utility>
#include <vector>

#include "tests/support/failing_allocator.h"
#include "tests/support/internal.h"

namespace {

TEST(Context, Defaults) {
  tir_context *context = nullptr;
  ASSERT_EQ(tir_context_create(nullptr, &context, nullptr), TIR_OK);
  EXPECT_GE(context->cpu_level, TIR_CPU_BASELINE);
  EXPECT_LE(context->cpu_level, TIR_CPU_AVX512);
  EXPECT_EQ(context->n_threads, 1);
  EXPECT_EQ(context->max_bytes, UINT64_MAX);
  EXPECT_TRUE(tir_base_context_is_default(context));
  tir_context_destroy(context);
  tir_context_destroy(nullptr);
}

TEST(Context, ErrorIsLeftAloneOnSuccess) {
  tir_context *context = nullptr;
  tir_error error;
  memset(&error, 0x5A, sizeof error);
  tir_error before = error;
  ASSERT_EQ(tir_context_create(nullptr, &context, &error), TIR_OK);
  EXPECT_EQ(memcmp(&error, &before, sizeof error), 0);
  tir_context_destroy(context);
}

void ExpectRefused(const tir_context_options &options, tir_status expected,
                   const std::string &message) {
  tir_context *context = reinterpret_cast<tir_context *>(1);
  tir_error error = {};
  EXPECT_EQ(tir_context_create(&options, &context, &error), expected);
  EXPECT_EQ(context, nullptr);
  EXPECT_EQ(error.status, expected);
  EXPECT_NE(std::string(error.message).find(message), std::string::npos)
      << error.message;
}

TEST(Context, ReservedWordsMustBeZero) {
  for (int i = 0; i < 8; i++) {
    tir_context_options options = {};
    options.reserved[i] = 5;
    ExpectRefused(options, TIR_ERR_ARGUMENT,
                  "reserved word " + std::to_string(i) + " is 5");
  }
}

TEST(Context, HalfAnAllocatorIsRefused) {
  FailingAllocator allocator;
  tir_context_options options = allocator.Options();
  options.allocator.free = nullptr;
  ExpectRefused(options, TIR_ERR_ARGUMENT, "allocator has alloc but no free");
  options = allocator.Options();
  options.allocator.alloc = nullptr;
  ExpectRefused(options, TIR_ERR_ARGUMENT, "allocator has free but no alloc");
}

TEST(Context, NumbersOutOfRangeAreRefused) {
  tir_context_options options = {};
  options.n_threads = -1;
  ExpectRefused(options, TIR_ERR_ARGUMENT, "n_threads is -1");
  options = {};
  options.cpu_level = 4;
  ExpectRefused(options, TIR_ERR_ARGUMENT, "cpu_level is 4");
  options.cpu_level = -1;
  ExpectRefused(options, TIR_ERR_ARGUMENT, "cpu_level is -1");
  EXPECT_EQ(tir_context_create(nullptr, nullptr, nullptr), TIR_ERR_ARGUMENT);
}

TEST(Context, CpuLevelMayBeLowered) {
  tir_context_options options = {};
  options.cpu_level = TIR_CPU_BASELINE;
  tir_context *context = nullptr;
  ASSERT_EQ(tir_context_create(&options, &context, nullptr), TIR_OK);
  EXPECT_EQ(context->cpu_level, TIR_CPU_BASELINE);
  tir_context_destroy(context);
}

// Two ways of asking the processor must agree: the compiler's own level name
// and ours (gcc knows the level names, clang 14 does not).
#if defined(__x86_64__) && !defined(__clang__)
TEST(Context, CpuLevelMatchesTheCompilersView) {
  tir_context *context = nullptr;
  ASSERT_EQ(tir_context_create(nullptr, &context, nullptr), TIR_OK);
  __builtin_cpu_init();
  EXPECT_EQ(context->cpu_level >= TIR_CPU_AVX2,
            __builtin_cpu_supports("x86-64-v3") != 0);
  EXPECT_EQ(context->cpu_level >= TIR_CPU_AVX512,
            __builtin_cpu_supports("x86-64-v4") != 0);
  tir_context_destroy(context);
}
#endif

TEST(Context, EnvironmentIsNotRead) {
  tir_context *before = nullptr, *after = nullptr;
  ASSERT_EQ(tir_context_create(nullptr, &before, nullptr), TIR_OK);
  setenv("TIR_CPU_LEVEL", "1", 1);
  setenv("TAPEIR_CPU_LEVEL", "1", 1);
  setenv("OMP_NUM_THREADS", "7", 1);
  ASSERT_EQ(tir_context_create(nullptr, &after, nullptr), TIR_OK);
  EXPECT_EQ(before->cpu_level, after->cpu_level);
  EXPECT_EQ(before->n_threads, after->n_threads);
  tir_context_destroy(before);
  tir_context_destroy(after);
}

TEST(Context, AllocationFailure) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    const tir_context_options options = allocator.Options();
    tir_context *context = nullptr;
    const tir_status status = tir_context_create(&options, &context, nullptr);
    tir_context_destroy(context);
    return status;
  });
}

TEST(Context, LivesAsLongAsItIsHeld) {
  FailingAllocator allocator;
  const tir_context_options options = allocator.Options();
  tir_context *context = nullptr;
  ASSERT_EQ(tir_context_create(&options, &context, nullptr), TIR_OK);
  tir_tensor *tensor = nullptr;
  ASSERT_EQ(
      tir_tensor_create(context, TIR_DTYPE_F32, nullptr, 0, &tensor, nullptr),
      TIR_OK);
  tir_context_destroy(context);
  EXPECT_GT(allocator.n_held(), 0u);
  tir_tensor_release(tensor);
  EXPECT_EQ(allocator.n_held(), 0u);
}

TEST(Context, MemoryHelpers) {
  FailingAllocator allocator;
  const tir_context_options options = allocator.Options();
  tir_context *context = nullptr;
  ASSERT_EQ(tir_context_create(&options, &context, nullptr), TIR_OK);
  for (size_t align : {1, 2, 16, 64, 4096}) {
    void *none = tir_base_alloc(context, 0, align);
    EXPECT_NE(none, nullptr);
    tir_base_free(context, none, 0, align);
    auto *zeros =
        static_cast<unsigned char *>(tir_base_alloc_zero(context, 100, align));
    ASSERT_NE(zeros, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(zeros) % align, 0u);
    for (int i = 0; i < 100; i++) EXPECT_EQ(zeros[i], 0);
    tir_base_free(context, zeros, 100, align);
  }
  const uint64_t n = allocator.n_allocs();
  EXPECT_EQ(tir_base_alloc(context, SIZE_MAX, 64), nullptr);
  EXPECT_EQ(allocator.n_allocs(), n) << "asked for an impossible size";
  tir_base_free(context, nullptr, 3, 1);
  tir_context_destroy(context);
}

TEST(Context, DefaultAllocatorHonoursAlignment) {
  tir_context *context = nullptr;
  ASSERT_EQ(tir_context_create(nullptr, &context, nullptr), TIR_OK);
  for (size_t align = 1; align <= (1u << 21); align *= 2) {
    void *ptr = tir_base_alloc(context, 3, align);
    ASSERT_NE(ptr, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(ptr) % align, 0u);
    tir_base_free(context, ptr, 3, align);
  }
  tir_context_destroy(context);
}

TEST(Context, Diagnostics) {
  std::vector<std::pair<tir_status, std::string>> items;
  tir_context_options options = {};
  options.diagnostics_user = &items;
  options.diagnostics = [](void *user, tir_status status, const char *message) {
    static_cast<decltype(items) *>(user)->emplace_back(status, message);
  };
  tir_context *context = nullptr;
  ASSERT_EQ(tir_context_create(&options, &context, nullptr), TIR_OK);
  tir_base_diagnose(context, TIR_ERR_SHAPE, "one");
  tir_base_diagnose(context, TIR_ERR_DTYPE, "two");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[1].first, TIR_ERR_DTYPE);
  EXPECT_EQ(items[0].second, "one");
  tir_context_destroy(context);
  ASSERT_EQ(tir_context_create(nullptr, &context, nullptr), TIR_OK);
  tir_base_diagnose(context, TIR_ERR_SHAPE, "nobody listens");
  tir_context_destroy(context);
}

TEST(Context, Version) {
  char expected[32];
  snprintf(expected, sizeof expected, "%d.%d.%d", TIR_VERSION_MAJOR,
           TIR_VERSION_MINOR, TIR_VERSION_PATCH);
  EXPECT_STREQ(tir_version(), expected);
}

}  // namespace
