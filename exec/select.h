// Compiling less than a graph holds.
#ifndef TAPEIR_EXEC_SELECT_H
#define TAPEIR_EXEC_SELECT_H

#include "ir/graph.h"

// Leaves the outputs of these names, in this order. ARGUMENT for a name that
// the graph has not, or that is listed twice.
tir_status tir_exec_select_outputs(tir_ir_graph *graph,
                                   const char *const *names, size_t n_names,
                                   tir_error *error);
// Removes every assign; who read a new version reads the value itself.
tir_status tir_exec_drop_effects(tir_ir_graph *graph, tir_error *error);

#endif
