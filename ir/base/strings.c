// String table: an open-addressing hash set of ids over texts in an arena.
// Each text stands behind a small header with its size and hash, so strings
// with NUL bytes inside are told apart and growing needs no rehash.
#include "ir/base/strings.h"

#include <string.h>

#include "ir/base/checked.h"
#include "ir/base/hash.h"

typedef struct entry {
  uint32_t size;
  uint32_t hash;
} entry;

// A power of two, as all later sizes are: hashes are masked, not divided.
enum { MIN_BUCKETS = 16 };

void tir_base_strings_init(tir_base_strings *strings, tir_context *context) {
  *strings = (tir_base_strings){0};
  tir_base_arena_init(&strings->arena, context);
}

void tir_base_strings_free(tir_base_strings *strings) {
  tir_context *context = strings->arena.context;
  tir_base_free(context, strings->buckets,
                strings->n_buckets * sizeof *strings->buckets,
                _Alignof(max_align_t));
  // By memcpy: texts stand at any address.
  TIR_VEC_FREE(context, &strings->texts);
  tir_base_arena_free(&strings->arena);
  tir_base_strings_init(strings, context);
}

static entry entry_of(const char *text) {
  entry e;
  memcpy(&e, text - sizeof e, sizeof e);
  return e;
}

// The bucket that holds the string, or the free one where it would go. There
// always is one: the table is never full.
static size_t find_bucket(const tir_base_strings *strings, const char *text,
                          size_t size, uint32_t hash) {
  const size_t mask = strings->n_buckets - 1;
  // Linear probing. Hash and size are compared first, so a text is only read
  // when it is nearly certain to be equal.
  for (size_t b = hash & mask;; b = (b + 1) & mask) {
    const uint32_t id = strings->buckets[b];
    if (id == 0) return b;
    const char *there = strings->texts.data[id];
    const entry e = entry_of(there);
    if (e.hash == hash && e.size == size && memcmp(there, text, size) == 0)
      return b;
  }
}

// Twice as many buckets, half of them free at least.
static bool grow_buckets(tir_base_strings *strings) {
  tir_context *context = strings->arena.context;
  size_t n = MIN_BUCKETS, bytes = 0;
  if (strings->n_buckets > 0 && !tir_base_size_mul(strings->n_buckets, 2, &n))
    return false;
  if (!tir_base_size_mul(n, sizeof(uint32_t), &bytes)) return false;
  uint32_t *buckets =
      tir_base_alloc_zero(context, bytes, _Alignof(max_align_t));
  if (!buckets) return false;
  // No text is read: the hash stands before it. Id 0, the empty string, is in
  // no bucket.
  for (size_t i = 1; i < strings->texts.count; i++) {
    size_t b = entry_of(strings->texts.data[i]).hash & (n - 1);
    while (buckets[b] != 0) b = (b + 1) & (n - 1);
    buckets[b] = (uint32_t)i;
  }
  tir_base_free(context, strings->buckets,
                strings->n_buckets * sizeof *strings->buckets,
                _Alignof(max_align_t));
  strings->buckets = buckets;
  strings->n_buckets = n;
  return true;
}

// Header, text and a zero, in one piece of the arena.
static const char *copy_text(tir_base_strings *strings, const char *text,
                             size_t size, uint32_t hash) {
  const entry e = {.size = (uint32_t)size, .hash = hash};
  // Cannot wrap: the size is below 2^32.
  char *p = tir_base_arena_alloc(&strings->arena, sizeof e + size + 1, 1);
  if (!p) return NULL;
  memcpy(p, &e, sizeof e);
  memcpy(p + sizeof e, text, size);
  p[sizeof e + size] = '\0';
  return p + sizeof e;
}

// Id 0 is the empty string, so zeroed memory has no name.
bool tir_base_strings_intern(tir_base_strings *strings, const char *text,
                             size_t size, uint32_t *out_id) {
  *out_id = 0;
  if (size == 0) return true;
  if (size >= UINT32_MAX) return false;
  tir_context *context = strings->arena.context;
  if (strings->texts.count == 0 && !TIR_VEC_PUSH(context, &strings->texts, ""))
    return false;
  // Before looking: the bucket found then stays the right one until it is
  // written.
  if (strings->texts.count >= strings->n_buckets / 2 && !grow_buckets(strings))
    return false;

  const uint32_t hash = (uint32_t)tir_base_hash(text, size);
  const size_t bucket = find_bucket(strings, text, size, hash);
  if (strings->buckets[bucket] != 0) {
    *out_id = strings->buckets[bucket];
    return true;
  }
  const size_t id = strings->texts.count;
  // Room before the copy, so that a text never stands in the arena without an
  // id.
  if (id >= UINT32_MAX || !TIR_VEC_RESERVE(context, &strings->texts, 1))
    return false;
  const char *copy = copy_text(strings, text, size, hash);
  if (!copy) return false;
  strings->texts.data[strings->texts.count++] = copy;
  strings->buckets[bucket] = (uint32_t)id;
  *out_id = (uint32_t)id;
  return true;
}

// Never grows the table, so threads may ask a graph they share.
uint32_t tir_base_strings_find(const tir_base_strings *strings,
                               const char *text, size_t size) {
  if (size == 0 || strings->n_buckets == 0) return 0;
  const uint32_t hash = (uint32_t)tir_base_hash(text, size);
  return strings->buckets[find_bucket(strings, text, size, hash)];
}

const char *tir_base_strings_text(const tir_base_strings *strings,
                                  uint32_t id) {
  return id < strings->texts.count ? strings->texts.data[id] : "";
}
