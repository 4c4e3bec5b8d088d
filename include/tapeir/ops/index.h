/// @file
/// Indexing along an axis.
///
/// Indices are i32 or i64 values of -n … n-1, negative counting from the end.
/// Any other index makes the run fail with TIR_ERR_VALUE: the message names
/// the op, the position, the index and the bound.
#ifndef TAPEIR_OPS_INDEX_H
#define TAPEIR_OPS_INDEX_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The rows of a value at given positions along an axis.
///
///   x        [p..., n, q...]         any dtype; n is the size of `axis`
///   indices  [i...]                  i32 or i64
///   returns  [p..., i..., q...]      dtype of `x`
///
/// Gradient  dx = g added up where it was taken from, in index order; x's
///           data is not needed.
/// Errors    TIR_ERR_SHAPE for an axis out of range or a rank above 8,
///           TIR_ERR_DTYPE if `indices` are neither i32 nor i64.
/// Source    NumPy take; ONNX Gather.
TIR_API tir_value tir_gather(tir_tape *tape, tir_value x, tir_value indices,
                             int axis);

/// The rows of a table at given positions: tir_gather along axis 0.
///
///   table    [n, d]       any dtype
///   indices  [i...]       i32 or i64
///   returns  [i..., d]    dtype of `table`
///
/// Gradient  dtable = g added up row by row, in index order.
/// Errors    TIR_ERR_SHAPE if the table's rank is not 2; as tir_gather.
/// Source    PyTorch embedding.
TIR_API tir_value tir_embedding(tir_tape *tape, tir_value table,
                                tir_value indices);

/// `base` with `updates` added at positions along an axis, in the order of
/// the positions.
///
///   base     [p..., n, q...]         f32, f64 or an integer
///   indices  [i...]                  i32 or i64; repeated ones add up
///   updates  [p..., i..., q...]      dtype of `base`
///   returns  [p..., n, q...]         same type as `base`
///
/// Gradient  dbase = g, dupdates = g gathered at the indices.
/// Errors    as tir_gather; TIR_ERR_SHAPE or TIR_ERR_DTYPE if `updates` do
///           not fit.
/// Source    PyTorch index_add.
TIR_API tir_value tir_scatter_add(tir_tape *tape, tir_value base,
                                  tir_value indices, tir_value updates,
                                  int axis);

/// A window of an axis that starts where the run says. tir_slice takes starts
/// that are known when it is recorded.
///
///   x        [p..., n, q...]      any dtype; n is the size of `axis`
///   start    [] or leading p...   i32 or i64, 0 … n - size: one for all, or
///                                 one for each index of as many leading axes
///   size     of the window, 0 … n
///   returns  [p..., size, q...]   dtype of `x`
///
/// Gradient  dx = zeros with g in the window; x's data is not needed.
/// Errors    TIR_ERR_SHAPE for an axis or a size out of range and a start of
///           another shape, TIR_ERR_DTYPE for one of another dtype. A start
///           below 0 or above n - size makes the run fail with TIR_ERR_VALUE
///           before anything is assigned: the message names it, its position
///           and the bound.
/// Cost      linear in the window.
/// Source    XLA DynamicSlice, which moves a start into range instead.
TIR_API tir_value tir_slice_at(tir_tape *tape, tir_value x, tir_value start,
                               int axis, int64_t size);

/// `base` with `value` in a window of an axis that starts where the run says.
///
///   base     [p..., n, q...]      any dtype; n is the size of `axis`
///   value    [p..., m, q...]      dtype of `base`, m <= n
///   start    [] or leading p...   i32 or i64, 0 … n - m, as tir_slice_at
///   returns  [p..., n, q...]      type of `base`
///
/// Gradient  dbase = g with zeros in the window, dvalue = the window of g.
/// Errors    as tir_slice_at; TIR_ERR_SHAPE or TIR_ERR_DTYPE if `value` does
///           not fit.
/// Cost      linear in `value` where nobody needs `base` any more, as in
///           tir_assign_slice; otherwise `base` is copied.
/// Source    XLA DynamicUpdateSlice, which moves a start into range instead.
TIR_API tir_value tir_update_slice(tir_tape *tape, tir_value base,
                                   tir_value value, tir_value start, int axis);

/// A new last axis that is 1 at each index and 0 elsewhere.
///
///   indices  [i...]          i32 or i64
///   depth    size of the new axis, 0 or more
///   returns  [i..., depth]   of `dtype`, any dtype
///
/// Gradient  zero.
/// Errors    TIR_ERR_DTYPE for other indices, TIR_ERR_ARGUMENT for a negative
///           depth or a bad `dtype`, TIR_ERR_SHAPE if the rank would exceed 8.
/// Source    ONNX OneHot with values 0 and 1 and axis -1.
TIR_API tir_value tir_one_hot(tir_tape *tape, tir_value indices, int64_t depth,
                              tir_dtype dtype);

#ifdef __cplusplus
}
#endif
#endif
