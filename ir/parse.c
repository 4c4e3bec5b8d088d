// Parser: what stands in a text, one item after the other. Only bodies recurse
// (parse_graph.c), 32 deep at most; errors carry the line. The grammar is
// docs/text-format.md; tokens come from parse_lex.c.
#include "ir/parse.h"

#include <string.h>

// One parser for the whole text: its arrays are used again by every graph.
static void parser_begin(tir_ir_parser *p, tir_context *context,
                         const char *text, size_t size, tir_error *error) {
  *p = (tir_ir_parser){.context = context, .error = error};
  tir_ir_lex_begin(&p->lex, text, size, error);
  tir_base_strings_init(&p->data_names, context);
  tir_base_strings_init(&p->labels, context);
}

// A graph left here is one that was not finished.
static void parser_end(tir_ir_parser *p) {
  for (size_t i = 0; i < p->data.count; i++)
    tir_tensor_release(p->data.data[i].tensor);
  TIR_VEC_FREE(p->context, &p->string);
  TIR_VEC_FREE(p->context, &p->data_of_string);
  TIR_VEC_FREE(p->context, &p->data);
  tir_base_strings_free(&p->data_names);
  tir_ir_parser_free_graph(p);
  tir_ir_graph_destroy(p->graph);
}

// --- items of a module -----------------------------------------------------

// The kind is always written: there is no default to forget.
static tir_status parse_kind(tir_ir_parser *p, tir_param_kind *out_kind) {
  TIR_TRY(tir_ir_lex_punct(&p->lex, '{', "before the kind"));
  if (!tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "kind"))
    return tir_ir_lex_expected(&p->lex, "kind");
  TIR_TRY(tir_ir_lex(&p->lex));
  TIR_TRY(tir_ir_lex_punct(&p->lex, '=', "after kind"));
  const bool is_state = tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "state");
  if (!is_state && !tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "trainable"))
    return tir_ir_lex_expected(&p->lex, "trainable or state");
  *out_kind = is_state ? TIR_PARAM_STATE : TIR_PARAM_TRAINABLE;
  TIR_TRY(tir_ir_lex(&p->lex));
  return tir_ir_lex_punct(&p->lex, '}', "after the kind");
}

// param "w" f32[3, 1] {kind = trainable} [1, 2, 3]
// The name waits in p->string meanwhile: dims of a param have no names, so no
// other string is decoded before it is used.
static tir_status parse_param(tir_ir_parser *p, tir_module *module) {
  const int32_t line = p->lex.line;
  TIR_TRY(tir_ir_lex(&p->lex));
  TIR_TRY(tir_ir_parse_string(p, "the name of the param"));
  tir_ir_type type;
  tir_param_kind kind = TIR_PARAM_TRAINABLE;
  tir_tensor *tensor = NULL;
  uint32_t index = 0;
  // No graph, no symbols: a named dim is an error here.
  TIR_TRY(tir_ir_parse_type(p, &type));
  TIR_TRY(parse_kind(p, &kind));
  TIR_TRY(tir_ir_parse_contents(p, &type, &tensor));
  const tir_status status = tir_ir_module_add_tensor(
      module, p->string.data, p->string.count, kind, tensor, &index, p->error);
  if (status != TIR_OK) tir_tensor_release(tensor);
  return tir_ir_parse_at_line(p, line, status);
}

// metadata "key" "value"
static tir_status parse_metadata(tir_ir_parser *p, tir_module *module) {
  const int32_t line = p->lex.line;
  TIR_TRY(tir_ir_lex(&p->lex));
  TIR_TRY(tir_ir_parse_string(p, "the key"));
  if (p->lex.kind != TIR_TOKEN_STRING)
    return tir_ir_lex_expected(&p->lex, "the value");
  // Both strings are wanted at once: keep the key while the value is decoded.
  const size_t bytes = p->string.count + 1;
  char *key = tir_base_alloc(p->context, bytes, 1);
  if (!key) return tir_base_fail_memory(p->error, bytes);
  memcpy(key, p->string.data, bytes);
  tir_status status = tir_ir_parse_string(p, "the value");
  char quoted[TIR_QUOTED_MAX];
  if (status == TIR_OK && tir_module_get_metadata(module, key))
    status = tir_ir_parse_at_line(
        p, line,
        tir_base_fail(p->error, TIR_ERR_FORMAT, "metadata %s is given twice",
                      tir_base_quote(key, quoted)));
  else if (status == TIR_OK)
    status = tir_ir_parse_at_line(
        p, line,
        tir_module_set_metadata(module, key, p->string.data, p->error));
  tir_base_free(p->context, key, bytes, 1);
  return status;
}

// The graph belongs to the module from here on, also when it is refused. An
// error that names a node gets the node's line.
static tir_status parse_graph(tir_ir_parser *p, tir_module *module) {
  TIR_TRY(tir_ir_parse_one_graph(p));
  tir_ir_graph *ir = p->graph;
  p->graph = NULL;
  tir_graph *graph = NULL;
  const tir_status status =
      tir_ir_module_add_graph(module, ir, &graph, p->error);
  // Line 0 of `lines` is where the graph begins, for errors of no node.
  const uint32_t node = status != TIR_OK && p->error ? p->error->node : 0;
  return tir_ir_parse_at_line(
      p, p->lines.data[node < p->lines.count ? node : 0], status);
}

// In any order: a graph may stand before the data it uses. Each item is added
// to the module as soon as it is read; on an error the whole module goes.
static tir_status parse_items(tir_ir_parser *p, tir_module *module) {
  TIR_TRY(tir_ir_lex(&p->lex));
  while (p->lex.kind != TIR_TOKEN_END) {
    if (tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "graph"))
      TIR_TRY(parse_graph(p, module));
    else if (tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "data"))
      TIR_TRY(tir_ir_parse_data(p));
    else if (tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "param"))
      TIR_TRY(parse_param(p, module));
    else if (tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "metadata"))
      TIR_TRY(parse_metadata(p, module));
    else
      return tir_ir_lex_expected(&p->lex, "graph, data, param or metadata");
  }
  return TIR_OK;
}

tir_status tir_ir_parse(tir_context *context, const char *text, size_t size,
                        tir_module **out_module, tir_error *error) {
  *out_module = NULL;
  tir_module *module = NULL;
  TIR_TRY(tir_module_create(context, &module, error));
  tir_ir_parser p;
  parser_begin(&p, context, text, size, error);
  const tir_status status = parse_items(&p, module);
  parser_end(&p);
  if (status == TIR_OK)
    *out_module = module;
  else
    tir_module_destroy(module);
  return status;
}

// --- one graph -------------------------------------------------------------

// Tests and tools read one graph without a module around it.
static tir_status parse_single(tir_ir_parser *p) {
  TIR_TRY(tir_ir_lex(&p->lex));
  while (p->lex.kind != TIR_TOKEN_END) {
    if (tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "data"))
      TIR_TRY(tir_ir_parse_data(p));
    else if (tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "graph") && !p->graph)
      TIR_TRY(tir_ir_parse_one_graph(p));
    else
      return tir_ir_lex_expected(&p->lex, "one graph and its data");
  }
  return p->graph ? TIR_OK : tir_ir_lex_expected(&p->lex, "a graph");
}

tir_status tir_ir_parse_graph(tir_context *context, const char *text,
                              size_t size, tir_ir_graph **out_graph,
                              tir_error *error) {
  *out_graph = NULL;
  tir_ir_parser p;
  parser_begin(&p, context, text, size, error);
  const tir_status status = parse_single(&p);
  if (status == TIR_OK) {
    *out_graph = p.graph;
    p.graph = NULL;
  }
  parser_end(&p);
  return status;
}
