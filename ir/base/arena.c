// Bump allocator. Chunks double in size up to a bound; an object too big for
// the next chunk gets one of its own, behind the newest, so that the room left
// in the newest stays in use.
#include "ir/base/arena.h"

#include <string.h>

#include "ir/base/checked.h"

enum {
  // Bytes of data, without the header. Doubling keeps chunks few; the bound
  // keeps small what a chunk that is not filled wastes.
  CHUNK_ALIGN = 64,
  MIN_CHUNK = 1 << 10,
  MAX_CHUNK = 1 << 18,
};

struct tir_base_chunk {
  // A whole line for the header, so that the data behind it begins on one and
  // any alignment up to 64 can be met by the offset alone.
  _Alignas(CHUNK_ALIGN) tir_base_chunk *next;
  size_t size;  // of the data behind this header
};

static char *chunk_data(tir_base_chunk *chunk) { return (char *)(chunk + 1); }

void tir_base_arena_init(tir_base_arena *arena, tir_context *context) {
  *arena = (tir_base_arena){.context = context};
}

// Everything at once: objects of an arena have no end of their own. The arena
// may be used again.
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

// Linked in by the caller. NULL, and the arena as it was, when memory ran out.
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

  // Half of the least size, so that the first chunk gets the least.
  size_t next_size = head ? head->size : MIN_CHUNK / 2;
  next_size = next_size < MAX_CHUNK / 2 ? next_size * 2 : MAX_CHUNK;
  // More than half of a fresh chunk. `used` still counts in the newest, which
  // stays in front.
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
