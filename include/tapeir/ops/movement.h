/// @file
/// Moving elements without computing any, or with numbers in the gaps.
#ifndef TAPEIR_OPS_MOVEMENT_H
#define TAPEIR_OPS_MOVEMENT_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The same elements in the same row-major order in another shape.
///
///   x        [...]       any dtype
///   dims     `rank` sizes; one may be -1: computed from the others
///   returns  [dims...]   same dtype
///
/// A -1 keeps a graph usable at other sizes of a symbolic dim.
///
/// Gradient  dx = g in the shape of `x`.
/// Errors    TIR_ERR_SHAPE if the numbers of elements differ, also when -1
///           stands beside a 0; TIR_ERR_ARGUMENT for a dim below -1, a second
///           -1 or a rank above 8.
/// Cost      none: shares the operand's memory where that is possible.
/// Source    NumPy reshape in C order.
TIR_API tir_value tir_reshape(tir_tape *tape, tir_value x, const int64_t *dims,
                              int rank);

/// The same elements in the shape of another value.
///
///   x        [...]   any dtype
///   like     [...]   any dtype; only its shape is used
///   returns  [...]   dtype of `x`, shape of `like`
///
/// Gradient  dx = g in the shape of `x`.
/// Errors    TIR_ERR_SHAPE if the numbers of elements differ.
/// Cost      none: shares the operand's memory where that is possible.
TIR_API tir_value tir_reshape_like(tir_tape *tape, tir_value x, tir_value like);

/// New axes of size 1 at given positions of the result.
///
///   x        [...]   any dtype
///   axes     different positions in the result, negative from its end
///   returns  [...]   same dtype, rank higher by `n_axes`
///
/// Gradient  dx = g in the shape of `x`.
/// Errors    TIR_ERR_SHAPE for an axis out of range or a rank above 8,
///           TIR_ERR_ARGUMENT for an axis given twice.
/// Cost      none: shares the operand's memory where that is possible.
/// Source    NumPy expand_dims; ONNX Unsqueeze.
TIR_API tir_value tir_expand_dims(tir_tape *tape, tir_value x, const int *axes,
                                  int n_axes);

/// The axes in another order: axis i of the result is axis perm[i] of x.
///
///   x        [...]   any dtype
///   perm     every axis of x once; NULL reverses the axes
///   returns  [...]   same dtype
///
/// Gradient  dx = g with the axes back in their order.
/// Errors    TIR_ERR_SHAPE if n_perm is not the rank (n_perm is ignored for
///           NULL), TIR_ERR_ARGUMENT if an axis is missing.
/// Cost      a copy, unless a neighbouring matmul takes it as a flag.
/// Source    NumPy transpose.
TIR_API tir_value tir_transpose(tir_tape *tape, tir_value x, const int *perm,
                                int n_perm);

/// The operand repeated to a shape: new axes in front, and axes of size 1.
///
///   x        [...]       any dtype
///   dims     `rank` sizes; -1 keeps the operand's
///   returns  [dims...]   same dtype
///
/// Gradient  dx = g summed to the shape of `x`.
/// Errors    TIR_ERR_SHAPE if `x` does not broadcast to the shape,
///           TIR_ERR_ARGUMENT for a dim below -1 or -1 for a new axis.
/// Source    NumPy broadcast_to.
TIR_API tir_value tir_broadcast_to(tir_tape *tape, tir_value x,
                                   const int64_t *dims, int rank);

/// The operand repeated to the shape of another value.
///
///   x        [...]   any dtype
///   like     [...]   any dtype; only its shape is used
///   returns  [...]   dtype of `x`, shape of `like`
///
/// Gradient  dx = g summed to the shape of `x`.
/// Errors    TIR_ERR_SHAPE if `x` does not broadcast to the shape.
TIR_API tir_value tir_broadcast_like(tir_tape *tape, tir_value x,
                                     tir_value like);

/// Values joined along an axis.
///
///   values   n_values of shape [..., d_i, ...]   one dtype, any
///   axis     negative counts from the end
///   returns  [..., d_1 + d_2 + …, ...]           same dtype
///
/// Gradient  each value gets its piece of g.
/// Errors    TIR_ERR_ARGUMENT if there are no values, TIR_ERR_SHAPE if they
///           differ outside the axis, TIR_ERR_DTYPE if the dtypes differ.
/// Source    NumPy concatenate.
TIR_API tir_value tir_concat(tir_tape *tape, const tir_value *values,
                             size_t n_values, int axis);

/// Values of one type joined along a new axis.
///
///   values   n_values of one type, any dtype
///   axis     position in the result, negative from its end
///   returns  [..., n_values, ...]   same dtype, rank higher by 1
///
/// Gradient  each value gets its piece of g.
/// Errors    TIR_ERR_ARGUMENT if there are no values, TIR_ERR_SHAPE or
///           TIR_ERR_DTYPE if their types differ, TIR_ERR_SHAPE for an axis
///           out of range or a rank above 8.
/// Source    NumPy stack.
TIR_API tir_value tir_stack(tir_tape *tape, const tir_value *values,
                            size_t n_values, int axis);

/// The pieces of a value along an axis.
///
///   x          [..., d, ...]      any dtype
///   sizes      n_parts sizes that add up to d; one may be -1: the rest
///   out_parts  n_parts values [..., size, ...], same dtype; invalid ones after
///              an error
///
/// With a -1 the pieces follow a symbolic dim.
///
/// Gradient  dx = the pieces' gradients side by side.
/// Errors    TIR_ERR_ARGUMENT for a NULL list, no parts, a size below -1 or a
///           second -1; TIR_ERR_SHAPE if the sizes do not add up or the axis
///           is out of range. Kept by `tape`.
/// Source    PyTorch split with a list of sizes.
TIR_API void tir_split(tir_tape *tape, tir_value x, const int64_t *sizes,
                       size_t n_parts, int axis, tir_value *out_parts);

/// x[start:stop:step] for each of the first `n` axes; the others stay whole.
///
///   x        [...]   any dtype
///   starts   negative counts from the end; out of range is clamped
///   stops    likewise; INT64_MAX means the end
///   steps    1 or more each; NULL means 1
///   returns  [...]   same dtype; an empty range gives size 0
///
/// An axis taken whole (0, INT64_MAX, 1) keeps its symbolic dim.
///
/// Gradient  dx = g where the slice was taken from, else 0.
/// Errors    TIR_ERR_SHAPE if n exceeds the rank, TIR_ERR_ARGUMENT for a step
///           below 1.
/// Source    NumPy basic slicing with positive steps.
TIR_API tir_value tir_slice(tir_tape *tape, tir_value x, const int64_t *starts,
                            const int64_t *stops, const int64_t *steps, int n);

/// The operand with a number around it.
///
///   x        [...]   any dtype
///   before   elements to put before the first one of each of the first `n`
///            axes, 0 or more
///   after    likewise after the last one
///   value    the number, in the dtype of `x`; an operand of the recorded op,
///            so that another number is not another program
///   returns  [...]   same dtype
///
/// An axis that is not padded keeps its symbolic dim.
///
/// Gradient  dx = the part of g where x was put.
/// Errors    TIR_ERR_SHAPE if n exceeds the rank, TIR_ERR_ARGUMENT for a
///           negative number of elements, TIR_ERR_DTYPE if an integer dtype
///           does not hold `value`.
/// Source    ONNX Pad with mode "constant".
TIR_API tir_value tir_pad(tir_tape *tape, tir_value x, const int64_t *before,
                          const int64_t *after, int n, double value);

/// The elements in reverse order along axes; n_axes = 0 means all of them.
///
///   x        [...]   any dtype
///   axes     different axes, negative from the end
///   returns  [...]   same type
///
/// Gradient  dx = g in reverse order.
/// Errors    TIR_ERR_SHAPE for an axis out of range, TIR_ERR_ARGUMENT for one
///           given twice.
/// Source    NumPy flip.
TIR_API tir_value tir_flip(tir_tape *tape, tir_value x, const int *axes,
                           int n_axes);

/// The elements on and below a diagonal of the last two axes; 0 above it.
///
///   x         [..., m, n]   any dtype
///   diagonal  kept is column - row <= diagonal; 0 is the main diagonal
///   returns   [..., m, n]   same dtype
///
/// Gradient  dx = g on and below the diagonal, an exact 0 above.
/// Errors    TIR_ERR_SHAPE if the rank is below 2.
/// Source    NumPy tril.
TIR_API tir_value tir_tril(tir_tape *tape, tir_value x, int64_t diagonal);

/// The elements on and above a diagonal of the last two axes; 0 below it.
///
///   x         [..., m, n]   any dtype
///   diagonal  kept is column - row >= diagonal; 0 is the main diagonal
///   returns   [..., m, n]   same dtype
///
/// Gradient  dx = g on and above the diagonal, an exact 0 below.
/// Errors    TIR_ERR_SHAPE if the rank is below 2.
/// Source    NumPy triu.
TIR_API tir_value tir_triu(tir_tape *tape, tir_value x, int64_t diagonal);

#ifdef __cplusplus
}
#endif
#endif
