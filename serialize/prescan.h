// Pre-scan: walks a protobuf message by its descriptor before anything is
// unpacked.
//
// The unpacker has no limit of depth, multiplies sizes unchecked and turns one
// byte of input into a hundred of memory. After a pre-scan its input is known
// to be well-formed, flat enough and counted.
#ifndef TAPEIR_SERIALIZE_PRESCAN_H
#define TAPEIR_SERIALIZE_PRESCAN_H

#include <protobuf-c/protobuf-c.h>

#include "ir/base/error.h"

enum { TIR_SER_MAX_DEPTH = 32 };

// Counts a field: each occurrence, and each element of a packed one.
typedef struct tir_ser_count {
  const ProtobufCMessageDescriptor *message;
  uint32_t field;
  const char *what;  // "nodes"
  uint64_t limit;
  uint64_t n;  // result
} tir_ser_count;

typedef struct tir_ser_prescan {
  const ProtobufCMessageDescriptor *root;
  const uint8_t *bytes;
  size_t size;
  uint64_t file_offset;  // of bytes[0], for messages
  bool bytes_are_text;   // `bytes` fields are strings (string_as_bytes)
  // Fields that are not in the schema: numbers from here on are skipped, lower
  // ones refused. 0: all skipped.
  uint32_t first_extra;
  tir_ser_count *counts;
  size_t n_counts;
} tir_ser_prescan;

// Takes time linear in the size and no memory.
tir_status tir_ser_prescan_run(const tir_ser_prescan *scan, tir_error *error);

#endif
