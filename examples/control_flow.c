// Gradients through ordinary C control flow: Newton's method as a while loop.
//
// The square root of a is found by iterating until the step is small, and the
// gradient of the result flows back through however many turns that took. The
// trip count depends on the data, so each call records another graph; calls
// with equal counts share one plan.
#include <math.h>
#include <stdio.h>

#include "tapeir/sites.h"
#include "tapeir/tapeir.h"

static tir_value newton_sqrt(tir_tape *t, tir_value a, int *n_turns) {
  tir_value x = a;
  *n_turns = 0;
  for (;;) {
    tir_value next = tir_mul_scalar(t, tir_add(t, x, tir_div(t, a, x)), 0.5);
    const double step = tir_read_scalar(t, tir_abs(t, tir_sub(t, next, x)));
    x = next;
    ++*n_turns;
    // A NaN, as after an error, ends the loop too.
    if (!(step > 1e-12) || *n_turns == 60) return x;
  }
}

int main(void) {
  tir_error error;
  tir_context *c;
  tir_tape *t;
  if (tir_context_create(NULL, &c, &error) ||
      tir_tape_create(c, NULL, &t, &error)) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  int n_wrong = 0;
  printf("%8s %6s %18s %18s\n", "a", "turns", "sqrt", "gradient");
  for (double value = 0.25; value <= 1e6; value *= 7) {
    tir_scope_begin(t);
    tir_value a = tir_value_from_data(t, TIR_DTYPE_F64, NULL, 0, &value);
    tir_attach_grad(t, a, TIR_GRAD_WRITE);
    int n_turns;
    tir_record_begin(t, true);
    tir_value root = newton_sqrt(t, a, &n_turns);
    tir_mode_end(t);
    tir_backward(t, root);
    const double y = tir_read_scalar(t, root);
    const double slope = tir_read_scalar(t, tir_grad_of(t, a));
    tir_scope_end(t);
    if (tir_tape_check(t, &error)) {
      fprintf(stderr, "%s\n", error.message);
      return 1;
    }
    printf("%8.6g %6d %18.15g %18.15g\n", value, n_turns, y, slope);
    n_wrong += fabs(y - sqrt(value)) > 1e-12 * y ||
               fabs(slope - 0.5 / sqrt(value)) > 1e-9 * slope;
  }
  tir_tape_statistics stats;
  tir_tape_stats(t, &stats);
  printf("%llu runs, %llu plans made\n", (unsigned long long)stats.n_runs,
         (unsigned long long)stats.n_plan_misses);
  tir_tape_destroy(t);
  tir_context_destroy(c);
  return n_wrong != 0;
}
