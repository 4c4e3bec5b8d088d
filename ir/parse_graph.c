// Parsing one graph. Every node goes through tir_ir_append_checked, so a bad
// one fails with the message its builder would give; then the written type is
// compared with the inferred one.
//
// A text is in topological order, so one walk is enough and an operand is
// always there. Labels live as long as the graph; names of values are strings
// of it.
#include <string.h>

#include "ir/body.h"
#include "ir/module_names.h"
#include "ir/parse.h"

// --- labels ----------------------------------------------------------------

// Digits only, or an identifier.
static tir_status check_label(const tir_ir_parser *p, bool *out_is_number) {
  const tir_ir_lexer *l = &p->lex;
  if (l->kind != TIR_TOKEN_LABEL)
    return tir_ir_lex_expected(l, "a value like %0 or %name");
  size_t n_digits = 0;
  while (n_digits < l->size && l->text[n_digits] >= '0' &&
         l->text[n_digits] <= '9')
    n_digits++;
  *out_is_number = n_digits == l->size;
  if (!*out_is_number && !tir_ir_is_identifier(l->text, l->size))
    return tir_ir_lex_expected(l, "a value like %0 or %name");
  if (l->size > TIR_MAX_NAME)
    return tir_ir_lex_fail(l, TIR_ERR_FORMAT,
                           "label has %zu bytes, expected at most %d", l->size,
                           TIR_MAX_NAME);
  return TIR_OK;
}

// A label at its definition: new in this graph. Its name, if it is one, goes
// to *out_name as a string of the graph.
static tir_status define_label(tir_ir_parser *p, uint32_t *out_label,
                               uint32_t *out_name) {
  bool is_number = false;
  TIR_TRY(check_label(p, &is_number));
  const tir_ir_lexer *l = &p->lex;
  *out_name = 0;
  // All memory first, then the check, then the mark.
  if (!tir_base_strings_intern(&p->labels, l->text, l->size, out_label) ||
      !tir_ir_names_reserve(p->context, &p->value_of_label, *out_label) ||
      (!is_number && !tir_base_strings_intern(&p->graph->strings, l->text,
                                              l->size, out_name)))
    return tir_base_fail_memory(p->error, l->size);
  if (p->value_of_label.data[*out_label])
    return tir_ir_lex_fail(l, TIR_ERR_FORMAT, "%%%.*s is defined twice",
                           (int)(l->size < 48 ? l->size : 48), l->text);
  // Until its node is there; tells a label given twice in one list.
  p->value_of_label.data[*out_label] = UINT32_MAX;
  return tir_ir_lex(&p->lex);
}

// Text is in topological order, so an unknown label is an error at once.
static tir_status use_label(tir_ir_parser *p, uint32_t *out_value) {
  bool is_number = false;
  TIR_TRY(check_label(p, &is_number));
  const tir_ir_lexer *l = &p->lex;
  const uint32_t label = tir_base_strings_find(&p->labels, l->text, l->size);
  *out_value = tir_ir_names_get(&p->value_of_label, label);
  if (*out_value == 0 || *out_value == UINT32_MAX)
    return tir_ir_lex_fail(l, TIR_ERR_FORMAT,
                           "%%%.*s is not defined before it is used",
                           (int)(l->size < 48 ? l->size : 48), l->text);
  return tir_ir_lex(&p->lex);
}

// A string behind a type: the value's name, instead of the label's. Leaves
// *name alone if there is none: then the label's name stands.
static tir_status parse_trailing_name(tir_ir_parser *p, uint32_t *name) {
  if (p->lex.kind != TIR_TOKEN_STRING) return TIR_OK;
  TIR_TRY(tir_ir_parse_string(p, "a name"));
  if (!tir_base_strings_intern(&p->graph->strings, p->string.data,
                               p->string.count, name))
    return tir_base_fail_memory(p->error, p->string.count);
  return TIR_OK;
}

// Lines stand by node id, for what is found only when the graph is whole.
static tir_status keep_line(tir_ir_parser *p, int32_t line) {
  if (TIR_VEC_PUSH(p->context, &p->lines, line)) return TIR_OK;
  return tir_base_fail_memory(p->error, sizeof line);
}

// Checked like a name given in C.
static tir_status give_name(const tir_ir_parser *p, tir_ir_value value,
                            uint32_t name, int32_t line) {
  const char *text = tir_base_strings_text(&p->graph->strings, name);
  return tir_ir_parse_at_line(
      p, line,
      tir_ir_set_value_name(p->graph, value, text, strlen(text), p->error));
}

// --- ports -----------------------------------------------------------------

// %x: f32[4], %w: param f32[3, 1] "w"
// A param always has the string, its name in the module.
static tir_status parse_port(tir_ir_parser *p) {
  const int32_t line = p->lex.line;
  uint32_t label = 0, name = 0;
  TIR_TRY(define_label(p, &label, &name));
  TIR_TRY(tir_ir_lex_punct(&p->lex, ':', "after the label"));
  const bool is_state = tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "state");
  const bool is_param =
      is_state || tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "param");
  if (is_param) TIR_TRY(tir_ir_lex(&p->lex));
  tir_ir_type type;
  TIR_TRY(tir_ir_parse_type(p, &type));
  TIR_TRY(parse_trailing_name(p, &name));

  const tir_attrs_param attrs = {.kind = is_state ? TIR_PARAM_STATE
                                                  : TIR_PARAM_TRAINABLE};
  tir_ir_node node;
  TIR_TRY(tir_ir_parse_at_line(
      p, line,
      tir_ir_append_checked(p->graph, is_param ? TIR_OP_PARAM : TIR_OP_INPUT,
                            NULL, 0, is_param ? &attrs : NULL, &type, 1, &node,
                            p->error)));
  // One for each node appended, or lines and ids would part.
  TIR_TRY(keep_line(p, line));
  const tir_ir_value value = tir_ir_out(p->graph, node, 0);
  p->value_of_label.data[label] = value.id;
  return give_name(p, value, name, line);
}

// Inputs and parameters stand before all nodes and may be in any order.
static tir_status parse_header(tir_ir_parser *p) {
  TIR_TRY(tir_ir_lex_punct(&p->lex, '(', "after the graph's name"));
  bool more = !tir_ir_lex_is_punct(&p->lex, ')');
  while (more) {
    TIR_TRY(parse_port(p));
    TIR_TRY(tir_ir_lex_try(&p->lex, ',', &more));
  }
  TIR_TRY(tir_ir_lex_punct(&p->lex, ')', "after the inputs"));
  return tir_ir_lex_punct(&p->lex, '{', "before the nodes");
}

// --- nodes -----------------------------------------------------------------

static tir_status no_memory(const tir_ir_parser *p) {
  return tir_base_fail_memory(p->error, sizeof(tir_ir_type));
}

// Before the op is known: how many there may be is checked by infer. Labels are
// taken in before the op is read, but are not usable by its own operands: they
// lead to no value yet.
static tir_status parse_results(tir_ir_parser *p) {
  p->results.count = p->value_names.count = 0;
  bool more = true;
  while (more) {
    uint32_t label = 0, name = 0;
    TIR_TRY(define_label(p, &label, &name));
    if (!TIR_VEC_PUSH(p->context, &p->results, label) ||
        !TIR_VEC_PUSH(p->context, &p->value_names, name))
      return no_memory(p);
    TIR_TRY(tir_ir_lex_try(&p->lex, ',', &more));
  }
  return tir_ir_lex_punct(&p->lex, '=', "after the results");
}

// Ports have syntax of their own; in the body they would have no place.
static tir_status parse_op(tir_ir_parser *p, tir_op *out_op) {
  const tir_ir_lexer *l = &p->lex;
  if (l->kind != TIR_TOKEN_WORD) return tir_ir_lex_expected(l, "an op");
  *out_op = tir_ir_op_find(l->text, l->size);
  const int size = l->size < 48 ? (int)l->size : 48;
  if (*out_op == TIR_OP_NONE)
    return tir_ir_lex_fail(l, TIR_ERR_FORMAT, "no op is named %.*s", size,
                           l->text);
  if (*out_op == TIR_OP_INPUT || *out_op == TIR_OP_PARAM)
    return tir_ir_lex_fail(l, TIR_ERR_FORMAT,
                           "%.*s: it belongs in the header, not in the body",
                           size, l->text);
  return tir_ir_lex(&p->lex);
}

// Operands end at the first token that is no label.
static tir_status parse_operands(tir_ir_parser *p) {
  p->operands.count = 0;
  bool more = p->lex.kind == TIR_TOKEN_LABEL;
  while (more) {
    uint32_t value = 0;
    TIR_TRY(use_label(p, &value));
    if (!TIR_VEC_PUSH(p->context, &p->operands, value)) return no_memory(p);
    TIR_TRY(tir_ir_lex_try(&p->lex, ',', &more));
  }
  return TIR_OK;
}

// Types are written so that a text can be read; infer has the last word.
static tir_status parse_types(tir_ir_parser *p, const tir_op_desc *desc,
                              int32_t line) {
  p->types.count = 0;
  TIR_TRY(tir_ir_lex_punct(&p->lex, ':', "before the type"));
  bool more = true;
  while (more) {
    // Also keeps the name below within value_names.
    if (p->types.count == p->results.count)
      return tir_ir_lex_fail(&p->lex, TIR_ERR_FORMAT,
                             "%s: more types than results: expected %zu",
                             desc->name, p->results.count);
    tir_ir_type type;
    TIR_TRY(tir_ir_parse_type(p, &type));
    TIR_TRY(parse_trailing_name(p, &p->value_names.data[p->types.count]));
    if (!TIR_VEC_PUSH(p->context, &p->types, type)) return no_memory(p);
    TIR_TRY(tir_ir_lex_try(&p->lex, ',', &more));
  }
  if (p->types.count == p->results.count) return TIR_OK;
  return tir_ir_parse_at_line(
      p, line,
      tir_base_fail(p->error, TIR_ERR_FORMAT,
                    "%s: fewer types than results: %zu, expected "
                    "%zu",
                    desc->name, p->types.count, p->results.count));
}

// The value of a constant reads by its type, which stands behind it. So the
// braces are skipped, the type is read, and the lexer goes back for the value.
// Tokens are slices of the text: going back is a copy of the lexer.
static tir_status parse_constant(tir_ir_parser *p, const tir_op_desc *desc,
                                 int32_t line, tir_ir_any_attrs *attrs) {
  const tir_ir_lexer value = p->lex;
  TIR_TRY(tir_ir_parse_skip_braces(p));
  TIR_TRY(parse_types(p, desc, line));
  const tir_ir_lexer behind = p->lex;
  p->lex = value;
  tir_attrs_constant constant;
  TIR_TRY(tir_ir_parse_constant(p, &p->types.data[0], &constant));
  memcpy(attrs, &constant, sizeof constant);
  p->lex = behind;
  return TIR_OK;
}

// The type the text gives result i against the inferred one. A dim's name may
// be left out.
static tir_status check_type(const tir_ir_parser *p, const tir_op_desc *desc,
                             tir_ir_value value, size_t i, int32_t line) {
  const tir_ir_type *written = &p->types.data[i];
  tir_ir_type type;
  tir_ir_type_of(p->graph, value, &type);
  char is[TIR_TYPE_TEXT_MAX], says[TIR_TYPE_TEXT_MAX];
  if (type.dtype != written->dtype || !tir_ir_same_shape(&type, written))
    return tir_ir_parse_at_line(
        p, line,
        tir_base_fail(
            p->error,
            type.dtype != written->dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
            "%s: result %zu is %s, the text says %s", desc->name, i,
            tir_ir_type_text(&type, is), tir_ir_type_text(written, says)));
  for (int axis = 0; axis < type.rank; axis++) {
    const uint32_t symbol = written->symbols[axis];
    if (symbol == 0 || symbol == type.symbols[axis]) continue;
    const tir_base_strings *strings = &p->graph->strings;
    char a[TIR_QUOTED_MAX], b[TIR_QUOTED_MAX];
    return tir_ir_parse_at_line(
        p, line,
        tir_base_fail(
            p->error, TIR_ERR_SHAPE,
            "%s: dim %d of result %zu is named %s, the text says %s",
            desc->name, axis, i,
            tir_base_quote(tir_base_strings_text(strings, type.symbols[axis]),
                           a),
            tir_base_quote(tir_base_strings_text(strings, symbol), b)));
  }
  return TIR_OK;
}

// Labels become usable here, after the node is there.
static tir_status add_node(tir_ir_parser *p, tir_op op, const void *attrs,
                           int32_t line) {
  const tir_op_desc *desc = tir_ir_op_desc(op);
  tir_ir_node node;
  TIR_TRY(tir_ir_parse_at_line(
      p, line,
      tir_ir_append_checked(p->graph, op, p->operands.data, p->operands.count,
                            attrs, p->types.data, p->types.count, &node,
                            p->error)));
  TIR_TRY(keep_line(p, line));
  for (uint32_t i = 0; i < p->results.count; i++) {
    const tir_ir_value value = tir_ir_out(p->graph, node, i);
    TIR_TRY(check_type(p, desc, value, i, line));
    TIR_TRY(give_name(p, value, p->value_names.data[i], line));
    p->value_of_label.data[p->results.data[i]] = value.id;
  }
  return TIR_OK;
}

// %0, %1 = op %a, %b {axis = 1} : f32[4], i64[4]
static tir_status parse_node(tir_ir_parser *p) {
  const int32_t line = p->lex.line;
  tir_op op = TIR_OP_NONE;
  tir_ir_any_attrs attrs;
  TIR_TRY(parse_results(p));
  TIR_TRY(parse_op(p, &op));
  TIR_TRY(parse_operands(p));
  const tir_op_desc *desc = tir_ir_op_desc(op);
  if (op == TIR_OP_CONSTANT) {
    TIR_TRY(parse_constant(p, desc, line, &attrs));
  } else {
    TIR_TRY(tir_ir_parse_attrs(p, desc, &attrs));
    TIR_TRY(parse_types(p, desc, line));
  }
  return add_node(p, op, desc->attrs_size ? &attrs : NULL, line);
}

// return %0 "loss", %1
static tir_status parse_return(tir_ir_parser *p) {
  TIR_TRY(tir_ir_lex(&p->lex));
  bool more = p->lex.kind == TIR_TOKEN_LABEL;
  while (more) {
    uint32_t value = 0;
    TIR_TRY(use_label(p, &value));
    const char *name = NULL;
    if (p->lex.kind == TIR_TOKEN_STRING) {
      TIR_TRY(tir_ir_parse_string(p, "a name"));
      name = p->string.data;
    }
    TIR_TRY(tir_ir_add_output(p->graph, (tir_ir_value){value}, name, p->error));
    TIR_TRY(tir_ir_lex_try(&p->lex, ',', &more));
  }
  return tir_ir_lex_punct(&p->lex, '}', "after the outputs");
}

// --- name and nodes --------------------------------------------------------

// @name, or @"any string" for names that are no identifiers.
static tir_status parse_name(tir_ir_parser *p) {
  TIR_TRY(tir_ir_lex(&p->lex));
  TIR_TRY(tir_ir_lex_punct(&p->lex, '@', "before the graph's name"));
  const tir_ir_lexer *l = &p->lex;
  if (l->kind == TIR_TOKEN_WORD) {
    if (!tir_base_strings_intern(&p->graph->strings, l->text, l->size,
                                 &p->graph->name))
      return tir_base_fail_memory(p->error, l->size);
    return tir_ir_lex(&p->lex);
  }
  TIR_TRY(tir_ir_parse_string(p, "the graph's name"));
  if (!tir_base_strings_intern(&p->graph->strings, p->string.data,
                               p->string.count, &p->graph->name))
    return tir_base_fail_memory(p->error, p->string.count);
  return TIR_OK;
}

static tir_status parse_nodes(tir_ir_parser *p) {
  TIR_TRY(parse_header(p));
  while (!tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "return")) {
    if (p->lex.kind != TIR_TOKEN_LABEL)
      return tir_ir_lex_expected(&p->lex, "a value or return");
    TIR_TRY(parse_node(p));
  }
  return parse_return(p);
}

// --- bodies ----------------------------------------------------------------

void tir_ir_parser_free_graph(tir_ir_parser *p) {
  TIR_VEC_FREE(p->context, &p->value_of_label);
  TIR_VEC_FREE(p->context, &p->operands);
  TIR_VEC_FREE(p->context, &p->results);
  TIR_VEC_FREE(p->context, &p->types);
  TIR_VEC_FREE(p->context, &p->value_names);
  TIR_VEC_FREE(p->context, &p->lines);
  tir_base_strings_free(&p->labels);
}

// What belongs to the graph around is set aside and comes back. Goes as deep
// as bodies may be nested.
#define SET_ASIDE(to, from)             \
  do {                                  \
    (to)->graph = (from)->graph;        \
    (to)->labels = (from)->labels;      \
    VEC_MOVE(to, from, value_of_label); \
    VEC_MOVE(to, from, operands);       \
    VEC_MOVE(to, from, results);        \
    VEC_MOVE(to, from, types);          \
    VEC_MOVE(to, from, value_names);    \
    VEC_MOVE(to, from, lines);          \
  } while (0)
#define VEC_MOVE(to, from, name)                 \
  do {                                           \
    (to)->name.data = (from)->name.data;         \
    (to)->name.count = (from)->name.count;       \
    (to)->name.capacity = (from)->name.capacity; \
  } while (0)

// Node 0 has a line too: that of the body itself.
static tir_status parse_inner(tir_ir_parser *p, const char *name) {
  TIR_TRY(tir_ir_graph_create(p->context, name, &p->graph, p->error));
  TIR_TRY(keep_line(p, p->lex.line));
  return parse_nodes(p);
}

// A body refused as a whole: the line of the node it is about.
static tir_status freeze_inner(tir_ir_parser *p, tir_ir_body **out_body) {
  tir_ir_graph *graph = p->graph;
  p->graph = NULL;
  const tir_status status = tir_ir_body_create(graph, out_body, p->error);
  const uint32_t node = status != TIR_OK && p->error ? p->error->node : 0;
  return tir_ir_parse_at_line(
      p, p->lines.data[node < p->lines.count ? node : 0], status);
}

tir_status tir_ir_parse_body(tir_ir_parser *p, const char *name,
                             int64_t *out_number) {
  if (p->depth == TIR_MAX_BODY_DEPTH)
    return tir_ir_lex_fail(&p->lex, TIR_ERR_LIMIT,
                           "bodies are nested deeper than %d",
                           TIR_MAX_BODY_DEPTH);
  tir_ir_parser around = {0};
  const tir_ir_parser empty = {0};
  SET_ASIDE(&around, p);
  SET_ASIDE(p, &empty);
  tir_base_strings_init(&p->labels, p->context);
  p->depth++;
  tir_ir_body *body = NULL;
  tir_status status = parse_inner(p, name);
  if (status == TIR_OK) status = freeze_inner(p, &body);
  // Set only if the body failed before it was frozen.
  tir_ir_graph_destroy(p->graph);
  tir_ir_parser_free_graph(p);
  SET_ASIDE(p, &around);
  p->depth--;
  if (status == TIR_OK)
    status = tir_ir_add_body(p->graph, body, out_number, p->error);
  tir_ir_body_release(body);
  return status;
}

// --- graph -----------------------------------------------------------------

// Labels are the graph's own; the parser's other tables go on.
tir_status tir_ir_parse_one_graph(tir_ir_parser *p) {
  TIR_TRY(tir_ir_graph_create(p->context, NULL, &p->graph, p->error));
  // Freed and empty, ready for the next graph; the arrays keep their memory.
  tir_base_strings_free(&p->labels);
  p->value_of_label.count = 0;
  p->lines.count = 0;
  TIR_TRY(keep_line(p, p->lex.line));  // node 0: the graph
  TIR_TRY(parse_name(p));
  TIR_TRY(parse_nodes(p));
  // A text does not tell what was recorded: it reads as if everything was.
  tir_ir_mark_history(p->graph);
  return TIR_OK;
}
