// tapeir ops: the op table, for people, as Markdown and as JSON.
//
// All three are written from the same queries, which ask the ops themselves.
#include <string.h>

#include "tool.h"

// Bit d of the mask stands for dtype number d.
static json_t *json_dtypes(uint32_t mask) {
  json_t *list = json_array();
  for (int d = 1; d < 32; d++)
    if (mask >> d & 1)
      json_array_append_new(list, json_string(tir_dtype_name((tir_dtype)d)));
  return list;
}

// A list or a name: its default is an empty one.
static bool has_number(const tir_attribute_info *a) {
  return strcmp(a->kind, "ints") != 0 && strcmp(a->kind, "floats") != 0 &&
         strcmp(a->kind, "name") != 0;
}

// In the JSON type of its kind.
static json_t *json_default(const tir_attribute_info *a) {
  if (strcmp(a->kind, "float") == 0) return tool_json_number(a->default_float);
  if (strcmp(a->kind, "bool") == 0) return json_boolean(a->default_int != 0);
  if (strcmp(a->kind, "dtype") == 0)
    return json_string(tir_dtype_name((tir_dtype)a->default_int));
  return json_integer(a->default_int);
}

static json_t *json_attribute(const tir_attribute_info *a) {
  json_t *out = json_pack("{s:s, s:s, s:b}", "name", a->name, "kind", a->kind,
                          "required", a->required);
  // One that must be given has no default.
  if (a->required || !has_number(a)) return out;
  json_object_set_new(out, "default", json_default(a));
  return out;
}

// A gradient is true, or the reason why there is none. The list of ONNX names
// is empty while none is read.
static int ops_json(void) {
  json_t *list = json_array();
  for (size_t i = 0; i < tir_op_count(); i++) {
    tir_op_info op;
    tir_op_at(i, &op);
    json_t *attributes = json_array();
    for (int k = 0; k < op.n_attributes; k++) {
      tir_attribute_info attribute;
      tir_op_attribute(i, (size_t)k, &attribute);
      json_array_append_new(attributes, json_attribute(&attribute));
    }
    json_array_append_new(
        list,
        json_pack("{s:s, s:s, s:s, s:s, s:[i,i], s:i, s:o, s:o, s:o, s:[]}",
                  "name", op.name, "family", op.family, "summary", op.summary,
                  "operands", op.operands, "inputs", op.min_inputs,
                  op.max_inputs, "outputs", op.n_outputs, "attributes",
                  attributes, "dtypes", json_dtypes(op.dtypes), "gradient",
                  op.no_gradient ? json_string(op.no_gradient) : json_true(),
                  "onnx"));
  }
  return tool_print_json(list);
}

// "axis: int = -1, keep_dims: bool = 0".
static void print_attributes(size_t op, int n) {
  for (int k = 0; k < n; k++) {
    tir_attribute_info a;
    tir_op_attribute(op, (size_t)k, &a);
    printf("%s%s: %s", k ? ", " : "", a.name, a.kind);
    // A kind says enough where the default is empty or there is none.
    if (a.required || !has_number(&a)) continue;
    if (strcmp(a.kind, "float") == 0)
      printf(" = %g", a.default_float);
    else if (strcmp(a.kind, "dtype") == 0)
      printf(" = %s", tir_dtype_name((tir_dtype)a.default_int));
    else
      printf(" = %lld", (long long)a.default_int);
  }
}

// The names alone: a cell of a table has room for no more.
static void print_dtypes(uint32_t mask) {
  const char *comma = "";
  for (int d = 1; d < 32; d++) {
    if (!(mask >> d & 1)) continue;
    printf("%s%s", comma, tir_dtype_name((tir_dtype)d));
    comma = " ";
  }
}

// What stands in docs/ is this output.
static int ops_markdown(void) {
  printf(
      "# Ops\n\nMade by `tapeir ops --markdown`; `./dev docs` renews it.\n"
      "\n| op | family | operands | attributes | dtypes | gradient | |\n"
      "|---|---|---|---|---|---|---|\n");
  for (size_t i = 0; i < tir_op_count(); i++) {
    tir_op_info op;
    tir_op_at(i, &op);
    printf("| `%s` | %s | %s | ", op.name, op.family, op.operands);
    print_attributes(i, op.n_attributes);
    printf(" | ");
    print_dtypes(op.dtypes);
    printf(" | %s | %s |\n", op.no_gradient ? op.no_gradient : "yes",
           op.summary);
  }
  return TOOL_OK;
}

// The plain table leaves out what is too wide for a terminal.
int tool_ops(tool *t) {
  if (t->options.json) return ops_json();
  if (t->options.markdown) return ops_markdown();
  printf("%-16s %-12s %-9s %s\n", "op", "family", "gradient", "summary");
  for (size_t i = 0; i < tir_op_count(); i++) {
    tir_op_info op;
    tir_op_at(i, &op);
    printf("%-16s %-12s %-9s %s\n", op.name, op.family,
           op.no_gradient ? "no" : "yes", op.summary);
  }
  return TOOL_OK;
}
