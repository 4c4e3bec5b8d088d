// The plan key: the slice's structure as words, compared in full.
//
// It holds ops, attributes, how values connect, which survive, and types and
// kinds of the externals. It holds no address, no data of leaves, and no
// scalar literal: those are inputs of the plan.
#include <string.h>

#include "exec/live.h"
#include "ir/body.h"

typedef struct keying {
  tir_live *live;
  tir_live_frame *root;
  tir_live_slice *slice;
  tir_context *context;
  // The one of marking: nodes of the slice carry it.
  uint32_t epoch;
  uint32_t n_internal;
  bool out_of_memory;
} keying;

// A failure is remembered: one check at the end is enough.
static void put(keying *k, uint64_t word) {
  if (!TIR_VEC_PUSH(k->context, &k->slice->key, word)) k->out_of_memory = true;
}

// --- externals -------------------------------------------------------------

static bool is_constant(const keying *k, uint32_t v) {
  const tir_ir_graph *g = k->root->graph;
  return g->nodes.data[g->values.data[v].node].op == TIR_OP_CONSTANT;
}

// Number of the external for a value, made on first use.
static uint32_t external_of(keying *k, uint32_t v) {
  const bool constant = is_constant(k, v);
  const tir_live_external external = {
      .value = v,
      .kind = constant && k->root->graph->values.data[v].rank
                  ? TIR_LIVE_CONSTANT
                  : TIR_LIVE_INPUT,
      .has_data = constant || k->root->values.data[v].buffer,
  };
  if (!TIR_VEC_PUSH(k->context, &k->slice->externals, external))
    k->out_of_memory = true;
  return (uint32_t)k->slice->externals.count - 1;
}

// Code of an operand: even for values of the slice, odd for externals.
static uint32_t code_of(keying *k, uint32_t v) {
  tir_live_value *value = &k->root->values.data[v];
  if (value->local_epoch != k->epoch) {
    value->local = external_of(k, v) << 1 | 1;
    value->local_epoch = k->epoch;
  }
  return value->local;
}

// May the run overwrite this external's memory with its next version?
// Nobody may see the old version after the run: no owner, no reader, no other
// buffer over the memory. A tensor read by reference belongs to its owner; the
// storage of a module's parameter is there to be written.
static bool is_overwritable(const keying *k, uint32_t v) {
  const tir_live_value *value = &k->root->values.data[v];
  const tir_pool_buffer *buffer = value->buffer;
  return buffer && !value->owners && !value->reads && buffer->n_refs == 1 &&
         (buffer->module || !buffer->tensor);
}

// --- assigns ---------------------------------------------------------------

// Does the run make this value? A node that is mere context made it before.
static bool is_made_here(const keying *k, uint32_t value) {
  const uint32_t maker = k->root->graph->values.data[value].node;
  if (k->root->nodes.data[maker].mark != k->epoch) return false;
  // Ids rise along the slice.
  size_t low = 0, high = k->slice->nodes.count;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (k->slice->nodes.data[middle] <= maker)
      low = middle;
    else
      high = middle;
  }
  return k->slice->runs.data[low];
}

// Finds the chains of assigns: which external each starts from, and which
// assign is the last.
static void find_assigns(keying *k) {
  const tir_ir_graph *g = k->root->graph;
  tir_live_slice *slice = k->slice;
  slice->assigns.count = 0;
  for (size_t i = 0; i < slice->nodes.count; i++) {
    const tir_ir_node n = {slice->nodes.data[i]};
    if (tir_ir_op(g, n) != TIR_OP_ASSIGN || !slice->runs.data[i]) continue;
    const uint32_t target = tir_ir_in(g, n, 0).id;
    const tir_live_value *t = &k->root->values.data[target];
    tir_live_assign assign = {.node = n.id, .root = target, .is_last = true};
    if (t->assign_epoch == k->epoch) {
      tir_live_assign *before = &slice->assigns.data[t->assign - 1];
      before->is_last = false;
      assign.root = before->root;
    } else if (is_made_here(k, target)) {
      assign.root = 0;  // nothing to overwrite
    }
    if (!TIR_VEC_PUSH(k->context, &slice->assigns, assign)) {
      k->out_of_memory = true;
      return;
    }
    tir_live_value *out = &k->root->values.data[tir_ir_out(g, n, 0).id];
    out->assign = (uint32_t)slice->assigns.count;
    out->assign_epoch = k->epoch;
  }
}

// Gives each chain whose root may be overwritten its STATE external.
static void place_assigns(keying *k) {
  for (size_t i = 0; i < k->slice->assigns.count; i++) {
    tir_live_assign *assign = &k->slice->assigns.data[i];
    if (!assign->is_last || !assign->root || !is_overwritable(k, assign->root))
      continue;
    // One that is here as context too is read from memory, which must not
    // change under the reader.
    const uint32_t maker = k->root->graph->values.data[assign->root].node;
    if (k->root->nodes.data[maker].mark == k->epoch) continue;
    const uint32_t code = code_of(k, assign->root);
    if (k->out_of_memory) return;
    tir_live_external *external = &k->slice->externals.data[code >> 1];
    // Only one chain can have a root's memory.
    if (external->kind != TIR_LIVE_INPUT) continue;
    external->kind = TIR_LIVE_STATE;
    assign->in_place = true;
  }
}

bool tir_live_is_in_place(const tir_live *live, uint32_t value) {
  const tir_live_value *v = &live->root.values.data[value];
  return v->assign_epoch == live->root.epoch &&
         live->slice.assigns.data[v->assign - 1].in_place;
}

// --- the words -------------------------------------------------------------

// Two operands a word.
static void put_operands(keying *k, tir_ir_node n) {
  const uint32_t n_in = tir_ir_n_in(k->root->graph, n);
  uint64_t pair = 0;
  for (uint32_t i = 0; i < n_in; i++) {
    const uint64_t code = code_of(k, tir_ir_in(k->root->graph, n, i).id);
    if (i & 1)
      put(k, pair | code << 32);
    else
      pair = code;
  }
  if (n_in & 1) put(k, pair);
}

// Numbers the outputs. What a context node made is never made again: it is
// read from memory, or only its shape is looked at.
static void number_outputs(keying *k, tir_ir_node n, bool runs) {
  for (uint32_t i = 0; i < tir_ir_n_out(k->root->graph, n); i++) {
    const uint32_t v = tir_ir_out(k->root->graph, n, i).id;
    tir_live_value *value = &k->root->values.data[v];
    value->local = k->n_internal++ << 1;
    value->local_epoch = k->epoch;
    if (runs) continue;
    // The key tells that this result is read from memory, and from which
    // external.
    const uint32_t pair[] = {v, external_of(k, v)};
    put(k, (uint64_t)pair[1] << 32 | i);
    if (!TIR_VEC_PUSH(k->context, &k->slice->substitutes, pair[0]) ||
        !TIR_VEC_PUSH(k->context, &k->slice->substitutes, pair[1]))
      k->out_of_memory = true;
  }
}

static void put_word(void *user, uint64_t word) { put(user, word); }

// What the bodies do, and the other attributes.
static void put_bodies(keying *k, tir_ir_node n) {
  const tir_ir_graph *g = k->root->graph;
  const tir_op_desc *desc = tir_ir_desc(g, n);
  const uint64_t *words = tir_ir_attrs(g, n);
  for (size_t i = 0; i < desc->n_attrs; i++) {
    const tir_ir_body *body = tir_ir_body_of(g, &desc->attrs[i], words);
    if (body)
      tir_ir_body_words(body, put_word, k);
    else
      put(k, words[desc->attrs[i].offset / 8]);
  }
}

// Op, arity and the flags that change what is compiled in one word; then
// attributes, then operands.
static void put_node(keying *k, size_t i) {
  const tir_ir_graph *g = k->root->graph;
  const tir_ir_node n = {k->slice->nodes.data[i]};
  const bool runs = k->slice->runs.data[i];
  const tir_op op = tir_ir_op(g, n);
  tir_live_key_part part = {.start = (uint32_t)k->slice->key.count};
  uint64_t head = (uint64_t)op | (uint64_t)tir_ir_n_in(g, n) << 32;
  if (runs) head |= 1u << 16;
  if (tir_ir_node_at(g, n)->flags & TIR_NODE_HISTORY) head |= 1u << 17;
  if (tir_live_is_in_place(k->live, tir_ir_out(g, n, 0).id)) head |= 1u << 18;
  put(k, head);
  const size_t words = tir_ir_op_desc(op)->attrs_size / 8;
  const uint64_t *attrs = tir_ir_attrs(g, n);
  if (tir_ir_has_bodies(tir_ir_op_desc(op)))
    put_bodies(k, n);
  else
    for (size_t w = 0; w < words; w++) put(k, attrs[w]);
  part.operands = (uint32_t)k->slice->key.count;
  if (!TIR_VEC_PUSH(k->context, &k->slice->key_parts, part))
    k->out_of_memory = true;
  put_operands(k, n);
  number_outputs(k, n, runs);
}

// Dtype, shape and kind, never contents: a new batch is the same plan.
static void put_external(keying *k, tir_live_external *external,
                         uint32_t *n_inputs, uint32_t *n_params) {
  const tir_ir_graph *g = k->root->graph;
  const tir_ir_value v = {external->value};
  const tir_ir_value_data *value = tir_ir_value_at(g, v);
  external->binding = external->kind == TIR_LIVE_STATE   ? (*n_params)++
                      : external->kind == TIR_LIVE_INPUT ? (*n_inputs)++
                                                         : 0;
  put(k, (uint64_t)external->kind | (uint64_t)external->has_data << 8 |
             (uint64_t)value->dtype << 16 | (uint64_t)value->rank << 24 |
             (uint64_t)(value->flags & TIR_VALUE_NEEDS_GRAD) << 32);
  for (int i = 0; i < value->rank; i++)
    put(k, (uint64_t)g->dims.data[value->dims + (uint32_t)i]);
  if (external->kind != TIR_LIVE_CONSTANT) return;
  const tir_attrs_constant *attrs = tir_ir_attrs(g, tir_ir_producer(g, v));
  put(k, attrs->bits);
}

// Nodes, survivors, externals: three lists, parted by a word that no list can
// hold.
tir_status tir_live_key(tir_live *live, tir_error *error) {
  tir_live_slice *slice = &live->slice;
  keying k = {.live = live,
              .root = &live->root,
              .slice = slice,
              .context = live->root.graph->context,
              .epoch = live->root.epoch};
  slice->key.count = slice->key_parts.count = 0;
  slice->externals.count = slice->substitutes.count = 0;
  find_assigns(&k);
  if (!k.out_of_memory) place_assigns(&k);
  for (size_t i = 0; i < slice->nodes.count && !k.out_of_memory; i++)
    put_node(&k, i);
  slice->key_nodes_end = slice->key.count;
  put(&k, UINT64_MAX);
  for (size_t i = 0; i < slice->survivors.count && !k.out_of_memory; i++)
    put(&k, k.root->values.data[slice->survivors.data[i]].local);
  put(&k, UINT64_MAX);
  uint32_t n_inputs = 0, n_params = 0;
  for (size_t i = 0; i < slice->externals.count && !k.out_of_memory; i++)
    put_external(&k, &slice->externals.data[i], &n_inputs, &n_params);
  if (k.out_of_memory) return tir_base_fail_memory(error, sizeof(uint64_t));
  return TIR_OK;
}
