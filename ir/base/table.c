// Hash table from things to their numbers, linear probing, half full at most.
//
// Numbers follow the order of arrival and not the hashes, so what is written
// with them does not depend on addresses.
#include "ir/base/table.h"

#include <string.h>

void tir_base_table_init(tir_base_table *table, tir_context *context) {
  *table = (tir_base_table){.context = context};
}

static void free_buckets(tir_base_table *table) {
  tir_base_free(table->context, table->buckets,
                table->n_buckets * sizeof *table->buckets, _Alignof(uint32_t));
}

void tir_base_table_free(tir_base_table *table) {
  TIR_VEC_FREE(table->context, &table->hashes);
  if (table->buckets) free_buckets(table);
  table->buckets = NULL;
  table->n_buckets = 0;
}

// Numbers begin at 1, so a zero bucket is empty.
uint32_t tir_base_table_find(const tir_base_table *table, uint64_t hash,
                             const void *thing, tir_base_same_fn same,
                             const void *user) {
  if (table->n_buckets == 0) return 0;
  const size_t mask = table->n_buckets - 1;
  for (size_t i = hash & mask; table->buckets[i]; i = (i + 1) & mask) {
    const uint32_t number = table->buckets[i];
    if (table->hashes.data[number - 1] == hash && same(user, number, thing))
      return number;
  }
  return 0;
}

static void insert(tir_base_table *table, uint32_t number) {
  const size_t mask = table->n_buckets - 1;
  size_t i = table->hashes.data[number - 1] & mask;
  while (table->buckets[i]) i = (i + 1) & mask;
  table->buckets[i] = number;
}

// Hashes are kept, so that growing never asks for the things again.
static bool grow(tir_base_table *table) {
  const size_t n = table->n_buckets ? 2 * table->n_buckets : 64;
  uint32_t *buckets = tir_base_alloc_zero(table->context, n * sizeof *buckets,
                                          _Alignof(uint32_t));
  if (!buckets) return false;
  if (table->buckets) free_buckets(table);
  table->buckets = buckets;
  table->n_buckets = n;
  for (size_t i = 0; i < table->hashes.count; i++)
    insert(table, (uint32_t)i + 1);
  return true;
}

uint32_t tir_base_table_add(tir_base_table *table, uint64_t hash) {
  // Buckets hold 32-bit numbers; their own count stays in range too.
  if (table->hashes.count >= UINT32_MAX / 4) return 0;
  if (2 * (table->hashes.count + 1) > table->n_buckets && !grow(table))
    return 0;
  if (!TIR_VEC_PUSH(table->context, &table->hashes, hash)) return 0;
  insert(table, (uint32_t)table->hashes.count);
  return (uint32_t)table->hashes.count;
}
