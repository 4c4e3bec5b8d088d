// Trains a small classifier on Fashion-MNIST and saves it as a .tir file.
//
// The model is recorded once: `forward` and `train_step` are captured into a
// module and share its parameters and momentum; the learning rate is an input
// of the step. The file holds all of it, so resume_fashion.c goes on training
// without any of this code.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "fashion_data.h"
#include "tapeir/sites.h"
#include "tapeir/tapeir.h"

enum { BATCH = 100, N_LAYERS = 3, N_PARAMS = 2 * N_LAYERS };

static const int64_t widths[N_LAYERS + 1] = {FASHION_PIXELS, 256, 128,
                                             FASHION_CLASSES};
static const char *const names[N_PARAMS] = {"fc1.w", "fc1.b", "fc2.w",
                                            "fc2.b", "fc3.w", "fc3.b"};

static _Noreturn void stop(const char *where, const tir_error *error) {
  fprintf(stderr, "%s: %s\n", where, error->message);
  exit(1);
}

// He-initialised weights, zero biases, and zero momentum for each.
static void add_params(tir_context *c, tir_tape *t, tir_module *m) {
  tir_error error;
  for (int i = 0; i < N_PARAMS; i++) {
    const int64_t *w = &widths[i / 2];
    const bool is_bias = i & 1;
    const int64_t dims[] = {is_bias ? w[1] : w[0], w[1]};
    const int rank = is_bias ? 1 : 2;
    tir_value start =
        is_bias ? tir_zeros(t, TIR_DTYPE_F32, dims, 1)
                : tir_normal(t, TIR_DTYPE_F32, dims, 2, 0,
                             sqrt(2.0 / (double)w[0]));
    char velocity[32];
    snprintf(velocity, sizeof velocity, "%s.velocity", names[i]);
    tir_tensor *tensor, *zeros;
    if (tir_read(t, start, &tensor, &error) ||
        tir_tensor_create(c, TIR_DTYPE_F32, dims, rank,
                          &zeros, &error) ||
        tir_module_add_param(m, names[i], TIR_PARAM_TRAINABLE, tensor,
                             &error) ||
        tir_module_add_param(m, velocity, TIR_PARAM_STATE, zeros, &error))
      stop("parameters", &error);
    tir_tensor_release(tensor);
    tir_tensor_release(zeros);
  }
}

static tir_value model(tir_tape *t, tir_module *m, tir_value x) {
  for (int i = 0; i < N_LAYERS; i++) {
    x = tir_add(t, tir_matmul(t, x, tir_param(t, m, names[2 * i])),
                tir_param(t, m, names[2 * i + 1]));
    if (i + 1 < N_LAYERS) x = tir_relu(t, x);
  }
  return x;
}

static tir_value images_input(tir_tape *t) {
  const int64_t dims[] = {BATCH, FASHION_PIXELS};
  const char *const symbols[] = {"batch", NULL};
  return tir_input_symbolic(t, "images", TIR_DTYPE_F32, dims, symbols, 2);
}

static tir_value labels_input(tir_tape *t) {
  const int64_t dims[] = {BATCH};
  const char *const symbols[] = {"batch"};
  return tir_input_symbolic(t, "labels", TIR_DTYPE_I32, dims, symbols, 1);
}

static void capture(tir_tape *t, tir_module *m) {
  tir_error error;
  tir_capture_begin(t, m, "forward");
  tir_value logits = model(t, m, images_input(t));
  tir_output(t, "class", tir_argmax(t, logits, -1, false));
  tir_output(t, "logits", logits);
  if (tir_capture_end(t, NULL, &error)) stop("forward", &error);

  tir_capture_begin(t, m, "loss");
  logits = model(t, m, images_input(t));
  tir_output(t, "loss", tir_cross_entropy(t, logits, labels_input(t)));
  if (tir_capture_end(t, NULL, &error)) stop("loss", &error);

  tir_capture_begin(t, m, "train_step");
  tir_value x = images_input(t), y = labels_input(t);
  tir_value lr = tir_input(t, "lr", TIR_DTYPE_F32, NULL, 0);
  tir_value w[N_PARAMS], v[N_PARAMS];
  for (int i = 0; i < N_PARAMS; i++) {
    char velocity[32];
    snprintf(velocity, sizeof velocity, "%s.velocity", names[i]);
    w[i] = tir_param(t, m, names[i]);
    v[i] = tir_param(t, m, velocity);
    tir_attach_grad(t, w[i], TIR_GRAD_WRITE);
  }
  tir_record_begin(t, true);
  tir_value loss = tir_cross_entropy(t, model(t, m, x), y);
  tir_mode_end(t);
  tir_backward(t, loss);
  tir_momentum(t, w, v, N_PARAMS, lr, tir_scalar(t, TIR_DTYPE_F32, 0.9),
               false);
  tir_output(t, "loss", loss);
  if (tir_capture_end(t, NULL, &error)) stop("train_step", &error);
}

static double accuracy(tir_context *c, tir_module *m,
                       const fashion_set *set) {
  tir_error error;
  tir_program *program;
  tir_instance *run;
  if (tir_compile(c, tir_module_graph(m, "forward"), NULL, &program,
                  &error) ||
      tir_instance_create(program, m, &run, &error))
    stop("forward", &error);
  size_t right = 0, at = 0;
  for (; at + BATCH <= set->n; at += BATCH) {
    if (tir_instance_bind_input(run, 0, set->images + at * FASHION_PIXELS,
                                BATCH * FASHION_PIXELS * sizeof(float),
                                &error) ||
        tir_run(run, NULL, &error))
      stop("forward", &error);
    const int64_t *found = tir_instance_output(run, 0);
    for (int i = 0; i < BATCH; i++)
      right += found[i] == set->labels[at + (size_t)i];
  }
  tir_instance_destroy(run);
  tir_program_destroy(program);
  return 100.0 * (double)right / (double)at;
}

static double train_epoch(tir_instance *step, const fashion_set *set,
                          const size_t *order, int epoch, float lr) {
  static float images[BATCH * FASHION_PIXELS];
  static int32_t labels[BATCH];
  tir_error error;
  if (tir_instance_bind_input(step, 0, images, sizeof images, &error) ||
      tir_instance_bind_input(step, 1, labels, sizeof labels, &error) ||
      tir_instance_bind_input(step, 2, &lr, sizeof lr, &error))
    stop("bind", &error);
  double sum = 0;
  size_t at = 0, n = 0;
  for (; at + BATCH <= set->n; at += BATCH, n++) {
    fashion_batch(set, order, at, BATCH, images, labels);
    if (tir_run(step, NULL, &error)) stop("train_step", &error);
    sum += *(const float *)tir_instance_output(step, 0);
    fashion_progress(epoch, at + BATCH, set->n, sum / (double)(n + 1));
  }
  return sum / (double)n;
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "fashion.tir";
  const int n_epochs = argc > 2 ? atoi(argv[2]) : 8;
  fashion_set train, test;
  if (fashion_load(fashion_directory(), "train", &train) ||
      fashion_load(fashion_directory(), "t10k", &test))
    return 1;
  tir_error error;
  tir_context *c;
  tir_tape *t;
  tir_module *m;
  const tir_tape_options options = {.seed = 7};
  if (tir_context_create(NULL, &c, &error) ||
      tir_tape_create(c, &options, &t, &error) ||
      tir_module_create(c, &m, &error))
    stop("start", &error);
  add_params(c, t, m);
  capture(t, m);
  tir_tape_destroy(t);

  tir_program *program;
  tir_instance *step;
  if (tir_compile(c, tir_module_graph(m, "train_step"), NULL, &program,
                  &error) ||
      tir_instance_create(program, m, &step, &error))
    stop("compile", &error);
  size_t *order = malloc(train.n * sizeof *order);
  if (!order) return 1;
  for (int epoch = 1; epoch <= n_epochs; epoch++) {
    fashion_shuffle(order, train.n, (uint64_t)epoch);
    // A learning rate that falls to zero: an input, so nothing recompiles.
    const float lr = 0.05f * (1 - (float)(epoch - 1) / (float)n_epochs);
    const double loss = train_epoch(step, &train, order, epoch, lr);
    printf("epoch %d: loss %.4f\n", epoch, loss);
  }
  printf("test accuracy: %.2f %%\n", accuracy(c, m, &test));
  char epochs[16];
  snprintf(epochs, sizeof epochs, "%d", n_epochs);
  if (tir_module_set_metadata(m, "epochs", epochs, &error) ||
      tir_module_save(m, path, &error))
    stop("save", &error);
  printf("saved %s\n", path);
  free(order);
  tir_instance_destroy(step);
  tir_program_destroy(program);
  tir_module_destroy(m);
  tir_context_destroy(c);
  fashion_free(&train);
  fashion_free(&test);
  return 0;
}
