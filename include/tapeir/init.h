/// @file
/// Initial values: tensors filled from a seed.
///
/// The same tensor shape, numbers, seed and stream give the same elements
/// whatever ran before. Give every parameter a stream of its own, say its
/// position: equal streams of one seed give equal numbers. Elements are made
/// in double and rounded once, so f32 and f64 tensors hold the same numbers.
///
/// Random fills take f32, f64, f16 and bf16. On an error the tensor is as it
/// was: DTYPE for another dtype, ARGUMENT for numbers that make no
/// distribution, STATE for a frozen tensor (tir_tensor_write_begin).
#ifndef TAPEIR_INIT_H
#define TAPEIR_INIT_H

#include "tapeir/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/// One number everywhere: 0, 1 or any other that the dtype rounds to.
TIR_API tir_status tir_init_constant(tir_tensor *tensor, double value,
                                     tir_error *error);
/// Uniform in [low, high); rounding to the dtype may give `high`.
/// Source  Philox4x32-10, docs/numerics.md: random_uniform in f64, step 0.
TIR_API tir_status tir_init_uniform(tir_tensor *tensor, double low, double high,
                                    uint64_t seed, uint64_t stream,
                                    tir_error *error);
/// Normal with a mean and a deviation of 0 or more.
/// Source  docs/numerics.md: random_normal in f64, step 0.
TIR_API tir_status tir_init_normal(tir_tensor *tensor, double mean,
                                   double standard_deviation, uint64_t seed,
                                   uint64_t stream, tir_error *error);
/// Normal, drawn again until it is within two deviations of the mean.
TIR_API tir_status tir_init_truncated_normal(tir_tensor *tensor, double mean,
                                             double standard_deviation,
                                             uint64_t seed, uint64_t stream,
                                             tir_error *error);

// Fans: of a matrix [in, out] its sizes; of rank 3 and more, [out, in, …] as
// convolutions have it, the sizes times the elements of a window. Rank 2 or
// more is expected (SHAPE).

/// Uniform in ±gain·√(6 / (fan_in + fan_out)).
/// Source  Glorot and Bengio, Understanding the difficulty of training deep
///         feedforward neural networks.
TIR_API tir_status tir_init_xavier_uniform(tir_tensor *tensor, double gain,
                                           uint64_t seed, uint64_t stream,
                                           tir_error *error);
/// Normal with deviation gain·√(2 / (fan_in + fan_out)).
TIR_API tir_status tir_init_xavier_normal(tir_tensor *tensor, double gain,
                                          uint64_t seed, uint64_t stream,
                                          tir_error *error);
/// Uniform in ±√(6 / fan_in), for layers before a relu.
/// Source  He et al., Delving deep into rectifiers.
TIR_API tir_status tir_init_he_uniform(tir_tensor *tensor, uint64_t seed,
                                       uint64_t stream, tir_error *error);
/// Normal with deviation √(2 / fan_in).
TIR_API tir_status tir_init_he_normal(tir_tensor *tensor, uint64_t seed,
                                      uint64_t stream, tir_error *error);
/// A random matrix with orthonormal rows or columns, whichever are fewer, times
/// `gain`; axes after the first count as one.
/// Errors  SHAPE below rank 2; MEMORY.
/// Cost    rows·columns·min(rows, columns), and a copy in double.
/// Source  Saxe et al., Exact solutions to the nonlinear dynamics of learning
///         in deep linear neural networks.
TIR_API tir_status tir_init_orthogonal(tir_tensor *tensor, double gain,
                                       uint64_t seed, uint64_t stream,
                                       tir_error *error);

#ifdef __cplusplus
}
#endif
#endif
