// Numbering distinct things: equal ones get the same number, from 1 in order of
// first appearance. The caller keeps the things; the table holds hashes.
#ifndef TAPEIR_IR_BASE_TABLE_H
#define TAPEIR_IR_BASE_TABLE_H

#include "ir/base/vec.h"

typedef struct tir_base_table {
  tir_context *context;
  TIR_VEC(uint64_t) hashes;  // of thing number i + 1
  uint32_t *buckets;         // open addressing, 0 = free
  size_t n_buckets;
} tir_base_table;

// Is the thing looked for the one of that number?
typedef bool (*tir_base_same_fn)(const void *user, uint32_t number,
                                 const void *thing);

void tir_base_table_init(tir_base_table *table, tir_context *context);
void tir_base_table_free(tir_base_table *table);
// Number of the thing with that hash, 0 if it is new.
uint32_t tir_base_table_find(const tir_base_table *table, uint64_t hash,
                             const void *thing, tir_base_same_fn same,
                             const void *user);
// Gives the next number to a new thing; 0 when memory ran out.
uint32_t tir_base_table_add(tir_base_table *table, uint64_t hash);

#endif
