// Optimiser steps over one dtype: plain descent and Adam. Included twice, with
//
//   T          element
//   NAME(x)    name of function x
//   SQRT(x)    square root
//
// One pass each: every element of state is read and written once. Outputs may
// stand in the memory of operands, also of one another's, so an iteration reads
// everything before it writes. An output nobody reads is NULL. Scalars are read
// before the first element is written. In the formulas g is the gradient and a
// dash marks what is written.

// w' = w − lr·g.
static tir_status NAME(sgd)(const tir_exec_call *call) {
  const tir_exec_optim_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  const T *const w = tir_exec_arg(call, 0);
  const T *const g = tir_exec_arg(call, 1);
  const T lr = *(const T *)tir_exec_arg(call, 2);
  T *const w_out = tir_exec_arg(call, 3);
  if (!w_out) return TIR_OK;
  TIR_IVDEP
  for (int64_t i = span.first; i < span.end; i++) w_out[i] = w[i] - lr * g[i];
  return TIR_OK;
}

// v' = μ·v + g; w' = w − lr·v'. A loop for each choice of outputs.
static tir_status NAME(momentum)(const tir_exec_call *call) {
  const tir_exec_optim_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  const T *const w = tir_exec_arg(call, 0);
  const T *const v = tir_exec_arg(call, 1);
  const T *const g = tir_exec_arg(call, 2);
  const T lr = *(const T *)tir_exec_arg(call, 3);
  const T mu = *(const T *)tir_exec_arg(call, 4);
  T *const w_out = tir_exec_arg(call, 5);
  T *const v_out = tir_exec_arg(call, 6);
  if (w_out && v_out) {
    TIR_IVDEP
    for (int64_t i = span.first; i < span.end; i++) {
      const T v_new = mu * v[i] + g[i];
      const T w_new = w[i] - lr * v_new;
      v_out[i] = v_new;
      w_out[i] = w_new;
    }
  } else if (w_out) {
    TIR_IVDEP
    for (int64_t i = span.first; i < span.end; i++)
      w_out[i] = w[i] - lr * (mu * v[i] + g[i]);
  } else if (v_out) {
    TIR_IVDEP
    for (int64_t i = span.first; i < span.end; i++) v_out[i] = mu * v[i] + g[i];
  }
  return TIR_OK;
}

// One block of an output; an output nobody reads is NULL.
static inline void NAME(put)(T *out, int64_t at, const T *block, int64_t n) {
  if (out) memcpy(out + at, block, (size_t)n * sizeof(T));
}

// Scalars of one adam step; decay is 0 for adam itself.
typedef struct NAME(adam_values) {
  T lr, beta1, beta2, epsilon, decay, rest1, rest2, unbias1, unbias2;
} NAME(adam_values);

static NAME(adam_values)
    NAME(read_adam)(const tir_exec_call *call, bool decays) {
  const tir_exec_optim_params *const p = call->params;
  NAME(adam_values) s;
  s.lr = *(const T *)tir_exec_arg(call, 4);
  s.beta1 = *(const T *)tir_exec_arg(call, 5);
  s.beta2 = *(const T *)tir_exec_arg(call, 6);
  s.epsilon = *(const T *)tir_exec_arg(call, 7);
  s.decay = decays ? *(const T *)tir_exec_arg(call, 8) : 0;
  // The step count may be an integer; 1 − β^t is worked out in double.
  const double step =
      tir_ir_load_f64(p->step_dtype, tir_exec_arg(call, decays ? 9 : 8));
  s.rest1 = (T)(1.0 - (double)s.beta1);
  s.rest2 = (T)(1.0 - (double)s.beta2);
  s.unbias1 = (T)(1.0 - pow((double)s.beta1, step));
  s.unbias2 = (T)(1.0 - pow((double)s.beta2, step));
  return s;
}

// m' = β1·m + (1 − β1)·g; v' = β2·v + (1 − β2)·g²; w' = w − lr·(m'/(1 −
// β1^t))/(√(v'/(1 − β2^t)) + ε), where adamw first takes lr·decay·w from w.
// Through blocks on the stack, so that unused outputs cost no second loop.
static inline tir_status NAME(adam_steps)(const tir_exec_call *call,
                                          bool decays) {
  const tir_exec_optim_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  const T *const w = tir_exec_arg(call, 0);
  const T *const m = tir_exec_arg(call, 1);
  const T *const v = tir_exec_arg(call, 2);
  const T *const g = tir_exec_arg(call, 3);
  const NAME(adam_values) s = NAME(read_adam)(call, decays);
  const size_t first_out = decays ? 10 : 9;
  T new_w[BLOCK], new_m[BLOCK], new_v[BLOCK];
  for (int64_t i = span.first; i < span.end; i += BLOCK) {
    const int64_t n = span.end - i < BLOCK ? span.end - i : BLOCK;
    TIR_IVDEP
    for (int64_t j = 0; j < n; j++) {
      const T x = g[i + j];
      const T m_new = s.beta1 * m[i + j] + s.rest1 * x;
      const T v_new = s.beta2 * v[i + j] + s.rest2 * x * x;
      const T scale = SQRT(v_new / s.unbias2) + s.epsilon;
      const T from = decays ? w[i + j] - s.lr * s.decay * w[i + j] : w[i + j];
      new_w[j] = from - s.lr * (m_new / s.unbias1) / scale;
      new_m[j] = m_new;
      new_v[j] = v_new;
    }
    NAME(put)(tir_exec_arg(call, first_out), i, new_w, n);
    NAME(put)(tir_exec_arg(call, first_out + 1), i, new_m, n);
    NAME(put)(tir_exec_arg(call, first_out + 2), i, new_v, n);
  }
  return TIR_OK;
}

static tir_status NAME(adam)(const tir_exec_call *call) {
  return NAME(adam_steps)(call, false);
}

static tir_status NAME(adamw)(const tir_exec_call *call) {
  return NAME(adam_steps)(call, true);
}
