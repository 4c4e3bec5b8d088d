/// @file
/// Gradient checking by central differences in f64.
#ifndef TAPEIR_CHECK_H
#define TAPEIR_CHECK_H

#include "tapeir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/// A function of n inputs recorded on `tape`; returns the value whose sum is
/// differentiated.
typedef tir_value (*tir_gradcheck_fn)(void *user, tir_tape *tape,
                                      const tir_value *inputs, size_t n);

/// All-zero means defaults.
typedef struct tir_gradcheck_options {
  double step;                ///< 0: cbrt(2^-52)·max(1,|x|), and one
                              ///< Richardson step
  double relative_tolerance;  ///< 0: 1e-6
  double absolute_tolerance;  ///< 0: 1e-8
  bool second_order;          ///< check the gradient of the gradient too
  uint64_t reserved[8];
} tir_gradcheck_options;

/// Compares the gradients of `fn` at the f64 tensors `inputs` with central
/// differences. Random ops in `fn` draw the same numbers at each evaluation;
/// training is off, and `fn` may turn it on for itself.
/// Errors  VALUE if a gradient is off: the message gives input, element and
///         both numbers; those of recording and running.
TIR_API tir_status tir_gradcheck(tir_context *context, tir_gradcheck_fn fn,
                                 void *user, tir_tensor *const *inputs,
                                 size_t n_inputs,
                                 const tir_gradcheck_options *options,
                                 tir_error *error);

#ifdef __cplusplus
}
#endif
#endif
