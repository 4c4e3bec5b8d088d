// The 128-byte header of a .tir file (docs/file-format.md).
#ifndef TAPEIR_SERIALIZE_HEADER_H
#define TAPEIR_SERIALIZE_HEADER_H

#include "ir/base/error.h"

enum {
  TIR_SER_HEADER_BYTES = 128,
  TIR_SER_AT_GRAPH_BYTES = 16,  // in the header
  TIR_SER_ALIGN = 64,           // of the graph section's end and of each tensor
  TIR_SER_PAGE = 4096,          // of the tensor section
  TIR_SER_MAJOR = 0,            // formats this version writes and reads
  TIR_SER_MINOR = 1,            // lowest minor that can hold what is written
  TIR_SER_KNOWN_FLAGS = 0,      // must-understand flags known here
};

typedef struct tir_ser_header {
  uint16_t major;
  uint16_t minor;
  uint32_t flags;
  uint64_t graph_bytes;    // of the protobuf message, without padding
  uint64_t tensor_offset;  // in the file
  uint64_t tensor_bytes;
  uint64_t file_bytes;
  uint64_t graph_hash;  // XXH3-64 of the protobuf message
} tir_ser_header;

// Fills the offsets and file_bytes from graph_bytes and tensor_bytes; false
// when a size does not fit.
bool tir_ser_header_layout(tir_ser_header *header);
void tir_ser_header_encode(const tir_ser_header *header,
                           uint8_t out_bytes[TIR_SER_HEADER_BYTES]);
// Decodes and checks everything a header can say wrong. `size` is the number
// of bytes there are of a file of `file_size` bytes: fewer than a header is an
// error.
tir_status tir_ser_header_decode(const uint8_t *bytes, size_t size,
                                 uint64_t file_size, tir_ser_header *out_header,
                                 tir_error *error);

// As tir_base_fail, with the place in the file.
tir_status tir_ser_fail_at(tir_error *error, uint64_t byte_offset,
                           tir_status status, const char *format, ...)
    TIR_PRINTF(4, 5);

#endif
