// The header of a .tir file: layout, encoding, checks.
//
// Every field is fixed by the others or covered by the header's own checksum,
// so no byte of it can change unseen. Big-endian hosts are refused at build.
#include "serialize/header.h"

#include <inttypes.h>
#include <string.h>

#include "ir/base/checked.h"
#include "ir/base/hash.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "files hold little-endian data: a big-endian host is not supported"
#endif

// The line ends show a transfer that rewrote them.
static const uint8_t magic[8] = {'T', 'A', 'P', 'E', 'I', 'R', '\r', '\n'};

enum {
  AT_MAJOR = 8,
  AT_MINOR = 10,
  AT_FLAGS = 12,
  AT_GRAPH_BYTES = TIR_SER_AT_GRAPH_BYTES,
  AT_TENSOR_OFFSET = 24,
  AT_TENSOR_BYTES = 32,
  AT_FILE_BYTES = 40,
  AT_GRAPH_HASH = 48,
  // Zero, so that a later version can tell that nobody used it.
  AT_RESERVED = 56,
  AT_HEADER_HASH = 120,
};

tir_status tir_ser_fail_at(tir_error *error, uint64_t byte_offset,
                           tir_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  tir_base_fail_v(error, status, format, args);
  va_end(args);
  if (error) error->byte_offset = byte_offset;
  return status;
}

// Offsets are a function of the sizes: written by it, and checked by it.
// Without tensors the file ends with the graph section.
bool tir_ser_header_layout(tir_ser_header *header) {
  size_t offset = 0, end = 0;
  const size_t align = header->tensor_bytes ? TIR_SER_PAGE : TIR_SER_ALIGN;
  if (header->graph_bytes > PTRDIFF_MAX || header->tensor_bytes > PTRDIFF_MAX ||
      !tir_base_size_add(TIR_SER_HEADER_BYTES, (size_t)header->graph_bytes,
                         &offset) ||
      !tir_base_size_align(offset, align, &offset) ||
      !tir_base_size_add(offset, (size_t)header->tensor_bytes, &end))
    return false;
  header->tensor_offset = offset;
  header->file_bytes = end;
  return true;
}

// Sizes are those of the format, not of the C struct: nothing depends on how
// the compiler lays the struct out.
static void put(uint8_t *bytes, size_t at, const void *field, size_t size) {
  memcpy(bytes + at, field, size);
}

void tir_ser_header_encode(const tir_ser_header *header,
                           uint8_t out_bytes[TIR_SER_HEADER_BYTES]) {
  memset(out_bytes, 0, TIR_SER_HEADER_BYTES);
  put(out_bytes, 0, magic, sizeof magic);
  put(out_bytes, AT_MAJOR, &header->major, sizeof header->major);
  put(out_bytes, AT_MINOR, &header->minor, sizeof header->minor);
  put(out_bytes, AT_FLAGS, &header->flags, sizeof header->flags);
  put(out_bytes, AT_GRAPH_BYTES, &header->graph_bytes, 8);
  put(out_bytes, AT_TENSOR_OFFSET, &header->tensor_offset, 8);
  put(out_bytes, AT_TENSOR_BYTES, &header->tensor_bytes, 8);
  put(out_bytes, AT_FILE_BYTES, &header->file_bytes, 8);
  put(out_bytes, AT_GRAPH_HASH, &header->graph_hash, 8);
  // Of all that stands before it.
  const uint64_t hash = tir_base_hash(out_bytes, AT_HEADER_HASH);
  put(out_bytes, AT_HEADER_HASH, &hash, 8);
}

// memcpy, because the fields lie at fixed offsets of unaligned bytes.
static void get_fields(const uint8_t *bytes, tir_ser_header *header) {
  memcpy(&header->major, bytes + AT_MAJOR, sizeof header->major);
  memcpy(&header->minor, bytes + AT_MINOR, sizeof header->minor);
  memcpy(&header->flags, bytes + AT_FLAGS, sizeof header->flags);
  memcpy(&header->graph_bytes, bytes + AT_GRAPH_BYTES, 8);
  memcpy(&header->tensor_offset, bytes + AT_TENSOR_OFFSET, 8);
  memcpy(&header->tensor_bytes, bytes + AT_TENSOR_BYTES, 8);
  memcpy(&header->file_bytes, bytes + AT_FILE_BYTES, 8);
  memcpy(&header->graph_hash, bytes + AT_GRAPH_HASH, 8);
}

// What a reader has to know before it may trust the other fields.
static tir_status check_version(const tir_ser_header *header,
                                tir_error *error) {
  if (header->major != TIR_SER_MAJOR)
    return tir_ser_fail_at(error, AT_MAJOR, TIR_ERR_UNSUPPORTED,
                           "file format %u.%u is not known: this version "
                           "reads %d.x",
                           header->major, header->minor, TIR_SER_MAJOR);
  const uint32_t unknown = header->flags & ~(uint32_t)TIR_SER_KNOWN_FLAGS;
  if (unknown)
    return tir_ser_fail_at(error, AT_FLAGS, TIR_ERR_UNSUPPORTED,
                           "file format %u.%u needs features 0x%" PRIx32
                           " that this version does not know",
                           header->major, header->minor, unknown);
  return TIR_OK;
}

// The checksum was right, so this catches writers, not accidents.
static tir_status check_sizes(const uint8_t *bytes, uint64_t file_size,
                              tir_ser_header *header, tir_error *error) {
  for (size_t i = AT_RESERVED; i < AT_HEADER_HASH; i++)
    if (bytes[i])
      return tir_ser_fail_at(error, i, TIR_ERR_FORMAT,
                             "header: reserved byte %zu is 0x%02x, not 0", i,
                             bytes[i]);
  if (header->file_bytes != file_size)
    return tir_ser_fail_at(
        error, AT_FILE_BYTES, TIR_ERR_FORMAT,
        "file has %" PRIu64 " bytes, its header says %" PRIu64 ": %s",
        file_size, header->file_bytes,
        file_size < header->file_bytes ? "it was cut short"
                                       : "bytes were added after its end");
  tir_ser_header layout = *header;
  if (!tir_ser_header_layout(&layout) ||
      layout.tensor_offset != header->tensor_offset ||
      layout.file_bytes != header->file_bytes)
    return tir_ser_fail_at(error, AT_GRAPH_BYTES, TIR_ERR_FORMAT,
                           "header: sections do not fit: graph section of "
                           "%" PRIu64 " bytes, tensor section at %" PRIu64
                           " of %" PRIu64 " bytes, file of %" PRIu64,
                           header->graph_bytes, header->tensor_offset,
                           header->tensor_bytes, header->file_bytes);
  return TIR_OK;
}

// In the order that gives the most telling message: a text file is "not a .tir
// file", not one of a wrong checksum.
tir_status tir_ser_header_decode(const uint8_t *bytes, size_t size,
                                 uint64_t file_size, tir_ser_header *out_header,
                                 tir_error *error) {
  *out_header = (tir_ser_header){0};
  // A file cut within the magic is cut short, not of another kind.
  const size_t n_magic = size < sizeof magic ? size : sizeof magic;
  if (size == 0)
    return tir_ser_fail_at(error, 0, TIR_ERR_FORMAT, "file is empty");
  if (memcmp(bytes, magic, n_magic) != 0)
    return tir_ser_fail_at(error, 0, TIR_ERR_FORMAT,
                           "not a .tir file: it does not start with TAPEIR");
  if (size < TIR_SER_HEADER_BYTES)
    return tir_ser_fail_at(error, size, TIR_ERR_FORMAT,
                           "file has %zu bytes, a header has %d", size,
                           TIR_SER_HEADER_BYTES);
  uint64_t stored = 0;
  memcpy(&stored, bytes + AT_HEADER_HASH, 8);
  if (stored != tir_base_hash(bytes, AT_HEADER_HASH))
    return tir_ser_fail_at(error, AT_HEADER_HASH, TIR_ERR_FORMAT,
                           "header is damaged: its checksum does not match");
  get_fields(bytes, out_header);
  TIR_TRY(check_version(out_header, error));
  return check_sizes(bytes, file_size, out_header, error);
}
