// Plan cache: hash table of compiled slices with a use-ordered list.
//
// A run looks one plan up, so a hit must be cheap: one hash of the key, one
// comparison, and a plan that is the newest already is not moved. Hashes only
// choose the bucket; keys are compared in full, so a collision costs time and
// never a wrong plan.
#include "exec/plan_cache.h"

#include <string.h>

#include "ir/base/hash.h"

void tir_plan_cache_init(tir_plan_cache *cache, tir_context *context,
                         size_t max_bytes) {
  *cache = (tir_plan_cache){.context = context, .max_bytes = max_bytes};
}

// The list by last use, newest to oldest, holds every plan of the table.
static void unlink_use(tir_plan_cache *cache, tir_cached_plan *plan) {
  if (plan->newer)
    plan->newer->older = plan->older;
  else
    cache->newest = plan->older;
  if (plan->older)
    plan->older->newer = plan->newer;
  else
    cache->oldest = plan->newer;
  plan->newer = plan->older = NULL;
}

static void link_newest(tir_plan_cache *cache, tir_cached_plan *plan) {
  plan->older = cache->newest;
  plan->newer = NULL;
  if (cache->newest)
    cache->newest->newer = plan;
  else
    cache->oldest = plan;
  cache->newest = plan;
}

// Also one that is only half made.
static void free_plan(tir_plan_cache *cache, tir_cached_plan *plan) {
  tir_context *context = cache->context;
  if (plan->program)
    tir_base_free(context, plan->ptr,
                  plan->program->n_pointers * sizeof *plan->ptr,
                  sizeof *plan->ptr);
  tir_exec_program_release(plan->program);
  tir_base_free(context, plan->key, plan->n_key * sizeof *plan->key,
                sizeof *plan->key);
  tir_base_free(context, plan, sizeof *plan, _Alignof(tir_cached_plan));
}

static void evict_oldest(tir_plan_cache *cache) {
  tir_cached_plan *plan = cache->oldest;
  // Buckets are singly linked and about one plan long, so the place is
  // searched.
  tir_cached_plan **at = &cache->buckets[plan->hash % cache->n_buckets];
  while (*at != plan) at = &(*at)->next_in_bucket;
  *at = plan->next_in_bucket;
  unlink_use(cache, plan);
  cache->bytes -= plan->bytes;
  cache->n_plans--;
  free_plan(cache, plan);
}

void tir_plan_cache_free(tir_plan_cache *cache) {
  while (cache->oldest) evict_oldest(cache);
  tir_base_free(cache->context, cache->buckets,
                cache->n_buckets * sizeof *cache->buckets,
                sizeof *cache->buckets);
}

tir_cached_plan *tir_plan_cache_find(tir_plan_cache *cache, const uint64_t *key,
                                     size_t n_key) {
  if (!cache->n_buckets) return NULL;
  const uint64_t hash = tir_base_hash(key, n_key * sizeof *key);
  tir_cached_plan *plan = cache->buckets[hash % cache->n_buckets];
  for (; plan; plan = plan->next_in_bucket) {
    if (plan->hash != hash || plan->n_key != n_key ||
        memcmp(plan->key, key, n_key * sizeof *key) != 0)
      continue;
    if (cache->newest != plan) {
      unlink_use(cache, plan);
      link_newest(cache, plan);
    }
    return plan;
  }
  return NULL;
}

// Doubles the table when it is full; failing to is no failure.
static bool make_room(tir_plan_cache *cache) {
  if (cache->n_plans < cache->n_buckets) return true;
  // At most one plan a bucket on average.
  const size_t n = cache->n_buckets ? cache->n_buckets * 2 : 64;
  tir_cached_plan **buckets =
      tir_base_alloc_zero(cache->context, n * sizeof *buckets, sizeof *buckets);
  if (!buckets) return cache->n_buckets != 0;
  for (tir_cached_plan *plan = cache->newest; plan; plan = plan->older) {
    plan->next_in_bucket = buckets[plan->hash % n];
    buckets[plan->hash % n] = plan;
  }
  tir_base_free(cache->context, cache->buckets,
                cache->n_buckets * sizeof *buckets, sizeof *buckets);
  cache->buckets = buckets;
  cache->n_buckets = n;
  return true;
}

// As deep as bodies may be nested.
static size_t program_cost(const tir_program *program) {
  size_t cost = program->arena.total_bytes + tir_ir_graph_bytes(program->graph);
  for (size_t i = 0; i < program->bodies.count; i++)
    cost += program_cost(program->bodies.data[i]);
  return cost;
}

// Bytes a plan costs, for the bound: its tables, steps and constants.
static size_t plan_cost(const tir_cached_plan *plan) {
  const tir_program *program = plan->program;
  return sizeof *plan + plan->n_key * sizeof *plan->key +
         program->n_pointers * sizeof *plan->ptr + program_cost(program) +
         program->report.constant_bytes;
}

tir_status tir_plan_cache_add(tir_plan_cache *cache, const uint64_t *key,
                              size_t n_key, tir_program *program,
                              tir_cached_plan **out_plan, tir_error *error) {
  *out_plan = NULL;
  const size_t bytes = n_key * sizeof *key;
  tir_cached_plan *plan = tir_base_alloc_zero(cache->context, sizeof *plan,
                                              _Alignof(tir_cached_plan));
  if (!plan) {
    tir_exec_program_release(program);
    return tir_base_fail_memory(error, sizeof *plan);
  }
  plan->program = program;
  plan->n_key = n_key;
  plan->key = tir_base_alloc(cache->context, bytes, sizeof *key);
  plan->ptr = tir_base_alloc_zero(cache->context,
                                  program->n_pointers * sizeof *plan->ptr,
                                  sizeof *plan->ptr);
  if (!plan->key || !plan->ptr || !make_room(cache)) {
    // free_plan frees what there is; a NULL table of that size is fine.
    free_plan(cache, plan);
    return tir_base_fail_memory(error, bytes);
  }
  memcpy(plan->key, key, bytes);
  // The slice's key is scratch that the next run overwrites, hence the copy.
  plan->hash = tir_base_hash(key, bytes);
  plan->bytes = plan_cost(plan);
  // A plan above the bound by itself stays all the same, alone: its run needs
  // it.
  while (cache->oldest && cache->bytes + plan->bytes > cache->max_bytes) {
    evict_oldest(cache);
    cache->n_evictions++;
  }
  tir_cached_plan **bucket = &cache->buckets[plan->hash % cache->n_buckets];
  plan->next_in_bucket = *bucket;
  *bucket = plan;
  link_newest(cache, plan);
  cache->bytes += plan->bytes;
  cache->n_plans++;
  *out_plan = plan;
  return TIR_OK;
}
