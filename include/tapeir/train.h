/// @file
/// Training tools: what stands between backward and the optimiser step, and
/// around it.
///
/// All of them record ordinary ops, live or in a capture, and are no part of
/// what is differentiated. Gradient tools work on the gradient slots of `n`
/// variables: for all of them or, on an error, for none. Numbers that change
/// between runs are scalar values.
#ifndef TAPEIR_TRAIN_H
#define TAPEIR_TRAIN_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

// --- gradients -------------------------------------------------------------

/// Weight decay through the gradient: g ← g + decay·w.
///
///   w      n variables [...]   f32 or f64, each with a gradient attached
///   decay  []                  dtype of the variables
///
/// Errors  STATE if a variable has no gradient; those of add and mul.
/// Source  L2 regularisation; tir_adamw, tir_lamb and tir_lion have their own.
TIR_API void tir_decay_grads(tir_tape *tape, const tir_value *w, size_t n,
                             tir_value decay);

/// Every element of every gradient brought into [-limit, limit]; NaN stays.
///
///   w      n variables [...]   f32 or f64, each with a gradient attached
///   limit  []                  dtype of the variables; 0 or more
///
/// Errors  as tir_decay_grads.
TIR_API void tir_clip_grads_by_value(tir_tape *tape, const tir_value *w,
                                     size_t n, tir_value limit);

/// Each gradient scaled to a norm of at most `limit`, by itself:
/// g ← g·(limit / max(‖g‖, limit)). One up to the limit keeps its bits.
///
///   w      n variables [...]   f32 or f64, each with a gradient attached
///   limit  []                  dtype of the variables; above 0, or infinity
///
/// Errors  as tir_decay_grads.
/// Source  TensorFlow clip_by_norm.
TIR_API void tir_clip_grads_by_norm(tir_tape *tape, const tir_value *w,
                                    size_t n, tir_value limit);

/// All gradients scaled by one factor, so that together they have a norm of at
/// most `limit`. The norm does not overflow where it is finite itself.
///
///   w        n variables [...]   f32 or f64 alike, with a gradient attached
///   limit    []                  dtype of the variables; above 0; infinity
///                                to measure the norm alone
///   returns  []                  the norm before; invalid if n is 0
///
/// Errors  as tir_decay_grads.
/// Source  Pascanu et al., On the difficulty of training recurrent networks.
TIR_API tir_value tir_clip_grads_by_global_norm(tir_tape *tape,
                                                const tir_value *w, size_t n,
                                                tir_value limit);

// --- steps that depend ------------------------------------------------------

/// From here on optimiser steps and tir_average_weights change nothing in runs
/// where `condition` is false: variables, state and step numbers stay, bit by
/// bit. (Gradient slots are taken all the same.)
///
///   condition  []   bool; all-zero: none, every step counts
///   returns    the former condition, to be set again afterwards
///
/// A capture begins without one and leaves that of the tape alone.
///
/// Errors  DTYPE if it is no bool scalar.
/// Cost    what a step changes needs memory of its own until it is chosen.
TIR_API tir_value tir_set_step_condition(tir_tape *tape, tir_value condition);

/// Gathers gradients over `every` calls: sum ← sum + g, count ← count + 1. In
/// the last of them the gradients become the means, the sums zeros and the
/// count 0; before that gradients hold what was gathered so far, by `every`.
///
///   w        n variables [...]   f32 or f64, each with a gradient attached
///   sums     n values            type of w[i]; zeros at first
///   count    []                  i64 state; 0 at first
///   every    1 or more
///   returns  []                  bool: this was the last call, take the step:
///
///       tir_value due = tir_accumulate_grads(t, w, sums, n, count, 4);
///       tir_value was = tir_set_step_condition(t, due);
///       tir_adam(t, w, m, v, n, values, false);
///       tir_set_step_condition(t, was);
///
/// Errors  STATE if a variable has no gradient or, while recording, a sum is
///         part of a recorded history; SHAPE, DTYPE if a sum does not fit;
///         ARGUMENT for another `every` or a sum given twice.
TIR_API tir_value tir_accumulate_grads(tir_tape *tape, const tir_value *w,
                                       const tir_value *sums, size_t n,
                                       tir_value count, int64_t every);

/// Exponential moving average of weights: a ← decay·a + (1 − decay)·w.
///
///   average  n values            type of w[i]; a copy of w at first
///   w        n values [...]      f32 or f64
///   decay    []                  dtype of the values
///
/// Errors  STATE as tir_accumulate_grads, ARGUMENT for an average given twice;
///         those of add and mul.
/// Source  Polyak and Juditsky; Tarvainen and Valpola, Mean teachers.
TIR_API void tir_average_weights(tir_tape *tape, const tir_value *average,
                                 const tir_value *w, size_t n, tir_value decay);

// --- mixed precision --------------------------------------------------------
//
// Weights are kept in f32; what a layer reads is their copy in f16 or bf16,
// `tir_cast(t, tir_cast(t, w, TIR_DTYPE_F16), TIR_DTYPE_F32)` or a stored
// parameter of that dtype, and all sums are f32. Gradients that pass the cast
// are rounded to the half dtype, so the loss is multiplied by a scale that
// keeps small ones above its smallest number:
//
//     tir_backward(t, tir_mul(t, loss, scale));
//     tir_value good = tir_unscale_grads(t, w, n, scale);
//     tir_value was = tir_set_step_condition(t, good);
//     tir_adam(t, w, m, v, n, values, false);
//     tir_set_step_condition(t, was);
//     tir_update_loss_scale(t, scale, n_good, good, 2, 0.5, 2000);

/// Gradients divided by the scale of the loss: g ← g / scale.
///
///   w        n variables [...]   f32 or f64, each with a gradient attached
///   scale    []                  dtype of the variables
///   returns  []                  bool: all gradients are finite
///
/// Errors  as tir_decay_grads; ARGUMENT if n is 0.
TIR_API tir_value tir_unscale_grads(tir_tape *tape, const tir_value *w,
                                    size_t n, tir_value scale);

/// The next scale: after a step that overflowed scale·backoff; after
/// `interval` good steps in a row scale·growth, unless that is not finite. It
/// has no floor: a model whose every step overflows ends at a scale of 0.
///
///   scale     []   f32 or f64 state, say 65,536 at first
///   n_good    []   i64 state, 0 at first
///   good      []   bool, from tir_unscale_grads
///   growth    above 1, backoff above 0 and below 1, interval 1 or more
///
/// Errors  ARGUMENT for other numbers; STATE, DTYPE, SHAPE as tir_assign.
/// Source  Micikevicius et al., Mixed precision training; PyTorch GradScaler.
TIR_API void tir_update_loss_scale(tir_tape *tape, tir_value scale,
                                   tir_value n_good, tir_value good,
                                   double growth, double backoff,
                                   int64_t interval);

// --- learning rates ---------------------------------------------------------

/// Shapes of a schedule.
typedef enum tir_schedule_kind {
  TIR_SCHEDULE_CONSTANT = 0,  ///< rate
  TIR_SCHEDULE_STEP,          ///< rate·factor^⌊s / steps⌋
  TIR_SCHEDULE_EXPONENTIAL,   ///< rate·factor^s
  TIR_SCHEDULE_COSINE,  ///< last + (rate − last)·(1 + cos(π·s/steps)) / 2
  TIR_SCHEDULE_LINEAR,  ///< rate + (last − rate)·s/steps
} tir_schedule_kind;

/// How a learning rate changes. The step number counts from 0; in the formulas
/// above s is what is left of it after `warmup`, and from s = steps on cosine
/// and linear stay at `last`. The first `warmup` steps rise in a line:
/// rate·(step + 1)/warmup.
typedef struct tir_schedule {
  tir_schedule_kind kind;  ///< one of the formulas above
  double rate;             ///< at s = 0
  double last;             ///< cosine, linear
  double factor;           ///< step, exponential; 0 or more
  int64_t warmup;          ///< 0 or more
  int64_t steps;           ///< step, cosine, linear; 1 or more
  uint64_t reserved[8];
} tir_schedule;

/// The rate at a step; below 0 counts as 0, above 2^32 as that. NaN for a
/// schedule that is none.
/// Cost    O(1), no allocation.
TIR_API double tir_schedule_at(const tir_schedule *schedule, int64_t step);

/// The same as a value, computed from a counter, for captured steps. Equal to
/// tir_schedule_at to the last bit in f64; other dtypes round it once.
///
///   step     []   i64, say Adam's step number before the call of tir_adam
///   returns  []   of `dtype`, f32 or f64
///
/// Errors  ARGUMENT for a schedule that is none, DTYPE for another dtype.
TIR_API tir_value tir_schedule_rate(tir_tape *tape,
                                    const tir_schedule *schedule,
                                    tir_value step, tir_dtype dtype);

#ifdef __cplusplus
}
#endif
#endif
