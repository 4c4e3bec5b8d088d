/// @file
/// Comparing two values, and choosing between two by a third.
///
/// Comparisons broadcast as NumPy does and give bool. Their results change
/// only in jumps, so their gradient is zero. A NaN is unequal to everything
/// and neither less nor greater.
#ifndef TAPEIR_OPS_COMPARE_H
#define TAPEIR_OPS_COMPARE_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// True where two values are equal; -0 equals +0.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   bool, the two shapes broadcast
///
/// Gradient  zero.
/// Errors    TIR_ERR_DTYPE if the dtypes differ or are no numbers,
///           TIR_ERR_SHAPE if the shapes do not broadcast.
/// Source    NumPy equal.
TIR_API tir_value tir_equal(tir_tape *tape, tir_value a, tir_value b);

/// True where two values differ.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   bool, the two shapes broadcast
///
/// Gradient  zero.
/// Errors    as tir_equal.
/// Source    NumPy not_equal.
TIR_API tir_value tir_not_equal(tir_tape *tape, tir_value a, tir_value b);

/// True where `a` is less than `b`.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   bool, the two shapes broadcast
///
/// Gradient  zero.
/// Errors    as tir_equal.
/// Source    NumPy less.
TIR_API tir_value tir_less(tir_tape *tape, tir_value a, tir_value b);

/// True where `a` is at most `b`.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   bool, the two shapes broadcast
///
/// Gradient  zero.
/// Errors    as tir_equal.
/// Source    NumPy less_equal.
TIR_API tir_value tir_less_equal(tir_tape *tape, tir_value a, tir_value b);

/// True where `a` is greater than `b`.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   bool, the two shapes broadcast
///
/// Gradient  zero.
/// Errors    as tir_equal.
/// Source    NumPy greater.
TIR_API tir_value tir_greater(tir_tape *tape, tir_value a, tir_value b);

/// True where `a` is at least `b`.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   bool, the two shapes broadcast
///
/// Gradient  zero.
/// Errors    as tir_equal.
/// Source    NumPy greater_equal.
TIR_API tir_value tir_greater_equal(tir_tape *tape, tir_value a, tir_value b);

/// `a` where `condition` is true, else `b`.
///
///   condition  [...]   bool
///   a          [...]   any dtype
///   b          [...]   same dtype as `a`
///   returns    [...]   that dtype, the three shapes broadcast
///
/// Gradient  da = g where the condition is true, db = g where it is false;
///           the other elements get an exact 0, even if the operand holds NaN
///           or infinity there.
/// Errors    TIR_ERR_DTYPE if `condition` is not bool or the dtypes of a and
///           b differ, TIR_ERR_SHAPE if the shapes do not broadcast.
/// Source    NumPy where.
TIR_API tir_value tir_where(tir_tape *tape, tir_value condition, tir_value a,
                            tir_value b);

#ifdef __cplusplus
}
#endif
#endif
