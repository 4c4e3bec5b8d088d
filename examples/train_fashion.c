// Trains a small classifier on Fashion-MNIST and saves it as a .tir file.
//
// The model is recorded once: `forward` and `train_step` are captured into a
// module and share its parameters and momentum; the learning rate is an input
// of the step. The file holds all of it, so resume_fashion.c goes on training
// without any of this code.
#include "fashion_data.h"
#include "must.h"
#include "tapeir/sites.h"

enum { BATCH = 100, N_LAYERS = 3, N_PARAMS = 2 * N_LAYERS };

static const int64_t widths[N_LAYERS + 1] = {FASHION_PIXELS, 256, 128,
                                             FASHION_CLASSES};
static const char *const names[N_PARAMS] = {"fc1.w", "fc1.b", "fc2.w",
                                            "fc2.b", "fc3.w", "fc3.b"};

static tir_context *c;
static tir_tape *t;
static tir_module *m;

static const char *velocity_of(int param) {
  static char name[32];
  snprintf(name, sizeof name, "%s.velocity", names[param]);
  return name;
}

// He-initialised weights, zero biases, and zero momentum for each.
static void add_params(void) {
  for (int i = 0; i < N_PARAMS; i++) {
    const bool is_bias = i & 1;
    tir_tensor *x;
    must(tir_tensor_create(c, TIR_DTYPE_F32, widths + i / 2 + is_bias,
                           2 - is_bias, &x, &error));
    must(tir_module_add_param(m, velocity_of(i), TIR_PARAM_STATE, x, &error));
    if (!is_bias) must(tir_init_he_normal(x, 7, (uint64_t)i, &error));
    must(tir_module_add_param(m, names[i], TIR_PARAM_TRAINABLE, x, &error));
    tir_tensor_release(x);
  }
}

static tir_value model(tir_value x) {
  for (int i = 0; i < N_LAYERS; i++) {
    x = tir_matmul(t, x, tir_param(t, m, names[2 * i]));
    x = tir_add(t, x, tir_param(t, m, names[2 * i + 1]));
    if (i + 1 < N_LAYERS) x = tir_relu(t, x);
  }
  return x;
}

// The first dim has a name: its size is chosen where a graph is compiled.
static const int64_t dims[] = {BATCH, FASHION_PIXELS};
static const char *const symbols[] = {"batch", NULL};

static tir_value images_input(void) {
  return tir_input_symbolic(t, "images", TIR_DTYPE_F32, dims, symbols, 2);
}

static tir_value labels_input(void) {
  return tir_input_symbolic(t, "labels", TIR_DTYPE_I32, dims, symbols, 1);
}

static void capture(void) {
  tir_capture_begin(t, m, "forward");
  tir_value logits = model(images_input());
  tir_output(t, "class", tir_argmax(t, logits, -1, false));
  tir_output(t, "logits", logits);
  must(tir_capture_end(t, NULL, &error));

  tir_capture_begin(t, m, "loss");
  logits = model(images_input());
  tir_output(t, "loss", tir_cross_entropy(t, logits, labels_input()));
  must(tir_capture_end(t, NULL, &error));

  tir_capture_begin(t, m, "train_step");
  tir_value x = images_input(), y = labels_input();
  tir_value lr = tir_input(t, "lr", TIR_DTYPE_F32, NULL, 0);
  tir_value w[N_PARAMS], v[N_PARAMS];
  for (int i = 0; i < N_PARAMS; i++) {
    w[i] = tir_param(t, m, names[i]);
    v[i] = tir_param(t, m, velocity_of(i));
    tir_attach_grad(t, w[i], TIR_GRAD_WRITE);
  }
  tir_record_begin(t, true);
  tir_value loss = tir_cross_entropy(t, model(x), y);
  tir_mode_end(t);
  tir_backward(t, loss);
  tir_momentum(t, w, v, N_PARAMS, lr, tir_scalar(t, TIR_DTYPE_F32, 0.9), false);
  tir_output(t, "loss", loss);
  must(tir_capture_end(t, NULL, &error));
}

static tir_instance *prepare(const char *name) {
  tir_program *program;
  tir_instance *run;
  must(tir_compile(c, tir_module_graph(m, name), NULL, &program, &error));
  must(tir_instance_create(program, m, &run, &error));
  tir_program_destroy(program);
  return run;
}

static double accuracy(const fashion_set *set) {
  tir_instance *run = prepare("forward");
  size_t right = 0, at = 0;
  for (; at + BATCH <= set->n; at += BATCH) {
    must(tir_instance_bind_input(run, 0, set->images + at * FASHION_PIXELS,
                                 BATCH * FASHION_PIXELS * sizeof(float),
                                 &error));
    must(tir_run(run, NULL, &error));
    const int64_t *found = tir_instance_output(run, 0);
    for (size_t i = 0; i < BATCH; i++) right += found[i] == set->labels[at + i];
  }
  tir_instance_destroy(run);
  return 100.0 * (double)right / (double)at;
}

static double train_epoch(tir_instance *step, const fashion_set *set,
                          const size_t *order, int epoch, float lr,
                          double reached) {
  static float images[BATCH * FASHION_PIXELS];
  static int32_t labels[BATCH];
  must(tir_instance_bind_input(step, 0, images, sizeof images, &error));
  must(tir_instance_bind_input(step, 1, labels, sizeof labels, &error));
  must(tir_instance_bind_input(step, 2, &lr, sizeof lr, &error));
  double sum = 0;
  size_t at = 0, n = 0;
  for (; at + BATCH <= set->n; at += BATCH, n++) {
    fashion_batch(set, order, at, BATCH, images, labels);
    must(tir_run(step, NULL, &error));
    sum += (double)*(const float *)tir_instance_output(step, 0);
    fashion_progress(epoch, at + BATCH, set->n, sum / (double)(n + 1), reached);
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
  must(tir_context_create(NULL, &c, &error));
  must(tir_tape_create(c, NULL, &t, &error));
  must(tir_module_create(c, &m, &error));
  add_params();
  capture();
  tir_tape_destroy(t);
  tir_instance *step = prepare("train_step");
  size_t *order = malloc(train.n * sizeof *order);
  if (!order) return 1;
  double reached = n_epochs > 0 ? accuracy(&test) : 0;
  for (int epoch = 1; epoch <= n_epochs; epoch++) {
    fashion_shuffle(order, train.n, (uint64_t)epoch);
    // A learning rate that falls to zero: an input, so nothing recompiles.
    const float lr = 0.05f * (1 - (float)(epoch - 1) / (float)n_epochs);
    const double loss = train_epoch(step, &train, order, epoch, lr, reached);
    reached = accuracy(&test);
    printf("epoch %d: loss %.4f, accuracy %.2f %%\n", epoch, loss, reached);
  }
  if (n_epochs > 0) printf("test accuracy: %.2f %%\n", reached);
  char epochs[16];
  snprintf(epochs, sizeof epochs, "%d", n_epochs);
  must(tir_module_set_metadata(m, "epochs", epochs, &error));
  must(tir_module_save(m, path, &error));
  printf("saved %s\n", path);
  free(order);
  tir_instance_destroy(step);
  tir_module_destroy(m);
  tir_context_destroy(c);
  fashion_free(&train);
  fashion_free(&test);
  return n_epochs >= 8 && reached < 88;
}
