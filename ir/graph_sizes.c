// tir_graph_fix_dims: a copy of a published graph for fixed sizes.
//
// Inputs are where symbolic dims come from: without a symbol there, inference
// gives types without it everywhere.
#include <string.h>

#include "ir/infer.h"
#include "ir/module.h"

// Takes the name off all inputs; what is computed from them loses it when the
// graph is inferred again.
static tir_status forget_symbol(tir_ir_graph *g, const char *name,
                                tir_error *error) {
  const uint32_t symbol =
      tir_base_strings_find(&g->strings, name, strlen(name));
  for (size_t i = 0; i < g->inputs.count; i++) {
    tir_ir_type type;
    bool found = false;
    tir_ir_type_of(g, g->inputs.data[i], &type);
    for (int axis = 0; axis < type.rank; axis++) {
      if (type.symbols[axis] != symbol) continue;
      type.symbols[axis] = 0;
      found = true;
    }
    if (found) TIR_TRY(tir_ir_set_type(g, g->inputs.data[i], &type, error));
  }
  return TIR_OK;
}

// Symbols go one by one: two may have the same size and yet be different.
static tir_status fix_dims(tir_ir_graph *g, const tir_dim_size *sizes,
                           size_t n_sizes, tir_error *error) {
  for (size_t i = 0; i < n_sizes; i++) {
    if (!sizes[i].name)
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "fix_dims: the name of size %zu is NULL", i);
    // The symbol finds its inputs only as long as it has its name, so that goes
    // second.
    TIR_TRY(tir_ir_set_symbol(g, sizes[i].name, sizes[i].size, error));
    TIR_TRY(forget_symbol(g, sizes[i].name, error));
  }
  return tir_ir_infer_graph(g, error);
}

tir_status tir_graph_fix_dims(const tir_graph *graph, const tir_dim_size *sizes,
                              size_t n_sizes, tir_graph **out_graph,
                              tir_error *error) {
  if (out_graph) *out_graph = NULL;
  if (!graph || !out_graph || (n_sizes > 0 && !sizes))
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "fix_dims: %s is NULL",
                         !graph       ? "graph"
                         : !out_graph ? "out_graph"
                                      : "sizes");
  tir_ir_graph *copy = NULL;
  TIR_TRY(tir_ir_graph_copy(graph->ir, &copy, error));
  const tir_status status = fix_dims(copy, sizes, n_sizes, error);
  if (status != TIR_OK) {
    tir_ir_graph_destroy(copy);
    return status;
  }
  return tir_ir_graph_publish(copy, graph->module, out_graph, error);
}
