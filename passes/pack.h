// Packing blocks of memory with known lifetimes into one arena.
#ifndef TAPEIR_PASSES_PACK_H
#define TAPEIR_PASSES_PACK_H

#include "ir/base/context.h"

typedef struct tir_pass_block {
  size_t size;     // a multiple of 64; 0 takes no room
  uint32_t first;  // alive from here
  uint32_t last;   // to here, both included
  size_t offset;   // answer
} tir_pass_block;

// Finds offsets such that no two blocks alive at one time overlap. `blocks`
// come in order of `first`, which is below n_times as is `last`. Tries the
// order of time and, if that is above the lower bound and the number of blocks
// allows it, the order of size; keeps the smaller arena.
// Errors  MEMORY; LIMIT if the arena would exceed PTRDIFF_MAX.
tir_status tir_pass_pack(tir_context *context, tir_pass_block *blocks,
                         size_t n_blocks, uint32_t n_times, size_t *out_total,
                         size_t *out_lower_bound, tir_error *error);

#endif
