// Reading protobuf's wire format. The strict reading: what a correct encoder
// would not have written is an error, never a guess.
//
// A field is its tag (number << 3 | wire type) and its content. Nothing is read
// past cursor->end, whatever the bytes say.
#include "serialize/wire.h"

#include <string.h>

#include "ir/base/utf8.h"

const char *tir_ser_read_varint(tir_ser_cursor *cursor, uint64_t *out_value) {
  *out_value = 0;
  uint64_t value = 0;
  size_t pos = cursor->pos;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (pos == cursor->end) return "varint runs past the end";
    // Seven bits each, the lowest first; the upper bit says that more follow.
    const uint8_t byte = cursor->bytes[pos++];
    // The tenth byte holds bit 63 alone.
    if (shift == 63 && byte > 1) return "varint does not fit 64 bits";
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte & 0x80) continue;
    if (byte == 0 && shift > 0) return "varint is longer than it needs to be";
    cursor->pos = pos;
    *out_value = value;
    return NULL;
  }
  return "varint does not fit 64 bits";
}

static const char *read_content(tir_ser_cursor *cursor, tir_ser_field *field) {
  const size_t left = cursor->end - cursor->pos;
  switch ((int)field->type) {
    case TIR_SER_WIRE_VARINT:
      return tir_ser_read_varint(cursor, &field->value);
    case TIR_SER_WIRE_FIXED64:
      if (left < 8) return "8-byte field runs past the end";
      memcpy(&field->value, cursor->bytes + cursor->pos, 8);
      cursor->pos += 8;
      return NULL;
    case TIR_SER_WIRE_FIXED32:
      if (left < 4) return "4-byte field runs past the end";
      memcpy(&field->value, cursor->bytes + cursor->pos, 4);
      cursor->pos += 4;
      return NULL;
    case TIR_SER_WIRE_BYTES: {
      uint64_t size = 0;
      const char *wrong = tir_ser_read_varint(cursor, &size);
      if (wrong) return wrong;
      // Compared with what is left, so that no sum can wrap.
      if (size > cursor->end - cursor->pos) return "content runs past the end";
      field->offset = cursor->pos;
      field->size = (size_t)size;
      cursor->pos += field->size;
      return NULL;
    }
    // Start and end of a group, which proto3 no longer has.
    case 3:
    case 4:
      return "group fields are not allowed";
    default:
      return "wire type is not known";
  }
}

const char *tir_ser_read_field(tir_ser_cursor *cursor,
                               tir_ser_field *out_field) {
  *out_field = (tir_ser_field){.start = cursor->pos};
  uint64_t tag = 0;
  const char *wrong = tir_ser_read_varint(cursor, &tag);
  if (!wrong && (tag >> 3 == 0 || tag > UINT32_MAX))
    wrong = "field number is out of range";
  if (!wrong) {
    out_field->number = (uint32_t)(tag >> 3);
    out_field->type = (tir_ser_wire_type)(tag & 7);
    wrong = read_content(cursor, out_field);
  }
  if (wrong) cursor->pos = out_field->start;
  return wrong;
}

bool tir_ser_is_text(const uint8_t *bytes, size_t size) {
  if (size == 0) return true;
  return !memchr(bytes, 0, size) && tir_base_is_utf8((const char *)bytes, size);
}
