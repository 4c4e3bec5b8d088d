// Elementwise kernels with one operand.
#include "exec/kernels/levels.h"

#define TIR_UNARY_KERNEL(name)                                              \
  static tir_status name##_prepare(tir_exec_prepare *q) {                   \
    const tir_exec_level_unary *const level =                               \
        TIR_AT_LEVEL(tir_exec_unary, q->cpu_level);                         \
    return tir_exec_prepare_elementwise(q, 1, level->name[q->in[0].dtype]); \
  }                                                                         \
  const tir_exec_kernel_desc tir_kernel_##name = {.prepare = name##_prepare};

TIR_UNARY_KERNEL(neg)
TIR_UNARY_KERNEL(abs)
TIR_UNARY_KERNEL(square)
TIR_UNARY_KERNEL(sqrt)
TIR_UNARY_KERNEL(exp)
TIR_UNARY_KERNEL(log)
TIR_UNARY_KERNEL(tanh)
TIR_UNARY_KERNEL(sigmoid)
TIR_UNARY_KERNEL(relu)
TIR_UNARY_KERNEL(rsqrt)
TIR_UNARY_KERNEL(expm1)
TIR_UNARY_KERNEL(log1p)
TIR_UNARY_KERNEL(erf)
TIR_UNARY_KERNEL(sin)
TIR_UNARY_KERNEL(cos)
TIR_UNARY_KERNEL(softplus)
TIR_UNARY_KERNEL(silu)
TIR_UNARY_KERNEL(gelu)
TIR_UNARY_KERNEL(gelu_tanh)
