// Where a load gets its bytes.
//
// Loaders read front to back and never seek, so a source is a position and a
// read. File and memory differ here alone.
#include "serialize/source.h"

#include <stdio.h>
#include <string.h>

#include "ir/graph.h"

// Non-zero reserved words mean a caller built for options this version does not
// have: better refused than ignored.
tir_status tir_ser_check_load(const tir_context *context, const void *from,
                              const tir_load_options *options,
                              tir_module **out_module, tir_error *error) {
  if (!out_module)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "load: out_module is NULL");
  *out_module = NULL;
  if (!context || !from)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "load: %s is NULL",
                         context ? "what to load from" : "context");
  const size_t n = options ? sizeof options->reserved / 8 : 0;
  for (size_t i = 0; i < n; i++)
    if (options->reserved[i])
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "load: reserved option %zu is not 0: built for a "
                           "newer header",
                           i);
  return TIR_OK;
}

// 0 in the options means the default.
static uint64_t or_default(uint64_t value, uint64_t by_default) {
  return value ? value : by_default;
}

// The default lets ordinary models through and stops amplification: a message
// may unpack to many times its size.
tir_load_options tir_ser_load_limits(const tir_load_options *options,
                                     uint64_t file_size) {
  const uint64_t least = UINT64_C(64) << 20;
  const uint64_t by_size =
      file_size < (uint64_t)PTRDIFF_MAX / 16 ? 16 * file_size : PTRDIFF_MAX;
  tir_load_options limits = {0};
  if (options) limits = *options;
  limits.max_bytes =
      or_default(limits.max_bytes, by_size > least ? by_size : least);
  limits.max_nodes = or_default(limits.max_nodes, 16777216);
  limits.max_tensors = or_default(limits.max_tensors, 1048576);
  limits.max_name = or_default(limits.max_name, TIR_MAX_NAME);
  return limits;
}

tir_status tir_ser_source_open(const tir_ser_io *io, const char *path,
                               tir_ser_source *out_source, tir_error *error) {
  *out_source = (tir_ser_source){.io = io, .path = path, .fd = -1};
  const tir_status status =
      tir_ser_open(io, path, &out_source->fd, &out_source->size, error);
  if (status != TIR_OK) tir_base_error_prefix(error, "load");
  return status;
}

tir_ser_source tir_ser_source_memory(const void *bytes, size_t size) {
  return (tir_ser_source){.fd = -1, .bytes = bytes, .size = size};
}

void tir_ser_source_close(tir_ser_source *source) {
  if (source->fd >= 0) source->io->close(source->io->user, source->fd);
  source->fd = -1;
}

tir_status tir_ser_source_read(tir_ser_source *source, void *bytes, size_t size,
                               tir_error *error) {
  if (source->fd >= 0)
    TIR_TRY(tir_ser_read_all(source->io, source->fd, source->path, bytes, size,
                             error));
  else if (size)
    memcpy(bytes, source->bytes + source->pos, size);
  source->pos += size;
  return TIR_OK;
}

// Memory cannot change its size while it is read.
tir_status tir_ser_source_check(const tir_ser_source *source,
                                tir_error *error) {
  if (source->fd < 0) return TIR_OK;
  return tir_ser_check_size(source->io, source->fd, source->path, source->size,
                            error);
}

void tir_ser_source_prefix(const tir_ser_source *source, tir_error *error) {
  // Memory has no name: the message then begins with "load".
  char quoted[TIR_SER_PATH_MAX], prefix[TIR_SER_PATH_MAX + 8];
  snprintf(prefix, sizeof prefix, "load%s%s", source->path ? " " : "",
           source->path ? tir_ser_quote_path(source->path, quoted) : "");
  tir_base_error_prefix(error, prefix);
}

// An op's check speaks of wrong arguments; when they came from a file it is the
// file that is wrong. Memory, limits and I/O stay what they are.
tir_status tir_ser_as_format(tir_status status, tir_error *error) {
  switch (status) {
    case TIR_ERR_ARGUMENT:
    case TIR_ERR_SHAPE:
    case TIR_ERR_DTYPE:
    case TIR_ERR_STATE:
    case TIR_ERR_VALUE:
      if (error) error->status = TIR_ERR_FORMAT;
      return TIR_ERR_FORMAT;
    default:
      return status;
  }
}

// --- entries ---------------------------------------------------------------

tir_status tir_ser_load_path(const tir_ser_io *io, tir_context *context,
                             const char *path, const tir_load_options *options,
                             tir_ser_load_fn load, tir_module **out_module,
                             tir_error *error) {
  TIR_TRY(tir_ser_check_load(context, path, options, out_module, error));
  tir_ser_source s;
  TIR_TRY(tir_ser_source_open(io, path, &s, error));
  const tir_status status = load(context, &s, options, out_module, error);
  tir_ser_source_close(&s);
  return status;
}

tir_status tir_ser_load_bytes(tir_context *context, const void *bytes,
                              size_t size, const tir_load_options *options,
                              tir_ser_load_fn load, tir_module **out_module,
                              tir_error *error) {
  TIR_TRY(tir_ser_check_load(context, bytes || size == 0 ? "" : NULL, options,
                             out_module, error));
  tir_ser_source s = tir_ser_source_memory(bytes, size);
  return load(context, &s, options, out_module, error);
}
