// The nodes of a frozen graph, for tools.
//
// A frozen graph is compact: nodes stand in order without gaps, and nothing is
// replaced. What is told is borrowed from the graph and lives as long as it.
#include "ir/module.h"
#include "tapeir/inspect.h"

// Outside, nodes and values count from 0; inside, 0 means none.
tir_status tir_graph_node(const tir_graph *graph, size_t node,
                          tir_node_info *out_info) {
  const tir_ir_graph *g = graph->ir;
  if (node >= tir_ir_n_nodes(g)) return TIR_ERR_ARGUMENT;
  const tir_ir_node n = {(uint32_t)node + 1};
  const tir_ir_node_data *data = tir_ir_node_at(g, n);
  *out_info = (tir_node_info){
      .op = tir_ir_desc(g, n)->name,
      .site = data->site,
      .n_inputs = data->n_in,
      .n_outputs = data->n_out,
      // Results of a node are neighbours, so the first tells them all.
      .first_output = data->out_first - 1,
      .backward = data->flags & TIR_NODE_BACKWARD,
      .origin = data->origin,
  };
  return TIR_OK;
}

size_t tir_graph_operand(const tir_graph *graph, size_t node, size_t i) {
  const tir_ir_graph *g = graph->ir;
  if (node >= tir_ir_n_nodes(g)) return SIZE_MAX;
  const tir_ir_node n = {(uint32_t)node + 1};
  if (i >= tir_ir_n_in(g, n)) return SIZE_MAX;
  return tir_ir_in(g, n, (uint32_t)i).id - 1;
}

size_t tir_graph_output_value(const tir_graph *graph, size_t index) {
  const tir_ir_graph *g = graph->ir;
  if (index >= g->outputs.count) return SIZE_MAX;
  return tir_ir_resolve(g, g->outputs.data[index].value).id - 1;
}

tir_status tir_graph_value(const tir_graph *graph, size_t value,
                           tir_port *out_port) {
  const tir_ir_graph *g = graph->ir;
  if (value >= tir_ir_n_values(g)) return TIR_ERR_ARGUMENT;
  const tir_ir_value v = {(uint32_t)value + 1};
  tir_ir_fill_port(g, v, tir_ir_value_name(g, v), out_port);
  return TIR_OK;
}
