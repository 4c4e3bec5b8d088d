/// @file
/// Programs and instances: compiling a graph, planning its memory, running.
#ifndef TAPEIR_PROGRAM_H
#define TAPEIR_PROGRAM_H

#include "tapeir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled graph: schedule, memory plan, bound kernels. Immutable, shared
/// by threads.
typedef struct tir_program tir_program;
/// One execution context of a program. One thread at a time.
typedef struct tir_instance tir_instance;

/// All-zero means defaults.
typedef struct tir_compile_options {
  const char *pipeline;           ///< "none", "basic", "full" (default)
  const tir_dim_size *dim_sizes;  ///< sizes of symbolic dims
  size_t n_dim_sizes;             ///< number of entries
  uint64_t max_bytes;             ///< refuse a larger plan; 0 = no limit
  bool check_nan;                 ///< a run fails at the first NaN computed
  bool without_effects;           ///< nothing is assigned: states and
                                  ///< parameters stay as they are
  const char *const *outputs;     ///< names of the outputs wanted, which the
                                  ///< program has in this order; NULL: all.
                                  ///< Only what they and the assigns need is
                                  ///< computed; all inputs stay
  size_t n_outputs;               ///< number of names; 0 beside a list: none
  uint64_t reserved[6];
} tir_compile_options;

/// Compiles a graph. `options` may be NULL. The program keeps what it needs
/// of the graph.
TIR_API tir_status tir_compile(tir_context *context, const tir_graph *graph,
                               const tir_compile_options *options,
                               tir_program **out_program, tir_error *error);
/// Gives the caller's hold up; instances keep the program alive.
TIR_API void tir_program_destroy(tir_program *program);

/// Memory of one instance, known before the first run; all in bytes.
typedef struct tir_memory_report {
  uint64_t arena_bytes;        ///< intermediate values
  uint64_t lower_bound_bytes;  ///< most bytes alive at one step: no plan of
                               ///< this order can need less
  uint64_t scratch_bytes;      ///< working memory of kernels
  uint64_t output_bytes;       ///< outputs the caller did not bind
  uint64_t table_bytes;        ///< pointer tables and bookkeeping
  uint64_t block_bytes;        ///< the whole block an instance needs: exactly
                               ///< what tir_instance_create_in takes
  uint64_t param_bytes;        ///< parameters and state, owned by the module
  uint64_t input_bytes;        ///< inputs, owned by the caller
  uint64_t constant_bytes;     ///< constants, owned by the program
  uint64_t n_steps;            ///< kernels a run calls
  uint64_t n_values;           ///< see tir_program_value
  uint64_t reserved[8];
} tir_memory_report;

/// The report of one instance.
TIR_API void tir_program_memory(const tir_program *program,
                                tir_memory_report *out_report);

/// One planned value of a program.
typedef struct tir_planned_value {
  const char *name;       ///< "%3" or the user's name; borrowed
  const char *op;         ///< op that makes it
  const char *place;      ///< "arena", "input", "param", "output", "constant",
                          ///< "view"
  uint64_t offset_bytes;  ///< in the arena
  uint64_t size_bytes;    ///< of its elements
  uint32_t first_step;    ///< step that writes it
  uint32_t last_step;     ///< last step that reads it
  bool in_place;          ///< shares the memory of a dead operand
  uint64_t value;         ///< value number in the graph of tir_program_graph
} tir_planned_value;

/// Number of planned values.
TIR_API size_t tir_program_n_values(const tir_program *program);
/// ARGUMENT past the end.
TIR_API tir_status tir_program_value(const tir_program *program, size_t index,
                                     tir_planned_value *out_value);
/// The optimised graph the program runs, as a copy: its nodes and the values
/// that tir_planned_value numbers, for tapeir/inspect.h.
/// Owner  the caller, ends with tir_graph_destroy.
TIR_API tir_status tir_program_graph(const tir_program *program,
                                     tir_graph **out_graph, tir_error *error);
/// The optimised graph the program runs, in text form with the plan as
/// comments; free with tir_text_free.
TIR_API tir_status tir_program_to_text(const tir_program *program,
                                       char **out_text, tir_error *error);

/// Creates an instance with its own block of memory. `module` provides the
/// parameters and state by name; NULL if the graph has none. Instances keep
/// program and module alive.
TIR_API tir_status tir_instance_create(tir_program *program, tir_module *module,
                                       tir_instance **out_instance,
                                       tir_error *error);
/// Same in the caller's block: at least block_bytes, 64-byte aligned.
TIR_API tir_status tir_instance_create_in(tir_program *program,
                                          tir_module *module, void *block,
                                          size_t block_bytes,
                                          tir_instance **out_instance,
                                          tir_error *error);
/// Ends an instance; NULL is allowed.
TIR_API void tir_instance_destroy(tir_instance *instance);

/// Binds an input to the caller's memory, which must stay valid and hold the
/// data when tir_run is called. `size_bytes` must be exact. The address may be
/// any multiple of the element size; it changes no bit of a result. Memory
/// bound to outputs must overlap neither inputs, parameters nor other outputs.
TIR_API tir_status tir_instance_bind_input(tir_instance *instance, size_t index,
                                           const void *data, size_t size_bytes,
                                           tir_error *error);
/// Binds an output to the caller's memory; NULL goes back to own memory.
TIR_API tir_status tir_instance_bind_output(tir_instance *instance,
                                            size_t index, void *data,
                                            size_t size_bytes,
                                            tir_error *error);
/// Position by name, −1 if there is none.
TIR_API int64_t tir_instance_find_input(const tir_instance *instance,
                                        const char *name);
/// Position by name, −1 if there is none.
TIR_API int64_t tir_instance_find_output(const tir_instance *instance,
                                         const char *name);

/// What a monitor learns of a step just made; strings are borrowed from the
/// program.
typedef struct tir_step_report {
  uint64_t step;        ///< from 0, as in tir_planned_value
  const char *name;     ///< of the node's first result, "" if it has none; of
                        ///< a fused step that of its last node
  const char *op;       ///< its name; of a fused step "fused(mul, add, tanh)"
  const char *site;     ///< where it was recorded, NULL if unknown
  bool backward;        ///< made by differentiation
  int64_t start_ns;     ///< CLOCK_MONOTONIC time
  int64_t duration_ns;  ///< of the step alone
} tir_step_report;

/// All-zero means defaults.
typedef struct tir_run_options {
  bool (*cancel)(void *user);  ///< polled between steps; true stops the run
  void *cancel_user;           ///< handed to `cancel`
  int64_t deadline_ns;         ///< CLOCK_MONOTONIC time, 0 = none
  /// Called after each step, in order, on the thread that runs; it must not
  /// use the instance. NULL costs nothing.
  void (*monitor)(void *user, const tir_step_report *report);
  void *monitor_user;  ///< handed to `monitor`
  uint64_t reserved[6];
} tir_run_options;

/// Runs once; allocates nothing. `options` may be NULL.
/// Errors  STATE (an input is not bound), VALUE (bad index …), BUSY, TORN,
///         CANCELLED.
TIR_API tir_status tir_run(tir_instance *instance,
                           const tir_run_options *options, tir_error *error);
/// Data of an output after a run; valid until the next run. NULL past the end.
TIR_API const void *tir_instance_output(const tir_instance *instance,
                                        size_t index);
/// Type of an input at the sizes compiled for; ARGUMENT past the end.
TIR_API tir_status tir_program_input(const tir_program *program, size_t index,
                                     tir_port *out_port);
/// Type of an output at the sizes compiled for.
TIR_API tir_status tir_program_output(const tir_program *program, size_t index,
                                      tir_port *out_port);

/// Runs a graph in the slow reference evaluator: f64 accumulation, no passes,
/// no plan. `inputs` in graph order; outputs are new tensors.
TIR_API tir_status tir_reference_run(const tir_graph *graph, tir_module *module,
                                     tir_tensor *const *inputs, size_t n_inputs,
                                     tir_tensor **outputs, size_t n_outputs,
                                     tir_error *error);

#ifdef __cplusplus
}
#endif
#endif
