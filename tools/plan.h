// A compiled graph, its nodes and its memory plan joined by value.
#ifndef TAPEIR_TOOLS_PLAN_H
#define TAPEIR_TOOLS_PLAN_H

#include "tool.h"

typedef struct tool_plan {
  tir_program *program;  // borrowed
  tir_memory_report memory;
  tir_graph *graph;  // what the program runs
  tir_node_info *nodes;
  size_t n_nodes, n_values, n_planned, n_steps;
  tir_planned_value *planned;
  size_t *node_of_value;
  size_t *planned_of_value;  // SIZE_MAX: it is nowhere
  int64_t *step_of_node;     // −1: it is no step
  int64_t *value_of_step;    // planned value it writes, −1: none of its own
  uint64_t *live;            // bytes of the arena in use, by step
  size_t peak;               // step where they are most
} tool_plan;

int tool_plan_of_program(tir_program *program, tool_plan *p);
void tool_plan_free(tool_plan *p);
const char *tool_plan_name(const tool_plan *p, size_t value);
const char *tool_plan_step_name(const tool_plan *p, size_t step);

#endif
