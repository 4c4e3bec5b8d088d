// A cursor over JSON text of unknown origin: the tokens a safetensors header
// is made of. There is no tree and no recursion; whoever reads asks for what
// must come next.
#ifndef TAPEIR_SERIALIZE_JSON_H
#define TAPEIR_SERIALIZE_JSON_H

#include "ir/base/error.h"

typedef struct tir_ser_json {
  char *text;  // strings are decoded in place
  size_t size;
  size_t pos;
  uint64_t file_offset;  // of text[0], for messages
  tir_error *error;
} tir_ser_json;

// "header: expected WHAT" at the present place.
tir_status tir_ser_json_fail(const tir_ser_json *json, const char *what);
// Offset in the file of the present place.
uint64_t tir_ser_json_place(const tir_ser_json *json);

// Takes a character if it is the next one after white space.
bool tir_ser_json_take(tir_ser_json *json, char c);
tir_status tir_ser_json_expect(tir_ser_json *json, char c);
// Is there another item before `close`? Takes the comma or `close`. `n` items
// were read.
tir_status tir_ser_json_more(tir_ser_json *json, size_t n, char close,
                             bool *out_more);
// A string, decoded: valid UTF-8 without zero bytes, NUL-terminated, inside
// the text.
tir_status tir_ser_json_string(tir_ser_json *json, const char **out_text,
                               size_t *out_size);
// Digits without a leading zero, sign, point or exponent; at most INT64_MAX.
tir_status tir_ser_json_integer(tir_ser_json *json, uint64_t *out_value);
// Nothing but white space is left.
tir_status tir_ser_json_end(tir_ser_json *json);

#endif
