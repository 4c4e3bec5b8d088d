// Lexer: cuts a text into tokens, counts lines. Copies nothing.
//
// A token is a slice of the text; the lexer itself is a small struct, so a
// parser may keep a copy and go back to it. Bytes outside ASCII occur in
// strings and comments only, where they pass as they are.
#include "ir/parse_lex.h"

#include <stdio.h>
#include <string.h>

#include "ir/text.h"

void tir_ir_lex_begin(tir_ir_lexer *l, const char *text, size_t size,
                      tir_error *error) {
  *l = (tir_ir_lexer){
      .at = text,
      .end = text + size,
      .text = text,
      .line = 1,
      .next_line = 1,
      .error = error,
  };
}

// --- errors ----------------------------------------------------------------

tir_status tir_ir_lex_fail(const tir_ir_lexer *l, tir_status status,
                           const char *format, ...) {
  va_list args;
  va_start(args, format);
  tir_base_fail_v(l->error, status, format, args);
  va_end(args);
  if (l->error) l->error->line = l->line;
  return status;
}

// What stands there instead, quoted, is half of the message.
tir_status tir_ir_lex_expected(const tir_ir_lexer *l, const char *what) {
  if (l->kind == TIR_TOKEN_END)
    return tir_ir_lex_fail(l, TIR_ERR_FORMAT,
                           "expected %s, found the end of the text", what);
  char text[TIR_QUOTED_MAX] = "", quoted[TIR_QUOTED_MAX];
  size_t n = 0;
  if (l->kind == TIR_TOKEN_LABEL) text[n++] = '%';
  const size_t room = sizeof text - 1 - n;
  memcpy(text + n, l->text, l->size < room ? l->size : room);
  return tir_ir_lex_fail(l, TIR_ERR_FORMAT, "expected %s, found %s%s", what,
                         l->kind == TIR_TOKEN_STRING ? "the string " : "",
                         tir_base_quote(text, quoted));
}

// --- tokens ----------------------------------------------------------------

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

// ASCII alone: isalpha would depend on the locale.
static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word_part(char c) {
  return is_letter(c) || is_digit(c) || c == '.';
}

// Stops counting where the field for it ends.
static void next_line(tir_ir_lexer *l) {
  if (l->next_line < INT32_MAX) l->next_line++;
}

static void skip_blanks(tir_ir_lexer *l) {
  for (; l->at < l->end; l->at++) {
    if (*l->at == '\n') {
      next_line(l);
    } else if (*l->at == '#') {
      const char *end = memchr(l->at, '\n', (size_t)(l->end - l->at));
      // One before, because the loop steps on.
      l->at = (end ? end : l->end) - 1;
    } else if (*l->at != ' ' && *l->at != '\t' && *l->at != '\r') {
      break;
    }
  }
}

// Tokens are slices of the text, which outlives the lexer.
static void take(tir_ir_lexer *l, tir_ir_token_kind kind, const char *end) {
  l->kind = kind;
  l->text = l->at;
  l->size = (size_t)(end - l->at);
  l->at = end;
}

// Up to the closing quote, escapes still in it: they are decoded where the
// string is used.
static tir_status take_string(tir_ir_lexer *l) {
  const char *at = ++l->at;
  while (at < l->end && *at != '"' && *at != '\n')
    // An escape hides what stands behind it, a quote too.
    at += *at == '\\' && at + 1 < l->end && at[1] != '\n' ? 2 : 1;
  if (at >= l->end || *at != '"')
    return tir_ir_lex_fail(l, TIR_ERR_FORMAT,
                           "string does not end on its line");
  take(l, TIR_TOKEN_STRING, at);
  l->at++;  // over the quote
  return TIR_OK;
}

// One character decides the kind of a token; there is no looking back.
tir_status tir_ir_lex(tir_ir_lexer *l) {
  skip_blanks(l);
  l->line = l->next_line;
  if (l->at >= l->end) {
    take(l, TIR_TOKEN_END, l->at);
    return TIR_OK;
  }
  const char *at = l->at;
  if (*at == '"') return take_string(l);
  if (is_letter(*at)) {
    while (at < l->end && is_word_part(*at)) at++;
    take(l, TIR_TOKEN_WORD, at);
  } else if (*at == '%') {
    at = ++l->at;
    while (at < l->end && is_word_part(*at)) at++;
    take(l, TIR_TOKEN_LABEL, at);
    if (l->size == 0)
      return tir_ir_lex_fail(l, TIR_ERR_FORMAT, "%% is not followed by a name");
  } else if (is_digit(*at) || *at == '-' || *at == '.') {
    // The sign of an exponent is the one sign inside a number.
    for (at++; at < l->end; at++)
      if (!is_word_part(*at) &&
          !((*at == '-' || *at == '+') && (at[-1] == 'e' || at[-1] == 'E')))
        break;
    take(l, TIR_TOKEN_NUMBER, at);
  } else {
    take(l, TIR_TOKEN_PUNCT, at + 1);
  }
  return TIR_OK;
}

bool tir_ir_lex_is(const tir_ir_lexer *l, tir_ir_token_kind kind,
                   const char *text) {
  return l->kind == kind && strlen(text) == l->size &&
         memcmp(l->text, text, l->size) == 0;
}

tir_status tir_ir_lex_try(tir_ir_lexer *l, char c, bool *out_was) {
  *out_was = tir_ir_lex_is_punct(l, c);
  return *out_was ? tir_ir_lex(l) : TIR_OK;
}

tir_status tir_ir_lex_punct(tir_ir_lexer *l, char c, const char *where) {
  if (tir_ir_lex_is_punct(l, c)) return tir_ir_lex(l);
  char what[64];
  snprintf(what, sizeof what, "'%c' %s", c, where);
  return tir_ir_lex_expected(l, what);
}

// --- bytes -----------------------------------------------------------------

// Digits may be broken into lines anywhere between two bytes. What the
// lexer would make of them does not matter: they are read byte by byte.
tir_status tir_ir_lex_hex(tir_ir_lexer *l, unsigned char *out_bytes, size_t n) {
  if (n == 0) return TIR_OK;
  if (l->kind != TIR_TOKEN_NUMBER && l->kind != TIR_TOKEN_WORD)
    return tir_ir_lex_expected(l, "hex digits");
  // The first digits were taken as the present token: go back to it.
  l->at = l->text;
  l->next_line = l->line;
  for (size_t i = 0; i < n; i++) {
    skip_blanks(l);
    l->line = l->next_line;
    const int high = l->at < l->end ? tir_ir_hex_digit(l->at[0]) : -1;
    const int low = l->end - l->at > 1 ? tir_ir_hex_digit(l->at[1]) : -1;
    if (high < 0 || low < 0)
      return tir_ir_lex_fail(l, TIR_ERR_FORMAT,
                             "expected two hex digits for byte %zu of %zu", i,
                             n);
    out_bytes[i] = (unsigned char)(high << 4 | low);
    l->at += 2;
  }
  return tir_ir_lex(l);
}
