// Small things every kernel file needs.
#include "exec/kernels/call.h"

#include <stdio.h>
#include <string.h>

void *tir_exec_kernel_params(tir_exec_prepare *q, size_t size) {
  void *const params = tir_base_arena_alloc(q->arena, size, 16);
  if (!params) {
    tir_base_fail_memory(q->error, size);
    return NULL;
  }
  return memset(params, 0, size);
}

tir_status tir_exec_kernel_missing(const tir_exec_prepare *q) {
  const tir_dtype dtype = q->n_in > 0 ? q->in[0].dtype : q->out[0].dtype;
  return tir_base_fail(q->error, TIR_ERR_UNSUPPORTED, "%s: no kernel for %s",
                       q->desc->name, tir_dtype_name(dtype));
}

tir_status tir_exec_kernel_nothing(const tir_exec_call *call) {
  (void)call;
  return TIR_OK;
}

tir_status tir_exec_kernel_fault(const tir_exec_call *call, const char *format,
                                 ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(call->fault->message, sizeof call->fault->message, format, args);
  va_end(args);
  return TIR_ERR_VALUE;
}

void tir_exec_copy_bytes(void *to, const void *from, size_t size) {
  if (size > 0 && to != from) memcpy(to, from, size);
}

void tir_exec_split_axis(const tir_ir_type *type, int axis, int64_t *out_outer,
                         int64_t *out_inner) {
  *out_outer = 1;
  *out_inner = 1;
  for (int i = 0; i < axis; i++) *out_outer *= type->dims[i];
  for (int i = axis + 1; i < type->rank; i++) *out_inner *= type->dims[i];
}
