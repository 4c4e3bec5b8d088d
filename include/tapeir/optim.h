/// Optimiser steps: take the gradient of each variable and assign its update.
///
/// The gradient slot goes back to (virtual) zeros unless `keep_grad`. Learning
/// rates are scalar values (tir_scalar, or an input of a captured step), so
/// changing one never recompiles. A step happens for all `n` variables or, on
/// an error, for none: nothing is assigned and every gradient stays.
///
/// In the comments `g` is the gradient of w[i]. Arithmetic is element by
/// element, in the dtype of the variable.
#ifndef TAPEIR_OPTIM_H
#define TAPEIR_OPTIM_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Gradient descent: w ← w − lr·g.
///
///   w        n variables [...]   f32 or f64, each with a gradient attached
///   lr       []                  dtype of the variables
///
/// Gradient  none: steps are not differentiated.
/// Errors    TIR_ERR_STATE if a variable has no gradient, or is part of a
///           recorded history while recording; TIR_ERR_SHAPE, TIR_ERR_DTYPE
///           if an operand does not fit. Kept by `tape`.
TIR_API void tir_sgd(tir_tape *tape, const tir_value *w, size_t n, tir_value lr,
                     bool keep_grad);

/// Gradient descent with momentum: v ← mu·v + g;  w ← w − lr·v.
///
///   w        n variables [...]   f32 or f64, each with a gradient attached
///   v        n values            v[i] has the type of w[i]; zeros at first
///   lr, mu   []                  dtype of the variables
///
/// Gradient  none: steps are not differentiated.
/// Errors    as tir_sgd.
/// Source    Sutskever et al., On the importance of initialization and
///           momentum in deep learning, in the form PyTorch uses.
TIR_API void tir_momentum(tir_tape *tape, const tir_value *w,
                          const tir_value *v, size_t n, tir_value lr,
                          tir_value mu, bool keep_grad);

/// Run-time numbers of Adam; all but `step` are scalars of the variables'
/// dtype.
typedef struct tir_adam_values {
  tir_value lr, beta1, beta2, epsilon;
  tir_value step;  ///< i64 scalar state; incremented once per call
} tir_adam_values;

/// Adam: m ← β1·m + (1−β1)·g;  v ← β2·v + (1−β2)·g²;  t ← t + 1;
/// w ← w − lr·(m/(1−β1ᵗ)) / (√(v/(1−β2ᵗ)) + ε).
///
///   w        n variables [...]   f32 or f64, each with a gradient attached
///   m, v     n values each       of the type of w[i]; zeros at first
///   values   scalars             t is values.step, 0 at first
///
/// Gradient  none: steps are not differentiated.
/// Errors    as tir_sgd.
/// Source    Kingma and Ba, Adam, algorithm 1.
TIR_API void tir_adam(tir_tape *tape, const tir_value *w, const tir_value *m,
                      const tir_value *v, size_t n, tir_adam_values values,
                      bool keep_grad);

#ifdef __cplusplus
}
#endif
#endif
