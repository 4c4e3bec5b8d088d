// Filling tir_error. Text is made in a buffer of its own first, because the
// arguments may point into the message that is replaced.
#include "ir/base/error.h"

#include <stdio.h>
#include <string.h>

#include "ir/base/utf8.h"

enum { MESSAGE_MAX = sizeof(((tir_error *)0)->message) };

_Static_assert(sizeof(tir_error) == 512, "tir_error is 512 bytes");

// From the list in the header, so that no code can lack a name.
const char *tir_status_name(tir_status status) {
  switch (status) {
#define TIR_STATUS_CASE(code, name, meaning) \
  case code:                                 \
    return name;
    TIR_STATUS_LIST(TIR_STATUS_CASE)
#undef TIR_STATUS_CASE
    default:
      return "unknown";
  }
}

// --- messages --------------------------------------------------------------

static void format_v(char out[MESSAGE_MAX], const char *format, va_list args)
    TIR_PRINTF(2, 0);
static void format_v(char out[MESSAGE_MAX], const char *format, va_list args) {
  const int wanted = vsnprintf(out, MESSAGE_MAX, format, args);
  if (wanted < 0) out[0] = '\0';
  if (wanted >= MESSAGE_MAX) tir_base_utf8_cut(out);
}

static void format_into(char out[MESSAGE_MAX], const char *format, ...)
    TIR_PRINTF(2, 3);
static void format_into(char out[MESSAGE_MAX], const char *format, ...) {
  va_list args;
  va_start(args, format);
  format_v(out, format, args);
  va_end(args);
}

// A fresh error each time; line and node are set by those who know them.
tir_status tir_base_fail_v(tir_error *error, tir_status status,
                           const char *format, va_list args) {
  if (!error) return status;
  char text[MESSAGE_MAX];
  format_v(text, format, args);
  *error = (tir_error){.status = status, .byte_offset = UINT64_MAX};
  memcpy(error->message, text, strlen(text) + 1);
  return status;
}

tir_status tir_base_fail(tir_error *error, tir_status status,
                         const char *format, ...) {
  va_list args;
  va_start(args, format);
  tir_base_fail_v(error, status, format, args);
  va_end(args);
  return status;
}

tir_status tir_base_fail_memory(tir_error *error, size_t size) {
  if (size == 0) return tir_base_fail(error, TIR_ERR_MEMORY, "out of memory");
  return tir_base_fail(error, TIR_ERR_MEMORY, "out of memory: %zu bytes asked",
                       size);
}

// Whoever passes an error on says what it was doing.
void tir_base_error_prefix(tir_error *error, const char *prefix) {
  if (!error) return;
  char text[MESSAGE_MAX];
  format_into(text, "%s: %s", prefix, error->message);
  memcpy(error->message, text, strlen(text) + 1);
}

void tir_base_error_append(tir_error *error, const char *format, ...) {
  if (!error) return;
  char added[MESSAGE_MAX], text[MESSAGE_MAX];
  va_list args;
  va_start(args, format);
  format_v(added, format, args);
  va_end(args);
  format_into(text, "%s%s", error->message, added);
  memcpy(error->message, text, strlen(text) + 1);
}

// --- quoting ---------------------------------------------------------------

// May the sequence stand in a message as it is? Controls (C0, DEL, C1) would
// reach a terminal; in a name a quote would look like its end, and a backslash
// like one of our escapes.
static bool is_plain(const unsigned char *s, size_t n, bool is_name) {
  if (n == 0 || s[0] < 0x20 || s[0] == 0x7F) return false;
  if (is_name && (s[0] == '"' || s[0] == '\\')) return false;
  return !(s[0] == 0xC2 && s[1] < 0xA0);
}

size_t tir_base_escape(const char *text, bool is_name, char *out, size_t room,
                       size_t *out_size) {
  static const char digits[] = "0123456789abcdef";
  const unsigned char *s = (const unsigned char *)text;
  *out_size = 0;
  // Room is counted in bytes written: the escape of one byte takes four.
  while (*s) {
    const size_t n =
        tir_base_utf8_length((const char *)s, strnlen((const char *)s, 4));
    const bool plain = is_plain(s, n, is_name);
    const size_t written = plain ? n : 4;
    if (*out_size + written > room) break;
    if (plain) {
      memcpy(out + *out_size, s, n);
    } else {
      const char escape[4] = {'\\', 'x', digits[*s >> 4], digits[*s & 15]};
      memcpy(out + *out_size, escape, sizeof escape);
    }
    *out_size += written;
    s += plain ? n : 1;
  }
  return (size_t)((const char *)s - text);
}

// 48 bytes between quotes: enough to recognise a name, and two of them leave
// room for the message.
const char *tir_base_quote(const char *name, char buffer[TIR_QUOTED_MAX]) {
  enum { CONTENT_MAX = 48 };
  if (!name) name = "";
  size_t n = 0;
  const size_t taken = tir_base_escape(name, true, buffer + 1, CONTENT_MAX, &n);
  const char *end = name[taken] ? "…\"" : "\"";
  buffer[0] = '"';
  memcpy(buffer + 1 + n, end, strlen(end) + 1);
  return buffer;
}

// What is no part of a number, nor of "inf" and "nan", is the separator. It may
// have several bytes.
const char *tir_base_number(double x, int n_digits,
                            char buffer[TIR_NUMBER_MAX]) {
  snprintf(buffer, TIR_NUMBER_MAX, "%.*g", n_digits, x);
  const size_t at = strspn(buffer, "+-0123456789einfa");
  if (buffer[at] == '\0') return buffer;
  const size_t n = strcspn(buffer + at, "+-0123456789einfa");
  buffer[at] = '.';
  memmove(buffer + at + 1, buffer + at + n, strlen(buffer + at + n) + 1);
  return buffer;
}
