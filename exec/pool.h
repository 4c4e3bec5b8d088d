// Buffers of values that outlive their run: size classes with free lists, so
// that a training loop allocates nothing after its first turns.
#ifndef TAPEIR_EXEC_POOL_H
#define TAPEIR_EXEC_POOL_H

#include "ir/base/tensor.h"
#include "tapeir/graph.h"

typedef struct tir_pool_buffer {
  uint32_t n_refs;
  uint32_t size_class;  // 0: no memory of its own
  size_t bytes;         // of data, as asked for
  void *data;           // 64-byte aligned unless it wraps a tensor
  tir_tensor *tensor;   // held and frozen, when data is a tensor's
  tir_module *module;   // whose parameter this is, borrowed
  uint32_t param;       // its number
  size_t alloc_bytes;   // of data, for the pool
  uint64_t free_since;  // run, when on a free list
  struct tir_pool_buffer *next;
} tir_pool_buffer;

// Four classes per doubling from 64 bytes on.
enum { TIR_POOL_N_CLASSES = 4 * 52 };

typedef struct tir_pool {
  tir_context *context;
  tir_pool_buffer *free[TIR_POOL_N_CLASSES];
  size_t bytes_in_use;
  size_t bytes_held;  // in use or on free lists
  uint64_t n_runs;
} tir_pool;

void tir_pool_init(tir_pool *pool, tir_context *context);
// Frees the free lists; buffers in use must be given back before.
void tir_pool_free(tir_pool *pool);
// One reference; data not zeroed. NULL when memory ran out.
tir_pool_buffer *tir_pool_take(tir_pool *pool, size_t bytes);
// Buffer over a tensor's data. `freeze`: the tape reads it by reference.
tir_pool_buffer *tir_pool_wrap(tir_pool *pool, tir_tensor *tensor, bool freeze);
static inline tir_pool_buffer *tir_pool_retain(tir_pool_buffer *buffer) {
  buffer->n_refs++;
  return buffer;
}
void tir_pool_release(tir_pool *pool, tir_pool_buffer *buffer);
// Called after every run: frees what none has used for so many of them.
enum { TIR_POOL_IDLE_RUNS = 1024 };
void tir_pool_count_run(tir_pool *pool);
// The two change their memory, whoever holds them. Neither is on a free list.
void tir_pool_swap(tir_pool_buffer *a, tir_pool_buffer *b);

#endif
