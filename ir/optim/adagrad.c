// adagrad: v' = v + g², w' = w - lr * g / (sqrt(v') + epsilon).
//
// v only grows, so steps shrink with every gradient met; element by element.

#include "ir/optim/update.h"
#include "tapeir/optim.h"

// w, v and g of one type, then the two scalars.
static tir_status adagrad_infer(const tir_ir_infer_query *q) {
  return tir_ir_infer_update(q, 3, 2);
}

const tir_op_desc tir_op_adagrad = {
    .name = "adagrad",
    .family = "optim",
    .summary = "A step of Adagrad.",
    .operands = "w, v, g, lr, epsilon",
    .min_inputs = 5,
    .max_inputs = 5,
    .n_outputs = 2,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_WHOLE,
    .infer = adagrad_infer,
    .no_gradient = TIR_NO_GRADIENT_OF_STEP,
};

// The state v stands beside w, one for each variable, and is replaced with it.
void tir_adagrad(tir_tape *tape, const tir_value *w, const tir_value *v,
                 size_t n, tir_value lr, tir_value epsilon, bool keep_grad) {
  const tir_value scalars[] = {lr, epsilon};
  tir_ir_update_with_state(tape, TIR_OP_ADAGRAD, w, v, "v", n, scalars, 2,
                           keep_grad);
}
