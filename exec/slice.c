// What one run executes: marking the slice, and counting it as run.
//
// Marking walks from the effects and the values asked for to what they read and
// have not got yet. A gradient call also takes in the history of its heads,
// whether it ran or not, because the plan expands the call from the recorded
// nodes. What ran already is context: it is not run again, and its data come
// from memory.
#include "exec/live.h"

// --- marking ---------------------------------------------------------------

// Stack entries are node ids with a bit for "reached by a gradient call".
enum { CONE_BIT = 1 };

typedef struct marking {
  tir_live *live;
  tir_live_frame *root;
  uint32_t epoch;
  bool out_of_memory;
} marking;

// Puts a node into the slice; `cone`: a gradient call must see its history.
static void mark(marking *m, uint32_t id, bool cone) {
  tir_live_node *node = &m->root->nodes.data[id];
  tir_live_slice *slice = &m->live->slice;
  const bool new_mark = node->mark != m->epoch;
  const bool new_cone = cone && node->cone != m->epoch;
  if (!new_mark && !new_cone) return;
  // A node may be met twice: once as read, later as history too. Each way is
  // followed once, so the walk is linear.
  node->mark = m->epoch;
  if (new_cone) node->cone = m->epoch;
  if (id < slice->low) slice->low = id;
  if (id > slice->high) slice->high = id;
  if (!TIR_VEC_PUSH(m->root->graph->context, &m->root->stack,
                    id << 1 | (cone ? CONE_BIT : 0)))
    m->out_of_memory = true;
}

static uint32_t producer_of(const marking *m, uint32_t value) {
  return m->root->graph->values.data[value].node;
}

static bool is_pending(const marking *m, uint32_t node) {
  return m->root->nodes.data[node].state == TIR_LIVE_PENDING;
}

// The heads' history belongs to the slice whether it ran already or not.
static void mark_history(marking *m, uint32_t value) {
  const uint32_t producer = producer_of(m, value);
  const tir_ir_graph *g = m->root->graph;
  if (g->nodes.data[producer].flags & TIR_NODE_HISTORY)
    mark(m, producer, true);
  else if (is_pending(m, producer))
    mark(m, producer, false);
}

static void mark_operands(marking *m, tir_ir_node n, bool cone) {
  const tir_ir_graph *g = m->root->graph;
  const bool runs = is_pending(m, n.id);
  const uint32_t n_in = tir_ir_n_in(g, n);
  for (uint32_t i = 0; i < n_in; i++) {
    const uint32_t v = tir_ir_in(g, n, i).id;
    const uint32_t producer = producer_of(m, v);
    if (cone && tir_live_wants(m->root, n, i)) mark_history(m, v);
    if (runs && is_pending(m, producer) && tir_live_reads(g, n, i))
      mark(m, producer, false);
  }
  // A call met as history is differentiated itself, and so needs its own cone.
  if (tir_ir_op(g, n) != TIR_OP_GRADIENT || (!runs && !cone)) return;
  const tir_attrs_gradient *attrs = tir_ir_attrs(g, n);
  for (uint32_t i = 0; i < (uint32_t)attrs->n_heads; i++)
    mark_history(m, tir_ir_in(g, n, i).id);
}

tir_status tir_live_mark(tir_live *live, const uint32_t *asked, size_t n_asked,
                         tir_error *error) {
  tir_live_frame *root = &live->root;
  tir_live_slice *slice = &live->slice;
  tir_context *context = root->graph->context;
  marking m = {live, root, ++root->epoch, false};
  root->stack.count = 0;
  slice->nodes.count = 0;
  slice->low = UINT32_MAX;
  slice->high = 0;
  for (size_t i = 0; i < n_asked; i++)
    if (is_pending(&m, producer_of(&m, asked[i])))
      mark(&m, producer_of(&m, asked[i]), false);
  for (size_t i = 0; i < live->effects.count; i++)
    mark(&m, live->effects.data[i], false);
  while (root->stack.count && !m.out_of_memory) {
    const uint32_t entry = root->stack.data[--root->stack.count];
    mark_operands(&m, (tir_ir_node){entry >> 1}, entry & CONE_BIT);
  }
  // Ascending ids are a topological order.
  for (uint32_t id = slice->low; id <= slice->high && !m.out_of_memory; id++)
    if (root->nodes.data[id].mark == m.epoch &&
        !TIR_VEC_PUSH(context, &slice->nodes, id))
      m.out_of_memory = true;
  if (m.out_of_memory) return tir_base_fail_memory(error, sizeof(uint32_t));
  return TIR_OK;
}

// --- settling --------------------------------------------------------------

// Upper bound of the values whose counts can reach zero here.
static bool reserve_to_free(tir_live *live) {
  tir_live_slice *slice = &live->slice;
  const tir_ir_graph *g = live->root.graph;
  size_t n = 0;
  for (size_t i = 0; i < slice->nodes.count; i++) {
    const tir_ir_node_data *node = &g->nodes.data[slice->nodes.data[i]];
    // Each operand may be let go as a read and as a residual.
    n += 2 * (size_t)node->n_in + node->n_out;
  }
  slice->to_free.count = 0;
  return TIR_VEC_RESERVE(g->context, &slice->to_free, n);
}

// A node with a history stays a user of its operands: the nodes that made them
// must not be collected before it.
static void settle_node(tir_live *live, uint32_t id) {
  tir_live_frame *root = &live->root;
  const tir_ir_graph *g = root->graph;
  const tir_ir_node n = {id};
  tir_live_node *node = &root->nodes.data[id];
  node->state = TIR_LIVE_DONE;
  live->n_pending--;
  for (uint32_t i = 0; i < tir_ir_n_in(g, n); i++)
    tir_live_count_down(live, tir_ir_in(g, n, i).id, tir_live_reads(g, n, i),
                        !node->history);
  for (uint32_t i = 0; i < tir_ir_n_out(g, n); i++)
    root->values.data[tir_ir_out(g, n, i).id].state = TIR_LIVE_DONE;
}

// In the key and the graph a context node is one that ran before: the slice
// remembers which by the order settle leaves behind.
tir_status tir_live_settle(tir_live *live, tir_error *error) {
  tir_live_slice *slice = &live->slice;
  tir_live_frame *root = &live->root;
  const tir_ir_graph *g = root->graph;
  tir_context *context = g->context;
  slice->survivors.count = slice->runs.count = 0;
  if (!reserve_to_free(live) ||
      !TIR_VEC_RESERVE(context, &slice->runs, slice->nodes.count))
    return tir_base_fail_memory(error, sizeof(uint32_t));
  size_t n_values = 0;
  for (size_t i = 0; i < slice->nodes.count; i++) {
    const uint32_t id = slice->nodes.data[i];
    const bool runs = root->nodes.data[id].state == TIR_LIVE_PENDING;
    slice->runs.data[slice->runs.count++] = runs;
    if (runs) n_values += g->nodes.data[id].n_out;
  }
  if (!TIR_VEC_RESERVE(context, &slice->survivors, n_values))
    return tir_base_fail_memory(error, sizeof(uint32_t));
  for (size_t i = 0; i < slice->nodes.count; i++)
    // From here on nothing fails: the counts of a slice change as a whole.
    if (slice->runs.data[i]) settle_node(live, slice->nodes.data[i]);
  for (size_t i = 0; i < slice->nodes.count; i++) {
    const tir_ir_node n = {slice->nodes.data[i]};
    // After all nodes are settled: releasing lets go of what their histories
    // still held.
    if (slice->runs.data[i] && tir_ir_op(g, n) == TIR_OP_GRADIENT)
      tir_live_release_cone(live, n.id);
  }
  // What is still owned or read after all that survives the run.
  for (size_t i = 0; i < slice->nodes.count; i++) {
    if (!slice->runs.data[i]) continue;
    const tir_ir_node n = {slice->nodes.data[i]};
    for (uint32_t k = 0; k < tir_ir_n_out(g, n); k++) {
      const uint32_t v = tir_ir_out(g, n, k).id;
      if (root->values.data[v].owners || root->values.data[v].reads)
        slice->survivors.data[slice->survivors.count++] = v;
    }
  }
  return TIR_OK;
}
