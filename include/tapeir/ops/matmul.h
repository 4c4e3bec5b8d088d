/// @file
/// Matrix products.
#ifndef TAPEIR_OPS_MATMUL_H
#define TAPEIR_OPS_MATMUL_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Matrix product over the last two axes; leading axes broadcast.
///
///   a        [..., m, k]   f32 or f64
///   b        [..., k, n]   same dtype as `a`
///   returns  [..., m, n]   same dtype; zeros if k is 0
///
/// Gradient  da = g * b^T and db = a^T * g, summed over broadcast axes.
/// Errors    TIR_ERR_SHAPE if the two k differ, leading axes do not broadcast
///           or a rank is below 2; TIR_ERR_DTYPE if the dtypes differ or are
///           not floats.
/// Cost      2*m*n*k flops per leading index.
/// Source    NumPy matmul for rank >= 2; ONNX MatMul.
TIR_API tir_value tir_matmul(tir_tape *tape, tir_value a, tir_value b);

/// Matrix product with the last two axes of an operand swapped first.
///
///   a        [..., m, k], or [..., k, m] with transpose_a   f32 or f64
///   b        [..., k, n], or [..., n, k] with transpose_b   same dtype
///   returns  [..., m, n]                                    same dtype
///
/// Gradient, errors and cost are those of tir_matmul; nothing is copied.
/// Source    the transposition flags of BLAS gemm.
TIR_API tir_value tir_matmul_t(tir_tape *tape, tir_value a, tir_value b,
                               bool transpose_a, bool transpose_b);

/// Inner product of two vectors; of matrices the matrix product.
///
///   a        [n]           f32, f64 or an integer, or as in tir_matmul
///   b        [n]           same dtype
///   returns  []            sum of a[i] * b[i], or as tir_matmul
///
/// Gradient  da = g * b, db = g * a.
/// Errors    TIR_ERR_SHAPE if one of the two is a vector and the other is not
///           one of its size; otherwise those of tir_matmul.
/// Source    NumPy dot for two vectors or two matrices.
TIR_API tir_value tir_dot(tir_tape *tape, tir_value a, tir_value b);

#ifdef __cplusplus
}
#endif
#endif
