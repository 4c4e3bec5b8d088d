// Whole-graph checks: inference on new input sizes, and the verifier.
#ifndef TAPEIR_IR_INFER_H
#define TAPEIR_IR_INFER_H

#include "ir/graph.h"

// A node about to be made, or one looked at again. Operands are value ids.
typedef struct tir_ir_call {
  tir_op op;
  const uint32_t *operands;
  size_t n_in;
  const void *attrs;            // NULL: all zero
  const tir_ir_type *declared;  // n_out types of a DECLARED op, else unused
  size_t n_out;
} tir_ir_call;

// Operand and result types of a call. Filled by tir_ir_infer_call; ends with
// tir_ir_call_types_free, also after a failure.
typedef struct tir_ir_call_types {
  tir_ir_type *in;
  tir_ir_type *out;
  size_t extra_bytes;  // allocated; 0 while the fixed room is enough
  tir_ir_type fixed[TIR_MAX_FIXED_INPUTS + TIR_MAX_OUTPUTS];
} tir_ir_call_types;

// Checks counts and operand ids, loads the operand types and runs the op's
// infer. Every result type is valid (tir_ir_type_check) on success.
tir_status tir_ir_infer_call(const tir_ir_graph *graph, const tir_ir_call *call,
                             tir_ir_call_types *types, tir_error *error);
void tir_ir_call_types_free(const tir_ir_graph *graph,
                            tir_ir_call_types *types);

// The same for a node that is there, whose operands are read as `operands`
// (replacements followed). A declared type is taken as it is now.
tir_status tir_ir_infer_again(const tir_ir_graph *graph, tir_ir_node node,
                              const uint32_t *operands,
                              tir_ir_call_types *types, tir_error *error);

// Adds ` (node 12 "h", model.c:41)` to a message and sets error->node.
void tir_ir_say_where(const tir_ir_graph *graph, tir_ir_node node,
                      tir_error *error);

// Recomputes every type from the declared ones, in order. Fails naming the
// node that cannot follow. Compacts first if replacements are pending.
tir_status tir_ir_infer_graph(tir_ir_graph *graph, tir_error *error);

// Gives every dim of an input that carries symbol `name` the size; then call
// tir_ir_infer_graph. ARGUMENT if no input has the symbol.
tir_status tir_ir_set_symbol(tir_ir_graph *graph, const char *name,
                             int64_t size, tir_error *error);

// Checks everything the rest relies on: ids in range, topological order,
// operand counts, types equal to what infer gives, attribute ranges, names,
// one assign per param and only to params, inputs and outputs.
tir_status tir_ir_verify(const tir_ir_graph *graph, tir_error *error);

#endif
