// adadelta: v' = rho * v + (1 - rho) * g²,
// d = g * sqrt(u + epsilon) / sqrt(v' + epsilon),
// u' = rho * u + (1 - rho) * d², w' = w - lr * d.
//
// v holds the mean square of gradients, u that of steps; both start at 0, where
// epsilon under the roots lets the first step begin.

#include "ir/optim/update.h"
#include "tapeir/optim.h"

// w, v, u and g of one type, then the three scalars.
static tir_status adadelta_infer(const tir_ir_infer_query *q) {
  return tir_ir_infer_update(q, 4, 3);
}

const tir_op_desc tir_op_adadelta = {
    .name = "adadelta",
    .family = "optim",
    .summary = "A step of Adadelta.",
    .operands = "w, v, u, g, lr, rho, epsilon",
    .min_inputs = 7,
    .max_inputs = 7,
    .n_outputs = 3,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_WHOLE,
    .infer = adadelta_infer,
    .no_gradient = TIR_NO_GRADIENT_OF_STEP,
};

void tir_adadelta(tir_tape *tape, const tir_value *w, const tir_value *v,
                  const tir_value *u, size_t n, tir_value lr, tir_value rho,
                  tir_value epsilon, bool keep_grad) {
  const tir_value scalars[] = {lr, rho, epsilon};
  const tir_ir_update update = {
      .tape = tape,
      .name = "adadelta",
      .op = TIR_OP_ADADELTA,
      .n = n,
      .lists = {w, v, u},
      .list_names = {"w", "v", "u"},
      .n_lists = 3,
      .scalars = scalars,
      .n_scalars = 3,
      .keep_grad = keep_grad,
  };
  tir_ir_update_all(&update);
}
