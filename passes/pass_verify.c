// verify: check everything the other passes rely on. Changes nothing.
// For lists given by hand: debug builds verify after every pass anyway.
#include "ir/infer.h"
#include "passes/pass.h"

static tir_status run(tir_pass_ctx *ctx, tir_ir_graph *graph) {
  return tir_ir_verify(graph, ctx->error);
}

const tir_pass_desc tir_pass_verify = {
    .name = "verify",
    .summary = "Check the graph; an error names what is wrong.",
    .rewrite_class = TIR_PASS_E,
    .run = run,
};
