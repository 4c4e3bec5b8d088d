/// @file
/// Normalising: means, variances and the layers made of them; attention.
///
/// Variances are those of the population (divided by n). Nothing overflows for
/// finite operands. Of a group without elements the statistics are NaN. A
/// value with variance 0 gives 0 when epsilon is above 0, else NaN.
///
/// Optional operands (weights, biases, masks) are left out by an all-zero
/// handle, (tir_value){0}. A weight has the shape said; it is not broadcast.
#ifndef TAPEIR_OPS_NORMALIZE_H
#define TAPEIR_OPS_NORMALIZE_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// (x - mean) / sqrt(variance + epsilon), with mean and variance over axes.
///
///   x             [...]   f32 or f64
///   axes          different axes, negative from the end; n_axes = 0 means all
///   epsilon       0 or more; an operand of the recorded op
///   out_mean      [...]   the mean, with size 1 along the axes; may be NULL
///   out_variance  [...]   likewise the variance
///   returns       [...]   type of `x`
///
/// Gradient  from the result y and r = 1 / sqrt(variance + epsilon):
///           dx = r * (g - mean(g) - y * mean(g * y)), and what reaches mean
///           and variance; x need not be kept.
/// Errors    TIR_ERR_DTYPE for any other dtype, TIR_ERR_SHAPE for an axis out
///           of range, TIR_ERR_ARGUMENT for one given twice or a negative
///           epsilon.
/// Source    ONNX MeanVarianceNormalization.
TIR_API tir_value tir_normalize(tir_tape *tape, tir_value x, const int *axes,
                                int n_axes, double epsilon, tir_value *out_mean,
                                tir_value *out_variance);

/// x / sqrt(mean(x^2) + epsilon), with the mean over axes.
///
///   x        [...]   f32 or f64
///   axes     different axes, negative from the end; n_axes = 0 means all
///   epsilon  0 or more; an operand of the recorded op
///   returns  [...]   type of `x`
///
/// Gradient  dx = r * (g - y * mean(g * y)) with r as above, from the result.
/// Errors    as tir_normalize.
/// Source    Zhang and Sennrich, arXiv:1910.07467, equation 4.
TIR_API tir_value tir_rms_normalize(tir_tape *tape, tir_value x,
                                    const int *axes, int n_axes,
                                    double epsilon);

/// Each group of the last n_axes axes normalised, times weight, plus bias.
///
///   x        [..., d...]   f32 or f64
///   weight   [d...]        same dtype: the last n_axes sizes of x; optional
///   bias     [d...]        likewise; optional
///   n_axes   1 to the rank of x
///   returns  [..., d...]   type of `x`
///
/// Gradient  that of tir_normalize, mul and add.
/// Errors    as tir_normalize; TIR_ERR_SHAPE or TIR_ERR_DTYPE if weight or
///           bias have another type or n_axes is out of range.
/// Source    Ba, Kiros and Hinton, arXiv:1607.06450; ONNX LayerNormalization.
TIR_API tir_value tir_layer_norm(tir_tape *tape, tir_value x, tir_value weight,
                                 tir_value bias, int n_axes, double epsilon);

/// Each group of the last n_axes axes divided by its root mean square, times
/// weight.
///
///   x        [..., d...]   f32 or f64
///   weight   [d...]        same dtype: the last n_axes sizes of x; optional
///   n_axes   1 to the rank of x
///   returns  [..., d...]   type of `x`
///
/// Gradient  that of tir_rms_normalize and mul.
/// Errors    as tir_layer_norm.
/// Source    Zhang and Sennrich, arXiv:1910.07467.
TIR_API tir_value tir_rms_norm(tir_tape *tape, tir_value x, tir_value weight,
                               int n_axes, double epsilon);

/// The channels of each sample in groups, each group normalised, times weight,
/// plus bias by channel. n_groups = c is instance normalisation.
///
///   x         [n, c, ...]   f32 or f64
///   weight    [c]           same dtype; optional
///   bias      [c]           likewise; optional
///   n_groups  divides c
///   returns   [n, c, ...]   type of `x`
///
/// Gradient  that of tir_normalize, mul and add.
/// Errors    TIR_ERR_SHAPE or TIR_ERR_DTYPE if the types do not fit,
///           TIR_ERR_ARGUMENT if n_groups does not divide c or c is symbolic,
///           TIR_ERR_UNSUPPORTED if dims before and after c are symbolic.
/// Source    Wu and He, arXiv:1803.08494; ONNX GroupNormalization.
TIR_API tir_value tir_group_norm(tir_tape *tape, tir_value x, tir_value weight,
                                 tir_value bias, int64_t n_groups,
                                 double epsilon);

/// Each channel normalised over all samples and places, times weight, plus
/// bias by channel.
///
///   x                 [n, c, ...]   f32 or f64
///   weight            [c]           same dtype; optional
///   bias              [c]           likewise; optional
///   running_mean      [c]           same dtype; state, begins as zeros
///   running_variance  [c]           same dtype; state, begins as ones
///   momentum          0 to 1: what stays of the running statistics
///   epsilon           0 or more
///   returns           [n, c, ...]   type of `x`
///
/// While training (tir_is_training) the statistics are those of x, and
///   running = momentum * running + (1 - momentum) * of x
/// is assigned to the two states, as tir_assign does. Otherwise the running
/// ones are used and nothing is assigned. Backward takes what the forward
/// took, whatever the mode is then.
///
/// Gradient  while training that of tir_normalize, otherwise
///           dx = g * weight / sqrt(running_variance + epsilon); none through
///           the assigned statistics.
/// Errors    TIR_ERR_SHAPE or TIR_ERR_DTYPE if the types do not fit,
///           TIR_ERR_ARGUMENT for numbers out of range.
/// Source    Ioffe and Szegedy, arXiv:1502.03167; momentum as in ONNX
///           BatchNormalization, variances of the population as there.
TIR_API tir_value tir_batch_norm(tir_tape *tape, tir_value x, tir_value weight,
                                 tir_value bias, tir_value running_mean,
                                 tir_value running_variance, double momentum,
                                 double epsilon);

#ifdef __cplusplus
}
#endif
#endif
