// What autograd knows of one target graph: side tables and the walk through
// the recorded history.
#include <string.h>

#include "exec/live.h"

// The live graph and a capture each have a frame of their own.
tir_status tir_live_frame_init(tir_live_frame *frame, tir_ir_graph *graph,
                               bool is_live, tir_error *error) {
  *frame = (tir_live_frame){.graph = graph, .is_live = is_live};
  if (!tir_live_frame_sync(frame))
    return tir_base_fail_memory(error, sizeof(tir_live_value));
  return TIR_OK;
}

void tir_live_frame_free(tir_live_frame *frame) {
  if (!frame->graph) return;
  tir_context *context = frame->graph->context;
  TIR_VEC_FREE(context, &frame->values);
  TIR_VEC_FREE(context, &frame->nodes);
  TIR_VEC_FREE(context, &frame->variables);
  for (size_t i = 0; i < frame->modules.count; i++) {
    TIR_VEC_FREE(context, &frame->modules.data[i].values);
    tir_ir_module_release(frame->modules.data[i].module);
  }
  TIR_VEC_FREE(context, &frame->modules);
  TIR_VEC_FREE(context, &frame->stack);
  TIR_VEC_FREE(context, &frame->reached);
  TIR_VEC_FREE(context, &frame->wrt);
}

// Kept for the message of a backward that finds no history.
static uint8_t why_no_history(const tir_ir_graph *g, tir_ir_node node) {
  const uint16_t flags = g->nodes.data[node.id].flags;
  const tir_op op = tir_ir_op(g, node);
  if (op == TIR_OP_STOP_GRADIENT || op == TIR_OP_CUT) return TIR_WHY_DETACHED;
  if (tir_ir_n_in(g, node) == 0) return TIR_WHY_LEAF;
  if (flags & TIR_NODE_RECORDED) return TIR_WHY_CONSTANT;
  return flags & TIR_NODE_PAUSED ? TIR_WHY_PAUSED : TIR_WHY_OUTSIDE;
}

// A node that is new in the side tables, as are its results.
static void enter_node(tir_live_frame *frame, tir_ir_node node) {
  const tir_ir_graph *g = frame->graph;
  const tir_ir_node_data *data = &g->nodes.data[node.id];
  if (data->flags & TIR_NODE_HISTORY) {
    frame->nodes.data[node.id].history = true;
    return;
  }
  for (uint32_t i = 0; i < data->n_out; i++)
    frame->values.data[data->out_first + i].why = why_no_history(g, node);
}

// Side tables follow the graph; new entries are zero.
// In a capture no hook tells of new nodes: whoever looks something up there
// calls this first.
bool tir_live_frame_sync(tir_live_frame *frame) {
  tir_context *context = frame->graph->context;
  const size_t n_values = frame->graph->values.count;
  const size_t n_nodes = frame->graph->nodes.count;
  const size_t had_values = frame->values.count;
  const size_t had_nodes = frame->nodes.count;
  if (n_values > had_values) {
    if (!TIR_VEC_RESERVE(context, &frame->values, n_values - had_values))
      return false;
    memset(&frame->values.data[had_values], 0,
           (n_values - had_values) * sizeof *frame->values.data);
    frame->values.count = n_values;
  }
  if (n_nodes > had_nodes) {
    if (!TIR_VEC_RESERVE(context, &frame->nodes, n_nodes - had_nodes))
      return false;
    memset(&frame->nodes.data[had_nodes], 0,
           (n_nodes - had_nodes) * sizeof *frame->nodes.data);
    frame->nodes.count = n_nodes;
    for (size_t id = had_nodes; id < n_nodes; id++)
      enter_node(frame, (tir_ir_node){(uint32_t)id});
  }
  return true;
}

// A value met on the walk: is it a variable, and does it go on from here?
// Older versions of a variable still are that variable.
// False when memory ran out.
static bool visit(tir_live_frame *frame, uint32_t value) {
  const tir_ir_graph *g = frame->graph;
  tir_live_value *v = &frame->values.data[value];
  if (v->visit_epoch == frame->epoch) return true;
  v->visit_epoch = frame->epoch;
  if (v->variable) {
    tir_live_variable *variable = &frame->variables.data[v->variable - 1];
    variable->reached = variable->request != TIR_GRAD_NULL;
    if (variable->reached &&
        (!TIR_VEC_PUSH(g->context, &frame->wrt, v->variable - 1) ||
         !TIR_VEC_PUSH(g->context, &frame->wrt, value)))
      return false;
  }
  const uint32_t producer = g->values.data[value].node;
  tir_live_node *node = &frame->nodes.data[producer];
  // Leaves, and what was recorded without history, end the walk.
  if (!(g->nodes.data[producer].flags & TIR_NODE_HISTORY)) return true;
  if (node->mark == frame->epoch) return true;
  node->mark = frame->epoch;
  return TIR_VEC_PUSH(g->context, &frame->stack, producer) &&
         TIR_VEC_PUSH(g->context, &frame->reached, producer);
}

// Marks by epoch, so that nothing has to be cleared between walks.
tir_status tir_live_walk_history(tir_live_frame *frame, const uint32_t *heads,
                                 size_t n_heads, uint32_t *out_released,
                                 tir_error *error) {
  *out_released = 0;
  frame->epoch++;
  frame->stack.count = frame->reached.count = frame->wrt.count = 0;
  for (size_t i = 0; i < frame->variables.count; i++)
    frame->variables.data[i].reached = false;
  bool ok = true;
  for (size_t i = 0; i < n_heads && ok; i++) ok = visit(frame, heads[i]);
  while (ok && frame->stack.count) {
    const tir_ir_node n = {frame->stack.data[--frame->stack.count]};
    // The walk goes on: refusing is up to the caller.
    if (frame->nodes.data[n.id].released_by && !*out_released)
      *out_released = n.id;
    const uint32_t n_in = tir_ir_n_in(frame->graph, n);
    for (uint32_t i = 0; i < n_in && ok; i++) {
      const uint32_t v = tir_ir_in(frame->graph, n, i).id;
      if (tir_live_wants(frame, n, i))
        ok = visit(frame, v);
      else if (frame->values.data[v].why == TIR_WHY_RELEASED &&
               !*out_released &&
               !tir_ir_op_shape_only(tir_ir_desc(frame->graph, n), i))
        // Its history was not only released but collected: going on without
        // it would leave a part of the gradient out.
        *out_released = n.id;
    }
  }
  if (!ok) return tir_base_fail_memory(error, sizeof(uint32_t));
  return TIR_OK;
}
