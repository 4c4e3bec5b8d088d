// Checked arithmetic on sizes. Every size that reaches an allocator, a plan or
// a file offset goes through here; raw * and + on sizes are for loops only.
#ifndef TAPEIR_IR_BASE_CHECKED_H
#define TAPEIR_IR_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Each writes *out and returns true, or returns false (then *out is 0) when
// the result does not fit or exceeds PTRDIFF_MAX.
static inline bool tir_base_size_add(size_t a, size_t b, size_t *out) {
  const bool bad = __builtin_add_overflow(a, b, out) || *out > PTRDIFF_MAX;
  if (bad) *out = 0;
  return !bad;
}

static inline bool tir_base_size_mul(size_t a, size_t b, size_t *out) {
  const bool bad = __builtin_mul_overflow(a, b, out) || *out > PTRDIFF_MAX;
  if (bad) *out = 0;
  return !bad;
}

// `align` is a power of two.
static inline bool tir_base_size_align(size_t a, size_t align, size_t *out) {
  if (!tir_base_size_add(a, align - 1, out)) return false;
  *out &= ~(align - 1);
  return true;
}

static inline bool tir_base_i64_add(int64_t a, int64_t b, int64_t *out) {
  const bool bad = __builtin_add_overflow(a, b, out);
  if (bad) *out = 0;
  return !bad;
}

static inline bool tir_base_i64_mul(int64_t a, int64_t b, int64_t *out) {
  const bool bad = __builtin_mul_overflow(a, b, out);
  if (bad) *out = 0;
  return !bad;
}

// Product of dims; false for a negative dim or when the product of the
// non-zero dims exceeds PTRDIFF_MAX (so [2^40, 2^40, 0] is refused too: some
// stride of it would not fit).
bool tir_base_numel(const int64_t *dims, int rank, int64_t *out_numel);
// numel × elem_size, and rounded up to 64 bytes still below PTRDIFF_MAX.
bool tir_base_tensor_bytes(const int64_t *dims, int rank, size_t elem_size,
                           size_t *out_bytes);

#endif
