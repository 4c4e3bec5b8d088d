// adam: first and second moments of the gradient, corrected for their start
// at zero. The step number is state, counted once per call.

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"
#include "ir/optim/update.h"
#include "tapeir/optim.h"

static tir_status adam_infer(const tir_ir_infer_query *q) {
  TIR_TRY(tir_ir_infer_update(q, 4, 4));
  return tir_ir_check_scalar(q, 8, TIR_DTYPE_I64);
}

const tir_op_desc tir_op_adam = {
    .name = "adam",
    .family = "optim",
    .summary = "A step of Adam; the step number counts from 1.",
    .operands = "w, m, v, g, lr, beta1, beta2, epsilon, step",
    .min_inputs = 9,
    .max_inputs = 9,
    .n_outputs = 3,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE,
    .infer = adam_infer,
    .no_gradient = TIR_NO_GRADIENT_OF_STEP,
};

void tir_adam(tir_tape *tape, const tir_value *w, const tir_value *m,
              const tir_value *v, size_t n, tir_adam_values values,
              bool keep_grad) {
  if (!tir_ir_usable(tape, values.step, "adam", "step") || !tir_ir_ready(tape))
    return;
  const tir_value next = tir_add_scalar(tape, values.step, 1);
  const tir_value scalars[] = {values.lr, values.beta1, values.beta2,
                               values.epsilon, next};
  const tir_ir_update update = {
      .tape = tape,
      .name = "adam",
      .op = TIR_OP_ADAM,
      .n = n,
      .lists = {w, m, v},
      .list_names = {"w", "m", "v"},
      .n_lists = 3,
      .scalars = scalars,
      .n_scalars = 5,
      .counter = values.step,
      .counted = next,
      .keep_grad = keep_grad,
  };
  tir_ir_update_all(&update);
}
