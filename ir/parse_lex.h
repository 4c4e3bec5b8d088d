// Tokens of the text form. The grammar is docs/text-format.md.
#ifndef TAPEIR_IR_PARSE_LEX_H
#define TAPEIR_IR_PARSE_LEX_H

#include "ir/base/error.h"

typedef enum tir_ir_token_kind {
  TIR_TOKEN_END,
  TIR_TOKEN_WORD,    // identifier; keywords are words
  TIR_TOKEN_NUMBER,  // begins with a digit, - or .
  TIR_TOKEN_LABEL,   // %name or %12; the text is without the %
  TIR_TOKEN_STRING,  // the text is between the quotes, escapes as written
  TIR_TOKEN_PUNCT,   // one character
} tir_ir_token_kind;

// Stands at a token: kind, text and line are its.
typedef struct tir_ir_lexer {
  const char *at;  // behind the token
  const char *end;
  tir_ir_token_kind kind;
  const char *text;
  size_t size;
  int32_t line;       // of the token
  int32_t next_line;  // at `at`
  tir_error *error;
} tir_ir_lexer;

// Begins before the first token: call tir_ir_lex next.
void tir_ir_lex_begin(tir_ir_lexer *lexer, const char *text, size_t size,
                      tir_error *error);
// Moves to the next token.
tir_status tir_ir_lex(tir_ir_lexer *lexer);

bool tir_ir_lex_is(const tir_ir_lexer *lexer, tir_ir_token_kind kind,
                   const char *text);
static inline bool tir_ir_lex_is_punct(const tir_ir_lexer *lexer, char c) {
  return lexer->kind == TIR_TOKEN_PUNCT && *lexer->text == c;
}
// Over the punctuation `c`; an error names it, `where` and what was found.
tir_status tir_ir_lex_punct(tir_ir_lexer *lexer, char c, const char *where);
// Is it `c`? Then moves over it.
tir_status tir_ir_lex_try(tir_ir_lexer *lexer, char c, bool *out_was);
// "expected WHAT, found …" at the token.
tir_status tir_ir_lex_expected(const tir_ir_lexer *lexer, const char *what);
// An error at the token's line.
tir_status tir_ir_lex_fail(const tir_ir_lexer *lexer, tir_status status,
                           const char *format, ...) TIR_PRINTF(3, 4);

// `n` bytes written as hex digits from here on, blanks between any pair.
// Moves to the token after them.
tir_status tir_ir_lex_hex(tir_ir_lexer *lexer, unsigned char *out_bytes,
                          size_t n);

#endif
