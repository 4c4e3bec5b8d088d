// Dense copies of strided memory.
#ifndef TAPEIR_IR_BASE_STRIDED_H
#define TAPEIR_IR_BASE_STRIDED_H

#include "tapeir/base.h"

// Copies a tensor whose element [i, j, …] is at data + i·strides[0] +
// j·strides[1] + … (bytes, of any sign) to compact row-major order. The
// caller has checked that every such offset fits 64 bits.
void tir_base_copy_strided(void *rows, const void *data, const int64_t *dims,
                           const int64_t *strides, int rank, size_t elem_size);

#endif
