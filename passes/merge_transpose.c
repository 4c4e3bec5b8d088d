// merge-transpose: let matmul read an operand transposed.
//
//   matmul(transpose(a), b) {transpose_a = f} → matmul(a, b) {transpose_a = !f}
//   and the same for b, when the transpose swaps just the last two axes
//
// Class R: a product on other flags may add its terms in another order. Leaves
// dead transposes for eliminate-dead.
#include "passes/node_edit.h"
#include "passes/pass.h"

// Any other permutation moves batch axes, which flags cannot say.
static bool swaps_last_two(const tir_ir_graph *g, tir_ir_node n) {
  int rank = 0, perm[TIR_MAX_RANK];
  if (!tir_pass_read_transpose(g, n, &rank, perm) || rank < 2) return false;
  for (int i = 0; i < rank - 2; i++)
    if (perm[i] != i) return false;
  return perm[rank - 2] == rank - 1;
}

static tir_status run(tir_pass_ctx *ctx, tir_ir_graph *graph) {
  for (tir_ir_node n = tir_ir_first(graph); tir_ir_node_valid(n);
       n = tir_ir_next(graph, n)) {
    if (tir_ir_op(graph, n) != TIR_OP_MATMUL) continue;
    for (uint32_t i = 0; i < 2; i++) {
      const tir_ir_node maker = tir_ir_producer(graph, tir_ir_in(graph, n, i));
      if (!swaps_last_two(graph, maker)) continue;
      tir_attrs_matmul attrs =
          *(const tir_attrs_matmul *)tir_ir_attrs(graph, n);
      int64_t *flag = i == 0 ? &attrs.transpose_a : &attrs.transpose_b;
      *flag = !*flag;
      TIR_TRY(tir_pass_set_attrs(graph, n, &attrs, ctx->error));
      tir_pass_set_operand(graph, n, i, tir_ir_in(graph, maker, 0));
      ctx->rewrites++;
    }
  }
  return TIR_OK;
}

const tir_pass_desc tir_pass_merge_transpose = {
    .name = "merge-transpose",
    .summary = "Replace transposed operands of matmul by its flags.",
    .rewrite_class = TIR_PASS_R,
    .run = run,
};
