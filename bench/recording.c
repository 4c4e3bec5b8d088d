// W11: nanoseconds per recorded small op on a plan-cache hit, and per step of
// a compiled program of 1,000 tiny ops. W12: compile time per node.
#include "harness.h"

enum { N_OPS = 1000 };

typedef struct chain {
  const bench *b;
  tir_tape *tape;
  tir_value x;
  tir_instance *instance;
  tir_module *module;
} chain;

static tir_value record_chain(tir_tape *t, tir_value x, int n) {
  tir_value y = x;
  for (int i = 0; i < n; i++) y = i & 1 ? tir_add(t, y, x) : tir_mul(t, y, x);
  return y;
}

static void recorded(void *user) {
  chain *w = user;
  tir_error error;
  tir_step_begin(w->tape);
  const tir_value y = record_chain(w->tape, w->x, N_OPS);
  bench_check(tir_step_end(w->tape, &y, 1, &error), &error, "W11");
  tir_value_release(w->tape, y);
}

static void run_compiled(void *user) {
  chain *w = user;
  tir_error error;
  bench_check(tir_run(w->instance, NULL, &error), &error, "W11");
}

void bench_recording(const bench *b) {
  if (!bench_wants(b, "W11")) return;
  static const float data[] = {1.0f, 0.5f, -0.5f, 0.25f};
  const int64_t dims[] = {4};
  tir_error error;
  tir_program *program;
  chain w = {.b = b};
  bench_check(tir_tape_create(b->context, NULL, &w.tape, &error), &error,
              "tape");
  w.x = tir_value_from_data(w.tape, TIR_DTYPE_F32, dims, 1, data);
  // Recording, key, look-up and the run itself, per op.
  bench_time(b, "W11_record", "ns", N_OPS, recorded, &w);

  bench_check(tir_module_create(b->context, &w.module, &error), &error,
              "module");
  tir_capture_begin(w.tape, w.module, "chain");
  const tir_value x = tir_input(w.tape, "x", TIR_DTYPE_F32, dims, 1);
  tir_output(w.tape, "y", record_chain(w.tape, x, N_OPS));
  bench_check(tir_capture_end(w.tape, NULL, &error), &error, "capture");
  const tir_compile_options none = {.pipeline = "none"};
  bench_check(tir_compile(b->context, tir_module_graph(w.module, "chain"),
                          &none, &program, &error),
              &error, "compile");
  bench_check(tir_instance_create(program, w.module, &w.instance, &error),
              &error, "instance");
  bench_check(tir_instance_bind_input(w.instance, 0, data, sizeof data, &error),
              &error, "bind");
  bench_time(b, "W11_step", "ns", N_OPS, run_compiled, &w);
  tir_instance_destroy(w.instance);
  tir_program_destroy(program);
  tir_module_destroy(w.module);
  tir_tape_destroy(w.tape);
}

static void compile_once(const bench *b, int n_nodes, const char *key) {
  const int64_t dims[] = {4};
  tir_error error;
  tir_tape *t;
  tir_module *m;
  tir_program *program;
  bench_check(tir_tape_create(b->context, NULL, &t, &error), &error, "tape");
  bench_check(tir_module_create(b->context, &m, &error), &error, "module");
  const double start = bench_now_s();
  tir_capture_begin(t, m, "chain");
  const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, dims, 1);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = record_chain(t, x, n_nodes);
  tir_mode_end(t);
  tir_backward(t, y);
  tir_output(t, "grad", tir_grad_of(t, x));
  tir_graph *graph;
  bench_check(tir_capture_end(t, &graph, &error), &error, "capture");
  const double captured = bench_now_s();
  bench_check(tir_compile(b->context, graph, NULL, &program, &error), &error,
              "compile");
  const double end = bench_now_s();
  const double n = (double)tir_graph_n_nodes(graph);
  bench_emit(b, key, "us", (end - captured) * 1e6 / n,
             (end - captured) * 1e6 / n);
  char capture_key[32];
  snprintf(capture_key, sizeof capture_key, "%s_capture", key);
  bench_emit(b, capture_key, "us", (captured - start) * 1e6 / n,
             (captured - start) * 1e6 / n);
  tir_program_destroy(program);
  tir_module_destroy(m);
  tir_tape_destroy(t);
}

void bench_compile(const bench *b) {
  if (!bench_wants(b, "W12")) return;
  compile_once(b, 500, "W12_1e3");
  compile_once(b, 5000, "W12_1e4");
  compile_once(b, 50000, "W12_1e5");
  compile_once(b, 500000, "W12_1e6");
}
