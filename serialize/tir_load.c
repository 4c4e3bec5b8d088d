// Loading a module from .tir: from a file or from memory.
//
// Order: header (checked by itself), graph section (checksum, pre-scan), tensor
// table (must cover the tensor section exactly), tensor data (checksums), then
// the module. Nothing is believed before it was checked, and nothing is
// allocated by a size the file itself is not long enough for.
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "ir/base/checked.h"
#include "ir/base/hash.h"
#include "serialize/block.h"
#include "serialize/decode.h"
#include "serialize/header.h"
#include "serialize/source.h"
#include "serialize/tir_file.h"

typedef struct loading {
  tir_context *context;
  tir_ser_source *source;
  bool map;
  tir_ser_header header;
  uint8_t *graph;  // section and padding: tensor_offset − header bytes
  size_t graph_room;
  tir_ser_block *block;
  tir_ser_decoder decoder;
  tir_error *error;
} loading;

static tir_status check_zeros(const uint8_t *bytes, size_t from, size_t to,
                              uint64_t file_offset, tir_error *error) {
  for (size_t i = from; i < to; i++)
    if (bytes[i])
      return tir_ser_fail_at(error, file_offset + i, TIR_ERR_FORMAT,
                             "padding byte is 0x%02x, not 0", bytes[i]);
  return TIR_OK;
}

// --- sections --------------------------------------------------------------

// A file shorter than a header is read as far as it goes, so that the check can
// tell what is wrong with it.
static tir_status load_header(loading *l) {
  uint8_t bytes[TIR_SER_HEADER_BYTES];
  const uint64_t size = l->source->size;
  const size_t n = size < sizeof bytes ? (size_t)size : sizeof bytes;
  TIR_TRY(tir_ser_source_read(l->source, bytes, n, l->error));
  TIR_TRY(tir_ser_header_decode(bytes, n, size, &l->header, l->error));
  if (l->header.graph_bytes > TIR_SER_MAX_GRAPH_BYTES)
    return tir_ser_fail_at(l->error, TIR_SER_AT_GRAPH_BYTES, TIR_ERR_LIMIT,
                           "graph section of %" PRIu64 " bytes, at most %d",
                           l->header.graph_bytes, TIR_SER_MAX_GRAPH_BYTES);
  return TIR_OK;
}

// The section and the padding behind it, then the checksum before anything is
// made of a single byte.
static tir_status load_graph_section(loading *l) {
  // The header was checked: these fit, and the source has as many bytes.
  const size_t size = (size_t)l->header.graph_bytes;
  l->graph_room = (size_t)l->header.tensor_offset - TIR_SER_HEADER_BYTES;
  TIR_TRY(tir_ser_budget_take(&l->decoder.budget, l->graph_room, l->error));
  l->graph = tir_base_alloc(l->context, l->graph_room, TIR_SER_ALIGN);
  if (!l->graph) return tir_base_fail_memory(l->error, l->graph_room);
  TIR_TRY(tir_ser_source_read(l->source, l->graph, l->graph_room, l->error));
  if (tir_base_hash(l->graph, size) != l->header.graph_hash)
    return tir_ser_fail_at(l->error, TIR_SER_HEADER_BYTES, TIR_ERR_FORMAT,
                           "graph section is damaged: its checksum does not "
                           "match");
  TIR_TRY(check_zeros(l->graph, size, l->graph_room, TIR_SER_HEADER_BYTES,
                      l->error));
  l->decoder.bytes = l->graph;
  l->decoder.size = size;
  TIR_TRY(tir_ser_decode_scan(&l->decoder));
  return tir_ser_decode_tensors(&l->decoder, l->header.tensor_bytes);
}

// The whole file, since a mapping begins at a page. It does not count against
// the budget: its pages are the system's cache, not memory of the load.
static tir_status map_tensors(loading *l) {
  const tir_ser_source *s = l->source;
  const size_t size = (size_t)l->header.file_bytes;
  void *base = s->io->map(s->io->user, s->fd, size);
  if (!base) return tir_ser_fail_io(l->error, "cannot map", s->path, errno);
  l->block = tir_ser_block_of_map(l->context, base, size,
                                  (size_t)l->header.tensor_offset);
  if (l->block) return TIR_OK;
  munmap(base, size);
  return tir_base_fail_memory(l->error, sizeof(tir_ser_block));
}

// One block for all tensors of the file.
static tir_status read_tensors(loading *l) {
  const size_t size = (size_t)l->header.tensor_bytes;
  TIR_TRY(tir_ser_budget_take(&l->decoder.budget, size, l->error));
  l->block = tir_ser_block_create(l->context, size);
  if (!l->block) return tir_base_fail_memory(l->error, size);
  return tir_ser_source_read(l->source, l->block->section, size, l->error);
}

// Padding before the tensor is checked too: no byte of a file goes unseen.
static tir_status check_tensor(loading *l, size_t index, size_t *end) {
  const tir_ser_tensor *tensor = &l->decoder.tensors.data[index];
  const uint8_t *section = l->block->section;
  TIR_TRY(check_zeros(section, *end, tensor->offset, l->header.tensor_offset,
                      l->error));
  *end = tensor->offset + tensor->size;
  if (tir_base_hash(section + tensor->offset, tensor->size) == tensor->hash)
    return TIR_OK;
  return tir_ser_fail_at(
      l->error, l->header.tensor_offset + tensor->offset, TIR_ERR_FORMAT,
      "tensor %zu is damaged: its checksum does not match", index + 1);
}

// Bytes other than 0 and 1 would be true for some ops and not for others.
// Looked at in mapped data too: bools are few.
static tir_status check_bools(loading *l, size_t index) {
  const tir_ser_tensor *tensor = &l->decoder.tensors.data[index];
  const uint8_t *data = l->block->section + tensor->offset;
  if (tensor->dtype != TIR_DTYPE_BOOL) return TIR_OK;
  for (size_t i = 0; i < tensor->size; i++)
    if (data[i] > 1)
      return tir_ser_fail_at(
          l->error, l->header.tensor_offset + tensor->offset + i,
          TIR_ERR_FORMAT, "tensor %zu: a bool is %d, expected 0 or 1",
          index + 1, data[i]);
  return TIR_OK;
}

// One reference to the block per tensor.
static tir_status make_tensors(loading *l) {
  size_t end = 0;
  for (size_t i = 0; i < l->decoder.tensors.count; i++) {
    tir_ser_tensor *tensor = &l->decoder.tensors.data[i];
    // Mapped data is left alone: looking at it would read the whole file.
    if (l->map)
      tensor->unverified = true;
    else
      TIR_TRY(check_tensor(l, i, &end));
    TIR_TRY(check_bools(l, i));
    TIR_TRY(tir_tensor_wrap(l->context, tensor->dtype, tensor->dims,
                            tensor->rank, l->block->section + tensor->offset,
                            tir_ser_block_release, l->block, &tensor->tensor,
                            l->error));
    tir_ser_block_retain(l->block);
  }
  return TIR_OK;
}

static tir_status load_all(loading *l, tir_module **out_module) {
  TIR_TRY(load_header(l));
  TIR_TRY(load_graph_section(l));
  TIR_TRY(l->map ? map_tensors(l) : read_tensors(l));
  // After the last read of it: its size has not changed while it was read.
  TIR_TRY(tir_ser_source_check(l->source, l->error));
  TIR_TRY(make_tensors(l));
  tir_module *module = NULL;
  TIR_TRY(tir_module_create(l->context, &module, l->error));
  const tir_status status = tir_ser_decode_module(&l->decoder, module);
  if (status != TIR_OK) {
    tir_module_destroy(module);
    return tir_ser_as_format(status, l->error);
  }
  *out_module = module;
  return TIR_OK;
}

// What goes wrong anywhere below is cleaned up here, once.
static tir_status load_source(tir_context *context, tir_ser_source *s,
                              const tir_load_options *options,
                              tir_module **out_module, tir_error *error) {
  loading l = {
      .context = context,
      .source = s,
      .map = options && options->map && s->fd >= 0,
      .error = error,
  };
  tir_ser_decoder_init(&l.decoder, context, options, s->size, error);
  const tir_status status = load_all(&l, out_module);
  tir_ser_decoder_free(&l.decoder);
  tir_ser_block_release(l.block);
  tir_base_free(context, l.graph, l.graph_room, TIR_SER_ALIGN);
  if (status != TIR_OK) tir_ser_source_prefix(s, error);
  return status;
}

// --- entries ---------------------------------------------------------------

tir_status tir_ser_load(const tir_ser_io *io, tir_context *context,
                        const char *path, const tir_load_options *options,
                        tir_module **out_module, tir_error *error) {
  return tir_ser_load_path(io, context, path, options, load_source, out_module,
                           error);
}

tir_status tir_module_load(tir_context *context, const char *path,
                           const tir_load_options *options,
                           tir_module **out_module, tir_error *error) {
  return tir_ser_load(&tir_ser_io_system, context, path, options, out_module,
                      error);
}

tir_status tir_module_load_memory(tir_context *context, const void *bytes,
                                  size_t size, const tir_load_options *options,
                                  tir_module **out_module, tir_error *error) {
  return tir_ser_load_bytes(context, bytes, size, options, load_source,
                            out_module, error);
}

// --- mapped params ---------------------------------------------------------

tir_status tir_module_verify_param(tir_module *module, const char *name,
                                   tir_error *error) {
  if (!module || !name)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "verify: %s is NULL",
                         module ? "name" : "module");
  TIR_TRY(tir_ir_module_acquire(module, false, error));
  const tir_ir_param *param = tir_ir_module_param(module, name);
  char quoted[TIR_QUOTED_MAX];
  const tir_status status =
      param ? tir_ir_check_param(module, param, error)
            : tir_base_fail(error, TIR_ERR_ARGUMENT,
                            "verify: the module has no parameter %s",
                            tir_base_quote(name, quoted));
  tir_ir_module_end_lease(module);
  return status;
}
