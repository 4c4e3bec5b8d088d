// Tokens of JSON (RFC 8259), as strict as the grammar: no comments, no trailing
// commas, no control characters in strings.
//
// The text is not copied: a string is decoded where it stands, which only makes
// it shorter, and its end is overwritten by a NUL. So a text can be read once,
// front to back.
#include "serialize/json.h"

#include <inttypes.h>
#include <string.h>

#include "ir/base/utf8.h"
#include "serialize/header.h"

tir_status tir_ser_json_fail(const tir_ser_json *json, const char *what) {
  return tir_ser_fail_at(json->error, tir_ser_json_place(json), TIR_ERR_FORMAT,
                         "header: expected %s at position %zu", what,
                         json->pos);
}

uint64_t tir_ser_json_place(const tir_ser_json *json) {
  return json->file_offset + json->pos;
}

// The four characters that JSON calls white space, and no other.
static void skip_space(tir_ser_json *json) {
  while (json->pos < json->size) {
    const char c = json->text[json->pos];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
    json->pos++;
  }
}

bool tir_ser_json_take(tir_ser_json *json, char c) {
  skip_space(json);
  if (json->pos == json->size || json->text[json->pos] != c) return false;
  json->pos++;
  return true;
}

tir_status tir_ser_json_expect(tir_ser_json *json, char c) {
  if (tir_ser_json_take(json, c)) return TIR_OK;
  // As "':'": the character in quotes.
  const char what[] = {'\'', c, '\'', '\0'};
  return tir_ser_json_fail(json, what);
}

// The first item has no comma before it; a comma must be followed by one.
tir_status tir_ser_json_more(tir_ser_json *json, size_t n, char close,
                             bool *out_more) {
  *out_more = false;
  if (tir_ser_json_take(json, close)) return TIR_OK;
  *out_more = true;
  if (n == 0 || tir_ser_json_take(json, ',')) return TIR_OK;
  const char what[] = {'\'', ',',  '\'',  ' ',  'o', 'r',
                       ' ',  '\'', close, '\'', '\0'};
  return tir_ser_json_fail(json, what);
}

tir_status tir_ser_json_end(tir_ser_json *json) {
  skip_space(json);
  return json->pos == json->size ? TIR_OK
                                 : tir_ser_json_fail(json, "nothing more");
}

// --- strings ---------------------------------------------------------------

// The four digits of \uXXXX at the cursor.
static bool take_hex4(tir_ser_json *json, uint32_t *out_unit) {
  *out_unit = 0;
  if (json->size - json->pos < 4) return false;
  for (int i = 0; i < 4; i++) {
    const char c = json->text[json->pos + (size_t)i];
    uint32_t digit = 0;
    if (c >= '0' && c <= '9')
      digit = (uint32_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = (uint32_t)(c - 'a') + 10;
    else if (c >= 'A' && c <= 'F')
      digit = (uint32_t)(c - 'A') + 10;
    else
      return false;
    *out_unit = *out_unit << 4 | digit;
  }
  json->pos += 4;
  return true;
}

// \uXXXX after its 'u', or a pair of them for a character above U+FFFF.
static tir_status take_unicode(tir_ser_json *json, uint32_t *out_code) {
  uint32_t low = 0;
  if (!take_hex4(json, out_code))
    return tir_ser_json_fail(json, "four hexadecimal digits");
  if (*out_code == 0) return tir_ser_json_fail(json, "no zero character");
  if (*out_code < 0xd800 || *out_code > 0xdfff) return TIR_OK;
  if (*out_code > 0xdbff || json->size - json->pos < 2 ||
      memcmp(json->text + json->pos, "\\u", 2) != 0)
    return tir_ser_json_fail(json, "a surrogate pair");
  json->pos += 2;
  if (!take_hex4(json, &low) || low < 0xdc00 || low > 0xdfff)
    return tir_ser_json_fail(json, "the second half of a surrogate pair");
  // Ten bits from each half, above U+FFFF.
  *out_code = 0x10000 + ((*out_code - 0xd800) << 10) + (low - 0xdc00);
  return TIR_OK;
}

// Never longer than the escape it stands for. Returns the end.
static char *put_utf8(char *to, uint32_t code) {
  if (code < 0x80) {
    *to++ = (char)code;
    return to;
  }
  // The first byte counts the bytes; each other one carries six bits.
  const int n_more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const uint32_t first = n_more == 1 ? 0xc0 : n_more == 2 ? 0xe0 : 0xf0;
  *to++ = (char)(first | code >> (6 * n_more));
  for (int i = n_more - 1; i >= 0; i--)
    *to++ = (char)(0x80 | (code >> (6 * i) & 0x3f));
  return to;
}

// What follows a backslash.
static tir_status take_escape(tir_ser_json *json, char **to) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  const char c = json->pos < json->size ? json->text[json->pos] : '\0';
  if (c == 'u') {
    uint32_t code = 0;
    json->pos++;
    TIR_TRY(take_unicode(json, &code));
    *to = put_utf8(*to, code);
    return TIR_OK;
  }
  // strchr would find the NUL at the end of the list too.
  const char *letter = c ? strchr(letters, c) : NULL;
  if (!letter) return tir_ser_json_fail(json, "an escape");
  *(*to)++ = meanings[letter - letters];
  json->pos++;
  return TIR_OK;
}

tir_status tir_ser_json_string(tir_ser_json *json, const char **out_text,
                               size_t *out_size) {
  if (!tir_ser_json_take(json, '"')) return tir_ser_json_fail(json, "a string");
  char *start = json->text + json->pos, *to = start;
  for (;;) {
    if (json->pos == json->size)
      return tir_ser_json_fail(json, "the end of a string");
    const char c = json->text[json->pos];
    if ((unsigned char)c < 0x20)
      return tir_ser_json_fail(json, "no control character in a string");
    json->pos++;
    if (c == '"') break;
    if (c == '\\')
      TIR_TRY(take_escape(json, &to));
    else
      *to++ = c;
  }
  *out_text = start;
  *out_size = (size_t)(to - start);
  *to = '\0';  // at the latest where the quote was
  if (tir_base_is_utf8(start, *out_size)) return TIR_OK;
  return tir_ser_json_fail(json, "UTF-8 in the string before");
}

// --- numbers ---------------------------------------------------------------

tir_status tir_ser_json_integer(tir_ser_json *json, uint64_t *out_value) {
  *out_value = 0;
  skip_space(json);
  const size_t start = json->pos;
  for (; json->pos < json->size; json->pos++) {
    const char c = json->text[json->pos];
    if (c < '0' || c > '9') break;
    const uint64_t digit = (uint64_t)(c - '0');
    // So value · 10 + digit is at most INT64_MAX.
    if (*out_value > ((uint64_t)INT64_MAX - digit) / 10)
      return tir_ser_fail_at(json->error, json->file_offset + start,
                             TIR_ERR_LIMIT,
                             "header: a number does not fit 63 bits");
    *out_value = *out_value * 10 + digit;
  }
  const size_t n = json->pos - start;
  if (n > 0 && (n == 1 || json->text[start] != '0')) return TIR_OK;
  json->pos = start;
  return tir_ser_json_fail(json, "an integer of 0 or more");
}
