// Changing one node in place, for passes that simplify.
#ifndef TAPEIR_PASSES_NODE_EDIT_H
#define TAPEIR_PASSES_NODE_EDIT_H

#include "ir/graph.h"

// Would the node's results keep their types if operand i were `x`? A call that
// its op refuses is a "no", not an error; only MEMORY is returned.
tir_status tir_pass_keeps_types(const tir_ir_graph *graph, tir_ir_node node,
                                uint32_t i, tir_ir_value x, bool *out_keeps,
                                tir_error *error);
// Makes `x`, which stands before the node, its operand i.
void tir_pass_set_operand(tir_ir_graph *graph, tir_ir_node node, uint32_t i,
                          tir_ir_value x);
// Gives the node attributes of its own (attribute words may be shared).
tir_status tir_pass_set_attrs(tir_ir_graph *graph, tir_ir_node node,
                              const void *attrs, tir_error *error);
// The permutation of a transpose node; false for another op. Axis i of the
// result is axis perm[i] of the operand.
bool tir_pass_read_transpose(const tir_ir_graph *graph, tir_ir_node node,
                             int *out_rank, int perm[TIR_MAX_RANK]);

#endif
