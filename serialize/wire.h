// Reading protobuf's wire format field by field, without recursion.
#ifndef TAPEIR_SERIALIZE_WIRE_H
#define TAPEIR_SERIALIZE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tir_ser_wire_type {
  TIR_SER_WIRE_VARINT = 0,
  TIR_SER_WIRE_FIXED64 = 1,
  TIR_SER_WIRE_BYTES = 2,
  TIR_SER_WIRE_FIXED32 = 5,
} tir_ser_wire_type;

// Reads bytes[pos … end).
typedef struct tir_ser_cursor {
  const uint8_t *bytes;
  size_t pos;
  size_t end;
} tir_ser_cursor;

typedef struct tir_ser_field {
  uint32_t number;
  tir_ser_wire_type type;
  uint64_t value;  // varint and fixed
  size_t start;    // of the tag
  size_t offset;   // of the content, for BYTES
  size_t size;
} tir_ser_field;

// Each returns NULL, or what is wrong; the cursor then stands where it began.
// Varints must be minimal and fit 64 bits.
const char *tir_ser_read_varint(tir_ser_cursor *cursor, uint64_t *out_value);
// One field; groups, tag 0 and content past the end are wrong.
const char *tir_ser_read_field(tir_ser_cursor *cursor,
                               tir_ser_field *out_field);

// UTF-8 without NUL.
bool tir_ser_is_text(const uint8_t *bytes, size_t size);

#endif
