// Small files that would need much memory: refused, and the peak stays within
// the limit. Time stays linear.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/compiled.h"
#include "tests/support/file_spec.h"
#include "tests/support/peak_allocator.h"
#include "tests/support/sample_modules.h"

namespace {

// The patterns, each of about a megabyte.
enum {
  kEmptyNodes,
  kEmptyTensors,
  kSmallTensors,
  kExtraFields,
  kPacked,
  kTinyGraphs,
  kMetadata,
  kNPatterns
};

FileParts Bomb(int pattern) {
  constexpr size_t kBytes = 1 << 20;
  FileSpec base;
  base.tensors.clear();
  base.params.clear();
  base.data.clear();
  std::string many;
  switch (pattern) {
    case kEmptyNodes:  // 2 bytes each
      while (many.size() < kBytes) many += std::string("\x32\x00", 2);
      base.graphs[0].nodes.clear();
      base.graphs[0].outputs.clear();
      base.graphs[0].extra = many;
      return {base.message(), ""};
    case kEmptyTensors:  // 2 bytes each
      while (many.size() < kBytes) many += std::string("\x0a\x00", 2);
      return {many + base.message(), ""};
    case kSmallTensors: {  // zero-size, valid: about 25 bytes each
      TensorSpec tensor;
      tensor.dims = {0};
      tensor.size = 0;
      tensor.hash = tir_base_hash("", 0);
      const std::string one = Wire().Bytes(1, tensor.str());
      while (many.size() < kBytes) many += one;
      return {many + base.message(), ""};
    }
    case kExtraFields: {  // of one node: protobuf-c keeps what it skips
      const std::string one = Wire().Varint(1000, 0);
      while (many.size() < kBytes) many += one;
      base.graphs[0].nodes[1].extra = many;
      return {base.message(), ""};
    }
    case kTinyGraphs:
      for (int i = 0; many.size() < kBytes; i++)
        many += Wire().Bytes(3, Wire().Bytes(1, std::to_string(i))).str();
      base.graphs.clear();
      base.metadata.clear();
      return {many, ""};
    case kMetadata:
      base.metadata.clear();
      for (int i = 0; many.size() < kBytes; i++)
        many += Wire().Bytes(4, Wire().Bytes(1, std::to_string(i))).str();
      return {base.message() + many, ""};
    default:  // a million operands of a variadic op
      base.graphs[0].ops[1] = "add_n";
      base.graphs[0].nodes[1].inputs.assign(kBytes, 1);
      return {base.message(), ""};
  }
}

// Loads with a limit; returns the status and checks the peak.
tir_status LoadWithin(const std::string &bytes, uint64_t limit) {
  PeakAllocator allocator;
  const tir_context_options options = allocator.Options();
  tir_context *context = nullptr;
  EXPECT_EQ(tir_context_create(&options, &context, nullptr), TIR_OK);
  tir_load_options load = {};
  load.max_bytes = limit;
  tir_error error = {};
  tir_module *module = LoadBytes(context, bytes, &error, &load);
  tir_module_destroy(module);
  tir_context_destroy(context);
  // The context and the empty module are not the file's doing.
  EXPECT_LE(allocator.peak(), limit + limit / 20 + 4096) << error.message;
  EXPECT_EQ(allocator.held(), 0u);
  return error.status;
}

}  // namespace

class SerializeBombGate
    : public testing::TestWithParam<std::tuple<int, uint64_t>> {};

TEST_P(SerializeBombGate, StaysWithinTheLimit) {
  const int pattern = std::get<0>(GetParam());
  const uint64_t limit = std::get<1>(GetParam()) << 20;
  const std::string bytes = Join(Bomb(pattern));
  const tir_status status = LoadWithin(bytes, limit);
  if (pattern == kEmptyNodes || pattern == kEmptyTensors) {
    // Refused for what they are when the limit allows to look at them.
    EXPECT_TRUE(status == TIR_ERR_LIMIT || status == TIR_ERR_FORMAT ||
                status == TIR_ERR_UNSUPPORTED);
  } else {
    // Valid: loaded when the limit is enough, else refused.
    EXPECT_TRUE(status == TIR_OK || status == TIR_ERR_LIMIT);
    if (limit == UINT64_C(8) << 20) {
      EXPECT_EQ(status, TIR_ERR_LIMIT);
    }
    if (limit == UINT64_C(1) << 30) {
      EXPECT_EQ(status, TIR_OK);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Patterns, SerializeBombGate,
                         testing::Combine(testing::Range(0, int{kNPatterns}),
                                          testing::Values(8, 16, 256, 1024)));

// A graph as people make it loads with the default limit, and the peak of
// memory stays within it.
TEST(SerializeMemoryGate, LongChainWithinTheDefault) {
  for (const uint32_t n : {20000u, 200000u}) {
    const Owned<tir_context> context = MakeContext();
    const Owned<tir_module> module(MakeChainModule(context.get(), n));
    const std::string bytes = SaveBytes(module.get());
    const uint64_t limit =
        std::max<uint64_t>(UINT64_C(64) << 20, 16 * bytes.size());
    printf("%u nodes: file %zu bytes, %.1f bytes per node\n", n, bytes.size(),
           static_cast<double>(bytes.size()) / n);
    EXPECT_EQ(LoadWithin(bytes, limit), TIR_OK);
    // With far too little it is refused, not half done.
    EXPECT_EQ(LoadWithin(bytes, bytes.size() + 1000), TIR_ERR_LIMIT);
  }
}

// Random limits over real modules: within the limit, or refused.
TEST(SerializeMemoryGate, EveryLimit) {
  const Owned<tir_context> context = MakeContext();
  for (int i = 0; i < kNSampleModules; i++) {
    SCOPED_TRACE(kSampleModules[i].name);
    const Owned<tir_module> module(kSampleModules[i].make(context.get()));
    const std::string bytes = SaveBytes(module.get());
    bool loaded = false;
    for (uint64_t limit = 1024; limit < 4 << 20; limit += limit / 7) {
      const tir_status status = LoadWithin(bytes, limit);
      EXPECT_TRUE(status == TIR_OK || status == TIR_ERR_LIMIT);
      loaded = status == TIR_OK;
    }
    EXPECT_TRUE(loaded);
  }
}

TEST(SerializeTimeGate, LoadAndSaveAreLinear) {
  const Owned<tir_context> context = MakeContext();
  double seconds[2] = {};
  const uint32_t sizes[] = {40000, 400000};
  for (int i = 0; i < 2; i++) {
    const Owned<tir_module> module(MakeChainModule(context.get(), sizes[i]));
    const auto start = std::chrono::steady_clock::now();
    const std::string bytes = SaveBytes(module.get());
    tir_error error = {};
    const Owned<tir_module> loaded(LoadBytes(context.get(), bytes, &error));
    ASSERT_NE(loaded, nullptr) << error.message;
    seconds[i] =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
  }
  printf("save and load: %.3f s and %.3f s\n", seconds[0], seconds[1]);
  EXPECT_LE(seconds[1], 30 * seconds[0] + 0.5);
}
