/// @file
/// Activations. (tanh, sigmoid and relu are in unary.h, softmax in softmax.h.)
///
/// In f32 accurate to 2 units in the last place, the forms of gelu to 4. NaN
/// passes.
#ifndef TAPEIR_OPS_ACTIVATION_H
#define TAPEIR_OPS_ACTIVATION_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// log(1 + exp(x)) of every element; never overflows.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g * sigmoid(x).
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    ONNX Softplus.
TIR_API tir_value tir_softplus(tir_tape *tape, tir_value x);

/// x * sigmoid(x) of every element, also called swish; -0 at -infinity.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g * (s + y * (1 - s)) with s = sigmoid(x) and the result y.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    Hendrycks and Gimpel, arXiv:1606.08415; PyTorch silu.
TIR_API tir_value tir_silu(tir_tape *tape, tir_value x);

/// x * P(x) of every element, P being the distribution function of the
/// standard normal distribution; -0 at -infinity.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  dx = g * (P(x) + x * exp(-x^2 / 2) / sqrt(2 pi)).
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    Hendrycks and Gimpel, arXiv:1606.08415; ONNX Gelu.
TIR_API tir_value tir_gelu(tir_tape *tape, tir_value x);

/// x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2 of every element:
/// what many trained models have for gelu. -0 at -infinity.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// Gradient  that of the formula, 0 or g where it is flat.
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    as tir_gelu; ONNX Gelu with approximate "tanh".
TIR_API tir_value tir_gelu_tanh(tir_tape *tape, tir_value x);

/// x where it is above 0, else slope * x.
///
///   x        [...]   f32 or f64
///   returns  [...]   same type
///
/// The slope is an operand of the recorded ops: another one is not another
/// program.
///
/// Gradient  dx = g where x > 0, else g * slope (also at x = 0).
/// Errors    TIR_ERR_DTYPE for any other dtype.
/// Source    ONNX LeakyRelu.
TIR_API tir_value tir_leaky_relu(tir_tape *tape, tir_value x, double slope);

#ifdef __cplusplus
}
#endif
#endif
