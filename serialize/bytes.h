// Growing byte buffer with protobuf's wire format on top.
#ifndef TAPEIR_SERIALIZE_BYTES_H
#define TAPEIR_SERIALIZE_BYTES_H

#include <protobuf-c/protobuf-c.h>

#include "ir/base/vec.h"

typedef struct tir_ser_bytes {
  tir_context *context;
  TIR_VEC(uint8_t) vec;
  bool out_of_memory;  // sticky; checked once at the end
} tir_ser_bytes;

void tir_ser_bytes_init(tir_ser_bytes *bytes, tir_context *context);
void tir_ser_bytes_free(tir_ser_bytes *bytes);
void tir_ser_put(tir_ser_bytes *bytes, const void *data, size_t size);
void tir_ser_put_varint(tir_ser_bytes *bytes, uint64_t value);
// Tag and length of a field of `size` bytes that follow.
void tir_ser_put_length(tir_ser_bytes *bytes, uint32_t field, size_t size);
void tir_ser_put_text(tir_ser_bytes *bytes, uint32_t field, const char *text);
void tir_ser_put_message(tir_ser_bytes *bytes, uint32_t field,
                         const ProtobufCMessage *message);

// A C string as protobuf-c's counted bytes. The message only reads it.
ProtobufCBinaryData tir_ser_text(const char *text);
// The other way, for messages: quoted, escaped and cut. Returns `buffer`.
const char *tir_ser_quote(const ProtobufCBinaryData *text,
                          char buffer[TIR_QUOTED_MAX]);

#endif
