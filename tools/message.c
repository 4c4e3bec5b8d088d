// Messages, names, types and sizes for people; JSON for programs.
//
// Messages go to stderr, so that stdout carries data only.
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

int tool_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "%serror:%s ", tool_red(stderr), tool_plain(stderr));
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  return TOOL_FAILED;
}

int tool_fail_error(const char *where, const tir_error *error) {
  return tool_fail("%s: %s", where, error->message);
}

int tool_usage(const tool *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "%serror:%s %s: ", tool_red(stderr), tool_plain(stderr),
          t->options.verb);
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n`tapeir %s --help` shows the usage\n", t->options.verb);
  va_end(args);
  return TOOL_USAGE;
}

// Names come from files, and what they hold must not reach a terminal as
// control bytes.
const char *tool_name(const char *name) {
  // In turn, so that one printf may show several names.
  enum { N_BUFFERS = 8, SIZE = 256 };
  static char buffers[N_BUFFERS][SIZE];
  static unsigned next;
  char *out = buffers[next++ % N_BUFFERS];
  size_t n = 0;
  const unsigned char *c = (const unsigned char *)name;
  // Room for an escape and the end: a longer name is cut.
  for (; *c && n + 5 < SIZE; c++) {
    // Also U+0080 … U+009F, which some terminals obey.
    const bool c1 = *c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;
    if (*c < 0x20 || *c == 0x7f || c1)
      n += (size_t)snprintf(out + n, 5, "\\x%02x", c1 ? *++c : *c);
    else
      out[n++] = (char)*c;
  }
  out[n] = '\0';
  // A whole one ends as it ends, even if that is no UTF-8.
  return *c ? tool_cut(out) : out;
}

char *tool_cut(char *text) {
  const size_t n = strlen(text);
  size_t begin = n;
  // Back over the bytes that continue a character, to the one that begins it.
  while (begin > 0 && n - begin < 3 &&
         ((unsigned char)text[begin - 1] >> 6) == 2)
    begin--;
  if (begin == 0) return text;
  const unsigned char first = (unsigned char)text[begin - 1];
  const size_t wanted = first >= 0xf0   ? 3
                        : first >= 0xe0 ? 2
                        : first >= 0xc0 ? 1
                                        : 0;
  if (n - begin < wanted) text[begin - 1] = '\0';
  return text;
}

const char *tool_type(const tir_port *port, char *buffer, size_t size) {
  size_t n = (size_t)snprintf(buffer, size, "%s[", tir_dtype_name(port->dtype));
  // Stops where the buffer is full: n then passes its size.
  for (int i = 0; i < port->rank && n < size; i++) {
    const char *symbol = port->dim_names[i];
    n += (size_t)snprintf(buffer + n, size - n, "%s%s%s%" PRId64, i ? ", " : "",
                          symbol ? tool_name(symbol) : "", symbol ? "=" : "",
                          port->dims[i]);
  }
  if (n < size) snprintf(buffer + n, size - n, "]");
  return tool_cut(buffer);
}

const char *tool_bytes(uint64_t bytes, char buffer[32]) {
  // Powers of 1024, and nothing beyond the last.
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = (double)bytes;
  int unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    unit++;
  }
  snprintf(buffer, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
  return buffer;
}

// By stream: one may be a file while the other is a terminal.
static const char *code(FILE *out, const char *text) {
  const char *no_color = getenv("NO_COLOR");
  const char *terminal = getenv("TERM");
  if (!isatty(fileno(out)) || (no_color && *no_color) ||
      (terminal && strcmp(terminal, "dumb") == 0))
    return "";
  return text;
}

const char *tool_bold(FILE *out) { return code(out, "\033[1m"); }
const char *tool_dim(FILE *out) { return code(out, "\033[2m"); }
const char *tool_red(FILE *out) { return code(out, "\033[31m"); }
const char *tool_green(FILE *out) { return code(out, "\033[32m"); }
const char *tool_plain(FILE *out) { return code(out, "\033[0m"); }

bool tool_ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

int64_t tool_now_ns(void) {
  struct timespec now = {0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

json_t *tool_json_number(double x) {
  return isfinite(x) ? json_real(x) : json_null();
}

int tool_print_json(json_t *document) {
  // NULL is a document that could not be made.
  if (!document) return tool_fail("out of memory");
  const int status = json_dumpf(document, stdout, JSON_INDENT(2));
  fputc('\n', stdout);
  json_decref(document);
  return status ? tool_fail("cannot write JSON") : TOOL_OK;
}
