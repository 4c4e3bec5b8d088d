// adam, adamw: first and second moments of the gradient, corrected for their
// start at zero. The step number is state, counted once per call. adamw
// shrinks the weights by themselves, not through the gradient.
//
// With step number t, from 1:
//   m' = beta1 · m + (1 − beta1) · g, v' = beta2 · v + (1 − beta2) · g²
//   w' = w − lr · (m' / (1 − beta1^t)) / (sqrt(v' / (1 − beta2^t)) + epsilon)
// adamw takes lr · decay · w away as well. The step number is an operand, so
// that no run compiles anything anew.

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"
#include "ir/optim/update.h"
#include "tapeir/optim.h"

// Four tensors, four scalars of their dtype, and the count.
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
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_WHOLE,
    .infer = adam_infer,
    .no_gradient = TIR_NO_GRADIENT_OF_STEP,
};

void tir_adam(tir_tape *tape, const tir_value *w, const tir_value *m,
              const tir_value *v, size_t n, tir_adam_values values,
              bool keep_grad) {
  // An all-zero handle would mean "no counter" below.
  if (!tir_ir_usable(tape, values.step, "adam", "step")) return;
  const tir_value scalars[] = {values.lr, values.beta1, values.beta2,
                               values.epsilon};
  const tir_ir_update update = {
      .tape = tape,
      .name = "adam",
      .op = TIR_OP_ADAM,
      .n = n,
      .lists = {w, m, v},
      .list_names = {"w", "m", "v"},
      .n_lists = 3,
      .scalars = scalars,
      .n_scalars = 4,
      .counter = values.step,
      .keep_grad = keep_grad,
  };
  tir_ir_update_all(&update);
}

// One scalar more: the decay.
static tir_status adamw_infer(const tir_ir_infer_query *q) {
  TIR_TRY(tir_ir_infer_update(q, 4, 5));
  return tir_ir_check_scalar(q, 9, TIR_DTYPE_I64);
}

const tir_op_desc tir_op_adamw = {
    .name = "adamw",
    .family = "optim",
    .summary = "A step of Adam with decoupled weight decay.",
    .operands = "w, m, v, g, lr, beta1, beta2, epsilon, decay, step",
    .min_inputs = 10,
    .max_inputs = 10,
    .n_outputs = 3,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_WHOLE,
    .infer = adamw_infer,
    .no_gradient = TIR_NO_GRADIENT_OF_STEP,
};

void tir_adamw(tir_tape *tape, const tir_value *w, const tir_value *m,
               const tir_value *v, size_t n, tir_adamw_values values,
               bool keep_grad) {
  if (!tir_ir_usable(tape, values.step, "adamw", "step")) return;
  const tir_value scalars[] = {values.lr, values.beta1, values.beta2,
                               values.epsilon, values.decay};
  const tir_ir_update update = {
      .tape = tape,
      .name = "adamw",
      .op = TIR_OP_ADAMW,
      .n = n,
      .lists = {w, m, v},
      .list_names = {"w", "m", "v"},
      .n_lists = 3,
      .scalars = scalars,
      .n_scalars = 5,
      .counter = values.step,
      .keep_grad = keep_grad,
  };
  tir_ir_update_all(&update);
}
