// Changing one node in place. Topological order holds as long as new operands
// stand before the node, which is the caller's business.
#include "passes/node_edit.h"

#include <string.h>

#include "ir/infer.h"

// Would the node have the same results with `x` as operand i? Asked of infer,
// so that no pass knows a shape rule.
tir_status tir_pass_keeps_types(const tir_ir_graph *g, tir_ir_node node,
                                uint32_t i, tir_ir_value x, bool *out_keeps,
                                tir_error *error) {
  *out_keeps = false;
  uint32_t operands[TIR_MAX_FIXED_INPUTS];
  const tir_ir_node_data *data = tir_ir_node_at(g, node);
  if (data->n_in > TIR_MAX_FIXED_INPUTS || data->n_out > TIR_MAX_OUTPUTS ||
      (tir_ir_desc(g, node)->traits & TIR_TRAIT_DECLARED))
    return TIR_OK;
  for (uint32_t k = 0; k < data->n_in; k++)
    operands[k] = k == i ? x.id : tir_ir_in(g, node, k).id;

  const tir_ir_call call = {
      .op = tir_ir_op(g, node),
      .operands = operands,
      .n_in = data->n_in,
      .attrs = tir_ir_attrs(g, node),
      .n_out = data->n_out,
  };
  tir_ir_call_types types;
  // Without an error: a refusal is an answer here.
  const tir_status status = tir_ir_infer_call(g, &call, &types, NULL);
  bool keeps = status == TIR_OK;
  for (uint32_t k = 0; keeps && k < data->n_out; k++) {
    tir_ir_type now;
    tir_ir_type_of(g, tir_ir_out(g, node, k), &now);
    keeps = tir_ir_type_equal(&now, &types.out[k]);
  }
  tir_ir_call_types_free(g, &types);
  if (status == TIR_ERR_MEMORY) return tir_base_fail_memory(error, 0);
  *out_keeps = keeps;
  return TIR_OK;
}

// The old operand loses a use; eliminate-dead sees to it.
void tir_pass_set_operand(tir_ir_graph *g, tir_ir_node node, uint32_t i,
                          tir_ir_value x) {
  g->operands.data[tir_ir_node_at(g, node)->in_first + i] = x.id;
}

// Into fresh words: others may share the old ones.
tir_status tir_pass_set_attrs(tir_ir_graph *g, tir_ir_node node,
                              const void *attrs, tir_error *error) {
  const size_t size = tir_ir_desc(g, node)->attrs_size;
  const size_t n_words = size / sizeof *g->attrs.data;
  if (g->attrs.count > UINT32_MAX - n_words)
    return tir_base_fail(error, TIR_ERR_LIMIT, "graph: too many attributes");
  if (!TIR_VEC_RESERVE(g->context, &g->attrs, n_words))
    return tir_base_fail_memory(error, size);
  tir_ir_node_at(g, node)->attrs = (uint32_t)g->attrs.count;
  memcpy(&g->attrs.data[g->attrs.count], attrs, size);
  g->attrs.count += n_words;
  return TIR_OK;
}

bool tir_pass_read_transpose(const tir_ir_graph *g, tir_ir_node node,
                             int *out_rank, int perm[TIR_MAX_RANK]) {
  if (tir_ir_op(g, node) != TIR_OP_TRANSPOSE) return false;
  const tir_attrs_axes *attrs = tir_ir_attrs(g, node);
  const int rank = tir_ir_value_at(g, tir_ir_in(g, node, 0))->rank;
  *out_rank = rank;
  // Without a list the axes are reversed, which is left to infer.
  if (attrs->axes.n != rank) return false;
  for (int i = 0; i < rank; i++)
    if (!tir_ir_axis(attrs->axes.v[i], rank, &perm[i])) return false;
  return true;
}
