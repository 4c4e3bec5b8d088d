// tapeir opt, convert: modules rewritten, and in another format.
//
// Both make a new module with every graph remade, or left as it is where the
// callback gives none.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

// --- opt -------------------------------------------------------------------

// All graphs, or the one that --graph names.
static int optimize(tool *t, tir_graph **out_graph) {
  const char *only = t->options.graph;
  if (only && strcmp(only, tir_graph_name(t->graph)) != 0) return TOOL_OK;
  return tool_derive(t, out_graph);
}

int tool_opt(tool *t) {
  if (!t->options.output) return tool_usage(t, "--output is missing");
  // Without a choice everything is done.
  if (!t->options.passes && !t->options.pipeline) t->options.pipeline = "full";
  int status = tool_load(t);
  if (status != TOOL_OK) return status;
  if (t->options.graph && !tir_module_graph(t->module, t->options.graph))
    return tool_fail("no graph is named %s", tool_name(t->options.graph));
  tir_module *module = NULL;
  status = tool_remake_module(t, optimize, &module);
  if (status == TOOL_OK) status = tool_save(t, module, t->options.output);
  tir_module_destroy(module);
  return status;
}

// --- convert ---------------------------------------------------------------

enum { MAX_SYMBOLS = 64 };

// Collected over the inputs of one graph.
typedef struct fixed_sizes {
  tir_dim_size sizes[MAX_SYMBOLS];
  size_t n;
} fixed_sizes;

// A fixed dim may be given its own size. A symbol gets one size, however many
// inputs and axes carry it.
static int fix_axis(fixed_sizes *fixed, const tir_port *port, int axis,
                    int64_t size) {
  const char *symbol = port->dim_names[axis];
  if (!symbol && size == port->dims[axis]) return TOOL_OK;
  if (!symbol)
    return tool_fail("--shape %s: axis %d has size %lld, not %lld",
                     tool_name(port->name), axis, (long long)port->dims[axis],
                     (long long)size);
  for (size_t i = 0; i < fixed->n; i++) {
    if (strcmp(fixed->sizes[i].name, symbol) != 0) continue;
    if (fixed->sizes[i].size == size) return TOOL_OK;
    return tool_fail("--shape: %s cannot be both %lld and %lld",
                     tool_name(symbol), (long long)fixed->sizes[i].size,
                     (long long)size);
  }
  if (fixed->n == MAX_SYMBOLS) return tool_fail("--shape: too many names");
  fixed->sizes[fixed->n++] = (tir_dim_size){symbol, size};
  return TOOL_OK;
}

// "1,3,224" for an input.
static int fix_input(fixed_sizes *fixed, const tir_port *port,
                     const char *text) {
  char type[256];
  int rank = 0;
  for (const char *at = text; *at;) {
    char *end;
    errno = 0;
    const long long size = strtoll(at, &end, 10);
    // Behind a comma another size must follow.
    const bool more = *end == ',' && end[1];
    if (end == at || errno || size < 0 || (*end && !more))
      return tool_fail("--shape %s: %s is no list of sizes",
                       tool_name(port->name), tool_name(text));
    // Counted past the rank too, for the message below.
    if (rank < port->rank) {
      const int status = fix_axis(fixed, port, rank, size);
      if (status != TOOL_OK) return status;
    }
    rank++;
    at = more ? end + 1 : end;
  }
  if (rank == port->rank) return TOOL_OK;
  return tool_fail("--shape %s: %d sizes for %s", tool_name(port->name), rank,
                   tool_type(port, type, sizeof type));
}

static int fix_shapes(tool *t, tir_graph **out_graph) {
  fixed_sizes fixed = {.n = 0};
  for (size_t i = 0; i < tir_graph_n_inputs(t->graph); i++) {
    tir_port port;
    tir_graph_input(t->graph, i, &port);
    const char *text = tool_item_of(&t->options.shapes, t->graph, port.name);
    const int status = text ? fix_input(&fixed, &port, text) : TOOL_OK;
    if (status != TOOL_OK) return status;
  }
  tir_error error;
  // None of the inputs named is in this graph: it stays as it is.
  if (fixed.n == 0) return TOOL_OK;
  if (tir_graph_fix_dims(t->graph, fixed.sizes, fixed.n, out_graph, &error))
    return tool_fail_error("shape", &error);
  return TOOL_OK;
}

// Every --shape must name an input of some graph.
static int check_shapes(tool *t) {
  for (size_t i = 0; i < t->options.shapes.n; i++) {
    const char *item = t->options.shapes.items[i];
    bool known = false;
    for (size_t g = 0; g < tir_module_n_graphs(t->module) && !known; g++)
      known = tool_input_of(tir_module_graph_at(t->module, g), item) >= 0;
    if (!known)
      return tool_fail("no graph has an input for --shape %s", tool_name(item));
  }
  return TOOL_OK;
}

int tool_convert(tool *t) {
  if (!t->options.output) return tool_usage(t, "--output is missing");
  int status = tool_load(t);
  if (status == TOOL_OK) status = check_shapes(t);
  if (status != TOOL_OK) return status;
  // Nothing to remake: saved as it was loaded.
  if (!t->options.shapes.n) return tool_save(t, t->module, t->options.output);
  tir_module *module = NULL;
  status = tool_remake_module(t, fix_shapes, &module);
  if (status == TOOL_OK) status = tool_save(t, module, t->options.output);
  tir_module_destroy(module);
  return status;
}
