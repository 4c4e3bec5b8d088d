// tapeir dump, dot: graphs as text; and what the options make of a graph.
#include <string.h>

#include "tool.h"

// The passes to run: all, the first few, or up to `before` or `after` a pass.
static int pass_list(const tool *t, char *out, size_t size) {
  const tool_options *o = &t->options;
  // Cutting a pipeline only makes sense where there is one.
  const bool cut = o->before || o->after || o->stop_after >= 0;
  const char *pipeline = o->pipeline ? o->pipeline : cut ? "full" : "none";
  const char *stop = o->before ? o->before : o->after;
  // No stop asked for counts as met.
  bool stopped = !stop;
  size_t n = 0;
  out[0] = '\0';
  if (strcmp(pipeline, "none") != 0 && !tir_inspect_pipeline(pipeline, 0))
    return tool_fail("no pipeline is named %s", tool_name(pipeline));
  // The library lists a pipeline one pass at a time, up to NULL.
  for (size_t i = 0; o->stop_after < 0 || i < (size_t)o->stop_after; i++) {
    const char *pass = tir_inspect_pipeline(pipeline, i);
    if (!pass) break;
    const bool here = stop && strcmp(pass, stop) == 0;
    stopped |= here;
    if (here && o->before) break;
    n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "", pass);
    if (here) break;
  }
  if (!stopped)
    return tool_fail("pipeline %s has no pass %s", tool_name(pipeline),
                     tool_name(stop));
  return TOOL_OK;
}

// The text is data: it goes to stdout as it is.
static int print_graph(tool *t, const tir_graph *graph) {
  char *text;
  tir_error error;
  if (tir_graph_to_text(graph, &text, &error))
    return tool_fail_error("dump", &error);
  fputs(text, stdout);
  tir_text_free(t->context, text);
  return TOOL_OK;
}

// Compiled for the sizes as captured.
static int print_plan(tool *t, const tir_graph *graph) {
  const tir_compile_options options = {.pipeline = t->options.pipeline};
  tir_program *program;
  tir_error error;
  char *text;
  if (tir_compile(t->context, graph, &options, &program, &error))
    return tool_fail_error("compile", &error);
  const tir_status status = tir_program_to_text(program, &text, &error);
  tir_program_destroy(program);
  if (status) return tool_fail_error("dump", &error);
  fputs(text, stdout);
  tir_text_free(t->context, text);
  return TOOL_OK;
}

// The caller's own, even where nothing is to be done.
int tool_derive(tool *t, tir_graph **out_graph) {
  tir_error error;
  tir_graph *gradient = NULL;
  const tir_graph *graph = t->graph;
  *out_graph = NULL;
  if (t->options.gradient) {
    if (tir_graph_differentiate(graph, NULL, 0, true, &gradient, &error))
      return tool_fail_error("gradient", &error);
    graph = gradient;
  }
  char list[1024];
  // --passes stands in place of a pipeline.
  const char *passes = t->options.passes;
  int status = passes ? TOOL_OK : pass_list(t, list, sizeof list);
  if (status == TOOL_OK &&
      tir_graph_optimize(graph, passes ? passes : list, out_graph, &error))
    status = tool_fail_error("passes", &error);
  tir_graph_destroy(gradient);
  return status;
}

int tool_dump(tool *t) {
  int status = tool_load_graph(t);
  tir_graph *derived = NULL;
  if (status == TOOL_OK && t->options.plan) {
    // compile runs the passes itself: only the gradient is taken before.
    const char *pipeline = t->options.pipeline;
    t->options.pipeline = "none";
    status = tool_derive(t, &derived);
    t->options.pipeline = pipeline;
    if (status == TOOL_OK) status = print_plan(t, derived);
  } else if (status == TOOL_OK) {
    status = tool_derive(t, &derived);
    if (status == TOOL_OK) status = print_graph(t, derived);
  }
  tir_graph_destroy(derived);
  return status;
}

// --- dot -------------------------------------------------------------------

// Control bytes go by tool_name; then what a string in quotes needs.
static void print_label(const char *text) {
  for (const char *c = tool_name(text); *c; c++) {
    if (*c == '"' || *c == '\\') putchar('\\');
    putchar(*c);
  }
}

// A node by op, name and type of its first result; grey where it takes nothing.
static void print_dot_node(const tir_graph *graph, size_t i) {
  tir_node_info node;
  tir_port port;
  char type[256];
  tir_graph_node(graph, i, &node);
  tir_graph_value(graph, node.first_output, &port);
  printf("  n%zu [label=\"", i);
  print_label(node.op);
  if (port.name[0]) {
    printf("\\n");
    print_label(port.name);
  }
  printf("\\n%s\"%s];\n", tool_type(&port, type, sizeof type),
         node.n_inputs ? "" : ", style=filled, fillcolor=lightgrey");
}

int tool_dot(tool *t) {
  int status = tool_load_graph(t);
  if (status != TOOL_OK) return status;
  tir_graph *graph;
  // The same graph that dump would print.
  status = tool_derive(t, &graph);
  if (status != TOOL_OK) return status;
  const size_t n = tir_graph_n_nodes(graph);
  printf("digraph \"");
  print_label(tir_graph_name(graph));
  // Bounds on the effort of the layout, which takes very long for large graphs.
  printf(
      "\" {\n  nslimit=1; nslimit1=1; mclimit=0.1;\n"
      "  node [shape=box, fontname=\"sans-serif\"];\n");
  for (size_t i = 0; i < n; i++) print_dot_node(graph, i);
  for (size_t i = 0; i < n; i++) {
    tir_node_info node;
    tir_graph_node(graph, i, &node);
    for (size_t k = 0; k < node.n_inputs; k++) {
      // Nodes are in order: the producer is the last one that starts at or
      // before the operand.
      const size_t value = tir_graph_operand(graph, i, k);
      size_t low = 0, high = i;
      while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        tir_node_info at;
        tir_graph_node(graph, middle, &at);
        if (at.first_output <= value)
          low = middle;
        else
          high = middle;
      }
      printf("  n%zu -> n%zu;\n", low, i);
    }
  }
  printf("}\n");
  tir_graph_destroy(graph);
  return TOOL_OK;
}
