// Elementwise kernels with one operand: the loops of levels/unary.c, bound by
// the driver in elementwise.c.
//
// Costs decide how finely a step is cut, and nothing else: 1 is an addition, 2
// a square root or division, 8 and 16 are exponentials and what takes more.
#include "exec/kernels/levels.h"

#define TIR_UNARY_KERNEL(name) TIR_COSTLY_UNARY_KERNEL(name, 1)
// `units` is the cost of an element beside that of an addition.
#define TIR_COSTLY_UNARY_KERNEL(name, units)                                \
  static tir_status name##_prepare(tir_exec_prepare *q) {                   \
    const tir_exec_level_unary *const level =                               \
        TIR_AT_LEVEL(tir_exec_unary, q->cpu_level);                         \
    q->cost = units;                                                        \
    return tir_exec_prepare_elementwise(q, 1, level->name[q->in[0].dtype]); \
  }                                                                         \
  const tir_exec_kernel_desc tir_kernel_##name = {.prepare = name##_prepare};

TIR_UNARY_KERNEL(neg)
TIR_UNARY_KERNEL(abs)
TIR_UNARY_KERNEL(square)
TIR_COSTLY_UNARY_KERNEL(sqrt, 2)
TIR_COSTLY_UNARY_KERNEL(exp, 8)
TIR_COSTLY_UNARY_KERNEL(log, 8)
TIR_COSTLY_UNARY_KERNEL(tanh, 8)
TIR_COSTLY_UNARY_KERNEL(sigmoid, 8)
TIR_UNARY_KERNEL(relu)
TIR_COSTLY_UNARY_KERNEL(rsqrt, 2)
TIR_COSTLY_UNARY_KERNEL(expm1, 16)
TIR_COSTLY_UNARY_KERNEL(log1p, 16)
TIR_COSTLY_UNARY_KERNEL(erf, 16)
TIR_COSTLY_UNARY_KERNEL(sin, 16)
TIR_COSTLY_UNARY_KERNEL(cos, 16)
TIR_COSTLY_UNARY_KERNEL(softplus, 16)
TIR_COSTLY_UNARY_KERNEL(silu, 8)
TIR_COSTLY_UNARY_KERNEL(gelu, 16)
TIR_COSTLY_UNARY_KERNEL(gelu_tanh, 16)
