// Publishing: a graph under work becomes a frozen tir_graph, owned by its
// module or by the caller. From then on nobody writes to it.
//
// A graph of a module is found by its name and ends with the module. One of the
// caller's holds the module, which then ends after it.
#include <string.h>

#include "ir/infer.h"
#include "ir/module.h"
#include "ir/module_names.h"

// The context is held over the end of everything made from it.
void tir_ir_graph_free(tir_graph *graph) {
  if (!graph) return;
  tir_context *context = tir_base_context_retain(graph->ir->context);
  // The module's own must not hold it, or neither would ever end.
  tir_module *module = graph->owned_by_module ? NULL : graph->module;
  TIR_VEC_FREE(context, &graph->params);
  tir_ir_graph_destroy(graph->ir);
  tir_base_free(context, graph, sizeof *graph, _Alignof(tir_graph));
  // Behind the graph: its constants may be of the module's mapped file.
  tir_ir_module_release(module);
  tir_base_context_release(context);
}

void tir_graph_destroy(tir_graph *graph) {
  // A module's graph ends with the module.
  if (graph && !graph->owned_by_module) tir_ir_graph_free(graph);
}

// Most graphs come straight from a recorder and are compact already.
static bool needs_compact(const tir_ir_graph *g) {
  if (g->forward.count > 0) return true;
  for (size_t i = 1; i < g->nodes.count; i++)
    if (g->nodes.data[i].flags & TIR_NODE_REMOVED) return true;
  return false;
}

// Does a param the graph declares fit the one the module has?
static tir_status check_param(const tir_module *module, const tir_ir_graph *g,
                              tir_ir_node n, tir_error *error) {
  const tir_ir_value value = tir_ir_out(g, n, 0);
  const char *name = tir_ir_value_name(g, value);
  const tir_ir_param *param = tir_ir_module_param(module, name);
  // Not there yet: it may be added before the first run.
  if (!param) return TIR_OK;
  char quoted[TIR_QUOTED_MAX];
  tir_base_quote(name, quoted);
  const tir_attrs_param *attrs = tir_ir_attrs(g, n);
  if (attrs->kind != (int64_t)param->kind)
    return tir_base_fail(
        error, TIR_ERR_ARGUMENT,
        "param: %s is %s in the graph, %s in the "
        "module",
        quoted, attrs->kind == TIR_PARAM_STATE ? "state" : "trainable",
        param->kind == TIR_PARAM_STATE ? "state" : "trainable");
  tir_ir_type is,
      has = {.dtype = param->tensor->dtype, .rank = param->tensor->rank};
  tir_ir_type_of(g, value, &is);
  memcpy(has.dims, param->tensor->dims, sizeof has.dims);
  if (is.dtype == has.dtype && tir_ir_same_shape(&is, &has)) return TIR_OK;
  char a[TIR_TYPE_TEXT_MAX], b[TIR_TYPE_TEXT_MAX];
  return tir_base_fail(error,
                       is.dtype != has.dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
                       "param: %s is %s in the graph, %s in the module", quoted,
                       tir_ir_type_text(&is, a), tir_ir_type_text(&has, b));
}

// Found once: instances bind by this list.
static tir_status find_params(tir_graph *graph, tir_error *error) {
  const tir_ir_graph *g = graph->ir;
  for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n)) {
    if (tir_ir_op(g, n) != TIR_OP_PARAM) continue;
    if (graph->module) TIR_TRY(check_param(graph->module, g, n, error));
    if (!TIR_VEC_PUSH(g->context, &graph->params, n))
      return tir_base_fail_memory(error, sizeof n);
  }
  return TIR_OK;
}

// Nothing unverified is ever published, whoever made it. Params are found last,
// in a graph whose ids do not change any more.
static tir_status prepare(tir_graph *graph, tir_error *error) {
  tir_ir_graph *g = graph->ir;
  if (needs_compact(g)) TIR_TRY(tir_ir_compact(g, NULL, error));
  TIR_TRY(tir_ir_verify(g, error));
  // The code whose places the nodes name may be unloaded before the graph.
  if (!tir_ir_keep_sites(g)) return tir_base_fail_memory(error, 0);
  return find_params(graph, error);
}

// A graph of the caller's holds its module; one of the module's is held by it.
static tir_status publish(tir_ir_graph *ir, tir_module *module,
                          bool owned_by_module, tir_graph **out_graph,
                          tir_error *error) {
  *out_graph = NULL;
  tir_graph *graph =
      tir_base_alloc_zero(ir->context, sizeof *graph, _Alignof(tir_graph));
  if (!graph) {
    tir_ir_graph_destroy(ir);
    return tir_base_fail_memory(error, sizeof *graph);
  }
  graph->ir = ir;
  graph->owned_by_module = owned_by_module;
  graph->module = owned_by_module ? module : tir_ir_module_retain(module);
  const tir_status status = prepare(graph, error);
  if (status == TIR_OK)
    *out_graph = graph;
  else
    tir_ir_graph_free(graph);
  return status;
}

tir_status tir_ir_graph_publish(tir_ir_graph *ir, tir_module *module,
                                tir_graph **out_graph, tir_error *error) {
  return publish(ir, module, false, out_graph, error);
}

// --- graphs of a module ----------------------------------------------------

// Makes room for a graph of that name; nothing is added yet.
static tir_status reserve_name(tir_module *module, const char *name,
                               uint32_t *out_string, tir_error *error) {
  const size_t size = strlen(name);
  TIR_TRY(tir_ir_module_check_name("graph", name, size, error));
  if (!tir_base_strings_intern(&module->strings, name, size, out_string) ||
      !tir_ir_names_reserve(module->context, &module->graph_of_string,
                            *out_string) ||
      !TIR_VEC_RESERVE(module->context, &module->graphs, 1))
    return tir_base_fail_memory(error, size);
  char quoted[TIR_QUOTED_MAX];
  if (tir_ir_names_get(&module->graph_of_string, *out_string))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "module: there is a graph named %s already",
                         tir_base_quote(name, quoted));
  return TIR_OK;
}

// Room for the name is made first, so that publishing is the last that can
// fail.
tir_status tir_ir_module_add_graph(tir_module *module, tir_ir_graph *ir,
                                   tir_graph **out_graph, tir_error *error) {
  *out_graph = NULL;
  uint32_t string = 0;
  const char *name = tir_base_strings_text(&ir->strings, ir->name);
  const tir_status status = reserve_name(module, name, &string, error);
  if (status != TIR_OK) {
    tir_ir_graph_destroy(ir);
    return status;
  }
  tir_graph *graph = NULL;
  TIR_TRY(publish(ir, module, true, &graph, error));
  module->graphs.data[module->graphs.count++] = graph;
  module->graph_of_string.data[string] = (uint32_t)module->graphs.count;
  *out_graph = graph;
  return TIR_OK;
}

// The module must have every parameter of the graph; that they fit is checked
// when it is published there.
static tir_status have_params(const tir_module *module, const tir_graph *graph,
                              tir_error *error) {
  char quoted[TIR_QUOTED_MAX];
  for (size_t i = 0; i < graph->params.count; i++) {
    const char *name = tir_ir_value_name(
        graph->ir, tir_ir_out(graph->ir, graph->params.data[i], 0));
    if (tir_ir_module_param(module, name)) continue;
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "module: the graph uses %s, which the module does "
                         "not have",
                         tir_base_quote(name, quoted));
  }
  return TIR_OK;
}

// The graph given stays the caller's; what the module gets is a copy, which may
// have another name.
tir_status tir_module_add_graph(tir_module *module, const tir_graph *graph,
                                const char *name, tir_graph **out_graph,
                                tir_error *error) {
  if (out_graph) *out_graph = NULL;
  if (!module || !graph)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "module: %s is NULL",
                         module ? "graph" : "module");
  TIR_TRY(have_params(module, graph, error));
  tir_ir_graph *copy = NULL;
  TIR_TRY(tir_ir_graph_copy(graph->ir, &copy, error));
  if (name && !tir_base_strings_intern(&copy->strings, name, strlen(name),
                                       &copy->name)) {
    tir_ir_graph_destroy(copy);
    return tir_base_fail_memory(error, strlen(name));
  }
  tir_graph *added = NULL;
  TIR_TRY(tir_ir_module_add_graph(module, copy, &added, error));
  if (out_graph) *out_graph = added;
  return TIR_OK;
}

size_t tir_module_n_graphs(const tir_module *module) {
  return module->graphs.count;
}

tir_graph *tir_module_graph_at(tir_module *module, size_t index) {
  return index < module->graphs.count ? module->graphs.data[index] : NULL;
}

tir_graph *tir_module_graph(tir_module *module, const char *name) {
  const uint32_t string =
      tir_base_strings_find(&module->strings, name, strlen(name));
  const uint32_t index = tir_ir_names_get(&module->graph_of_string, string);
  return index ? module->graphs.data[index - 1] : NULL;
}
