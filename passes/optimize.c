// tir_graph_optimize: passes on a copy of a published graph.
#include "ir/module.h"
#include "passes/pass.h"

TIR_API tir_status tir_graph_optimize(const tir_graph *graph,
                                      const char *passes, tir_graph **out_graph,
                                      tir_error *error) {
  if (!graph || !out_graph)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "graph_optimize: %s is NULL",
                         graph ? "out_graph" : "graph");
  *out_graph = NULL;
  tir_ir_graph *copy = NULL;
  TIR_TRY(tir_ir_graph_copy(graph->ir, &copy, error));
  tir_pass_ctx ctx = {.context = copy->context, .error = error};
  tir_status status = tir_pass_run(&ctx, passes, NULL, copy);
  // Replacements that a list without eliminate-dead left become final.
  if (status == TIR_OK) status = tir_ir_compact(copy, NULL, error);
  if (status != TIR_OK) {
    tir_ir_graph_destroy(copy);
    return status;
  }
  return tir_ir_graph_publish(copy, graph->module, out_graph, error);
}
