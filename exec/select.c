// Compiling less than a graph holds: some of its outputs, or no assigns. What
// is then read by nobody is neither scheduled nor given memory.
#include "exec/select.h"

#include <string.h>

// Position of an output by name, `count` if there is none.
static size_t find_output(const tir_ir_graph *graph, const char *name) {
  size_t i = 0;
  while (i < graph->outputs.count &&
         strcmp(tir_base_strings_text(&graph->strings,
                                      graph->outputs.data[i].name),
                name) != 0)
    i++;
  return i;
}

// Copies the outputs named, in the order of the names.
static tir_status pick(const tir_ir_graph *graph, const char *const *names,
                       size_t n_names, tir_ir_output *out, tir_error *error) {
  char quoted[TIR_QUOTED_MAX];
  for (size_t i = 0; i < n_names; i++) {
    if (!names[i])
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "compile: output %zu has no name", i);
    const size_t at = find_output(graph, names[i]);
    if (at == graph->outputs.count)
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "compile: the graph has no output %s",
                           tir_base_quote(names[i], quoted));
    out[i] = graph->outputs.data[at];
    for (size_t k = 0; k < i; k++)
      // Names are interned: equal ids are equal names.
      if (out[k].name == out[i].name)
        return tir_base_fail(error, TIR_ERR_ARGUMENT,
                             "compile: output %s is listed twice",
                             tir_base_quote(names[i], quoted));
  }
  return TIR_OK;
}

tir_status tir_exec_select_outputs(tir_ir_graph *graph,
                                   const char *const *names, size_t n_names,
                                   tir_error *error) {
  // More than there are cannot all be there once; one more tells which.
  const size_t most = graph->outputs.count + 1;
  const size_t n = n_names < most ? n_names : most;
  const size_t n_bytes = most * sizeof(tir_ir_output);
  // Aside first: the names may ask for any order, and a failure changes
  // nothing.
  tir_ir_output *picked =
      tir_base_alloc_zero(graph->context, n_bytes, _Alignof(tir_ir_output));
  if (!picked) return tir_base_fail_memory(error, n_bytes);
  const tir_status status = pick(graph, names, n, picked, error);
  if (status == TIR_OK) {
    if (n > 0) memcpy(graph->outputs.data, picked, n * sizeof *picked);
    graph->outputs.count = n;
  }
  tir_base_free(graph->context, picked, n_bytes, _Alignof(tir_ir_output));
  return status;
}

// The removed nodes leave with the compaction that ends the passes.
tir_status tir_exec_drop_effects(tir_ir_graph *graph, tir_error *error) {
  for (tir_ir_node n = tir_ir_first(graph); tir_ir_node_valid(n);
       n = tir_ir_next(graph, n)) {
    if (tir_ir_op(graph, n) != TIR_OP_ASSIGN) continue;
    TIR_TRY(tir_ir_replace_uses(graph, tir_ir_out(graph, n, 0),
                                tir_ir_in(graph, n, 1), error));
    tir_ir_remove(graph, n);
  }
  return TIR_OK;
}
