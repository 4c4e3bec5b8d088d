// What flows where when a graph is executed: which nodes compute something
// that is read, whose memory a value is, who reads it. The common ground of
// schedule and plan-memory (not of check-plan, which must find their errors).
#ifndef TAPEIR_PASSES_FLOW_H
#define TAPEIR_PASSES_FLOW_H

#include "passes/plan.h"

// A step is a node that is executed, or a region of them, numbered
// 0 … n_steps − 1: each after the steps it needs, else by last member.
#define TIR_FLOW_NO_STEP UINT32_MAX

typedef struct tir_pass_flow {
  tir_context *context;
  const tir_ir_graph *graph;
  const tir_plan *plan;  // its regions
  uint32_t n_nodes;      // + 1: sizes of the arrays by node id
  uint32_t n_values;     // + 1
  uint32_t n_steps;
  uint32_t *node_of;  // by step; the last member of a region
  uint32_t *step_of;  // by node; TIR_FLOW_NO_STEP
  // By value. `root` is the value whose memory it is: its operand's for views,
  // the assigned value's for the result of an assign, else itself.
  uint32_t *root;
  bool *is_read;  // its data is, by another step or at the end
  // By root: read at the very end, as a graph output or to be assigned.
  bool *is_final;
  // Distinct roots each step reads, and the steps that read each root.
  uint32_t *reads_first;  // by step, n_steps + 1
  uint32_t *reads;
  uint32_t *readers_first;  // by value, n_values + 1
  uint32_t *readers;
  // Values each step leaves behind: all of a node, those read of a region.
  uint32_t *makes_first;  // by step, n_steps + 1
  uint32_t *makes;
  // By root that is a param: the value assigned to it, 0 if none.
  uint32_t *assigned;
  size_t *bytes;  // by value, rounded up to 64
} tir_pass_flow;

// With the regions of `plan`, which must last as long. STATE if the graph holds
// gradient calls. On failure nothing is held.
tir_status tir_pass_flow_make(const tir_ir_graph *graph, const tir_plan *plan,
                              tir_pass_flow *flow, tir_error *error);
void tir_pass_flow_free(tir_pass_flow *flow);

static inline tir_plan_nodes tir_pass_nodes_of(const tir_pass_flow *flow,
                                               uint32_t step) {
  return tir_plan_nodes_of(flow->plan, &flow->node_of[step]);
}
// The step that makes a value; TIR_FLOW_NO_STEP if none does.
static inline uint32_t tir_pass_step_of_value(const tir_pass_flow *flow,
                                              uint32_t value) {
  return flow->step_of[flow->graph->values.data[value].node];
}

// Bytes of a value, not rounded.
size_t tir_pass_value_bytes(const tir_ir_graph *graph, tir_ir_value value);
// The node's result is its first operand's memory.
bool tir_pass_is_view(const tir_ir_graph *graph, tir_ir_node node);
// A run of the node may fail on its data. Floating-point arithmetic never
// does, whatever the trait says of the op on integers.
bool tir_pass_may_fail(const tir_ir_graph *graph, tir_ir_node node);

#endif
