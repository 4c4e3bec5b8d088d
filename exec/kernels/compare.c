// Comparisons and where: results of bool, or the bytes of the chosen operand.
// f16 and bf16 have no comparing loops: they are stored and cast alone.
#include "exec/kernels/levels.h"

#define TIR_COMPARE_KERNEL(name)                                            \
  static tir_status name##_prepare(tir_exec_prepare *q) {                   \
    const tir_exec_level_compare *const level =                             \
        TIR_AT_LEVEL(tir_exec_compare, q->cpu_level);                       \
    return tir_exec_prepare_elementwise(q, 2, level->name[q->in[0].dtype]); \
  }                                                                         \
  const tir_exec_kernel_desc tir_kernel_##name = {.prepare = name##_prepare};

TIR_COMPARE_KERNEL(equal)
TIR_COMPARE_KERNEL(not_equal)
TIR_COMPARE_KERNEL(less)
TIR_COMPARE_KERNEL(less_equal)
TIR_COMPARE_KERNEL(greater)
TIR_COMPARE_KERNEL(greater_equal)

static tir_status where_prepare(tir_exec_prepare *q) {
  const tir_exec_level_compare *const level =
      TIR_AT_LEVEL(tir_exec_compare, q->cpu_level);
  // Elements are moved unchanged, so a loop per element size serves all dtypes.
  const size_t size = tir_dtype_size(q->out[0].dtype);
  const int log2_size = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
  return tir_exec_prepare_elementwise(q, 3, level->where[log2_size]);
}

const tir_exec_kernel_desc tir_kernel_where = {.prepare = where_prepare};
