// infer: recompute every type from the declared ones.
//
// Class E. For graphs whose input sizes were changed (tir_ir_set_symbol) and
// as a check after import.
#include "ir/infer.h"
#include "passes/pass.h"

static tir_status run(tir_pass_ctx *ctx, tir_ir_graph *graph) {
  return tir_ir_infer_graph(graph, ctx->error);
}

const tir_pass_desc tir_pass_infer = {
    .name = "infer",
    .summary = "Recompute the types of all values.",
    .rewrite_class = TIR_PASS_E,
    .run = run,
};
