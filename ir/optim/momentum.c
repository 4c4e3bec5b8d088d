// momentum: v' = mu * v + g, w' = w - lr * v'.
// nesterov: the same v', w' = w - lr * (g + mu * v').
//
// v starts at 0 and is a sum of gradients in which older ones fade by mu at
// each step. Nesterov's form takes the gradient as if the next step of v had
// been made already.

#include "ir/optim/update.h"
#include "tapeir/optim.h"

// Three tensors of one type, then lr and mu as scalars of its dtype.
static tir_status momentum_infer(const tir_ir_infer_query *q) {
  return tir_ir_infer_update(q, 3, 2);
}

const tir_op_desc tir_op_momentum = {
    .name = "momentum",
    .family = "optim",
    .summary = "A step of gradient descent with momentum.",
    .operands = "w, v, g, lr, mu",
    .min_inputs = 5,
    .max_inputs = 5,
    .n_outputs = 2,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_WHOLE,
    .infer = momentum_infer,
    .no_gradient = TIR_NO_GRADIENT_OF_STEP,
};

void tir_momentum(tir_tape *tape, const tir_value *w, const tir_value *v,
                  size_t n, tir_value lr, tir_value mu, bool keep_grad) {
  const tir_value scalars[] = {lr, mu};
  tir_ir_update_with_state(tape, TIR_OP_MOMENTUM, w, v, "v", n, scalars, 2,
                           keep_grad);
}

// Operands and state are those of momentum; only the step of w differs.
const tir_op_desc tir_op_nesterov = {
    .name = "nesterov",
    .family = "optim",
    .summary = "A step of gradient descent with momentum, looking ahead.",
    .operands = "w, v, g, lr, mu",
    .min_inputs = 5,
    .max_inputs = 5,
    .n_outputs = 2,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_WHOLE,
    .infer = momentum_infer,
    .no_gradient = TIR_NO_GRADIENT_OF_STEP,
};

void tir_nesterov(tir_tape *tape, const tir_value *w, const tir_value *v,
                  size_t n, tir_value lr, tir_value mu, bool keep_grad) {
  const tir_value scalars[] = {lr, mu};
  tir_ir_update_with_state(tape, TIR_OP_NESTEROV, w, v, "v", n, scalars, 2,
                           keep_grad);
}
