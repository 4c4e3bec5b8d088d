// tapeir view: one HTML page that shows a graph, its memory and its times and
// loads nothing from anywhere.
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "view_page.h"

typedef struct page {
  char *text;
  size_t size, room;
  bool failed;
} page;

// A failure is kept and asked for once, at the end.
static void add(page *p, const char *text, size_t size) {
  if (p->failed) return;
  // At least doubled, so that adding single characters stays linear.
  if (p->room - p->size <= size) {
    const size_t room = 2 * p->room + size + 1;
    char *more = realloc(p->text, room);
    p->failed = !more;
    if (!more) return;
    p->text = more;
    p->room = room;
  }
  memcpy(p->text + p->size, text, size);
  p->size += size;
}

// --- data ------------------------------------------------------------------

// `n` whole numbers from `first` on.
static json_t *numbers(size_t n, size_t first) {
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++)
    json_array_append_new(list,
                          json_integer((json_int_t)first + (json_int_t)i));
  return list;
}

// By name of the op.
static json_t *families(void) {
  json_t *out = json_object();
  tir_op_info op;
  for (size_t i = 0; tir_op_at(i, &op) == TIR_OK; i++)
    json_object_set_new(out, op.name, json_string(op.family));
  return out;
}

// Operands and results are numbers into the list of values.
static json_t *json_node(tool *t, const tool_plan *p, size_t i) {
  const tir_node_info *node = &p->nodes[i];
  json_t *operands = json_array();
  for (size_t k = 0; k < node->n_inputs; k++)
    json_array_append_new(
        operands, json_integer((json_int_t)tir_graph_operand(p->graph, i, k)));
  json_t *out =
      json_pack("{s:s, s:o, s:o, s:I}", "op", node->op, "in", operands, "out",
                numbers(node->n_outputs, node->first_output), "step",
                (json_int_t)p->step_of_node[i]);
  char *text = NULL;
  // Attributes; without memory for their text they are left out.
  if (tir_graph_node_text(p->graph, i, &text, NULL) == TIR_OK && *text)
    json_object_set_new(out, "text", json_string(text));
  tir_text_free(t->context, text);
  if (node->site) json_object_set_new(out, "site", json_string(node->site));
  if (node->backward) json_object_set_new(out, "backward", json_true());
  if (node->origin)
    json_object_set_new(out, "origin", json_integer(node->origin));
  return out;
}

static json_t *json_value(const tool_plan *p, size_t i) {
  tir_port port;
  char type[256];
  tir_graph_value(p->graph, i, &port);
  // A double, as every number of the page is.
  double bytes = (double)tir_dtype_size(port.dtype);
  for (int k = 0; k < port.rank; k++) bytes *= (double)port.dims[k];
  json_t *out =
      json_pack("{s:s, s:s, s:f}", "name", tool_plan_name(p, i), "type",
                tool_type(&port, type, sizeof type), "bytes", bytes);
  const size_t at = p->planned_of_value[i];
  // Not in the plan: a name and a type is all there is.
  if (at == SIZE_MAX) return out;
  const tir_planned_value *v = &p->planned[at];
  json_t *plan =
      json_pack("{s:s, s:I, s:I, s:I, s:b}", "place", v->place, "offset",
                (json_int_t)v->offset_bytes, "first", (json_int_t)v->first_step,
                "last", (json_int_t)v->last_step, "in_place", v->in_place);
  json_object_update(out, plan);
  json_decref(plan);
  return out;
}

// Times by step number. A step the file does not name takes no time, one
// without its number or time is an error: NULL after a message.
static json_t *step_times(const char *path, const json_t *steps, size_t n) {
  json_t *times = json_array(), *row;
  size_t i;
  for (i = 0; i < n; i++) json_array_append_new(times, json_integer(0));
  json_array_foreach(steps, i, row) {
    const json_t *step = json_object_get(row, "step");
    json_t *ns = json_object_get(row, "median_ns");
    if (!json_is_integer(step) || !json_is_number(ns)) {
      tool_fail("%s: steps[%zu] has no %s", tool_name(path), i,
                json_is_integer(step) ? "median_ns" : "step");
      json_decref(times);
      return NULL;
    }
    const json_int_t at = json_integer_value(step);
    if (at >= 0 && (size_t)at < n) json_array_set(times, (size_t)at, ns);
  }
  return times;
}

// Steps are matched by number, so both must have as many.
static json_t *profile_of_bench(const char *path, const json_t *bench,
                                size_t n_steps) {
  const json_t *steps = json_object_get(bench, "steps");
  json_t *median_ns = json_object_get(bench, "median_ns"), *times;
  const json_int_t n = json_integer_value(json_object_get(bench, "n_steps"));
  // Only so many steps can be the same program.
  if (!json_is_array(steps) || n != (json_int_t)n_steps)
    tool_fail("%s is no bench of this graph: it has %lld steps, the graph %zu",
              tool_name(path), (long long)n, n_steps);
  else if (!json_is_number(median_ns))
    tool_fail("%s has no median_ns", tool_name(path));
  else if ((times = step_times(path, steps, n_steps)))
    return json_pack("{s:O, s:o}", "median_ns", median_ns, "steps", times);
  return NULL;
}

// The times of a bench of the same program, by step; NULL after a message.
static json_t *profile_of(tool *t, const tool_plan *p) {
  const char *path = t->options.profile;
  json_error_t error;
  json_t *bench = json_load_file(path, 0, &error);
  if (!bench) {
    tool_fail("%s:%d: %s", tool_name(path), error.line, error.text);
    return NULL;
  }
  json_t *out = profile_of_bench(path, bench, p->n_steps);
  json_decref(bench);
  return out;
}

// Takes `profile` over. Lists are given to json_pack, which owns them then.
// All that the scripts of the page read, as one document.
static json_t *page_data(tool *t, const tool_plan *p, json_t *profile) {
  json_t *nodes = json_array(), *values = json_array(), *live = json_array();
  const tir_memory_report *m = &p->memory;
  for (size_t i = 0; i < p->n_nodes; i++)
    json_array_append_new(nodes, json_node(t, p, i));
  for (size_t i = 0; i < p->n_values; i++)
    json_array_append_new(values, json_value(p, i));
  for (size_t i = 0; i < p->n_steps; i++)
    json_array_append_new(live, json_integer((json_int_t)p->live[i]));
  return json_pack(
      "{s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o,"
      " s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}}",
      "file", t->options.files.items[0], "graph", tir_graph_name(t->graph),
      "version", tir_version(), "families", families(), "peak",
      (json_int_t)p->peak, "live", live, "nodes", nodes, "values", values,
      "profile", profile, "memory", "arena", (json_int_t)m->arena_bytes,
      "lower_bound", (json_int_t)m->lower_bound_bytes, "scratch",
      (json_int_t)m->scratch_bytes, "outputs", (json_int_t)m->output_bytes,
      "params", (json_int_t)m->param_bytes, "inputs",
      (json_int_t)m->input_bytes, "constants", (json_int_t)m->constant_bytes);
}

// --- page ------------------------------------------------------------------

// Inside a script element no text may look like a tag.
static void add_json(page *p, json_t *document) {
  char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
  json_decref(document);
  p->failed |= !text;
  for (const char *c = text; c && *c; c++) {
    if (*c == '<')
      add(p, "\\u003c", 6);
    else
      add(p, c, 1);
  }
  free(text);
}

// In the order they need each other: they share one scope.
static const char *const scripts[] = {
    view_model_js,  view_layout_js,  view_graph_js,
    view_charts_js, view_details_js,
};

// Marks are replaced where they stand; any other @ stays what it is.
static void add_page(page *p, json_t *document) {
  const char *at = view_html;
  for (const char *mark; (mark = strchr(at, '@')); at = mark) {
    add(p, at, (size_t)(mark - at));
    if (strncmp(mark, "@STYLE@", 7) == 0) {
      add(p, view_css, strlen(view_css));
      mark += 7;
    } else if (strncmp(mark, "@DATA@", 6) == 0) {
      add_json(p, document);
      mark += 6;
    } else if (strncmp(mark, "@SCRIPT@", 8) == 0) {
      for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        add(p, scripts[i], strlen(scripts[i]));
      mark += 8;
    } else {
      add(p, mark++, 1);
    }
  }
  add(p, at, strlen(at));
}

static int write_page(tool *t, const tool_plan *plan) {
  // Null is a page without times.
  json_t *profile = t->options.profile ? profile_of(t, plan) : json_null();
  if (!profile) return TOOL_FAILED;
  page p = {0};
  add_page(&p, page_data(t, plan, profile));
  const int status =
      p.failed ? tool_fail("out of memory")
               : tool_write_text(t, t->options.output, p.text, p.size);
  free(p.text);
  return status;
}

// The program is compiled to be looked at; nothing is run.
int tool_view(tool *t) {
  if (!t->options.output) return tool_usage(t, "--output is missing");
  tir_program *program = NULL;
  tir_graph *gradient = NULL;
  tool_plan plan = {0};
  tir_error error;
  int status = tool_load_graph(t);
  if (status == TOOL_OK && t->options.gradient &&
      tir_graph_differentiate(t->graph, NULL, 0, true, &gradient, &error))
    status = tool_fail_error("gradient", &error);
  // For the sizes as captured.
  if (status == TOOL_OK)
    status = tool_compile(t, gradient ? gradient : t->graph,
                          t->options.pipeline, NULL, &program);
  if (status == TOOL_OK) status = tool_plan_of_program(program, &plan);
  if (status == TOOL_OK) status = write_page(t, &plan);
  tool_plan_free(&plan);
  tir_program_destroy(program);
  tir_graph_destroy(gradient);
  return status;
}
