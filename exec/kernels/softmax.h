// Softmax family: blocks of parameters.
#ifndef TAPEIR_EXEC_KERNELS_SOFTMAX_H
#define TAPEIR_EXEC_KERNELS_SOFTMAX_H

#include "exec/kernels/indexing.h"

// logits [rows, classes], targets [rows].
typedef struct tir_exec_cross_entropy {
  tir_exec_indices targets;  // their size is the number of classes
  int64_t rows_per_unit;
} tir_exec_cross_entropy;

#endif
