// Dense copies of strided memory.
#include "ir/base/strided.h"

#include <string.h>

#include "ir/base/checked.h"

void tir_base_copy_strided(void *rows, const void *data, const int64_t *dims,
                           const int64_t *strides, int rank, size_t elem_size) {
  int64_t numel = 0;
  if (!tir_base_numel(dims, rank, &numel)) return;
  uint8_t *to = rows;
  const uint8_t *first = data;
  int64_t index[TIR_MAX_RANK] = {0};
  // `at` walks the copy; `from` follows it. It may stand outside the memory
  // between two elements, so it is a number, not a pointer.
  int64_t from = 0;
  for (int64_t at = 0; at < numel; at++) {
    memcpy(to, first + from, elem_size);
    to += elem_size;
    // As an odometer counts: the last axis steps; one that is through goes back
    // to its start, and the one before it steps.
    for (int i = rank - 1; i >= 0; i--) {
      if (++index[i] < dims[i]) {
        from += strides[i];
        break;
      }
      from -= strides[i] * (dims[i] - 1);
      index[i] = 0;
    }
  }
}
