/// @file
/// Random values: Philox, keyed by the tape's or module's seed, the place of
/// the call in the step, the step and the position of the element; in the body
/// of a loop (tapeir/ops/control.h) by the trip too. The same seed gives the
/// same numbers whatever threads, plans or passes do.
#ifndef TAPEIR_OPS_RANDOM_H
#define TAPEIR_OPS_RANDOM_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Independent numbers, uniform between two bounds.
///
///   dtype    f32 or f64
///   dims     `rank` sizes, each 0 or more; may be NULL if rank is 0
///   low      included
///   high     not included, except that low + u * (high - low) may round to
///            it; at least `low`
///   returns  [dims...]   of `dtype`
///
/// The bounds are operands: others are not another program.
///
/// Gradient  none: there is no operand to take one.
/// Errors    TIR_ERR_DTYPE for any other dtype, TIR_ERR_ARGUMENT for bad dims
///           or low above high, TIR_ERR_LIMIT as tir_zeros.
/// Source    Salmon et al., Parallel random numbers: as easy as 1, 2, 3
///           (Philox4x32-10); docs/numerics.md gives every bit.
TIR_API tir_value tir_uniform(tir_tape *tape, tir_dtype dtype,
                              const int64_t *dims, int rank, double low,
                              double high);

/// Independent numbers of a normal distribution.
///
///   dtype               f32 or f64
///   dims                `rank` sizes, each 0 or more; NULL if rank is 0
///   mean                any number
///   standard_deviation  0 or more
///   returns             [dims...]   of `dtype`
///
/// Gradient  none: there is no operand to take one.
/// Errors    TIR_ERR_DTYPE for any other dtype, TIR_ERR_ARGUMENT for bad dims
///           or deviation, TIR_ERR_LIMIT as tir_zeros.
/// Source    Box and Muller over Philox4x32-10; docs/numerics.md.
TIR_API tir_value tir_normal(tir_tape *tape, tir_dtype dtype,
                             const int64_t *dims, int rank, double mean,
                             double standard_deviation);

/// In training zero with probability `p`, else x / (1 - p); outside training
/// `x` itself.
///
///   x        [...]   f32 or f64
///   p        0 or more and below 1; an operand, as the bounds of tir_uniform
///   returns  [...]   same type; outside training the same handle
///
/// The node remembers its mode: gradients use the mask of the forward. In the
/// body of a loop every trip has a mask of its own.
///
/// Gradient  dx = g / (1 - p) where x was kept, else an exact 0.
/// Errors    TIR_ERR_ARGUMENT for another p, TIR_ERR_DTYPE for other dtypes.
/// Source    Srivastava et al., Dropout, in its inverted form.
TIR_API tir_value tir_dropout(tir_tape *tape, tir_value x, double p);

#ifdef __cplusplus
}
#endif
#endif
