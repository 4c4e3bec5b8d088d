// A compiled graph, its nodes and its memory plan joined by value.
//
// Values are numbered as in the graph the program runs, which passes have
// changed: it is not the one of the file.
#include "plan.h"

#include <stdlib.h>
#include <string.h>

static void number_nodes(tool_plan *p) {
  for (size_t i = 0; i < p->n_nodes; i++) {
    tir_node_info *node = &p->nodes[i];
    tir_graph_node(p->graph, i, node);
    for (size_t k = 0; k < node->n_outputs; k++)
      p->node_of_value[node->first_output + k] = i;
  }
}

// Its place is the arena, and not in another value's memory.
static bool is_stored(const tir_planned_value *v) {
  return strcmp(v->place, "arena") == 0;
}

// What a step writes: inputs, parameters and constants are there before.
static bool is_step(const tir_planned_value *v) {
  return is_stored(v) || strcmp(v->place, "output") == 0;
}

// The arena aligns every value.
static uint64_t rounded(uint64_t bytes) { return (bytes + 63) / 64 * 64; }

static uint64_t first_step(const tir_planned_value *v) {
  // At its first step a value in place is its operand's memory.
  return v->in_place && v->first_step < v->last_step ? v->first_step + 1u
                                                     : v->first_step;
}

// Joins the tables, and adds up what is in use at every step.
static void add_up(tool_plan *p) {
  for (size_t i = 0; i < p->n_planned; i++) {
    const tir_planned_value *v = &p->planned[i];
    p->planned_of_value[v->value] = i;
    const size_t node = p->node_of_value[v->value];
    if (is_step(v)) {
      p->step_of_node[node] = v->first_step;
      // A step that writes several is called by the first.
      if (v->first_step < p->n_steps && p->value_of_step[v->first_step] < 0)
        p->value_of_step[v->first_step] = (int64_t)i;
    }
    if (!is_stored(v)) continue;
    const uint64_t first = first_step(v);
    // In place to its end: the operand's memory counts at that step.
    if (v->in_place && v->first_step == v->last_step) continue;
    // A difference array, summed up below.
    p->live[first] += rounded(v->size_bytes);
    const uint64_t end = (uint64_t)v->last_step + 1;
    if (end < p->n_steps) p->live[end] -= rounded(v->size_bytes);
  }
  // Unsigned throughout: what ends had begun, so no sum is below zero.
  for (size_t i = 1; i < p->n_steps; i++) p->live[i] += p->live[i - 1];
  for (size_t i = 0; i < p->n_steps; i++)
    if (p->live[i] > p->live[p->peak]) p->peak = i;
}

static size_t count_values(const tir_graph *graph) {
  tir_node_info last = {0};
  const size_t n = tir_graph_n_nodes(graph);
  if (n) tir_graph_node(graph, n - 1, &last);
  return last.first_output + last.n_outputs;
}

// All tables at once: whatever fails, the plan can be freed.
static int make_room(tool_plan *p) {
  p->n_nodes = tir_graph_n_nodes(p->graph);
  p->n_values = count_values(p->graph);
  p->n_planned = tir_program_n_values(p->program);
  p->n_steps = (size_t)p->memory.n_steps;
  p->nodes = calloc(p->n_nodes + 1, sizeof *p->nodes);
  p->planned = calloc(p->n_planned + 1, sizeof *p->planned);
  p->node_of_value = calloc(p->n_values + 1, sizeof *p->node_of_value);
  p->planned_of_value = calloc(p->n_values + 1, sizeof *p->planned_of_value);
  p->step_of_node = calloc(p->n_nodes + 1, sizeof *p->step_of_node);
  p->value_of_step = calloc(p->n_steps + 1, sizeof *p->value_of_step);
  p->live = calloc(p->n_steps + 1, sizeof *p->live);
  if (!p->nodes || !p->planned || !p->node_of_value || !p->planned_of_value ||
      !p->step_of_node || !p->value_of_step || !p->live)
    return tool_fail("out of memory");
  for (size_t i = 0; i < p->n_values; i++) p->planned_of_value[i] = SIZE_MAX;
  for (size_t i = 0; i < p->n_nodes; i++) p->step_of_node[i] = -1;
  for (size_t i = 0; i < p->n_steps; i++) p->value_of_step[i] = -1;
  return TOOL_OK;
}

int tool_plan_of_program(tir_program *program, tool_plan *p) {
  tir_error error;
  // Zeroed first, so that it may be freed whatever follows.
  *p = (tool_plan){.program = program};
  tir_program_memory(program, &p->memory);
  if (tir_program_graph(program, &p->graph, &error))
    return tool_fail_error("plan", &error);
  if (make_room(p) != TOOL_OK) return TOOL_FAILED;
  for (size_t i = 0; i < p->n_planned; i++)
    tir_program_value(program, i, &p->planned[i]);
  number_nodes(p);
  add_up(p);
  return TOOL_OK;
}

void tool_plan_free(tool_plan *p) {
  tir_graph_destroy(p->graph);
  free(p->nodes);
  free(p->planned);
  free(p->node_of_value);
  free(p->planned_of_value);
  free(p->step_of_node);
  free(p->value_of_step);
  free(p->live);
}

// What is inside of a fused step has no place.
const char *tool_plan_name(const tool_plan *p, size_t value) {
  const size_t at = p->planned_of_value[value];
  if (at != SIZE_MAX) return p->planned[at].name;
  tir_port port;
  tir_graph_value(p->graph, value, &port);
  return port.name;
}

const char *tool_plan_step_name(const tool_plan *p, size_t step) {
  const int64_t at = step < p->n_steps ? p->value_of_step[step] : -1;
  return at < 0 ? "" : p->planned[at].name;
}
