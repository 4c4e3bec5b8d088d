// Checks that the infer functions of several families share.
//
// Every attribute may come from a hostile file: nothing here trusts a field,
// and no arithmetic is done on one before its range is known. Messages get the
// op's name in front and show operands with name and type. What is the same
// for all ops is checked by tir_ir_infer_call around every infer: counts of
// operands and outputs, what an attribute's kind demands (flags are 0 or 1,
// dtypes exist, lists are no longer than TIR_MAX_RANK), bounds of the outputs.
#ifndef TAPEIR_IR_OPS_CHECKS_H
#define TAPEIR_IR_OPS_CHECKS_H

#include "ir/op.h"

// Operand i is f32 or f64 / a number (integers too, no halves, no bool) / an
// index (i32 or i64).
tir_status tir_ir_check_float(const tir_ir_infer_query *q, size_t i);
tir_status tir_ir_check_number(const tir_ir_infer_query *q, size_t i);
tir_status tir_ir_check_index(const tir_ir_infer_query *q, size_t i);
// Operands i and j have one dtype / one dtype and shape.
tir_status tir_ir_check_same_dtype(const tir_ir_infer_query *q, size_t i,
                                   size_t j);
tir_status tir_ir_check_same_type(const tir_ir_infer_query *q, size_t i,
                                  size_t j);
// Operand i is a scalar of that dtype.
tir_status tir_ir_check_scalar(const tir_ir_infer_query *q, size_t i,
                               tir_dtype dtype);

// An axis of operand i, negative counting from the end.
tir_status tir_ir_check_axis(const tir_ir_infer_query *q, size_t i,
                             int64_t axis, int *out_axis);
// Different axes of operand i; out_has[a] says whether axis a is among them.
tir_status tir_ir_check_axes(const tir_ir_infer_query *q, size_t i,
                             const tir_ir_ints *axes,
                             bool out_has[TIR_MAX_RANK]);

// Copies axis `from` of `a` (size and symbol) to axis `to` of `b`.
static inline void tir_ir_copy_dim(const tir_ir_type *a, int from,
                                   tir_ir_type *b, int to) {
  b->dims[to] = a->dims[from];
  b->symbols[to] = a->symbols[from];
}

#endif
