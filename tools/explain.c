// tapeir explain: where the memory peak is and what lives there; what is kept
// for the backward pass, and who reads it.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

enum { MAX_SHOWN = 20 };

typedef struct reader {
  size_t value;  // planned
  size_t node;   // that reads it
} reader;

typedef struct explanation {
  tool_plan plan;
  size_t *of_origin;  // forward node by origin, SIZE_MAX: none
  size_t n_origins;
  reader *readers;  // backward nodes that read a forward value, by value
  size_t n_readers;
  size_t *at_peak;  // planned values in the arena at the peak, largest first
  size_t n_at_peak;
  bool knows_backward;
} explanation;

// --- the peak --------------------------------------------------------------

static const explanation *sorting;  // for qsort, which takes no context

static int by_size(const void *a, const void *b) {
  const tir_planned_value *x = &sorting->plan.planned[*(const size_t *)a];
  const tir_planned_value *y = &sorting->plan.planned[*(const size_t *)b];
  if (x->size_bytes != y->size_bytes)
    return x->size_bytes < y->size_bytes ? 1 : -1;
  return (x->value > y->value) - (x->value < y->value);
}

static int find_peak(explanation *e) {
  tool_plan *p = &e->plan;
  e->at_peak = calloc(p->n_planned + 1, sizeof *e->at_peak);
  if (!e->at_peak) return tool_fail("out of memory");
  for (size_t i = 0; i < p->n_planned && p->n_steps; i++) {
    const tir_planned_value *v = &p->planned[i];
    if (tool_plan_is_stored(v) && tool_plan_first_step(v) <= p->peak &&
        v->last_step >= p->peak &&
        !(v->in_place && v->first_step == v->last_step))
      e->at_peak[e->n_at_peak++] = i;
  }
  sorting = e;
  qsort(e->at_peak, e->n_at_peak, sizeof *e->at_peak, by_size);
  return TOOL_OK;
}

// --- what backward reads ---------------------------------------------------

static int index_origins(explanation *e) {
  const tool_plan *p = &e->plan;
  uint32_t largest = 0;
  for (size_t i = 0; i < p->n_nodes; i++) {
    if (p->nodes[i].origin > largest) largest = p->nodes[i].origin;
    e->knows_backward |= p->nodes[i].backward;
  }
  e->n_origins = (size_t)largest + 1;
  e->of_origin = malloc(e->n_origins * sizeof *e->of_origin);
  if (!e->of_origin) return tool_fail("out of memory");
  for (size_t i = 0; i < e->n_origins; i++) e->of_origin[i] = SIZE_MAX;
  for (size_t i = 0; i < p->n_nodes; i++)
    if (!p->nodes[i].backward) e->of_origin[p->nodes[i].origin] = i;
  return TOOL_OK;
}

// The planned value whose memory `value` is, SIZE_MAX if it is not in the
// arena.
static size_t memory_of(const tool_plan *p, size_t value) {
  for (;;) {
    const size_t at = p->planned_of_value[value];
    if (at == SIZE_MAX) return SIZE_MAX;
    if (tool_plan_is_stored(&p->planned[at])) return at;
    if (strcmp(p->planned[at].place, "view") != 0) return SIZE_MAX;
    value = tir_graph_operand(p->graph, p->node_of_value[value], 0);
  }
}

static int by_value(const void *a, const void *b) {
  const reader *x = a, *y = b;
  if (x->value != y->value) {
    const size_t pair[] = {x->value, y->value};
    return by_size(&pair[0], &pair[1]);
  }
  return (x->node > y->node) - (x->node < y->node);
}

static bool reads(const tool_plan *p, size_t node, size_t planned) {
  const tir_planned_value *v = &p->planned[planned];
  const bool is_forward = !p->nodes[p->node_of_value[v->value]].backward;
  // A step behind its last one looks at the shape only.
  return is_forward && p->nodes[node].backward && p->step_of_node[node] >= 0 &&
         (uint64_t)p->step_of_node[node] <= v->last_step;
}

static int find_readers(explanation *e) {
  const tool_plan *p = &e->plan;
  size_t room = 0;
  for (size_t i = 0; i < p->n_nodes; i++) room += p->nodes[i].n_inputs;
  e->readers = calloc(room + 1, sizeof *e->readers);
  if (!e->readers) return tool_fail("out of memory");
  for (size_t i = 0; i < p->n_nodes; i++) {
    for (size_t k = 0; k < p->nodes[i].n_inputs; k++) {
      const size_t at = memory_of(p, tir_graph_operand(p->graph, i, k));
      const size_t n = e->n_readers;
      const bool again =
          n && e->readers[n - 1].node == i && e->readers[n - 1].value == at;
      if (at != SIZE_MAX && !again && reads(p, i, at))
        e->readers[e->n_readers++] = (reader){at, i};
    }
  }
  sorting = e;
  qsort(e->readers, e->n_readers, sizeof *e->readers, by_value);
  return TOOL_OK;
}

// --- telling ---------------------------------------------------------------

static const char *type_of(const tool_plan *p, const tir_planned_value *v,
                           char *buffer, size_t size) {
  tir_port port;
  tir_graph_value(p->graph, (size_t)v->value, &port);
  return tool_type(&port, buffer, size);
}

// "tanh %1 (model.c:4)": the node whose gradient a backward node is part of.
static const char *reason(const explanation *e, size_t node, char *buffer,
                          size_t size) {
  const tool_plan *p = &e->plan;
  const uint32_t origin = p->nodes[node].origin;
  const size_t forward = origin ? e->of_origin[origin] : SIZE_MAX;
  const char *site = p->nodes[node].site;
  if (forward == SIZE_MAX)
    snprintf(buffer, size, "%s", site ? tool_name(site) : "");
  else
    snprintf(buffer, size, "%s %s%s%s%s", p->nodes[forward].op,
             tool_name(tool_plan_name(p, p->nodes[forward].first_output)),
             site ? " (" : "", site ? tool_name(site) : "", site ? ")" : "");
  return buffer;
}

static uint64_t kept_bytes(const explanation *e, size_t *out_count) {
  uint64_t bytes = 0;
  *out_count = 0;
  for (size_t i = 0; i < e->n_readers; i++) {
    if (i && e->readers[i].value == e->readers[i - 1].value) continue;
    bytes += e->plan.planned[e->readers[i].value].size_bytes;
    ++*out_count;
  }
  return bytes;
}

static void print_peak(const explanation *e) {
  const tool_plan *p = &e->plan;
  char a[32], b[32], type[256];
  printf("%sarena%s %s, at least %s at step %zu of %zu", tool_bold(stdout),
         tool_plain(stdout), tool_bytes(p->memory.arena_bytes, a),
         tool_bytes(p->memory.lower_bound_bytes, b), p->peak, p->n_steps);
  const char *name = tool_plan_step_name(p, p->peak);
  if (*name)
    printf(" (%s %s)", p->planned[p->value_of_step[p->peak]].op,
           tool_name(name));
  printf("\n  %s%10s  %-6s %-20s %s%s\n", tool_dim(stdout), "bytes", "steps",
         "made by", "value", tool_plain(stdout));
  for (size_t i = 0; i < e->n_at_peak && i < MAX_SHOWN; i++) {
    const tir_planned_value *v = &p->planned[e->at_peak[i]];
    char steps[32];
    snprintf(steps, sizeof steps, "%u-%u", v->first_step, v->last_step);
    printf("  %10s  %-6s %-20s %s: %s\n", tool_bytes(v->size_bytes, a), steps,
           v->op, tool_name(v->name), type_of(p, v, type, sizeof type));
  }
  if (e->n_at_peak > MAX_SHOWN)
    printf("  and %zu more\n", e->n_at_peak - MAX_SHOWN);
}

static void print_kept(const explanation *e) {
  const tool_plan *p = &e->plan;
  char text[512], type[256];
  size_t n_kept;
  const uint64_t bytes = kept_bytes(e, &n_kept);
  if (!e->knows_backward) {
    printf(
        "kept for backward: unknown, the file does not say which nodes are "
        "backward\n");
    return;
  }
  printf("%skept for backward%s %s in %zu values\n", tool_bold(stdout),
         tool_plain(stdout), tool_bytes(bytes, text), n_kept);
  size_t n_shown = 0;
  for (size_t i = 0; i < e->n_readers; i++) {
    const reader *r = &e->readers[i];
    const tir_planned_value *v = &p->planned[r->value];
    if (i == 0 || r->value != e->readers[i - 1].value) {
      if (n_shown++ == MAX_SHOWN) break;
      char size[32];
      printf("  %10s  %s %s: %s\n", tool_bytes(v->size_bytes, size), v->op,
             tool_name(v->name), type_of(p, v, type, sizeof type));
    }
    printf("              %sread by%s %s at step %" PRId64
           ", for the gradient of %s\n",
           tool_dim(stdout), tool_plain(stdout), p->nodes[r->node].op,
           p->step_of_node[r->node], reason(e, r->node, text, sizeof text));
  }
  if (n_kept > MAX_SHOWN) printf("  and %zu more\n", n_kept - MAX_SHOWN);
}

static json_t *json_value(const tool_plan *p, const tir_planned_value *v) {
  char type[256];
  return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "name", v->name, "op",
                   v->op, "type", type_of(p, v, type, sizeof type), "bytes",
                   (json_int_t)v->size_bytes, "first_step",
                   (json_int_t)v->first_step, "last_step",
                   (json_int_t)v->last_step);
}

static int print_json(const explanation *e, const tir_graph *graph) {
  const tool_plan *p = &e->plan;
  json_t *live = json_array(), *kept = json_array(), *read_by = NULL;
  char text[512];
  for (size_t i = 0; i < e->n_at_peak; i++)
    json_array_append_new(live, json_value(p, &p->planned[e->at_peak[i]]));
  for (size_t i = 0; i < e->n_readers; i++) {
    const reader *r = &e->readers[i];
    if (i == 0 || r->value != e->readers[i - 1].value) {
      json_t *row = json_value(p, &p->planned[r->value]);
      read_by = json_array();
      json_object_set_new(row, "read_by", read_by);
      json_array_append_new(kept, row);
    }
    json_array_append_new(
        read_by,
        json_pack("{s:s, s:I, s:s}", "op", p->nodes[r->node].op, "step",
                  (json_int_t)p->step_of_node[r->node], "gradient_of",
                  reason(e, r->node, text, sizeof text)));
  }
  size_t n_kept;
  const json_int_t bytes = (json_int_t)kept_bytes(e, &n_kept);
  return tool_print_json(json_pack(
      "{s:s, s:I, s:I, s:{s:I, s:s, s:I, s:o}, s:b, s:I, s:o}", "graph",
      tir_graph_name(graph), "arena", (json_int_t)p->memory.arena_bytes,
      "lower_bound", (json_int_t)p->memory.lower_bound_bytes, "peak", "step",
      (json_int_t)p->peak, "name", tool_plan_step_name(p, p->peak), "bytes",
      (json_int_t)(p->n_steps ? p->live[p->peak] : 0), "live", live,
      "knows_backward", e->knows_backward, "kept_bytes", bytes, "kept", kept));
}

// --- the verb --------------------------------------------------------------

int tool_gradient_for_plan(const tir_graph *graph, tir_graph **out) {
  tir_error error;
  *out = NULL;
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
  int status = tool_load_graph(t);
  if (status == TOOL_OK) status = tool_gradient_for_plan(t->graph, &gradient);
  const tir_graph *graph = gradient ? gradient : t->graph;
  if (status == TOOL_OK)
    status = tool_compile(t, graph, t->options.pipeline, NULL, &program);
  if (status == TOOL_OK) status = tool_plan_of_program(program, &e.plan);
  if (status == TOOL_OK) status = find_peak(&e);
  if (status == TOOL_OK) status = index_origins(&e);
  if (status == TOOL_OK) status = find_readers(&e);
  if (status == TOOL_OK && t->options.json) {
    status = print_json(&e, t->graph);
  } else if (status == TOOL_OK) {
    printf("%s%s\n", tool_name(tir_graph_name(t->graph)),
           gradient ? ", differentiated" : "");
    print_peak(&e);
    print_kept(&e);
  }
  tool_plan_free(&e.plan);
  free(e.of_origin);
  free(e.readers);
  free(e.at_peak);
  tir_program_destroy(program);
  tir_graph_destroy(gradient);
  return status;
}
