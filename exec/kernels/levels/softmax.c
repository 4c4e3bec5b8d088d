// Loops of softmax, log_softmax, logsumexp and cross_entropy.
//
// f32 rows are summed in f32: with the largest element subtracted first,
// exponentials lie in 0 … 1, and no sum of them overflows.
#include "exec/kernels/softmax.h"

#include "exec/kernels/levels/exps.h"

#define T float
#define NAME(x) f32_##x
#define EXPS exp_f32
#define EXP(x) tir_exp_f32(x)
#define LOG(x) tir_log_f32(x)
#include "exec/kernels/levels/softmax_template.h"

#define T double
#define NAME(x) f64_##x
#define EXPS exp_f64
#define EXP(x) exp(x)
#define LOG(x) log(x)
#include "exec/kernels/levels/softmax_template.h"

#define TIR_ENTRIES(name) \
  { [TIR_DTYPE_F32] = f32_##name, [TIR_DTYPE_F64] = f64_##name }

const tir_exec_level_softmax TIR_LEVEL(tir_exec_softmax) = {
    .softmax = TIR_ENTRIES(softmax),
    .log_softmax = TIR_ENTRIES(log_softmax),
    .logsumexp = TIR_ENTRIES(logsumexp),
    .cross_entropy = TIR_ENTRIES(cross_entropy),
};
