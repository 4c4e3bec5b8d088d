// Running sums: block of parameters and tables.
#ifndef TAPEIR_EXEC_KERNELS_SCAN_H
#define TAPEIR_EXEC_KERNELS_SCAN_H

#include "exec/kernels/reduce.h"

typedef struct tir_exec_scan {
  tir_exec_rows rows;
  bool exclusive, reverse;
} tir_exec_scan;

typedef struct tir_exec_level_scan {
  tir_exec_kernel_fn cumsum[TIR_N_DTYPES];
} tir_exec_level_scan;

#endif
