// Growing byte buffer with protobuf's wire format on top.
//
// Writers do not return errors: running out of memory is remembered, later
// calls do nothing, and whoever uses the bytes asks once.
#include "serialize/bytes.h"

#include <string.h>

#include "ir/base/checked.h"

void tir_ser_bytes_init(tir_ser_bytes *bytes, tir_context *context) {
  *bytes = (tir_ser_bytes){.context = context};
}

void tir_ser_bytes_free(tir_ser_bytes *bytes) {
  TIR_VEC_FREE(bytes->context, &bytes->vec);
}

// Where `size` more bytes go; the caller counts them when they are there.
static uint8_t *reserve(tir_ser_bytes *bytes, size_t size) {
  size_t total = 0;
  if (bytes->out_of_memory ||
      !tir_base_size_add(bytes->vec.count, size, &total) ||
      !TIR_VEC_RESERVE(bytes->context, &bytes->vec, size)) {
    bytes->out_of_memory = true;
    return NULL;
  }
  return bytes->vec.data + bytes->vec.count;
}

void tir_ser_put(tir_ser_bytes *bytes, const void *data, size_t size) {
  if (size == 0) return;
  uint8_t *to = reserve(bytes, size);
  if (!to) return;
  memcpy(to, data, size);
  bytes->vec.count += size;
}

// Returns the number of bytes written to `to`.
static size_t put_varint(uint8_t to[10], uint64_t value) {
  size_t n = 0;
  // Seven bits at a time, the lowest first.
  for (; value >= 0x80; value >>= 7) to[n++] = (uint8_t)(value | 0x80);
  to[n++] = (uint8_t)value;
  return n;
}

void tir_ser_put_varint(tir_ser_bytes *bytes, uint64_t value) {
  uint8_t encoded[10];
  tir_ser_put(bytes, encoded, put_varint(encoded, value));
}

void tir_ser_put_length(tir_ser_bytes *bytes, uint32_t field, size_t size) {
  // Wire type 2: a length and so many bytes.
  tir_ser_put_varint(bytes, (uint64_t)field << 3 | 2);
  tir_ser_put_varint(bytes, size);
}

void tir_ser_put_text(tir_ser_bytes *bytes, uint32_t field, const char *text) {
  const size_t size = strlen(text);
  tir_ser_put_length(bytes, field, size);
  tir_ser_put(bytes, text, size);
}

void tir_ser_put_message(tir_ser_bytes *bytes, uint32_t field,
                         const ProtobufCMessage *message) {
  const size_t size = protobuf_c_message_get_packed_size(message);
  tir_ser_put_length(bytes, field, size);
  uint8_t *to = reserve(bytes, size);
  if (to) bytes->vec.count += protobuf_c_message_pack(message, to);
}

ProtobufCBinaryData tir_ser_text(const char *text) {
  // protobuf-c's struct is not const; packing does not write through it.
  union {
    const char *in;
    uint8_t *out;
  } cast = {text};
  return (ProtobufCBinaryData){strlen(text), cast.out};
}

const char *tir_ser_quote(const ProtobufCBinaryData *text,
                          char buffer[TIR_QUOTED_MAX]) {
  char copy[TIR_QUOTED_MAX];
  // A message shows no more of a text than this, so the rest is not copied.
  const size_t size = text->len < sizeof copy - 1 ? text->len : sizeof copy - 1;
  if (size) memcpy(copy, text->data, size);
  copy[size] = '\0';
  return tir_base_quote(copy, buffer);
}
