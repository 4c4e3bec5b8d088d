// Inside of tir_program: the flat array of steps, and running it.
#ifndef TAPEIR_EXEC_PROGRAM_H
#define TAPEIR_EXEC_PROGRAM_H

#include "exec/kernel.h"
#include "ir/base/atomics.h"
#include "ir/module.h"
#include "passes/plan.h"
#include "tapeir/program.h"

typedef struct tir_exec_step {
  tir_exec_kernel_fn run;
  const void *params;
  const tir_exec_split *split;  // NULL: one call does it all
  uint32_t arg;                 // into args
  uint32_t node;                // of program->graph, for errors; the last of
                                // a region
} tir_exec_step;

// Copies made after all steps, between entries of the pointer table.
typedef struct tir_exec_copy {
  uint32_t from;
  uint32_t to;
  size_t size_bytes;
} tir_exec_copy;

// Where an entry of the pointer table points.
typedef struct tir_exec_pointer {
  uint8_t kind;  // tir_place_kind
  uint32_t index;
  size_t offset;
} tir_exec_pointer;

struct tir_program {
  tir_context *context;
  atomic_size_t n_refs;
  tir_ir_graph *graph;  // optimised
  tir_plan plan;
  tir_base_arena arena;  // steps, args, pointers, parameter blocks
  tir_exec_step *steps;
  uint32_t n_steps;
  uint32_t commit;  // steps from here on overwrite state
  uint32_t *args;
  const char **region_ops;  // by region: "fused(mul, add, tanh)"
  // Entry 0 is NULL; entries from first_external on depend on what is bound,
  // those before only on the arena. From first_external on stand one entry
  // per input, one per param, one per output, then (from first_offset) places
  // inside of them.
  tir_exec_pointer *pointers;
  uint32_t n_pointers;
  uint32_t first_external;
  uint32_t first_offset;
  tir_exec_copy *copies;
  uint32_t n_copies;
  tir_ir_node *inputs;  // input nodes in order, by graph->inputs
  size_t *input_bytes;
  bool *input_read;  // false: only its shape matters, it may stay unbound
  uint32_t n_inputs;
  tir_ir_node *params;  // param nodes in order
  bool *param_written;  // by an assign
  uint32_t n_params;
  size_t *output_bytes;
  size_t *output_offset;  // of own memory, in an instance's block
  uint32_t n_outputs;
  bool writes_state;
  bool uses_blas;
  bool is_split;                  // some step has units: threads are of use
  TIR_VEC(tir_program *) bodies;  // of control steps, compiled
  tir_tensor **constants;
  uint32_t n_constants;
  size_t arena_bytes;
  size_t scratch_bytes;
  bool check_nan;
  tir_memory_report report;
  // For tir_program_value, only in programs of tir_compile.
  uint32_t *listed;  // ids of values that are somewhere
  const char **listed_names;
};

typedef struct tir_exec_compile_options {
  const char *pipeline;
  uint64_t max_bytes;
  bool check_nan;
  const bool *input_donated;  // live tape; NULL: none
  bool no_reuse;
  bool no_fuse;  // every node a step of its own (for tests)
  double grain;  // of tir_exec_prepare; 0: the usual one
} tir_exec_compile_options;

// Compiles `graph`, taking ownership of it (also on error). Runs passes,
// schedule, kernels' prepare, plan-memory (checked in debug builds).
tir_status tir_exec_compile(tir_context *context, tir_ir_graph *graph,
                            const tir_exec_compile_options *options,
                            tir_program **out_program, tir_error *error);
// Part of it: from the plan to pointers, args, steps, copies and scratch.
tir_status tir_exec_lower(tir_program *program,
                          const tir_exec_compile_options *options,
                          tir_error *error);
// Name of what a step does: of its op, or of the ops of its region.
const char *tir_exec_step_op(const tir_program *program,
                             const tir_exec_step *step);
// Bytes of an instance's own tables, the last part of its block.
size_t tir_exec_table_bytes(const tir_program *program);
// Fills `listed` and `listed_names`.
tir_status tir_exec_list_values(tir_program *program, tir_error *error);
tir_program *tir_exec_program_retain(tir_program *program);
void tir_exec_program_release(tir_program *program);

// What a run reads and writes.
typedef struct tir_exec_binding {
  void *arena;          // arena_bytes, 64-byte aligned
  void *scratch;        // scratch_bytes, 64-byte aligned
  void *const *inputs;  // NULL entries only for shape-only inputs
  void *const *params;
  void *const *outputs;
} tir_exec_binding;

// Fills the arena and constant entries of `ptr` / the external ones.
void tir_exec_resolve_internal(const tir_program *program, void *arena,
                               void **ptr);
void tir_exec_resolve_external(const tir_program *program,
                               const tir_exec_binding *binding, void **ptr);

typedef struct tir_exec_failure {
  uint32_t node;  // of program->graph; 0 if none
  bool torn;      // state was half written
  tir_exec_fault fault;
} tir_exec_failure;

// Runs all steps. Saves and restores the floating-point control register.
// On failure the status and *failure, which the caller turns into a message.
tir_status tir_exec_run_steps(const tir_program *program, void *const *ptr,
                              void *scratch, const tir_run_options *options,
                              tir_exec_failure *failure);
// Runs all steps of a body inside of a step that is running: `call` is that
// step's, whose poll is asked between the steps.
tir_status tir_exec_run_body(const tir_program *body, void *const *ptr,
                             void *scratch, const tir_exec_call *call,
                             tir_exec_failure *failure);
// "gather: index 7 …: node %12 "emb" (model.c:41)" into the error. `name` and
// `site` override the program's own when not NULL.
tir_status tir_exec_report_failure(const tir_program *program,
                                   tir_status status,
                                   const tir_exec_failure *failure,
                                   const char *name, const char *site,
                                   tir_error *error);

// Name of a node's first named result, "" if none has one.
const char *tir_exec_node_name(const tir_ir_graph *graph, uint32_t node);

// ": node %12 "emb" (model.c:41)" after the message in `error`, and the node's
// id into it. `name` and `site` as above.
void tir_exec_append_node(const tir_ir_graph *graph, uint32_t node,
                          const char *name, const char *site, tir_error *error);

#endif
