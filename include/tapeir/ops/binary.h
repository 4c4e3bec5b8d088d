/// @file
/// Ops of two operands, element by element, with NumPy broadcasting.
///
/// A _scalar form takes a C number for the second operand (the r forms: for
/// the first) and uses it in the dtype of `a`; an integer dtype must hold the
/// number exactly. The number is an operand of the recorded op, so another
/// number is not another program. The gradient of an operand that was
/// broadcast is summed back to its shape.
#ifndef TAPEIR_OPS_BINARY_H
#define TAPEIR_OPS_BINARY_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Sum of two values.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   the two shapes broadcast; integers wrap
///
/// Gradient  da = g, db = g.
/// Errors    TIR_ERR_DTYPE if the dtypes differ or are no numbers,
///           TIR_ERR_SHAPE if the shapes do not broadcast.
/// Source    NumPy add.
TIR_API tir_value tir_add(tir_tape *tape, tir_value a, tir_value b);

/// Difference of two values.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   the two shapes broadcast; integers wrap
///
/// Gradient  da = g, db = -g.
/// Errors    as tir_add.
/// Source    NumPy subtract.
TIR_API tir_value tir_sub(tir_tape *tape, tir_value a, tir_value b);

/// Product of two values, element by element.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   the two shapes broadcast; integers wrap
///
/// Gradient  da = g * b, db = g * a.
/// Errors    as tir_add.
/// Source    NumPy multiply.
TIR_API tir_value tir_mul(tir_tape *tape, tir_value a, tir_value b);

/// Quotient of two values.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   the two shapes broadcast; integers truncate toward
///                    zero, and the smallest by -1 gives the largest
///
/// Gradient  da = g / b, db = -g * (a / b) / b.
/// Errors    as tir_add; a run fails with TIR_ERR_VALUE, naming the op, when
///           an integer is divided by 0.
/// Source    IEEE 754 division; C integer division.
TIR_API tir_value tir_div(tir_tape *tape, tir_value a, tir_value b);

/// `x` raised to the power `y`.
///
///   x        [...]   f32 or f64
///   y        [...]   same dtype as `x`
///   returns  [...]   the two shapes broadcast
///
/// Gradient  dx = g * y * x^(y-1), and 0 at x = y = 0.
///           dy = g * x^y * log|x|, and 0 at x = 0, y >= 0; NaN for a negative
///           x with a y that is no integer, where the power itself is NaN.
/// Errors    as tir_add, for dtypes other than f32 and f64 too.
/// Source    C pow, also for infinities and NaN.
TIR_API tir_value tir_pow(tir_tape *tape, tir_value x, tir_value y);

/// The larger of two values, element by element; NaN wins.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   the two shapes broadcast
///
/// Gradient  g to the larger operand; half to each at a tie.
/// Errors    as tir_add.
/// Source    NumPy maximum; IEEE 754-2019 maximum (+0 above -0).
TIR_API tir_value tir_maximum(tir_tape *tape, tir_value a, tir_value b);

/// The smaller of two values, element by element; NaN wins.
///
///   a        [...]   f32, f64 or an integer
///   b        [...]   same dtype as `a`
///   returns  [...]   the two shapes broadcast
///
/// Gradient  g to the smaller operand; half to each at a tie.
/// Errors    as tir_add.
/// Source    NumPy minimum; IEEE 754-2019 minimum (-0 below +0).
TIR_API tir_value tir_minimum(tir_tape *tape, tir_value a, tir_value b);

/// minimum(maximum(x, low), high), element by element; NaN wins.
///
///   x        [...]   f32, f64 or an integer
///   low      [...]   same dtype as `x`
///   high     [...]   same dtype as `x`; the result where the bounds cross
///   returns  [...]   the three shapes broadcast
///
/// Gradient  dx = g where low <= x <= high (the bounds included), else 0;
///           dlow = g where x < low, dhigh = g where x > high.
/// Errors    as tir_add.
/// Source    NumPy clip; gradient as in PyTorch clamp.
TIR_API tir_value tir_clip(tir_tape *tape, tir_value x, tir_value low,
                           tir_value high);

/// a + b. Shapes, gradient and errors: tir_add with a scalar; TIR_ERR_DTYPE
/// if an integer dtype does not hold `b`.
TIR_API tir_value tir_add_scalar(tir_tape *tape, tir_value a, double b);
/// a - b. Shapes, gradient and errors: tir_sub with a scalar; TIR_ERR_DTYPE
/// if an integer dtype does not hold `b`.
TIR_API tir_value tir_sub_scalar(tir_tape *tape, tir_value a, double b);
/// a * b. Shapes, gradient and errors: tir_mul with a scalar; TIR_ERR_DTYPE
/// if an integer dtype does not hold `b`.
TIR_API tir_value tir_mul_scalar(tir_tape *tape, tir_value a, double b);
/// a / b. Shapes, gradient and errors: tir_div with a scalar; TIR_ERR_DTYPE
/// if an integer dtype does not hold `b`.
TIR_API tir_value tir_div_scalar(tir_tape *tape, tir_value a, double b);
/// x to the power y. Shapes, gradient and errors: tir_pow with a scalar.
TIR_API tir_value tir_pow_scalar(tir_tape *tape, tir_value x, double y);
/// The larger of a and b. Shapes, gradient and errors: tir_maximum with a
/// scalar; TIR_ERR_DTYPE if an integer dtype does not hold `b`.
TIR_API tir_value tir_maximum_scalar(tir_tape *tape, tir_value a, double b);
/// The smaller of a and b. Shapes, gradient and errors: tir_minimum with a
/// scalar; TIR_ERR_DTYPE if an integer dtype does not hold `b`.
TIR_API tir_value tir_minimum_scalar(tir_tape *tape, tir_value a, double b);
/// x between two numbers, infinities included. Shapes, gradient and errors:
/// tir_clip with scalars; TIR_ERR_ARGUMENT unless low <= high, TIR_ERR_DTYPE
/// if an integer dtype does not hold them.
TIR_API tir_value tir_clip_scalar(tir_tape *tape, tir_value x, double low,
                                  double high);
/// b - a: the number first. Otherwise as tir_sub_scalar.
TIR_API tir_value tir_rsub_scalar(tir_tape *tape, tir_value a, double b);
/// b / a: the number first. Otherwise as tir_div_scalar.
TIR_API tir_value tir_rdiv_scalar(tir_tape *tape, tir_value a, double b);

#ifdef __cplusplus
}
#endif
#endif
