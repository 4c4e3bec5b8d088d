// Single elements of a call's operands and outputs, and positions in shapes.
// Nothing here is fast; everything is one line of arithmetic to check.
#ifndef TAPEIR_IR_REFERENCE_ELEMENT_H
#define TAPEIR_IR_REFERENCE_ELEMENT_H

#include "ir/reference/reference.h"

// Element of operand `i` as double (exact for all but i64 above 2^53) or as
// int64 (for integer dtypes and bool).
double tir_reference_get(const tir_reference_call *call, size_t i,
                         int64_t element);
int64_t tir_reference_get_int(const tir_reference_call *call, size_t i,
                              int64_t element);
// Rounds once to the dtype of output `i`; the int form saturates, the wrapped
// one keeps the low bits as two's complement does.
void tir_reference_put(const tir_reference_call *call, size_t i,
                       int64_t element, double x);
void tir_reference_put_int(const tir_reference_call *call, size_t i,
                           int64_t element, int64_t x);
void tir_reference_put_wrapped(const tir_reference_call *call, size_t i,
                               int64_t element, uint64_t x);
// Copies one element of operand `i` to output 0, bytes as they are.
void tir_reference_copy(const tir_reference_call *call, size_t i, int64_t from,
                        int64_t to);
// Copies all of operand `i` to output 0.
tir_status tir_reference_copy_whole(const tir_reference_call *call, size_t i);

// Arithmetic of operand 0 runs on double (floats) or int64 (the rest).
bool tir_reference_is_float(const tir_reference_call *call);

// Row-major position to coordinates and back.
void tir_reference_coords(const tir_ir_type *type, int64_t element,
                          int64_t coords[TIR_MAX_RANK]);
int64_t tir_reference_element(const tir_ir_type *type,
                              const int64_t coords[TIR_MAX_RANK]);
// The element of `from` that broadcasting to `to` puts at `element`.
int64_t tir_reference_broadcast(const tir_ir_type *from, const tir_ir_type *to,
                                int64_t element);

// Axes that a reduction runs over.
typedef struct tir_reference_axes {
  bool reduced[TIR_MAX_RANK];
  int64_t count;  // elements of the operand per element of the result
} tir_reference_axes;

// From an attribute: empty means all axes. ARGUMENT for a bad axis.
tir_status tir_reference_read_axes(const tir_ir_type *in,
                                   const tir_ir_ints *list,
                                   tir_reference_axes *out, tir_error *error);
// One axis only.
tir_status tir_reference_read_axis(const tir_ir_type *in, int64_t axis,
                                   tir_reference_axes *out, int *out_axis,
                                   tir_error *error);
// Element r (0 … count − 1, row-major over the reduced axes) of those that
// belong to element `group` of the result.
int64_t tir_reference_member(const tir_ir_type *in,
                             const tir_reference_axes *axes, int64_t group,
                             int64_t r);

// Sum of doubles that starts with its first term, so that a sum of one term
// keeps −0; the sum of none is +0.
typedef struct tir_reference_sum {
  double value;
  bool any;
} tir_reference_sum;
void tir_reference_sum_add(tir_reference_sum *sum, double x);

// Index operand `i` at `position`, −size … size − 1, as 0 … size − 1. VALUE
// with "index 7 at position 3 is out of range for size 5".
tir_status tir_reference_read_index(const tir_reference_call *call, size_t i,
                                    int64_t position, int64_t size,
                                    int64_t *out_index);

#endif
