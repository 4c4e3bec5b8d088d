// The header of a .npy file: a Python dictionary in text.
#ifndef TAPEIR_SERIALIZE_NPY_HEADER_H
#define TAPEIR_SERIALIZE_NPY_HEADER_H

#include "ir/base/error.h"

enum {
  TIR_SER_NPY_START = 12,            // bytes that tell the header's length
  TIR_SER_NPY_MAX_HEADER = 1 << 16,  // bytes read of one
};

typedef struct tir_ser_npy_header {
  tir_dtype dtype;
  bool fortran_order;
  int rank;
  int64_t dims[TIR_MAX_RANK];
} tir_ser_npy_header;

// From the first bytes of a file: where the text stands and where data starts.
tir_status tir_ser_npy_start(const uint8_t *bytes, size_t size,
                             size_t *out_text, size_t *out_data,
                             tir_error *error);
tir_status tir_ser_npy_parse(const char *text, size_t size,
                             tir_ser_npy_header *out_header, tir_error *error);
// The whole header of version 1.0; returns its size, a multiple of 64.
enum { TIR_SER_NPY_MAX_WRITTEN = 320 };
size_t tir_ser_npy_print(const tir_ser_npy_header *header,
                         uint8_t out_bytes[TIR_SER_NPY_MAX_WRITTEN]);

#endif
