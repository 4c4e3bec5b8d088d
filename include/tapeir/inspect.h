/// @file
/// Looking inside: the op table, passes, the nodes of a graph, and what a
/// program's memory is needed for. What the `tapeir` command is written with.
#ifndef TAPEIR_INSPECT_H
#define TAPEIR_INSPECT_H

#include "tapeir/program.h"

#ifdef __cplusplus
extern "C" {
#endif

// --- ops -------------------------------------------------------------------

/// What the op table says of an op.
typedef struct tir_op_info {
  const char *name;         ///< as in text and files
  const char *family;       ///< its group, "unary", "reduce", …
  const char *summary;      ///< one line
  const char *operands;     ///< names, comma-separated; "x..." repeats
  int min_inputs;           ///< fewest operands
  int max_inputs;           ///< −1: any number
  int n_outputs;            ///< 0: as many as the call asks for
  int n_attributes;         ///< see tir_op_attribute
  const char *no_gradient;  ///< NULL if it has one, else the reason
  uint32_t dtypes;          ///< bit tir_dtype d: takes d as operand or result
} tir_op_info;

/// One attribute of an op.
typedef struct tir_attribute_info {
  const char *name;      ///< as in text and files
  const char *kind;      ///< "int", "float", "bool", "dtype", "ints",
                         ///< "floats", "name", "body"
  bool required;         ///< has no default
  int64_t default_int;   ///< of an "int", "bool" or "dtype"
  double default_float;  ///< of a "float"
} tir_attribute_info;

/// Number of ops.
TIR_API size_t tir_op_count(void);
/// ARGUMENT past the end. All strings are static.
TIR_API tir_status tir_op_at(size_t index, tir_op_info *out_info);
/// Attribute number `index` of op number `op`; ARGUMENT past the end.
TIR_API tir_status tir_op_attribute(size_t op, size_t index,
                                    tir_attribute_info *out_info);

// --- passes ----------------------------------------------------------------

/// Number of passes.
TIR_API size_t tir_inspect_n_passes(void);
/// Name, static; NULL past the end.
TIR_API const char *tir_inspect_pass_name(size_t index);
/// One line, static; NULL past the end.
TIR_API const char *tir_inspect_pass_summary(size_t index);
/// Pass number `index` of a pipeline ("none", "basic", "full"); NULL past its
/// end and for other names.
TIR_API const char *tir_inspect_pipeline(const char *pipeline, size_t index);

// --- nodes of a graph ------------------------------------------------------

/// One node of a graph.
typedef struct tir_node_info {
  const char *op;       ///< its name, static
  const char *site;     ///< where it was recorded, NULL if unknown
  size_t n_inputs;      ///< operands
  size_t n_outputs;     ///< results
  size_t first_output;  ///< value number; the others follow
  bool backward;        ///< made by differentiation (files do not keep it)
  uint32_t origin;      ///< in a differentiated or captured graph: equal for a
                        ///< node and what its gradient rule made; 0 if unknown
} tir_node_info;

/// Nodes are numbered from 0 in topological order. ARGUMENT past the end.
TIR_API tir_status tir_graph_node(const tir_graph *graph, size_t node,
                                  tir_node_info *out_info);
/// Value number of an operand, SIZE_MAX past the end.
TIR_API size_t tir_graph_operand(const tir_graph *graph, size_t node, size_t i);
/// Value number of an output, SIZE_MAX past the end.
TIR_API size_t tir_graph_output_value(const tir_graph *graph, size_t index);
/// What sets a node apart besides its operands, as in the text form:
/// "{axes = [1]}", "" if there is nothing. Contents of a large constant are
/// told by their number and hash. Free with tir_text_free.
/// Errors  ARGUMENT past the end; MEMORY.
TIR_API tir_status tir_graph_node_text(const tir_graph *graph, size_t node,
                                       char **out_text, tir_error *error);
/// Type and name ("" if it has none) of a value.
TIR_API tir_status tir_graph_value(const tir_graph *graph, size_t value,
                                   tir_port *out_port);

// --- memory of a program ---------------------------------------------------

/// What an item of tir_explain_memory tells.
typedef enum tir_memory_role {
  TIR_MEMORY_LIVE = 1,  ///< a value in the arena at the peak
  TIR_MEMORY_KEPT = 2,  ///< a forward value that backward nodes read
  TIR_MEMORY_READ = 3,  ///< one such node, of the last KEPT value
} tir_memory_role;

/// One item of tir_explain_memory. Strings live as long as the program.
typedef struct tir_memory_item {
  tir_memory_role role;       ///< which of the fields below are filled
  tir_planned_value value;    ///< its op, bytes and steps
  tir_port type;              ///< of the value
  const char *site;           ///< where its op was recorded, NULL if unknown
  const char *reader_op;      ///< READ: the backward node, else NULL
  const char *reader_site;    ///< READ: NULL if unknown
  uint64_t reader_step;       ///< READ: step that it is, or is fused into
  const char *gradient_op;    ///< READ: forward op whose gradient the node
                              ///< takes part in; NULL if unknown
  const char *gradient_name;  ///< READ: of that op's first result, "" if it
                              ///< has none
  uint64_t reserved[8];
} tir_memory_item;

/// Sums of tir_explain_memory. Strings live as long as the program.
typedef struct tir_memory_summary {
  uint64_t arena_bytes;        ///< as in tir_memory_report
  uint64_t lower_bound_bytes;  ///< as in tir_memory_report
  uint64_t n_steps;            ///< kernels a run calls
  uint64_t peak_step;          ///< the first at which most bytes are alive
  uint64_t peak_bytes;         ///< of the values alive there, each on 64 bytes
  const char *peak_op;         ///< op of the first result of that step, "" if
                               ///< it leaves none in arena or outputs
  const char *peak_name;       ///< name of that result, "" if none
  const char *peak_site;       ///< where its op was recorded, NULL if unknown
  uint64_t n_live;             ///< number of LIVE items
  uint64_t kept_bytes;         ///< of all KEPT values
  uint64_t n_kept;             ///< number of KEPT items
  uint64_t n_reads;            ///< number of READ items
  bool knows_backward;         ///< false: no node is marked as backward, as in
                               ///< a graph from a file; nothing is KEPT then
  uint64_t reserved[8];
} tir_memory_summary;

/// Takes one item, valid during the call; false ends the listing.
typedef bool (*tir_memory_item_fn)(void *user, const tir_memory_item *item);

/// What the arena of a program is needed for: first the values alive at its
/// peak, then the forward values that backward nodes read, each followed by
/// those nodes; values largest first, nodes in order. Only memory of the arena
/// counts: a view stands for the value it is a view of, and what never leaves
/// a fused step is nowhere. `out_summary` (may be NULL) is complete before the
/// first item; `each` may be NULL.
/// Errors  ARGUMENT if `program` is NULL; MEMORY.
/// Cost    n log n in values and operands.
TIR_API tir_status tir_explain_memory(const tir_program *program,
                                      tir_memory_item_fn each, void *user,
                                      tir_memory_summary *out_summary,
                                      tir_error *error);
/// The same as text, for people; free with tir_text_free.
/// Errors  ARGUMENT if something is NULL; MEMORY.
TIR_API tir_status tir_explain_memory_text(const tir_program *program,
                                           char **out_text, tir_error *error);

#ifdef __cplusplus
}
#endif
#endif
