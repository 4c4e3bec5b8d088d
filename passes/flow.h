// What flows where when a graph is executed: which nodes compute something
// that is read, whose memory a value is, who reads it. The common ground of
// schedule and plan-memory (not of check-plan, which must find their errors).
#ifndef TAPEIR_PASSES_FLOW_H
#define TAPEIR_PASSES_FLOW_H

#include "ir/graph.h"

// A step is a node that is executed, numbered 0 … n_steps − 1 in id order.
#define TIR_FLOW_NO_STEP UINT32_MAX

typedef struct tir_pass_flow {
  tir_context *context;
  const tir_ir_graph *graph;
  uint32_t n_nodes;   // + 1: sizes of the arrays by node id
  uint32_t n_values;  // + 1
  uint32_t n_steps;
  uint32_t *node_of;  // by step
  uint32_t *step_of;  // by node; TIR_FLOW_NO_STEP
  // By value. `root` is the value whose memory it is: its operand's for views,
  // the assigned value's for the result of an assign, else itself.
  uint32_t *root;
  bool *is_read;  // its data is
  // By root: read at the very end, as a graph output or to be assigned.
  bool *is_final;
  // Distinct roots each step reads, and the steps that read each root.
  uint32_t *reads_first;  // by step, n_steps + 1
  uint32_t *reads;
  uint32_t *readers_first;  // by value, n_values + 1
  uint32_t *readers;
  // By root that is a param: the value assigned to it, 0 if none.
  uint32_t *assigned;
  size_t *bytes;  // by value, rounded up to 64
} tir_pass_flow;

// STATE if the graph holds gradient calls. On failure nothing is held.
tir_status tir_pass_flow_make(const tir_ir_graph *graph, tir_pass_flow *flow,
                              tir_error *error);
void tir_pass_flow_free(tir_pass_flow *flow);

// Bytes of a value, not rounded.
size_t tir_pass_value_bytes(const tir_ir_graph *graph, tir_ir_value value);
// The node's result is its first operand's memory.
bool tir_pass_is_view(const tir_ir_graph *graph, tir_ir_node node);
// A run of the node may fail on its data. Floating-point arithmetic never
// does, whatever the trait says of the op on integers.
bool tir_pass_may_fail(const tir_ir_graph *graph, tir_ir_node node);

#endif
