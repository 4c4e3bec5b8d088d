// What flows where when a graph is executed. Three sweeps over the nodes: from
// the end, to find whose data is read; from the start, for roots and steps;
// and one over the operands, for the two read tables. Regions are collected
// into single steps between the second and the third, and these numbered anew.
#include "passes/flow.h"

#include <string.h>

#include "ir/base/checked.h"
#include "passes/ready_heap.h"

// An assign shows its value too, but it is an effect.
bool tir_pass_is_view(const tir_ir_graph *g, tir_ir_node n) {
  const uint32_t traits = tir_ir_desc(g, n)->traits;
  return (traits & TIR_TRAIT_VIEW) && !(traits & TIR_TRAIT_EFFECT);
}

// On floats arithmetic always has a result; integers may divide by zero.
bool tir_pass_may_fail(const tir_ir_graph *g, tir_ir_node n) {
  const uint32_t traits = tir_ir_desc(g, n)->traits;
  if (!(traits & TIR_TRAIT_FALLIBLE)) return false;
  if (!(traits & TIR_TRAIT_ELEMENTWISE)) return true;
  const uint32_t n_in = tir_ir_n_in(g, n);
  for (uint32_t i = 0; i < n_in; i++)
    if (!tir_ir_dtype_is_float(tir_ir_dtype_of(g, tir_ir_in(g, n, i))))
      return true;
  return false;
}

size_t tir_pass_value_bytes(const tir_ir_graph *g, tir_ir_value value) {
  const tir_ir_value_data *v = tir_ir_value_at(g, value);
  size_t size = 0;
  // Checked when the type was made; an impossible size stays 0.
  tir_base_tensor_bytes(&g->dims.data[v->dims], v->rank,
                        tir_dtype_size((tir_dtype)v->dtype), &size);
  return size;
}

static bool is_removed(const tir_ir_graph *g, tir_ir_node n) {
  return tir_ir_node_at(g, n)->flags & TIR_NODE_REMOVED;
}

// They are there before the first step, or a copy after the last.
static bool has_no_step(tir_op op) {
  return op == TIR_OP_INPUT || op == TIR_OP_PARAM || op == TIR_OP_CONSTANT ||
         op == TIR_OP_ASSIGN;
}

// --- sweeps ----------------------------------------------------------------

static bool any_output_read(const tir_pass_flow *f, tir_ir_node n) {
  const uint32_t n_out = tir_ir_n_out(f->graph, n);
  for (uint32_t i = 0; i < n_out; i++)
    if (f->is_read[tir_ir_out(f->graph, n, i).id]) return true;
  return false;
}

// From the end: whose data is read. step_of gets 0 for nodes to execute.
static tir_status find_read(tir_pass_flow *f, tir_error *error) {
  const tir_ir_graph *g = f->graph;
  for (size_t i = 0; i < g->outputs.count; i++)
    f->is_read[tir_ir_resolve(g, g->outputs.data[i].value).id] = true;
  for (uint32_t id = tir_ir_n_nodes(g); id > 0; id--) {
    const tir_ir_node n = {id};
    f->step_of[id] = TIR_FLOW_NO_STEP;
    if (is_removed(g, n)) continue;
    const tir_op_desc *desc = tir_ir_desc(g, n);
    if (desc->traits & TIR_TRAIT_INTERNAL)
      return tir_base_fail(error, TIR_ERR_STATE,
                           "schedule: node %%%u: %s calls must be expanded", id,
                           desc->name);
    if (tir_ir_op(g, n) == TIR_OP_ASSIGN) {
      // The new version is read at the end, whoever else reads it. The target
      // is not: the assign only says where the value goes.
      f->is_read[tir_ir_in(g, n, 1).id] = true;
      continue;
    }
    // A node nobody needs has no step, even before eliminate-dead.
    if (!any_output_read(f, n) && !(desc->traits & TIR_TRAIT_EFFECT)) continue;
    if (!has_no_step(tir_ir_op(g, n)) && !tir_pass_is_view(g, n)) {
      f->step_of[id] = 0;
      f->n_steps++;
    }
    const uint32_t n_in = tir_ir_n_in(g, n);
    for (uint32_t i = 0; i < n_in; i++)
      if (!tir_ir_op_shape_only(desc, i))
        f->is_read[tir_ir_in(g, n, i).id] = true;
  }
  return TIR_OK;
}

// From the start: roots, sizes and step numbers.
static void find_roots(tir_pass_flow *f) {
  const tir_ir_graph *g = f->graph;
  uint32_t n_steps = 0;
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n)) {
    const uint32_t n_out = tir_ir_n_out(g, n);
    for (uint32_t i = 0; i < n_out; i++) {
      const tir_ir_value v = tir_ir_out(g, n, i);
      f->root[v.id] = v.id;
      const size_t size = tir_pass_value_bytes(g, v);
      tir_base_size_align(size, 64, &f->bytes[v.id]);
    }
    if (tir_ir_op(g, n) == TIR_OP_ASSIGN) {
      const uint32_t value = f->root[tir_ir_in(g, n, 1).id];
      f->root[tir_ir_out(g, n, 0).id] = value;
      // An assign moves no data by itself: its result is the value, and the
      // param gets it when all steps are done or the value is computed there.
      f->assigned[f->root[tir_ir_in(g, n, 0).id]] = value;
      f->is_final[value] = true;
    } else if (tir_pass_is_view(g, n)) {
      f->root[tir_ir_out(g, n, 0).id] = f->root[tir_ir_in(g, n, 0).id];
    } else if (f->step_of[n.id] != TIR_FLOW_NO_STEP) {
      f->step_of[n.id] = n_steps;
      f->node_of[n_steps++] = n.id;
    }
  }
  for (size_t i = 0; i < g->outputs.count; i++)
    f->is_final[f->root[tir_ir_resolve(g, g->outputs.data[i].value).id]] = true;
}

// --- regions ---------------------------------------------------------------

// All members become the step of the last one; numbers are in the order of
// these. Frees no numbers of members: steps are dense.
static void join_regions(tir_pass_flow *f) {
  uint32_t n_steps = 0;
  for (uint32_t s = 0; s < f->n_steps; s++) {
    const uint32_t node = f->node_of[s];
    const tir_plan_region *region = tir_plan_region_of(f->plan, node);
    f->step_of[node] = TIR_FLOW_NO_STEP;
    if (region) {
      const uint32_t *ids = &f->plan->members.data[region->first];
      // Members before the last have no step of their own any more.
      if (ids[region->n_members - 1] != node) continue;
      for (uint32_t i = 0; i < region->n_members; i++)
        f->step_of[ids[i]] = n_steps;
    }
    f->step_of[node] = n_steps;
    f->node_of[n_steps++] = node;
  }
  f->n_steps = n_steps;
}

// What only the members of one region read is never in memory.
static void hide_inner(tir_pass_flow *f, bool *is_outer) {
  const tir_ir_graph *g = f->graph;
  for (uint32_t s = 0; s < f->n_steps; s++) {
    const tir_plan_nodes nodes = tir_pass_nodes_of(f, s);
    for (uint32_t k = 0; k < nodes.n; k++) {
      const tir_ir_node n = {nodes.ids[k]};
      const uint32_t n_in = tir_ir_n_in(g, n);
      for (uint32_t i = 0; i < n_in; i++) {
        if (tir_ir_op_shape_only(tir_ir_desc(g, n), i)) continue;
        const uint32_t root = f->root[tir_ir_in(g, n, i).id];
        // Whoever reads it from another step needs it in memory.
        if (tir_pass_step_of_value(f, root) != s) is_outer[root] = true;
      }
    }
  }
  for (size_t i = 0; i < f->plan->members.count; i++) {
    const tir_ir_node_data *n =
        tir_ir_node_at(g, (tir_ir_node){f->plan->members.data[i]});
    for (uint32_t v = n->out_first; v < n->out_first + n->n_out; v++)
      f->is_read[v] = is_outer[v] || f->is_final[v];
  }
}

// A region stands where its last member stood, which may be after steps that
// read what an earlier member makes. Numbers the steps again, such that each
// comes after those it needs.
// Kahn's algorithm with a heap by old number, so that the old order stays
// wherever it can and the result depends on the graph alone.
static tir_status renumber(tir_pass_flow *f, tir_error *error) {
  const uint32_t n = f->n_steps;
  const size_t n_bytes = 3 * (size_t)n * sizeof(uint32_t);
  uint32_t *n_waiting = tir_base_alloc_zero(f->context, n_bytes + 4, 4);
  if (!n_waiting) return tir_base_fail_memory(error, n_bytes);
  uint32_t *number = n_waiting + n, *node_of = number + n;
  tir_pass_ready_heap ready = {.context = f->context};
  bool ok = true;
  tir_status status = TIR_OK;
  for (uint32_t s = 0; s < n; s++)
    for (uint32_t i = f->reads_first[s]; i < f->reads_first[s + 1]; i++)
      // Reads of inputs, params and constants wait for nothing.
      n_waiting[s] +=
          tir_pass_step_of_value(f, f->reads[i]) != TIR_FLOW_NO_STEP;
  for (uint32_t s = 0; s < n; s++)
    if (n_waiting[s] == 0)
      ok = ok && tir_pass_ready_push(&ready, (tir_pass_ready){.step = s});
  uint32_t n_numbered = 0;
  tir_pass_ready item;
  while (ok && tir_pass_ready_pop(&ready, &item)) {
    const uint32_t s = item.step;
    number[s] = n_numbered;
    node_of[n_numbered++] = f->node_of[s];
    for (uint32_t m = f->makes_first[s]; m < f->makes_first[s + 1]; m++) {
      const uint32_t v = f->makes[m];
      for (uint32_t i = f->readers_first[v]; i < f->readers_first[v + 1]; i++)
        if (--n_waiting[f->readers[i]] == 0)
          ok = ok && tir_pass_ready_push(
                         &ready, (tir_pass_ready){.step = f->readers[i]});
    }
  }
  if (!ok) {
    status = tir_base_fail_memory(error, sizeof item);
  } else if (n_numbered < n) {
    status =
        tir_base_fail(error, TIR_ERR_STATE,
                      "plan: regions need each other: %u steps of %u never run",
                      n - n_numbered, n);
  } else {
    memcpy(f->node_of, node_of, n * sizeof *node_of);
    for (uint32_t id = 1; id < f->n_nodes; id++)
      if (f->step_of[id] != TIR_FLOW_NO_STEP)
        f->step_of[id] = number[f->step_of[id]];
  }
  TIR_VEC_FREE(f->context, &ready.items);
  tir_base_free(f->context, n_waiting, n_bytes + 4, 4);
  return status;
}

// --- who reads what --------------------------------------------------------

// Distinct roots that step s reads, into `out`; `seen[root]` is the last step
// that met it, + 1.
static uint32_t list_reads(const tir_pass_flow *f, uint32_t s, uint32_t *seen,
                           uint32_t *out) {
  const tir_ir_graph *g = f->graph;
  const tir_plan_nodes nodes = tir_pass_nodes_of(f, s);
  uint32_t count = 0;
  for (uint32_t k = 0; k < nodes.n; k++) {
    const tir_ir_node n = {nodes.ids[k]};
    const tir_op_desc *desc = tir_ir_desc(g, n);
    const uint32_t n_in = tir_ir_n_in(g, n);
    for (uint32_t i = 0; i < n_in; i++) {
      if (tir_ir_op_shape_only(desc, i)) continue;
      const uint32_t root = f->root[tir_ir_in(g, n, i).id];
      if (seen[root] == s + 1 || tir_pass_step_of_value(f, root) == s) continue;
      seen[root] = s + 1;
      out[count++] = root;
    }
  }
  return count;
}

// A single node has all its results, read or not, since its kernel may write
// them; a region only those that leave it.
static void list_makes(tir_pass_flow *f) {
  uint32_t count = 0;
  for (uint32_t s = 0; s < f->n_steps; s++) {
    f->makes_first[s] = count;
    const tir_plan_nodes nodes = tir_pass_nodes_of(f, s);
    for (uint32_t k = 0; k < nodes.n; k++) {
      const tir_ir_node_data *n =
          tir_ir_node_at(f->graph, (tir_ir_node){nodes.ids[k]});
      for (uint32_t v = n->out_first; v < n->out_first + n->n_out; v++)
        if (nodes.n == 1 || f->is_read[v]) f->makes[count++] = v;
    }
  }
  f->makes_first[f->n_steps] = count;
}

// Turns the counts at [i + 1] into starts, as reading tables are kept.
static void make_starts(uint32_t *first, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) first[i + 1] += first[i];
}

// Both directions by counting, so no list is ever grown.
static void fill_tables(tir_pass_flow *f, uint32_t *seen) {
  uint32_t n_reads = 0;
  memset(seen, 0, f->n_values * sizeof *seen);
  memset(f->readers_first, 0, (f->n_values + 1) * sizeof *f->readers_first);
  for (uint32_t s = 0; s < f->n_steps; s++) {
    f->reads_first[s] = n_reads;
    n_reads += list_reads(f, s, seen, f->reads + n_reads);
  }
  f->reads_first[f->n_steps] = n_reads;

  for (uint32_t i = 0; i < n_reads; i++) f->readers_first[f->reads[i] + 1]++;
  make_starts(f->readers_first, f->n_values);
  // From here on `seen` is where the next reader of a root goes. Steps are met
  // in order, so every list of readers rises.
  memcpy(seen, f->readers_first, f->n_values * sizeof *seen);
  for (uint32_t s = 0; s < f->n_steps; s++)
    for (uint32_t i = f->reads_first[s]; i < f->reads_first[s + 1]; i++)
      f->readers[seen[f->reads[i]]++] = s;
}

// --- making and freeing ----------------------------------------------------

// Zeroed; freed by size, which follows from the graph.
static void *take(tir_pass_flow *f, size_t n, size_t size) {
  return tir_base_alloc_zero(f->context, n * size, 8);
}

static void give(tir_pass_flow *f, void *ptr, size_t n, size_t size) {
  tir_base_free(f->context, ptr, n * size, 8);
}

// Separate blocks: sizes depend on nodes, values and operands.
static bool take_all(tir_pass_flow *f, size_t n_operands) {
  const size_t n = f->n_nodes, v = f->n_values, id = sizeof(uint32_t);
  f->node_of = take(f, n, id);
  f->step_of = take(f, n, id);
  f->root = take(f, v, id);
  f->is_read = take(f, v, sizeof(bool));
  f->is_final = take(f, v, sizeof(bool));
  f->reads_first = take(f, n + 1, id);
  f->reads = take(f, n_operands, id);
  f->readers_first = take(f, v + 1, id);
  f->readers = take(f, n_operands, id);
  f->makes_first = take(f, n + 1, id);
  f->makes = take(f, v, id);
  f->assigned = take(f, v, id);
  f->bytes = take(f, v, sizeof(size_t));
  return f->node_of && f->step_of && f->root && f->is_read && f->is_final &&
         f->reads_first && f->reads && f->readers_first && f->readers &&
         f->makes_first && f->makes && f->assigned && f->bytes;
}

void tir_pass_flow_free(tir_pass_flow *f) {
  if (!f->context) return;
  const size_t n = f->n_nodes, v = f->n_values, id = sizeof(uint32_t);
  const size_t n_operands = f->graph->operands.count;
  give(f, f->node_of, n, id);
  give(f, f->step_of, n, id);
  give(f, f->root, v, id);
  give(f, f->is_read, v, sizeof(bool));
  give(f, f->is_final, v, sizeof(bool));
  give(f, f->reads_first, n + 1, id);
  give(f, f->reads, n_operands, id);
  give(f, f->readers_first, v + 1, id);
  give(f, f->readers, n_operands, id);
  give(f, f->makes_first, n + 1, id);
  give(f, f->makes, v, id);
  give(f, f->assigned, v, id);
  give(f, f->bytes, v, sizeof(size_t));
  f->context = NULL;
}

static tir_status make_steps(tir_pass_flow *f, uint32_t *seen,
                             tir_error *error) {
  TIR_TRY(find_read(f, error));
  find_roots(f);
  if (f->plan->regions.count > 0) {
    join_regions(f);
    // Scratch of one flag a value, which fill_tables clears.
    hide_inner(f, (bool *)seen);
  }
  list_makes(f);
  fill_tables(f, seen);
  if (f->plan->regions.count == 0) return TIR_OK;
  // It needs the tables, and they are in terms of the numbers it changes: hence
  // twice.
  TIR_TRY(renumber(f, error));
  list_makes(f);
  fill_tables(f, seen);
  return TIR_OK;
}

// Operands before users is all these sweeps need of the order.
tir_status tir_pass_flow_make(const tir_ir_graph *g, const tir_plan *plan,
                              tir_pass_flow *f, tir_error *error) {
  *f = (tir_pass_flow){
      .context = g->context,
      .graph = g,
      .plan = plan,
      .n_nodes = (uint32_t)g->nodes.count,
      .n_values = (uint32_t)g->values.count,
  };
  const size_t seen_bytes = g->values.count * sizeof(uint32_t);
  uint32_t *seen = tir_base_alloc_zero(g->context, seen_bytes, 4);
  tir_status status = TIR_OK;
  if (!take_all(f, g->operands.count) || !seen)
    status = tir_base_fail_memory(error, seen_bytes);
  if (status == TIR_OK) status = make_steps(f, seen, error);
  tir_base_free(g->context, seen, seen_bytes, 4);
  if (status != TIR_OK) tir_pass_flow_free(f);
  return status;
}
