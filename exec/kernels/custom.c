// Custom ops: the registered function with a table of pointers.
//
// Scratch holds, after what the op asked for, the results that nobody reads:
// the function need not know which those are. What the function does is not
// checked: it is trusted like any other code of the program.
#include "ir/custom.h"

#include "exec/float_control.h"
#include "exec/kernels/call.h"
#include "ir/base/checked.h"

// A node of a gradient takes operands, results and gradients of results.
enum { MAX_OPERANDS = 3 * TIR_CUSTOM_MAX_VALUES };

typedef struct custom_params {
  tir_ir_custom_call call;
  size_t n_in, n_out;                    // of the node
  size_t scratch_bytes;                  // what the op asked for
  size_t unread[TIR_CUSTOM_MAX_VALUES];  // where in scratch a result goes
} custom_params;

static tir_status custom_run(const tir_exec_call *call) {
  const custom_params *const p = call->params;
  const void *in[MAX_OPERANDS];
  void *out[TIR_CUSTOM_MAX_VALUES];
  char *const scratch = call->scratch;
  for (size_t i = 0; i < p->n_in; i++) {
    in[i] = tir_exec_arg(call, i);
    if (!in[i]) in[i] = scratch;  // no elements
  }
  for (size_t i = 0; i < p->n_out; i++) {
    out[i] = tir_exec_arg(call, p->n_in + i);
    // Not read, or without elements: it gets an address all the same.
    if (!out[i]) out[i] = scratch + p->unread[i];
  }
  char text[TIR_CUSTOM_TEXT_MAX];
  const tir_status status =
      tir_ir_custom_run(&p->call, in, out, scratch, p->scratch_bytes, text);
  // Whatever rounding mode the function left behind ends here.
  (void)tir_exec_float_enter();
  if (status == TIR_OK) return TIR_OK;
  (void)tir_exec_kernel_fault(call, "%s", text);
  return status;
}

// Room for results that are not read, one after the other.
static bool place_unread(const tir_exec_prepare *q, custom_params *p,
                         size_t *total) {
  // Aligned as results elsewhere are. One that is read takes no room.
  for (size_t i = 0; i < q->n_out; i++) {
    size_t size = 0;
    if (!tir_base_size_align(*total, 64, total)) return false;
    p->unread[i] = *total;
    if (q->out_used[i]) continue;
    size = tir_ir_type_bytes(&q->out[i]);
    if (!tir_base_size_add(*total, size, total)) return false;
  }
  return true;
}

static tir_status custom_prepare(tir_exec_prepare *q) {
  const tir_attrs_custom *attrs = q->attrs;
  const tir_custom_op *op = tir_ir_custom_of(q->context, attrs);
  char text[TIR_CUSTOM_TEXT_MAX];
  // Not registered with the graph's context, or in another version.
  if (!op) {
    tir_ir_custom_missing(q->context, attrs->op.text, attrs->version, text);
    return tir_base_fail(q->error, TIR_ERR_UNSUPPORTED, "%s: %s", q->desc->name,
                         text);
  }
  custom_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  tir_ir_custom_take_apart(op, attrs, q->in, q->out, &p->call);
  p->n_in = q->n_in;
  p->n_out = q->n_out;
  p->scratch_bytes = tir_ir_custom_scratch(&p->call);
  size_t total = p->scratch_bytes;
  // Some scratch in any case: the address of tensors without elements.
  if (!place_unread(q, p, &total) || !tir_base_size_add(total, 64, &total) ||
      total > PTRDIFF_MAX)
    return tir_base_fail(q->error, TIR_ERR_LIMIT,
                         "%s: %s: scratch of %zu bytes", q->desc->name,
                         op->name, p->scratch_bytes);
  q->run = custom_run;
  q->params = p;
  q->scratch_bytes = total;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_custom = {.prepare = custom_prepare};
const tir_exec_kernel_desc tir_kernel_custom_pure = {.prepare = custom_prepare};
