// plan-memory: where every value lives, given the order.
//
// Steps: values that are views get the memory of their root (flow, slices);
// roots that follow each other in place, or are computed where they are
// wanted, share buffers; what is left over at the end is copied; the buffers
// in the arena are packed by their lifetimes. Sizes are rounded up to 64
// bytes, so every buffer starts on a cache line.
//
// Linear but for packing, which is n log n. Knows nothing of kernels.
#include <string.h>

#include "ir/base/checked.h"
#include "passes/planner.h"

// --- lifetimes -------------------------------------------------------------

// Lifetimes end one behind the last step that reads.
static void read_until(tir_planner *p, uint32_t root, uint32_t until) {
  if (p->until[root] < until) p->until[root] = until;
}

void tir_planner_find_lifetimes(tir_planner *p) {
  const tir_pass_flow *f = &p->flow;
  memset(p->until, 0, f->n_values * sizeof *p->until);
  for (uint32_t at = 0; at < p->plan->order.count; at++) {
    const uint32_t step = f->step_of[p->plan->order.data[at]];
    for (uint32_t i = f->reads_first[step]; i < f->reads_first[step + 1]; i++)
      read_until(p, p->root[f->reads[i]], at + 1);
  }
  // Outputs and assigned values last until the final copies.
  for (uint32_t v = 1; v < f->n_values; v++)
    if (f->is_final[v])
      read_until(p, p->root[v], (uint32_t)p->plan->order.count + 1);
}

// Inputs, params and constants have memory of their own.
static void number_externals(tir_planner *p) {
  const tir_ir_graph *g = p->graph;
  uint32_t n_params = 0, n_constants = 0;
  for (uint32_t i = 0; i < g->inputs.count; i++)
    p->number[g->inputs.data[i].id] = i;
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n)) {
    const uint32_t value = tir_ir_out(g, n, 0).id;
    if (tir_ir_op(g, n) == TIR_OP_PARAM) p->number[value] = n_params++;
    if (tir_ir_op(g, n) == TIR_OP_CONSTANT && p->flow.is_read[value])
      p->number[value] = n_constants++;
  }
}

// --- the arena -------------------------------------------------------------

static tir_status pack_blocks(tir_planner *p, tir_pass_block *blocks) {
  size_t n = 0;
  for (size_t i = 0; i < p->buffers.count; i++) {
    const tir_planner_buffer *b = &p->buffers.data[i];
    if (b->kind == TIR_PLACE_ARENA)
      blocks[n++] = (tir_pass_block){
          .size = b->size, .first = b->first, .last = b->until - 1};
  }
  if (p->options->no_reuse)
    for (size_t i = 0; i < n; i++) {
      blocks[i].first = 0;
      blocks[i].last = p->end;
    }
  TIR_TRY(tir_pass_pack(p->flow.context, blocks, n, p->end + 1,
                        &p->plan->arena_bytes, &p->plan->lower_bound_bytes,
                        p->error));
  n = 0;
  for (size_t i = 0; i < p->buffers.count; i++) {
    tir_planner_buffer *b = &p->buffers.data[i];
    if (b->kind == TIR_PLACE_ARENA) b->offset = blocks[n++].offset;
  }
  return TIR_OK;
}

// The context's limit is checked here, before anything is allocated.
static tir_status pack_arena(tir_planner *p) {
  const size_t n_bytes = (p->buffers.count + 1) * sizeof(tir_pass_block);
  tir_pass_block *blocks =
      tir_base_alloc(p->flow.context, n_bytes, _Alignof(tir_pass_block));
  if (!blocks) return tir_base_fail_memory(p->error, n_bytes);
  const tir_status status = pack_blocks(p, blocks);
  tir_base_free(p->flow.context, blocks, n_bytes, _Alignof(tir_pass_block));
  if (status != TIR_OK) return status;
  if (p->plan->arena_bytes <= p->flow.context->max_bytes) return TIR_OK;
  return tir_base_fail(p->error, TIR_ERR_LIMIT,
                       "plan: the arena needs %zu bytes, the limit is %llu",
                       p->plan->arena_bytes,
                       (unsigned long long)p->flow.context->max_bytes);
}

// --- places ----------------------------------------------------------------

// What no step makes was there before: input, param or constant.
static uint8_t external_kind(const tir_planner *p, uint32_t root) {
  switch (tir_planner_maker(p, root)) {
    case TIR_OP_INPUT:
      return TIR_PLACE_INPUT;
    case TIR_OP_PARAM:
      return TIR_PLACE_PARAM;
    default:
      return TIR_PLACE_CONSTANT;
  }
}

// A view's place is an offset into its root's.
static tir_place place_of(const tir_planner *p, uint32_t value) {
  const uint32_t root = p->root[value];
  const uint32_t at = tir_planner_made_at(p, root);
  tir_place place = {
      .is_view = root != value,
      .root = root,
      .offset = p->offset[value],
      .size = tir_pass_value_bytes(p->graph, (tir_ir_value){value}),
      .last = p->until[root] ? p->until[root] - 1 : 0,
  };
  if (at == TIR_PLANNER_NONE) {
    place.kind = external_kind(p, root);
    place.index = p->number[root];
    if (place.kind == TIR_PLACE_CONSTANT && !p->flow.is_read[value])
      place.kind = TIR_PLACE_NONE;
    return place;
  }
  place.first = at;
  if (!p->flow.is_read[value] && !place.is_view) return place;
  if (p->buffer[root] == TIR_PLANNER_NONE) return place;
  const tir_planner_buffer *b = &p->buffers.data[p->buffer[root]];
  place.kind = b->kind;
  place.index = b->index;
  place.offset += b->offset;
  place.in_place = p->in_place[root] && !place.is_view;
  return place;
}

// A node that is not executed and is no view: looked at only for its shape.
static bool has_memory(const tir_planner *p, uint32_t value) {
  const uint32_t root = p->root[value];
  if (tir_planner_made_at(p, root) != TIR_PLANNER_NONE) return true;
  const tir_op op = tir_planner_maker(p, root);
  return op == TIR_OP_INPUT || op == TIR_OP_PARAM || op == TIR_OP_CONSTANT;
}

// Values of removed nodes keep their ids until compact.
static bool exists(const tir_ir_graph *g, uint32_t value) {
  return !(g->nodes.data[g->values.data[value].node].flags & TIR_NODE_REMOVED);
}

static tir_status fill_places(tir_planner *p) {
  tir_plan *plan = p->plan;
  tir_context *context = plan->context;
  tir_base_free(context, plan->places, plan->n_places * sizeof *plan->places,
                _Alignof(tir_place));
  plan->n_places = 0;
  const size_t n = p->flow.n_values;
  plan->places = tir_base_alloc_zero(context, n * sizeof *plan->places,
                                     _Alignof(tir_place));
  if (!plan->places)
    return tir_base_fail_memory(p->error, n * sizeof *plan->places);
  plan->n_places = n;
  for (uint32_t v = 1; v < n; v++)
    if (exists(p->graph, v) && has_memory(p, v))
      plan->places[v] = place_of(p, v);
  return TIR_OK;
}

// The first step that overwrites a param.
static void find_commit(tir_planner *p) {
  uint32_t commit = p->end;
  for (size_t i = 0; i < p->buffers.count; i++) {
    const tir_planner_buffer *b = &p->buffers.data[i];
    if (b->kind == TIR_PLACE_PARAM && b->first < commit) commit = b->first;
  }
  p->plan->commit = commit;
}

// --- all of it -------------------------------------------------------------

// Wanted places first, packing last: what shares a buffer must be known before
// buffers get offsets.
static tir_status plan_all(tir_planner *p) {
  for (uint32_t v = 1; v < p->flow.n_values; v++) {
    p->root[v] = p->flow.root[v];
    p->buffer[v] = TIR_PLANNER_NONE;
  }
  memset(p->position, 0xff, p->flow.n_nodes * sizeof *p->position);
  p->end = (uint32_t)p->plan->order.count;
  for (uint32_t at = 0; at < p->end; at++) tir_planner_set_position(p, at);
  number_externals(p);
  if (p->options->no_reuse)
    tir_planner_find_lifetimes(p);
  else
    TIR_TRY(tir_planner_find_slices(p));
  TIR_TRY(tir_planner_make_buffers(p));
  find_commit(p);
  TIR_TRY(tir_planner_make_copies(p));
  TIR_TRY(pack_arena(p));
  tir_planner_place_saved(p);
  return fill_places(p);
}

static tir_status plan_flow(tir_planner *p) {
  tir_context *context = p->flow.context;
  const size_t n = p->flow.n_nodes, v = p->flow.n_values;
  // One block: sizes first, then ids, then flags.
  const size_t n_bytes =
      v * sizeof(size_t) + (n + 4 * v) * sizeof(uint32_t) + v * sizeof(bool);
  char *block = tir_base_alloc_zero(context, n_bytes, 8);
  if (!block) return tir_base_fail_memory(p->error, n_bytes);
  p->offset = (size_t *)block;
  p->position = (uint32_t *)(p->offset + v);
  p->root = p->position + n;
  p->until = p->root + v;
  p->buffer = p->until + v;
  p->number = p->buffer + v;
  p->in_place = (bool *)(p->number + v);
  const tir_status status = plan_all(p);
  TIR_VEC_FREE(context, &p->buffers);
  tir_base_free(context, block, n_bytes, 8);
  return status;
}

tir_status tir_pass_plan_memory(const tir_ir_graph *graph,
                                const tir_plan_options *options, tir_plan *plan,
                                tir_error *error) {
  static const tir_plan_options defaults = {0};
  tir_planner p = {
      .graph = graph,
      .options = options ? options : &defaults,
      .plan = plan,
      .error = error,
  };
  TIR_TRY(tir_pass_flow_make(graph, plan, &p.flow, error));
  const tir_status status = plan_flow(&p);
  tir_pass_flow_free(&p.flow);
  return status;
}
