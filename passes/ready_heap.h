// Steps that may run, smallest key first; equal keys by step number, so that
// an order never depends on anything but the graph.
#ifndef TAPEIR_PASSES_READY_HEAP_H
#define TAPEIR_PASSES_READY_HEAP_H

#include "ir/base/vec.h"

typedef struct tir_pass_ready {
  int64_t key;
  uint32_t step;
  uint32_t stamp;  // the caller's, to tell stale entries
} tir_pass_ready;

typedef struct tir_pass_ready_heap {
  tir_context *context;
  TIR_VEC(tir_pass_ready) items;
} tir_pass_ready_heap;

// False when memory ran out.
bool tir_pass_ready_push(tir_pass_ready_heap *heap, tir_pass_ready item);
// False when it is empty.
bool tir_pass_ready_pop(tir_pass_ready_heap *heap, tir_pass_ready *out_item);

#endif
