// Filling tir_error. No heap, no thread-local, no global.
#ifndef TAPEIR_IR_BASE_ERROR_H
#define TAPEIR_IR_BASE_ERROR_H

#include <stdarg.h>

#include "tapeir/base.h"

#define TIR_PRINTF(text, first) \
  __attribute__((__format__(__printf__, text, first)))

// Returns early with the status of `expr` unless it is TIR_OK.
#define TIR_TRY(expr)                                      \
  do {                                                     \
    const tir_status tir_try_status_ = (expr);             \
    if (tir_try_status_ != TIR_OK) return tir_try_status_; \
  } while (0)

// Bytes a quoted user name may take in a message, NUL included.
#define TIR_QUOTED_MAX 64

// Writes status and message (cut at a UTF-8 boundary) and returns `status`.
// `error` may be NULL. Line, node and byte offset are reset to "none".
tir_status tir_base_fail(tir_error *error, tir_status status,
                         const char *format, ...) TIR_PRINTF(3, 4);
tir_status tir_base_fail_v(tir_error *error, tir_status status,
                           const char *format, va_list args) TIR_PRINTF(3, 0);
// "out of memory" with the size asked for; 0: it is not known.
tir_status tir_base_fail_memory(tir_error *error, size_t size);
// Puts "prefix: " before, or adds text after, the message already there.
void tir_base_error_prefix(tir_error *error, const char *prefix);
void tir_base_error_append(tir_error *error, const char *format, ...)
    TIR_PRINTF(2, 3);

// Bytes a number may take in a message, NUL included.
#define TIR_NUMBER_MAX 40

// As "%.*g", but with a point whatever the locale of the host. Returns
// `buffer`.
const char *tir_base_number(double x, int n_digits,
                            char buffer[TIR_NUMBER_MAX]);
// For an argument of "%s"; `digits` 6 is what "%g" gives.
#define TIR_NUMBER(x, digits) \
  tir_base_number(x, digits, (char[TIR_NUMBER_MAX]){0})

// A text of the user, for a message: what is no UTF-8 and control bytes become
// \xNN, in a name quotes and backslashes too. Whole characters and escapes, at
// most `room` bytes; returns how many bytes of the text they stand for.
size_t tir_base_escape(const char *text, bool is_name, char *out, size_t room,
                       size_t *out_size);
// A user's name for a message: quoted, control bytes, quotes and invalid
// UTF-8 escaped as \xNN, cut to 48 bytes. Returns `buffer`.
const char *tir_base_quote(const char *name, char buffer[TIR_QUOTED_MAX]);

#endif
