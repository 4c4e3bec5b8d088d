// lion: w' = w - lr * (sign(beta1 * m + (1 - beta1) * g) + decay * w),
// m' = beta2 * m + (1 - beta2) * g.
//
// But for the decay each element moves by lr, whatever the size of its
// gradient; only the sign counts.

#include "ir/optim/update.h"
#include "tapeir/optim.h"

// w, m and g of one type, then the four scalars.
static tir_status lion_infer(const tir_ir_infer_query *q) {
  return tir_ir_infer_update(q, 3, 4);
}

const tir_op_desc tir_op_lion = {
    .name = "lion",
    .family = "optim",
    .summary = "A step of Lion: the sign of an interpolated momentum.",
    .operands = "w, m, g, lr, beta1, beta2, decay",
    .min_inputs = 7,
    .max_inputs = 7,
    .n_outputs = 2,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_WHOLE,
    .infer = lion_infer,
    .no_gradient = TIR_NO_GRADIENT_OF_STEP,
};

// m is the one state, half of what Adam keeps.
void tir_lion(tir_tape *tape, const tir_value *w, const tir_value *m, size_t n,
              tir_lion_values values, bool keep_grad) {
  const tir_value scalars[] = {values.lr, values.beta1, values.beta2,
                               values.decay};
  tir_ir_update_with_state(tape, TIR_OP_LION, w, m, "m", n, scalars, 4,
                           keep_grad);
}
