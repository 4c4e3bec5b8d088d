/// @file
/// Running results along an axis.
#ifndef TAPEIR_OPS_SCAN_H
#define TAPEIR_OPS_SCAN_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Sums of all elements up to each one along an axis.
///
///   x          [...]   f32, f64 or an integer
///   axis       negative counts from the end
///   exclusive  an element is not part of its own sum; the first sum is 0
///   reverse    from the last element to the first
///   returns    [...]   same type; integers wrap
///
/// Gradient  dx = the running sum of g from the other side.
/// Errors    TIR_ERR_DTYPE for any other dtype, TIR_ERR_SHAPE for an axis out
///           of range.
/// Source    ONNX CumSum.
TIR_API tir_value tir_cumsum(tir_tape *tape, tir_value x, int axis,
                             bool exclusive, bool reverse);

#ifdef __cplusplus
}
#endif
#endif
