// Where a load gets its bytes: an open file, or memory. What every load of
// either has in common.
#ifndef TAPEIR_SERIALIZE_SOURCE_H
#define TAPEIR_SERIALIZE_SOURCE_H

#include "serialize/io.h"
#include "tapeir/file.h"

typedef struct tir_ser_source {
  const tir_ser_io *io;
  const char *path;      // NULL: memory
  int fd;                // −1: memory
  const uint8_t *bytes;  // memory
  uint64_t size;
  uint64_t pos;  // sections are read in order
} tir_ser_source;

// Refuses what no load takes: NULL arguments (`from` stands for the file or
// the memory), reserved options. *out_module becomes NULL.
tir_status tir_ser_check_load(const tir_context *context, const void *from,
                              const tir_load_options *options,
                              tir_module **out_module, tir_error *error);
// The limits of a load without zeros; `options` may be NULL.
tir_load_options tir_ser_load_limits(const tir_load_options *options,
                                     uint64_t file_size);

// Opens a file; the message begins with "load".
tir_status tir_ser_source_open(const tir_ser_io *io, const char *path,
                               tir_ser_source *out_source, tir_error *error);
// Memory; no bytes are an empty file, whatever the pointer.
tir_ser_source tir_ser_source_memory(const void *bytes, size_t size);
void tir_ser_source_close(tir_ser_source *source);
// The caller has checked that so many bytes are left.
tir_status tir_ser_source_read(tir_ser_source *source, void *bytes, size_t size,
                               tir_error *error);
// After the last read: is the file still what it was?
tir_status tir_ser_source_check(const tir_ser_source *source, tir_error *error);
// Puts "load 'path': " before the message of a failed load.
void tir_ser_source_prefix(const tir_ser_source *source, tir_error *error);

// A load of either format, as both of its entries have it.
typedef tir_status (*tir_ser_load_fn)(tir_context *context, tir_ser_source *s,
                                      const tir_load_options *options,
                                      tir_module **out_module,
                                      tir_error *error);
tir_status tir_ser_load_path(const tir_ser_io *io, tir_context *context,
                             const char *path, const tir_load_options *options,
                             tir_ser_load_fn load, tir_module **out_module,
                             tir_error *error);
tir_status tir_ser_load_bytes(tir_context *context, const void *bytes,
                              size_t size, const tir_load_options *options,
                              tir_ser_load_fn load, tir_module **out_module,
                              tir_error *error);

// What a check of ours calls a wrong argument is, to whoever loads, a
// malformed file.
tir_status tir_ser_as_format(tir_status status, tir_error *error);

#endif
