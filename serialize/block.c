// Memory shared by the tensors of one loaded file: counted, freed or unmapped
// with the last of them.
//
// Each tensor holds one reference and gives it back by its release callback,
// from whichever thread drops it last.
#include "serialize/block.h"

#include <sys/mman.h>

#include "ir/base/tensor.h"

static tir_ser_block *new_block(tir_context *context) {
  tir_ser_block *block =
      tir_base_alloc_zero(context, sizeof *block, _Alignof(tir_ser_block));
  if (!block) return NULL;
  atomic_init(&block->n_refs, 1);
  block->context = context;
  return block;
}

static void free_block(tir_ser_block *block) {
  tir_base_free(block->context, block, sizeof *block, _Alignof(tir_ser_block));
}

tir_ser_block *tir_ser_block_create(tir_context *context, size_t size) {
  tir_ser_block *block = new_block(context);
  if (!block) return NULL;
  block->base = tir_base_alloc_pages(context, size, &block->alloc_bytes);
  if (!block->base) {
    free_block(block);
    return NULL;
  }
  // Pages are aligned far beyond what a tensor needs.
  block->section = block->base;
  return block;
}

tir_ser_block *tir_ser_block_of_map(tir_context *context, void *base,
                                    size_t map_bytes, size_t section_offset) {
  tir_ser_block *block = new_block(context);
  if (!block) return NULL;
  block->base = base;
  block->map_bytes = map_bytes;
  block->section = block->base + section_offset;
  return block;
}

tir_ser_block *tir_ser_block_retain(tir_ser_block *block) {
  atomic_fetch_add_explicit(&block->n_refs, 1, memory_order_relaxed);
  return block;
}

void tir_ser_block_release(void *user) {
  tir_ser_block *block = user;
  // Acquire and release: the thread that frees sees what others did before.
  if (!block ||
      atomic_fetch_sub_explicit(&block->n_refs, 1, memory_order_acq_rel) != 1)
    return;
  if (block->alloc_bytes)
    tir_base_free_pages(block->context, block->base, block->alloc_bytes);
  else
    munmap(block->base, block->map_bytes);
  free_block(block);
}
