// W1: y = 2 xᵀx with its gradient, recorded anew each call and compiled.
// W2: f(a) with its while loop, 11 turns, and the gradient.
#include "harness.h"

typedef struct tiny {
  tir_tape *tape;
  tir_value x;
  tir_instance *instance;
} tiny;

static tir_tape *new_tape(const bench *b) {
  tir_error error;
  tir_tape *tape;
  bench_check(tir_tape_create(b->context, NULL, &tape, &error), &error, "tape");
  return tape;
}

static tir_value twice_dot(tir_tape *t, tir_value x) {
  return tir_mul_scalar(t, tir_dot(t, tir_transpose(t, x, NULL, 0), x), 2);
}

// The step's end computes the gradient: it outlives the step.
static void w1_recorded(void *user) {
  const tiny *w = user;
  tir_error error;
  tir_step_begin(w->tape);
  tir_record_begin(w->tape, true);
  const tir_value y = twice_dot(w->tape, w->x);
  tir_mode_end(w->tape);
  tir_backward(w->tape, y);
  bench_check(tir_step_end(w->tape, NULL, 0, &error), &error, "W1");
}

static void run_instance(void *user) {
  const tiny *w = user;
  tir_error error;
  bench_check(tir_run(w->instance, NULL, &error), &error, "run");
}

static void w1_compiled(const bench *b, const float *data) {
  tir_error error;
  const int64_t dims[] = {4, 1};
  tir_tape *t = new_tape(b);
  tir_module *m;
  tir_program *program;
  tiny w;
  bench_check(tir_module_create(b->context, &m, &error), &error, "module");
  tir_capture_begin(t, m, "w1");
  const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, dims, 2);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = twice_dot(t, x);
  tir_mode_end(t);
  tir_backward(t, y);
  tir_output(t, "y", y);
  tir_output(t, "grad", tir_grad_of(t, x));
  bench_check(tir_capture_end(t, NULL, &error), &error, "capture");
  bench_check(tir_compile(b->context, tir_module_graph(m, "w1"), NULL, &program,
                          &error),
              &error, "compile");
  bench_check(tir_instance_create(program, m, &w.instance, &error), &error,
              "instance");
  bench_check(tir_instance_bind_input(w.instance, 0, data, 16, &error), &error,
              "bind");
  bench_time(b, "W1_compiled", "us", 1, run_instance, &w);
  tir_instance_destroy(w.instance);
  tir_program_destroy(program);
  tir_module_destroy(m);
  tir_tape_destroy(t);
}

static void w2(void *user) {
  const tiny *w = user;
  tir_tape *t = w->tape;
  tir_error error;
  tir_step_begin(t);
  tir_record_begin(t, true);
  tir_value b = tir_mul_scalar(t, w->x, 2);
  while (tir_read_scalar(t, tir_norm(t, b, NULL, 0, false)) < 1000)
    b = tir_mul_scalar(t, b, 2);
  const tir_value c = tir_read_scalar(t, tir_sum(t, b, NULL, 0, false)) > 0
                          ? b
                          : tir_mul_scalar(t, b, 100);
  tir_mode_end(t);
  tir_backward(t, c);
  bench_check(tir_step_end(t, NULL, 0, &error), &error, "W2");
}

void bench_tiny(const bench *b) {
  static const float x[] = {0, 1, 2, 3}, a[] = {0.37f};
  const int64_t column[] = {4, 1}, one[] = {1};
  if (bench_wants(b, "W1")) {
    tiny w = {.tape = new_tape(b)};
    w.x = tir_value_from_data(w.tape, TIR_DTYPE_F32, column, 2, x);
    tir_attach_grad(w.tape, w.x, TIR_GRAD_WRITE);
    bench_time(b, "W1", "us", 1, w1_recorded, &w);
    float grad[4];
    tir_error error;
    bench_check(tir_read_into(w.tape, tir_grad_of(w.tape, w.x), grad,
                              sizeof grad, &error),
                &error, "W1");
    if (grad[3] != 12) fprintf(stderr, "W1: wrong gradient\n");
    tir_tape_destroy(w.tape);
    w1_compiled(b, x);
  }
  if (bench_wants(b, "W2")) {
    tiny w = {.tape = new_tape(b)};
    w.x = tir_value_from_data(w.tape, TIR_DTYPE_F32, one, 1, a);
    tir_attach_grad(w.tape, w.x, TIR_GRAD_WRITE);
    bench_time(b, "W2", "us", 1, w2, &w);
    if (tir_read_scalar(w.tape, tir_grad_of(w.tape, w.x)) != 4096)
      fprintf(stderr, "W2: wrong gradient\n");
    tir_tape_destroy(w.tape);
  }
}
