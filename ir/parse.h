// Parts of the parser, shared by its files.
#ifndef TAPEIR_IR_PARSE_H
#define TAPEIR_IR_PARSE_H

#include "ir/attr.h"
#include "ir/module.h"
#include "ir/parse_lex.h"
#include "ir/text.h"

// A data section that was read.
typedef struct tir_ir_parsed_data {
  tir_tensor *tensor;
  const char *start;   // of the word data
  tir_ir_lexer after;  // at the token behind the section
} tir_ir_parsed_data;

typedef struct tir_ir_parser {
  tir_context *context;
  tir_error *error;
  tir_ir_lexer lex;
  TIR_VEC(char) string;  // of the last string token, decoded

  // Data sections by name (index + 1 by string id). They may stand behind the
  // graph that uses them: the first use reads all that follow.
  tir_base_strings data_names;
  tir_ir_names data_of_string;
  TIR_VEC(tir_ir_parsed_data) data;
  bool has_all_data;

  // Of the graph being read.
  tir_ir_graph *graph;
  tir_base_strings labels;
  tir_ir_names value_of_label;  // value id by string id
  TIR_VEC(uint32_t) operands;
  TIR_VEC(uint32_t) results;      // string ids of the labels
  TIR_VEC(tir_ir_type) types;     // as written
  TIR_VEC(uint32_t) value_names;  // string ids of the graph
  TIR_VEC(int32_t) lines;         // by node id
  int depth;                      // of bodies around it
} tir_ir_parser;

// parse_attrs.c: from the `{` to behind the `}`, or nothing there.
tir_status tir_ir_parse_attrs(tir_ir_parser *p, const tir_op_desc *desc,
                              tir_ir_any_attrs *out_attrs);
// What stands in the braces of a constant, whose type is known by now. The
// lexer is left behind the `}`.
tir_status tir_ir_parse_constant(tir_ir_parser *p, const tir_ir_type *type,
                                 tir_attrs_constant *out_attrs);
// Over braces and what is in them.
tir_status tir_ir_parse_skip_braces(tir_ir_parser *p);

// parse_tensor.c: contents of a tensor, `[1, 2]` or `hex …`.
tir_status tir_ir_parse_contents(tir_ir_parser *p, const tir_ir_type *type,
                                 tir_tensor **out_tensor);
// "expected an element of f32, found …".
tir_status tir_ir_parse_no_element(const tir_ir_parser *p, tir_dtype dtype);
// `data "name" f32[100] …`, at the word data.
tir_status tir_ir_parse_data(tir_ir_parser *p);
// Borrowed; reads ahead if need be.
tir_status tir_ir_parse_find_data(tir_ir_parser *p, const char *name,
                                  size_t size, tir_tensor **out_tensor);

// What is found only behind an item belongs to the line where it began.
static inline tir_status tir_ir_parse_at_line(const tir_ir_parser *p,
                                              int32_t line, tir_status status) {
  if (status != TIR_OK && p->error) p->error->line = line;
  return status;
}

// parse_type.c. Symbols are interned in the graph; without one they are an
// error.
tir_status tir_ir_parse_type(tir_ir_parser *p, tir_ir_type *out_type);
// Decodes the string token into p->string and moves on.
tir_status tir_ir_parse_string(tir_ir_parser *p, const char *what);
// A number token as an integer, and moves on.
tir_status tir_ir_parse_i64(tir_ir_parser *p, const char *what, int64_t *out);

// parse_graph.c: gives back what belongs to the graph being read, but the graph
// itself; strings and data sections belong to the text.
void tir_ir_parser_free_graph(tir_ir_parser *p);
// A body, `(…) { … }`, as a body of p->graph; its number.
tir_status tir_ir_parse_body(tir_ir_parser *p, const char *name,
                             int64_t *out_number);
// `graph @name(…) { … }` at the word graph, into p->graph.
tir_status tir_ir_parse_one_graph(tir_ir_parser *p);

#endif
