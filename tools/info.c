// tapeir info: one screen about a file.
//
// Graphs are compiled, because only then is the memory of a run known. Sizes
// are those they were captured with.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { MAX_OPS = 256 };

// A double cannot wrap, and it is only a measure.
static double numel(const tir_port *port) {
  double n = 1;
  for (int i = 0; i < port->rank; i++) n *= (double)port->dims[i];
  return n;
}

// Twice the products of matmuls plus one a result element of the others; a
// measure for comparing files, not a count of instructions.
static double flops(const tir_graph *graph) {
  double total = 0;
  for (size_t i = 0; i < tir_graph_n_nodes(graph); i++) {
    tir_node_info node;
    tir_port out, a;
    tir_graph_node(graph, i, &node);
    // Ports and constants compute nothing.
    if (!node.n_inputs ||
        tir_graph_value(graph, node.first_output, &out) != TIR_OK)
      continue;
    if (strcmp(node.op, "matmul") != 0) {
      total += numel(&out);
      continue;
    }
    // Rows of the operand are rows of the result unless it is transposed: then
    // the other size is the inner one.
    tir_graph_value(graph, tir_graph_operand(graph, i, 0), &a);
    const int64_t rows = a.dims[a.rank - 2], columns = a.dims[a.rank - 1];
    const int64_t k = rows == out.dims[out.rank - 2] ? columns : rows;
    total += 2 * numel(&out) * (double)k;
  }
  return total;
}

// With the default pipeline; the program is not kept.
static int compile(tool *t, const tir_graph *graph, tir_memory_report *report) {
  tir_error error;
  tir_program *program;
  if (tir_compile(t->context, graph, NULL, &program, &error))
    return tool_fail_error(tool_name(tir_graph_name(graph)), &error);
  tir_program_memory(program, report);
  tir_program_destroy(program);
  return TOOL_OK;
}

// A symbolic dim by its name, a fixed one as a number.
static json_t *json_port(const tir_port *port) {
  json_t *shape = json_array();
  for (int i = 0; i < port->rank; i++)
    json_array_append_new(shape, port->dim_names[i]
                                     ? json_string(port->dim_names[i])
                                     : json_integer(port->dims[i]));
  return json_pack("{s:s, s:s, s:o}", "name", port->name, "dtype",
                   tir_dtype_name(port->dtype), "shape", shape);
}

// In the order in which a program binds them.
static json_t *json_ports(const tir_graph *graph, size_t n, tool_port_fn get) {
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++) {
    tir_port port;
    get(graph, i, &port);
    json_array_append_new(list, json_port(&port));
  }
  return list;
}

// Sizes in bytes, as a run of the compiled graph has them.
static json_t *json_graph(const tir_graph *graph, const tir_memory_report *r) {
  return json_pack(
      "{s:s, s:o, s:o, s:o, s:I, s:f, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}}",
      "name", tir_graph_name(graph), "inputs",
      json_ports(graph, tir_graph_n_inputs(graph), tir_graph_input), "outputs",
      json_ports(graph, tir_graph_n_outputs(graph), tir_graph_output), "params",
      json_ports(graph, tir_graph_n_params(graph), tir_graph_param), "nodes",
      (json_int_t)tir_graph_n_nodes(graph), "flops", flops(graph), "memory",
      "arena", (json_int_t)r->arena_bytes, "lower_bound",
      (json_int_t)r->lower_bound_bytes, "scratch", (json_int_t)r->scratch_bytes,
      "outputs", (json_int_t)r->output_bytes, "params",
      (json_int_t)r->param_bytes, "inputs", (json_int_t)r->input_bytes, "block",
      (json_int_t)r->block_bytes);
}

static int add_graphs(tool *t, json_t *graphs) {
  for (size_t i = 0; i < tir_module_n_graphs(t->module); i++) {
    tir_memory_report report = {0};
    const tir_graph *graph = tir_module_graph_at(t->module, i);
    if (compile(t, graph, &report) != TOOL_OK) return TOOL_FAILED;
    json_array_append_new(graphs, json_graph(graph, &report));
  }
  return TOOL_OK;
}

static int add_params(tool *t, json_t *params) {
  // Types are read off the tensors: the module has no other list of them.
  for (size_t i = 0; i < tir_module_n_params(t->module); i++) {
    tir_error error;
    tir_tensor *tensor;
    tir_port port = {.name = tir_module_param_name(t->module, i)};
    if (tir_module_get_param(t->module, port.name, &tensor, &error))
      return tool_fail_error("info", &error);
    port.dtype = tir_tensor_dtype(tensor);
    port.rank = tir_tensor_rank(tensor);
    for (int k = 0; k < port.rank; k++)
      port.dims[k] = tir_tensor_dim(tensor, k);
    json_t *entry = json_port(&port);
    json_object_set_new(
        entry, "kind",
        json_string(tir_module_param_kind(t->module, i) == TIR_PARAM_STATE
                        ? "state"
                        : "trainable"));
    json_array_append_new(params, entry);
    tir_tensor_release(tensor);
  }
  return TOOL_OK;
}

static int info_json(tool *t) {
  json_t *graphs = json_array(), *params = json_array();
  if (add_graphs(t, graphs) != TOOL_OK || add_params(t, params) != TOOL_OK) {
    json_decref(graphs);
    json_decref(params);
    return TOOL_FAILED;
  }
  json_t *metadata = json_object();
  for (size_t i = 0; i < tir_module_n_metadata(t->module); i++) {
    const char *key = tir_module_metadata_key(t->module, i);
    // Values are text and stay text, whatever is in them.
    json_object_set_new(metadata, key,
                        json_string(tir_module_get_metadata(t->module, key)));
  }
  return tool_print_json(json_pack("{s:s, s:o, s:o, s:o}", "version",
                                   tir_version(), "graphs", graphs, "params",
                                   params, "metadata", metadata));
}

static void print_ports(const char *title, const tir_graph *graph, size_t n,
                        tool_port_fn get) {
  char type[256];
  for (size_t i = 0; i < n; i++) {
    tir_port port;
    get(graph, i, &port);
    // The title stands before the first row alone.
    printf("  %-8s %s: %s\n", i ? "" : title, tool_name(port.name),
           tool_type(&port, type, sizeof type));
  }
}

static int info_graph(tool *t, const tir_graph *graph) {
  tir_memory_report r = {0};
  const int status = compile(t, graph, &r);
  if (status != TOOL_OK) return status;
  // The roster has fewer ops than that.
  const char *names[MAX_OPS];
  size_t counts[MAX_OPS];
  char a[32], b[32], c[32], d[32];
  printf("%sgraph %s%s: %zu nodes, %.3g flop\n", tool_bold(stdout),
         tool_name(tir_graph_name(graph)), tool_plain(stdout),
         tir_graph_n_nodes(graph), flops(graph));
  print_ports("inputs", graph, tir_graph_n_inputs(graph), tir_graph_input);
  print_ports("outputs", graph, tir_graph_n_outputs(graph), tir_graph_output);
  const size_t n = tir_graph_op_counts(graph, names, counts, MAX_OPS);
  printf("  %-8s", "ops");
  for (size_t i = 0; i < n && i < MAX_OPS; i++)
    printf(" %zu %s%s", counts[i], names[i], i + 1 < n ? "," : "\n");
  printf("  %-8s arena %s (at least %s), scratch %s, parameters %s\n", "memory",
         tool_bytes(r.arena_bytes, a), tool_bytes(r.lower_bound_bytes, b),
         tool_bytes(r.scratch_bytes, c), tool_bytes(r.param_bytes, d));
  // All a run holds at once: its block, parameters, inputs and constants.
  printf(
      "  %-8s peak %s: %" PRIu64 " bytes\n", "",
      tool_bytes(
          r.block_bytes + r.param_bytes + r.input_bytes + r.constant_bytes, a),
      r.block_bytes + r.param_bytes + r.input_bytes + r.constant_bytes);
  return TOOL_OK;
}

int tool_info(tool *t) {
  int status = tool_load(t);
  if (status != TOOL_OK) return status;
  // JSON says more: ports of parameters and all metadata in full.
  if (t->options.json) return info_json(t);
  // Parameters and state together, as a file holds them.
  uint64_t bytes = 0;
  const size_t n = tir_module_n_params(t->module);
  for (size_t i = 0; i < n; i++) {
    tir_error error;
    tir_tensor *tensor;
    if (tir_module_get_param(t->module, tir_module_param_name(t->module, i),
                             &tensor, &error))
      return tool_fail_error("info", &error);
    bytes += tir_tensor_size_bytes(tensor);
    tir_tensor_release(tensor);
  }
  char text[32];
  printf("%s: %zu graphs, %zu parameters and states of %s, tapeir %s\n",
         tool_name(t->options.files.items[0]), tir_module_n_graphs(t->module),
         n, tool_bytes(bytes, text), tir_version());
  for (size_t i = 0; i < tir_module_n_metadata(t->module); i++) {
    const char *key = tir_module_metadata_key(t->module, i);
    printf("  %s = %s\n", tool_name(key),
           tool_name(tir_module_get_metadata(t->module, key)));
  }
  for (size_t i = 0; i < tir_module_n_graphs(t->module) && !status; i++)
    status = info_graph(t, tir_module_graph_at(t->module, i));
  return status;
}
