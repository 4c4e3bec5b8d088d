// Buffers for values that outlive their run.
//
// Sizes are rounded up to four classes per doubling; a released buffer goes
// to its class's free list and is handed out again, so a loop that needs the
// same sizes each turn reaches a steady state without allocating. What stays on
// its list for long was needed once and goes back to the allocator.
#include "exec/pool.h"

#include "ir/base/checked.h"

// Smallest class that holds `bytes`, 1-based; its size in *out_size.
// Classes are 64·2^k·{1, 1.25, 1.5, 1.75}, rounded up to 64 bytes.
static uint32_t class_of(size_t bytes, size_t *out_size) {
  size_t base = 64;
  uint32_t index = 0;
  while (base <= PTRDIFF_MAX / 4) {
    for (size_t quarter = 0; quarter < 4; quarter++, index++) {
      const size_t size = (base + base / 4 * quarter + 63) & ~(size_t)63;
      if (size >= bytes) {
        *out_size = size;
        return index + 1;
      }
    }
    base *= 2;
  }
  // Larger than anything that can be allocated.
  *out_size = 0;
  return 0;
}

void tir_pool_init(tir_pool *pool, tir_context *context) {
  *pool = (tir_pool){.context = context};
}

static void free_buffer(tir_pool *pool, tir_pool_buffer *buffer) {
  if (buffer->size_class) {
    pool->bytes_held -= buffer->alloc_bytes;
    tir_base_free_pages(pool->context, buffer->data, buffer->alloc_bytes);
  }
  tir_base_free(pool->context, buffer, sizeof *buffer,
                _Alignof(tir_pool_buffer));
}

static void free_list(tir_pool *pool, tir_pool_buffer **list) {
  while (*list) {
    tir_pool_buffer *buffer = *list;
    *list = buffer->next;
    free_buffer(pool, buffer);
  }
}

void tir_pool_free(tir_pool *pool) {
  for (size_t i = 0; i < TIR_POOL_N_CLASSES; i++)
    free_list(pool, &pool->free[i]);
}

// A list has the last one released first, so the idle ones are its end. Looking
// only now and then makes a run cheap and an idle buffer stay a little longer.
void tir_pool_count_run(tir_pool *pool) {
  if (++pool->n_runs % TIR_POOL_IDLE_RUNS) return;
  for (size_t i = 0; i < TIR_POOL_N_CLASSES; i++) {
    tir_pool_buffer **list = &pool->free[i];
    while (*list && (*list)->free_since + TIR_POOL_IDLE_RUNS > pool->n_runs)
      list = &(*list)->next;
    free_list(pool, list);
  }
}

static tir_pool_buffer *new_header(tir_pool *pool) {
  tir_pool_buffer *buffer = tir_base_alloc_zero(pool->context, sizeof *buffer,
                                                _Alignof(tir_pool_buffer));
  if (buffer) buffer->n_refs = 1;
  return buffer;
}

tir_pool_buffer *tir_pool_take(tir_pool *pool, size_t bytes) {
  size_t size;
  const uint32_t size_class = class_of(bytes, &size);
  if (!size_class || size_class > TIR_POOL_N_CLASSES) return NULL;
  // The one released last, whose memory is most likely still in a cache.
  tir_pool_buffer *buffer = pool->free[size_class - 1];
  if (buffer) {
    pool->free[size_class - 1] = buffer->next;
    buffer->next = NULL;
    buffer->n_refs = 1;
  } else {
    buffer = new_header(pool);
    if (!buffer) return NULL;
    buffer->data =
        tir_base_alloc_pages(pool->context, size, &buffer->alloc_bytes);
    if (!buffer->data) {
      free_buffer(pool, buffer);
      return NULL;
    }
    buffer->size_class = size_class;
    pool->bytes_held += buffer->alloc_bytes;
  }
  buffer->bytes = bytes;
  pool->bytes_in_use += buffer->alloc_bytes;
  return buffer;
}

// Not counted in bytes_held: the memory is the tensor's.
tir_pool_buffer *tir_pool_wrap(tir_pool *pool, tir_tensor *tensor,
                               bool freeze) {
  tir_pool_buffer *buffer = new_header(pool);
  if (!buffer) return NULL;
  buffer->tensor = tir_tensor_retain(tensor);
  buffer->data = tensor->data;
  buffer->bytes = tensor->size_bytes;
  // alloc_bytes marks a frozen tensor here: wrapped memory is never pooled.
  buffer->alloc_bytes = freeze;
  if (freeze) tir_base_tensor_freeze(tensor);
  return buffer;
}

void tir_pool_release(tir_pool *pool, tir_pool_buffer *buffer) {
  if (!buffer || --buffer->n_refs) return;
  if (!buffer->size_class) {
    if (buffer->alloc_bytes) tir_base_tensor_thaw(buffer->tensor);
    tir_tensor_release(buffer->tensor);
    buffer->alloc_bytes = 0;
    free_buffer(pool, buffer);
    return;
  }
  pool->bytes_in_use -= buffer->alloc_bytes;
  buffer->free_since = pool->n_runs;
  buffer->next = pool->free[buffer->size_class - 1];
  pool->free[buffer->size_class - 1] = buffer;
}

void tir_pool_swap(tir_pool_buffer *a, tir_pool_buffer *b) {
  const tir_pool_buffer old_a = *a;
  const uint32_t b_refs = b->n_refs;
  *a = *b;
  a->n_refs = old_a.n_refs;
  *b = old_a;
  b->n_refs = b_refs;
}
