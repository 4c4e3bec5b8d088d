// Copies at the end of a run: outputs first, then params.
//
// An assign may read the old version of a param that another assign replaces.
// Such a copy comes before the one that overwrites what it reads; where they
// form a ring (two params exchanged), one old version is saved in the arena.
#include "passes/planner.h"

static tir_status add_copy(tir_planner *p, tir_plan_copy copy) {
  if (TIR_VEC_PUSH(p->plan->context, &p->plan->copies, copy)) return TIR_OK;
  return tir_base_fail_memory(p->error, sizeof copy);
}

// Outputs that could not be computed where they are wanted.
static tir_status copy_outputs(tir_planner *p) {
  const tir_ir_graph *g = p->graph;
  for (uint32_t i = 0; i < g->outputs.count; i++) {
    const uint32_t value = tir_ir_resolve(g, g->outputs.data[i].value).id;
    const uint32_t b = p->buffer[p->root[value]];
    if (b != TIR_PLANNER_NONE && p->buffers.data[b].kind == TIR_PLACE_OUTPUT &&
        p->buffers.data[b].index == i)
      continue;
    TIR_TRY(add_copy(
        p,
        (tir_plan_copy){.value = value, .kind = TIR_PLACE_OUTPUT, .index = i}));
  }
  return TIR_OK;
}

// Params still to be overwritten, by root.
typedef struct param_copies {
  uint32_t *value;      // what is copied there; 0: nothing, or done
  uint32_t *n_readers;  // copies to be made that read its old version
  bool *is_saved;
  TIR_VEC(uint32_t) ready;  // no copy reads their old version any more
} param_copies;

// Computed in the param's memory: nothing to copy.
static bool is_direct(const tir_planner *p, uint32_t param, uint32_t root) {
  const uint32_t b = p->buffer[root];
  return b != TIR_PLANNER_NONE && p->buffers.data[b].kind == TIR_PLACE_PARAM &&
         p->buffers.data[b].index == p->number[param];
}

// Assigning a param to itself is no copy.
// A verified graph assigns each param at most once.
static void list_params(const tir_planner *p, param_copies *c) {
  const tir_ir_graph *g = p->graph;
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n)) {
    if (tir_ir_op(g, n) != TIR_OP_ASSIGN) continue;
    const uint32_t param = p->root[tir_ir_in(g, n, 0).id];
    const uint32_t value = tir_ir_in(g, n, 1).id;
    const uint32_t root = p->root[value];
    if (root == param || is_direct(p, param, root)) continue;
    c->value[param] = value;
    c->n_readers[root]++;
  }
}

// With the last reader of its old version gone, a param becomes ready.
static tir_status copy_param(tir_planner *p, param_copies *c, uint32_t param) {
  const uint32_t value = c->value[param];
  const uint32_t from = p->root[value];
  c->value[param] = 0;
  TIR_TRY(add_copy(p, (tir_plan_copy){.value = value,
                                      .kind = TIR_PLACE_PARAM,
                                      .index = p->number[param],
                                      .from_saved = c->is_saved[from],
                                      .saved = c->is_saved[from] ? from : 0}));
  if (--c->n_readers[from] == 0 && c->value[from] && !c->is_saved[from] &&
      !TIR_VEC_PUSH(p->flow.context, &c->ready, from))
    return tir_base_fail_memory(p->error, sizeof from);
  return TIR_OK;
}

static tir_status copy_ready(tir_planner *p, param_copies *c) {
  while (c->ready.count > 0)
    TIR_TRY(copy_param(p, c, c->ready.data[--c->ready.count]));
  return TIR_OK;
}

// Room for one old version, alive only at the end.
// `saved` gets the offset when the buffers have theirs.
static tir_status save_param(tir_planner *p, param_copies *c, uint32_t param) {
  const tir_planner_buffer b = {
      .kind = TIR_PLACE_ARENA,
      .first = p->end,
      .until = p->end + 1,
      .size = p->flow.bytes[param],
  };
  p->buffer[param] = (uint32_t)p->buffers.count;
  if (!TIR_VEC_PUSH(p->flow.context, &p->buffers, b))
    return tir_base_fail_memory(p->error, sizeof b);
  c->is_saved[param] = true;
  return add_copy(
      p,
      (tir_plan_copy){.value = param, .kind = TIR_PLACE_ARENA, .saved = param});
}

static tir_status copy_params(tir_planner *p, param_copies *c) {
  list_params(p, c);
  for (uint32_t v = 1; v < p->flow.n_values; v++)
    if (c->value[v] && c->n_readers[v] == 0 &&
        !TIR_VEC_PUSH(p->flow.context, &c->ready, v))
      return tir_base_fail_memory(p->error, sizeof v);
  TIR_TRY(copy_ready(p, c));
  // What is left are rings. Whatever hangs on one reads it and is read by no
  // param, so it was copied above: only members of a ring, which are all of one
  // size, ever read a saved version.
  for (uint32_t v = 1; v < p->flow.n_values; v++) {
    if (!c->value[v]) continue;
    TIR_TRY(save_param(p, c, v));
    TIR_TRY(copy_param(p, c, v));
    TIR_TRY(copy_ready(p, c));
  }
  return TIR_OK;
}

tir_status tir_planner_make_copies(tir_planner *p) {
  p->plan->copies.count = 0;
  TIR_TRY(copy_outputs(p));
  tir_context *context = p->flow.context;
  const size_t n = p->flow.n_values;
  const size_t n_bytes = n * (2 * sizeof(uint32_t) + sizeof(bool));
  param_copies c = {.value = tir_base_alloc_zero(context, n_bytes, 4)};
  if (!c.value) return tir_base_fail_memory(p->error, n_bytes);
  c.n_readers = c.value + n;
  c.is_saved = (bool *)(c.n_readers + n);
  const tir_status status = copy_params(p, &c);
  TIR_VEC_FREE(context, &c.ready);
  tir_base_free(context, c.value, n_bytes, 4);
  return status;
}

// Until here `saved` held the param whose old version it is.
void tir_planner_place_saved(tir_planner *p) {
  for (size_t i = 0; i < p->plan->copies.count; i++) {
    tir_plan_copy *copy = &p->plan->copies.data[i];
    if (copy->kind != TIR_PLACE_ARENA && !copy->from_saved) continue;
    const uint32_t param = (uint32_t)copy->saved;
    copy->saved = p->buffers.data[p->buffer[param]].offset;
  }
}
