// Gradient calls inside bodies: a body with calls is replaced by one whose
// calls are expanded.
//
// Inside a body everything is history: its inputs are the variables, and the
// call says which of them are meant. Goes as deep as bodies are nested, which
// tir_ir_body_create bounds.
#include "ir/body.h"
#include "passes/gradient.h"
#include "passes/pass.h"

static tir_status expand(tir_ir_graph *graph, tir_error *error) {
  tir_pass_ctx ctx = {.context = graph->context, .error = error};
  tir_ir_mark_history(graph);
  TIR_TRY(tir_pass_expand_gradients(graph, NULL, error));
  return tir_pass_run(&ctx, "eliminate-dead", NULL, graph);
}

tir_status tir_pass_expand_bodies(tir_ir_graph *graph, tir_error *error) {
  tir_ir_body_visit visit = {0};
  while (tir_ir_next_body(graph, &visit)) {
    if (!visit.body->has_calls) continue;
    tir_ir_graph *copy = NULL;
    tir_ir_body *body = NULL;
    TIR_TRY(tir_ir_graph_copy(visit.body->graph, &copy, error));
    const tir_status status = expand(copy, error);
    if (status != TIR_OK) {
      tir_ir_graph_destroy(copy);
      return status;
    }
    TIR_TRY(tir_ir_body_create(copy, &body, error));
    tir_ir_set_body(graph, visit.attr, tir_ir_attrs(graph, visit.node), body);
    tir_ir_body_release(body);
  }
  return TIR_OK;
}
