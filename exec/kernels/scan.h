// Running sums: block of parameters and tables.
#ifndef TAPEIR_EXEC_KERNELS_SCAN_H
#define TAPEIR_EXEC_KERNELS_SCAN_H

#include "exec/kernels/reduce.h"

typedef struct tir_exec_scan {
  // The axis is that of the sum; results have the operand's shape.
  tir_exec_rows rows;
  // exclusive: a result leaves its own element out. reverse: from the end.
  bool exclusive, reverse;
} tir_exec_scan;

typedef struct tir_exec_level_scan {
  tir_exec_kernel_fn cumsum[TIR_N_DTYPES];
} tir_exec_level_scan;

#endif
