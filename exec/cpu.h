// CPU levels as the executor sees them.
#ifndef TAPEIR_EXEC_CPU_H
#define TAPEIR_EXEC_CPU_H

#include "ir/base/context.h"

// Best level this machine and this build can run: one of TIR_CPU_*.
int tir_exec_cpu_best(void);
// `level` brought into the range TIR_CPU_BASELINE … tir_exec_cpu_best().
int tir_exec_cpu_clamp(int level);
// "baseline", "avx2", "avx512".
const char *tir_exec_cpu_name(int level);

#endif
