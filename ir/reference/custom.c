// Reference: custom ops. There is but one definition of such an op, the
// user's: the same functions are called as by the kernel, on memory of their
// own. What is checked here is all around them.

#include "ir/custom.h"

#include <stdint.h>

#include "ir/reference/reference.h"

// The callback's own words become the message.
static tir_status eval_with(const tir_reference_call *call,
                            const tir_ir_custom_call *custom, void *scratch,
                            size_t scratch_bytes) {
  char text[TIR_CUSTOM_TEXT_MAX];
  const tir_status status = tir_ir_custom_run(
      custom, call->in_data, call->out_data, scratch, scratch_bytes, text);
  if (status == TIR_OK) return TIR_OK;
  return tir_base_fail(call->error, status, "%s: %s", call->desc->name, text);
}

tir_status tir_reference_custom(const tir_reference_call *call) {
  const tir_attrs_custom *attrs = call->attrs;
  const tir_custom_op *op = tir_ir_custom_of(call->context, attrs);
  char text[TIR_CUSTOM_TEXT_MAX];
  if (!op) {
    tir_ir_custom_missing(call->context, attrs->op.text, attrs->version, text);
    return tir_base_fail(call->error, TIR_ERR_UNSUPPORTED, "%s: %s",
                         call->desc->name, text);
  }
  tir_ir_custom_call custom;
  tir_ir_custom_take_apart(op, attrs, call->in, call->out, &custom);
  const size_t bytes = tir_ir_custom_scratch(&custom);
  // A number from the user: refused before it reaches an allocator.
  if (bytes > PTRDIFF_MAX)
    return tir_base_fail(call->error, TIR_ERR_LIMIT,
                         "%s: %s: scratch of %zu bytes", call->desc->name,
                         op->name, bytes);
  void *scratch = tir_base_alloc(call->context, bytes, 64);
  if (!scratch) return tir_base_fail_memory(call->error, bytes);
  const tir_status status = eval_with(call, &custom, scratch, bytes);
  tir_base_free(call->context, scratch, bytes, 64);
  return status;
}

tir_status tir_reference_custom_pure(const tir_reference_call *call) {
  return tir_reference_custom(call);
}
