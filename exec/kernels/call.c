// Small things every kernel file needs: parameter blocks, the cut of work into
// units, faults, and copies.
//
// All but the fault and the copy run when a program is compiled. The cut is a
// function of sizes alone, so that the same program is cut alike everywhere.
#include "exec/kernels/call.h"

#include <stdio.h>
#include <string.h>

// In the arena of the program: blocks have no end of their own. 16 is enough
// for every type a block holds.
void *tir_exec_kernel_params(tir_exec_prepare *q, size_t size) {
  void *const params = tir_base_arena_alloc(q->arena, size, 16);
  if (!params) {
    tir_base_fail_memory(q->error, size);
    return NULL;
  }
  return memset(params, 0, size);
}

// About ten microseconds of the cheapest work: handing a unit over costs half
// of one. Twice as much work is needed before anything is cut.
static const double usual_grain = 32768;
// Of a step: far below what its 32-bit count holds.
enum { MAX_UNITS = 1 << 20 };

int64_t tir_exec_cut(tir_exec_prepare *q, int64_t n, double cost) {
  // Beyond the test below, grain / cost is at most n / 2: the conversion fits.
  const double grain = q->grain > 0 ? q->grain : usual_grain;
  q->split.n_units = 1;
  if (n < 2 || (double)n * cost < 2 * grain) return n;
  int64_t per_unit = cost < grain ? (int64_t)(grain / cost) : 1;
  // Long runs in whole cache lines.
  if (per_unit > 64) per_unit = per_unit / 64 * 64;
  if (per_unit < n / MAX_UNITS + 1) per_unit = n / MAX_UNITS + 1;
  q->split.n_units = (uint32_t)((n + per_unit - 1) / per_unit);
  return per_unit;
}

// Names the dtype the op computes in: that of its first operand, or of the
// result where it has none.
tir_status tir_exec_kernel_missing(const tir_exec_prepare *q) {
  const tir_dtype dtype = q->n_in > 0 ? q->in[0].dtype : q->out[0].dtype;
  return tir_base_fail(q->error, TIR_ERR_UNSUPPORTED, "%s: no kernel for %s",
                       q->desc->name, tir_dtype_name(dtype));
}

// Chosen at compile instead of a test for emptiness in each kernel.
tir_status tir_exec_kernel_nothing(const tir_exec_call *call) {
  (void)call;
  return TIR_OK;
}

tir_status tir_exec_kernel_fault(const tir_exec_call *call, const char *format,
                                 ...) {
  va_list args;
  va_start(args, format);
  // Cut if it is too long; the text needs no heap.
  vsnprintf(call->fault->message, sizeof call->fault->message, format, args);
  va_end(args);
  return TIR_ERR_VALUE;
}

void tir_exec_copy_bytes(void *to, const void *from, size_t size) {
  // memcpy may be given neither NULL nor one place as both operands.
  if (size > 0 && to != from) memcpy(to, from, size);
}

void tir_exec_split_axis(const tir_ir_type *type, int axis, int64_t *out_outer,
                         int64_t *out_inner) {
  *out_outer = 1;
  *out_inner = 1;
  for (int i = 0; i < axis; i++) *out_outer *= type->dims[i];
  for (int i = axis + 1; i < type->rank; i++) *out_inner *= type->dims[i];
}
