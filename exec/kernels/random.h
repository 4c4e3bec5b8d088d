// Philox words, many at a time (docs/numerics.md §1).
#ifndef TAPEIR_EXEC_KERNELS_RANDOM_H
#define TAPEIR_EXEC_KERNELS_RANDOM_H

#include "exec/kernels/call.h"

enum { TIR_EXEC_PHILOX_BLOCKS = 64 };  // made per call

// The words of blocks first … first + 63, four per block.
typedef void (*tir_exec_philox_fn)(const uint32_t key[2], uint64_t step,
                                   uint64_t first,
                                   uint32_t out[4 * TIR_EXEC_PHILOX_BLOCKS]);

typedef struct tir_exec_level_random {
  tir_exec_philox_fn words;
} tir_exec_level_random;

#endif
