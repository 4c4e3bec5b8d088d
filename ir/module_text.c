// Graphs and modules to text, whole.
//
// Items come in the order in which the parser can use them: metadata,
// parameters, then each graph with its data behind it.
#include <string.h>

#include "ir/module.h"
#include "ir/text.h"

// A text buffer remembers that memory ran out, so only finish can fail.
tir_status tir_graph_to_text(const tir_graph *graph, char **out_text,
                             tir_error *error) {
  tir_ir_text text;
  tir_ir_text_init(&text, graph->ir->context);
  tir_ir_print_graph(graph->ir, NULL, NULL, &text);
  tir_ir_print_data(graph->ir, &text);
  return tir_ir_text_finish(&text, out_text, error);
}

static void print_metadata(const tir_module *module, tir_ir_text *text) {
  for (size_t i = 0; i < module->metadata.count; i++) {
    const char *key = tir_module_metadata_key(module, i);
    const char *value = module->metadata.data[i].value;
    tir_ir_text_word(text, "metadata ");
    tir_ir_text_string(text, key, strlen(key));
    tir_ir_text_word(text, " ");
    tir_ir_text_string(text, value, strlen(value));
    tir_ir_text_word(text, "\n");
  }
}

// Data and all: the text of a module is the whole module.
static void print_param(const tir_module *module, size_t index,
                        tir_ir_text *text) {
  const tir_ir_param *param = &module->params.data[index];
  const char *name = tir_module_param_name(module, index);
  tir_ir_type type = {.dtype = param->tensor->dtype,
                      .rank = param->tensor->rank};
  memcpy(type.dims, param->tensor->dims, sizeof type.dims);
  char type_text[TIR_TYPE_TEXT_MAX];
  tir_ir_text_word(text, "param ");
  tir_ir_text_string(text, name, strlen(name));
  tir_ir_text_word(text, " ");
  tir_ir_text_word(text, tir_ir_type_text(&type, type_text));
  // The parser has no default for the kind, so it is always written.
  tir_ir_text_word(text, param->kind == TIR_PARAM_STATE
                             ? " {kind = state} "
                             : " {kind = trainable} ");
  tir_ir_print_tensor(param->tensor, text);
  tir_ir_text_word(text, "\n");
}

static void print_module(const tir_module *module, tir_ir_text *text) {
  print_metadata(module, text);
  for (size_t i = 0; i < module->params.count; i++)
    print_param(module, i, text);
  for (size_t i = 0; i < module->graphs.count; i++) {
    const tir_ir_graph *g = module->graphs.data[i]->ir;
    if (text->bytes.count > 0) tir_ir_text_word(text, "\n");
    tir_ir_print_graph(g, NULL, NULL, text);
    tir_ir_print_data(g, text);
  }
}

tir_status tir_module_to_text(const tir_module *module, char **out_text,
                              tir_error *error) {
  *out_text = NULL;
  // Reading parameters is reading state: a lease like any other, though the
  // module is left as it was.
  tir_module *leased = (tir_module *)module;
  TIR_TRY(tir_ir_module_acquire(leased, false, error));
  tir_ir_text text;
  tir_ir_text_init(&text, module->context);
  print_module(module, &text);
  tir_ir_module_end_lease(leased);
  return tir_ir_text_finish(&text, out_text, error);
}

tir_status tir_module_from_text(tir_context *context, const char *text,
                                size_t size, tir_module **out_module,
                                tir_error *error) {
  return tir_ir_parse(context, text, size, out_module, error);
}
