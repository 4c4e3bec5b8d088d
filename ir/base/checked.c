// Sizes of tensors: the products behind every allocation.
#include "ir/base/checked.h"

bool tir_base_numel(const int64_t *dims, int rank, int64_t *out_numel) {
  *out_numel = 0;
  if (rank < 0) return false;
  size_t product = 1;
  bool empty = false;
  for (int i = 0; i < rank; i++) {
    if (dims[i] < 0) return false;
    // A zero dim empties the tensor but must not hide an overflow among the
    // others: their strides are computed all the same.
    if (dims[i] == 0) {
      empty = true;
    } else if (!tir_base_size_mul(product, (size_t)dims[i], &product)) {
      return false;
    }
  }
  // Fits int64: no factor took the product beyond PTRDIFF_MAX.
  *out_numel = empty ? 0 : (int64_t)product;
  return true;
}

// The rounded size is only a test: who pads a tensor to whole lines later need
// not ask again.
bool tir_base_tensor_bytes(const int64_t *dims, int rank, size_t elem_size,
                           size_t *out_bytes) {
  *out_bytes = 0;
  int64_t numel = 0;
  size_t bytes = 0, rounded = 0;
  if (!tir_base_numel(dims, rank, &numel) ||
      !tir_base_size_mul((size_t)numel, elem_size, &bytes) ||
      !tir_base_size_align(bytes, 64, &rounded))
    return false;
  *out_bytes = bytes;
  return true;
}
