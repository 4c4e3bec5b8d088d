// tapeir check: does the optimised graph compute what the reference does, and
// is its gradient the slope of what it computes?
//
// Any check that fails makes the exit status 1. What cannot be checked is
// skipped with the reason and fails nothing.
#include "check.h"

#include <math.h>
#include <string.h>

// --- reporting -------------------------------------------------------------

void check_report(checking *c, const tir_graph *graph, const char *what,
                  const char *value, bool good, json_t *details,
                  const char *text) {
  // Counted here, whatever form the report has.
  c->n_bad += !good;
  if (!c->report) {
    printf("%s%-4s%s %s %s %s: %s\n",
           good ? tool_green(stdout) : tool_red(stdout), good ? "ok" : "FAIL",
           tool_plain(stdout), tool_name(tir_graph_name(graph)), what,
           tool_name(value), text);
    json_decref(details);
    return;
  }
  json_t *row =
      json_pack("{s:s, s:s, s:s, s:b}", "graph", tir_graph_name(graph), "check",
                what, "value", value, "ok", good);
  json_object_update(row, details);
  json_decref(details);
  json_array_append_new(c->report, row);
}

void check_skip(checking *c, const tir_graph *graph, const char *what,
                const char *reason) {
  if (!c->report) {
    printf("%sskip%s %s %s: %s\n", tool_dim(stdout), tool_plain(stdout),
           tool_name(tir_graph_name(graph)), what, reason);
    return;
  }
  json_array_append_new(
      c->report,
      json_pack("{s:s, s:s, s:s, s:b}", "graph", tir_graph_name(graph), "check",
                what, "skipped", reason, "ok", true));
}

// --- against the reference -------------------------------------------------

// Largest difference relative to the largest magnitude of the reference, and
// where it is.
static double difference(const tir_tensor *a, const tir_tensor *b,
                         size_t *out_worst) {
  const size_t n = (size_t)tir_tensor_numel(a);
  // Above 0, so that it can be divided by.
  double worst = 0, largest = 1e-30;
  *out_worst = 0;
  for (size_t i = 0; i < n; i++) {
    const double x = tool_element(a, i), y = tool_element(b, i);
    if (isfinite(y)) largest = fmax(largest, fabs(y));
    if (x == y || (isnan(x) && isnan(y))) continue;
    const double off = fabs(x - y);
    if (off <= worst) continue;
    // Also where NaN or an infinity meets something else.
    worst = isfinite(off) ? off : INFINITY;
    *out_worst = i;
    if (isinf(worst)) return worst;
  }
  return worst / largest;
}

// Peeled off from the last axis, as row-major order has it. Cut where the
// buffer ends.
const char *check_coordinate(const tir_tensor *tensor, size_t at, char *buffer,
                             size_t size) {
  int64_t index[TIR_MAX_RANK];
  const int rank = tir_tensor_rank(tensor);
  for (int i = rank; i-- > 0;) {
    const size_t dim = (size_t)tir_tensor_dim(tensor, i);
    index[i] = dim ? (int64_t)(at % dim) : 0;
    at = dim ? at / dim : 0;
  }
  size_t n = (size_t)snprintf(buffer, size, "[");
  for (int i = 0; i < rank && n < size; i++)
    n += (size_t)snprintf(buffer + n, size - n, "%s%lld", i ? ", " : "",
                          (long long)index[i]);
  if (n < size) snprintf(buffer + n, size - n, "]");
  return buffer;
}

// Part of the largest element by which results may differ. Of 16-bit types it
// is one unit of the last place, which rounding may go either way by.
static double tolerance_of(tir_dtype dtype) {
  if (dtype == TIR_DTYPE_F16) return 1.0 / 1024;
  if (dtype == TIR_DTYPE_BF16) return 1.0 / 128;
  return 1e-4;
}

static void report_output(checking *c, const tir_graph *graph, const char *what,
                          const char *name, const tir_tensor *is,
                          const tir_tensor *wanted) {
  size_t worst;
  char at[128], text[256];
  const double off = difference(is, wanted, &worst);
  // Infinite where a NaN or an infinity meets something else.
  const bool good = off <= tolerance_of(tir_tensor_dtype(wanted));
  check_coordinate(is, worst, at, sizeof at);
  if (good)
    snprintf(text, sizeof text, "differs by %.3g", off);
  else
    snprintf(text, sizeof text,
             "differs by %.3g: at %s it is %.9g, the "
             "reference has %.9g",
             off, at, tool_element(is, worst), tool_element(wanted, worst));
  check_report(
      c, graph, what, name, good,
      json_pack("{s:o, s:s}", "difference", tool_json_number(off), "worst", at),
      text);
}

// The reference, on a copy of the module: a run may advance state.
static int run_reference(tool *t, const tir_graph *graph, tool_tensors *v,
                         tir_tensor *const *inputs) {
  tir_error error;
  tir_module *copy = NULL;
  int status = tool_module_of_graph(t, graph, &copy);
  if (status == TOOL_OK &&
      tir_reference_run(tir_module_graph_at(copy, 0), copy, inputs, v->n_in,
                        v->out, v->n_out, &error))
    status = tool_fail_error("reference", &error);
  tir_module_destroy(copy);
  return status;
}

static int compare_graph(checking *c, const tir_graph *graph,
                         const char *what) {
  tool *t = c->t;
  tool_tensors v = {0}, r = {0};
  int status = tool_make_room(graph, &v);
  if (status == TOOL_OK) status = tool_make_room(graph, &r);
  // Both get the same inputs. The reference first, on a copy: the run that
  // follows may change the state of the module itself.
  if (status == TOOL_OK) status = tool_some_inputs(t, graph, v.in);
  if (status == TOOL_OK) status = run_reference(t, graph, &r, v.in);
  if (status == TOOL_OK) status = tool_run_graph(t, graph, "full", v.in, v.out);
  for (size_t i = 0; i < v.n_out && status == TOOL_OK; i++) {
    tir_port port;
    tir_graph_output(graph, i, &port);
    report_output(c, graph, what, port.name, v.out[i], r.out[i]);
  }
  tool_free_tensors(&v);
  tool_free_tensors(&r);
  return status;
}

// --- what can be differentiated --------------------------------------------

// Of the graph itself: bodies are not searched.
static bool has_op(const tir_graph *graph, const char *op) {
  for (size_t i = 0; i < tir_graph_n_nodes(graph); i++) {
    tir_node_info node;
    tir_graph_node(graph, i, &node);
    if (strcmp(node.op, op) == 0) return true;
  }
  return false;
}

static bool any_float(const tir_graph *graph, size_t n, tool_port_fn get) {
  for (size_t i = 0; i < n; i++) {
    tir_port port;
    if (get(graph, i, &port) == TIR_OK && tool_is_float(port.dtype))
      return true;
  }
  return false;
}

// Why a gradient means nothing here; NULL if it does.
static const char *no_gradient(const tir_graph *graph) {
  if (has_op(graph, "assign")) return "the graph changes state";
  if (!any_float(graph, tir_graph_n_outputs(graph), tir_graph_output))
    return "no output is a float";
  if (!any_float(graph, tir_graph_n_inputs(graph), tir_graph_input) &&
      !any_float(graph, tir_graph_n_params(graph), tir_graph_param))
    return "no input or parameter is a float";
  return NULL;
}

// Why differences say nothing about the gradient; NULL if they do.
static const char *no_slope(const tir_graph *graph) {
  tir_port port;
  // What stands behind one of these is hidden from the gradient on purpose.
  if (has_op(graph, "stop_gradient")) return "stop_gradient hides part of it";
  if (has_op(graph, "cut")) return "an attached gradient cuts it";
  for (size_t i = 0; tir_graph_input(graph, i, &port) == TIR_OK; i++)
    if (tool_is_half(port.dtype)) return "an input is stored in 16 bits";
  for (size_t i = 0; tir_graph_param(graph, i, &port) == TIR_OK; i++)
    if (tool_is_half(port.dtype)) return "a parameter is stored in 16 bits";
  return NULL;
}

static int check_gradient(checking *c, const tir_graph *graph) {
  const char *why = no_gradient(graph);
  if (why) {
    check_skip(c, graph, "gradient", why);
    return TOOL_OK;
  }
  tir_error error;
  tir_graph *gradient;
  const tir_status differentiated =
      tir_graph_differentiate(graph, NULL, 0, true, &gradient, &error);
  // That is about the graph; any other status is a failure.
  if (differentiated == TIR_ERR_UNSUPPORTED) {
    check_skip(c, graph, "gradient", error.message);
    return TOOL_OK;
  }
  if (differentiated != TIR_OK) return tool_fail_error("gradient", &error);
  int status = compare_graph(c, gradient, "gradient");
  why = no_slope(graph);
  if (status == TOOL_OK && why)
    check_skip(c, graph, "slope", why);
  else if (status == TOOL_OK)
    status = check_slope(c, graph, gradient);
  tir_graph_destroy(gradient);
  return status;
}

int tool_check(tool *t) {
  int status = tool_load(t);
  if (status != TOOL_OK) return status;
  checking c = {.t = t, .report = t->options.json ? json_array() : NULL};
  bool found = false;
  for (size_t i = 0; i < tir_module_n_graphs(t->module); i++) {
    const tir_graph *graph = tir_module_graph_at(t->module, i);
    if (t->options.graph &&
        strcmp(t->options.graph, tir_graph_name(graph)) != 0)
      continue;
    found = true;
    status = compare_graph(&c, graph, "value");
    if (status == TOOL_OK) status = check_gradient(&c, graph);
    if (status != TOOL_OK) break;
  }
  if (!found && t->options.graph)
    status = tool_fail("no graph is named %s", tool_name(t->options.graph));
  // Also after a failure: what was found before is worth having.
  if (c.report && tool_print_json(c.report) != TOOL_OK) status = TOOL_FAILED;
  if (status == TOOL_OK && c.n_bad)
    status = tool_fail("%d check%s failed", c.n_bad, c.n_bad == 1 ? "" : "s");
  return status;
}
