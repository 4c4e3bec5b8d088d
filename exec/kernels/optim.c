// Optimiser steps: parameters; the loops are in levels/optim.c.
//
// Weights, gradients and state of a step are of one type; what follows them are
// scalars, which are read at each run. So a new learning rate compiles nothing.
#include "exec/kernels/optim.h"

#include "exec/kernels/levels.h"

static tir_status prepare_step(tir_exec_prepare *q, tir_exec_kernel_fn run) {
  if (!run) return tir_exec_kernel_missing(q);
  tir_exec_optim_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  p->n = tir_ir_type_numel(&q->out[0]);
  // Memory sets the pace, and arithmetic hides behind it. Operands, scalars
  // included, are a rough measure of how much of it there is.
  p->per_unit = tir_exec_cut(q, p->n, (double)q->n_in / 2);
  // Read by adam and adamw alone; of other ops it is some scalar's dtype.
  p->step_dtype = q->in[q->n_in - 1].dtype;
  q->params = p;
  q->run = run;
  return TIR_OK;
}

#define TIR_OPTIM_KERNEL(name)                            \
  static tir_status name##_prepare(tir_exec_prepare *q) { \
    const tir_exec_level_optim *const level =             \
        TIR_AT_LEVEL(tir_exec_optim, q->cpu_level);       \
    return prepare_step(q, level->name[q->in[0].dtype]);  \
  }                                                       \
  const tir_exec_kernel_desc tir_kernel_##name = {.prepare = name##_prepare};

TIR_OPTIM_KERNEL(sgd)
TIR_OPTIM_KERNEL(momentum)
TIR_OPTIM_KERNEL(adam)
TIR_OPTIM_KERNEL(nesterov)
TIR_OPTIM_KERNEL(adamw)
TIR_OPTIM_KERNEL(rmsprop)
TIR_OPTIM_KERNEL(adagrad)
TIR_OPTIM_KERNEL(adadelta)
TIR_OPTIM_KERNEL(lion)
