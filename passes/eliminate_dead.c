// eliminate-dead: remove nodes that nothing depends on, and renumber.
//
//   y = op(…), y unused, op without effect  →  nothing
//
// Class E. Inputs and params stay, they are the graph's signature; effects
// stay, and what they need. A node of which one output is used stays whole. A
// node looked at only for its shape stays too: other sizes may be inferred
// later. Ends with compact, so replacements of earlier passes become final.
#include "passes/pass.h"

static bool is_kept_always(const tir_ir_graph *graph, tir_ir_node node) {
  const tir_op op = tir_ir_op(graph, node);
  return op == TIR_OP_INPUT || op == TIR_OP_PARAM ||
         (tir_ir_desc(graph, node)->traits & TIR_TRAIT_EFFECT);
}

static void mark(const tir_ir_graph *graph, tir_ir_value value, bool *live) {
  live[tir_ir_producer(graph, tir_ir_resolve(graph, value)).id] = true;
}

static tir_status run(tir_pass_ctx *ctx, tir_ir_graph *graph) {
  const size_t n_bytes = graph->nodes.count * sizeof(bool);
  bool *live = tir_base_alloc_zero(graph->context, n_bytes, 1);
  if (!live) return tir_base_fail_memory(ctx->error, n_bytes);

  for (size_t i = 0; i < graph->outputs.count; i++)
    mark(graph, graph->outputs.data[i].value, live);

  // Operands have smaller ids, so one sweep from the end sees every user
  // before the node.
  for (uint32_t id = tir_ir_n_nodes(graph); id > 0; id--) {
    const tir_ir_node node = {id};
    if (tir_ir_node_at(graph, node)->flags & TIR_NODE_REMOVED) continue;
    if (!live[id] && !is_kept_always(graph, node)) {
      tir_ir_remove(graph, node);
      ctx->rewrites++;
      continue;
    }
    const uint32_t n_in = tir_ir_n_in(graph, node);
    for (uint32_t i = 0; i < n_in; i++)
      mark(graph, tir_ir_in(graph, node, i), live);
  }
  tir_base_free(graph->context, live, n_bytes, 1);
  return tir_ir_compact(graph, NULL, ctx->error);
}

const tir_pass_desc tir_pass_eliminate_dead = {
    .name = "eliminate-dead",
    .summary = "Remove nodes that no output or effect depends on.",
    .rewrite_class = TIR_PASS_E,
    .run = run,
};
