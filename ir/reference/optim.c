// Reference: optimiser steps. Each element by itself, in double, every output
// rounded once; scalars are operands.

#include <math.h>

#include "ir/reference/element.h"

// w ← w − lr·g.
// w, g, lr → w
tir_status tir_reference_sgd(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  const double lr = tir_reference_get(call, 2, 0);
  for (int64_t e = 0; e < n; e++)
    tir_reference_put(
        call, 0, e,
        tir_reference_get(call, 0, e) - lr * tir_reference_get(call, 1, e));
  return TIR_OK;
}

// v ← mu·v + g, w ← w − lr·v.
// w, v, g, lr, mu → w, v
tir_status tir_reference_momentum(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  const double lr = tir_reference_get(call, 3, 0);
  const double mu = tir_reference_get(call, 4, 0);
  for (int64_t e = 0; e < n; e++) {
    const double v =
        mu * tir_reference_get(call, 1, e) + tir_reference_get(call, 2, e);
    tir_reference_put(call, 0, e, tir_reference_get(call, 0, e) - lr * v);
    tir_reference_put(call, 1, e, v);
  }
  return TIR_OK;
}

// m ← β1·m + (1 − β1)·g, v ← β2·v + (1 − β2)·g², and w ← w − lr·m'/(√v' + ε)
// with m' = m/(1 − β1^step), v' = v/(1 − β2^step).
// w, m, v, g, lr, beta1, beta2, epsilon, step → w, m, v; `step` counts from 1.
tir_status tir_reference_adam(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  const double lr = tir_reference_get(call, 4, 0);
  const double beta1 = tir_reference_get(call, 5, 0);
  const double beta2 = tir_reference_get(call, 6, 0);
  const double epsilon = tir_reference_get(call, 7, 0);
  const double step = tir_reference_get(call, 8, 0);
  const double unbias1 = 1 - pow(beta1, step);
  const double unbias2 = 1 - pow(beta2, step);
  for (int64_t e = 0; e < n; e++) {
    const double g = tir_reference_get(call, 3, e);
    const double m = beta1 * tir_reference_get(call, 1, e) + (1 - beta1) * g;
    const double v =
        beta2 * tir_reference_get(call, 2, e) + (1 - beta2) * g * g;
    const double change = lr * (m / unbias1) / (sqrt(v / unbias2) + epsilon);
    tir_reference_put(call, 0, e, tir_reference_get(call, 0, e) - change);
    tir_reference_put(call, 1, e, m);
    tir_reference_put(call, 2, e, v);
  }
  return TIR_OK;
}

// v ← mu·v + g, w ← w − lr·(g + mu·v): one step ahead.
// w, v, g, lr, mu → w, v
tir_status tir_reference_nesterov(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  const double lr = tir_reference_get(call, 3, 0);
  const double mu = tir_reference_get(call, 4, 0);
  for (int64_t e = 0; e < n; e++) {
    const double g = tir_reference_get(call, 2, e);
    const double v = mu * tir_reference_get(call, 1, e) + g;
    const double change = lr * (g + mu * v);
    tir_reference_put(call, 0, e, tir_reference_get(call, 0, e) - change);
    tir_reference_put(call, 1, e, v);
  }
  return TIR_OK;
}

// As adam, and w − lr·decay·w besides: decay never enters m and v.
// w, m, v, g, lr, beta1, beta2, epsilon, decay, step → w, m, v
tir_status tir_reference_adamw(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  const double lr = tir_reference_get(call, 4, 0);
  const double beta1 = tir_reference_get(call, 5, 0);
  const double beta2 = tir_reference_get(call, 6, 0);
  const double epsilon = tir_reference_get(call, 7, 0);
  const double decay = tir_reference_get(call, 8, 0);
  const double step = tir_reference_get(call, 9, 0);
  const double unbias1 = 1 - pow(beta1, step);
  const double unbias2 = 1 - pow(beta2, step);
  for (int64_t e = 0; e < n; e++) {
    const double w = tir_reference_get(call, 0, e);
    const double g = tir_reference_get(call, 3, e);
    const double m = beta1 * tir_reference_get(call, 1, e) + (1 - beta1) * g;
    const double v =
        beta2 * tir_reference_get(call, 2, e) + (1 - beta2) * g * g;
    const double change = (m / unbias1) / (sqrt(v / unbias2) + epsilon);
    tir_reference_put(call, 0, e, w - lr * decay * w - lr * change);
    tir_reference_put(call, 1, e, m);
    tir_reference_put(call, 2, e, v);
  }
  return TIR_OK;
}

// v ← alpha·v + (1 − alpha)·g², w ← w − lr·g/(√v + ε).
// w, v, g, lr, alpha, epsilon → w, v
tir_status tir_reference_rmsprop(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  const double lr = tir_reference_get(call, 3, 0);
  const double alpha = tir_reference_get(call, 4, 0);
  const double epsilon = tir_reference_get(call, 5, 0);
  for (int64_t e = 0; e < n; e++) {
    const double g = tir_reference_get(call, 2, e);
    const double v =
        alpha * tir_reference_get(call, 1, e) + (1 - alpha) * g * g;
    const double change = lr * g / (sqrt(v) + epsilon);
    tir_reference_put(call, 0, e, tir_reference_get(call, 0, e) - change);
    tir_reference_put(call, 1, e, v);
  }
  return TIR_OK;
}

// v ← v + g², w ← w − lr·g/(√v + ε).
// w, v, g, lr, epsilon → w, v
tir_status tir_reference_adagrad(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  const double lr = tir_reference_get(call, 3, 0);
  const double epsilon = tir_reference_get(call, 4, 0);
  for (int64_t e = 0; e < n; e++) {
    const double g = tir_reference_get(call, 2, e);
    const double v = tir_reference_get(call, 1, e) + g * g;
    const double change = lr * g / (sqrt(v) + epsilon);
    tir_reference_put(call, 0, e, tir_reference_get(call, 0, e) - change);
    tir_reference_put(call, 1, e, v);
  }
  return TIR_OK;
}

// v ← rho·v + (1 − rho)·g², d = g·√(u + ε)/√(v + ε), w ← w − lr·d, u ← rho·u +
// (1 − rho)·d².
// w, v, u, g, lr, rho, epsilon → w, v, u
tir_status tir_reference_adadelta(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  const double lr = tir_reference_get(call, 4, 0);
  const double rho = tir_reference_get(call, 5, 0);
  const double epsilon = tir_reference_get(call, 6, 0);
  for (int64_t e = 0; e < n; e++) {
    const double g = tir_reference_get(call, 3, e);
    const double u = tir_reference_get(call, 2, e);
    const double v = rho * tir_reference_get(call, 1, e) + (1 - rho) * g * g;
    const double d = g * sqrt(u + epsilon) / sqrt(v + epsilon);
    tir_reference_put(call, 0, e, tir_reference_get(call, 0, e) - lr * d);
    tir_reference_put(call, 1, e, v);
    tir_reference_put(call, 2, e, rho * u + (1 - rho) * d * d);
  }
  return TIR_OK;
}

// c = β1·m + (1 − β1)·g, w ← w − lr·(sign c + decay·w), m ← β2·m + (1 − β2)·g.
// w, m, g, lr, beta1, beta2, decay → w, m
tir_status tir_reference_lion(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  const double lr = tir_reference_get(call, 3, 0);
  const double beta1 = tir_reference_get(call, 4, 0);
  const double beta2 = tir_reference_get(call, 5, 0);
  const double decay = tir_reference_get(call, 6, 0);
  for (int64_t e = 0; e < n; e++) {
    const double w = tir_reference_get(call, 0, e);
    const double m = tir_reference_get(call, 1, e);
    const double g = tir_reference_get(call, 2, e);
    const double c = beta1 * m + (1 - beta1) * g;
    const double sign = isnan(c) ? c : (c > 0) - (c < 0);
    tir_reference_put(call, 0, e, w - lr * (sign + decay * w));
    tir_reference_put(call, 1, e, beta2 * m + (1 - beta2) * g);
  }
  return TIR_OK;
}
