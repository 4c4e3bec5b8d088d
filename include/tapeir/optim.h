/// @file
/// Optimiser steps: take the gradient of each variable and assign its update.
///
/// The gradient slot goes back to (virtual) zeros unless `keep_grad`. Learning
/// rates are scalar values (tir_scalar, or an input of a captured step), so
/// changing one never recompiles. A step happens for all `n` variables or, on
/// an error, for none: nothing is assigned and every gradient stays. (On a
/// tape that runs every op at once, a run that fails drops the step.)
///
/// Groups of parameters are calls on lists of their own: each has its own
/// rate and decay, and its own step number where there is one. A frozen
/// parameter has no gradient attached: nothing of its gradient is computed.
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
///           recorded history while recording; TIR_ERR_ARGUMENT if a variable
///           or state is given twice; TIR_ERR_SHAPE, TIR_ERR_DTYPE if an
///           operand does not fit. Kept by `tape`.
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
  tir_value lr;       ///< learning rate
  tir_value beta1;    ///< decay of the mean
  tir_value beta2;    ///< decay of the mean square
  tir_value epsilon;  ///< keeps the division finite
  tir_value step;     ///< i64 scalar state; incremented once per call
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

/// Momentum that looks ahead: v ← mu·v + g;  w ← w − lr·(g + mu·v).
///
///   w        n variables [...]   f32 or f64, each with a gradient attached
///   v        n values            v[i] has the type of w[i]; zeros at first
///   lr, mu   []                  dtype of the variables
///
/// Gradient  none: steps are not differentiated.
/// Errors    as tir_sgd.
/// Source    Sutskever et al., as tir_momentum, in the form PyTorch uses.
TIR_API void tir_nesterov(tir_tape *tape, const tir_value *w,
                          const tir_value *v, size_t n, tir_value lr,
                          tir_value mu, bool keep_grad);

/// Run-time numbers of AdamW and LAMB; all but `step` are scalars of the
/// variables' dtype.
typedef struct tir_adamw_values {
  tir_value lr;       ///< learning rate
  tir_value beta1;    ///< decay of the mean
  tir_value beta2;    ///< decay of the mean square
  tir_value epsilon;  ///< keeps the division finite
  tir_value decay;    ///< weight decay
  tir_value step;     ///< i64 scalar state; incremented once per call
} tir_adamw_values;

/// Adam whose weight decay does not pass through the gradient: with m, v and
/// t as tir_adam,
/// w ← w − lr·decay·w − lr·(m/(1−β1ᵗ)) / (√(v/(1−β2ᵗ)) + ε).
///
///   w, m, v, values   as tir_adam
///
/// Gradient  none: steps are not differentiated.
/// Errors    as tir_sgd.
/// Source    Loshchilov and Hutter, Decoupled weight decay regularization,
///           algorithm 2, with the decay scaled by lr as PyTorch does.
TIR_API void tir_adamw(tir_tape *tape, const tir_value *w, const tir_value *m,
                       const tir_value *v, size_t n, tir_adamw_values values,
                       bool keep_grad);

/// LAMB: with m, v and t as tir_adam,
/// r = (m/(1−β1ᵗ)) / (√(v/(1−β2ᵗ)) + ε) + decay·w;
/// w ← w − lr·(‖w‖/‖r‖)·r, the ratio being 1 if either norm is 0.
///
///   w, m, v, values   as tir_adam; norms are over one variable
///
/// Gradient  none: steps are not differentiated.
/// Errors    as tir_sgd.
/// Source    You et al., Large batch optimization for deep learning,
///           algorithm 2, with φ(x) = x.
TIR_API void tir_lamb(tir_tape *tape, const tir_value *w, const tir_value *m,
                      const tir_value *v, size_t n, tir_adamw_values values,
                      bool keep_grad);

/// RMSprop: v ← α·v + (1−α)·g²;  w ← w − lr·g / (√v + ε).
///
///   w                   n variables [...]   f32 or f64, with a gradient
///   v                   n values            type of w[i]; zeros at first
///   lr, alpha, epsilon  []                  dtype of the variables
///
/// Gradient  none: steps are not differentiated.
/// Errors    as tir_sgd.
/// Source    Hinton's lecture 6e; ε outside the root, as PyTorch.
TIR_API void tir_rmsprop(tir_tape *tape, const tir_value *w, const tir_value *v,
                         size_t n, tir_value lr, tir_value alpha,
                         tir_value epsilon, bool keep_grad);

/// Adagrad: v ← v + g²;  w ← w − lr·g / (√v + ε).
///
///   w            n variables [...]   f32 or f64, with a gradient
///   v            n values            type of w[i]; zeros at first
///   lr, epsilon  []                  dtype of the variables
///
/// Gradient  none: steps are not differentiated.
/// Errors    as tir_sgd.
/// Source    Duchi et al., Adaptive subgradient methods, diagonal form.
TIR_API void tir_adagrad(tir_tape *tape, const tir_value *w, const tir_value *v,
                         size_t n, tir_value lr, tir_value epsilon,
                         bool keep_grad);

/// Adadelta: v ← ρ·v + (1−ρ)·g²;  d = g·√(u + ε) / √(v + ε);
/// u ← ρ·u + (1−ρ)·d²;  w ← w − lr·d.
///
///   w                 n variables [...]   f32 or f64, with a gradient
///   v, u              n values each       type of w[i]; zeros at first
///   lr, rho, epsilon  []                  dtype of the variables
///
/// Gradient  none: steps are not differentiated.
/// Errors    as tir_sgd.
/// Source    Zeiler, ADADELTA, algorithm 1, with a rate as PyTorch has.
TIR_API void tir_adadelta(tir_tape *tape, const tir_value *w,
                          const tir_value *v, const tir_value *u, size_t n,
                          tir_value lr, tir_value rho, tir_value epsilon,
                          bool keep_grad);

/// Run-time numbers of Lion, scalars of the variables' dtype.
typedef struct tir_lion_values {
  tir_value lr;     ///< learning rate
  tir_value beta1;  ///< share of the mean in the step
  tir_value beta2;  ///< decay of the mean
  tir_value decay;  ///< weight decay
} tir_lion_values;

/// Lion: w ← w − lr·(sign(β1·m + (1−β1)·g) + decay·w);
/// m ← β2·m + (1−β2)·g. The sign of 0 is 0, of NaN is NaN.
///
///   w       n variables [...]   f32 or f64, with a gradient
///   m       n values            type of w[i]; zeros at first
///   values  scalars
///
/// Gradient  none: steps are not differentiated.
/// Errors    as tir_sgd.
/// Source    Chen et al., Symbolic discovery of optimization algorithms,
///           algorithm 2.
TIR_API void tir_lion(tir_tape *tape, const tir_value *w, const tir_value *m,
                      size_t n, tir_lion_values values, bool keep_grad);

#ifdef __cplusplus
}
#endif
#endif
