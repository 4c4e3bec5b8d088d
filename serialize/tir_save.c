// Saving a module as .tir: header, graph section, tensors.
//
// Tensors are written straight from the module's storage, which a reader lease
// keeps still. How the file replaces the old one is replace.c's business.
#include <inttypes.h>

#include "ir/base/hash.h"
#include "serialize/encode.h"
#include "serialize/header.h"
#include "serialize/replace.h"
#include "serialize/schema.h"
#include "serialize/tir_file.h"

typedef struct saving {
  tir_ser_header header;
  tir_ser_bytes graph;
  tir_ser_tensor_list tensors;
} saving;

// Storage that came from a mapped file and was never written must still be
// what the file said, or the damage would get a valid checksum.
static tir_status check_mapped(const tir_module *module, tir_error *error) {
  for (size_t i = 0; i < module->params.count; i++)
    TIR_TRY(tir_ir_check_param(module, &module->params.data[i], error));
  return TIR_OK;
}

// Called by the replacement with the new file open. Everything has its place in
// the header by now; what lies between is zeros.
static tir_status write_content(void *user, tir_ser_output *output,
                                tir_error *error) {
  const saving *s = user;
  uint8_t header[TIR_SER_HEADER_BYTES];
  tir_ser_header_encode(&s->header, header);
  TIR_TRY(tir_ser_write(output, header, sizeof header, error));
  TIR_TRY(tir_ser_write(output, s->graph.vec.data, s->graph.vec.count, error));
  TIR_TRY(tir_ser_pad(output, s->header.tensor_offset, error));
  for (size_t i = 0; i < s->tensors.tensors.count; i++) {
    const tir_tensor *tensor = s->tensors.tensors.data[i];
    TIR_TRY(tir_ser_pad(
        output, s->header.tensor_offset + s->tensors.offsets.data[i], error));
    TIR_TRY(tir_ser_write(output, tensor->data, tensor->size_bytes, error));
  }
  return TIR_OK;
}

// All sizes are known once the graph section is encoded: no byte is written
// before the header is final.
static tir_status lay_out(saving *s, tir_error *error) {
  s->header = (tir_ser_header){
      .major = TIR_SER_MAJOR,
      .minor = TIR_SER_MINOR,
      .graph_bytes = s->graph.vec.count,
      .tensor_bytes = s->tensors.end,
      .graph_hash = tir_base_hash(s->graph.vec.data, s->graph.vec.count),
  };
  // Other readers of protobuf stop at 2 GiB.
  if (s->graph.vec.count > TIR_SER_MAX_GRAPH_BYTES)
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "graph section of %zu bytes, at most %d",
                         s->graph.vec.count, TIR_SER_MAX_GRAPH_BYTES);
  if (!tir_ser_header_layout(&s->header))
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "tensors are too large for a file");
  return TIR_OK;
}

static tir_status save_held(const tir_ser_io *io, tir_module *module,
                            const char *path, tir_error *error) {
  saving s = {0};
  tir_ser_bytes_init(&s.graph, module->context);
  tir_ser_tensors_init(&s.tensors, module->context);
  tir_status status = check_mapped(module, error);
  if (status == TIR_OK)
    status = tir_ser_encode_module(module, &s.tensors, &s.graph, error);
  if (status == TIR_OK) status = lay_out(&s, error);
  if (status == TIR_OK)
    status = tir_ser_replace_file(io, path, write_content, &s, error);
  tir_ser_bytes_free(&s.graph);
  tir_ser_tensors_free(&s.tensors);
  return status;
}

tir_status tir_ser_save(const tir_ser_io *io, tir_module *module,
                        const char *path, tir_error *error) {
  TIR_TRY(tir_ir_module_acquire(module, false, error));
  // A reader's lease: other readers go on, nobody writes a parameter meanwhile.
  const tir_status status = save_held(io, module, path, error);
  tir_ir_module_end_lease(module);
  if (status != TIR_OK) tir_base_error_prefix(error, "save");
  return status;
}

tir_status tir_module_save(tir_module *module, const char *path,
                           tir_error *error) {
  if (!module || !path)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "save: %s is NULL",
                         module ? "path" : "module");
  return tir_ser_save(&tir_ser_io_system, module, path, error);
}
