// lamb: Adam's direction with weight decay, its length set for each variable
// by the norms of the variable and of the direction.
//
// Built from ordinary ops: the ratio needs all of the direction before the
// first weight can move, so one fused pass cannot be had. The direction is a
// step of Adam from zero at rate -1, so it is written down only once.

#include "ir/ops/rules.h"
#include "ir/optim/update.h"
#include "tapeir/optim.h"

// |w| / |r|, or 1 where either is 0.
static tir_value trust_ratio(tir_tape *t, tir_value w, tir_value r) {
  const tir_value of_w = tir_norm(t, w, NULL, 0, false);
  const tir_value of_r = tir_norm(t, r, NULL, 0, false);
  const tir_value zero = tir_ir_zero(t, of_w);
  const tir_value one = tir_ir_scalar_like(t, of_w, 1);
  const tir_value ratio =
      tir_where(t, tir_greater(t, of_r, zero), tir_div(t, of_w, of_r), one);
  return tir_where(t, tir_greater(t, of_w, zero), ratio, one);
}

// in: w, m, v, g, lr, beta1, beta2, epsilon, decay, step
static void lamb_step(const tir_ir_update *u, const tir_value *in,
                      tir_value *results) {
  tir_tape *t = u->tape;
  // The op checks the others.
  if (!tir_ir_is_scalar(t, "lamb", "lr", in[4]) ||
      !tir_ir_is_scalar(t, "lamb", "decay", in[8]))
    return;
  const tir_value w = in[0], lr = in[4], decay = in[8];
  const tir_value adam[] = {tir_zeros_like(t, w),
                            in[1],
                            in[2],
                            in[3],
                            tir_ir_scalar_like(t, lr, -1),
                            in[5],
                            in[6],
                            in[7],
                            in[9]};
  // A descent from zero at rate -1 leaves the direction itself, and m and v as
  // results 1 and 2.
  const tir_value step = tir_ir_record(t, TIR_OP_ADAM, adam, 9, NULL);
  const tir_value r = tir_add(t, step, tir_mul(t, decay, w));
  const tir_value rate = tir_mul(t, lr, trust_ratio(t, w, r));
  results[0] = tir_sub(t, w, tir_mul(t, rate, r));
  results[1] = tir_ir_result(t, step, 1);
  results[2] = tir_ir_result(t, step, 2);
}

void tir_lamb(tir_tape *tape, const tir_value *w, const tir_value *m,
              const tir_value *v, size_t n, tir_adamw_values values,
              bool keep_grad) {
  if (!tir_ir_usable(tape, values.step, "lamb", "step")) return;
  const tir_value scalars[] = {values.lr, values.beta1, values.beta2,
                               values.epsilon, values.decay};
  const tir_ir_update update = {
      .tape = tape,
      .name = "lamb",
      .build = lamb_step,
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
