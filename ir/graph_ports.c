// What a caller may ask of a frozen graph: its ports, sizes and ops.
//
// All of it is borrowed from the graph, which never changes, so that any number
// of threads may ask at a time.
#include <string.h>

#include "ir/module.h"

const char *tir_graph_name(const tir_graph *graph) {
  return tir_base_strings_text(&graph->ir->strings, graph->ir->name);
}

size_t tir_graph_n_inputs(const tir_graph *graph) {
  return graph->ir->inputs.count;
}

size_t tir_graph_n_outputs(const tir_graph *graph) {
  return graph->ir->outputs.count;
}

size_t tir_graph_n_params(const tir_graph *graph) {
  return graph->params.count;
}

size_t tir_graph_n_nodes(const tir_graph *graph) {
  return tir_ir_n_nodes(graph->ir);
}

// --- ports -----------------------------------------------------------------

// A dim without a symbol keeps the NULL name that the port begins with.
void tir_ir_fill_port(const tir_ir_graph *g, tir_ir_value value,
                      const char *name, tir_port *out_port) {
  tir_ir_type type;
  tir_ir_type_of(g, value, &type);
  *out_port = (tir_port){
      .name = name,
      .dtype = type.dtype,
      .rank = type.rank,
  };
  for (int i = 0; i < type.rank; i++) {
    out_port->dims[i] = type.dims[i];
    if (type.symbols[i])
      out_port->dim_names[i] =
          tir_base_strings_text(&g->strings, type.symbols[i]);
  }
}

tir_status tir_graph_input(const tir_graph *graph, size_t index,
                           tir_port *out_port) {
  const tir_ir_graph *g = graph->ir;
  if (index >= g->inputs.count) return TIR_ERR_ARGUMENT;
  const tir_ir_value value = g->inputs.data[index];
  tir_ir_fill_port(g, value, tir_ir_value_name(g, value), out_port);
  return TIR_OK;
}

// An output's name is its own: the value may have another, or be two outputs.
tir_status tir_graph_output(const tir_graph *graph, size_t index,
                            tir_port *out_port) {
  const tir_ir_graph *g = graph->ir;
  if (index >= g->outputs.count) return TIR_ERR_ARGUMENT;
  const tir_ir_output *output = &g->outputs.data[index];
  tir_ir_fill_port(g, output->value,
                   tir_base_strings_text(&g->strings, output->name), out_port);
  return TIR_OK;
}

tir_status tir_graph_param(const tir_graph *graph, size_t index,
                           tir_port *out_port) {
  const tir_ir_graph *g = graph->ir;
  if (index >= graph->params.count) return TIR_ERR_ARGUMENT;
  const tir_ir_value value = tir_ir_out(g, graph->params.data[index], 0);
  tir_ir_fill_port(g, value, tir_ir_value_name(g, value), out_port);
  return TIR_OK;
}

// --- ops -------------------------------------------------------------------

// Returns how many different ops there are, also when fewer have room.
size_t tir_graph_op_counts(const tir_graph *graph, const char **out_names,
                           size_t *out_counts, size_t n_max) {
  const tir_ir_graph *g = graph->ir;
  size_t counts[TIR_N_OPS] = {0};
  // One slot for each op of the roster: no memory is taken, so it cannot fail.
  int order[TIR_N_OPS];
  for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n))
    counts[tir_ir_op(g, n)]++;

  // Insertion sort by falling count; equal ones stay in roster order.
  size_t n_distinct = 0;
  for (int op = 1; op < TIR_N_OPS; op++) {
    if (counts[op] == 0) continue;
    size_t at = n_distinct++;
    for (; at > 0 && counts[order[at - 1]] < counts[op]; at--)
      order[at] = order[at - 1];
    order[at] = op;
  }
  for (size_t i = 0; i < n_distinct && i < n_max; i++) {
    out_names[i] = tir_ir_op_desc((tir_op)order[i])->name;
    out_counts[i] = counts[order[i]];
  }
  return n_distinct;
}
