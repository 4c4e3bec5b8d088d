// compact: drop removed nodes, make replacements permanent, renumber.
//
// Passes append at the end and replace uses, so an operand may have a larger
// id than its user. Nodes then are put into topological order again, keeping
// the present order wherever it is possible (inputs first, in their order).
// All memory is taken before anything is changed: on failure the graph is as
// it was.
#include <string.h>

#include "ir/base/checked.h"
#include "ir/body.h"

typedef struct compaction {
  tir_ir_graph *graph;
  tir_error *error;
  uint32_t *order;  // kept node ids; NULL means in order of ids
  size_t order_bytes;
  uint32_t *value_map;  // new value id by old
  size_t value_map_bytes;
  uint32_t *moved;  // new dims index + 1 by old, then tensors likewise
  size_t moved_bytes;
  // The new arrays; swapped in at the end.
  tir_ir_graph next;
} compaction;

// Removal is a flag until here, so that ids stay valid while a pass works.
static bool is_removed(const tir_ir_graph *g, uint32_t node) {
  return (g->nodes.data[node].flags & TIR_NODE_REMOVED) != 0;
}

// Through replacements: what the operand means now.
static uint32_t operand_producer(const tir_ir_graph *g, uint32_t node,
                                 uint32_t i) {
  return tir_ir_producer(g, tir_ir_in(g, (tir_ir_node){node}, i)).id;
}

// A pass removed what is still read: its mistake, found before any change.
static tir_status fail_removed(const compaction *c, uint32_t user) {
  tir_base_fail(c->error, TIR_ERR_STATE,
                "compact: an operand of node %u was removed", user);
  if (c->error) c->error->node = user;
  return TIR_ERR_STATE;
}

// --- order -----------------------------------------------------------------

// Sets *out_sorted when every operand stands before its user.
static tir_status check_order(const compaction *c, bool *out_sorted) {
  const tir_ir_graph *g = c->graph;
  *out_sorted = true;
  for (uint32_t id = tir_ir_first(g).id; id;
       id = tir_ir_next(g, (tir_ir_node){id}).id) {
    for (uint32_t i = 0; i < g->nodes.data[id].n_in; i++) {
      const uint32_t producer = operand_producer(g, id, i);
      if (is_removed(g, producer)) return fail_removed(c, id);
      if (producer >= id) *out_sorted = false;
    }
  }
  return TIR_OK;
}

typedef struct visit {
  uint32_t node;
  uint32_t next_operand;
} visit;

// NEW is 0: the states begin as zeroed memory.
enum { NEW, OPEN, DONE };

// Depth first from `root`, with its own stack. Appends to the order.
static tir_status emit_cone(compaction *c, uint32_t root, uint8_t *states,
                            visit *stack, size_t *n_ordered) {
  const tir_ir_graph *g = c->graph;
  if (states[root] == DONE) return TIR_OK;
  size_t depth = 0;
  stack[depth++] = (visit){root, 0};
  states[root] = OPEN;
  while (depth > 0) {
    visit *top = &stack[depth - 1];
    if (top->next_operand == g->nodes.data[top->node].n_in) {
      states[top->node] = DONE;
      c->order[(*n_ordered)++] = top->node;
      depth--;
      continue;
    }
    // Steps on before it goes down: when the operand is done, this entry is
    // looked at again.
    const uint32_t producer =
        operand_producer(g, top->node, top->next_operand++);
    if (states[producer] == DONE) continue;
    if (states[producer] == OPEN) {
      tir_base_fail(c->error, TIR_ERR_STATE,
                    "compact: node %u depends on itself", producer);
      if (c->error) c->error->node = producer;
      return TIR_ERR_STATE;
    }
    states[producer] = OPEN;
    stack[depth++] = (visit){producer, 0};
  }
  return TIR_OK;
}

// Starting from the inputs, then by id, the order stays what it was wherever
// that is possible: dumps and goldens change as little as can be.
static tir_status sort_with(compaction *c, uint8_t *states, visit *stack) {
  const tir_ir_graph *g = c->graph;
  size_t n = 0;
  for (size_t i = 0; i < g->inputs.count; i++) {
    const uint32_t node = tir_ir_producer(g, g->inputs.data[i]).id;
    if (!is_removed(g, node)) TIR_TRY(emit_cone(c, node, states, stack, &n));
  }
  for (uint32_t id = tir_ir_first(g).id; id;
       id = tir_ir_next(g, (tir_ir_node){id}).id)
    TIR_TRY(emit_cone(c, id, states, stack, &n));
  c->order[n] = 0;
  return TIR_OK;
}

// The stack is as deep as there are nodes, on the heap: a chain of a million
// needs no recursion.
static tir_status sort(compaction *c) {
  tir_context *context = c->graph->context;
  const size_t n = c->graph->nodes.count;
  c->order_bytes = (n + 1) * sizeof *c->order;
  c->order = tir_base_alloc(context, c->order_bytes, _Alignof(uint32_t));
  uint8_t *states = tir_base_alloc_zero(context, n, 1);
  visit *stack = tir_base_alloc(context, n * sizeof *stack, _Alignof(visit));
  const tir_status status =
      c->order && states && stack
          ? sort_with(c, states, stack)
          : tir_base_fail_memory(c->error, n * sizeof *stack);
  tir_base_free(context, stack, n * sizeof *stack, _Alignof(visit));
  tir_base_free(context, states, n, 1);
  return status;
}

// --- moving ----------------------------------------------------------------

// Capacity for the new array: what the old one holds, so that a live tape does
// not grow from nothing after each step, yet gives a peak back in the end.
static size_t room(size_t count, size_t capacity) {
  const size_t wanted = count > SIZE_MAX / 2 ? count : 2 * count;
  return wanted < capacity ? wanted : capacity;
}

static size_t count_bodies(const tir_ir_graph *g) {
  size_t n = 0;
  tir_ir_body_visit at = {0};
  while (g->bodies.count && tir_ir_next_body(g, &at)) n++;
  return n;
}

// All of it before the first change, or the graph would be lost half moved.
static tir_status take_memory(compaction *c) {
  const tir_ir_graph *g = c->graph;
  tir_context *context = g->context;
  c->value_map_bytes = g->values.count * sizeof(uint32_t);
  c->value_map =
      tir_base_alloc_zero(context, c->value_map_bytes, _Alignof(uint32_t));
  c->moved_bytes = (g->dims.count + g->tensors.count) * sizeof(uint32_t);
  c->moved = tir_base_alloc_zero(context, c->moved_bytes, _Alignof(uint32_t));
  tir_ir_graph *to = &c->next;
  if (!c->value_map || !c->moved ||
      !TIR_VEC_RESERVE(context, &to->nodes,
                       room(g->nodes.count, g->nodes.capacity)) ||
      !TIR_VEC_RESERVE(context, &to->values,
                       room(g->values.count, g->values.capacity)) ||
      !TIR_VEC_RESERVE(context, &to->operands,
                       room(g->operands.count, g->operands.capacity)) ||
      !TIR_VEC_RESERVE(context, &to->dims,
                       room(g->dims.count, g->dims.capacity)) ||
      !TIR_VEC_RESERVE(context, &to->attrs,
                       room(g->attrs.count, g->attrs.capacity)) ||
      !TIR_VEC_RESERVE(context, &to->bodies, count_bodies(g)))
    return tir_base_fail_memory(c->error, c->value_map_bytes);
  return TIR_OK;
}

// Each shape moves once and stays shared.
static uint32_t move_shape(compaction *c, const tir_ir_value_data *value) {
  if (value->rank == 0) return 0;
  uint32_t *moved = &c->moved[value->dims];
  if (*moved) return *moved - 1;
  tir_ir_graph *to = &c->next;
  const size_t n = value->rank * (value->has_symbols ? 2u : 1u);
  const uint32_t first = (uint32_t)to->dims.count;
  memcpy(to->dims.data + first, c->graph->dims.data + value->dims,
         n * sizeof *to->dims.data);
  to->dims.count += n;
  *moved = first + 1;
  return first;
}

// Bodies in use are numbered anew, in the order they are met.
static void move_bodies(compaction *c, const tir_op_desc *desc,
                        uint32_t first) {
  tir_ir_graph *to = &c->next;
  char *attrs = (char *)&to->attrs.data[first];
  for (size_t i = 0; i < desc->n_attrs; i++) {
    tir_ir_body *body = tir_ir_body_of(c->graph, &desc->attrs[i], attrs);
    if (!body) continue;
    to->bodies.data[to->bodies.count++] = tir_ir_body_retain(body);
    const int64_t number = (int64_t)to->bodies.count;
    memcpy(attrs + desc->attrs[i].offset, &number, sizeof number);
  }
}

static uint32_t move_attrs(compaction *c, uint32_t node) {
  const tir_ir_graph *g = c->graph;
  tir_ir_graph *to = &c->next;
  const uint32_t old = g->nodes.data[node].attrs;
  const size_t n = tir_ir_desc(g, (tir_ir_node){node})->attrs_size / 8u;
  if (n == 0 || old == 0) return 0;
  const uint32_t first = (uint32_t)to->attrs.count;
  memcpy(to->attrs.data + first, g->attrs.data + old,
         n * sizeof *to->attrs.data);
  to->attrs.count += n;
  const tir_op_desc *desc = tir_ir_desc(g, (tir_ir_node){node});
  if (tir_ir_has_bodies(desc)) move_bodies(c, desc, first);
  if (g->nodes.data[node].op != TIR_OP_CONSTANT) return first;

  // Tensors in use are numbered anew, in the order they are met.
  tir_attrs_constant attrs;
  memcpy(&attrs, to->attrs.data + first, sizeof attrs);
  if (attrs.tensor == 0) return first;
  // Places of tensors stand behind those of dims.
  uint32_t *moved = &c->moved[g->dims.count + (size_t)attrs.tensor - 1];
  if (*moved == 0) *moved = (uint32_t)++to->tensors.count;
  attrs.tensor = *moved;
  memcpy(to->attrs.data + first, &attrs, sizeof attrs);
  return first;
}

// Operands come first in the new order, so their new ids are known.
static void move_node(compaction *c, uint32_t id) {
  const tir_ir_graph *g = c->graph;
  tir_ir_graph *to = &c->next;
  const tir_ir_node_data *old = &g->nodes.data[id];
  const uint32_t new_id = (uint32_t)to->nodes.count++;
  tir_ir_node_data *node = &to->nodes.data[new_id];
  *node = *old;
  node->in_first = (uint32_t)to->operands.count;
  node->out_first = (uint32_t)to->values.count;
  node->attrs = move_attrs(c, id);
  for (uint32_t i = 0; i < old->n_in; i++) {
    const uint32_t value = tir_ir_in(g, (tir_ir_node){id}, i).id;
    to->operands.data[to->operands.count++] = c->value_map[value];
  }
  for (uint32_t i = 0; i < old->n_out; i++) {
    const uint32_t value = old->out_first + i;
    c->value_map[value] = (uint32_t)to->values.count;
    tir_ir_value_data *moved = &to->values.data[to->values.count++];
    *moved = g->values.data[value];
    moved->node = new_id;
    moved->dims = move_shape(c, moved);
  }
}

// Entry 0 of each array and the shared zero words come first, as in a new
// graph.
static void move_nodes(compaction *c) {
  const tir_ir_graph *g = c->graph;
  tir_ir_graph *to = &c->next;
  to->nodes.data[to->nodes.count++] = (tir_ir_node_data){0};
  to->values.data[to->values.count++] = (tir_ir_value_data){0};
  // The zero words all ops without attributes point to.
  to->attrs.count = TIR_N_ZERO_WORDS;
  memset(to->attrs.data, 0, to->attrs.count * sizeof *to->attrs.data);
  if (c->order) {
    for (size_t i = 0; c->order[i]; i++) move_node(c, c->order[i]);
  } else {
    for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n))
      move_node(c, n.id);
  }
}

// --- swapping in -----------------------------------------------------------

// An output must outlive every pass.
static tir_status check_outputs(const compaction *c) {
  const tir_ir_graph *g = c->graph;
  for (size_t i = 0; i < g->outputs.count; i++) {
    const tir_ir_value value = tir_ir_resolve(g, g->outputs.data[i].value);
    if (is_removed(g, tir_ir_producer(g, value).id))
      return tir_base_fail(c->error, TIR_ERR_STATE,
                           "compact: output %zu was removed", i);
  }
  return TIR_OK;
}

// Removed inputs leave the list; the others keep their order, which callers
// bind by.
static void renumber_ports(compaction *c) {
  tir_ir_graph *g = c->graph;
  size_t n = 0;
  for (size_t i = 0; i < g->inputs.count; i++) {
    const tir_ir_value value = g->inputs.data[i];
    if (!is_removed(g, tir_ir_producer(g, value).id))
      g->inputs.data[n++].id = c->value_map[value.id];
  }
  g->inputs.count = n;
  // From here on the map says what a replaced value means now.
  for (uint32_t v = 1; v < g->values.count; v++)
    c->value_map[v] = c->value_map[tir_ir_resolve(g, (tir_ir_value){v}).id];
  for (size_t i = 0; i < g->outputs.count; i++)
    g->outputs.data[i].value.id = c->value_map[g->outputs.data[i].value.id];
}

// Tensors no kept node uses are released, the others take their new places.
// New numbers are given in order of first use: sort by cycles of swaps.
static void renumber_tensors(compaction *c) {
  tir_ir_graph *g = c->graph;
  uint32_t *moved = c->moved + g->dims.count;
  for (size_t i = 0; i < g->tensors.count; i++) {
    while (moved[i] && moved[i] - 1 != i) {
      const size_t target = moved[i] - 1;
      tir_tensor *tensor = g->tensors.data[target];
      g->tensors.data[target] = g->tensors.data[i];
      g->tensors.data[i] = tensor;
      const uint32_t number = moved[target];
      moved[target] = moved[i];
      moved[i] = number;
    }
  }
  for (size_t i = c->next.tensors.count; i < g->tensors.count; i++)
    tir_tensor_release(g->tensors.data[i]);
  g->tensors.count = c->next.tensors.count;
}

#define SWAP_VEC(context, old, new)    \
  do {                                 \
    TIR_VEC_FREE((context), (old));    \
    (old)->data = (new)->data;         \
    (old)->count = (new)->count;       \
    (old)->capacity = (new)->capacity; \
    (new)->data = NULL;                \
    (new)->count = 0;                  \
    (new)->capacity = 0;               \
  } while (0)

// Nothing in here can fail.
static void swap_in(compaction *c) {
  tir_ir_graph *g = c->graph;
  renumber_ports(c);
  renumber_tensors(c);
  SWAP_VEC(g->context, &g->nodes, &c->next.nodes);
  SWAP_VEC(g->context, &g->values, &c->next.values);
  SWAP_VEC(g->context, &g->operands, &c->next.operands);
  SWAP_VEC(g->context, &g->dims, &c->next.dims);
  SWAP_VEC(g->context, &g->attrs, &c->next.attrs);
  for (size_t i = 0; i < g->bodies.count; i++)
    tir_ir_body_release(g->bodies.data[i]);
  SWAP_VEC(g->context, &g->bodies, &c->next.bodies);
  TIR_VEC_FREE(g->context, &g->forward);
}

static void release(compaction *c) {
  tir_context *context = c->graph->context;
  TIR_VEC_FREE(context, &c->next.nodes);
  TIR_VEC_FREE(context, &c->next.values);
  TIR_VEC_FREE(context, &c->next.operands);
  TIR_VEC_FREE(context, &c->next.dims);
  TIR_VEC_FREE(context, &c->next.attrs);
  TIR_VEC_FREE(context, &c->next.bodies);
  tir_base_free(context, c->order, c->order_bytes, _Alignof(uint32_t));
  tir_base_free(context, c->moved, c->moved_bytes, _Alignof(uint32_t));
  tir_base_free(context, c->value_map, c->value_map_bytes, _Alignof(uint32_t));
}

// Checks, memory, change: in this order.
static tir_status compact(compaction *c) {
  bool sorted = false;
  TIR_TRY(check_order(c, &sorted));
  TIR_TRY(check_outputs(c));
  if (!sorted) TIR_TRY(sort(c));
  TIR_TRY(take_memory(c));
  move_nodes(c);
  swap_in(c);
  return TIR_OK;
}

tir_status tir_ir_compact(tir_ir_graph *g, uint32_t **out_value_map,
                          tir_error *error) {
  if (out_value_map) *out_value_map = NULL;
  compaction c = {.graph = g, .error = error};
  const tir_status status = compact(&c);
  if (status == TIR_OK && out_value_map) {
    *out_value_map = c.value_map;
    c.value_map = NULL;
  }
  release(&c);
  return status;
}
