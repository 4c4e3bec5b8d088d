// Small things every kernel file needs.
#ifndef TAPEIR_EXEC_KERNELS_CALL_H
#define TAPEIR_EXEC_KERNELS_CALL_H

#include "exec/kernel.h"

// Loop whose iterations do not depend on each other. Operands may alias
// outputs exactly (same address, same type), never partly, so there is no
// dependence across iterations even in place; `restrict` would be a lie.
#if defined(__clang__)
// A loop it cannot vectorise, say one that calls libm, is no mistake.
#pragma clang diagnostic ignored "-Wpass-failed"
#define TIR_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define TIR_IVDEP _Pragma("GCC ivdep")
#endif

static inline int64_t tir_exec_least(int64_t a, int64_t b) {
  return a < b ? a : b;
}
// a / b rounded up, of counts.
static inline int64_t tir_exec_divide_up(int64_t a, int64_t b) {
  return a / b + (a % b != 0);
}

// Pointer of operand i, or of output i − n_in; NULL if unused.
static inline void *tir_exec_arg(const tir_exec_call *call, size_t i) {
  return call->ptr[call->arg[i]];
}

// Cutting a kernel's work: n pieces, each about as long as `cost` cheap element
// operations. Sets q->split.n_units and returns the pieces of a unit; a step
// that is not worth handing out stays whole (all n pieces are one unit).
int64_t tir_exec_cut(tir_exec_prepare *q, int64_t n, double cost);

// Pieces first … end − 1 that a call is to compute.
typedef struct tir_exec_span {
  int64_t first, end;
} tir_exec_span;

static inline tir_exec_span tir_exec_span_of(const tir_exec_call *call,
                                             int64_t n, int64_t per_unit) {
  if (call->end == 0) return (tir_exec_span){0, n};  // not cut
  const int64_t end = call->end * per_unit;
  return (tir_exec_span){call->first * per_unit, end < n ? end : n};
}

// Elements between two questions (tir_exec_ask) of a kernel that is one chain:
// a millisecond of the dearest ones.
enum { TIR_EXEC_ASK_AFTER = 1 << 17 };

// Zeroed parameter block of the program; NULL when memory ran out (the error
// is filled in).
void *tir_exec_kernel_params(tir_exec_prepare *q, size_t size);
// For an op and dtype no kernel is written for.
tir_status tir_exec_kernel_missing(const tir_exec_prepare *q);
// Kernel of a step without elements to compute.
tir_status tir_exec_kernel_nothing(const tir_exec_call *call);
// Fills call->fault and returns TIR_ERR_VALUE.
tir_status tir_exec_kernel_fault(const tir_exec_call *call, const char *format,
                                 ...) TIR_PRINTF(2, 3);
// memcpy that allows size 0 with any pointers, and copies onto itself.
void tir_exec_copy_bytes(void *to, const void *from, size_t size);
// Rows before and after `axis`: [outer, dims[axis], inner].
void tir_exec_split_axis(const tir_ir_type *type, int axis, int64_t *out_outer,
                         int64_t *out_inner);

#endif
