// Loops of attention: the template for f32 and f64, with the exponential that
// softmax uses too.
//
// Products are those of levels/gemm.c, reached by a pointer in the parameter
// block: of the same level, chosen once.
#include <math.h>

#include "exec/kernels/levels.h"
#include "exec/kernels/levels/exps.h"

// A millisecond or so: a row may be long, and goes over its positions in order.
#define MANY_MULTIPLICATIONS 4e6

#define T float
#define NAME(x) f32_##x
#define EXPS exp_f32
#define EXP(x) tir_exp_f32(x)
#include "exec/kernels/levels/attention_template.h"

#define T double
#define NAME(x) f64_##x
#define EXPS exp_f64
#define EXP(x) exp(x)
#include "exec/kernels/levels/attention_template.h"

const tir_exec_level_attention TIR_LEVEL(tir_exec_attention) = {
    .attention =
        {[TIR_DTYPE_F32] = f32_attention, [TIR_DTYPE_F64] = f64_attention},
};
