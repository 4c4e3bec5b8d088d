// A custom op from end to end: Huber's penalty, written in C with its gradient
// as ordinary ops, trains a small model on 8,000 images of Fashion-MNIST's test
// set (2,000 stay aside), goes to FILE and comes back with equal bits.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fashion_data.h"
#include "tapeir/sites.h"
#include "tapeir/tapeir.h"

enum { BATCH = 20, HIDDEN = 64, N_TRAINED = 8000, N_ASIDE = 2000 };
static tir_error error;
static float x[BATCH * FASHION_PIXELS];
static int32_t y[BATCH];
static fashion_set set;
static tir_context *c, *other;

static void expect(bool holds, const char *what) {
  if (!holds) fprintf(stderr, "%s\n", what), exit(1);
}

static void check(tir_status status) { expect(!status, error.message); }

// The result is like the operand, a matrix of f32.
static tir_status infer(const tir_custom_infer *q) {
  q->out[0] = q->in[0];
  const bool fits = q->in[0].dtype == TIR_DTYPE_F32 && q->in[0].rank == 2;
  return fits ? TIR_OK : TIR_ERR_SHAPE;
}

// A parabola inside of the bend, floats[0]; straight on outside.
static tir_status run(const tir_custom_call *call) {
  const float bend = (float)call->attrs->floats[0], *in = call->in[0];
  const int64_t *dims = call->in_types[0].dims;
  float *out = call->out[0];
  for (int64_t i = 0; i < dims[0] * dims[1]; i++) {
    const float a = fabsf(in[i]);
    out[i] = a < bend ? a * a / 2 : bend * (a - bend / 2);
  }
  return TIR_OK;
}

// The slope is x, cut off at the bend.
static tir_status build_vjp(const tir_custom_vjp *q) {
  const double bend = q->attrs->floats[0];
  const tir_value slope = tir_maximum_scalar(
      q->tape, tir_minimum_scalar(q->tape, q->in[0], bend), -bend);
  q->in_grad[0] = tir_mul(q->tape, q->out_grad[0], slope);
  return TIR_OK;
}

static const tir_custom_op huber = {
    "example.huber", 1, 1, 1, 0, 1, true, infer, run, .vjp_build = build_vjp};

static void add(tir_module *m, const char *name, const int64_t *dims) {
  tir_tensor *w;
  check(tir_tensor_create(c, TIR_DTYPE_F32, dims, 2, &w, &error));
  check(tir_init_he_normal(w, 1, (uint64_t)dims[0], &error));
  check(tir_module_add_param(m, name, TIR_PARAM_TRAINABLE, w, &error));
  tir_tensor_release(w);
}

// Penalty and classes of a batch; with `learn` a step of SGD too.
static void capture(tir_tape *t, tir_module *m, const char *name, bool learn) {
  const int64_t dims[] = {BATCH, FASHION_PIXELS};
  const tir_custom_attrs attrs = {.n_floats = 1, .floats = {0.5}};
  tir_capture_begin(t, m, name);
  tir_value w[2], scores, off, loss;
  scores = tir_input(t, "images", TIR_DTYPE_F32, dims, 2);
  off = tir_input(t, "labels", TIR_DTYPE_I32, dims, 1);
  tir_module_variables(t, m, "", w, 2);
  tir_record_begin(t, learn);
  scores = tir_matmul(t, tir_relu(t, tir_matmul(t, scores, w[0])), w[1]);
  off = tir_sub(t, scores, tir_one_hot(t, off, 10, TIR_DTYPE_F32));
  off = tir_custom(t, "example.huber", &attrs, &off, 1, NULL, 0);
  loss = tir_mean(t, off, NULL, 0, false);
  tir_mode_end(t);
  if (learn) tir_backward(t, loss);
  if (learn) tir_sgd(t, w, 2, tir_scalar(t, TIR_DTYPE_F32, 0.5), false);
  tir_output(t, "loss", loss);
  tir_output(t, "class", tir_argmax(t, scores, -1, false));
  check(tir_capture_end(t, NULL, &error));
}

static tir_instance *compile(tir_context *in, tir_module *m, const char *name) {
  tir_program *program;
  tir_instance *instance;
  check(tir_compile(in, tir_module_graph(m, name), NULL, &program, &error));
  check(tir_instance_create(program, m, &instance, &error));
  tir_program_destroy(program);
  check(tir_instance_bind_input(instance, 0, x, sizeof x, &error));
  check(tir_instance_bind_input(instance, 1, y, sizeof y, &error));
  return instance;
}

static float loss_of(tir_instance *instance, size_t at) {
  fashion_batch(&set, NULL, at, BATCH, x, y);
  check(tir_run(instance, NULL, &error));
  return *(const float *)tir_instance_output(instance, 0);
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: custom_op FILE.tir\n"), 2;
  if (fashion_load(fashion_directory(), "t10k", &set)) return 1;
  tir_tape *t;
  tir_module *m, *loaded;
  check(tir_context_create(NULL, &c, &error));
  check(tir_context_create(NULL, &other, &error));
  check(tir_context_register_op(c, &huber, &error));
  check(tir_tape_create(c, NULL, &t, &error));
  check(tir_module_create(c, &m, &error));
  add(m, "w1", (int64_t[]){FASHION_PIXELS, HIDDEN});
  add(m, "w2", (int64_t[]){HIDDEN, FASHION_CLASSES});
  capture(t, m, "step", true);
  capture(t, m, "score", false);
  tir_instance *step = compile(c, m, "step");
  const float first = loss_of(step, 0);
  for (size_t i = BATCH; i < N_TRAINED; i += BATCH) loss_of(step, i);
  expect(loss_of(step, 0) < 0.5f * first, "the penalty did not fall");
  check(tir_module_save(m, argv[1], &error));
  expect(tir_module_load(other, argv[1], NULL, &loaded, &error) != TIR_OK,
         "an op that nobody registered was loaded");
  printf("refused: %s\n", error.message);
  check(tir_context_register_op(other, &huber, &error));
  check(tir_module_load(other, argv[1], NULL, &loaded, &error));
  tir_instance *here = compile(c, m, "score");
  tir_instance *there = compile(other, loaded, "score");
  double right = 0;
  for (size_t at = N_TRAINED; at < set.n; at += BATCH) {
    const float a = loss_of(here, at), b = loss_of(there, at);
    expect(memcmp(&a, &b, sizeof a) == 0, "the loaded op gives other bits");
    const int64_t *found = tir_instance_output(there, 1);
    for (int i = 0; i < BATCH; i++) right += found[i] == y[i];
  }
  printf("right: %.1f %%, equal bits from %s\n", 100 * right / N_ASIDE,
         argv[1]);
  expect(right > 0.65 * N_ASIDE, "less than 65 % are right");
  tir_instance_destroy(step);
  tir_instance_destroy(here);
  tir_instance_destroy(there);
  tir_module_destroy(loaded);
  tir_module_destroy(m);
  tir_tape_destroy(t);
  tir_context_destroy(other);
  tir_context_destroy(c);
  fashion_free(&set);
}
