// The driver: finds passes by name, runs lists of them, watches and verifies.
//
// Pipelines are arrays. `none` is what execution cannot do without; `basic`
// keeps every bit; `full` keeps finite results within the accuracy rules.
// simplify-algebra runs twice: before folding, so that a broadcast constant is
// taken at its small size, and after it, to meet the constants made.
#include "passes/pass.h"

#include <string.h>

#include "ir/base/clock.h"
#include "ir/infer.h"
#include "tapeir/inspect.h"

static const tir_pass_desc *const all_passes[] = {
#define TIR_PASS(ID) &tir_pass_##ID,
#include "passes/passes.def"
#undef TIR_PASS
};

enum { N_PASSES = sizeof all_passes / sizeof *all_passes };

// Nothing can run a gradient call, so even `none` expands them.
static const tir_pass_desc *const none_passes[] = {
    &tir_pass_gradient,
    NULL,
};

// eliminate-common comes after whatever makes nodes equal, and eliminate-dead
// last, to take along what all others left.
static const tir_pass_desc *const basic_passes[] = {
    &tir_pass_gradient,
    &tir_pass_simplify_algebra,
    &tir_pass_fold_constants,
    &tir_pass_simplify_algebra,
    &tir_pass_eliminate_common,
    &tir_pass_eliminate_dead,
    NULL,
};

// merge-transpose is the only pass that full adds.
static const tir_pass_desc *const full_passes[] = {
    &tir_pass_gradient,        &tir_pass_simplify_algebra,
    &tir_pass_fold_constants,  &tir_pass_simplify_algebra,
    &tir_pass_merge_transpose, &tir_pass_eliminate_common,
    &tir_pass_eliminate_dead,  NULL,
};

typedef struct pipeline {
  const char *name;
  const tir_pass_desc *const *passes;  // ends with NULL
} pipeline;

static const pipeline pipelines[] = {
    {"none", none_passes},
    {"basic", basic_passes},
    {"full", full_passes},
};

enum { N_PIPELINES = sizeof pipelines / sizeof *pipelines };

static bool is_name(const char *name, const char *text, size_t size) {
  return strlen(name) == size && memcmp(name, text, size) == 0;
}

// Names come from lists, so they do not end with a zero.
const tir_pass_desc *tir_pass_find(const char *name, size_t size) {
  for (size_t i = 0; i < N_PASSES; i++)
    if (is_name(all_passes[i]->name, name, size)) return all_passes[i];
  return NULL;
}

const tir_pass_desc *tir_pass_at(size_t index) {
  return index < N_PASSES ? all_passes[index] : NULL;
}

static const pipeline *find_pipeline(const char *name, size_t size) {
  for (size_t i = 0; i < N_PIPELINES; i++)
    if (is_name(pipelines[i].name, name, size)) return &pipelines[i];
  return NULL;
}

#ifndef NDEBUG
// A pass that breaks its graph is found here, by name, not three passes later.
static tir_status verify_after(const tir_pass_ctx *ctx,
                               const tir_pass_desc *pass,
                               const tir_ir_graph *graph) {
  const tir_status status = tir_ir_verify(graph, ctx->error);
  if (status == TIR_OK) return TIR_OK;
  tir_base_error_prefix(ctx->error, pass->name);
  tir_base_error_prefix(ctx->error, "graph is broken after");
  return status;
}
#endif

// Time is taken only when somebody looks.
static tir_status run_pass(tir_pass_ctx *ctx, const tir_pass_desc *pass,
                           const tir_pass_watch *watch, tir_ir_graph *graph) {
  if (watch && watch->before) watch->before(watch->user, pass, graph);
  // The count runs through a whole list; a watcher is told the difference.
  const uint64_t rewrites = ctx->rewrites;
  const int64_t start_ns = watch ? tir_base_now_ns() : 0;
  TIR_TRY(pass->run(ctx, graph));
#ifndef NDEBUG
  TIR_TRY(verify_after(ctx, pass, graph));
#endif
  if (watch && watch->after)
    watch->after(watch->user, pass, graph, ctx->rewrites - rewrites,
                 (uint64_t)(tir_base_now_ns() - start_ns));
  return TIR_OK;
}

// A name is a pass or a pipeline, so lists may mix both.
static tir_status run_item(tir_pass_ctx *ctx, const char *name, size_t size,
                           const tir_pass_watch *watch, tir_ir_graph *graph) {
  const tir_pass_desc *pass = tir_pass_find(name, size);
  if (pass) return run_pass(ctx, pass, watch, graph);

  const pipeline *line = find_pipeline(name, size);
  if (!line) {
    char buffer[TIR_QUOTED_MAX], copy[TIR_QUOTED_MAX] = "";
    const size_t shown = size < sizeof copy - 1 ? size : sizeof copy - 1;
    // The message quotes a text that ends with a zero, cut where it is too
    // long.
    memcpy(copy, name, shown);
    return tir_base_fail(ctx->error, TIR_ERR_ARGUMENT,
                         "passes: no pass or pipeline is named %s",
                         tir_base_quote(copy, buffer));
  }
  for (size_t i = 0; line->passes[i]; i++)
    TIR_TRY(run_pass(ctx, line->passes[i], watch, graph));
  return TIR_OK;
}

// "a, b,,c": spaces and gaps are nothing.
tir_status tir_pass_run(tir_pass_ctx *ctx, const char *list,
                        const tir_pass_watch *watch, tir_ir_graph *graph) {
  if (!list)
    return tir_base_fail(ctx->error, TIR_ERR_ARGUMENT,
                         "passes: no list of passes given");
  const char *at = list;
  while (*at) {
    at += strspn(at, " ,");
    size_t size = strcspn(at, ",");
    const char *next = at + size;
    while (size > 0 && at[size - 1] == ' ') size--;
    if (size > 0) TIR_TRY(run_item(ctx, at, size, watch, graph));
    at = next;
  }
  return TIR_OK;
}

// --- for the outside -------------------------------------------------------

// Passes in the order of passes.def; NULL behind the last.
size_t tir_inspect_n_passes(void) { return N_PASSES; }

const char *tir_inspect_pass_name(size_t index) {
  return index < N_PASSES ? all_passes[index]->name : NULL;
}

const char *tir_inspect_pass_summary(size_t index) {
  return index < N_PASSES ? all_passes[index]->summary : NULL;
}

const char *tir_inspect_pipeline(const char *name, size_t index) {
  const pipeline *line = name ? find_pipeline(name, strlen(name)) : NULL;
  if (!line) return NULL;
  for (size_t i = 0; line->passes[i]; i++)
    if (i == index) return line->passes[i]->name;
  return NULL;
}
