// The reference evaluator: slow, obviously right, the oracle of the tests.
//
// Depends on ir/ only, shares no arithmetic with kernels, includes no BLAS.
// Everything is computed element by element in double (int64 for integers)
// and rounded once to the value's dtype.
#ifndef TAPEIR_IR_REFERENCE_REFERENCE_H
#define TAPEIR_IR_REFERENCE_REFERENCE_H

#include "ir/graph.h"

typedef struct tir_reference_call {
  tir_context *context;  // of the graph; only custom ops ask for it
  const tir_op_desc *desc;
  const void *attrs;
  const tir_ir_type *in;
  const void *const *in_data;  // dense; NULL for a shape-only operand
  size_t n_in;
  const tir_ir_type *out;
  void *const *out_data;  // dense, to be written whole
  size_t n_out;
  tir_error *error;
} tir_reference_call;

typedef tir_status (*tir_reference_fn)(const tir_reference_call *call);

// One function per op: tir_reference_<name>. Those of ports, gradient
// calls and control nodes only fail: tir_reference_graph sees to these.
#define TIR_OP(ID, name) \
  tir_status tir_reference_##name(const tir_reference_call *call);
#include "ir/ops.def"
#undef TIR_OP

// Evaluates one op on given data (fold-constants uses this for EXACT ops).
tir_status tir_reference_eval(tir_op op, const tir_reference_call *call);

// One control node of a graph: operands as tensors, outputs made and zeroed by
// the caller.
tir_status tir_reference_control(const tir_ir_graph *graph, tir_ir_node node,
                                 tir_tensor *const *in, tir_tensor **out,
                                 tir_error *error);

// Evaluates a whole graph: `inputs` by graph->inputs, `params` by param node
// in order (assigns write to them at the end). New tensors in `outputs`.
tir_status tir_reference_graph(const tir_ir_graph *graph,
                               tir_tensor *const *inputs,
                               tir_tensor *const *params, tir_tensor **outputs,
                               tir_error *error);

#endif
