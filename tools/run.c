// tapeir run, grad, check: running graphs on .npy files.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

typedef struct tensors {
  tir_tensor **in, **out;
  size_t n_in, n_out;
} tensors;

static int make_room(const tir_graph *graph, tensors *v) {
  v->n_in = tir_graph_n_inputs(graph);
  v->n_out = tir_graph_n_outputs(graph);
  v->in = calloc(v->n_in + 1, sizeof *v->in);
  v->out = calloc(v->n_out + 1, sizeof *v->out);
  return v->in && v->out ? TOOL_OK : tool_fail("out of memory");
}

static void free_tensors(tensors *v) {
  if (v->in) tool_release(v->in, v->n_in);
  if (v->out) tool_release(v->out, v->n_out);
  free(v->in);
  free(v->out);
}

static int write_outputs(tool *t, const tir_graph *graph, const tensors *v) {
  json_t *manifest = json_object();
  int status = TOOL_OK;
  for (size_t i = 0; i < v->n_out && status == TOOL_OK; i++) {
    tir_port port;
    char name[512];
    tir_graph_output(graph, i, &port);
    snprintf(name, sizeof name, "%s", port.name);
    if (!name[0]) snprintf(name, sizeof name, "output%zu", i);
    status = tool_write_value(t, manifest, name, v->out[i]);
  }
  if (status == TOOL_OK) return tool_write_manifest(t, manifest);
  json_decref(manifest);
  return status;
}

static int run_reference(tool *t, const tensors *v) {
  tir_error error;
  if (tir_reference_run(t->graph, t->module, v->in, v->n_in, v->out,
                        v->n_out, &error))
    return tool_fail_error("reference", &error);
  return TOOL_OK;
}

int tool_run(tool *t) {
  if (!t->options.output_dir) return tool_usage(t, "--output-dir is missing");
  tensors v = {0};
  int status = tool_load_graph(t);
  if (status == TOOL_OK) status = make_room(t->graph, &v);
  if (status == TOOL_OK) status = tool_read_inputs(t, t->graph, v.in);
  if (status == TOOL_OK)
    status = t->options.reference
                 ? run_reference(t, &v)
                 : tool_run_graph(t, t->graph, t->options.pipeline, v.in,
                                  v.out);
  if (status == TOOL_OK) status = write_outputs(t, t->graph, &v);
  if (status == TOOL_OK && t->options.save_as)
    status = tool_save(t, t->module, t->options.save_as);
  free_tensors(&v);
  return status;
}

// Only the gradients: the graph's own outputs stay out of the directory.
static int write_gradients(tool *t, const tir_graph *graph,
                           const tensors *v) {
  json_t *manifest = json_object();
  int status = TOOL_OK;
  for (size_t i = 0; i < v->n_out && status == TOOL_OK; i++) {
    tir_port port;
    tir_graph_output(graph, i, &port);
    const size_t n = strlen(port.name);
    if (n < 5 || strcmp(port.name + n - 5, ".grad") != 0) continue;
    status = tool_write_value(t, manifest, port.name, v->out[i]);
  }
  if (status == TOOL_OK) return tool_write_manifest(t, manifest);
  json_decref(manifest);
  return status;
}

int tool_grad(tool *t) {
  if (!t->options.output_dir) return tool_usage(t, "--output-dir is missing");
  tensors v = {0};
  tir_error error;
  tir_graph *graph = NULL;
  int status = tool_load_graph(t);
  // Heads are inputs of the differentiated graph only when some are given.
  if (status == TOOL_OK &&
      tir_graph_differentiate(t->graph, t->options.wrt.items,
                              t->options.wrt.n, t->options.heads.n == 0,
                              &graph, &error))
    status = tool_fail_error("gradient", &error);
  if (status == TOOL_OK) status = make_room(graph, &v);
  if (status == TOOL_OK) status = tool_read_inputs(t, graph, v.in);
  if (status == TOOL_OK)
    status = tool_run_graph(t, graph, t->options.pipeline, v.in, v.out);
  if (status == TOOL_OK) status = write_gradients(t, graph, &v);
  free_tensors(&v);
  tir_graph_destroy(graph);
  return status;
}

// --- check -----------------------------------------------------------------

static double element(const tir_tensor *tensor, size_t i) {
  const void *data = tir_tensor_data(tensor);
  switch (tir_tensor_dtype(tensor)) {
    case TIR_DTYPE_F32: return ((const float *)data)[i];
    case TIR_DTYPE_F64: return ((const double *)data)[i];
    case TIR_DTYPE_I32: return ((const int32_t *)data)[i];
    case TIR_DTYPE_I64: return (double)((const int64_t *)data)[i];
    default: return ((const uint8_t *)data)[i];
  }
}

// Largest difference relative to the largest magnitude of the reference.
static double difference(const tir_tensor *a, const tir_tensor *b) {
  const size_t n =
      tir_tensor_size_bytes(a) / tir_dtype_size(tir_tensor_dtype(a));
  double worst = 0, largest = 1e-30;
  for (size_t i = 0; i < n; i++) {
    const double x = element(a, i), y = element(b, i);
    if (isnan(x) && isnan(y)) continue;
    if (isnan(x) != isnan(y)) return INFINITY;
    if (x != y) worst = fmax(worst, fabs(x - y));
    if (isfinite(y)) largest = fmax(largest, fabs(y));
  }
  return worst / largest;
}

// f32 graphs are compared within this part of the largest element.
static const double kTolerance = 1e-4;

static int compare_graph(tool *t, const tir_graph *graph, const char *what,
                         json_t *report, int *n_bad) {
  tensors v = {0}, r = {0};
  tir_error error;
  int status = make_room(graph, &v);
  if (status == TOOL_OK) status = make_room(graph, &r);
  if (status == TOOL_OK)
    status = t->options.inputs.n ? tool_read_inputs(t, graph, v.in)
                                 : tool_random_inputs(t, graph, v.in);
  // States that a run advances must start alike: the reference goes first,
  // on a copy of the module.
  tir_module *copy = NULL;
  if (status == TOOL_OK) status = tool_module_of_graph(t, graph, &copy);
  if (status == TOOL_OK &&
      tir_reference_run(tir_module_graph_at(copy, 0), copy, v.in, v.n_in,
                        r.out, r.n_out, &error))
    status = tool_fail_error("reference", &error);
  tir_module_destroy(copy);
  if (status == TOOL_OK)
    status = tool_run_graph(t, graph, "full", v.in, v.out);
  for (size_t i = 0; i < v.n_out && status == TOOL_OK; i++) {
    tir_port port;
    tir_graph_output(graph, i, &port);
    const double off = difference(v.out[i], r.out[i]);
    const bool good = off <= kTolerance;
    *n_bad += !good;
    if (report)
      json_array_append_new(
          report, json_pack("{s:s, s:s, s:s, s:f, s:b}", "graph",
                            tir_graph_name(graph), "check", what, "output",
                            port.name, "difference", isfinite(off) ? off : -1,
                            "ok", good));
    else
      printf("%-4s %s %s %s: differs by %.3g\n", good ? "ok" : "FAIL",
             tool_name(tir_graph_name(graph)), what, tool_name(port.name),
             off);
  }
  free_tensors(&v);
  free_tensors(&r);
  return status;
}

// Does the graph leave state alone, so that a gradient means something?
static bool is_pure(const tir_graph *graph) {
  for (size_t i = 0; i < tir_graph_n_nodes(graph); i++) {
    tir_node_info node;
    tir_graph_node(graph, i, &node);
    if (strcmp(node.op, "assign") == 0) return false;
  }
  return true;
}

static bool has_float_output(const tir_graph *graph) {
  for (size_t i = 0; i < tir_graph_n_outputs(graph); i++) {
    tir_port port;
    tir_graph_output(graph, i, &port);
    if (port.dtype == TIR_DTYPE_F32 || port.dtype == TIR_DTYPE_F64)
      return true;
  }
  return false;
}

int tool_check(tool *t) {
  int status = tool_load(t);
  if (status != TOOL_OK) return status;
  json_t *report = t->options.json ? json_array() : NULL;
  int n_bad = 0;
  for (size_t i = 0; i < tir_module_n_graphs(t->module); i++) {
    const tir_graph *graph = tir_module_graph_at(t->module, i);
    if (t->options.graph &&
        strcmp(t->options.graph, tir_graph_name(graph)) != 0)
      continue;
    status = compare_graph(t, graph, "value", report, &n_bad);
    if (status != TOOL_OK) break;
    if (!is_pure(graph) || !has_float_output(graph)) continue;
    tir_error error;
    tir_graph *gradient;
    if (tir_graph_differentiate(graph, NULL, 0, true, &gradient, &error)) {
      status = tool_fail_error("gradient", &error);
      break;
    }
    status = compare_graph(t, gradient, "gradient", report, &n_bad);
    tir_graph_destroy(gradient);
    if (status != TOOL_OK) break;
  }
  if (report && tool_print_json(report) != TOOL_OK) status = TOOL_FAILED;
  if (status == TOOL_OK && n_bad)
    status = tool_fail("%d outputs differ from the reference", n_bad);
  return status;
}
