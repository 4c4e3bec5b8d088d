/// @file
/// State: replacing values, and stopping gradients.
#ifndef TAPEIR_OPS_STATE_H
#define TAPEIR_OPS_STATE_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Replaces the value behind `target`, a parameter, state or leaf. From here
/// on the handle `target` means the new version, which is also returned; what
/// was computed from the old version keeps it.
///
///   target   [...]   any dtype
///   value    [...]   same type
///   returns  [...]   same type
///
/// Gradient  dvalue = g; zero for the target, whose old data is gone.
/// Errors    TIR_ERR_SHAPE or TIR_ERR_DTYPE if the types differ;
///           TIR_ERR_STATE while recording, if the target is part of a
///           recorded history. Nothing is written then.
TIR_API tir_value tir_assign(tir_tape *tape, tir_value target, tir_value value);

/// Replaces a window of `target`, a parameter, state or leaf: tir_assign of
/// tir_update_slice. In a program it is written in place and nothing else of
/// the target is touched, so a step's cost does not depend on how long the
/// target is. Other ops may read the new version in the same graph.
///
///   target   [p..., n, q...]      any dtype; n is the size of `axis`
///   value    [p..., m, q...]      same dtype, m <= n
///   start    [] or leading p...   i32 or i64, 0 … n - m: one for all, or one
///                                 for each index of as many leading axes
///   returns  [p..., n, q...]      the new version, type of `target`
///
/// Gradient  dvalue = the window of g.
/// Errors    those of tir_update_slice and tir_assign. A start out of range
///           makes the run fail before anything is written.
/// Cost      linear in `value`.
TIR_API tir_value tir_assign_slice(tir_tape *tape, tir_value target,
                                   tir_value value, tir_value start, int axis);

/// The same data; gradients stop here.
///
///   x        [...]   any dtype
///   returns  [...]   same type
///
/// Gradient  zero.
/// Errors    those of an invalid handle.
/// Cost      none: shares the operand's memory where that is possible.
TIR_API tir_value tir_stop_gradient(tir_tape *tape, tir_value x);

#ifdef __cplusplus
}
#endif
#endif
