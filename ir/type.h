// Type of a value: dtype and shape, where a dim may carry a symbol.
#ifndef TAPEIR_IR_TYPE_H
#define TAPEIR_IR_TYPE_H

#include "ir/base/error.h"
#include "ir/dtype.h"

typedef struct tir_ir_type {
  tir_dtype dtype;
  int rank;
  int64_t dims[TIR_MAX_RANK];
  // String id (of the graph) of the dim's symbol, 0 for a fixed dim. Inference
  // carries symbols along so that dims unify by name.
  uint32_t symbols[TIR_MAX_RANK];
} tir_ir_type;

// Room for a dtype and the longest shape; symbols are not written.
#define TIR_TYPE_TEXT_MAX 240

// dtype, dims and symbols, for two types of one graph.
bool tir_ir_type_equal(const tir_ir_type *a, const tir_ir_type *b);
// Rank and dims only.
bool tir_ir_same_shape(const tir_ir_type *a, const tir_ir_type *b);
int64_t tir_ir_type_numel(const tir_ir_type *type);
size_t tir_ir_type_bytes(const tir_ir_type *type);
// Rank, dims and byte size are within bounds, dtype is valid.
tir_status tir_ir_type_check(const tir_ir_type *type, tir_error *error);
// "[4, 3]" into the buffer; returns it.
const char *tir_ir_shape_text(const tir_ir_type *type,
                              char buffer[TIR_TYPE_TEXT_MAX]);
// "f32[4, 3]".
const char *tir_ir_type_text(const tir_ir_type *type,
                             char buffer[TIR_TYPE_TEXT_MAX]);
// NumPy broadcasting of two shapes into out (dtype untouched); false if they
// do not fit.
bool tir_ir_broadcast(const tir_ir_type *a, const tir_ir_type *b,
                      tir_ir_type *out);
// Axis −rank … rank−1 to 0 … rank−1; false if out of range.
bool tir_ir_axis(int64_t axis, int rank, int *out_axis);

#endif
