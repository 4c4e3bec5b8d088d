// Loops of the optimiser steps, for f32 and f64. Formulas are in the templates.
//
// f32 steps compute in f32: what is stored is rounded to it anyway.
#include "exec/kernels/optim.h"

#include <math.h>
#include <string.h>

#include "exec/kernels/levels.h"

// Elements on the stack at a time: three blocks of doubles are 6 KiB.
enum { BLOCK = 256 };

#define T float
#define NAME(x) f32_##x
// Correctly rounded, at every level.
#define SQRT(x) __builtin_sqrtf(x)
#include "exec/kernels/levels/optim_template.h"
#include "exec/kernels/levels/optim_template_scaled.h"
#undef T
#undef NAME
#undef SQRT

#define T double
#define NAME(x) f64_##x
#define SQRT(x) __builtin_sqrt(x)
#include "exec/kernels/levels/optim_template.h"
#include "exec/kernels/levels/optim_template_scaled.h"
#undef T
#undef NAME
#undef SQRT

#define TIR_ENTRIES(name) \
  { [TIR_DTYPE_F32] = f32_##name, [TIR_DTYPE_F64] = f64_##name }

const tir_exec_level_optim TIR_LEVEL(tir_exec_optim) = {
    .sgd = TIR_ENTRIES(sgd),
    .momentum = TIR_ENTRIES(momentum),
    .adam = TIR_ENTRIES(adam),
    .nesterov = TIR_ENTRIES(nesterov),
    .adamw = TIR_ENTRIES(adamw),
    .rmsprop = TIR_ENTRIES(rmsprop),
    .adagrad = TIR_ENTRIES(adagrad),
    .adadelta = TIR_ENTRIES(adadelta),
    .lion = TIR_ENTRIES(lion),
};
