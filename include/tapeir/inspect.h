/// @file
/// Looking inside: the op table, passes, and the nodes of a graph. What the
/// `tapeir` command is written with.
#ifndef TAPEIR_INSPECT_H
#define TAPEIR_INSPECT_H

#include "tapeir/graph.h"

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
  uint32_t origin;      ///< in a differentiated graph: equal for a node and
                        ///< what its gradient rule made; 0 if unknown
} tir_node_info;

/// Nodes are numbered from 0 in topological order. ARGUMENT past the end.
TIR_API tir_status tir_graph_node(const tir_graph *graph, size_t node,
                                  tir_node_info *out_info);
/// Value number of an operand, SIZE_MAX past the end.
TIR_API size_t tir_graph_operand(const tir_graph *graph, size_t node,
                                 size_t i);
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

#ifdef __cplusplus
}
#endif
#endif
