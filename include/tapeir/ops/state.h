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
