// Printing a graph. The grammar is docs/text-format.md.
//
// Two walks over the nodes: the first decides how each value is called, the
// second prints. Replacements are followed and removed nodes left out, so a
// graph in the middle of a pass prints too.
//
// Bodies are printed inside their node, with labels of their own. Constants
// that are too long go to data sections behind the outermost graph, numbered in
// the order in which they are met.
#include <string.h>

#include "ir/attr.h"
#include "ir/base/hash.h"
#include "ir/body.h"
#include "ir/text.h"
#include "tapeir/inspect.h"

typedef struct printer {
  const tir_ir_graph *graph;
  tir_ir_text *text;
  // By value id: its number + 1, or 0 when it is called by its name.
  uint32_t *numbers;
  size_t numbers_bytes;
  uint32_t n_numbers;
  uint32_t *n_data;  // big constants met so far, in bodies too
  const char *root;  // name of the outermost graph: theirs begin with it
  int indent;
} printer;

// Recurses through print_body, as deep as bodies are nested.
static void print_graph(printer *p, const tir_ir_graph *g, tir_ir_text *text,
                        tir_ir_annotate annotate, void *user);

// Ports are printed in the header, all other nodes in the body.
static bool is_port(const tir_ir_graph *g, tir_ir_node n) {
  const tir_op op = tir_ir_op(g, n);
  return op == TIR_OP_INPUT || op == TIR_OP_PARAM;
}

// --- what values are called ------------------------------------------------

// The first value of a name has it for itself, if it is an identifier; all
// others are numbered in order.
static void call_value(printer *p, uint32_t value, uint8_t *taken) {
  const uint32_t name = p->graph->values.data[value].name;
  const char *text = tir_base_strings_text(&p->graph->strings, name);
  // By string, not by text: one byte of `taken` tells.
  if (name && !taken[name] && tir_ir_is_identifier(text, strlen(text)))
    taken[name] = 1;
  else
    p->numbers[value] = ++p->n_numbers;
}

// Ports first, so that they keep their names when a node has the same.
static void call_values(printer *p, bool ports, uint8_t *taken) {
  const tir_ir_graph *g = p->graph;
  for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n)) {
    if (is_port(g, n) != ports) continue;
    for (uint32_t i = 0; i < tir_ir_n_out(g, n); i++)
      call_value(p, tir_ir_out(g, n, i).id, taken);
  }
}

// One pass decides all labels; equal graphs then print equally.
static bool printer_begin(printer *p, const tir_ir_graph *g,
                          tir_ir_text *text) {
  p->graph = g;
  p->text = text;
  p->numbers_bytes = g->values.count * sizeof *p->numbers;
  p->numbers =
      tir_base_alloc_zero(g->context, p->numbers_bytes, _Alignof(uint32_t));
  const size_t n_strings = g->strings.texts.count + 1;
  uint8_t *taken = tir_base_alloc_zero(g->context, n_strings, 1);
  // Without memory nothing is printed, and the text says so at its end.
  if (p->numbers && taken) {
    call_values(p, true, taken);
    call_values(p, false, taken);
  }
  const bool ok = p->numbers && taken;
  tir_base_free(g->context, taken, n_strings, 1);
  return ok;
}

static void printer_end(printer *p) {
  tir_base_free(p->graph->context, p->numbers, p->numbers_bytes,
                _Alignof(uint32_t));
}

static const char *name_of(const printer *p, uint32_t name) {
  return tir_base_strings_text(&p->graph->strings, name);
}

// A number and a name never meet: an identifier does not begin with a digit.
static void print_label(const printer *p, tir_ir_value value) {
  tir_ir_text_bytes(p->text, "%", 1);
  const uint32_t number = p->numbers[value.id];
  if (number)
    tir_ir_text_i64(p->text, (int64_t)number - 1);
  else
    tir_ir_text_word(p->text, tir_ir_value_name(p->graph, value));
}

// --- types -----------------------------------------------------------------

// As tir_ir_type_text, with the names of dims.
static void print_type(const printer *p, tir_ir_value value) {
  tir_ir_type type;
  tir_ir_type_of(p->graph, value, &type);
  tir_ir_text_word(p->text, tir_dtype_name(type.dtype));
  tir_ir_text_bytes(p->text, "[", 1);
  for (int i = 0; i < type.rank; i++) {
    if (i > 0) tir_ir_text_bytes(p->text, ", ", 2);
    if (type.symbols[i]) {
      tir_ir_text_name(p->text, name_of(p, type.symbols[i]));
      tir_ir_text_bytes(p->text, "=", 1);
    }
    tir_ir_text_i64(p->text, type.dims[i]);
  }
  tir_ir_text_bytes(p->text, "]", 1);
}

// A name that the label does not already give.
static void print_trailing_name(const printer *p, tir_ir_value value,
                                bool always) {
  const char *name = tir_ir_value_name(p->graph, value);
  if (!always && (!*name || !p->numbers[value.id])) return;
  tir_ir_text_bytes(p->text, " ", 1);
  tir_ir_text_string(p->text, name, strlen(name));
}

// --- header ----------------------------------------------------------------

// A parameter's string is its name in the module and always printed.
static void print_port(const printer *p, tir_ir_node n) {
  const tir_ir_graph *g = p->graph;
  const tir_ir_value value = tir_ir_out(g, n, 0);
  print_label(p, value);
  tir_ir_text_bytes(p->text, ": ", 2);
  const bool is_param = tir_ir_op(g, n) == TIR_OP_PARAM;
  if (is_param) {
    const tir_attrs_param *attrs = tir_ir_attrs(g, n);
    tir_ir_text_word(p->text,
                     attrs->kind == TIR_PARAM_STATE ? "state " : "param ");
  }
  print_type(p, value);
  print_trailing_name(p, value, is_param);
}

// Two blanks for each body around.
static void print_indent(const printer *p) {
  for (int i = 0; i < p->indent; i++) tir_ir_text_bytes(p->text, "  ", 2);
}

// Twice at most: see below.
static void print_header(const printer *p, const char *open,
                         const char *separator) {
  const tir_ir_graph *g = p->graph;
  // A body has no name of its own: the attribute says what it is.
  if (p->indent == 0) {
    tir_ir_text_word(p->text, "graph @");
    tir_ir_text_name(p->text, name_of(p, g->name));
  }
  tir_ir_text_word(p->text, "(");
  const char *before = open;
  const bool broken = *open != '\0';
  for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n)) {
    if (!is_port(g, n)) continue;
    tir_ir_text_word(p->text, before);
    if (broken) print_indent(p);
    print_port(p, n);
    before = separator;
  }
  tir_ir_text_word(p->text, ") {\n");
}

// Where the present line begins.
static size_t line_start(const tir_ir_text *text) {
  size_t at = text->bytes.count;
  while (at > 0 && text->bytes.data[at - 1] != '\n') at--;
  return at;
}

// On one line if it fits into 80 columns, else one port per line.
static void print_fitting_header(const printer *p) {
  const size_t start = p->text->bytes.count;
  const size_t line = line_start(p->text);
  print_header(p, "", ", ");
  if (p->text->bytes.count - line <= 80 + 1) return;
  // The first attempt is taken back: it is still there, but behind the end.
  p->text->bytes.count = start;
  print_header(p, "\n    ", ",\n    ");
}

// --- attributes ------------------------------------------------------------

// A length out of bounds is for the verifier to refuse, not for this to follow.
static void print_ints(const printer *p, const tir_ir_ints *ints) {
  tir_ir_text_bytes(p->text, "[", 1);
  for (int64_t i = 0; i < ints->n && i < TIR_MAX_RANK; i++) {
    if (i > 0) tir_ir_text_bytes(p->text, ", ", 2);
    tir_ir_text_i64(p->text, ints->v[i]);
  }
  tir_ir_text_bytes(p->text, "]", 1);
}

static void print_floats(const printer *p, const tir_ir_floats *floats) {
  tir_ir_text_bytes(p->text, "[", 1);
  for (int64_t i = 0; i < floats->n && i < TIR_MAX_RANK; i++) {
    if (i > 0) tir_ir_text_bytes(p->text, ", ", 2);
    tir_ir_text_float(p->text, floats->v[i], false);
  }
  tir_ir_text_bytes(p->text, "]", 1);
}

// For one node alone: the size of a body, and the hash of its text. The text
// stands for the structure, so equal bodies have equal hashes whatever their
// ids are.
static void print_body_hash(const printer *p, const tir_ir_body *body) {
  tir_ir_text text;
  tir_ir_text_init(&text, p->graph->context);
  tir_ir_print_graph(body->graph, NULL, NULL, &text);
  tir_ir_print_data(body->graph, &text);
  if (text.out_of_memory)
    p->text->out_of_memory = true;
  else
    tir_ir_text_add(
        p->text, "%u nodes, hash %016llx", tir_ir_n_nodes(body->graph),
        (unsigned long long)tir_base_hash(text.bytes.data, text.bytes.count));
  tir_ir_text_free(&text);
}

// In full where graphs are printed; as deep as bodies are nested.
static void print_body(const printer *p, const tir_ir_body *body) {
  if (!body) return;
  // Only a printer of a single node has no labels.
  if (!p->numbers) {
    print_body_hash(p, body);
    return;
  }
  printer inner = {
      .n_data = p->n_data, .root = p->root, .indent = p->indent + 1};
  print_graph(&inner, body->graph, p->text, NULL, NULL);
}

static void print_attr(const printer *p, const tir_ir_attr *attr,
                       const void *attrs) {
  const void *field = tir_ir_attr_field(attr, attrs);
  // Both readings of the first word; the kind says which means something.
  int64_t i64 = 0;
  double f64 = 0;
  memcpy(&i64, field, sizeof i64);
  memcpy(&f64, field, sizeof f64);
  tir_ir_text_word(p->text, attr->name);
  tir_ir_text_word(p->text, " = ");
  switch (attr->kind) {
    case TIR_ATTR_I64:
      tir_ir_text_i64(p->text, i64);
      break;
    case TIR_ATTR_F64:
      tir_ir_text_float(p->text, f64, false);
      break;
    case TIR_ATTR_BOOL:
      tir_ir_text_word(p->text, i64 ? "true" : "false");
      break;
    case TIR_ATTR_DTYPE:
      tir_ir_text_word(p->text, tir_dtype_name((tir_dtype)i64));
      break;
    case TIR_ATTR_INTS:
      print_ints(p, field);
      break;
    case TIR_ATTR_BODY:
      print_body(p, tir_ir_body_of(p->graph, attr, attrs));
      break;
    case TIR_ATTR_FLOATS:
      print_floats(p, field);
      break;
    case TIR_ATTR_LABEL:
      tir_ir_text_string(p->text, field, strnlen(field, sizeof(tir_ir_label)));
      break;
  }
}

// Defaults are left out, in text as in files.
static void print_attrs(const printer *p, tir_ir_node n) {
  const tir_op_desc *desc = tir_ir_desc(p->graph, n);
  const void *attrs = tir_ir_attrs(p->graph, n);
  const char *before = " {";
  for (size_t i = 0; i < desc->n_attrs; i++) {
    if (tir_ir_attr_is_default(&desc->attrs[i], attrs)) continue;
    tir_ir_text_word(p->text, before);
    print_attr(p, &desc->attrs[i], attrs);
    before = ", ";
  }
  if (*before == ',') tir_ir_text_bytes(p->text, "}", 1);
}

// --- constants -------------------------------------------------------------

// Shortest digits that read back as the same bits.
static void print_list(tir_ir_text *text, tir_dtype dtype, const void *data,
                       int64_t numel) {
  const size_t size = tir_dtype_size(dtype);
  tir_ir_text_bytes(text, "[", 1);
  for (int64_t i = 0; i < numel; i++) {
    if (i > 0) tir_ir_text_bytes(text, ", ", 2);
    tir_ir_text_element(text, dtype, (const char *)data + (size_t)i * size);
  }
  tir_ir_text_bytes(text, "]", 1);
}

// A line at a time: large constants are most of a text.
static void print_hex(tir_ir_text *text, const unsigned char *bytes,
                      size_t size) {
  static const char hex[] = "0123456789abcdef";
  char line[2 * TIR_TEXT_HEX_BYTES];
  tir_ir_text_word(text, "hex");
  for (size_t at = 0; at < size; at += TIR_TEXT_HEX_BYTES) {
    size_t n = size - at;
    if (n > TIR_TEXT_HEX_BYTES) n = TIR_TEXT_HEX_BYTES;
    for (size_t i = 0; i < n; i++) {
      line[2 * i] = hex[bytes[at + i] >> 4];
      line[2 * i + 1] = hex[bytes[at + i] & 15];
    }
    tir_ir_text_word(text, "\n  ");
    tir_ir_text_bytes(text, line, 2 * n);
  }
}

// Short ones are read by people, long ones by the parser alone.
void tir_ir_print_tensor(const tir_tensor *tensor, tir_ir_text *text) {
  if (tensor->numel <= TIR_TEXT_LIST_MAX)
    print_list(text, tensor->dtype, tensor->data, tensor->numel);
  else
    print_hex(text, tensor->data, tensor->size_bytes);
}

static const tir_tensor *constant_tensor(const tir_ir_graph *g, tir_ir_node n) {
  const tir_attrs_constant *attrs = tir_ir_attrs(g, n);
  return attrs->tensor ? g->tensors.data[attrs->tensor - 1] : NULL;
}

// "GRAPH.c0", "GRAPH.c1", …: unique in a module's text.
static void print_data_name(printer *p) {
  tir_ir_text name;
  tir_ir_text_init(&name, p->graph->context);
  tir_ir_text_word(&name, p->root);
  tir_ir_text_word(&name, ".c");
  tir_ir_text_i64(&name, (*p->n_data)++);
  if (name.out_of_memory)
    p->text->out_of_memory = true;
  else
    tir_ir_text_string(p->text, name.bytes.data, name.bytes.count);
  tir_ir_text_free(&name);
}

// Big contents go behind the graph, where they do not hide it.
static void print_constant(printer *p, tir_ir_node n) {
  const tir_attrs_constant *attrs = tir_ir_attrs(p->graph, n);
  const tir_tensor *tensor = constant_tensor(p->graph, n);
  if (!tensor) {
    const tir_ir_value value = tir_ir_out(p->graph, n, 0);
    tir_ir_text_word(p->text, " {value = ");
    tir_ir_text_element(p->text, tir_ir_dtype_of(p->graph, value),
                        &attrs->bits);
  } else {
    tir_ir_text_word(p->text, " {data = ");
    if (tensor->numel <= TIR_TEXT_LIST_MAX)
      tir_ir_print_tensor(tensor, p->text);
    else
      print_data_name(p);
  }
  tir_ir_text_bytes(p->text, "}", 1);
}

// --- body ------------------------------------------------------------------

// %0, %1 = op %a, %b {attributes} : types
// Without the end of the line, so that a comment may follow.
static void print_node(printer *p, tir_ir_node n) {
  const tir_ir_graph *g = p->graph;
  const uint32_t n_in = tir_ir_n_in(g, n), n_out = tir_ir_n_out(g, n);
  print_indent(p);
  tir_ir_text_bytes(p->text, "  ", 2);
  for (uint32_t i = 0; i < n_out; i++) {
    if (i > 0) tir_ir_text_bytes(p->text, ", ", 2);
    print_label(p, tir_ir_out(g, n, i));
  }
  tir_ir_text_bytes(p->text, " = ", 3);
  tir_ir_text_word(p->text, tir_ir_desc(g, n)->name);
  for (uint32_t i = 0; i < n_in; i++) {
    tir_ir_text_word(p->text, i > 0 ? ", " : " ");
    print_label(p, tir_ir_in(g, n, i));
  }
  if (tir_ir_op(g, n) == TIR_OP_CONSTANT)
    print_constant(p, n);
  else
    print_attrs(p, n);
  for (uint32_t i = 0; i < n_out; i++) {
    tir_ir_text_word(p->text, i > 0 ? ", " : " : ");
    print_type(p, tir_ir_out(g, n, i));
    print_trailing_name(p, tir_ir_out(g, n, i), false);
  }
}

static void print_return(const printer *p) {
  const tir_ir_graph *g = p->graph;
  print_indent(p);
  tir_ir_text_word(p->text, "  return");
  for (size_t i = 0; i < g->outputs.count; i++) {
    tir_ir_text_word(p->text, i > 0 ? ", " : " ");
    print_label(p, tir_ir_resolve(g, g->outputs.data[i].value));
    const char *name = name_of(p, g->outputs.data[i].name);
    if (!*name) continue;
    tir_ir_text_bytes(p->text, " ", 1);
    tir_ir_text_string(p->text, name, strlen(name));
  }
  tir_ir_text_word(p->text, "\n");
  print_indent(p);
  // Behind a body more attributes follow, so it ends no line.
  tir_ir_text_word(p->text, p->indent ? "}" : "}\n");
}

static void print_graph(printer *p, const tir_ir_graph *g, tir_ir_text *text,
                        tir_ir_annotate annotate, void *user) {
  if (!printer_begin(p, g, text)) {
    text->out_of_memory = true;
  } else {
    print_fitting_header(p);
    for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n)) {
      if (is_port(g, n)) continue;
      print_node(p, n);
      if (annotate) annotate(user, g, n, text);
      tir_ir_text_bytes(text, "\n", 1);
    }
    print_return(p);
  }
  printer_end(p);
}

void tir_ir_print_graph(const tir_ir_graph *g, tir_ir_annotate annotate,
                        void *user, tir_ir_text *text) {
  uint32_t n_data = 0;
  printer p = {.n_data = &n_data,
               .root = tir_base_strings_text(&g->strings, g->name)};
  print_graph(&p, g, text, annotate, user);
}

// Must take exactly the constants that print_constant gives a name, or the
// numbers would not agree.
static void print_one_data(printer *p, tir_ir_node n) {
  const tir_tensor *tensor = constant_tensor(p->graph, n);
  if (!tensor || tensor->numel <= TIR_TEXT_LIST_MAX) return;
  tir_ir_text_word(p->text, "data ");
  print_data_name(p);
  tir_ir_text_bytes(p->text, " ", 1);
  print_type(p, tir_ir_out(p->graph, n, 0));
  tir_ir_text_bytes(p->text, " ", 1);
  tir_ir_print_tensor(tensor, p->text);
  tir_ir_text_bytes(p->text, "\n", 1);
}

// In the order in which printing meets the constants; as deep as bodies are.
// Numbers of values are not needed: only the count of names goes on.
static void print_data(const printer *outer, const tir_ir_graph *g) {
  printer p = *outer;
  p.graph = g;
  for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n)) {
    const tir_op_desc *desc = tir_ir_desc(g, n);
    if (tir_ir_op(g, n) == TIR_OP_CONSTANT) print_one_data(&p, n);
    for (size_t i = 0; tir_ir_has_bodies(desc) && i < desc->n_attrs; i++) {
      const tir_ir_body *body =
          tir_ir_body_of(g, &desc->attrs[i], tir_ir_attrs(g, n));
      if (body) print_data(&p, body->graph);
    }
  }
}

// In the order of the body, so that names come out the same.
void tir_ir_print_data(const tir_ir_graph *g, tir_ir_text *text) {
  uint32_t n_data = 0;
  const printer p = {.text = text,
                     .n_data = &n_data,
                     .root = tir_base_strings_text(&g->strings, g->name)};
  print_data(&p, g);
}

// --- one node --------------------------------------------------------------

// For differences and pages: contents are told by a hash.
tir_status tir_graph_node_text(const tir_graph *graph, size_t node,
                               char **out_text, tir_error *error) {
  const tir_ir_graph *g = graph->ir;
  *out_text = NULL;
  if (node >= tir_ir_n_nodes(g))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "graph: no node %zu: there are %u", node,
                         tir_ir_n_nodes(g));
  const tir_ir_node n = {(uint32_t)node + 1};
  tir_ir_text text, trimmed;
  tir_ir_text_init(&text, g->context);
  tir_ir_text_init(&trimmed, g->context);
  uint32_t n_data = 0;
  printer p = {.graph = g, .text = &text, .n_data = &n_data, .root = ""};
  // A printer without labels prints only what does not need any: attributes and
  // contents.
  const bool is_constant = tir_ir_op(g, n) == TIR_OP_CONSTANT;
  const tir_tensor *tensor = is_constant ? constant_tensor(g, n) : NULL;
  if (tensor && tensor->numel > TIR_TEXT_LIST_MAX)
    tir_ir_text_add(
        &text, " {data = %lld elements, hash %016llx}",
        (long long)tensor->numel,
        (unsigned long long)tir_base_hash(tensor->data, tensor->size_bytes));
  else if (is_constant)
    print_constant(&p, n);
  else
    print_attrs(&p, n);
  // Without the space that parts it from the operands.
  if (text.bytes.count > 1 && !text.out_of_memory)
    tir_ir_text_word(&trimmed, text.bytes.data + 1);
  trimmed.out_of_memory |= text.out_of_memory;
  tir_ir_text_free(&text);
  return tir_ir_text_finish(&trimmed, out_text, error);
}
