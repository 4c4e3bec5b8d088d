// A transformer learns the characters of this project's documentation, then
// writes: token by token, with keys and values kept in states of the module.
// usage: char_transformer [STEPS [DIRECTORY]]
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "char_model.h"
#include "tapeir/sites.h"
#include "text_data.h"

enum { BATCH = 8 };

// The training step, logits of a whole text, or those of one more token.
static tir_instance *capture(const char *name, int64_t batch, int64_t rows,
                             bool train, bool cached) {
  const int64_t dims[] = {batch, rows};
  tir_value y;
  tir_capture_begin(t, m, name);
  tir_value x = tir_input(t, "tokens", TIR_DTYPE_I32, dims, 2);
  if (train) y = tir_input(t, "next", TIR_DTYPE_I32, dims, 2);
  const tir_value start = cached ? tir_input(t, "start", TIR_DTYPE_I64, NULL, 0)
                                 : tir_scalar(t, TIR_DTYPE_I64, 0);
  if (train) want_gradients();
  if (train) tir_record_begin(t, true);
  x = model(x, batch, rows, start, cached);
  if (train) {
    x = tir_mean(t, tir_cross_entropy(t, x, y), NULL, 0, false);
    tir_mode_end(t);
    tir_backward(t, x);
    update();
  }
  tir_output(t, train ? "loss" : "logits", x);
  tir_program *program;
  tir_instance *run;
  check(tir_capture_end(t, NULL, &error));
  check(tir_compile(c, tir_module_graph(m, name), NULL, &program, &error));
  check(tir_instance_create(program, m, &run, &error));
  tir_program_destroy(program);
  return run;
}

static int32_t likeliest(const float *logits, int64_t n) {
  int64_t best = 0;
  for (int64_t k = 1; k < n; k++)
    if (logits[k] > logits[best]) best = k;
  return (int32_t)best;
}

static double difference(const float *a, const float *b, int64_t n) {
  double worst = 0;
  for (int64_t i = 0; i < n; i++) {
    const double off = fabs(a[i] - b[i]) / fmax(1, fabs(a[i]));
    if (off > worst) worst = off;
  }
  return worst;
}

int main(int argc, char **argv) {
  static int32_t x[BATCH * LENGTH], y[BATCH * LENGTH];
  static float said[LENGTH * 256];
  const int n_steps = argc > 1 ? atoi(argv[1]) : 3000;
  text_data text;
  uint64_t random = 1;
  double sum = 0, loss = 0;
  if (text_load(argc > 2 ? argv[2] : TEXT_DIRECTORY, &text)) return 1;
  check(tir_context_create(&(tir_context_options){.n_threads = 2}, &c, &error));
  check(tir_tape_create(c, NULL, &t, &error));
  check(tir_module_create(c, &m, &error));
  build(text.n_kinds);
  tir_instance *step = capture("train_step", BATCH, LENGTH, true, false);
  check(tir_instance_bind_input(step, 0, x, sizeof x, &error));
  check(tir_instance_bind_input(step, 1, y, sizeof y, &error));
  for (int i = 1, n = n_steps < 10 ? 1 : n_steps / 10; i <= n_steps; i++) {
    text_batch(&text, &random, BATCH, LENGTH, x, y);
    check(tir_run(step, NULL, &error));
    sum += *(const float *)tir_instance_output(step, 0);
    if (i % n == 0) printf("step %d: loss %.3f\n", i, loss = sum / n), sum = 0;
  }
  // Writes LENGTH characters, each the likeliest.
  tir_instance *token = capture("token", 1, 1, false, true);
  tir_instance *whole = capture("whole", 1, LENGTH, false, false);
  int64_t start = 0;
  check(tir_instance_bind_input(token, 1, &start, sizeof start, &error));
  check(tir_instance_bind_input(whole, 0, x, sizeof *x * LENGTH, &error));
  x[0] = text.tokens[0];
  for (; start < LENGTH; start++) {
    float *logits = said + start * text.n_kinds;
    check(tir_instance_bind_input(token, 0, x + start, sizeof *x, &error));
    check(tir_instance_bind_output(
        token, 0, logits, sizeof *logits * (size_t)text.n_kinds, &error));
    check(tir_run(token, NULL, &error));
    putchar(text.letter[x[start]]);
    if (start + 1 < LENGTH) x[start + 1] = likeliest(logits, text.n_kinds);
  }
  check(tir_run(whole, NULL, &error));
  const double worst = difference(tir_instance_output(whole, 0), said,
                                  (int64_t)LENGTH * text.n_kinds);
  // It starts at 5; a guess among all characters has 4.5.
  const double bound = n_steps >= 2000 ? 1.9 : 4.0;
  printf("\ncached logits differ by %.1e; loss %.3f, expected below %.1f\n",
         worst, loss, bound);
  tir_instance_destroy(step);
  tir_instance_destroy(token);
  tir_instance_destroy(whole);
  tir_module_destroy(m);
  tir_tape_destroy(t);
  tir_context_destroy(c);
  text_free(&text);
  return worst < 1e-3 && loss < bound ? 0 : 1;
}
