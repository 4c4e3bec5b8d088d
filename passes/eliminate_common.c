// eliminate-common: compute equal things once.
//
//   y1 = op(x…) {a}, y2 = op(x…) {a}  →  y1 for both
//   y1 = op(a, b), y2 = op(b, a), op commutative  →  y1 for both
//
// Class E. Splat constants of equal type and bits are equal; constant tensors
// only when they are the same tensor. Never merged: inputs, params, random
// ops, effects, gradient calls. An op that may fail does merge: it fails for
// both or for neither, and the first is the one that reports. While the graph
// holds gradient calls, a node with a history and one without stay apart.
//
// Relies on attributes being comparable as bytes. Linear: hash table with open
// addressing and a bounded probe, so bad luck loses a merge, never time.
// Leaves dead nodes for eliminate-dead.
#include <string.h>

#include "ir/body.h"
#include "passes/pass.h"

enum { MAX_PROBES = 64 };

typedef struct slot {
  uint32_t hash;
  uint32_t node;  // 0: free
} slot;

typedef struct table {
  slot *slots;
  size_t n_slots;  // a power of two
  uint16_t flags;  // of nodes, that count for equality
} table;

// Two draws of random numbers are two draws, two effects happen twice.
static bool may_merge(const tir_op_desc *desc, tir_op op) {
  const uint32_t never =
      TIR_TRAIT_RANDOM | TIR_TRAIT_EFFECT | TIR_TRAIT_INTERNAL;
  return !(desc->traits & never) && op != TIR_OP_INPUT && op != TIR_OP_PARAM;
}

// Multiplies by an odd constant and folds the high bits down.
static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

// Operand i in the order equality looks at: the smaller id first where the
// first two may be swapped.
static uint32_t key_operand(const tir_ir_graph *g, tir_ir_node n, uint32_t i) {
  const bool swaps = i < 2 && tir_ir_n_in(g, n) >= 2 &&
                     (tir_ir_desc(g, n)->traits & TIR_TRAIT_COMMUTATIVE);
  if (!swaps) return tir_ir_in(g, n, i).id;
  const uint32_t a = tir_ir_in(g, n, 0).id, b = tir_ir_in(g, n, 1).id;
  return (i == 0) == (a < b) ? a : b;
}

// Over what equal_nodes compares, in the same order of operands.
static uint32_t hash_node(const tir_ir_graph *g, tir_ir_node n) {
  const size_t n_words = tir_ir_desc(g, n)->attrs_size / sizeof(uint64_t);
  const uint64_t *words = tir_ir_attrs(g, n);
  const uint32_t n_in = tir_ir_n_in(g, n);
  uint64_t hash = mix((uint64_t)tir_ir_op(g, n), n_in);
  for (size_t i = 0; i < n_words; i++) hash = mix(hash, words[i]);
  for (uint32_t i = 0; i < n_in; i++) hash = mix(hash, key_operand(g, n, i));
  return (uint32_t)(hash >> 32);
}

// Hashes only propose; equality is compared in full.
static bool equal_nodes(const tir_ir_graph *g, tir_ir_node a, tir_ir_node b,
                        uint16_t flags) {
  const tir_ir_node_data *x = tir_ir_node_at(g, a), *y = tir_ir_node_at(g, b);
  if (x->op != y->op || x->n_in != y->n_in || x->n_out != y->n_out ||
      ((x->flags ^ y->flags) & flags))
    return false;
  const tir_op_desc *desc = tir_ir_desc(g, a);
  if (memcmp(tir_ir_attrs(g, a), tir_ir_attrs(g, b), desc->attrs_size) != 0)
    return false;
  for (uint32_t i = 0; i < x->n_in; i++)
    if (key_operand(g, a, i) != key_operand(g, b, i)) return false;
  // Equal calls have equal types, unless the types are given.
  return tir_ir_same_type(g, tir_ir_out(g, a, 0), tir_ir_out(g, b, 0));
}

// The first node equal to `n`; `n` itself is entered if there is none.
static tir_ir_node find_or_add(table *t, const tir_ir_graph *g, tir_ir_node n) {
  const uint32_t hash = hash_node(g, n);
  for (size_t probe = 0; probe < MAX_PROBES; probe++) {
    slot *s = &t->slots[(hash + probe) & (t->n_slots - 1)];
    if (s->node == 0) {
      *s = (slot){hash, n.id};
      return n;
    }
    const tir_ir_node other = {s->node};
    if (s->hash == hash && equal_nodes(g, other, n, t->flags)) return other;
  }
  return n;
}

// In order, so that operands were merged before their users are compared.
static tir_status merge(tir_pass_ctx *ctx, tir_ir_graph *g, table *t) {
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n)) {
    if (!may_merge(tir_ir_desc(g, n), tir_ir_op(g, n))) continue;
    const tir_ir_node first = find_or_add(t, g, n);
    if (first.id == n.id) continue;
    const uint32_t n_out = tir_ir_n_out(g, n);
    for (uint32_t i = 0; i < n_out; i++)
      TIR_TRY(tir_ir_replace_uses(g, tir_ir_out(g, n, i),
                                  tir_ir_out(g, first, i), ctx->error));
    tir_ir_remove(g, n);
    ctx->rewrites++;
  }
  return TIR_OK;
}

static bool has_gradient_calls(const tir_ir_graph *g) {
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n))
    if (tir_ir_desc(g, n)->traits & TIR_TRAIT_INTERNAL) return true;
  return false;
}

static tir_status run(tir_pass_ctx *ctx, tir_ir_graph *graph) {
  table t = {.n_slots = 64};
  while (t.n_slots < 2 * graph->nodes.count) t.n_slots *= 2;
  if (has_gradient_calls(graph)) t.flags = TIR_NODE_HISTORY;

  const size_t n_bytes = t.n_slots * sizeof *t.slots;
  t.slots = tir_base_alloc_zero(graph->context, n_bytes, _Alignof(slot));
  if (!t.slots) return tir_base_fail_memory(ctx->error, n_bytes);
  const tir_status status = merge(ctx, graph, &t);
  tir_base_free(graph->context, t.slots, n_bytes, _Alignof(slot));
  return status;
}

const tir_pass_desc tir_pass_eliminate_common = {
    .name = "eliminate-common",
    .summary = "Compute equal operations on equal operands once.",
    .rewrite_class = TIR_PASS_E,
    .run = run,
};
