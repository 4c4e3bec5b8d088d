// Small safetensors files that would need much memory or time: refused, and
// the peak stays within the limit.
#include <gtest/gtest.h>

#include <chrono>

#include "tapeir/tapeir.h"
#include "tests/support/peak_allocator.h"
#include "tests/support/safetensors_file.h"

namespace {

enum { kEmptyTensors, kReverse, kMetadata, kLongText, kOpen, kNPatterns };

// Each of about `size` bytes.
std::string Bomb(int pattern, size_t size) {
  std::string header = "{", data;
  switch (pattern) {
    case kEmptyTensors:
    case kReverse: {
      // Short entries; in falling order of place, the worst for a sort.
      const uint64_t n = size / 60;
      const bool reverse = pattern == kReverse;
      if (reverse) data.assign(n, 'x');
      for (uint64_t i = 0; i < n; i++) {
        const uint64_t at = reverse ? n - 1 - i : 0;
        header += SafetensorsEntry(std::to_string(i), "U8",
                                   reverse ? "[1]" : "[0]", at, at + reverse) +
                  ",";
      }
      break;
    }
    case kMetadata:
      header += "\"__metadata__\":{";
      for (int i = 0; header.size() < size; i++)
        header += "\"" + std::to_string(i) + "\":\"\",";
      header.back() = '}';
      header += ",";
      break;
    case kLongText:
      return SafetensorsFile(
          "{\"__metadata__\":{\"a\":\"" + std::string(size, '{') + "\"}}", "");
    default:  // never closed
      return SafetensorsFile(std::string(size, '{'), "");
  }
  header.back() = '}';
  return SafetensorsFile(header, data);
}

tir_status LoadWithin(const std::string &bytes, uint64_t limit) {
  PeakAllocator allocator;
  const tir_context_options options = allocator.Options();
  tir_context *context = nullptr;
  EXPECT_EQ(tir_context_create(&options, &context, nullptr), TIR_OK);
  tir_load_options load = {};
  load.max_bytes = limit;
  tir_error error = {};
  tir_module *module = nullptr;
  tir_safetensors_load_memory(context, bytes.data(), bytes.size(), &load,
                              &module, &error);
  tir_module_destroy(module);
  tir_context_destroy(context);
  EXPECT_LE(allocator.peak(), limit + limit / 20 + 4096) << error.message;
  EXPECT_EQ(allocator.held(), 0u);
  return error.status;
}

double Seconds(const std::string &bytes) {
  const auto start = std::chrono::steady_clock::now();
  LoadWithin(bytes, UINT64_C(1) << 30);
  const std::chrono::duration<double> time =
      std::chrono::steady_clock::now() - start;
  return time.count();
}

}  // namespace

TEST(SerializeSafetensorsBombGate, StaysWithinTheLimit) {
  for (int pattern = 0; pattern < kNPatterns; pattern++) {
    const std::string bytes = Bomb(pattern, 1 << 20);
    for (uint64_t limit = UINT64_C(256) << 10; limit <= UINT64_C(1) << 30;
         limit *= 4) {
      SCOPED_TRACE(std::to_string(pattern) + ", " + std::to_string(limit));
      const tir_status status = LoadWithin(bytes, limit);
      if (pattern == kOpen) {
        EXPECT_EQ(status, limit < 1 << 20 ? TIR_ERR_LIMIT : TIR_ERR_FORMAT);
      } else {
        EXPECT_TRUE(status == TIR_OK || status == TIR_ERR_LIMIT);
        if (limit == UINT64_C(256) << 10) {
          EXPECT_EQ(status, TIR_ERR_LIMIT);
        }
        if (limit == UINT64_C(1) << 28) {
          EXPECT_EQ(status, TIR_OK);
        }
      }
    }
  }
}

// The default limit is enough for the shortest entries there are.
TEST(SerializeSafetensorsBombGate, DefaultLimitIsEnough) {
  for (const int pattern : {kEmptyTensors, kReverse, kLongText})
    EXPECT_EQ(LoadWithin(Bomb(pattern, 8 << 20), UINT64_C(16) * (8 << 20)),
              TIR_OK);
}

TEST(SerializeSafetensorsBombGate, TimeIsLinear) {
  for (int pattern = 0; pattern < kNPatterns; pattern++) {
    const double small = Seconds(Bomb(pattern, 1 << 18));
    const double large = Seconds(Bomb(pattern, 1 << 22));
    // 16 times the bytes; caches and the sort's logarithm are allowed for.
    EXPECT_LT(large, 64 * small + 0.2) << pattern;
  }
}
