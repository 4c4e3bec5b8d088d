// Normalising over axes: block of parameters and tables.
#ifndef TAPEIR_EXEC_KERNELS_NORMALIZE_H
#define TAPEIR_EXEC_KERNELS_NORMALIZE_H

#include "exec/kernels/reduce.h"

// Entries of the argument list; a statistic that does not exist is
// TIR_EXEC_NO_ARG.
typedef struct tir_exec_normalize {
  tir_exec_axes axes;
  int64_t tiles;  // of columns, that make a row of results; rows: 1
  bool is_centered;
  tir_dtype dtype;
  int64_t n_groups;  // elements of each statistic
  uint32_t y, mean, root, variance;
} tir_exec_normalize;

#define TIR_EXEC_NO_ARG UINT32_MAX

typedef struct tir_exec_level_normalize {
  tir_exec_kernel_fn normalize[TIR_N_DTYPES];
} tir_exec_level_normalize;

#endif
