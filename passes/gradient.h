// Reverse mode: the one implementation of it. `tir_backward`, captures and
// `tapeir grad` all come here.
#ifndef TAPEIR_PASSES_GRADIENT_H
#define TAPEIR_PASSES_GRADIENT_H

#include "ir/graph.h"

// Expands every gradient call of the graph. On success *out_value_map, if
// asked for, is a new-id-by-old-id array of old n_values + 1 entries (0 for
// values that are gone); free it with tir_base_free(.., count × 4, 4).
tir_status tir_pass_expand_gradients(tir_ir_graph *graph,
                                     uint32_t **out_value_map,
                                     tir_error *error);

// The same for the bodies of the graph's nodes that hold calls (gradient
// rules of control nodes leave them there).
tir_status tir_pass_expand_bodies(tir_ir_graph *graph, tir_error *error);

#endif
