// attention: 8 × 4 heads of 64, 128 and 1,024 positions, causal; as one op and
// written out; forward, and with the gradient.
// decode: one more token with keys and values of 8 heads of 64 in states.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { HEADS = 4, HEAD = 64 };

typedef struct attention {
  tir_module *module;
  tir_instance *instance;
  float *data;
  tir_error error;
} attention;

static void run(void *user) {
  attention *a = user;
  bench_check(tir_run(a->instance, NULL, &a->error), &a->error, "attention");
}

static tir_value written_out(tir_tape *t, tir_value q, int64_t n) {
  const tir_value s =
      tir_matmul_t(t, tir_mul_scalar(t, q, 1 / sqrt(HEAD)), q, false, true);
  const int64_t dims[] = {n, n};
  const tir_value seen = tir_tril(t, tir_ones(t, TIR_DTYPE_F32, dims, 2), 0);
  const tir_value hidden =
      tir_where(t, tir_greater(t, seen, tir_zeros_like(t, seen)), s,
                tir_full_like(t, s, -INFINITY));
  return tir_matmul(t, tir_softmax(t, hidden, -1), q);
}

static void end(const bench *b, tir_tape *t, const char *name, attention *a) {
  tir_program *program;
  bench_check(tir_capture_end(t, NULL, &a->error), &a->error, name);
  bench_check(tir_compile(b->context, tir_module_graph(a->module, name), NULL,
                          &program, &a->error),
              &a->error, name);
  bench_check(tir_instance_create(program, a->module, &a->instance, &a->error),
              &a->error, name);
  tir_program_destroy(program);
  tir_tape_destroy(t);
}

static tir_tape *begin(const bench *b, attention *a, const char *name) {
  tir_tape *t;
  bench_check(tir_module_create(b->context, &a->module, &a->error), &a->error,
              name);
  bench_check(tir_tape_create(b->context, NULL, &t, &a->error), &a->error,
              name);
  return t;
}

static void finish(attention *a) {
  tir_instance_destroy(a->instance);
  tir_module_destroy(a->module);
  free(a->data);
}

static void whole(const bench *b, int64_t batch, int64_t n, bool fused,
                  bool backward) {
  char name[64];
  snprintf(name, sizeof name, "attention_%d_%s%s", (int)n,
           fused ? "op" : "written", backward ? "_fwd_bwd" : "");
  if (!bench_wants(b, name)) return;
  attention a = {0};
  tir_tape *t = begin(b, &a, name);
  const int64_t dims[] = {batch, HEADS, n, HEAD};
  const size_t size = (size_t)(batch * HEADS * n * HEAD) * sizeof *a.data;
  a.data = malloc(size);
  for (size_t i = 0; a.data && i < size / sizeof *a.data; i++)
    a.data[i] = sinf((float)i);
  tir_capture_begin(t, a.module, name);
  const tir_value q = tir_input(t, "q", TIR_DTYPE_F32, dims, 4);
  const tir_value none = {0};
  if (backward) tir_attach_grad(t, q, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y =
      fused ? tir_attention(t, q, q, q, none, true, 0) : written_out(t, q, n);
  tir_mode_end(t);
  if (backward) tir_backward(t, y);
  tir_output(t, "y", y);
  if (backward) tir_output(t, "grad", tir_grad_of(t, q));
  end(b, t, name, &a);
  bench_check(tir_instance_bind_input(a.instance, 0, a.data, size, &a.error),
              &a.error, name);
  bench_time(b, name, "ms", 1, run, &a);
  finish(&a);
}

// One token at position `length` − 1 of a state of `n`.
static void decode(const bench *b, int64_t n, int64_t length) {
  char name[64];
  snprintf(name, sizeof name, "decode_%d_of_%d", (int)length, (int)n);
  if (!bench_wants(b, name)) return;
  attention a = {0};
  tir_tape *t = begin(b, &a, name);
  const int64_t one[] = {1, 8, 1, HEAD}, all[] = {1, 8, n, HEAD};
  const char *const states[] = {"k", "v"};
  for (int i = 0; i < 2; i++) {
    tir_tensor *x;
    bench_check(
        tir_tensor_create(b->context, TIR_DTYPE_F32, all, 4, &x, &a.error),
        &a.error, name);
    bench_check(
        tir_module_add_param(a.module, states[i], TIR_PARAM_STATE, x, &a.error),
        &a.error, name);
    tir_tensor_release(x);
  }
  float data[8 * HEAD];
  for (int i = 0; i < 8 * HEAD; i++) data[i] = sinf((float)i);
  const int64_t start = length - 1;
  tir_capture_begin(t, a.module, name);
  const tir_value q = tir_input(t, "q", TIR_DTYPE_F32, one, 4);
  const tir_value at = tir_input(t, "start", TIR_DTYPE_I64, NULL, 0);
  tir_value now[2];
  for (int i = 0; i < 2; i++)
    now[i] = tir_assign_slice(t, tir_param(t, a.module, states[i]), q, at, 2);
  const tir_value none = {0};
  tir_output(t, "y",
             tir_attention_prefix(t, q, now[0], now[1],
                                  tir_add_scalar(t, at, 1), none, true, 0));
  end(b, t, name, &a);
  bench_check(
      tir_instance_bind_input(a.instance, 0, data, sizeof data, &a.error),
      &a.error, name);
  bench_check(
      tir_instance_bind_input(a.instance, 1, &start, sizeof start, &a.error),
      &a.error, name);
  bench_time(b, name, "us", 1, run, &a);
  finish(&a);
}

void bench_attention(const bench *b) {
  for (int backward = 0; backward < 2; backward++)
    for (int fused = 0; fused < 2; fused++) {
      whole(b, 8, 128, fused, backward);
      whole(b, 1, 1024, fused, backward);
    }
  decode(b, 256, 128);
  decode(b, 8192, 128);
  decode(b, 8192, 1024);
  decode(b, 8192, 8192);
}
