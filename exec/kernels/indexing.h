// Operands that hold indices, i32 or i64, −size … size − 1.
#ifndef TAPEIR_EXEC_KERNELS_INDEXING_H
#define TAPEIR_EXEC_KERNELS_INDEXING_H

#include "exec/kernels/call.h"

typedef struct tir_exec_indices {
  bool wide;  // i64
  int64_t n;
  int64_t size;  // of the indexed axis
} tir_exec_indices;

// As given.
static inline int64_t tir_exec_index_given(const tir_exec_indices *p,
                                           const void *indices,
                                           int64_t position) {
  return p->wide ? ((const int64_t *)indices)[position]
                 : ((const int32_t *)indices)[position];
}

// As 0 … size − 1, when it is in range.
static inline int64_t tir_exec_index_at(const tir_exec_indices *p,
                                        const void *indices, int64_t position) {
  const int64_t index = tir_exec_index_given(p, indices, position);
  return index < 0 ? index + p->size : index;
}

void tir_exec_fill_indices(const tir_ir_type *type, int64_t size,
                           tir_exec_indices *p);
// Fails on the first index out of range among those in `span`.
tir_status tir_exec_check_indices(const tir_exec_call *call,
                                  const tir_exec_indices *p,
                                  const void *indices, tir_exec_span span);

#endif
