// Messages, names, types and sizes for people; JSON for programs.
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
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

const char *tool_name(const char *name) {
  enum { N_BUFFERS = 8, SIZE = 256 };
  static char buffers[N_BUFFERS][SIZE];
  static unsigned next;
  char *out = buffers[next++ % N_BUFFERS];
  size_t n = 0;
  for (const unsigned char *c = (const unsigned char *)name; *c && n + 5 < SIZE;
       c++) {
    // Also U+0080 … U+009F, which some terminals obey.
    const bool c1 = *c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;
    if (*c < 0x20 || *c == 0x7f || c1)
      n += (size_t)snprintf(out + n, 5, "\\x%02x", c1 ? *++c : *c);
    else
      out[n++] = (char)*c;
  }
  out[n] = '\0';
  return out;
}

const char *tool_type(const tir_port *port, char *buffer, size_t size) {
  size_t n = (size_t)snprintf(buffer, size, "%s[", tir_dtype_name(port->dtype));
  for (int i = 0; i < port->rank && n < size; i++) {
    const char *symbol = port->dim_names[i];
    n += (size_t)snprintf(buffer + n, size - n, "%s%s%s%" PRId64, i ? ", " : "",
                          symbol ? tool_name(symbol) : "", symbol ? "=" : "",
                          port->dims[i]);
  }
  if (n < size) snprintf(buffer + n, size - n, "]");
  return buffer;
}

const char *tool_bytes(uint64_t bytes, char buffer[32]) {
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

json_t *tool_json_number(double x) {
  return isfinite(x) ? json_real(x) : json_null();
}

int tool_print_json(json_t *document) {
  if (!document) return tool_fail("out of memory");
  const int status = json_dumpf(document, stdout, JSON_INDENT(2));
  fputc('\n', stdout);
  json_decref(document);
  return status ? tool_fail("cannot write JSON") : TOOL_OK;
}
