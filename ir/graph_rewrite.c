// Changing a graph in place: replacing uses, turning nodes into constants.
//
// A replacement is one entry in `forward`; nothing is searched. Entries are
// followed when operands are read and made permanent by compact, so a pass
// stays linear however many values it replaces.
#include <string.h>

#include "ir/graph.h"

tir_ir_value tir_ir_resolve(const tir_ir_graph *g, tir_ir_value value) {
  // Halves the path while walking it, so chains of replacements made in any
  // order cost little. `forward` is a cache of equal meaning; a graph shared
  // by threads has none (publishing compacts).
  uint32_t *forward = g->forward.data;
  while (value.id < g->forward.count && forward[value.id]) {
    const uint32_t next = forward[value.id];
    if (next < g->forward.count && forward[next])
      forward[value.id] = forward[next];
    value.id = next;
  }
  return value;
}

// Both ends are resolved first, so that entries never form a ring.
tir_status tir_ir_replace_uses(tir_ir_graph *g, tir_ir_value value,
                               tir_ir_value by, tir_error *error) {
  const size_t missing = g->values.count - g->forward.count;
  if (!TIR_VEC_RESERVE(g->context, &g->forward, missing))
    return tir_base_fail_memory(error, missing * sizeof(uint32_t));
  if (missing)
    memset(g->forward.data + g->forward.count, 0, missing * sizeof(uint32_t));
  g->forward.count = g->values.count;

  value = tir_ir_resolve(g, value);
  by = tir_ir_resolve(g, by);
  // Already the same value; an entry would point at itself.
  if (value.id != by.id) g->forward.data[value.id] = by.id;
  return TIR_OK;
}

// In place: the node keeps its id and its users need no change.
tir_status tir_ir_make_constant(tir_ir_graph *g, tir_ir_node node,
                                uint64_t bits, tir_tensor *tensor,
                                tir_error *error) {
  tir_attrs_constant attrs = {.bits = tensor ? 0 : bits};
  const size_t n_words = sizeof attrs / sizeof *g->attrs.data;
  if (g->attrs.count > UINT32_MAX - n_words)
    return tir_base_fail(error, TIR_ERR_LIMIT, "graph: too many constants");
  if (!TIR_VEC_RESERVE(g->context, &g->attrs, n_words))
    return tir_base_fail_memory(error, sizeof attrs);
  if (tensor) {
    uint32_t index = 0;
    TIR_TRY(tir_ir_add_tensor(g, tensor, &index, error));
    attrs.tensor = (int64_t)index + 1;
  }
  tir_ir_node_data *n = tir_ir_node_at(g, node);
  n->op = TIR_OP_CONSTANT;
  n->n_in = 0;
  n->attrs = (uint32_t)g->attrs.count;
  memcpy(&g->attrs.data[n->attrs], &attrs, sizeof attrs);
  g->attrs.count += n_words;
  return TIR_OK;
}

// One walk is enough, as operands stand before their users. A cut begins a
// history of its own and stop_gradient ends one; neither is part of what comes
// before it.
void tir_ir_mark_history(tir_ir_graph *g) {
  for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n)) {
    tir_ir_node_data *data = tir_ir_node_at(g, n);
    const tir_op op = tir_ir_op(g, n);
    bool needs = op == TIR_OP_INPUT || op == TIR_OP_PARAM || op == TIR_OP_CUT;
    if (op != TIR_OP_STOP_GRADIENT && op != TIR_OP_CUT) {
      const tir_op_desc *desc = tir_ir_op_desc(op);
      for (uint32_t i = 0; i < data->n_in && !needs; i++)
        needs = !tir_ir_op_shape_only(desc, i) &&
                tir_ir_value_at(g, tir_ir_in(g, n, i))->flags &
                    TIR_VALUE_NEEDS_GRAD;
      if (needs && data->n_in > 0) data->flags |= TIR_NODE_HISTORY;
    }
    for (uint32_t i = 0; i < data->n_out && needs; i++) {
      tir_ir_value_data *value = tir_ir_value_at(g, tir_ir_out(g, n, i));
      if (tir_ir_dtype_is_float((tir_dtype)value->dtype))
        value->flags |= TIR_VALUE_NEEDS_GRAD;
    }
  }
}
