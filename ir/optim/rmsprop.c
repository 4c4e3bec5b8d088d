// rmsprop: v' = alpha * v + (1 - alpha) * g²,
// w' = w - lr * g / (sqrt(v') + epsilon).
//
// v is a running mean of squares, so that steps do not shrink for ever as in
// adagrad.

#include "ir/optim/update.h"
#include "tapeir/optim.h"

// w, v and g of one type, then the three scalars.
static tir_status rmsprop_infer(const tir_ir_infer_query *q) {
  return tir_ir_infer_update(q, 3, 3);
}

const tir_op_desc tir_op_rmsprop = {
    .name = "rmsprop",
    .family = "optim",
    .summary = "A step of RMSprop.",
    .operands = "w, v, g, lr, alpha, epsilon",
    .min_inputs = 6,
    .max_inputs = 6,
    .n_outputs = 2,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_WHOLE,
    .infer = rmsprop_infer,
    .no_gradient = TIR_NO_GRADIENT_OF_STEP,
};

void tir_rmsprop(tir_tape *tape, const tir_value *w, const tir_value *v,
                 size_t n, tir_value lr, tir_value alpha, tir_value epsilon,
                 bool keep_grad) {
  const tir_value scalars[] = {lr, alpha, epsilon};
  tir_ir_update_with_state(tape, TIR_OP_RMSPROP, w, v, "v", n, scalars, 3,
                           keep_grad);
}
