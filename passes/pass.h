// Passes: graph → graph, one file each, behind a const descriptor.
#ifndef TAPEIR_PASSES_PASS_H
#define TAPEIR_PASSES_PASS_H

#include "ir/graph.h"

// What a rewrite may change.
typedef enum tir_pass_class {
  TIR_PASS_E,  // same bits
  TIR_PASS_R,  // finite results within the accuracy rules
  TIR_PASS_F,  // special values too
} tir_pass_class;

typedef struct tir_pass_ctx {
  tir_context *context;
  tir_error *error;
  uint64_t rewrites;        // counted by the pass
  size_t max_folded_bytes;  // 0: 16 MiB
  // The graph goes straight to compile: nobody will differentiate it or infer
  // it at other sizes. Then stop_gradient and cut may go, and symbolic dims
  // may become literals.
  bool for_execution;
} tir_pass_ctx;

typedef struct tir_pass_desc {
  const char *name;  // "fold-constants"
  const char *summary;
  tir_pass_class rewrite_class;
  tir_status (*run)(tir_pass_ctx *ctx, tir_ir_graph *graph);
} tir_pass_desc;

#define TIR_PASS(ID) extern const tir_pass_desc tir_pass_##ID;
#include "passes/passes.def"
#undef TIR_PASS

// By name, NULL if there is none. `index` form for listing; NULL at the end.
const tir_pass_desc *tir_pass_find(const char *name, size_t size);
const tir_pass_desc *tir_pass_at(size_t index);

// Called around each pass (for --before/--after and counting); may be NULL.
typedef struct tir_pass_watch {
  void (*before)(void *user, const tir_pass_desc *pass,
                 const tir_ir_graph *graph);
  void (*after)(void *user, const tir_pass_desc *pass,
                const tir_ir_graph *graph, uint64_t rewrites, uint64_t time_ns);
  void *user;
} tir_pass_watch;

// Runs a comma-separated list of passes and pipelines (none, basic, full) on
// the graph. Verifies after every pass in debug builds.
tir_status tir_pass_run(tir_pass_ctx *ctx, const char *list,
                        const tir_pass_watch *watch, tir_ir_graph *graph);

#endif
