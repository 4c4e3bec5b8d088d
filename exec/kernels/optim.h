// Optimiser steps: block of parameters. Operands and outputs stand where the
// op's descriptor lists them; the loops know their order.
#ifndef TAPEIR_EXEC_KERNELS_OPTIM_H
#define TAPEIR_EXEC_KERNELS_OPTIM_H

#include "exec/kernels/call.h"

typedef struct tir_exec_optim_params {
  int64_t n;
  // Elements of a unit.
  int64_t per_unit;
  tir_dtype step_dtype;  // adam, adamw: of the step count, their last operand
} tir_exec_optim_params;

#endif
