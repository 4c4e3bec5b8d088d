// Reclaiming the live graph: a backward sweep finds the nodes nothing wants,
// and when they are many the rest moves down over them.
//
// Counts make one sweep enough: a consumer stands after its operands, so by
// the time a node is looked at all its dead consumers have let go of it.
#include <string.h>

#include "exec/live.h"
#include "ir/body.h"

// A full collection waits until the graph has grown this much, so that its
// cost is amortised.
enum { FULL_COLLECT_NODES = 1024 };

// By a handle, a later node or a gradient that may still be asked for.
static bool is_wanted(const tir_live_frame *root, tir_ir_node n) {
  const tir_ir_graph *g = root->graph;
  for (uint32_t i = 0; i < tir_ir_n_out(g, n); i++) {
    const tir_live_value *v = &root->values.data[tir_ir_out(g, n, i).id];
    if (v->owners || v->uses || v->reads) return true;
  }
  return false;
}

// A released history may outlive its call when the call could not walk it.
static void sweep_node(tir_live *live, uint32_t id, size_t *n_dead) {
  tir_live_frame *root = &live->root;
  const tir_ir_node n = {id};
  tir_live_node *node = &root->nodes.data[id];
  if (node->state == TIR_LIVE_DROPPED) {
    ++*n_dead;
    return;
  }
  // An effect that is still to run has no need of readers.
  const bool effect = node->state == TIR_LIVE_PENDING &&
                      (tir_ir_desc(root->graph, n)->traits & TIR_TRAIT_EFFECT);
  if (effect || is_wanted(root, n)) return;
  if (node->state == TIR_LIVE_PENDING) {
    tir_live_drop(live, id);
  } else {
    tir_live_release_history(live, id);
    node->state = TIR_LIVE_DROPPED;
  }
  for (uint32_t i = 0; i < tir_ir_n_out(root->graph, n); i++) {
    tir_live_value *v = &root->values.data[tir_ir_out(root->graph, n, i).id];
    tir_pool_release(&live->pool, v->buffer);
    v->buffer = NULL;
    tir_live_forget_variable(live, tir_ir_out(root->graph, n, i).id);
  }
  ++*n_dead;
}

// --- compaction ------------------------------------------------------------

// A node that is kept, with what is needed to append it again.
typedef struct kept_node {
  tir_ir_node_data data;
  tir_live_node live;
  uint32_t old_id;
  size_t dims;        // of the graph when it was appended again
  uint32_t values;    // into kept values
  uint32_t operands;  // into kept operands (old ids)
  uint32_t attrs;     // into kept attribute words
} kept_node;

typedef struct kept_value {
  tir_ir_value_data data;
  tir_ir_type type;
  tir_live_value live;
} kept_value;

struct tir_live_collector {
  uint32_t first_node, first_value;
  size_t first_dim;
  uint64_t n_bound;   // bindings of handles made before the range
  size_t first_body;  // bodies from here on are those of nodes met here
  TIR_VEC(kept_node) nodes;
  TIR_VEC(kept_value) values;
  TIR_VEC(uint32_t) operands;
  TIR_VEC(uint64_t) attrs;
  TIR_VEC(uint32_t) value_map;  // old id − first_value → new id
  TIR_VEC(uint32_t) node_map;
};
typedef struct tir_live_collector collector;

// Made with the tape: collecting is when memory is short.
tir_status tir_live_collector_create(tir_live *live, tir_error *error) {
  live->collector = tir_base_alloc_zero(live->tape->context, sizeof(collector),
                                        _Alignof(collector));
  if (!live->collector) return tir_base_fail_memory(error, sizeof(collector));
  return TIR_OK;
}

void tir_live_collector_destroy(tir_live *live, tir_context *context) {
  collector *c = live->collector;
  if (!c) return;
  TIR_VEC_FREE(context, &c->nodes);
  TIR_VEC_FREE(context, &c->values);
  TIR_VEC_FREE(context, &c->operands);
  TIR_VEC_FREE(context, &c->attrs);
  TIR_VEC_FREE(context, &c->value_map);
  TIR_VEC_FREE(context, &c->node_map);
  tir_base_free(context, c, sizeof *c, _Alignof(collector));
  live->collector = NULL;
}

// A leaf that had a history: backward from it must say that it was released.
static void forget_history(kept_value *value) {
  value->live.why = TIR_WHY_RELEASED;
  if (!value->live.variable)
    value->data.flags &= (uint8_t)~TIR_VALUE_NEEDS_GRAD;
}

// Copies one node out. What ran and has no history left becomes a leaf.
static bool keep_node(collector *c, const tir_live_frame *root, uint32_t id) {
  const tir_ir_graph *g = root->graph;
  tir_context *context = g->context;
  const tir_ir_node n = {id};
  kept_node kept = {
      .data = *tir_ir_node_at(g, n),
      .live = root->nodes.data[id],
      .old_id = id,
      .values = (uint32_t)c->values.count,
      .operands = (uint32_t)c->operands.count,
      .attrs = (uint32_t)c->attrs.count,
  };
  // A constant stays what it is: its attributes are its data.
  const bool leaf = kept.live.state != TIR_LIVE_PENDING && !kept.live.history &&
                    kept.data.op != TIR_OP_CONSTANT;
  if (leaf) {
    kept.data.op = TIR_OP_INPUT;
    kept.data.n_in = 0;
    kept.data.flags &= (uint16_t)~TIR_NODE_HISTORY;
  }
  const tir_op_desc *desc = tir_ir_op_desc((tir_op)kept.data.op);
  const size_t words = desc->attrs_size / 8;
  if (!TIR_VEC_RESERVE(context, &c->operands, kept.data.n_in) ||
      !TIR_VEC_RESERVE(context, &c->attrs, words) ||
      !TIR_VEC_RESERVE(context, &c->values, kept.data.n_out))
    return false;
  for (uint32_t i = 0; i < kept.data.n_in; i++)
    c->operands.data[c->operands.count++] = tir_ir_in(g, n, i).id;
  if (words && !leaf)
    memcpy(&c->attrs.data[c->attrs.count], tir_ir_attrs(g, n), words * 8);
  if (!leaf) c->attrs.count += words;
  for (uint32_t i = 0; i < kept.data.n_out; i++) {
    const tir_ir_value v = tir_ir_out(g, n, i);
    kept_value *value = &c->values.data[c->values.count++];
    value->data = *tir_ir_value_at(g, v);
    value->live = root->values.data[v.id];
    if (leaf && (tir_ir_node_at(g, n)->flags & TIR_NODE_HISTORY))
      forget_history(value);
    tir_ir_type_of(g, v, &value->type);
  }
  return TIR_VEC_PUSH(context, &c->nodes, kept);
}

// Copies everything out that stays, so that the second half cannot fail.
// The maps start as all zeros: 0 is what a dropped id leads to.
static bool prepare(collector *c, const tir_live_frame *root) {
  const tir_ir_graph *g = root->graph;
  const size_t n_nodes = g->nodes.count - c->first_node;
  const size_t n_values = g->values.count - c->first_value;
  c->nodes.count = c->values.count = c->operands.count = c->attrs.count = 0;
  c->value_map.count = c->node_map.count = 0;
  if (!TIR_VEC_RESERVE(g->context, &c->value_map, n_values) ||
      !TIR_VEC_RESERVE(g->context, &c->node_map, n_nodes))
    return false;
  memset(c->value_map.data, 0, n_values * sizeof *c->value_map.data);
  memset(c->node_map.data, 0, n_nodes * sizeof *c->node_map.data);
  c->value_map.count = n_values;
  c->node_map.count = n_nodes;
  for (uint32_t id = c->first_node; id < g->nodes.count; id++)
    if (root->nodes.data[id].state != TIR_LIVE_DROPPED &&
        !keep_node(c, root, id))
      return false;
  return true;
}

// What stands before the range keeps its id.
static uint32_t map_value(const collector *c, uint32_t v) {
  return v < c->first_value ? v : c->value_map.data[v - c->first_value];
}

// 0 for a node that was dropped.
static uint32_t map_node(const collector *c, uint32_t n) {
  return n < c->first_node ? n : c->node_map.data[n - c->first_node];
}

// Bodies are added in the order of their nodes. A call that failed may have
// left some without a node: a full collection finds them.
static size_t find_first_body(const collector *c, const tir_ir_graph *g) {
  // Everything moves, so all bodies do.
  if (c->first_node == 1) return 0;
  for (size_t id = c->first_node; id < g->nodes.count && g->bodies.count;
       id++) {
    const tir_ir_node n = {(uint32_t)id};
    const tir_op_desc *desc = tir_ir_desc(g, n);
    if (!tir_ir_has_bodies(desc)) continue;
    int64_t number = 0;
    memcpy(&number, tir_ir_attrs(g, n), sizeof number);
    return (size_t)number - 1;
  }
  return g->bodies.count;
}

// Bodies of a kept node move down over those of dropped ones, which gather
// behind them.
static void move_bodies(tir_ir_graph *g, const tir_op_desc *desc, void *attrs,
                        size_t *n_moved) {
  for (size_t i = 0; tir_ir_has_bodies(desc) && i < desc->n_attrs; i++) {
    if (desc->attrs[i].kind != TIR_ATTR_BODY) continue;
    char *field = (char *)attrs + desc->attrs[i].offset;
    int64_t number = 0;
    memcpy(&number, field, sizeof number);
    tir_ir_body *body = g->bodies.data[number - 1];
    g->bodies.data[number - 1] = g->bodies.data[*n_moved];
    g->bodies.data[*n_moved] = body;
    number = (int64_t)++ * n_moved;
    memcpy(field, &number, sizeof number);
  }
}

static void drop_bodies(tir_ir_graph *g, size_t n_kept) {
  for (size_t i = n_kept; i < g->bodies.count; i++)
    tir_ir_body_release(g->bodies.data[i]);
  g->bodies.count = n_kept;
}

// Cuts the arrays back to where first_node begins. Shapes are only shared
// with earlier values and attributes not at all, so both can be cut too.
static void truncate(const collector *c, tir_live_frame *root) {
  tir_ir_graph *g = root->graph;
  for (size_t id = c->first_node; id < g->nodes.count; id++) {
    if (!g->nodes.data[id].attrs) continue;
    g->attrs.count = g->nodes.data[id].attrs;
    break;
  }
  g->operands.count = g->nodes.data[c->first_node].in_first;
  g->dims.count = c->first_dim;
  g->nodes.count = root->nodes.count = c->first_node;
  g->values.count = root->values.count = c->first_value;
}

// Appends the kept nodes again. Only shrinks what was there, so the arrays
// have room; a failure all the same leaves the tape in error.
static bool restore_nodes(collector *c, tir_live_frame *root,
                          size_t *n_bodies) {
  tir_ir_graph *g = root->graph;
  for (size_t k = 0; k < c->nodes.count; k++) {
    kept_node *kept = &c->nodes.data[k];
    kept->dims = g->dims.count;
    tir_ir_type types[TIR_MAX_OUTPUTS], *out_types = types;
    const size_t n_out = kept->data.n_out;
    const size_t bytes = n_out * sizeof *out_types;
    if (n_out > TIR_MAX_OUTPUTS) {
      out_types = tir_base_alloc(g->context, bytes, _Alignof(tir_ir_type));
      if (!out_types) return false;
    }
    for (size_t i = 0; i < n_out; i++)
      out_types[i] = c->values.data[kept->values + i].type;
    for (uint32_t i = 0; i < kept->data.n_in; i++) {
      uint32_t *v = &c->operands.data[kept->operands + i];
      *v = map_value(c, *v);
    }
    tir_ir_node node = {0};
    void *attrs = c->attrs.data ? &c->attrs.data[kept->attrs] : NULL;
    move_bodies(g, tir_ir_op_desc((tir_op)kept->data.op), attrs, n_bodies);
    const tir_status status = tir_ir_append(
        g, (tir_op)kept->data.op, &c->operands.data[kept->operands],
        kept->data.n_in, attrs, out_types, n_out, &node, NULL);
    if (out_types != types)
      tir_base_free(g->context, out_types, bytes, _Alignof(tir_ir_type));
    if (status != TIR_OK || !tir_live_frame_sync(root)) return false;
    g->inputs.count = 0;
    tir_ir_node_data *data = tir_ir_node_at(g, node);
    data->flags = kept->data.flags;
    data->site = kept->data.site;
    data->origin = kept->data.origin;
    root->nodes.data[node.id] = kept->live;
    c->node_map.data[kept->old_id - c->first_node] = node.id;
    for (uint32_t i = 0; i < n_out; i++) {
      const kept_value *value = &c->values.data[kept->values + i];
      const uint32_t id = data->out_first + i;
      g->values.data[id].name = value->data.name;
      g->values.data[id].flags = value->data.flags;
      root->values.data[id] = value->live;
      c->value_map.data[kept->data.out_first + i - c->first_value] = id;
    }
  }
  return true;
}

static bool restore(collector *c, tir_live_frame *root) {
  // What stands behind the kept bodies at the end belonged to dropped nodes.
  size_t n_bodies = c->first_body;
  const bool ok = restore_nodes(c, root, &n_bodies);
  drop_bodies(root->graph, n_bodies);
  return ok;
}

// What was bound before the range began means values before it.
static void remap_handles(const collector *c, tir_tape *tape) {
  for (size_t i = 0; i < tape->scopes.count; i++) {
    uint32_t id = tape->scopes.data[i].first_slot;
    while (id && tape->slots.data[id].bound > c->n_bound) {
      tir_ir_slot *slot = &tape->slots.data[id];
      id = slot->next;
      // Target 1 is the live graph; a slot of a capture holds ids of another.
      if (slot->target != 1) continue;
      slot->value = map_value(c, slot->value);
      slot->head = map_value(c, slot->head);
    }
  }
}

// Scopes still open inside the range (a full collection only): they go on at
// the first kept node they contain.
static void remap_scopes(const collector *c, tir_tape *tape) {
  size_t k = 0;
  for (size_t i = 0; i < tape->scopes.count; i++) {
    tir_ir_scope *scope = &tape->scopes.data[i];
    if (scope->first_node <= c->first_node) continue;
    while (k < c->nodes.count && c->nodes.data[k].old_id < scope->first_node)
      k++;
    const bool any = k < c->nodes.count;
    scope->first_node = any ? map_node(c, c->nodes.data[k].old_id)
                            : (uint32_t)tape->graph->nodes.count;
    scope->first_dim = any ? c->nodes.data[k].dims : tape->graph->dims.count;
  }
}

// Calls that have released a history and are yet to run. Those that ran left
// TIR_LIVE_GONE behind, so the first node to look at next time moves up.
static void remap_released(const collector *c, tir_live *live) {
  tir_live_frame *root = &live->root;
  uint32_t id = live->lowest_released < c->first_node ? live->lowest_released
                                                      : c->first_node;
  live->lowest_released = UINT32_MAX;
  for (; id < root->nodes.count; id++) {
    uint32_t *by = &root->nodes.data[id].released_by;
    if (!*by || *by == TIR_LIVE_GONE) continue;
    *by = map_node(c, *by);
    if (!*by)
      *by = TIR_LIVE_GONE;
    else if (live->lowest_released == UINT32_MAX)
      live->lowest_released = id;
  }
}

// Everything that holds ids.
static void remap(const collector *c, tir_live *live) {
  tir_live_frame *root = &live->root;
  remap_handles(c, live->tape);
  remap_scopes(c, live->tape);
  for (size_t i = 0; i < root->variables.count; i++) {
    tir_live_variable *v = &root->variables.data[i];
    // Free entries hold 0, which stands before any range and maps to itself.
    v->value = map_value(c, v->value);
    v->grad = map_value(c, v->grad);
  }
  for (size_t i = 0; i < root->modules.count; i++)
    for (size_t k = 0; k < root->modules.data[i].values.count; k++) {
      uint32_t *v = &root->modules.data[i].values.data[k];
      *v = map_value(c, *v);
    }
  for (size_t i = 0; i < live->effects.count; i++)
    live->effects.data[i] = map_node(c, live->effects.data[i]);
  remap_released(c, live);
  live->random_state = map_value(c, live->random_state);
  if (live->first_pending > c->first_node) live->first_pending = c->first_node;
  live->tape->n_stamped = tir_ir_n_nodes(root->graph);
}

// Copied out, cut off, appended again: the arrays stay where they are.
static void compact(tir_live *live, const tir_ir_scope *range) {
  tir_live_frame *root = &live->root;
  collector *c = live->collector;
  // The range goes from a scope's first node to the end, or it is everything.
  c->first_node = range->first_node;
  c->first_value = root->graph->nodes.data[range->first_node].out_first;
  c->first_dim = range->first_dim;
  c->n_bound = range->n_bound;
  // Without memory for the copies the dead nodes simply stay.
  if (!prepare(c, root)) return;
  c->first_body = find_first_body(c, root->graph);
  truncate(c, root);
  if (restore(c, root))
    remap(c, live);
  else
    tir_ir_keep_error(live->tape, "collect", TIR_ERR_MEMORY,
                      "out of memory for %zu nodes", c->nodes.count);
}

// Moving pays when at least half of the range is dead.
static void sweep(tir_live *live, const tir_ir_scope *range) {
  const uint32_t first_node = range->first_node;
  const uint32_t n = tir_ir_n_nodes(live->root.graph);
  if (first_node > n) return;
  size_t n_dead = 0;
  for (uint32_t id = n; id >= first_node; id--) sweep_node(live, id, &n_dead);
  if (n_dead * 2 >= n - first_node + 1) compact(live, range);
}

// Each scope cleans up behind itself; now and then the whole graph is looked
// at, because inner scopes leave what outer ones held.
void tir_live_collect(tir_live *live, const tir_ir_scope *scope) {
  // Ids may not move while a run or capture holds on to them.
  if (live->running || live->frame != &live->root) return;
  sweep(live, scope);
  const tir_ir_graph *g = live->root.graph;
  // The next one waits until the graph has doubled, so that full sweeps cost a
  // constant per node recorded. What the scope's sweep covered from node 1 on
  // was full already.
  if (g->nodes.count > 2 * live->collected_nodes + FULL_COLLECT_NODES) {
    const tir_ir_scope all = {.first_node = 1};
    if (scope->first_node > 1) sweep(live, &all);
    live->collected_nodes = g->nodes.count;
  }
}
