// Checked sizes against 128-bit arithmetic, for the fast and the gate test.
#ifndef TAPEIR_TESTS_SUPPORT_CHECKED_PROPERTY_H
#define TAPEIR_TESTS_SUPPORT_CHECKED_PROPERTY_H

#include <gtest/gtest.h>

#include "tests/support/internal.h"
#include "tests/support/random.h"

typedef unsigned __int128 u128;
typedef __int128 i128;

inline bool SizePairAgrees(size_t a, size_t b) {
  size_t out = 1;
  const u128 limit = PTRDIFF_MAX;
  const u128 sum = static_cast<u128>(a) + b;
  bool ok = tir_base_size_add(a, b, &out) == (sum <= limit) &&
            out == (sum <= limit ? static_cast<size_t>(sum) : 0);
  const u128 product = static_cast<u128>(a) * b;
  ok = tir_base_size_mul(a, b, &out) == (product <= limit) && ok &&
       out == (product <= limit ? static_cast<size_t>(product) : 0);
  const size_t align = static_cast<size_t>(1) << (b % 32);
  const u128 up = (static_cast<u128>(a) + align - 1) / align * align;
  // The helper adds align − 1 before it rounds down: near the limit it may
  // refuse what would just fit, but never passes what does not.
  const bool fits = static_cast<u128>(a) + align - 1 <= limit;
  ok = tir_base_size_align(a, align, &out) == fits && ok &&
       out == (fits ? static_cast<size_t>(up) : 0);
  return ok;
}

inline bool SignedPairAgrees(int64_t a, int64_t b) {
  int64_t out = 1;
  const i128 sum = static_cast<i128>(a) + b;
  const bool sum_fits = sum >= INT64_MIN && sum <= INT64_MAX;
  bool ok = tir_base_i64_add(a, b, &out) == sum_fits &&
            out == (sum_fits ? static_cast<int64_t>(sum) : 0);
  const i128 product = static_cast<i128>(a) * b;
  const bool fits = product >= INT64_MIN && product <= INT64_MAX;
  ok = tir_base_i64_mul(a, b, &out) == fits && ok &&
       out == (fits ? static_cast<int64_t>(product) : 0);
  return ok;
}

// numel and tensor_bytes of random shapes, small and huge dims mixed.
inline bool ShapeAgrees(const int64_t *dims, int rank, size_t elem_size) {
  u128 nonzero = 1;
  bool empty = false, ok_dims = true, big = false;
  for (int i = 0; i < rank; i++) {
    if (dims[i] < 0) ok_dims = false;
    if (dims[i] == 0) empty = true;
    if (dims[i] > 0 && !big) {
      nonzero *= static_cast<u128>(dims[i]);
      big = nonzero > static_cast<u128>(PTRDIFF_MAX);
    }
  }
  const bool numel_fits = ok_dims && !big;
  const u128 numel = empty ? 0 : nonzero;
  int64_t got = -1;
  if (tir_base_numel(dims, rank, &got) != numel_fits) return false;
  if (got != (numel_fits ? static_cast<int64_t>(numel) : 0)) return false;
  const u128 bytes = numel * elem_size;
  const bool bytes_fit =
      numel_fits && bytes + 63 <= static_cast<u128>(PTRDIFF_MAX);
  size_t got_bytes = 1;
  if (tir_base_tensor_bytes(dims, rank, elem_size, &got_bytes) != bytes_fit)
    return false;
  return got_bytes == (bytes_fit ? static_cast<size_t>(bytes) : 0);
}

// Random words of random magnitude, so that sums and products land on both
// sides of every limit.
inline uint64_t RandomMagnitude(TestRandom *random) {
  return random->Bits() >> random->Below(64);
}

inline void CheckRandomSizes(uint64_t seed, int n) {
  TestRandom random(seed);
  int n_fit = 0;
  for (int i = 0; i < n; i++) {
    const uint64_t a = RandomMagnitude(&random), b = RandomMagnitude(&random);
    ASSERT_TRUE(SizePairAgrees(a, b)) << a << " " << b;
    const int64_t sa = static_cast<int64_t>(random.Bits() & 1 ? a : 0 - a);
    const int64_t sb = static_cast<int64_t>(random.Bits() & 1 ? b : 0 - b);
    ASSERT_TRUE(SignedPairAgrees(sa, sb)) << sa << " " << sb;
    int64_t dims[TIR_MAX_RANK];
    const int rank = static_cast<int>(random.Below(TIR_MAX_RANK + 1));
    for (int d = 0; d < rank; d++) {
      const uint64_t bits = random.Bits() >> (24 + random.Below(40));
      dims[d] = static_cast<int64_t>(bits);
      if (random.Below(64) == 0) dims[d] = -1 - dims[d];
    }
    const size_t elem_size = static_cast<size_t>(1) << random.Below(4);
    ASSERT_TRUE(ShapeAgrees(dims, rank, elem_size)) << "case " << i;
    int64_t numel;
    n_fit += tir_base_numel(dims, rank, &numel);
  }
  // Both sides of the limit were met often.
  EXPECT_GT(n_fit, n / 10);
  EXPECT_LT(n_fit, n - n / 10);
}

#endif
