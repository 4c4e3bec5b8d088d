// Text buffer: growing bytes, strings with escapes.
//
// A lost byte is remembered and reported once, at the end, so that printing
// code needs no check per call.
//
// Memory grows by doubling, so that a text is built in linear time whatever the
// pieces. The text handed out is one block of its own size.
#include "ir/text.h"

#include <stdio.h>
#include <string.h>

#include "ir/base/checked.h"
#include "ir/base/utf8.h"

void tir_ir_text_init(tir_ir_text *text, tir_context *context) {
  *text = (tir_ir_text){.context = context};
}

void tir_ir_text_free(tir_ir_text *text) {
  TIR_VEC_FREE(text->context, &text->bytes);
}

// One byte more is taken for the NUL, which the next piece overwrites.
void tir_ir_text_bytes(tir_ir_text *text, const char *bytes, size_t size) {
  if (text->out_of_memory || size > SIZE_MAX / 4 ||
      !TIR_VEC_RESERVE(text->context, &text->bytes, size + 1)) {
    text->out_of_memory = true;
    return;
  }
  memcpy(text->bytes.data + text->bytes.count, bytes, size);
  text->bytes.count += size;
  text->bytes.data[text->bytes.count] = '\0';
}

void tir_ir_text_word(tir_ir_text *text, const char *word) {
  tir_ir_text_bytes(text, word, strlen(word));
}

void tir_ir_text_i64(tir_ir_text *text, int64_t x) {
  // 2^64 − 1 has 20.
  char digits[20];
  size_t n = 0;
  // Of the negative number: INT64_MIN has no positive one.
  uint64_t rest = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
  do {
    digits[sizeof digits - ++n] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (x < 0) tir_ir_text_bytes(text, "-", 1);
  tir_ir_text_bytes(text, digits + sizeof digits - n, n);
}

// Formatted on the stack first; only what does not fit there is formatted
// again.
void tir_ir_text_add(tir_ir_text *text, const char *format, ...) {
  char fixed[256];
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(fixed, sizeof fixed, format, args);
  va_end(args);
  if (n < 0) {
    text->out_of_memory = true;
    return;
  }
  if ((size_t)n < sizeof fixed) {
    tir_ir_text_bytes(text, fixed, (size_t)n);
    return;
  }
  if (text->out_of_memory ||
      !TIR_VEC_RESERVE(text->context, &text->bytes, (size_t)n + 1)) {
    text->out_of_memory = true;
    return;
  }
  va_start(args, format);
  vsnprintf(text->bytes.data + text->bytes.count, (size_t)n + 1, format, args);
  va_end(args);
  text->bytes.count += (size_t)n;
}

// --- strings ---------------------------------------------------------------

// Bytes at `s` that may stand in a string as they are: printable ASCII but
// quote and backslash, and valid UTF-8 but the control characters U+0080 to
// U+009F, which terminals obey.
static size_t plain_length(const unsigned char *s, size_t room) {
  if (s[0] < 0x80)
    return s[0] >= 0x20 && s[0] != 0x7f && s[0] != '"' && s[0] != '\\';
  if (s[0] == 0xc2 && room > 1 && s[1] < 0xa0) return 0;
  return tir_base_utf8_length((const char *)s, room);
}

static void add_escape(tir_ir_text *text, unsigned char byte) {
  static const char hex[] = "0123456789abcdef";
  char out[4] = {'\\', (char)byte, '\0', '\0'};
  size_t n = 2;
  if (byte == '\n') {
    out[1] = 'n';
  } else if (byte == '\t') {
    out[1] = 't';
  } else if (byte != '"' && byte != '\\') {
    out[1] = 'x';
    out[2] = hex[byte >> 4];
    out[3] = hex[byte & 15];
    n = 4;
  }
  tir_ir_text_bytes(text, out, n);
}

// In runs: what needs no escape is copied at once.
void tir_ir_text_string(tir_ir_text *text, const char *bytes, size_t size) {
  tir_ir_text_bytes(text, "\"", 1);
  size_t i = 0;
  while (i < size) {
    const size_t start = i;
    size_t n = 0;
    while (i < size &&
           (n = plain_length((const unsigned char *)bytes + i, size - i)) > 0)
      i += n;
    tir_ir_text_bytes(text, bytes + start, i - start);
    if (i < size) add_escape(text, (unsigned char)bytes[i++]);
  }
  tir_ir_text_bytes(text, "\"", 1);
}

// The same set the lexer takes for a word, so what prints bare reads bare.
bool tir_ir_is_identifier(const char *bytes, size_t size) {
  if (size == 0) return false;
  for (size_t i = 0; i < size; i++) {
    const char c = bytes[i];
    const bool letter =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool later = (c >= '0' && c <= '9') || c == '.';
    if (!letter && !(later && i > 0)) return false;
  }
  return true;
}

void tir_ir_text_name(tir_ir_text *text, const char *name) {
  const size_t size = strlen(name);
  if (tir_ir_is_identifier(name, size))
    tir_ir_text_bytes(text, name, size);
  else
    tir_ir_text_string(text, name, size);
}

// --- handing out -----------------------------------------------------------

// Stands before the text handed out, so that freeing knows the size. Keeps
// the text aligned as memory of its own would be.
typedef union text_header {
  size_t size_bytes;
  max_align_t align;
} text_header;

// The buffer is freed either way.
tir_status tir_ir_text_finish(tir_ir_text *text, char **out_text,
                              tir_error *error) {
  *out_text = NULL;
  const size_t size = text->bytes.count;
  size_t bytes = 0;
  char *block = NULL;
  if (!text->out_of_memory &&
      tir_base_size_add(size, sizeof(text_header) + 1, &bytes))
    block = tir_base_alloc(text->context, bytes, _Alignof(text_header));
  if (block) {
    const text_header header = {.size_bytes = bytes};
    memcpy(block, &header, sizeof header);
    *out_text = block + sizeof header;
    if (size) memcpy(*out_text, text->bytes.data, size);
    (*out_text)[size] = '\0';
  }
  tir_ir_text_free(text);
  return block ? TIR_OK : tir_base_fail_memory(error, size);
}

void tir_text_free(tir_context *context, char *text) {
  if (!text) return;
  text_header header;
  char *block = text - sizeof header;
  memcpy(&header, block, sizeof header);
  tir_base_free(context, block, header.size_bytes, _Alignof(text_header));
}
