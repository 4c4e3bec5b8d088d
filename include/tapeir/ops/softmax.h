/// @file
/// Softmax and losses. None of them overflows for finite operands.
#ifndef TAPEIR_OPS_SOFTMAX_H
#define TAPEIR_OPS_SOFTMAX_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// exp(x) / sum(exp(x)) along an axis.
///
///   x        [...]   f32 or f64
///   axis     negative counts from the end
///   returns  [...]   same type; sums to 1 along the axis
///
/// Gradient  dx = y * (g - sum(g * y)), from the result y.
/// Errors    TIR_ERR_DTYPE for any other dtype, TIR_ERR_SHAPE for an axis out
///           of range.
/// Source    ONNX Softmax since opset 13.
TIR_API tir_value tir_softmax(tir_tape *tape, tir_value x, int axis);

/// log(softmax(x)) along an axis, without taking the logarithm of a softmax.
///
///   x        [...]   f32 or f64
///   axis     negative counts from the end
///   returns  [...]   same type
///
/// Gradient  dx = g - exp(y) * sum(g), from the result y.
/// Errors    as tir_softmax.
/// Source    ONNX LogSoftmax since opset 13.
TIR_API tir_value tir_log_softmax(tir_tape *tape, tir_value x, int axis);

/// Mean over the rows of -log(softmax(logits)[target]).
///
///   logits   [..., classes]   f32 or f64
///   target   [...]            i32 or i64, one class for each row, as indices
///                             of -classes … classes-1
///   returns  []               dtype of `logits`; NaN of no rows
///
/// Gradient  dlogits = g / rows * (softmax(logits) - onehot(target)), from
///           the probabilities; logits need not be kept. In a capture the
///           number of classes must be a fixed dim.
/// Errors    TIR_ERR_DTYPE for other dtypes, TIR_ERR_SHAPE if there is not
///           one target for each row. A target out of range makes the run
///           fail with TIR_ERR_VALUE.
/// Source    ONNX SoftmaxCrossEntropyLoss with reduction "mean".
TIR_API tir_value tir_cross_entropy(tir_tape *tape, tir_value logits,
                                    tir_value target);

/// Mean of (a - b)^2 over all elements.
///
///   a        [...]   f32 or f64
///   b        [...]   same type as `a`: nothing is broadcast
///   returns  []      same dtype
///
/// Gradient  da = g * 2 * (a - b) / n for n elements, db = -da.
/// Errors    TIR_ERR_SHAPE or TIR_ERR_DTYPE if the types differ, TIR_ERR_DTYPE
///           for integers.
TIR_API tir_value tir_mse(tir_tape *tape, tir_value a, tir_value b);

/// Mean over all elements of -t * log(s) - (1 - t) * log(1 - s) with
/// s = sigmoid(logits): the loss of independent yes-or-no decisions.
///
///   logits   [...]   f32 or f64
///   target   [...]   same type: nothing is broadcast; 0 to 1 each
///   returns  []      same dtype; NaN of no elements
///
/// Gradient  dlogits = g * (sigmoid(logits) - target) / n for n elements,
///           dtarget = -g * logits / n.
/// Errors    TIR_ERR_SHAPE or TIR_ERR_DTYPE if the types differ, TIR_ERR_DTYPE
///           for integers.
/// Source    PyTorch binary_cross_entropy_with_logits.
TIR_API tir_value tir_bce_with_logits(tir_tape *tape, tir_value logits,
                                      tir_value target);

#ifdef __cplusplus
}
#endif
#endif
