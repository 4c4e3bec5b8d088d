// Kernels by op.
#include "exec/kernel.h"

static const tir_exec_kernel_desc *const kernels[TIR_N_OPS] = {
#define TIR_OP(ID, name) [TIR_OP_##ID] = &tir_kernel_##name,
#include "ir/ops.def"
#undef TIR_OP
};

const tir_exec_kernel_desc *tir_exec_kernel(tir_op op) { return kernels[op]; }
