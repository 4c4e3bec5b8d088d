// Parsing the small pieces: types, strings, integers.
//
// A type is `f32[batch=4, 3]`: sizes are always given, so that a text can be
// read without running anything; names of dims are strings of the graph.
#include <inttypes.h>
#include <string.h>

#include "ir/parse.h"
#include "ir/text.h"

// One escape at text[0] == '\\'. Returns its length, 0 if it is none.
static size_t read_escape(const char *text, size_t size, char *out) {
  if (size < 2) return 0;
  switch (text[1]) {
    case '"':
    case '\\':
      *out = text[1];
      return 2;
    case 'n':
      *out = '\n';
      return 2;
    case 't':
      *out = '\t';
      return 2;
    case 'x': {
      const int high = size > 3 ? tir_ir_hex_digit(text[2]) : -1;
      const int low = size > 3 ? tir_ir_hex_digit(text[3]) : -1;
      if (high < 0 || low < 0) return 0;
      *out = (char)(unsigned char)(high << 4 | low);
      return 4;
    }
    default:
      return 0;
  }
}

// A NUL inside is refused: names are C strings everywhere else. Decoding never
// makes a string longer, so room for its length is enough, with one byte for
// the end.
tir_status tir_ir_parse_string(tir_ir_parser *p, const char *what) {
  const tir_ir_lexer *l = &p->lex;
  if (l->kind != TIR_TOKEN_STRING) return tir_ir_lex_expected(l, what);
  p->string.count = 0;
  if (!TIR_VEC_RESERVE(p->context, &p->string, l->size + 1))
    return tir_base_fail_memory(p->error, l->size);
  for (size_t i = 0; i < l->size;) {
    char c = l->text[i];
    size_t n = 1;
    if (c == '\\') n = read_escape(l->text + i, l->size - i, &c);
    if (n == 0)
      return tir_ir_lex_fail(l, TIR_ERR_FORMAT,
                             "escape at byte %zu of the string is none of "
                             "\\\" \\\\ \\n \\t \\xNN",
                             i);
    if (c == '\0')
      return tir_ir_lex_fail(l, TIR_ERR_FORMAT,
                             "byte %zu of the string is zero", i);
    p->string.data[p->string.count++] = c;
    i += n;
  }
  p->string.data[p->string.count] = '\0';
  return tir_ir_lex(&p->lex);
}

// A number that does not fit is refused in the same words as one that is none.
tir_status tir_ir_parse_i64(tir_ir_parser *p, const char *what, int64_t *out) {
  *out = 0;
  const tir_ir_lexer *l = &p->lex;
  if (l->kind != TIR_TOKEN_NUMBER || !tir_ir_read_i64(l->text, l->size, out))
    return tir_ir_lex_expected(l, what);
  return tir_ir_lex(&p->lex);
}

// Symbol of a dim: a word or a string, then `=`.
static tir_status parse_symbol(tir_ir_parser *p, uint32_t *out_symbol) {
  *out_symbol = 0;
  const tir_ir_lexer *l = &p->lex;
  if (l->kind == TIR_TOKEN_NUMBER) return TIR_OK;
  // Parameters and data have fixed sizes.
  if (!p->graph)
    return tir_ir_lex_expected(l, "the size of a dim, which has no name here");
  const bool is_string = l->kind == TIR_TOKEN_STRING;
  if (!is_string && l->kind != TIR_TOKEN_WORD)
    return tir_ir_lex_expected(l, "the size or name of a dim");
  const char *text = l->text;
  size_t size = l->size;
  if (is_string) {
    TIR_TRY(tir_ir_parse_string(p, "the name of a dim"));
    text = p->string.data;
    size = p->string.count;
  }
  if (size == 0 || size > TIR_MAX_NAME)
    return tir_ir_lex_fail(l, TIR_ERR_FORMAT,
                           "name of a dim has %zu bytes, expected 1 to %d",
                           size, TIR_MAX_NAME);
  // The text of a word is a slice that the next token leaves valid; that of a
  // string was decoded into p->string.
  if (!tir_base_strings_intern(&p->graph->strings, text, size, out_symbol))
    return tir_base_fail_memory(p->error, size);
  if (!is_string) TIR_TRY(tir_ir_lex(&p->lex));
  return tir_ir_lex_punct(&p->lex, '=', "after the name of a dim");
}

// [batch=4, 3]: a name is optional, a size is not.
static tir_status parse_dims(tir_ir_parser *p, tir_ir_type *type) {
  // `[]` is a scalar.
  bool more = !tir_ir_lex_is_punct(&p->lex, ']');
  while (more) {
    if (type->rank == TIR_MAX_RANK)
      return tir_ir_lex_fail(&p->lex, TIR_ERR_FORMAT,
                             "shape has more than %d dims", TIR_MAX_RANK);
    TIR_TRY(parse_symbol(p, &type->symbols[type->rank]));
    TIR_TRY(tir_ir_parse_i64(p, "the size of a dim", &type->dims[type->rank]));
    type->rank++;
    TIR_TRY(tir_ir_lex_try(&p->lex, ',', &more));
  }
  return tir_ir_lex_punct(&p->lex, ']', "after the dims");
}

// Bounds are not checked here: whoever uses the type does it, with the op's
// name.
tir_status tir_ir_parse_type(tir_ir_parser *p, tir_ir_type *out_type) {
  *out_type = (tir_ir_type){0};
  const tir_ir_lexer *l = &p->lex;
  if (l->kind == TIR_TOKEN_WORD)
    out_type->dtype = tir_ir_dtype_parse(l->text, l->size);
  if (out_type->dtype == TIR_DTYPE_INVALID)
    return tir_ir_lex_expected(l, "a dtype");
  TIR_TRY(tir_ir_lex(&p->lex));
  TIR_TRY(tir_ir_lex_punct(&p->lex, '[', "after the dtype"));
  return parse_dims(p, out_type);
}
