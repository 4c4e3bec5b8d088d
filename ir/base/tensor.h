// Inside of tir_tensor.
#ifndef TAPEIR_IR_BASE_TENSOR_H
#define TAPEIR_IR_BASE_TENSOR_H

#include "ir/base/atomics.h"
#include "ir/base/context.h"

struct tir_tensor {
  atomic_size_t n_refs;
  atomic_int n_frozen;  // holders that read the data by reference
  tir_context *context;
  bool read_only;  // memory nobody may write: tir_tensor_write_begin refuses
  tir_dtype dtype;
  int rank;
  int64_t dims[TIR_MAX_RANK];
  int64_t numel;
  size_t size_bytes;
  void *data;
  size_t alloc_bytes;           // of data; 0 when it is not ours
  void (*release)(void *user);  // for memory that is not ours
  void *user;
};

// While frozen, tir_tensor_write_begin refuses. Counted.
void tir_base_tensor_freeze(tir_tensor *tensor);
void tir_base_tensor_thaw(tir_tensor *tensor);

// Large blocks (arenas, parameters): 2 MiB-aligned with huge pages advised
// when size is at least 2 MiB and the context has no caller's allocator.
void *tir_base_alloc_pages(tir_context *context, size_t size,
                           size_t *out_alloc_bytes);
void tir_base_free_pages(tir_context *context, void *ptr, size_t alloc_bytes);

#endif
