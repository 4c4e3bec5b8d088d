// Optimiser steps: block of parameters.
#ifndef TAPEIR_EXEC_KERNELS_OPTIM_H
#define TAPEIR_EXEC_KERNELS_OPTIM_H

#include "exec/kernels/call.h"

typedef struct tir_exec_optim_params {
  int64_t n;
  int64_t per_unit;
  tir_dtype step_dtype;  // adam
} tir_exec_optim_params;

#endif
