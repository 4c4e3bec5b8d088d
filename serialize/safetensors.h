// The header of a safetensors file, and the file itself with a given table of
// system calls.
//
//   u64 size of the header; the header, JSON padded with spaces; raw data
//
//   {"__metadata__": {"key": "value", …},
//    "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
#ifndef TAPEIR_SERIALIZE_SAFETENSORS_H
#define TAPEIR_SERIALIZE_SAFETENSORS_H

#include "ir/module.h"
#include "serialize/budget.h"
#include "serialize/bytes.h"
#include "serialize/io.h"
#include "tapeir/file.h"

enum {
  TIR_SER_ST_START = 8,  // bytes of the header's size
  TIR_SER_ST_MAX_HEADER = 100000000,
};

// The key that is no tensor.
extern const char tir_ser_st_metadata[];
// "F32" …; NULL for an invalid dtype.
const char *tir_ser_st_dtype(tir_dtype dtype);

typedef struct tir_ser_st_tensor {
  const char *name;  // in the header's text, like all texts here
  size_t name_size;
  uint64_t place;  // of its entry in the file
  tir_dtype dtype;
  int rank;
  int64_t dims[TIR_MAX_RANK];
  uint64_t begin, end;  // in the data
} tir_ser_st_tensor;

typedef struct tir_ser_st_text {
  const char *key, *value;
  size_t key_size, value_size;
  uint64_t place;
} tir_ser_st_text;

// Ordered by place in the data: they cover it without gap or overlap.
typedef struct tir_ser_st_header {
  tir_context *context;
  TIR_VEC(tir_ser_st_tensor) tensors;
  TIR_VEC(tir_ser_st_text) metadata;
} tir_ser_st_header;

// Parses and checks all a header says but the uniqueness of its names.
// `text` is written to. Needs no more memory than the budget has.
tir_status tir_ser_st_parse(tir_ser_st_header *header, char *text, size_t size,
                            uint64_t data_bytes, const tir_load_options *limits,
                            tir_ser_budget *budget, tir_error *error);
void tir_ser_st_free(tir_ser_st_header *header);

tir_status tir_ser_st_load(const tir_ser_io *io, tir_context *context,
                           const char *path, const tir_load_options *options,
                           tir_module **out_module, tir_error *error);
tir_status tir_ser_st_save(const tir_ser_io *io, tir_module *module,
                           const char *path, tir_error *error);

#endif
