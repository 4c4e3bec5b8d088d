/// @file
/// Ops of one operand, element by element, and cast.
///
/// Float functions are accurate to 2 units in the last place, neg, abs,
/// square, sqrt and relu to the last bit.
#ifndef TAPEIR_OPS_UNARY_H
#define TAPEIR_OPS_UNARY_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Every element with its sign flipped; -0 and +0 swap.
///
///   x        [...]   f32, f64 or an integer
///   returns  [...]   same type; integers wrap
///
/// Gradient  dx = -g.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    NumPy negative.
TIR_API tir_value tir_neg(tir_tape *tape, tir_value x);

/// Absolute value of every element.
///
///   x        [...]   f32, f64 or an integer
///   returns  [...]   same type; the smallest integer stays as it is
///
/// Gradient  dx = g * sign(x), and 0 at x = 0.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    NumPy absolute.
TIR_API tir_value tir_abs(tir_tape *tape, tir_value x);

/// Every element times itself.
///
///   x        [...]   f32, f64 or an integer
///   returns  [...]   same type; integers wrap
///
/// Gradient  dx = 2 * x * g.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    NumPy square.
TIR_API tir_value tir_square(tir_tape *tape, tir_value x);

/// Square root of every element; NaN below 0.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g / (2 * sqrt(x)), and 0 where both x and g are 0.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    IEEE 754 squareRoot.
TIR_API tir_value tir_sqrt(tir_tape *tape, tir_value x);

/// Exponential of every element.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g * exp(x), from the result.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    NumPy exp.
TIR_API tir_value tir_exp(tir_tape *tape, tir_value x);

/// Natural logarithm of every element; -infinity at 0, NaN below.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g / x.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    NumPy log.
TIR_API tir_value tir_log(tir_tape *tape, tir_value x);

/// Hyperbolic tangent of every element.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g * (1 - tanh(x)^2), from the result.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    NumPy tanh.
TIR_API tir_value tir_tanh(tir_tape *tape, tir_value x);

/// Logistic function 1 / (1 + exp(-x)) of every element.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g * y * (1 - y), from the result y.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    ONNX Sigmoid.
TIR_API tir_value tir_sigmoid(tir_tape *tape, tir_value x);

/// The larger of every element and 0; NaN passes.
///
///   x        [...]   f32, f64 or an integer
///   returns  [...]   same type
///
/// Gradient  dx = g where x > 0, else 0 (also at x = 0); from the result.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    ONNX Relu.
TIR_API tir_value tir_relu(tir_tape *tape, tir_value x);

/// One divided by the square root of every element; +-infinity at +-0.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = -g * rsqrt(x)^3 / 2, from the result.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    IEEE 754 rSqrt.
TIR_API tir_value tir_rsqrt(tir_tape *tape, tir_value x);

/// exp(x) - 1 of every element, without its loss of digits near 0.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g * (expm1(x) + 1), from the result.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    NumPy expm1.
TIR_API tir_value tir_expm1(tir_tape *tape, tir_value x);

/// log(1 + x) of every element, without its loss of digits near 0;
/// -infinity at -1, NaN below.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g / (1 + x).
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    NumPy log1p.
TIR_API tir_value tir_log1p(tir_tape *tape, tir_value x);

/// Error function of every element.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g * 2 / sqrt(pi) * exp(-x^2).
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    C erf; ONNX Erf.
TIR_API tir_value tir_erf(tir_tape *tape, tir_value x);

/// Sine of every element, which is in radians; NaN at infinities.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g * cos(x).
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    NumPy sin.
TIR_API tir_value tir_sin(tir_tape *tape, tir_value x);

/// Cosine of every element, which is in radians; NaN at infinities.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = -g * sin(x).
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    NumPy cos.
TIR_API tir_value tir_cos(tir_tape *tape, tir_value x);

/// The elements converted to another dtype.
///
///   x        [...]   any dtype
///   returns  [...]   of `dtype`, any dtype
///
/// Floats round to nearest, ties to even. Float to integer truncates toward
/// zero and saturates, NaN becomes 0. Integers saturate. To bool is x != 0.
///
/// Gradient  between floats dx = g cast back; else zero.
/// Errors    TIR_ERR_ARGUMENT if `dtype` is none.
/// Source    ONNX Cast, with every out-of-range case defined.
TIR_API tir_value tir_cast(tir_tape *tape, tir_value x, tir_dtype dtype);

#ifdef __cplusplus
}
#endif
#endif
