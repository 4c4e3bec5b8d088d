// W6: y = tanh(1.3x + 0.1)·exp(−x²) + log1p|x| of ten million elements;
// forward, and its sum with the gradient, recorded anew each call.
#include <math.h>
#include <stdlib.h>

#include "harness.h"

enum { N = 10000000 };

typedef struct chain {
  tir_tape *tape;
  tir_value x;
} chain;

static tir_value chain_of(tir_tape *t, tir_value x) {
  const tir_value inner = tir_add_scalar(t, tir_mul_scalar(t, x, 1.3), 0.1);
  const tir_value bell = tir_exp(t, tir_neg(t, tir_mul(t, x, x)));
  return tir_add(t, tir_mul(t, tir_tanh(t, inner), bell),
                 tir_log1p(t, tir_abs(t, x)));
}

// All of y is computed: a flush runs what is still in scope.
static void forward(void *user) {
  const chain *w = user;
  tir_error error;
  tir_step_begin(w->tape);
  chain_of(w->tape, w->x);
  bench_check(tir_tape_flush(w->tape, &error), &error, "W6");
  bench_check(tir_step_end(w->tape, NULL, 0, &error), &error, "W6");
}

// Reading the sum runs the gradient with it.
static void forward_backward(void *user) {
  const chain *w = user;
  tir_tape *t = w->tape;
  tir_error error;
  tir_step_begin(t);
  tir_record_begin(t, true);
  const tir_value sum = tir_sum(t, chain_of(t, w->x), NULL, 0, false);
  tir_mode_end(t);
  tir_backward(t, sum);
  tir_read_scalar(t, sum);
  bench_check(tir_step_end(t, NULL, 0, &error), &error, "W6");
}

// Bell-shaped enough: three uniform numbers, from a fixed start.
static void fill(float *x) {
  uint32_t state = 1;
  for (int i = 0; i < N; i++) {
    double sum = 0;
    for (int k = 0; k < 3; k++) {
      state = state * 1664525u + 1013904223u;
      sum += (double)(state >> 8) / 16777216.0 - 0.5;
    }
    x[i] = (float)(2 * sum);
  }
}

static double slope_of(double x) {
  const double t = tanh(1.3 * x + 0.1), e = exp(-x * x);
  return 1.3 * (1 - t * t) * e - 2 * x * t * e +
         (x > 0 ? 1 : -1) / (1 + fabs(x));
}

static void check_slope(const chain *w, double x) {
  const int64_t start[] = {0}, stop[] = {1};
  const double found = tir_read_scalar(
      w->tape,
      tir_slice(w->tape, tir_grad_of(w->tape, w->x), start, stop, NULL, 1));
  if (fabs(found - slope_of(x)) > 1e-5) fprintf(stderr, "W6: wrong gradient\n");
}

void bench_chain(const bench *b) {
  if (!bench_wants(b, "W6")) return;
  tir_error error;
  chain w;
  float *data = malloc(N * sizeof *data);
  if (!data) return;
  fill(data);
  bench_check(tir_tape_create(b->context, NULL, &w.tape, &error), &error,
              "tape");
  w.x =
      tir_value_from_data(w.tape, TIR_DTYPE_F32, (const int64_t[]){N}, 1, data);
  bench_time(b, "W6_forward", "ms", 1, forward, &w);
  tir_attach_grad(w.tape, w.x, TIR_GRAD_WRITE);
  bench_time(b, "W6_fwd_bwd", "ms", 1, forward_backward, &w);
  check_slope(&w, data[0]);
  tir_tape_destroy(w.tape);
  free(data);
}
