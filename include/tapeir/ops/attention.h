/// @file
/// Scaled dot-product attention.
#ifndef TAPEIR_OPS_ATTENTION_H
#define TAPEIR_OPS_ATTENTION_H

#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// softmax(q * k^T * scale + mask) * v: scaled dot-product attention.
///
///   q        [..., m, d]   f32 or f64
///   k        [..., n, d]   same dtype as `q`
///   v        [..., n, e]   same dtype as `q`
///   mask     [...]         same dtype, broadcasts to [..., m, n]; -infinity
///                          hides a position; optional
///   causal   position i of q sees positions 0 … i of k only
///   scale    0 means 1 / sqrt(d), for which d must be a fixed dim
///   returns  [..., m, e]   same dtype
///
/// The axis before the last two may be shorter in `k` and `v` if it divides
/// that of `q`: so many heads of q share one of k and v, neighbours the same.
/// Other leading axes broadcast. A row that sees nothing is NaN.
///
/// Recorded as one op, whose kernel goes over blocks of k and v and never
/// holds the m*n scores; what is hidden by `causal` is not computed. If k or v
/// have leading axes that q has not, as matmul, softmax and ordinary ops.
///
/// Gradient  of first and second order, with the scores made again: needs
///           memory for them.
/// Errors    TIR_ERR_SHAPE or TIR_ERR_DTYPE if the types do not fit,
///           TIR_ERR_ARGUMENT if the scale is not finite,
///           TIR_ERR_UNSUPPORTED for a symbolic d without scale and for shared
///           heads beside two symbolic dims.
/// Cost      2*m*n*(d + e) flops per leading index; memory for one block of
///           scores per thread.
/// Source    Vaswani et al., arXiv:1706.03762, equation 1; running softmax of
///           Milakov and Gimelshein, arXiv:1805.02867; shared heads of Ainslie
///           et al., arXiv:2305.13245.
TIR_API tir_value tir_attention(tir_tape *tape, tir_value q, tir_value k,
                                tir_value v, tir_value mask, bool causal,
                                double scale);

/// tir_attention over the first positions of k and v only, as many as the run
/// says: for states that are longer than what they hold.
///
///   length   [] or leading axes of q   i32 or i64, 0 … n: one for all, or one
///                                      for each index of as many leading axes
///   causal   the m positions of q are the last of the valid ones: position i
///            sees 0 … length - m + i
///
/// Positions from `length` on have no part in anything: they are not computed
/// and may hold NaN. The other operands and the result are as in
/// tir_attention.
///
/// Gradient  as tir_attention; an exact 0 for positions that are not valid.
/// Errors    as tir_attention. TIR_ERR_UNSUPPORTED if k or v have leading axes
///           that q has not. A length below 0 or above n makes the run fail
///           with TIR_ERR_VALUE before anything is assigned.
/// Cost      as tir_attention with `length` for n.
TIR_API tir_value tir_attention_prefix(tir_tape *tape, tir_value q, tir_value k,
                                       tir_value v, tir_value length,
                                       tir_value mask, bool causal,
                                       double scale);

#ifdef __cplusplus
}
#endif
#endif
