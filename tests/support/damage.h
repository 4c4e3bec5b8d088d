// Damaging a file in every place: all lengths, all single-byte changes.
#ifndef TAPEIR_TESTS_SUPPORT_DAMAGE_H
#define TAPEIR_TESTS_SUPPORT_DAMAGE_H

#include <gtest/gtest.h>

#include "tests/support/failing_allocator.h"
#include "tests/support/tir_file.h"

// True if the bytes are refused, with nothing left behind.
inline bool IsRefused(tir_context *context, const std::string &bytes) {
  tir_error error = {};
  tir_module *module = LoadBytes(context, bytes, &error);
  if (module) tir_module_destroy(module);
  return !module && error.status != TIR_ERR_MEMORY && error.message[0];
}

inline void ExpectEveryTruncationRefused(tir_context *context,
                                         const std::string &bytes,
                                         size_t step = 1) {
  for (size_t size = 0; size < bytes.size(); size += step)
    ASSERT_TRUE(IsRefused(context, bytes.substr(0, size))) << size;
}

// Each bit of each byte, and the byte inverted.
inline void ExpectEveryFlipRefused(tir_context *context,
                                   const std::string &bytes, size_t step = 1) {
  std::string bad = bytes;
  for (size_t i = 0; i < bytes.size(); i += step) {
    for (const int mask : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      bad[i] = static_cast<char>(bytes[i] ^ mask);
      ASSERT_TRUE(IsRefused(context, bad)) << "byte " << i << ", mask " << mask;
    }
    bad[i] = bytes[i];
  }
}

#endif
