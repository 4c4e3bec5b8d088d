// The tensor section of a loaded file: one block of memory or mapping, shared
// by its tensors.
#ifndef TAPEIR_SERIALIZE_BLOCK_H
#define TAPEIR_SERIALIZE_BLOCK_H

#include "ir/base/atomics.h"
#include "ir/base/context.h"

typedef struct tir_ser_block {
  atomic_size_t n_refs;
  tir_context *context;  // held by whoever holds the block
  uint8_t *base;         // of the allocation or mapping
  size_t alloc_bytes;    // 0: a mapping of map_bytes
  size_t map_bytes;
  uint8_t *section;  // first byte of the tensor section
} tir_ser_block;

// Own memory for a section of `size` bytes; NULL when memory ran out.
tir_ser_block *tir_ser_block_create(tir_context *context, size_t size);
// Takes a mapping over. NULL when memory ran out: then the caller unmaps.
tir_ser_block *tir_ser_block_of_map(tir_context *context, void *base,
                                    size_t map_bytes, size_t section_offset);
tir_ser_block *tir_ser_block_retain(tir_ser_block *block);
// The type of a tensor's release callback. NULL is allowed.
void tir_ser_block_release(void *block);

#endif
