// An LSTM that reads clothes row by row, trained twice side by side: its loop
// over the rows is a scan in one, and C code recorded anew each step in the
// other. Losses and weights agree to the last bit.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fashion_data.h"
#include "tapeir/sites.h"
#include "tapeir/tapeir.h"

enum { ROWS = 28, COLS = 28, HIDDEN = 32, BATCH = 32, N_WEIGHTS = 5 };

typedef struct lstm {
  tir_value x_gates, h_gates, bias, out, out_bias;
} lstm;

static _Noreturn void stop(const char *where, const char *message) {
  fprintf(stderr, "%s: %s\n", where, message);
  exit(1);
}

// One row: next h and c from x [BATCH, COLS], h and c [BATCH, HIDDEN].
static void cell(tir_tape *t, const lstm *m, tir_value x, const tir_value *hc,
                 tir_value *next) {
  const int64_t sizes[] = {HIDDEN, HIDDEN, HIDDEN, HIDDEN};
  tir_value gates[4], all = tir_matmul(t, x, m->x_gates);
  all = tir_add(t, all, tir_matmul(t, hc[0], m->h_gates));
  all = tir_add(t, all, m->bias);
  tir_split(t, all, sizes, 4, 1, gates);
  const tir_value keep = tir_mul(t, tir_sigmoid(t, gates[0]), hc[1]);
  const tir_value add =
      tir_mul(t, tir_sigmoid(t, gates[1]), tir_tanh(t, gates[2]));
  next[1] = tir_add(t, keep, add);
  next[0] = tir_mul(t, tir_sigmoid(t, gates[3]), tir_tanh(t, next[1]));
}

static void scan_body(tir_tape *t, void *user, const tir_value *hc,
                      const tir_value *row, tir_value *next, tir_value *ys) {
  (void)ys;
  cell(t, user, row[0], hc, next);
}

// The weights go from row to row as carries do, so that their gradients meet
// in the order in which the scan sums them: from the last row to the first.
static void c_loop(tir_tape *t, lstm m, tir_value rows, tir_value *hc) {
  const int64_t dims[] = {BATCH, COLS};
  for (int64_t r = 0; r < ROWS; r++) {
    const int64_t from[] = {r}, to[] = {r + 1};
    const tir_value row =
        tir_reshape(t, tir_slice(t, rows, from, to, NULL, 1), dims, 2);
    tir_value next[2];
    cell(t, &m, row, hc, next);
    memcpy(hc, next, sizeof next);
    m.x_gates = tir_mul_scalar(t, m.x_gates, 1);
    m.h_gates = tir_mul_scalar(t, m.h_gates, 1);
    m.bias = tir_mul_scalar(t, m.bias, 1);
  }
}

// A training step; the loss.
static float step(tir_tape *t, lstm *m, const float *images,
                  const int32_t *labels, int use_scan) {
  const int64_t image_dims[] = {BATCH, ROWS, COLS}, label_dims[] = {BATCH};
  const int64_t state_dims[] = {BATCH, HIDDEN};
  const int rows_first[] = {1, 0, 2};
  tir_error error;
  tir_step_begin(t);
  const tir_value rows = tir_transpose(
      t, tir_value_from_data(t, TIR_DTYPE_F32, image_dims, 3, images),
      rows_first, 3);
  const tir_value zeros = tir_zeros(t, TIR_DTYPE_F32, state_dims, 2);
  tir_value hc[2] = {zeros, zeros};
  tir_record_begin(t, true);
  if (use_scan)
    tir_scan(t, scan_body, m, hc, 2, &rows, 1, 0, NULL, hc, NULL);
  else
    c_loop(t, *m, rows, hc);
  tir_value loss = tir_cross_entropy(
      t, tir_add(t, tir_matmul(t, hc[0], m->out), m->out_bias),
      tir_value_from_data(t, TIR_DTYPE_I32, label_dims, 1, labels));
  tir_mode_end(t);
  tir_backward(t, loss);
  const tir_value weights[N_WEIGHTS] = {m->x_gates, m->h_gates, m->bias, m->out,
                                        m->out_bias};
  tir_sgd(t, weights, N_WEIGHTS, tir_scalar(t, TIR_DTYPE_F32, 0.5), false);
  if (tir_step_end(t, &loss, 1, &error)) stop("step", error.message);
  const float value = (float)tir_read_scalar(t, loss);
  tir_value_release(t, loss);
  return value;
}

static lstm make(tir_tape *t) {
  static float data[HIDDEN * 4 * HIDDEN];
  const int64_t dims[N_WEIGHTS][2] = {{COLS, 4 * HIDDEN},
                                      {HIDDEN, 4 * HIDDEN},
                                      {4 * HIDDEN},
                                      {HIDDEN, FASHION_CLASSES},
                                      {FASHION_CLASSES}};
  lstm m;
  tir_value *const weights[] = {&m.x_gates, &m.h_gates, &m.bias, &m.out,
                                &m.out_bias};
  uint32_t random = 2026;
  for (int i = 0; i < N_WEIGHTS; i++) {
    for (size_t k = 0; k < sizeof data / sizeof *data; k++) {
      random = random * 1664525u + 1013904223u;
      data[k] = ((float)(random >> 8) / 16777216.0f - 0.5f) * 0.4f;
    }
    *weights[i] = tir_value_from_data(t, TIR_DTYPE_F32, dims[i],
                                      dims[i][1] ? 2 : 1, data);
    tir_attach_grad(t, *weights[i], TIR_GRAD_WRITE);
  }
  return m;
}

int main(int argc, char **argv) {
  const int n_steps = argc > 1 ? atoi(argv[1]) : 300;
  fashion_set train;
  tir_context *c;
  tir_tape *t;
  tir_error error;
  if (fashion_load(fashion_directory(), "train", &train)) return 1;
  if (tir_context_create(NULL, &c, &error) ||
      tir_tape_create(c, NULL, &t, &error))
    stop("create", error.message);
  lstm models[] = {make(t), make(t)};
  float first = 0, last = 0;
  for (int i = 0; i < n_steps; i++) {
    const size_t at = (size_t)i * BATCH % (train.n - BATCH);
    float loss[2];
    for (int k = 0; k < 2; k++)
      loss[k] = step(t, &models[k], train.images + at * FASHION_PIXELS,
                     train.labels + at, k == 0);
    if (memcmp(&loss[0], &loss[1], sizeof loss[0])) stop("loss", "bits differ");
    last = i ? 0.95f * last + 0.05f * loss[0] : loss[0];
    if (i == 0) first = last;
  }
  static float weights[2][HIDDEN * 4 * HIDDEN];
  for (int k = 0; k < 2; k++)
    if (tir_read_into(t, models[k].h_gates, weights[k], sizeof weights[k],
                      &error))
      stop("read", error.message);
  if (memcmp(weights[0], weights[1], sizeof weights[0]))
    stop("weights", "bits differ");
  printf("%d steps, loss %.3f to %.3f, equal bits\n", n_steps, first, last);
  tir_tape_destroy(t);
  tir_context_destroy(c);
  fashion_free(&train);
  return last < first ? 0 : 1;
}
