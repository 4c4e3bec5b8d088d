// A slice as a graph of its own, compiled: what a plan-cache miss costs.
//
// Externals become inputs (or params, where an assign overwrites them), the
// slice's nodes are copied in order, gradient calls are expanded, and values
// that ran before are read from memory in place of their recomputation.
#include <stdio.h>
#include <string.h>

#include "exec/live.h"
#include "exec/threads.h"
#include "ir/attr.h"
#include "ir/body.h"
#include "passes/gradient.h"

typedef struct building {
  tir_live *live;
  tir_live_slice *slice;
  const tir_ir_graph *from;
  tir_ir_graph *to;
  uint32_t *externals;  // value of `to` by external
  uint32_t *internals;  // value of `to` by internal number
  size_t n_internals;
  TIR_VEC(uint32_t) operands;
  tir_error *error;
} building;

// Where a value of the tape stands in the graph being built.
// Its code is the one key.c gave it: odd for externals, even for what the slice
// makes.
static uint32_t value_of(const building *b, uint32_t v) {
  const uint32_t local = b->live->root.values.data[v].local;
  return local & 1 ? b->externals[local >> 1] : b->internals[local >> 1];
}

// Leaves and earlier results: bound anew by every run of the plan.
static tir_status add_external(building *b, size_t i) {
  const tir_live_external *external = &b->slice->externals.data[i];
  const tir_ir_value v = {external->value};
  tir_ir_type type;
  tir_ir_type_of(b->from, v, &type);
  tir_op op = TIR_OP_INPUT;
  const void *attrs = NULL;
  const tir_attrs_param state = {.kind = TIR_PARAM_STATE};
  if (external->kind == TIR_LIVE_STATE) {
    op = TIR_OP_PARAM;
    attrs = &state;
  } else if (external->kind == TIR_LIVE_CONSTANT) {
    op = TIR_OP_CONSTANT;
    // The key holds the bits of shaped literals, so a plan may be compiled for
    // them.
    attrs = tir_ir_attrs(b->from, tir_ir_producer(b->from, v));
  }
  tir_ir_node node;
  TIR_TRY(tir_ir_append(b->to, op, NULL, 0, attrs, &type, 1, &node, b->error));
  const tir_ir_value out = tir_ir_out(b->to, node, 0);
  tir_ir_value_at(b->to, out)->flags = tir_ir_value_at(b->from, v)->flags;
  b->externals[i] = out.id;
  // Names are unique by construction, whatever the user called the value.
  char name[24];
  const int n = snprintf(name, sizeof name, "e%zu", i);
  return tir_ir_set_value_name(b->to, out, name, (size_t)n, b->error);
}

// The assign of a chain that is not in place only passes its value on. One that
// ran before is a node like all context: its result has memory of its own, or
// none, which must not be taken for that of the value it was assigned.
static bool is_pass_through(const building *b, tir_ir_node n, size_t i) {
  if (tir_ir_op(b->from, n) != TIR_OP_ASSIGN) return false;
  if (!b->slice->runs.data[i]) return false;
  const uint32_t out = tir_ir_out(b->from, n, 0).id;
  const uint32_t index = b->live->root.values.data[out].assign;
  return !b->slice->assigns.data[index - 1].in_place;
}

// Types are copied, not inferred: the tape inferred them when it recorded.
static tir_status add_node(building *b, size_t i) {
  const tir_ir_node n = {b->slice->nodes.data[i]};
  const tir_ir_node_data data = *tir_ir_node_at(b->from, n);
  tir_context *context = b->from->context;
  if (is_pass_through(b, n, i)) {
    b->internals[b->n_internals++] = value_of(b, tir_ir_in(b->from, n, 1).id);
    return TIR_OK;
  }
  b->operands.count = 0;
  if (!TIR_VEC_RESERVE(context, &b->operands, data.n_in))
    return tir_base_fail_memory(b->error, data.n_in * sizeof(uint32_t));
  for (uint32_t k = 0; k < data.n_in; k++)
    b->operands.data[k] = value_of(b, tir_ir_in(b->from, n, k).id);
  // A chain's last assign overwrites the chain's root.
  if (data.op == TIR_OP_ASSIGN && b->slice->runs.data[i]) {
    const uint32_t out = tir_ir_out(b->from, n, 0).id;
    const uint32_t index = b->live->root.values.data[out].assign;
    b->operands.data[0] = value_of(b, b->slice->assigns.data[index - 1].root);
  }
  // Gradient calls have as many results as variables.
  tir_ir_type types[TIR_MAX_OUTPUTS], *out_types = types;
  const size_t bytes = data.n_out * sizeof *out_types;
  if (data.n_out > TIR_MAX_OUTPUTS) {
    out_types = tir_base_alloc(context, bytes, _Alignof(tir_ir_type));
    if (!out_types) return tir_base_fail_memory(b->error, bytes);
  }
  for (uint32_t k = 0; k < data.n_out; k++)
    tir_ir_type_of(b->from, tir_ir_out(b->from, n, k), &out_types[k]);
  tir_ir_node node;
  tir_ir_any_attrs room;
  const void *attrs = tir_ir_attrs(b->from, n);
  const tir_op_desc *desc = tir_ir_desc(b->from, n);
  tir_status status = TIR_OK;
  if (tir_ir_has_bodies(desc)) {
    memcpy(&room, attrs, desc->attrs_size);
    status = tir_ir_carry_bodies(b->to, b->from, desc, &room, b->error);
    attrs = &room;
  }
  if (status == TIR_OK)
    status = tir_ir_append(b->to, (tir_op)data.op, b->operands.data, data.n_in,
                           attrs, out_types, data.n_out, &node, b->error);
  if (out_types != types)
    tir_base_free(context, out_types, bytes, _Alignof(tir_ir_type));
  TIR_TRY(status);
  tir_ir_node_data *made = tir_ir_node_at(b->to, node);
  // With the flags of its values they tell the expansion what is history.
  made->flags = data.flags;
  made->origin = (uint32_t)i + 1;
  // Not the site: a plan outlives the trace it was made from. Errors look the
  // place up in the present trace by `origin`.
  for (uint32_t k = 0; k < data.n_out; k++) {
    const tir_ir_value out = tir_ir_out(b->to, node, k);
    tir_ir_value_at(b->to, out)->flags =
        tir_ir_value_at(b->from, tir_ir_out(b->from, n, k))->flags;
    b->internals[b->n_internals++] = out.id;
  }
  return TIR_OK;
}

// Reads values that ran before from memory.
static tir_status substitute(building *b, const uint32_t *map) {
  for (size_t i = 0; i < b->slice->substitutes.count; i += 2) {
    const uint32_t value = map[value_of(b, b->slice->substitutes.data[i])];
    const uint32_t by = map[b->externals[b->slice->substitutes.data[i + 1]]];
    // An effect that ran before is here for types and rule alone. All its
    // results are read from memory, so nothing else needs it, and it may not
    // run again.
    const tir_ir_node maker = tir_ir_producer(b->to, (tir_ir_value){value});
    if (tir_ir_desc(b->to, maker)->traits & TIR_TRAIT_EFFECT)
      tir_ir_remove(b->to, maker);
    TIR_TRY(tir_ir_replace_uses(b->to, (tir_ir_value){value},
                                (tir_ir_value){by}, b->error));
  }
  return TIR_OK;
}

// Survivors become outputs; what nobody keeps lives in the arena only.
static tir_status build_graph(building *b) {
  for (size_t i = 0; i < b->slice->externals.count; i++)
    TIR_TRY(add_external(b, i));
  for (size_t i = 0; i < b->slice->nodes.count; i++) TIR_TRY(add_node(b, i));
  for (size_t i = 0; i < b->slice->survivors.count; i++) {
    if (tir_live_is_in_place(b->live, b->slice->survivors.data[i])) continue;
    char name[24];
    snprintf(name, sizeof name, "s%zu", i);
    const uint32_t v = value_of(b, b->slice->survivors.data[i]);
    TIR_TRY(tir_ir_add_output(b->to, (tir_ir_value){v}, name, b->error));
  }
  // The expansion numbers values anew; `map` leads from the old ids to the new
  // ones. Only after it may values be replaced by memory: rules must find the
  // ops that were recorded, not inputs.
  const size_t n_map = b->to->values.count;
  uint32_t *map = NULL;
  tir_status status = tir_pass_expand_gradients(b->to, &map, b->error);
  if (status == TIR_OK) status = substitute(b, map);
  tir_base_free(b->from->context, map, n_map * sizeof *map, sizeof *map);
  if (status == TIR_OK) status = tir_ir_compact(b->to, NULL, b->error);
  return status;
}

// A residual that `needs` forgot would be read from nowhere: refuse the plan.
static tir_status check_bound(const tir_live *live, const tir_program *program,
                              tir_error *error) {
  for (size_t i = 0; i < live->slice.externals.count; i++) {
    const tir_live_external *external = &live->slice.externals.data[i];
    if (external->has_data || external->kind != TIR_LIVE_INPUT) continue;
    if (!program->input_read[external->binding]) continue;
    const tir_ir_graph *g = live->root.graph;
    const tir_ir_node n = tir_ir_producer(g, (tir_ir_value){external->value});
    const char *site = tir_ir_node_at(g, n)->site;
    return tir_base_fail(error, TIR_ERR_STATE,
                         "run: the result of %s (%s) is needed but was not "
                         "kept by an earlier run",
                         tir_ir_desc(g, n)->name, site ? site : "no place");
  }
  return TIR_OK;
}

// Class E only: whether a value was read in between must change no bit.
tir_status tir_live_build(tir_live *live, tir_program **out_program,
                          tir_error *error) {
  *out_program = NULL;
  tir_context *context = live->root.graph->context;
  tir_live_slice *slice = &live->slice;
  // One more than there are, so that no table is empty.
  size_t n_values = 1;
  for (size_t i = 0; i < slice->nodes.count; i++)
    n_values += live->root.graph->nodes.data[slice->nodes.data[i]].n_out;
  const size_t n_bytes = n_values * sizeof(uint32_t);
  const size_t e_bytes = (slice->externals.count + 1) * sizeof(uint32_t);
  building b = {.live = live,
                .slice = slice,
                .from = live->root.graph,
                .externals = tir_base_alloc_zero(context, e_bytes, 4),
                .internals = tir_base_alloc_zero(context, n_bytes, 4),
                .error = error};
  tir_status status = TIR_OK;
  if (!b.externals || !b.internals)
    status = tir_base_fail_memory(error, n_bytes);
  if (status == TIR_OK)
    status = tir_ir_graph_create(context, "slice", &b.to, error);
  if (status == TIR_OK) status = build_graph(&b);
  if (status == TIR_OK) {
    const tir_exec_compile_options options = {
        .pipeline = "basic",
        .check_nan = (live->options.flags & TIR_TAPE_NAN_HUNT) != 0,
    };
    tir_ir_graph *graph = b.to;
    // Compiling takes the graph over, also when it fails.
    b.to = NULL;
    status = tir_exec_compile(context, graph, &options, out_program, error);
  }
  if (status == TIR_OK) {
    status = check_bound(live, *out_program, error);
    if (status == TIR_OK && (*out_program)->is_split)
      // Here rather than in each run that finds this plan in the cache.
      status = tir_exec_start_threads(context, error);
    if (status != TIR_OK) {
      tir_exec_program_release(*out_program);
      *out_program = NULL;
    }
  }
  tir_ir_graph_destroy(b.to);
  TIR_VEC_FREE(context, &b.operands);
  tir_base_free(context, b.externals, e_bytes, 4);
  tir_base_free(context, b.internals, n_bytes, 4);
  return status;
}
