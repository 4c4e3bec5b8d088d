/// @file
/// Static graphs and modules: capturing, text form, named parameters.
#ifndef TAPEIR_GRAPH_H
#define TAPEIR_GRAPH_H

#include "tapeir/base.h"
#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// One frozen static function. Immutable, shared by threads.
typedef struct tir_graph tir_graph;
/// Named graphs that share named parameters and state, plus metadata: what a
/// .tir file holds.
typedef struct tir_module tir_module;

// --- modules ---------------------------------------------------------------

/// A module without graphs and parameters.
/// Owner   the caller, ends with tir_module_destroy.
TIR_API tir_status tir_module_create(tir_context *context,
                                     tir_module **out_module, tir_error *error);
/// Gives the caller's hold up; instances keep the module alive.
TIR_API void tir_module_destroy(tir_module *module);

/// What a named tensor of a module is for.
typedef enum tir_param_kind {
  TIR_PARAM_TRAINABLE = 0,  ///< weights: what optimisers update
  TIR_PARAM_STATE,          ///< statistics, counters, optimiser state
} tir_param_kind;

/// Adds a named tensor holding a copy of `initial`'s data.
/// Errors  ARGUMENT if the name is empty, too long (1,024 bytes), not UTF-8
///         or taken.
TIR_API tir_status tir_module_add_param(tir_module *module, const char *name,
                                        tir_param_kind kind,
                                        const tir_tensor *initial,
                                        tir_error *error);
/// Number of parameters and state tensors.
TIR_API size_t tir_module_n_params(const tir_module *module);
/// Borrowed name, NULL past the end.
TIR_API const char *tir_module_param_name(const tir_module *module,
                                          size_t index);
/// TRAINABLE past the end.
TIR_API tir_param_kind tir_module_param_kind(const tir_module *module,
                                             size_t index);
/// −1 if there is none of that name.
TIR_API int64_t tir_module_find_param(const tir_module *module,
                                      const char *name);
/// Copy of a parameter's data as a new tensor. Errors: ARGUMENT, BUSY, TORN;
/// FORMAT for a mapped one that does not match its checksum.
TIR_API tir_status tir_module_get_param(tir_module *module, const char *name,
                                        tir_tensor **out_tensor,
                                        tir_error *error);
/// Overwrites a parameter; dtype and shape must match.
TIR_API tir_status tir_module_set_param(tir_module *module, const char *name,
                                        const tir_tensor *value,
                                        tir_error *error);

/// Copies data between modules: every parameter of `from` whose name begins
/// with `prefix` ("" or NULL: all) and that `to` has too. Types are compared
/// first: on an error nothing is written. `*out_n` (may be NULL) is how many.
/// Errors  DTYPE, SHAPE naming the parameter; BUSY, TORN; FORMAT for a mapped
///         one that does not match its checksum.
TIR_API tir_status tir_module_copy_params(tir_module *to, tir_module *from,
                                          const char *prefix, size_t *out_n,
                                          tir_error *error);
/// Freezes (or frees) every trainable parameter whose name begins with
/// `prefix`, for tir_module_variables; `*out_n` (may be NULL) is how many.
/// Graphs captured before stay as they are, and a file does not hold the mark.
/// Errors  ARGUMENT if there is none of that name; BUSY, TORN.
TIR_API tir_status tir_module_freeze(tir_module *module, const char *prefix,
                                     bool frozen, size_t *out_n,
                                     tir_error *error);
/// Did tir_module_freeze mark it? False past the end.
TIR_API bool tir_module_is_frozen(const tir_module *module, size_t index);
/// The trainable parameters that are not frozen and whose names begin with
/// `prefix`, in the module's order, as variables of the tape or of the capture
/// into this module: each has a gradient attached (TIR_GRAD_WRITE) unless it
/// had one. Groups are prefixes: a step for each list. Returns how many there
/// are and fills up to `n_max`; 0 if an error stands (kept by `tape`).
TIR_API size_t tir_module_variables(tir_tape *tape, tir_module *module,
                                    const char *prefix, tir_value *out_values,
                                    size_t n_max);

/// Number of graphs.
TIR_API size_t tir_module_n_graphs(const tir_module *module);
/// Borrowed, NULL past the end.
TIR_API tir_graph *tir_module_graph_at(tir_module *module, size_t index);
/// Borrowed, NULL if there is none of that name.
TIR_API tir_graph *tir_module_graph(tir_module *module, const char *name);
/// Adds a copy of a graph, under `name` (NULL: its own): one that was
/// optimised or differentiated, or one of another module. `*out_graph` (may be
/// NULL) is borrowed.
/// Errors  ARGUMENT if the name is taken or bad, or a parameter is missing in
///         the module; SHAPE or DTYPE if one is of another type.
/// Cost    linear in the nodes; constants are shared.
TIR_API tir_status tir_module_add_graph(tir_module *module,
                                        const tir_graph *graph,
                                        const char *name, tir_graph **out_graph,
                                        tir_error *error);

/// Metadata: UTF-8 keys and values. A NULL value removes the key.
/// Errors  ARGUMENT; BUSY during runs and saves of other threads; TORN.
TIR_API tir_status tir_module_set_metadata(tir_module *module, const char *key,
                                           const char *value, tir_error *error);
/// Borrowed value, NULL if there is none of that key.
TIR_API const char *tir_module_get_metadata(const tir_module *module,
                                            const char *key);
/// Number of keys.
TIR_API size_t tir_module_n_metadata(const tir_module *module);
/// Borrowed key, NULL past the end.
TIR_API const char *tir_module_metadata_key(const tir_module *module,
                                            size_t index);

// --- capturing -------------------------------------------------------------

/// Starts capturing a graph named `name` into `module`. Op calls on the tape
/// go to the graph until tir_capture_end; values of the live tape may not be
/// used in it. Recording is on for gradients inside a capture if the tape's
/// modes say so.
TIR_API void tir_capture_begin(tir_tape *tape, tir_module *module,
                               const char *name);
/// Input of the captured graph.
TIR_API tir_value tir_input(tir_tape *tape, const char *name, tir_dtype dtype,
                            const int64_t *dims, int rank);
/// Input with named dims: dim_names[i] NULL for a fixed one, else the symbol,
/// with dims[i] its size while capturing.
TIR_API tir_value tir_input_symbolic(tir_tape *tape, const char *name,
                                     tir_dtype dtype, const int64_t *dims,
                                     const char *const *dim_names, int rank);
/// A module's parameter or state as a value: in a capture it must be the
/// module being captured into; on a live tape it is the module's own storage.
/// Every call gives a handle of its own; all of them mean the present version.
TIR_API tir_value tir_param(tir_tape *tape, tir_module *module,
                            const char *name);
/// Constant of the captured graph (or leaf of a live tape).
TIR_API tir_value tir_constant(tir_tape *tape, tir_tensor *tensor);
/// Declares an output of the captured graph.
TIR_API void tir_output(tir_tape *tape, const char *name, tir_value value);
/// Ends the capture: expands gradients, verifies, and adds the graph to the
/// module. On an error the graph is dropped and the tape is live again.
TIR_API tir_status tir_capture_end(tir_tape *tape, tir_graph **out_graph,
                                   tir_error *error);

// --- graphs ----------------------------------------------------------------

/// Type and name of an input, output, parameter or value.
typedef struct tir_port {
  const char *name;                     ///< borrowed
  tir_dtype dtype;                      ///< of every element
  int rank;                             ///< number of axes
  int64_t dims[TIR_MAX_RANK];           ///< `rank` entries
  const char *dim_names[TIR_MAX_RANK];  ///< NULL where the dim is fixed
} tir_port;

/// Borrowed.
TIR_API const char *tir_graph_name(const tir_graph *graph);
/// Number of inputs.
TIR_API size_t tir_graph_n_inputs(const tir_graph *graph);
/// Number of outputs.
TIR_API size_t tir_graph_n_outputs(const tir_graph *graph);
/// Number of parameters and state tensors it uses.
TIR_API size_t tir_graph_n_params(const tir_graph *graph);
/// Number of nodes, inputs and parameters included.
TIR_API size_t tir_graph_n_nodes(const tir_graph *graph);
/// Input number `index`; this and the two below return ARGUMENT past the end.
TIR_API tir_status tir_graph_input(const tir_graph *graph, size_t index,
                                   tir_port *out_port);
/// Output number `index`.
TIR_API tir_status tir_graph_output(const tir_graph *graph, size_t index,
                                    tir_port *out_port);
/// Parameter number `index`.
TIR_API tir_status tir_graph_param(const tir_graph *graph, size_t index,
                                   tir_port *out_port);

/// Op names and how often each occurs, by falling count. Returns the number
/// of distinct ops and fills up to n_max entries.
TIR_API size_t tir_graph_op_counts(const tir_graph *graph,
                                   const char **out_names, size_t *out_counts,
                                   size_t n_max);

/// Text form of a graph or a whole module, NUL-terminated, in memory of the
/// context; free it with tir_text_free.
TIR_API tir_status tir_graph_to_text(const tir_graph *graph, char **out_text,
                                     tir_error *error);
/// All graphs, parameters and metadata.
TIR_API tir_status tir_module_to_text(const tir_module *module, char **out_text,
                                      tir_error *error);
/// Frees a text of the library; NULL is allowed.
TIR_API void tir_text_free(tir_context *context, char *text);
/// Parses a text of one or more graphs with their parameters' data.
TIR_API tir_status tir_module_from_text(tir_context *context, const char *text,
                                        size_t size, tir_module **out_module,
                                        tir_error *error);

/// Runs passes on a copy of a graph: `passes` is a comma-separated list of
/// pass or pipeline names ("basic", "full", "fold-constants,eliminate-dead").
/// Owner  the caller, ends with tir_graph_destroy.
TIR_API tir_status tir_graph_optimize(const tir_graph *graph,
                                      const char *passes, tir_graph **out_graph,
                                      tir_error *error);
/// The graph with gradient outputs: for every float input and parameter (or
/// those named in `wrt`) an output "NAME.grad", for every head an input
/// "NAME.head" unless `default_heads` (ones).
TIR_API tir_status tir_graph_differentiate(const tir_graph *graph,
                                           const char *const *wrt, size_t n_wrt,
                                           bool default_heads,
                                           tir_graph **out_graph,
                                           tir_error *error);
/// Size of a symbolic dim.
typedef struct tir_dim_size {
  const char *name;  ///< its symbol
  int64_t size;      ///< 0 or more
} tir_dim_size;

/// The graph with symbolic dims fixed to sizes: they lose their names, and
/// every type follows.
/// Errors  ARGUMENT if no input has a dim of that name or a size is negative;
///         what an op says that cannot follow, with its node.
/// Owner   the caller, ends with tir_graph_destroy.
TIR_API tir_status tir_graph_fix_dims(const tir_graph *graph,
                                      const tir_dim_size *sizes, size_t n_sizes,
                                      tir_graph **out_graph, tir_error *error);
/// For graphs the caller owns; a module's graphs end with the module.
TIR_API void tir_graph_destroy(tir_graph *graph);

#ifdef __cplusplus
}
#endif
#endif
