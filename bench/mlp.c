// W3: a training step of an MLP 784-512-256-10; W3_tiny: 4-32-32-1 recorded
// and compiled; W9a: peak memory of a step of 32 layers of 1024.
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { MAX_LAYERS = 40 };

typedef struct mlp {
  int n_layers;
  int64_t widths[MAX_LAYERS + 1];
  int64_t batch;
  bool tanh, cross_entropy, last_active;
  tir_module *module;
  tir_program *program;
  tir_instance *instance;
  tir_tape *tape;
  void *x, *target;
  float lr;
} mlp;

static void fill_normal(float *data, size_t n, float scale) {
  // Sum of uniforms: close enough to normal for a benchmark, and fast.
  uint64_t state = 88172645463325252u;
  for (size_t i = 0; i < n; i++) {
    float sum = 0;
    for (int k = 0; k < 4; k++) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      sum += (float)(state >> 40) * 0x1p-24f - 0.5f;
    }
    data[i] = sum * 1.7320508f * scale;
  }
}

static const char *param_name(char buffer[16], int layer, char kind) {
  snprintf(buffer, 16, "fc%d.%c", layer, kind);
  return buffer;
}

static void add_param(const bench *b, mlp *m, const char *name,
                      const int64_t *dims, int rank, float scale) {
  tir_error error;
  tir_tensor *tensor;
  void *data;
  bench_check(
      tir_tensor_create(b->context, TIR_DTYPE_F32, dims, rank, &tensor, &error),
      &error, "tensor");
  bench_check(tir_tensor_write_begin(tensor, &data, &error), &error, "write");
  fill_normal(data, (size_t)tir_tensor_numel(tensor), scale);
  tir_tensor_write_end(tensor);
  bench_check(tir_module_add_param(m->module, name, TIR_PARAM_TRAINABLE, tensor,
                                   &error),
              &error, "param");
  tir_tensor_release(tensor);
}

static void make_module(const bench *b, mlp *m) {
  tir_error error;
  bench_check(tir_module_create(b->context, &m->module, &error), &error,
              "module");
  for (int i = 0; i < m->n_layers; i++) {
    char name[16];
    const int64_t dims[] = {m->widths[i], m->widths[i + 1]};
    const float scale = 1 / sqrtf((float)dims[0]);
    add_param(b, m, param_name(name, i, 'w'), dims, 2, scale);
    add_param(b, m, param_name(name, i, 'b'), dims + 1, 1, scale);
  }
  bench_check(tir_tape_create(b->context, NULL, &m->tape, &error), &error,
              "tape");
}

// Forward, backward and update; the same code recorded and captured.
static tir_value step(mlp *m, tir_value x, tir_value target, tir_value lr) {
  tir_tape *t = m->tape;
  tir_value w[2 * MAX_LAYERS];
  const size_t n = 2 * (size_t)m->n_layers;
  for (size_t i = 0; i < n; i++) {
    char name[16];
    w[i] = tir_param(t, m->module,
                     param_name(name, (int)(i / 2), i & 1 ? 'b' : 'w'));
    if (!tir_has_grad(t, w[i])) tir_attach_grad(t, w[i], TIR_GRAD_WRITE);
  }
  tir_record_begin(t, true);
  for (size_t i = 0; i < n; i += 2) {
    x = tir_add(t, tir_matmul(t, x, w[i]), w[i + 1]);
    if (i + 2 < n || m->last_active)
      x = m->tanh ? tir_tanh(t, x) : tir_relu(t, x);
  }
  const tir_value loss = m->cross_entropy ? tir_cross_entropy(t, x, target)
                                          : tir_mse(t, x, target);
  tir_mode_end(t);
  tir_backward(t, loss);
  tir_sgd(t, w, n, lr, false);
  return loss;
}

static size_t x_bytes(const mlp *m) {
  return (size_t)(m->batch * m->widths[0]) * sizeof(float);
}

static size_t target_bytes(const mlp *m) {
  return m->cross_entropy
             ? (size_t)m->batch * sizeof(int32_t)
             : (size_t)(m->batch * m->widths[m->n_layers]) * sizeof(float);
}

static void compile_step(const bench *b, mlp *m) {
  tir_error error;
  tir_tape *t = m->tape;
  const int64_t x_dims[] = {m->batch, m->widths[0]};
  const int64_t t_dims[] = {m->batch, m->widths[m->n_layers]};
  tir_capture_begin(t, m->module, "train_step");
  const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, x_dims, 2);
  const tir_value target =
      m->cross_entropy ? tir_input(t, "target", TIR_DTYPE_I32, t_dims, 1)
                       : tir_input(t, "target", TIR_DTYPE_F32, t_dims, 2);
  const tir_value lr = tir_input(t, "lr", TIR_DTYPE_F32, NULL, 0);
  tir_output(t, "loss", step(m, x, target, lr));
  bench_check(tir_capture_end(t, NULL, &error), &error, "capture");
  bench_check(tir_compile(b->context, tir_module_graph(m->module, "train_step"),
                          NULL, &m->program, &error),
              &error, "compile");
  bench_check(tir_instance_create(m->program, m->module, &m->instance, &error),
              &error, "instance");
  bench_check(tir_instance_bind_input(m->instance, 0, m->x, x_bytes(m), &error),
              &error, "bind");
  bench_check(tir_instance_bind_input(m->instance, 1, m->target,
                                      target_bytes(m), &error),
              &error, "bind");
  bench_check(
      tir_instance_bind_input(m->instance, 2, &m->lr, sizeof m->lr, &error),
      &error, "bind");
}

static void make_data(mlp *m) {
  m->x = malloc(x_bytes(m));
  m->target = calloc(1, target_bytes(m));
  if (!m->x || !m->target) exit(1);
  fill_normal(m->x, x_bytes(m) / sizeof(float), 1);
  for (int64_t i = 0; m->cross_entropy && i < m->batch; i++)
    ((int32_t *)m->target)[i] = (int32_t)(i % m->widths[m->n_layers]);
}

static void free_mlp(mlp *m) {
  tir_instance_destroy(m->instance);
  tir_program_destroy(m->program);
  tir_tape_destroy(m->tape);
  tir_module_destroy(m->module);
  free(m->x);
  free(m->target);
}

static void run_compiled(void *user) {
  mlp *m = user;
  tir_error error;
  bench_check(tir_run(m->instance, NULL, &error), &error, "run");
}

static void run_recorded(void *user) {
  mlp *m = user;
  tir_tape *t = m->tape;
  tir_error error;
  const int64_t x_dims[] = {m->batch, m->widths[0]};
  const int64_t t_dims[] = {m->batch, m->widths[m->n_layers]};
  tir_step_begin(t);
  const tir_value x = tir_value_from_data(t, TIR_DTYPE_F32, x_dims, 2, m->x);
  const tir_value target =
      tir_value_from_data(t, TIR_DTYPE_F32, t_dims, 2, m->target);
  step(m, x, target, tir_scalar(t, TIR_DTYPE_F32, m->lr));
  bench_check(tir_step_end(t, NULL, 0, &error), &error, "recorded step");
}

static void w9a(const bench *b) {
  mlp m = {.n_layers = 32, .batch = 1024, .last_active = true, .lr = 0.1f};
  for (int i = 0; i <= m.n_layers; i++) m.widths[i] = 1024;
  malloc_trim(0);  // with several numbers of threads this is not the first
  const double base = bench_status_kib("VmRSS");
  make_module(b, &m);
  make_data(&m);
  compile_step(b, &m);
  run_compiled(&m);
  bench_reset_peak();
  for (int i = 0; i < 3; i++) run_compiled(&m);
  const double mib = (bench_status_kib("VmHWM") - base) / 1024;
  bench_emit(b, "W9a_deep_mlp", "MiB", mib, mib);
  tir_memory_report report;
  tir_program_memory(m.program, &report);
  const double plan = (double)(report.block_bytes + report.param_bytes +
                               report.input_bytes + report.constant_bytes) /
                      (1 << 20);
  bench_emit(b, "W9a_plan", "MiB", plan, plan);
  bench_emit(b, "W9a_lower_bound_ratio", "x",
             (double)report.arena_bytes / (double)report.lower_bound_bytes,
             (double)report.arena_bytes / (double)report.lower_bound_bytes);
  bench_time(b, "W9a_deep_mlp_time", "ms", 1, run_compiled, &m);
  free_mlp(&m);
}

void bench_mlp(const bench *b) {
  // Memory first: what ran before would count.
  if (bench_wants(b, "W9a")) w9a(b);
  if (bench_wants(b, "W3")) {
    mlp m = {.n_layers = 3,
             .widths = {784, 512, 256, 10},
             .batch = 128,
             .cross_entropy = true,
             .lr = 0.1f};
    make_module(b, &m);
    make_data(&m);
    compile_step(b, &m);
    bench_time(b, "W3_mlp", "ms", 1, run_compiled, &m);
    free_mlp(&m);
  }
  if (bench_wants(b, "W3")) {
    mlp m = {.n_layers = 3,
             .widths = {4, 32, 32, 1},
             .batch = 32,
             .tanh = true,
             .lr = 0.1f};
    make_module(b, &m);
    make_data(&m);
    bench_time(b, "W3_tiny", "us", 1, run_recorded, &m);
    compile_step(b, &m);
    bench_time(b, "W3_tiny_compiled", "us", 1, run_compiled, &m);
    free_mlp(&m);
  }
}
