// Bump allocator. Chunks double in size up to a bound; an object too big for
// the next chunk gets one of its own, behind the newest, so that the room left
// in the newest stays in use.
#include "ir/base/arena.h"

#include <string.h>

#include "ir/base/checked.h"

enum {
  CHUNK_ALIGN = 64,
  MIN_CHUNK = 1 << 10,
  MAX_CHUNK = 1 << 18,
};

struct tir_base_chunk {
  _Alignas(CHUNK_ALIGN) tir_base_chunk *next;
  size_t size;  // of the data behind this header
};

static char *chunk_data(tir_base_chunk *chunk) { return (char *)(chunk + 1); }

void tir_base_arena_init(tir_base_arena *arena, tir_context *context) {
  *arena = (tir_base_arena){.context = context};
}

void tir_base_arena_free(tir_base_arena *arena) {
  tir_base_chunk *chunk = arena->chunks;
  while (chunk) {
    tir_base_chunk *next = chunk->next;
    tir_base_free(arena->context, chunk, sizeof *chunk + chunk->size,
                  CHUNK_ALIGN);
    chunk = next;
  }
  tir_base_arena_init(arena, arena->context);
}

static tir_base_chunk *add_chunk(tir_base_arena *arena, size_t size) {
  size_t bytes = 0, total = 0;
  if (!tir_base_size_add(size, sizeof(tir_base_chunk), &bytes) ||
      !tir_base_size_add(arena->total_bytes, bytes, &total))
    return NULL;
  tir_base_chunk *chunk = tir_base_alloc(arena->context, bytes, CHUNK_ALIGN);
  if (!chunk) return NULL;
  *chunk = (tir_base_chunk){.size = size};
  arena->total_bytes = total;
  return chunk;
}

void *tir_base_arena_alloc(tir_base_arena *arena, size_t size, size_t align) {
  tir_base_chunk *head = arena->chunks;
  size_t offset = 0, end = 0;
  if (!tir_base_size_align(arena->used, align, &offset) ||
      !tir_base_size_add(offset, size, &end))
    return NULL;
  if (head && end <= head->size) {
    arena->used = end;
    return chunk_data(head) + offset;
  }

  size_t next_size = head ? head->size : MIN_CHUNK / 2;
  next_size = next_size < MAX_CHUNK / 2 ? next_size * 2 : MAX_CHUNK;
  if (head && size > next_size / 2) {
    tir_base_chunk *own = add_chunk(arena, size);
    if (!own) return NULL;
    own->next = head->next;
    head->next = own;
    return chunk_data(own);
  }
  if (size > next_size) next_size = size;
  tir_base_chunk *chunk = add_chunk(arena, next_size);
  if (!chunk) return NULL;
  chunk->next = head;
  arena->chunks = chunk;
  arena->used = size;
  return chunk_data(chunk);
}

char *tir_base_arena_text(tir_base_arena *arena, const char *text,
                          size_t size) {
  size_t bytes = 0;
  if (!tir_base_size_add(size, 1, &bytes)) return NULL;
  char *copy = tir_base_arena_alloc(arena, bytes, 1);
  if (!copy) return NULL;
  if (size > 0) memcpy(copy, text, size);
  copy[size] = '\0';
  return copy;
}
