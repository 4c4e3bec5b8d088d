// More optimiser steps over one dtype; what optim_template.h says holds here
// too. Through blocks on the stack, so that an output nobody reads costs no
// second loop.
//
// Included behind optim_template.h, whose NAME(put) it uses. In the formulas g
// is the gradient and a dash marks what is written. Operators are evaluated in
// the order in which the lines below have them, and no two are contracted:
// every level gives the same bits.

// v' = μ·v + g; w' = w − lr·(g + μ·v'): momentum, looking one step ahead.
static tir_status NAME(nesterov)(const tir_exec_call *call) {
  const tir_exec_optim_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  const T *const w = tir_exec_arg(call, 0);
  const T *const v = tir_exec_arg(call, 1);
  const T *const g = tir_exec_arg(call, 2);
  const T lr = *(const T *)tir_exec_arg(call, 3);
  const T mu = *(const T *)tir_exec_arg(call, 4);
  T new_w[BLOCK], new_v[BLOCK];
  for (int64_t i = span.first; i < span.end; i += BLOCK) {
    const int64_t n = span.end - i < BLOCK ? span.end - i : BLOCK;
    TIR_IVDEP
    for (int64_t j = 0; j < n; j++) {
      const T x = g[i + j];
      const T v_new = mu * v[i + j] + x;
      new_w[j] = w[i + j] - lr * (x + mu * v_new);
      new_v[j] = v_new;
    }
    NAME(put)(tir_exec_arg(call, 5), i, new_w, n);
    NAME(put)(tir_exec_arg(call, 6), i, new_v, n);
  }
  return TIR_OK;
}

// v' = α·v + (1 − α)·g²; w' = w − lr·g/(√v' + ε).
static tir_status NAME(rmsprop)(const tir_exec_call *call) {
  const tir_exec_optim_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  const T *const w = tir_exec_arg(call, 0);
  const T *const v = tir_exec_arg(call, 1);
  const T *const g = tir_exec_arg(call, 2);
  const T lr = *(const T *)tir_exec_arg(call, 3);
  const T alpha = *(const T *)tir_exec_arg(call, 4);
  const T epsilon = *(const T *)tir_exec_arg(call, 5);
  // In double, so that the difference is rounded once.
  const T rest = (T)(1.0 - (double)alpha);
  T new_w[BLOCK], new_v[BLOCK];
  for (int64_t i = span.first; i < span.end; i += BLOCK) {
    const int64_t n = span.end - i < BLOCK ? span.end - i : BLOCK;
    TIR_IVDEP
    for (int64_t j = 0; j < n; j++) {
      const T x = g[i + j];
      const T v_new = alpha * v[i + j] + rest * x * x;
      new_w[j] = w[i + j] - lr * x / (SQRT(v_new) + epsilon);
      new_v[j] = v_new;
    }
    NAME(put)(tir_exec_arg(call, 6), i, new_w, n);
    NAME(put)(tir_exec_arg(call, 7), i, new_v, n);
  }
  return TIR_OK;
}

// v' = v + g²; w' = w − lr·g/(√v' + ε).
static tir_status NAME(adagrad)(const tir_exec_call *call) {
  const tir_exec_optim_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  const T *const w = tir_exec_arg(call, 0);
  const T *const v = tir_exec_arg(call, 1);
  const T *const g = tir_exec_arg(call, 2);
  const T lr = *(const T *)tir_exec_arg(call, 3);
  const T epsilon = *(const T *)tir_exec_arg(call, 4);
  T new_w[BLOCK], new_v[BLOCK];
  for (int64_t i = span.first; i < span.end; i += BLOCK) {
    const int64_t n = span.end - i < BLOCK ? span.end - i : BLOCK;
    TIR_IVDEP
    for (int64_t j = 0; j < n; j++) {
      const T x = g[i + j];
      const T v_new = v[i + j] + x * x;
      new_w[j] = w[i + j] - lr * x / (SQRT(v_new) + epsilon);
      new_v[j] = v_new;
    }
    NAME(put)(tir_exec_arg(call, 5), i, new_w, n);
    NAME(put)(tir_exec_arg(call, 6), i, new_v, n);
  }
  return TIR_OK;
}

// v' = ρ·v + (1 − ρ)·g²; d = g·√(u + ε)/√(v' + ε); w' = w − lr·d; u' = ρ·u + (1
// − ρ)·d². The step is scaled by the size of former ones, u.
static tir_status NAME(adadelta)(const tir_exec_call *call) {
  const tir_exec_optim_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  const T *const w = tir_exec_arg(call, 0);
  const T *const v = tir_exec_arg(call, 1);
  const T *const u = tir_exec_arg(call, 2);
  const T *const g = tir_exec_arg(call, 3);
  const T lr = *(const T *)tir_exec_arg(call, 4);
  const T rho = *(const T *)tir_exec_arg(call, 5);
  const T epsilon = *(const T *)tir_exec_arg(call, 6);
  const T rest = (T)(1.0 - (double)rho);
  T new_w[BLOCK], new_v[BLOCK], new_u[BLOCK];
  for (int64_t i = span.first; i < span.end; i += BLOCK) {
    const int64_t n = span.end - i < BLOCK ? span.end - i : BLOCK;
    TIR_IVDEP
    for (int64_t j = 0; j < n; j++) {
      const T x = g[i + j], u_old = u[i + j];
      const T v_new = rho * v[i + j] + rest * x * x;
      const T d = x * SQRT(u_old + epsilon) / SQRT(v_new + epsilon);
      new_w[j] = w[i + j] - lr * d;
      new_v[j] = v_new;
      new_u[j] = rho * u_old + rest * d * d;
    }
    NAME(put)(tir_exec_arg(call, 7), i, new_w, n);
    NAME(put)(tir_exec_arg(call, 8), i, new_v, n);
    NAME(put)(tir_exec_arg(call, 9), i, new_u, n);
  }
  return TIR_OK;
}

// c = β1·m + (1 − β1)·g; w' = w − lr·(sign(c) + decay·w); m' = β2·m + (1 −
// β2)·g.
static tir_status NAME(lion)(const tir_exec_call *call) {
  const tir_exec_optim_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  const T *const w = tir_exec_arg(call, 0);
  const T *const m = tir_exec_arg(call, 1);
  const T *const g = tir_exec_arg(call, 2);
  const T lr = *(const T *)tir_exec_arg(call, 3);
  const T beta1 = *(const T *)tir_exec_arg(call, 4);
  const T beta2 = *(const T *)tir_exec_arg(call, 5);
  const T decay = *(const T *)tir_exec_arg(call, 6);
  const T rest1 = (T)(1.0 - (double)beta1), rest2 = (T)(1.0 - (double)beta2);
  T new_w[BLOCK], new_m[BLOCK];
  for (int64_t i = span.first; i < span.end; i += BLOCK) {
    const int64_t n = span.end - i < BLOCK ? span.end - i : BLOCK;
    TIR_IVDEP
    for (int64_t j = 0; j < n; j++) {
      const T x = g[i + j], m_old = m[i + j];
      const T c = beta1 * m_old + rest1 * x;
      // A zero and a NaN are their own sign.
      const T sign = c > 0 ? (T)1 : c < 0 ? (T)-1 : c;
      new_w[j] = w[i + j] - lr * (sign + decay * w[i + j]);
      new_m[j] = beta2 * m_old + rest2 * x;
    }
    NAME(put)(tir_exec_arg(call, 7), i, new_w, n);
    NAME(put)(tir_exec_arg(call, 8), i, new_m, n);
  }
  return TIR_OK;
}
