// Statistics of a tape, and why a run missed the plan cache.
#include <stdio.h>
#include <string.h>

#include "exec/live.h"
#include "ir/body.h"

// Keys are compared word by word; where two part is the answer.
// The number of words before that.
static size_t common_prefix(const uint64_t *a, size_t n_a, const uint64_t *b,
                            size_t n_b) {
  const size_t n = n_a < n_b ? n_a : n_b;
  size_t i = 0;
  while (i < n && a[i] == b[i]) i++;
  return i;
}

// What the first differing word of the key is about.
static void describe(tir_live *live, size_t word) {
  const tir_live_slice *slice = &live->slice;
  const tir_ir_graph *g = live->root.graph;
  // Starts rise: the last one not behind the word begins the node it belongs
  // to.
  size_t i = slice->key_parts.count;
  while (i > 0 && slice->key_parts.data[i - 1].start > word) i--;
  const size_t n = sizeof live->miss;
  if (i == 0 || word >= slice->key_nodes_end) {
    snprintf(live->miss, n,
             "the nodes are those of a cached plan, but the values that "
             "survive or the types of its inputs differ");
    return;
  }
  const uint32_t id = slice->nodes.data[i - 1];
  const char *site = g->nodes.data[id].site;
  const tir_live_key_part part = slice->key_parts.data[i - 1];
  const tir_op_desc *desc = tir_ir_op_desc((tir_op)g->nodes.data[id].op);
  snprintf(live->miss, n,
           "node %zu of %zu, %s%s%s%s, differs from the nearest of %zu "
           "cached plans in its %s",
           i, slice->nodes.count, desc->name, site ? " (" : "",
           site ? site : "", site ? ")" : "", live->cache.n_plans,
           word == part.start        ? "op or number of operands"
           : word >= part.operands   ? "operands or where they are kept"
           : tir_ir_has_bodies(desc) ? "attributes or bodies"
                                     : "attributes");
}

// Only on a miss, which costs a compile anyway.
// Keys list nodes in recorded order, so the nearest plan is the one that agrees
// longest, and where it ends is where the traces part.
void tir_live_explain(tir_live *live) {
  const tir_live_slice *slice = &live->slice;
  if (!live->cache.n_plans) {
    snprintf(live->miss, sizeof live->miss, "no plan was cached yet");
    return;
  }
  size_t best = 0;
  for (const tir_cached_plan *plan = live->cache.newest; plan;
       plan = plan->older) {
    const size_t same = common_prefix(slice->key.data, slice->key.count,
                                      plan->key, plan->n_key);
    if (same > best) best = same;
  }
  describe(live, best);
}

// As snprintf: what the whole text takes, though the buffer holds less.
size_t tir_tape_explain_miss(const tir_tape *tape, char *buffer, size_t size) {
  if (!tape) return 0;
  const char *text = tir_live_of(tape)->miss;
  if (buffer && size) snprintf(buffer, size, "%s", text);
  return strlen(text);
}

// Counters and capacities: nothing is walked.
void tir_tape_stats(const tir_tape *tape, tir_tape_statistics *out_stats) {
  if (!out_stats) return;
  *out_stats = (tir_tape_statistics){0};
  if (!tape) return;
  const tir_live *live = tir_live_of(tape);
  const tir_live_frame *root = &live->root;
  *out_stats = live->stats;
  out_stats->n_nodes = tir_ir_n_nodes(root->graph);
  out_stats->n_pending = live->n_pending;
  out_stats->n_plans = live->cache.n_plans;
  out_stats->n_plan_evictions = live->cache.n_evictions;
  out_stats->plan_bytes = live->cache.bytes;
  out_stats->arena_bytes = live->arena_alloc + live->scratch_alloc;
  // Tensors read by reference are their owner's and not counted.
  out_stats->survivor_bytes = live->pool.bytes_in_use;
  out_stats->tape_bytes =
      tir_ir_graph_bytes(root->graph) + live->cache.bytes + live->arena_alloc +
      live->scratch_alloc + live->pool.bytes_held +
      root->values.capacity * sizeof *root->values.data +
      root->nodes.capacity * sizeof *root->nodes.data +
      tape->slots.capacity * sizeof *tape->slots.data +
      live->slice.key.capacity * sizeof *live->slice.key.data;
}
