/// @file
/// Making values: fills and counting.
#ifndef TAPEIR_OPS_CREATE_H
#define TAPEIR_OPS_CREATE_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Zeros of a fixed shape.
///
///   dims     `rank` sizes, each 0 or more; may be NULL if rank is 0
///   returns  [dims...]   of `dtype`, any dtype
///
/// Gradient  none: there is no operand.
/// Errors    TIR_ERR_ARGUMENT for a bad dtype, rank or dim; TIR_ERR_LIMIT if
///           the value would take more bytes than a pointer can span.
/// Cost      held as one element until a kernel needs all of it.
/// Source    NumPy zeros.
TIR_API tir_value tir_zeros(tir_tape *tape, tir_dtype dtype,
                            const int64_t *dims, int rank);

/// Ones of a fixed shape.
///
///   dims     `rank` sizes, each 0 or more; may be NULL if rank is 0
///   returns  [dims...]   of `dtype`, any dtype
///
/// Gradient  none: there is no operand.
/// Errors    as tir_zeros.
/// Source    NumPy ones.
TIR_API tir_value tir_ones(tir_tape *tape, tir_dtype dtype, const int64_t *dims,
                           int rank);

/// One number repeated to a fixed shape.
///
///   dims     `rank` sizes, each 0 or more; may be NULL if rank is 0
///   value    rounded to `dtype`; an integer dtype must hold it exactly
///   returns  [dims...]   of `dtype`, any dtype
///
/// Gradient  none: there is no operand.
/// Errors    as tir_zeros; TIR_ERR_DTYPE if an integer dtype does not hold
///           the number.
/// Source    NumPy full.
TIR_API tir_value tir_full(tir_tape *tape, tir_dtype dtype, const int64_t *dims,
                           int rank, double value);

/// Zeros with the shape and dtype of another value, symbolic dims included.
///
///   x        [...]   any dtype; only its shape is used
///   returns  [...]   shape and dtype of `x`
///
/// Gradient  zero.
/// Errors    those of an invalid handle.
/// Source    NumPy zeros_like.
TIR_API tir_value tir_zeros_like(tir_tape *tape, tir_value x);

/// Ones with the shape and dtype of another value, symbolic dims included.
///
///   x        [...]   any dtype; only its shape is used
///   returns  [...]   shape and dtype of `x`
///
/// Gradient  zero.
/// Errors    those of an invalid handle.
/// Source    NumPy ones_like.
TIR_API tir_value tir_ones_like(tir_tape *tape, tir_value x);

/// One number repeated to the shape of another value.
///
///   x        [...]   any dtype; only its shape is used
///   value    rounded to the dtype of `x`; an integer must hold it exactly
///   returns  [...]   shape and dtype of `x`
///
/// Gradient  zero.
/// Errors    TIR_ERR_DTYPE if an integer dtype does not hold the number.
/// Source    NumPy full_like.
TIR_API tir_value tir_full_like(tir_tape *tape, tir_value x, double value);

/// The numbers 0, 1, … n-1 as a vector.
///
///   dtype    f32, f64 or an integer
///   n        0 or more; an integer dtype must hold n-1
///   returns  [n]   of `dtype`
///
/// Gradient  none: there is no operand.
/// Errors    TIR_ERR_ARGUMENT for a negative n or one the dtype cannot count
///           to, TIR_ERR_DTYPE for any other dtype.
/// Source    NumPy arange with start 0 and step 1.
TIR_API tir_value tir_arange(tir_tape *tape, tir_dtype dtype, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
