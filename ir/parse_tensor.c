// Parsing contents of tensors, and data sections.
//
// No memory is taken that the text does not pay for: a tensor is made only if
// the rest of the text is long enough to hold its contents.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ir/module_names.h"
#include "ir/parse.h"

// An element takes at least one character of text, a byte in hex two.
static tir_status check_room(const tir_ir_parser *p, uint64_t needed,
                             const tir_ir_type *type) {
  const uint64_t rest = (uint64_t)(p->lex.end - p->lex.text);
  char text[TIR_TYPE_TEXT_MAX];
  if (needed > rest)
    return tir_ir_lex_fail(&p->lex, TIR_ERR_FORMAT,
                           "the text ends before the contents of %s do",
                           tir_ir_type_text(type, text));
  return TIR_OK;
}

// Too large for the allocator is an error of this line.
static tir_status make_tensor(const tir_ir_parser *p, const tir_ir_type *type,
                              tir_tensor **out_tensor) {
  const tir_status status = tir_tensor_create(
      p->context, type->dtype, type->dims, type->rank, out_tensor, p->error);
  if (status != TIR_OK && p->error) p->error->line = p->lex.line;
  return status;
}

static tir_status fail_count(const tir_ir_parser *p, const tir_ir_type *type) {
  char text[TIR_TYPE_TEXT_MAX];
  return tir_ir_lex_fail(&p->lex, TIR_ERR_FORMAT,
                         "wrong number of elements for %s, expected %" PRId64,
                         tir_ir_type_text(type, text), tir_ir_type_numel(type));
}

tir_status tir_ir_parse_no_element(const tir_ir_parser *p, tir_dtype dtype) {
  char what[32];
  snprintf(what, sizeof what, "an element of %s", tir_dtype_name(dtype));
  return tir_ir_lex_expected(&p->lex, what);
}

// At the token behind `[`. Elements are written into the tensor as they are
// read; their number is checked on the way, so that none is written past the
// end.
static tir_status parse_list(tir_ir_parser *p, const tir_ir_type *type,
                             tir_tensor *tensor) {
  const size_t size = tir_dtype_size(type->dtype);
  char *element = tensor->data;
  int64_t n = 0;
  bool more = !tir_ir_lex_is_punct(&p->lex, ']');
  while (more) {
    const tir_ir_lexer *l = &p->lex;
    // Before it is stored, or the last one would lie outside.
    if (n == tensor->numel) return fail_count(p, type);
    if ((l->kind != TIR_TOKEN_NUMBER && l->kind != TIR_TOKEN_WORD) ||
        !tir_ir_read_element(l->text, l->size, type->dtype, element)) {
      return tir_ir_parse_no_element(p, type->dtype);
    }
    element += size;
    n++;
    TIR_TRY(tir_ir_lex(&p->lex));
    TIR_TRY(tir_ir_lex_try(&p->lex, ',', &more));
  }
  if (n != tensor->numel) return fail_count(p, type);
  return tir_ir_lex_punct(&p->lex, ']', "after the elements");
}

// Raw bytes, so bools have to be looked at: other bytes would be undefined.
static tir_status parse_hex(tir_ir_parser *p, tir_tensor *tensor) {
  const tir_ir_lexer start = p->lex;
  TIR_TRY(tir_ir_lex_hex(&p->lex, tensor->data, tensor->size_bytes));
  if (tensor->dtype != TIR_DTYPE_BOOL) return TIR_OK;
  // Any bytes mean something in every other dtype.
  const unsigned char *bytes = tensor->data;
  for (size_t i = 0; i < tensor->size_bytes; i++)
    if (bytes[i] > 1)
      return tir_ir_lex_fail(&start, TIR_ERR_FORMAT,
                             "byte %zu of a bool tensor is %u, expected 0 or "
                             "1",
                             i, bytes[i]);
  return TIR_OK;
}

// Either form for any size; the printer chooses by length.
tir_status tir_ir_parse_contents(tir_ir_parser *p, const tir_ir_type *type,
                                 tir_tensor **out_tensor) {
  *out_tensor = NULL;
  tir_status status = tir_ir_type_check(type, p->error);
  if (status != TIR_OK) {
    if (p->error) p->error->line = p->lex.line;
    return status;
  }
  const bool is_hex = tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "hex");
  if (is_hex)
    TIR_TRY(tir_ir_lex(&p->lex));
  else
    TIR_TRY(tir_ir_lex_punct(&p->lex, '[', "or hex before the elements"));
  // Twice the bytes fit: a type has PTRDIFF_MAX at most.
  TIR_TRY(check_room(p,
                     is_hex ? 2 * (uint64_t)tir_ir_type_bytes(type)
                            : (uint64_t)tir_ir_type_numel(type),
                     type));
  tir_tensor *tensor = NULL;
  TIR_TRY(make_tensor(p, type, &tensor));
  status = is_hex ? parse_hex(p, tensor) : parse_list(p, type, tensor);
  if (status == TIR_OK)
    *out_tensor = tensor;
  else
    tir_tensor_release(tensor);
  return status;
}

// --- data sections ---------------------------------------------------------

// Makes room for the section and its name; *out_index is 0 if it is new.
static tir_status enter_data(tir_ir_parser *p, uint32_t *out_string,
                             uint32_t *out_index) {
  if (p->string.count == 0)
    return tir_ir_lex_fail(&p->lex, TIR_ERR_FORMAT, "data has an empty name");
  if (!tir_base_strings_intern(&p->data_names, p->string.data, p->string.count,
                               out_string) ||
      !tir_ir_names_reserve(p->context, &p->data_of_string, *out_string) ||
      !TIR_VEC_RESERVE(p->context, &p->data, 1))
    return tir_base_fail_memory(p->error, p->string.count);
  *out_index = p->data_of_string.data[*out_string];
  return TIR_OK;
}

// A section may be met twice: by reading ahead and in its turn.
tir_status tir_ir_parse_data(tir_ir_parser *p) {
  uint32_t string = 0, index = 0;
  const char *start = p->lex.text;
  TIR_TRY(tir_ir_lex(&p->lex));
  TIR_TRY(tir_ir_parse_string(p, "the name of the data"));
  TIR_TRY(enter_data(p, &string, &index));
  if (index) {
    // Read ahead already: go on behind it, unless it is a second one.
    const tir_ir_parsed_data *data = &p->data.data[index - 1];
    char quoted[TIR_QUOTED_MAX];
    if (data->start != start)
      return tir_ir_lex_fail(&p->lex, TIR_ERR_FORMAT,
                             "there are two data sections named %s",
                             tir_base_quote(p->string.data, quoted));
    p->lex = data->after;
    return TIR_OK;
  }
  tir_ir_graph *graph = p->graph;
  tir_ir_type type;
  tir_tensor *tensor = NULL;
  p->graph = NULL;  // its dims have no names
  tir_status status = tir_ir_parse_type(p, &type);
  if (status == TIR_OK) status = tir_ir_parse_contents(p, &type, &tensor);
  p->graph = graph;
  TIR_TRY(status);
  p->data.data[p->data.count++] =
      (tir_ir_parsed_data){.tensor = tensor, .start = start, .after = p->lex};
  p->data_of_string.data[string] = (uint32_t)p->data.count;
  return TIR_OK;
}

// The word is also a fair name of a graph or of a dim.
static bool begins_data(const tir_ir_parser *p) {
  if (!tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "data")) return false;
  tir_ir_lexer next = p->lex;
  return tir_ir_lex(&next) == TIR_OK && next.kind == TIR_TOKEN_STRING;
}

// Reads every data section from here to the end, and comes back. Only braces
// are counted. Items other than data are read in their turn.
static tir_status read_ahead(tir_ir_parser *p) {
  const tir_ir_lexer here = p->lex;
  // In the braces of a constant of a graph, and two more for each body.
  size_t depth = 2 + 2 * (size_t)p->depth;
  while (p->lex.kind != TIR_TOKEN_END) {
    if (depth == 0 && begins_data(p)) {
      TIR_TRY(tir_ir_parse_data(p));
      continue;
    }
    if (tir_ir_lex_is_punct(&p->lex, '{')) depth++;
    if (tir_ir_lex_is_punct(&p->lex, '}') && depth > 0) depth--;
    TIR_TRY(tir_ir_lex(&p->lex));
  }
  p->lex = here;
  p->has_all_data = true;
  return TIR_OK;
}

// Sections mostly stand behind the graph that uses them. The first use reads
// them all, so that a text is read twice at most.
tir_status tir_ir_parse_find_data(tir_ir_parser *p, const char *name,
                                  size_t size, tir_tensor **out_tensor) {
  *out_tensor = NULL;
  // Twice at most: the second time after reading ahead.
  for (;;) {
    const uint32_t string = tir_base_strings_find(&p->data_names, name, size);
    const uint32_t index = tir_ir_names_get(&p->data_of_string, string);
    if (index) {
      *out_tensor = p->data.data[index - 1].tensor;
      return TIR_OK;
    }
    if (p->has_all_data) break;
    // Reading ahead decodes other strings over this one.
    uint32_t kept = 0;
    if (!tir_base_strings_intern(&p->data_names, name, size, &kept))
      return tir_base_fail_memory(p->error, size);
    name = tir_base_strings_text(&p->data_names, kept);
    TIR_TRY(read_ahead(p));
  }
  char quoted[TIR_QUOTED_MAX];
  return tir_ir_lex_fail(&p->lex, TIR_ERR_FORMAT,
                         "constant: there is no data section named %s",
                         tir_base_quote(name, quoted));
}
