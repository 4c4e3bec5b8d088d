/// @file
/// Loops and branches inside a graph.
///
/// C control flow runs while recording: the graph holds what it did. These ops
/// hold the loop itself, so that a saved graph can run it for other lengths
/// and conditions. Their bodies are recorded by callbacks, once, with handles
/// that stand for the values of any trip:
///
/// - Values of outside may be used in a body; they are passed in. Parameters
///   and leaves may be asked for as outside.
/// - A body is pure: no tir_assign, no optimiser step, no tir_input or
///   tir_output, no gradient call, no reading of values. What changes from trip
///   to trip is a carry.
/// - tir_dropout, tir_uniform and tir_normal draw other numbers in each trip of
///   each step; gradients see those of the forward trip. They are not those of
///   the same loop written in C (docs/numerics.md).
/// - Handles made in a body end with it; what it returns goes into `out_…`.
/// - Bodies may hold loops and branches again, 32 deep.
///
/// Gradients go through all three, to any order. A backward loop is made of
/// loops too, and runs the body again: what is kept for it are the carries
/// before each trip (docs/autograd.md).
#ifndef TAPEIR_OPS_CONTROL_H
#define TAPEIR_OPS_CONTROL_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Records one trip of a scan.
///
///   carry      n_carry values, of the trip before
///   x          n_xs values, row t of each of the xs
///   out_carry  n_carry values to fill, each of the type of its carry
///   out_y      n_ys values to fill
typedef void (*tir_scan_body)(tir_tape *tape, void *user,
                              const tir_value *carry, const tir_value *x,
                              tir_value *out_carry, tir_value *out_y);

/// How a scan runs; all zero is the usual way.
typedef struct tir_scan_options {
  int64_t length;        ///< trips, when there are no xs
  bool reverse;          ///< from the last row to the first
  uint64_t reserved[4];  ///< zero
} tir_scan_options;

/// Runs a body once per row, passing carries from trip to trip.
///
///   carry      n_carry values [...], before the first trip
///   xs         n_xs values [T, ...], any dtype; row t is the x of a trip
///   options    NULL: T from the xs, first row to last
///   out_carry  n_carry values, after the last trip; may be NULL
///   out_ys     n_ys values [T, ...]: row t is the y of the trip on row t
///
/// One of n_carry and n_xs at least is above 0. T may be 0 and may be a
/// symbolic dim.
///
/// Gradient  a scan the other way round. Gradients of values of outside are
///           summed over the trips, from the last to the first.
/// Errors    TIR_ERR_SHAPE or TIR_ERR_DTYPE for a carry that changes its type,
///           naming it with both types, for an x that is a scalar or of
///           another length; TIR_ERR_ARGUMENT for no carry and no x;
///           TIR_ERR_STATE for a call that has no place in a body;
///           TIR_ERR_LIMIT for bodies nested more than 32 deep.
/// Cost      T times the body. Memory: that of the body once, and two of each
///           carry; with a gradient, T of each carry.
/// Source    ONNX Scan, with axis 0.
TIR_API void tir_scan(tir_tape *tape, tir_scan_body body, void *user,
                      const tir_value *carry, size_t n_carry,
                      const tir_value *xs, size_t n_xs, size_t n_ys,
                      const tir_scan_options *options, tir_value *out_carry,
                      tir_value *out_ys);

/// Records one branch of a cond: fills the n_out values of `out`.
typedef void (*tir_branch)(tir_tape *tape, void *user,
                           const tir_value *operands, tir_value *out);

/// Runs one of two branches.
///
///   pred       bool []
///   operands   n_operands values, given to both branches
///   out        n_out values to fill; both branches give the same types
///
/// Gradient  the gradient of the branch that ran; operands only the other
///           one uses get zeros.
/// Errors    TIR_ERR_DTYPE or TIR_ERR_SHAPE for a pred that is no bool scalar,
///           or results of different types, naming them; otherwise as tir_scan.
/// Cost      that of the branch that runs. Memory: that of the larger one.
/// Source    ONNX If.
TIR_API void tir_cond(tir_tape *tape, tir_value pred, tir_branch then_branch,
                      tir_branch else_branch, void *user,
                      const tir_value *operands, size_t n_operands,
                      tir_value *out, size_t n_out);

/// Records what decides on another trip: a bool scalar.
typedef tir_value (*tir_while_condition)(tir_tape *tape, void *user,
                                         const tir_value *carry);
/// Records one trip of a while.
typedef void (*tir_while_body)(tir_tape *tape, void *user,
                               const tir_value *carry, tir_value *out_carry);

/// Runs a body as long as a condition holds, which is asked before each trip.
///
///   carry      n_carry values, at least one
///   max_trips  most trips to make: then it stops, whatever the condition
///              says; 0: no bound
///   out_carry  n_carry values to fill
///   returns    i64 []: the number of trips made
///
/// Gradient  needs max_trips: a scan backward over that many trips, of which
///           those that were not made pass gradients on unchanged. Without
///           max_trips TIR_ERR_UNSUPPORTED when the gradient is asked for.
/// Errors    TIR_ERR_DTYPE for a condition that is no bool scalar; otherwise
///           as tir_scan. A loop that never ends is stopped by the run's cancel
///           callback or deadline.
/// Cost      that of the trips made. Memory as tir_scan, with max_trips for T.
/// Source    ONNX Loop.
TIR_API tir_value tir_while(tir_tape *tape, tir_while_condition condition,
                            tir_while_body body, void *user,
                            const tir_value *carry, size_t n_carry,
                            int64_t max_trips, tir_value *out_carry);

#ifdef __cplusplus
}
#endif
#endif
