// Plan cache of a tape: compiled slices by structure. Keys are compared in
// full; plans are evicted least recently used first, under a byte bound.
#ifndef TAPEIR_EXEC_PLAN_CACHE_H
#define TAPEIR_EXEC_PLAN_CACHE_H

#include "exec/program.h"

// A plan and what one run of it needs, which only the tape's thread uses.
typedef struct tir_cached_plan {
  uint64_t hash;
  uint64_t *key;
  size_t n_key;
  tir_program *program;
  void **ptr;   // pointer table
  void *arena;  // base the internal entries were resolved for
  size_t bytes;
  struct tir_cached_plan *next_in_bucket;
  struct tir_cached_plan *newer, *older;  // by last use
} tir_cached_plan;

typedef struct tir_plan_cache {
  tir_context *context;
  tir_cached_plan **buckets;
  size_t n_buckets;
  size_t n_plans;
  size_t bytes, max_bytes;
  uint64_t n_evictions;
  tir_cached_plan *newest, *oldest;
} tir_plan_cache;

void tir_plan_cache_init(tir_plan_cache *cache, tir_context *context,
                         size_t max_bytes);
void tir_plan_cache_free(tir_plan_cache *cache);
// NULL on a miss. A hit becomes the newest.
tir_cached_plan *tir_plan_cache_find(tir_plan_cache *cache, const uint64_t *key,
                                     size_t n_key);
// Takes the program over (also on failure, which is only memory).
tir_status tir_plan_cache_add(tir_plan_cache *cache, const uint64_t *key,
                              size_t n_key, tir_program *program,
                              tir_cached_plan **out_plan, tir_error *error);

#endif
