// Inner products of vectors so long that a run may want to stop within one.
#ifndef TAPEIR_EXEC_KERNELS_DOT_H
#define TAPEIR_EXEC_KERNELS_DOT_H

#include "exec/kernels/call.h"

// *out = a · b over k dense elements, with the bits tir_exec_gemm_fn gives for
// one row and one column. Asks between stretches of k.
typedef tir_status (*tir_exec_dot_fn)(const tir_exec_call *call, const void *a,
                                      const void *b, int64_t k, void *out);

typedef struct tir_exec_level_dot {
  tir_exec_dot_fn dot[TIR_N_DTYPES];  // NULL: no such kernel
} tir_exec_level_dot;

#endif
