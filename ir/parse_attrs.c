// Parsing attributes, by the schema of the op; those of a constant by its type.
//
// A value is read as its kind in the schema says. Whether it makes sense for
// the op is for infer to judge, which sees files and callers too.
#include <string.h>

#include "ir/parse.h"

static const char *const kind_texts[] = {
    [TIR_ATTR_I64] = "an integer",
    [TIR_ATTR_F64] = "a number",
    [TIR_ATTR_BOOL] = "true or false",
    [TIR_ATTR_DTYPE] = "a dtype",
    [TIR_ATTR_INTS] = "'[' before the integers",
    [TIR_ATTR_BODY] = "a body",
    [TIR_ATTR_FLOATS] = "'[' before the numbers",
    [TIR_ATTR_LABEL] = "a name in quotes",
};

// From the `[` to behind the `]`. No list is longer than the highest rank.
static tir_status parse_ints(tir_ir_parser *p, tir_ir_ints *out) {
  TIR_TRY(tir_ir_lex_punct(&p->lex, '[', "before the integers"));
  bool more = !tir_ir_lex_is_punct(&p->lex, ']');
  while (more) {
    if (out->n == TIR_MAX_RANK)
      return tir_ir_lex_fail(&p->lex, TIR_ERR_FORMAT,
                             "list has more than %d integers", TIR_MAX_RANK);
    TIR_TRY(tir_ir_parse_i64(p, "an integer", &out->v[out->n]));
    out->n++;
    TIR_TRY(tir_ir_lex_try(&p->lex, ',', &more));
  }
  return tir_ir_lex_punct(&p->lex, ']', "after the integers");
}

// A field other than a list, as its 8 bytes. False if the token is none of that
// kind; the lexer does not move.
static bool read_field(const tir_ir_lexer *l, tir_ir_attr_kind kind,
                       void *out) {
  int64_t value = 0;
  bool good = false;
  if (kind == TIR_ATTR_F64)
    return (l->kind == TIR_TOKEN_NUMBER || l->kind == TIR_TOKEN_WORD) &&
           tir_ir_read_element(l->text, l->size, TIR_DTYPE_F64, out);
  if (kind == TIR_ATTR_I64) {
    good = l->kind == TIR_TOKEN_NUMBER &&
           tir_ir_read_i64(l->text, l->size, &value);
  } else if (kind == TIR_ATTR_BOOL) {
    value = tir_ir_lex_is(l, TIR_TOKEN_WORD, "true");
    good = value || tir_ir_lex_is(l, TIR_TOKEN_WORD, "false");
  } else if (kind == TIR_ATTR_DTYPE && l->kind == TIR_TOKEN_WORD) {
    value = (int64_t)tir_ir_dtype_parse(l->text, l->size);
    good = value != TIR_DTYPE_INVALID;
  }
  // Also when it is no good: the caller fails then and nobody looks.
  memcpy(out, &value, sizeof value);
  return good;
}

static tir_status parse_floats(tir_ir_parser *p, tir_ir_floats *out) {
  TIR_TRY(tir_ir_lex_punct(&p->lex, '[', "before the numbers"));
  bool more = !tir_ir_lex_is_punct(&p->lex, ']');
  while (more) {
    if (out->n == TIR_MAX_RANK)
      return tir_ir_lex_fail(&p->lex, TIR_ERR_FORMAT,
                             "list has more than %d numbers", TIR_MAX_RANK);
    if (!read_field(&p->lex, TIR_ATTR_F64, &out->v[out->n]))
      return tir_ir_lex_expected(&p->lex, kind_texts[TIR_ATTR_F64]);
    out->n++;
    TIR_TRY(tir_ir_lex(&p->lex));
    TIR_TRY(tir_ir_lex_try(&p->lex, ',', &more));
  }
  return tir_ir_lex_punct(&p->lex, ']', "after the numbers");
}

// The label's bytes behind the text are zeros: labels compare as words.
static tir_status parse_label(tir_ir_parser *p, const tir_ir_attr *attr,
                              tir_ir_label *out) {
  const tir_ir_lexer start = p->lex;
  TIR_TRY(tir_ir_parse_string(p, kind_texts[TIR_ATTR_LABEL]));
  if (tir_ir_label_set(out, p->string.data, p->string.count)) return TIR_OK;
  return tir_ir_lex_fail(&start, TIR_ERR_FORMAT,
                         "%s is no name: expected at most %zu letters, digits "
                         "and _ . - /",
                         attr->name, sizeof out->text - 1);
}

// Through the schema: no op has a parser of its own.
static tir_status parse_value(tir_ir_parser *p, const tir_ir_attr *attr,
                              tir_ir_any_attrs *attrs) {
  // Written by memcpy: the op's struct is not known here.
  char *field = (char *)attrs + attr->offset;
  if (attr->kind == TIR_ATTR_INTS) {
    tir_ir_ints ints = {0};
    TIR_TRY(parse_ints(p, &ints));
    memcpy(field, &ints, sizeof ints);
    return TIR_OK;
  }
  if (attr->kind == TIR_ATTR_BODY) {
    int64_t number = 0;
    TIR_TRY(tir_ir_parse_body(p, attr->name, &number));
    memcpy(field, &number, sizeof number);
    return TIR_OK;
  }
  if (attr->kind == TIR_ATTR_FLOATS) {
    tir_ir_floats floats = {0};
    TIR_TRY(parse_floats(p, &floats));
    memcpy(field, &floats, sizeof floats);
    return TIR_OK;
  }
  if (attr->kind == TIR_ATTR_LABEL)
    return parse_label(p, attr, (tir_ir_label *)(void *)field);
  if (!read_field(&p->lex, attr->kind, field))
    return tir_ir_lex_expected(&p->lex, kind_texts[attr->kind]);
  return tir_ir_lex(&p->lex);
}

// Given twice is a mistake, not a choice of the last one.
static tir_status find_attr(const tir_ir_parser *p, const tir_op_desc *desc,
                            uint32_t given, const tir_ir_attr **out_attr) {
  const tir_ir_lexer *l = &p->lex;
  if (l->kind != TIR_TOKEN_WORD)
    return tir_ir_lex_expected(l, "the name of an attribute");
  *out_attr = tir_ir_attr_find(desc, l->text, l->size);
  // Enough of a wrong name to find it.
  const int size = l->size < 48 ? (int)l->size : 48;
  if (!*out_attr)
    return tir_ir_lex_fail(l, TIR_ERR_FORMAT,
                           "%s: there is no attribute named %.*s", desc->name,
                           size, l->text);
  if (given >> (*out_attr - desc->attrs) & 1)
    return tir_ir_lex_fail(l, TIR_ERR_FORMAT, "%s: %s is given twice",
                           desc->name, (*out_attr)->name);
  return TIR_OK;
}

// What is not written keeps its default; what has none must be written.
tir_status tir_ir_parse_attrs(tir_ir_parser *p, const tir_op_desc *desc,
                              tir_ir_any_attrs *out_attrs) {
  if (desc->attrs_size > sizeof *out_attrs || desc->n_attrs > 32)
    return tir_ir_lex_fail(&p->lex, TIR_ERR_UNSUPPORTED,
                           "%s: its attributes take %u bytes", desc->name,
                           desc->attrs_size);
  tir_ir_attrs_default(desc, out_attrs);
  // One bit for each attribute of the schema.
  uint32_t given = 0;
  if (tir_ir_lex_is_punct(&p->lex, '{')) {
    TIR_TRY(tir_ir_lex(&p->lex));
    // `{}` is allowed; behind a comma another must follow.
    bool more = !tir_ir_lex_is_punct(&p->lex, '}');
    while (more) {
      const tir_ir_attr *attr = NULL;
      TIR_TRY(find_attr(p, desc, given, &attr));
      given |= (uint32_t)1 << (attr - desc->attrs);
      TIR_TRY(tir_ir_lex(&p->lex));
      TIR_TRY(tir_ir_lex_punct(&p->lex, '=', "after the attribute"));
      TIR_TRY(parse_value(p, attr, out_attrs));
      TIR_TRY(tir_ir_lex_try(&p->lex, ',', &more));
    }
    TIR_TRY(tir_ir_lex_punct(&p->lex, '}', "after the attributes"));
  }
  for (size_t i = 0; i < desc->n_attrs; i++)
    if (desc->attrs[i].required && !(given >> i & 1))
      return tir_ir_lex_fail(&p->lex, TIR_ERR_FORMAT, "%s: %s is missing",
                             desc->name, desc->attrs[i].name);
  return TIR_OK;
}

// --- constants -------------------------------------------------------------

// Values have no braces inside, so the next one ends them.
tir_status tir_ir_parse_skip_braces(tir_ir_parser *p) {
  TIR_TRY(tir_ir_lex_punct(&p->lex, '{', "before the value of a constant"));
  while (!tir_ir_lex_is_punct(&p->lex, '}')) {
    if (p->lex.kind == TIR_TOKEN_END)
      return tir_ir_lex_expected(&p->lex, "'}' after the value");
    TIR_TRY(tir_ir_lex(&p->lex));
  }
  return tir_ir_lex(&p->lex);
}

// One element, as bits of the dtype in the low bytes of a word. The element is
// as wide as its dtype; the bytes above it stay zero, as the op wants them.
// Whether the type itself is in bounds is checked when the node is appended.
static tir_status parse_splat(tir_ir_parser *p, const tir_ir_type *type,
                              tir_attrs_constant *attrs) {
  const tir_ir_lexer *l = &p->lex;
  uint64_t bits = 0, buffer[1] = {0};
  if ((l->kind != TIR_TOKEN_NUMBER && l->kind != TIR_TOKEN_WORD) ||
      !tir_ir_read_element(l->text, l->size, type->dtype, buffer)) {
    return tir_ir_parse_no_element(p, type->dtype);
  }
  // Bytes that the dtype does not have stay zero.
  memcpy(&bits, buffer, sizeof bits);
  attrs->bits = bits;
  return tir_ir_lex(&p->lex);
}

// "name" of a data section, whose type must be the constant's.
static tir_status parse_named_data(tir_ir_parser *p, const tir_ir_type *type,
                                   tir_tensor **out_tensor) {
  const tir_ir_lexer start = p->lex;
  tir_tensor *tensor = NULL;
  TIR_TRY(tir_ir_parse_string(p, "the name of the data"));
  TIR_TRY(tir_ir_parse_find_data(p, p->string.data, p->string.count, &tensor));
  tir_ir_type is = {.dtype = tensor->dtype, .rank = tensor->rank};
  memcpy(is.dims, tensor->dims, sizeof is.dims);
  char a[TIR_TYPE_TEXT_MAX], b[TIR_TYPE_TEXT_MAX];
  // The error belongs to the line of the name, which the lexer has left.
  if (is.dtype != type->dtype || !tir_ir_same_shape(&is, type))
    return tir_ir_lex_fail(
        &start, is.dtype != type->dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
        "constant: its data section is %s, the constant %s",
        tir_ir_type_text(&is, a), tir_ir_type_text(type, b));
  *out_tensor = tir_tensor_retain(tensor);
  return TIR_OK;
}

// The graph holds the tensor; this reference ends either way. Either the name
// of a section, which may be used by many constants, or the contents
// themselves.
static tir_status parse_tensor(tir_ir_parser *p, const tir_ir_type *type,
                               tir_attrs_constant *attrs) {
  tir_tensor *tensor = NULL;
  if (p->lex.kind == TIR_TOKEN_STRING)
    TIR_TRY(parse_named_data(p, type, &tensor));
  else
    TIR_TRY(tir_ir_parse_contents(p, type, &tensor));
  uint32_t index = 0;
  const tir_status status =
      tir_ir_add_tensor(p->graph, tensor, &index, p->error);
  tir_tensor_release(tensor);
  // Of no use to anyone when adding it failed.
  attrs->tensor = (int64_t)index + 1;
  return status;
}

// {value = 1} repeats one element, {data = …} gives them all.
tir_status tir_ir_parse_constant(tir_ir_parser *p, const tir_ir_type *type,
                                 tir_attrs_constant *out_attrs) {
  *out_attrs = (tir_attrs_constant){0};
  TIR_TRY(tir_ir_lex_punct(&p->lex, '{', "before the value of a constant"));
  const bool is_splat = tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "value");
  if (!is_splat && !tir_ir_lex_is(&p->lex, TIR_TOKEN_WORD, "data"))
    return tir_ir_lex_expected(&p->lex, "value or data");
  TIR_TRY(tir_ir_lex(&p->lex));
  TIR_TRY(tir_ir_lex_punct(&p->lex, '=', "after value or data"));
  if (is_splat)
    TIR_TRY(parse_splat(p, type, out_attrs));
  else
    TIR_TRY(parse_tensor(p, type, out_attrs));
  return tir_ir_lex_punct(&p->lex, '}', "after the value");
}
