// What reductions share: attributes, result types, and the way back of a
// gradient to the operand's axes.
#ifndef TAPEIR_IR_OPS_REDUCE_H
#define TAPEIR_IR_OPS_REDUCE_H

#include "ir/ops/rules.h"

// tir_attrs_reduce; tir_attrs_argmax.
extern const tir_ir_attr tir_ir_reduce_attrs[2];
extern const tir_ir_attr tir_ir_along_attrs[2];

// Type of operand 0 without the reduced axes, or with size 1 in their place.
void tir_ir_reduced_type(const tir_ir_infer_query *q,
                         const bool reduced[TIR_MAX_RANK], bool keep_dims);
// The same from tir_attrs_reduce, checked.
tir_status tir_ir_infer_reduce(const tir_ir_infer_query *q,
                               bool out_reduced[TIR_MAX_RANK]);
// `v`, shaped like the result, with the reduced axes back as size 1: it then
// broadcasts against the operand.
tir_value tir_ir_with_axes(const tir_ir_vjp *q, tir_value v);
// `v`, shaped like the operand, reduced by another op over the same axes, to
// the shape that tir_ir_with_axes gives.
tir_value tir_ir_reduce_again(const tir_ir_vjp *q, tir_op op, tir_value v);
tir_value tir_ir_record_reduce(tir_tape *tape, tir_op op, tir_value x,
                               const int *axes, int n_axes, bool keep_dims);

#endif
