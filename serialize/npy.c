// Tensors as .npy files.
//
// The header is parsed and written by npy_header.c; here are the file, the
// check of its size and the order of its elements. Data is read straight into
// the tensor unless it is column-major. Saving always writes row-major, through
// replace.c like every other save.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ir/base/checked.h"
#include "ir/base/strided.h"
#include "ir/base/tensor.h"
#include "serialize/header.h"
#include "serialize/npy_header.h"
#include "serialize/replace.h"
#include "tapeir/file.h"

// --- loading ---------------------------------------------------------------

typedef struct npy_file {
  tir_context *context;
  const tir_ser_io *io;
  const char *path;
  int fd;
  uint64_t size;
  size_t data_offset;
  tir_ser_npy_header header;
  tir_error *error;
} npy_file;

// Leaves the file at its first byte of data. Its start is read first, since it
// tells how long the rest of the header is.
static tir_status load_header(npy_file *f) {
  uint8_t start[TIR_SER_NPY_START];
  const size_t n = f->size < sizeof start ? (size_t)f->size : sizeof start;
  TIR_TRY(tir_ser_read_all(f->io, f->fd, f->path, start, n, f->error));
  size_t text_offset = 0;
  TIR_TRY(tir_ser_npy_start(start, n, &text_offset, &f->data_offset, f->error));
  if (f->data_offset > f->size)
    return tir_ser_fail_at(f->error, f->size, TIR_ERR_FORMAT,
                           "header is cut short");
  const size_t size = f->data_offset - text_offset;
  char *text = tir_base_alloc(f->context, size, 1);
  if (!text) return tir_base_fail_memory(f->error, size);
  // Version 1.0 headers begin inside the bytes already read. (One that ends
  // there too is too short to be right, so nothing of the data is lost.)
  const size_t have = (n < f->data_offset ? n : f->data_offset) - text_offset;
  memcpy(text, start + text_offset, have);
  tir_status status = tir_ser_read_all(f->io, f->fd, f->path, text + have,
                                       size - have, f->error);
  if (status == TIR_OK)
    status = tir_ser_npy_parse(text, size, &f->header, f->error);
  tir_base_free(f->context, text, size, 1);
  return status;
}

// Exactly as many bytes as the shape needs, before anything that large is
// allocated.
static tir_status check_data_size(const npy_file *f) {
  const tir_ser_npy_header *header = &f->header;
  size_t bytes = 0;
  if (!tir_base_tensor_bytes(header->dims, header->rank,
                             tir_dtype_size(header->dtype), &bytes))
    return tir_ser_fail_at(f->error, 0, TIR_ERR_LIMIT,
                           "header: the shape is too large");
  if (f->size - f->data_offset != bytes)
    return tir_ser_fail_at(f->error, f->data_offset, TIR_ERR_FORMAT,
                           "file has %" PRIu64
                           " bytes of data, its shape needs %zu",
                           f->size - f->data_offset, bytes);
  return TIR_OK;
}

// Column-major to row-major. The sizes were checked: strides cannot wrap.
static void to_row_major(const tir_tensor *tensor, const uint8_t *columns) {
  int64_t strides[TIR_MAX_RANK];
  int64_t stride = (int64_t)tir_dtype_size(tensor->dtype);
  for (int i = 0; i < tensor->rank; i++) {
    strides[i] = stride;
    stride *= tensor->dims[i];
  }
  tir_base_copy_strided(tensor->data, columns, tensor->dims, strides,
                        tensor->rank, tir_dtype_size(tensor->dtype));
}

// A vector has the same elements in either order.
static tir_status read_data(npy_file *f, tir_tensor *tensor) {
  const size_t size = tensor->size_bytes;
  if (!f->header.fortran_order || tensor->rank < 2)
    return tir_ser_read_all(f->io, f->fd, f->path, tensor->data, size,
                            f->error);
  uint8_t *columns = tir_base_alloc(f->context, size, TIR_SER_ALIGN);
  if (!columns) return tir_base_fail_memory(f->error, size);
  const tir_status status =
      tir_ser_read_all(f->io, f->fd, f->path, columns, size, f->error);
  if (status == TIR_OK) to_row_major(tensor, columns);
  tir_base_free(f->context, columns, size, TIR_SER_ALIGN);
  return status;
}

static tir_status load_tensor(npy_file *f, tir_tensor **out_tensor) {
  TIR_TRY(load_header(f));
  TIR_TRY(check_data_size(f));
  tir_tensor *tensor = NULL;
  TIR_TRY(tir_tensor_create(f->context, f->header.dtype, f->header.dims,
                            f->header.rank, &tensor, f->error));
  tir_status status = read_data(f, tensor);
  if (status == TIR_OK)
    status = tir_ser_check_size(f->io, f->fd, f->path, f->size, f->error);
  if (status != TIR_OK) {
    tir_tensor_release(tensor);
    return status;
  }
  if (tensor->dtype == TIR_DTYPE_BOOL) {
    // Any byte that is not 0 is true there; here it is 1.
    uint8_t *bytes = tensor->data;
    for (size_t i = 0; i < tensor->size_bytes; i++) bytes[i] = bytes[i] != 0;
  }
  *out_tensor = tensor;
  return TIR_OK;
}

tir_status tir_npy_load(tir_context *context, const char *path,
                        tir_tensor **out_tensor, tir_error *error) {
  if (!context || !path || !out_tensor)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "npy: %s is NULL",
                         !context ? "context"
                         : !path  ? "path"
                                  : "out_tensor");
  *out_tensor = NULL;
  npy_file f = {.context = context,
                .io = &tir_ser_io_system,
                .path = path,
                .error = error};
  tir_status status = tir_ser_open(f.io, path, &f.fd, &f.size, error);
  if (status == TIR_OK) {
    status = load_tensor(&f, out_tensor);
    f.io->close(f.io->user, f.fd);
    char quoted[TIR_SER_PATH_MAX];
    if (status != TIR_OK)
      tir_base_error_prefix(error, tir_ser_quote_path(path, quoted));
  }
  if (status != TIR_OK) tir_base_error_prefix(error, "npy");
  return status;
}

// --- saving ----------------------------------------------------------------

static tir_status write_content(void *user, tir_ser_output *output,
                                tir_error *error) {
  const tir_tensor *tensor = user;
  tir_ser_npy_header header = {.dtype = tensor->dtype, .rank = tensor->rank};
  memcpy(header.dims, tensor->dims, sizeof header.dims);
  uint8_t bytes[TIR_SER_NPY_MAX_WRITTEN];
  const size_t size = tir_ser_npy_print(&header, bytes);
  TIR_TRY(tir_ser_write(output, bytes, size, error));
  return tir_ser_write(output, tensor->data, tensor->size_bytes, error);
}

tir_status tir_npy_save(const tir_tensor *tensor, const char *path,
                        tir_error *error) {
  if (!tensor || !path)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "npy: %s is NULL",
                         tensor ? "path" : "tensor");
  // The callback's argument is not const; it only reads.
  union {
    const tir_tensor *in;
    void *out;
  } cast = {tensor};
  const tir_status status = tir_ser_replace_file(
      &tir_ser_io_system, path, write_content, cast.out, error);
  if (status != TIR_OK) tir_base_error_prefix(error, "npy");
  return status;
}
