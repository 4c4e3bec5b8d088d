// tapeir explain: where the memory peak is and what lives there; what is kept
// for the backward pass, and who reads it.
//
// The library lists items in an order: what lives at the peak, then each value
// kept, with its readers behind it.
#include <inttypes.h>
#include <string.h>

#include "tool.h"

enum { MAX_SHOWN = 20 };

typedef struct explanation {
  tir_memory_summary sum;
  size_t n_live, n_kept;  // items told so far
  // read_by is that of the value told last.
  json_t *live, *kept, *read_by;  // with --json
} explanation;

// "tanh %1 (model.c:4)": the node whose gradient a backward node is part of.
static const char *reason(const tir_memory_item *item, char *buffer,
                          size_t size) {
  const char *site = item->reader_site;
  if (!item->gradient_op)
    snprintf(buffer, size, "%s", site ? tool_name(site) : "");
  else
    snprintf(buffer, size, "%s %s%s%s%s", item->gradient_op,
             tool_name(item->gradient_name), site ? " (" : "",
             site ? tool_name(site) : "", site ? ")" : "");
  return tool_cut(buffer);
}

// --- as text ---------------------------------------------------------------

static void print_peak(const explanation *e) {
  char a[32], b[32];
  printf("%sarena%s %s, at least %s at step %" PRIu64 " of %" PRIu64,
         tool_bold(stdout), tool_plain(stdout),
         tool_bytes(e->sum.arena_bytes, a),
         tool_bytes(e->sum.lower_bound_bytes, b), e->sum.peak_step,
         e->sum.n_steps);
  if (*e->sum.peak_name)
    printf(" (%s %s)", e->sum.peak_op, tool_name(e->sum.peak_name));
  printf("\n  %s%10s  %-6s %-20s %s%s\n", tool_dim(stdout), "bytes", "steps",
         "made by", "value", tool_plain(stdout));
}

// Goes on counting past what is shown.
static void print_live(explanation *e, const tir_memory_item *item) {
  const tir_planned_value *v = &item->value;
  char steps[32], bytes[32], type[256];
  if (e->n_live++ >= MAX_SHOWN) return;
  snprintf(steps, sizeof steps, "%u-%u", v->first_step, v->last_step);
  printf("  %10s  %-6s %-20s %s: %s\n", tool_bytes(v->size_bytes, bytes), steps,
         v->op, tool_name(v->name), tool_type(&item->type, type, sizeof type));
}

// How many more live ones there are, and the head of the second part.
static void print_kept_head(const explanation *e) {
  char text[32];
  if (e->sum.n_live > MAX_SHOWN)
    printf("  and %" PRIu64 " more\n", e->sum.n_live - MAX_SHOWN);
  if (!e->sum.knows_backward)
    printf(
        "kept for backward: unknown, the file does not say which nodes are "
        "backward\n");
  else
    printf("%skept for backward%s %s in %" PRIu64 " values\n",
           tool_bold(stdout), tool_plain(stdout),
           tool_bytes(e->sum.kept_bytes, text), e->sum.n_kept);
}

// Size, op and type; its readers follow below it.
static void print_kept(explanation *e, const tir_memory_item *item) {
  const tir_planned_value *v = &item->value;
  char size[32], type[256];
  if (e->n_kept++ >= MAX_SHOWN) return;
  printf("  %10s  %s %s: %s\n", tool_bytes(v->size_bytes, size), v->op,
         tool_name(v->name), tool_type(&item->type, type, sizeof type));
}

// Readers stand behind their value: where that is not shown they are not
// either.
static void print_reader(const explanation *e, const tir_memory_item *item) {
  char text[512];
  if (e->n_kept > MAX_SHOWN) return;
  printf("              %sread by%s %s at step %" PRIu64
         ", for the gradient of %s\n",
         tool_dim(stdout), tool_plain(stdout), item->reader_op,
         item->reader_step, reason(item, text, sizeof text));
}

// The first item of another kind ends the listing.
static bool print_peak_item(void *user, const tir_memory_item *item) {
  if (item->role != TIR_MEMORY_LIVE) return false;
  print_live(user, item);
  return true;
}

static bool print_kept_item(void *user, const tir_memory_item *item) {
  if (item->role == TIR_MEMORY_KEPT) print_kept(user, item);
  if (item->role == TIR_MEMORY_READ) print_reader(user, item);
  return true;
}

// Listed twice, because the second head stands between the parts.
static int print(explanation *e, const tir_program *program) {
  tir_error error;
  print_peak(e);
  if (tir_explain_memory(program, print_peak_item, e, NULL, &error))
    return tool_fail_error("explain", &error);
  print_kept_head(e);
  if (tir_explain_memory(program, print_kept_item, e, NULL, &error))
    return tool_fail_error("explain", &error);
  if (e->sum.n_kept > MAX_SHOWN)
    printf("  and %" PRIu64 " more\n", e->sum.n_kept - MAX_SHOWN);
  return TOOL_OK;
}

// --- as JSON ---------------------------------------------------------------

static json_t *json_value(const tir_memory_item *item) {
  const tir_planned_value *v = &item->value;
  char type[256];
  return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "name", v->name, "op",
                   v->op, "type", tool_type(&item->type, type, sizeof type),
                   "bytes", (json_int_t)v->size_bytes, "first_step",
                   (json_int_t)v->first_step, "last_step",
                   (json_int_t)v->last_step);
}

// A reader belongs to the value kept before it.
static bool add_json_item(void *user, const tir_memory_item *item) {
  explanation *e = user;
  char text[512];
  if (item->role == TIR_MEMORY_LIVE) {
    json_array_append_new(e->live, json_value(item));
  } else if (item->role == TIR_MEMORY_KEPT) {
    json_t *row = json_value(item);
    e->read_by = json_array();
    json_object_set_new(row, "read_by", e->read_by);
    json_array_append_new(e->kept, row);
  } else {
    json_array_append_new(
        e->read_by, json_pack("{s:s, s:I, s:s}", "op", item->reader_op, "step",
                              (json_int_t)item->reader_step, "gradient_of",
                              reason(item, text, sizeof text)));
  }
  return true;
}

static int print_json(explanation *e, const tir_program *program,
                      const tir_graph *graph) {
  tir_error error;
  e->live = json_array();
  e->kept = json_array();
  if (tir_explain_memory(program, add_json_item, e, NULL, &error)) {
    json_decref(e->live);
    json_decref(e->kept);
    return tool_fail_error("explain", &error);
  }
  const tir_memory_summary *sum = &e->sum;
  // Takes both lists over.
  return tool_print_json(json_pack(
      "{s:s, s:I, s:I, s:{s:I, s:s, s:I, s:o}, s:b, s:I, s:o}", "graph",
      tir_graph_name(graph), "arena", (json_int_t)sum->arena_bytes,
      "lower_bound", (json_int_t)sum->lower_bound_bytes, "peak", "step",
      (json_int_t)sum->peak_step, "name", sum->peak_name, "bytes",
      (json_int_t)sum->peak_bytes, "live", e->live, "knows_backward",
      (int)sum->knows_backward, "kept_bytes", (json_int_t)sum->kept_bytes,
      "kept", e->kept));
}

// --- the verb --------------------------------------------------------------

int tool_gradient_for_plan(const tir_graph *graph, tir_graph **out) {
  tir_error error;
  *out = NULL;
  // A graph that assigns is taken as it is.
  for (size_t i = 0; i < tir_graph_n_nodes(graph); i++) {
    tir_node_info node;
    tir_graph_node(graph, i, &node);
    if (strcmp(node.op, "assign") == 0) return TOOL_OK;
  }
  // A graph without a gradient is explained as it is.
  if (tir_graph_differentiate(graph, NULL, 0, true, out, &error)) *out = NULL;
  return TOOL_OK;
}

int tool_explain(tool *t) {
  explanation e = {0};
  tir_program *program = NULL;
  tir_graph *gradient = NULL;
  tir_error error;
  int status = tool_load_graph(t);
  if (status == TOOL_OK) status = tool_gradient_for_plan(t->graph, &gradient);
  // Compiled for the sizes as captured.
  const tir_graph *graph = gradient ? gradient : t->graph;
  if (status == TOOL_OK)
    status = tool_compile(t, graph, t->options.pipeline, NULL, &program);
  if (status == TOOL_OK &&
      tir_explain_memory(program, NULL, NULL, &e.sum, &error))
    status = tool_fail_error("explain", &error);
  if (status == TOOL_OK && t->options.json) {
    status = print_json(&e, program, t->graph);
  } else if (status == TOOL_OK) {
    printf("%s%s\n", tool_name(tir_graph_name(t->graph)),
           gradient ? ", differentiated" : "");
    status = print(&e, program);
  }
  tir_program_destroy(program);
  tir_graph_destroy(gradient);
  return status;
}
