// Reference: one call by op id.
//
// The table comes from ops.def: an op without a function is a link error that
// names it.

#include "ir/reference/reference.h"

static const tir_reference_fn functions[TIR_N_OPS] = {
#define TIR_OP(ID, name) [TIR_OP_##ID] = tir_reference_##name,
#include "ir/ops.def"
#undef TIR_OP
};

tir_status tir_reference_eval(tir_op op, const tir_reference_call *call) {
  if (op <= TIR_OP_NONE || op >= TIR_N_OPS)
    return tir_base_fail(call->error, TIR_ERR_ARGUMENT,
                         "op number %d is not in the roster", (int)op);
  return functions[op](call);
}
