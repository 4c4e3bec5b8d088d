// sgd: w - lr * g.
//
// The one step without state: its only list is that of the variables.

#include "ir/optim/update.h"
#include "tapeir/optim.h"

// w and g of one type, lr a scalar of its dtype.
static tir_status sgd_infer(const tir_ir_infer_query *q) {
  return tir_ir_infer_update(q, 2, 1);
}

const tir_op_desc tir_op_sgd = {
    .name = "sgd",
    .family = "optim",
    .summary = "A step of gradient descent.",
    .operands = "w, g, lr",
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .traits = TIR_TRAIT_ELEMENTWISE | TIR_TRAIT_IN_PLACE | TIR_TRAIT_WHOLE,
    .infer = sgd_infer,
    .no_gradient = TIR_NO_GRADIENT_OF_STEP,
};

// The rate is a value, so a schedule changes it without a new program.
void tir_sgd(tir_tape *tape, const tir_value *w, size_t n, tir_value lr,
             bool keep_grad) {
  const tir_ir_update update = {
      .tape = tape,
      .name = "sgd",
      .op = TIR_OP_SGD,
      .n = n,
      .lists = {w},
      .list_names = {"w"},
      .n_lists = 1,
      .scalars = &lr,
      .n_scalars = 1,
      .keep_grad = keep_grad,
  };
  tir_ir_update_all(&update);
}
