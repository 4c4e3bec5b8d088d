// Second order: a classifier that is trained not to be touchy.
//
// The loss contains a gradient, that of the cross entropy with respect to the
// image, so training differentiates a gradient. One captured step trains with
// and without it: the penalty's weight is an input. With it the gradient at
// test images is half as large, and a step along it turns fewer answers.
//
// usage: gradient_penalty [STEPS [TEST IMAGES]]
#include "fashion_data.h"
#include "must.h"
#include "tapeir/sites.h"

enum { BATCH = 100, N_LAYERS = 2, N_PARAMS = 4 };
static const int64_t widths[] = {FASHION_PIXELS, 64, FASHION_CLASSES};
static const char *const names[N_PARAMS] = {"w0", "w1", "b0", "b1"};
static tir_context *c;
static tir_tape *t;
static tir_module *m;
static float x[BATCH * FASHION_PIXELS];
static int32_t y[BATCH];

static void add_params(void) {
  for (int i = 0; i < N_PARAMS; i++) {
    const bool is_bias = i >= N_LAYERS;
    const int64_t *dims = widths + i % N_LAYERS + is_bias;
    tir_tensor *p;
    must(tir_tensor_create(c, TIR_DTYPE_F32, dims, 2 - is_bias, &p, &error));
    if (!is_bias) must(tir_init_xavier_normal(p, 1, 7, (uint64_t)i, &error));
    must(tir_module_add_param(m, names[i], TIR_PARAM_TRAINABLE, p, &error));
    tir_tensor_release(p);
  }
}

// Softplus bends everywhere; the second derivative of relu is zero.
static tir_value model(tir_value a) {
  a = tir_matmul(t, a, tir_param(t, m, "w0"));
  a = tir_softplus(t, tir_add(t, a, tir_param(t, m, "b0")));
  a = tir_matmul(t, a, tir_param(t, m, "w1"));
  return tir_add(t, a, tir_param(t, m, "b1"));
}

// The mean of the squared gradients, weighted.
static tir_value penalty_of(tir_value gradient) {
  const tir_value weight = tir_input(t, "penalty", TIR_DTYPE_F32, NULL, 0);
  const tir_value sum = tir_sum(t, tir_square(t, gradient), NULL, 0, false);
  return tir_mul_scalar(t, tir_mul(t, sum, weight), 1.0 / BATCH);
}

// The gradient's norm, the classes found, and those after a step of length 1
// along the gradient; an image has a norm of about 10.
static void look(tir_value images, tir_value gradient) {
  const tir_value norms = tir_norm(t, gradient, (int[]){1}, 1, true);
  const tir_value length = tir_maximum_scalar(t, norms, 1e-12);
  const tir_value step = tir_div(t, gradient, length);
  const tir_value pushed = model(tir_add(t, images, step));
  tir_output(t, "norm", tir_mean(t, norms, NULL, 0, false));
  tir_output(t, "found", tir_argmax(t, model(images), -1, false));
  tir_output(t, "pushed", tir_argmax(t, pushed, -1, false));
}

static tir_instance *capture(const char *name, bool is_step) {
  const int64_t dims[] = {BATCH, FASHION_PIXELS};
  tir_value w[N_PARAMS], gradient;
  tir_capture_begin(t, m, name);
  const tir_value images = tir_input(t, "images", TIR_DTYPE_F32, dims, 2);
  const tir_value labels = tir_input(t, "labels", TIR_DTYPE_I32, dims, 1);
  tir_attach_grad(t, images, TIR_GRAD_NULL);
  if (is_step) tir_module_variables(t, m, "", w, N_PARAMS);
  tir_record_begin(t, is_step);
  tir_value loss = tir_cross_entropy(t, model(images), labels);
  const tir_value sum = tir_mul_scalar(t, loss, BATCH);
  const tir_backward_options create = {.create_graph = true};
  tir_grad(t, &sum, 1, NULL, 0, &images, 1, &create, &gradient);
  if (is_step) loss = tir_add(t, loss, penalty_of(gradient));
  tir_mode_end(t);
  if (is_step) {
    tir_backward(t, loss);
    tir_sgd(t, w, N_PARAMS, tir_scalar(t, TIR_DTYPE_F32, 0.2), false);
  } else {
    look(images, gradient);
  }
  tir_program *program;
  tir_instance *run;
  must(tir_capture_end(t, NULL, &error));
  must(tir_compile(c, tir_module_graph(m, name), NULL, &program, &error));
  must(tir_instance_create(program, m, &run, &error));
  must(tir_instance_bind_input(run, 0, x, sizeof x, &error));
  must(tir_instance_bind_input(run, 1, y, sizeof y, &error));
  tir_program_destroy(program);
  return run;
}

typedef struct figures {
  double norm, accuracy, pushed;
} figures;

static figures train_and_test(const fashion_set *train, const fashion_set *test,
                              float penalty, size_t n_steps) {
  must(tir_module_create(c, &m, &error));
  add_params();
  tir_instance *step = capture("train_step", true);
  tir_instance *run = capture("test", false);
  must(tir_instance_bind_input(step, 2, &penalty, sizeof penalty, &error));
  for (size_t i = 0; i < n_steps; i++) {  // the rows are in no order
    fashion_batch(train, NULL, i * BATCH % train->n, BATCH, x, y);
    must(tir_run(step, NULL, &error));
  }
  figures f = {0};
  for (size_t at = 0; at + BATCH <= test->n; at += BATCH) {
    fashion_batch(test, NULL, at, BATCH, x, y);
    must(tir_run(run, NULL, &error));
    const int64_t *found = tir_instance_output(run, 1);
    const int64_t *pushed = tir_instance_output(run, 2);
    f.norm += *(const float *)tir_instance_output(run, 0) * BATCH;
    for (int i = 0; i < BATCH; i++) {
      f.accuracy += found[i] == y[i];
      f.pushed += pushed[i] == y[i];
    }
  }
  const double n = (double)test->n;
  f = (figures){f.norm / n, f.accuracy / n, f.pushed / n};
  printf("penalty %.2f: accuracy %.2f %%, gradient %.3f, pushed %.2f %%\n",
         (double)penalty, 100 * f.accuracy, f.norm, 100 * f.pushed);
  tir_instance_destroy(step);
  tir_instance_destroy(run);
  tir_module_destroy(m);
  return f;
}

int main(int argc, char **argv) {
  const size_t n_steps = argc > 1 ? (size_t)atol(argv[1]) : 1800;
  fashion_set train, test;
  if (fashion_load(fashion_directory(), "train", &train) ||
      fashion_load(fashion_directory(), "t10k", &test))
    return 1;
  if (argc > 2 && (size_t)atol(argv[2]) < test.n)
    test.n = (size_t)atol(argv[2]);
  must(tir_context_create(NULL, &c, &error));
  must(tir_tape_create(c, NULL, &t, &error));
  const figures plain = train_and_test(&train, &test, 0, n_steps);
  const figures calm = train_and_test(&train, &test, 0.3f, n_steps);
  tir_tape_destroy(t);
  tir_context_destroy(c);
  fashion_free(&train);
  fashion_free(&test);
  return !(calm.norm < 0.85 * plain.norm && calm.pushed > plain.pushed &&
           calm.accuracy > plain.accuracy - 0.05);
}
