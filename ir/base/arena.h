// Bump allocator: many small objects that are freed together.
#ifndef TAPEIR_IR_BASE_ARENA_H
#define TAPEIR_IR_BASE_ARENA_H

#include "ir/base/context.h"

typedef struct tir_base_chunk tir_base_chunk;

typedef struct tir_base_arena {
  tir_context *context;
  tir_base_chunk *chunks;  // newest first
  size_t used;             // of the newest chunk
  size_t total_bytes;      // of all chunks
} tir_base_arena;

void tir_base_arena_init(tir_base_arena *arena, tir_context *context);
void tir_base_arena_free(tir_base_arena *arena);
// NULL when memory ran out. `align` is a power of two up to 64.
void *tir_base_arena_alloc(tir_base_arena *arena, size_t size, size_t align);
// NUL-terminated copy of `size` bytes.
char *tir_base_arena_text(tir_base_arena *arena, const char *text, size_t size);

#endif
