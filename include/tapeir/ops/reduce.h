/// @file
/// Reductions over axes.
///
/// `axes` are `n_axes` different axes, negative ones counting from the end;
/// n_axes = 0 means all axes (axes may then be NULL). With keep_dims the
/// reduced axes stay, with size 1. The order in which elements are combined
/// is fixed by the shape: results do not depend on threads.
#ifndef TAPEIR_OPS_REDUCE_H
#define TAPEIR_OPS_REDUCE_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Sum over axes; the sum of no elements is 0.
///
///   x        [...]   f32, f64 or an integer
///   returns  [...]   same dtype, without the reduced axes; integers wrap
///
/// Gradient  dx = g, repeated along the reduced axes.
/// Errors    TIR_ERR_DTYPE for any other dtype, TIR_ERR_SHAPE for an axis out
///           of range, TIR_ERR_ARGUMENT for one given twice.
/// Source    NumPy sum, without its change of dtype.
TIR_API tir_value tir_sum(tir_tape *tape, tir_value x, const int *axes,
                          int n_axes, bool keep_dims);

/// Mean over axes; the mean of no elements is NaN.
///
///   x        [...]   f32 or f64
///   returns  [...]   same dtype, without the reduced axes
///
/// Gradient  dx = g / n, repeated along the reduced axes, n elements each.
/// Errors    as tir_sum; TIR_ERR_DTYPE for integers too.
/// Source    NumPy mean.
TIR_API tir_value tir_mean(tir_tape *tape, tir_value x, const int *axes,
                           int n_axes, bool keep_dims);

/// Product over axes; the product of no elements is 1.
///
///   x        [...]   f32, f64 or an integer
///   returns  [...]   same dtype, without the reduced axes; integers wrap
///
/// Gradient  dx = g * the product of all other elements, also where elements
///           are 0.
/// Errors    as tir_sum.
/// Source    NumPy prod, without its change of dtype.
TIR_API tir_value tir_prod(tir_tape *tape, tir_value x, const int *axes,
                           int n_axes, bool keep_dims);

/// Maximum over axes; NaN wins.
///
///   x        [...]   f32, f64 or an integer
///   returns  [...]   same dtype, without the reduced axes
///
/// Gradient  split equally among the elements equal to the maximum.
/// Errors    as tir_sum; TIR_ERR_SHAPE if a reduced axis has size 0.
/// Source    NumPy max; gradient as in PyTorch amax.
TIR_API tir_value tir_max(tir_tape *tape, tir_value x, const int *axes,
                          int n_axes, bool keep_dims);

/// Minimum over axes; NaN wins.
///
///   x        [...]   f32, f64 or an integer
///   returns  [...]   same dtype, without the reduced axes
///
/// Gradient  split equally among the elements equal to the minimum.
/// Errors    as tir_sum; TIR_ERR_SHAPE if a reduced axis has size 0.
/// Source    NumPy min; gradient as in PyTorch amin.
TIR_API tir_value tir_min(tir_tape *tape, tir_value x, const int *axes,
                          int n_axes, bool keep_dims);

/// log(sum(exp(x))) over axes; finite whenever the result is, -infinity of no
/// elements.
///
///   x        [...]   f32 or f64
///   returns  [...]   same dtype, without the reduced axes
///
/// Gradient  dx = g * softmax(x), and 0 where the result is -infinity.
/// Errors    as tir_mean.
/// Source    ONNX ReduceLogSumExp.
TIR_API tir_value tir_logsumexp(tir_tape *tape, tir_value x, const int *axes,
                                int n_axes, bool keep_dims);

/// Euclidean norm over axes; finite whenever the norm itself is.
///
///   x        [...]   f32 or f64
///   returns  [...]   same dtype, without the reduced axes
///
/// Gradient  dx = g * x / norm, and 0 where the norm is 0.
/// Errors    as tir_mean.
/// Source    NumPy linalg.norm with order 2 of the elements.
TIR_API tir_value tir_norm(tir_tape *tape, tir_value x, const int *axes,
                           int n_axes, bool keep_dims);

/// Position of the first maximum, or of the first NaN, along an axis.
///
///   x        [...]   f32, f64 or an integer
///   axis     negative counts from the end
///   returns  [...]   i64, without the axis (or with size 1 in its place)
///
/// Gradient  zero.
/// Errors    TIR_ERR_DTYPE for any other dtype, TIR_ERR_SHAPE for an axis out
///           of range or of size 0.
/// Source    NumPy argmax.
TIR_API tir_value tir_argmax(tir_tape *tape, tir_value x, int axis,
                             bool keep_dims);

/// Position of the first minimum, or of the first NaN, along an axis.
///
///   x        [...]   f32, f64 or an integer
///   axis     negative counts from the end
///   returns  [...]   i64, without the axis (or with size 1 in its place)
///
/// Gradient  zero.
/// Errors    as tir_argmax.
/// Source    NumPy argmin.
TIR_API tir_value tir_argmin(tir_tape *tape, tir_value x, int axis,
                             bool keep_dims);

/// Sum over the axes along which `like` would be broadcast to x's shape.
///
///   x        [...]   f32, f64 or an integer
///   like     [...]   any dtype; only its shape is used
///   returns  [...]   dtype of `x`, shape of `like`
///
/// Undoes broadcasting: what gradients of broadcast operands are made with.
///
/// Gradient  dx = g broadcast to the shape of `x`.
/// Errors    TIR_ERR_SHAPE if `like` does not broadcast to x's shape.
TIR_API tir_value tir_reduce_to(tir_tape *tape, tir_value x, tir_value like);

#ifdef __cplusplus
}
#endif
#endif
