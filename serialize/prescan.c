// Iterative pre-scan of a protobuf message: one frame per open message on a
// stack of fixed depth. Checks tags, wire types against the schema, varints,
// lengths, UTF-8, depth and counts; allocates nothing.
//
// A field is read whole before it is looked at; that of a message is then gone
// into. So a length that reaches past the message around it is found first.
#include "serialize/prescan.h"

#include <inttypes.h>

#include "serialize/header.h"
#include "serialize/wire.h"

typedef struct frame {
  const ProtobufCMessageDescriptor *message;
  size_t end;
} frame;

typedef struct state {
  const tir_ser_prescan *scan;
  tir_ser_cursor cursor;  // `end` is that of the innermost message
  frame frames[TIR_SER_MAX_DEPTH];
  int depth;
  tir_error *error;
} state;

// "Graph.nodes: what is wrong", placed at the field in the file.
static tir_status fail(const state *s, size_t at, const char *field,
                       const char *wrong) {
  return tir_ser_fail_at(s->error, s->scan->file_offset + at, TIR_ERR_FORMAT,
                         "%s%s%s: %s",
                         s->frames[s->depth - 1].message->short_name,
                         field ? "." : "", field ? field : "", wrong);
}

// The schema's types fall into four encodings; sub-messages and strings are the
// one by length.
static bool is_varint(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
      return true;
    default:
      return false;
  }
}

// Bytes of a fixed-size scalar, 0 for other types.
static size_t fixed_size(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
      return 4;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
      return 8;
    default:
      return 0;
  }
}

static tir_ser_wire_type wire_type_of(ProtobufCType type) {
  if (is_varint(type)) return TIR_SER_WIRE_VARINT;
  switch (fixed_size(type)) {
    case 4:
      return TIR_SER_WIRE_FIXED32;
    case 8:
      return TIR_SER_WIRE_FIXED64;
    default:
      return TIR_SER_WIRE_BYTES;
  }
}

// The unpacker would cut a number that is too wide: refuse it instead.
static const char *check_varint(ProtobufCType type, uint64_t value) {
  const int64_t as_signed = (int64_t)value;
  switch (type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_SINT32:
      return value <= UINT32_MAX ? NULL : "value does not fit 32 bits";
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM:
      return as_signed >= INT32_MIN && as_signed <= INT32_MAX
                 ? NULL
                 : "value does not fit 32 bits";
    case PROTOBUF_C_TYPE_BOOL:
      return value <= 1 ? NULL : "bool is neither 0 nor 1";
    default:
      return NULL;
  }
}

// Content of a packed field: whole elements, counted.
static const char *scan_packed(const state *s, const tir_ser_field *field,
                               ProtobufCType type, uint64_t *out_n) {
  const size_t fixed = fixed_size(type);
  if (fixed) {
    *out_n = field->size / fixed;
    return field->size % fixed ? "packed field ends inside an element" : NULL;
  }
  // A cursor of its own: that of the scan stands behind the field by now.
  tir_ser_cursor cursor = {s->cursor.bytes, field->offset,
                           field->offset + field->size};
  uint64_t n = 0;
  while (cursor.pos < cursor.end) {
    uint64_t value = 0;
    const char *wrong = tir_ser_read_varint(&cursor, &value);
    if (!wrong) wrong = check_varint(type, value);
    if (wrong) return wrong;
    n++;
  }
  *out_n = n;
  return NULL;
}

// Counting while scanning lets the loader refuse before it allocates.
static tir_status count(const state *s, const tir_ser_field *field,
                        uint64_t n) {
  const ProtobufCMessageDescriptor *message = s->frames[s->depth - 1].message;
  for (size_t i = 0; i < s->scan->n_counts; i++) {
    tir_ser_count *c = &s->scan->counts[i];
    if (c->message != message || c->field != field->number) continue;
    c->n += n;  // bounded by the size of the input
    if (c->n > c->limit)
      return tir_ser_fail_at(s->error, s->scan->file_offset + field->start,
                             TIR_ERR_LIMIT, "more than %" PRIu64 " %s",
                             c->limit, c->what);
  }
  return TIR_OK;
}

// Depth is bounded here, on a fixed array, so that the unpacker, which does
// recurse, never sees more.
static tir_status enter(state *s, const tir_ser_field *field,
                        const ProtobufCFieldDescriptor *desc) {
  if (s->depth == TIR_SER_MAX_DEPTH)
    return tir_ser_fail_at(s->error, s->scan->file_offset + field->start,
                           TIR_ERR_LIMIT, "%s.%s: nesting deeper than %d",
                           s->frames[s->depth - 1].message->short_name,
                           desc->name, TIR_SER_MAX_DEPTH);
  s->frames[s->depth].message = desc->descriptor;
  s->frames[s->depth].end = field->offset + field->size;
  s->depth++;
  // The cursor goes back to the start of the content just skipped.
  s->cursor.pos = field->offset;
  s->cursor.end = field->offset + field->size;
  return TIR_OK;
}

// Low numbers belong to the schema: one that is not in ours comes from a newer
// writer and may matter. High numbers are extras by agreement.
static tir_status scan_unknown(const state *s, const tir_ser_field *field) {
  if (field->number >= s->scan->first_extra) return TIR_OK;
  return tir_ser_fail_at(
      s->error, s->scan->file_offset + field->start, TIR_ERR_UNSUPPORTED,
      "%s: field %" PRIu32
      " is not known to this version: the file needs a "
      "newer one",
      s->frames[s->depth - 1].message->short_name, field->number);
}

// Repeated scalars may come packed or one by one; readers must take both.
static tir_status scan_known(state *s, const tir_ser_field *field,
                             const ProtobufCFieldDescriptor *desc) {
  const ProtobufCType type = desc->type;
  const char *wrong = NULL;
  uint64_t n = 1;
  if (field->type == wire_type_of(type)) {
    if (is_varint(type)) wrong = check_varint(type, field->value);
    const bool is_text =
        type == PROTOBUF_C_TYPE_STRING ||
        (type == PROTOBUF_C_TYPE_BYTES && s->scan->bytes_are_text);
    if (is_text &&
        !tir_ser_is_text(s->cursor.bytes + field->offset, field->size))
      wrong = "string is not UTF-8 without NUL";
  } else if (field->type == TIR_SER_WIRE_BYTES &&
             desc->label == PROTOBUF_C_LABEL_REPEATED) {
    wrong = scan_packed(s, field, type, &n);
  } else {
    wrong = "wire type does not match the schema";
  }
  if (wrong) return fail(s, field->start, desc->name, wrong);
  TIR_TRY(count(s, field, n));
  return type == PROTOBUF_C_TYPE_MESSAGE ? enter(s, field, desc) : TIR_OK;
}

tir_status tir_ser_prescan_run(const tir_ser_prescan *scan, tir_error *error) {
  state s = {.scan = scan,
             .cursor = {scan->bytes, 0, scan->size},
             .depth = 1,
             .error = error};
  // Each turn ends a message or reads a field, whose content is passed over in
  // one step: the time is linear in the size.
  s.frames[0] = (frame){scan->root, scan->size};
  for (;;) {
    if (s.cursor.pos == s.cursor.end) {
      if (--s.depth == 0) return TIR_OK;
      s.cursor.end = s.frames[s.depth - 1].end;
      continue;
    }
    tir_ser_field field;
    const char *wrong = tir_ser_read_field(&s.cursor, &field);
    if (wrong) return fail(&s, s.cursor.pos, NULL, wrong);
    const ProtobufCFieldDescriptor *desc =
        protobuf_c_message_descriptor_get_field(s.frames[s.depth - 1].message,
                                                field.number);
    TIR_TRY(desc ? scan_known(&s, &field, desc) : scan_unknown(&s, &field));
  }
}
