// What gradient rules and builders of several families share.
//
// A rule only records ordinary ops: it never reads data and never puts a dim
// of a forward value into an attribute, so that the gradient follows when the
// graph is inferred again at another batch size.
#ifndef TAPEIR_IR_OPS_RULES_H
#define TAPEIR_IR_OPS_RULES_H

#include "ir/record.h"
#include "tapeir/ops.h"

// The rule of ops whose result does not change with their operands, or only
// in jumps: every gradient is an exact zero.
void tir_ir_vjp_zero(const tir_ir_vjp *q);

// An op of two operands and no attributes: broadcasting and dtypes are infer's
// affair.
tir_value tir_ir_record2(tir_tape *tape, tir_op op, tir_value a, tir_value b);

// An all-zero handle means "without"; that of a failed call has an owner, so it
// counts as given and is refused.
static inline bool tir_ir_is_given(tir_value v) {
  return v.owner != NULL || v.slot != 0 || v.generation != 0;
}

// What sums of gradients are made in: halves are for storage only, so theirs
// are f32; else the dtype of `g`.
tir_dtype tir_ir_sum_dtype(tir_tape *tape, tir_value g);

// `x` itself when it has that dtype.
tir_value tir_ir_as(tir_tape *tape, tir_value x, tir_dtype dtype);

// `g` summed to the shape of `like` (undoing a broadcast) / brought to it
// without changing the order of elements. `g` itself when it has that shape,
// symbols included.
tir_value tir_ir_grad_reduce(tir_tape *tape, tir_value g, tir_value like);
tir_value tir_ir_grad_reshape(tir_tape *tape, tir_value g, tir_value like);
// Scalar zero of x's dtype.
tir_value tir_ir_zero(tir_tape *tape, tir_value x);
// Is a gradient present?
static inline bool tir_ir_has(tir_value g) { return g.owner != NULL; }

// --- builders --------------------------------------------------------------

// False, with an error naming op and operand kept, if the handle is invalid.
bool tir_ir_usable(tir_tape *tape, tir_value x, const char *op,
                   const char *operand);
// The invalid value to return when an error stands already.
tir_value tir_ir_refused(tir_tape *tape, const char *op);
// `"w" f32[3]`, or `f32[3]` without a name: a builder's operand in a message.
// Returns the buffer.
const char *tir_ir_value_text(tir_tape *tape, tir_value x,
                              char buffer[TIR_OPERAND_TEXT_MAX]);
// Is `value` an element of the dtype (only integers are choosy)? If not, an
// error is kept.
bool tir_ir_is_element(tir_tape *tape, const char *op, tir_dtype dtype,
                       double value);
// Literal of x's dtype for a _scalar form; refused when x is an integer and
// the number is not. An invalid x comes back: the op that gets both names it.
tir_value tir_ir_literal(tir_tape *tape, const char *op, tir_value x,
                         double value);
// Axes of a value of that rank as an attribute, made non-negative where they
// are in range (the rest is left for infer to refuse). False with an error
// kept for a bad list.
bool tir_ir_axes_attr(tir_tape *tape, const char *op, const char *name,
                      int rank, const int *axes, int n_axes,
                      tir_ir_ints *out_axes);
// One axis of x, made non-negative where it is in range.
int64_t tir_ir_axis_attr(tir_tape *tape, tir_value x, int axis);
// A list of n sizes as an attribute.
bool tir_ir_list_attr(tir_tape *tape, const char *op, const char *name,
                      const int64_t *list, int n, tir_ir_ints *out_list);
// A fixed type from a caller's dims, checked.
bool tir_ir_type_arg(tir_tape *tape, const char *op, tir_dtype dtype,
                     const int64_t *dims, int rank, tir_ir_type *out_type);

#endif
