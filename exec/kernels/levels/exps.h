// Loops of the exponential: the op's own, and what softmax and attention call.
#ifndef TAPEIR_EXEC_KERNELS_LEVELS_EXPS_H
#define TAPEIR_EXEC_KERNELS_LEVELS_EXPS_H

#include "exec/kernels/levels/loops.h"
#include "exec/kernels/levels/math.h"

TIR_LOOP_PIECES_F32(exp_f32, tir_exp_f32(x))
TIR_LOOP_1(exp_f64, double, double, exp(x))

#endif
