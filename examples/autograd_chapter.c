// The autograd chapter: every result checked, three ways.
//
// Each program is recorded on a live tape, captured into a static graph and
// run, and saved to a file and loaded again; the three must agree bit for bit.
// Exits with 1 if any result is off.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tapeir/sites.h"
#include "tapeir/tapeir.h"

enum { MAX_VALUES = 4, MAX_ELEMENTS = 16 };

static int n_failures;

static void check(bool ok, const char *what) {
  printf("%s  %s\n", ok ? "ok  " : "FAIL", what);
  if (!ok) n_failures++;
}

static _Noreturn void stop(const char *where, const tir_error *error) {
  fprintf(stderr, "%s: %s\n", where, error->message);
  exit(1);
}

// --- the programs ----------------------------------------------------------
// Each takes the leaf x and writes the values it shows; the code is the same
// whether it is recorded or captured.

typedef size_t (*program_fn)(tir_tape *t, tir_value x, tir_value *out);

// 1.3 to 1.5: y = 2 xᵀx, and its gradient 4x.
static size_t twice_dot(tir_tape *t, tir_value x, tir_value *out) {
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_value y =
      tir_mul_scalar(t, tir_dot(t, tir_transpose(t, x, NULL, 0), x), 2);
  tir_mode_end(t);
  tir_backward(t, y);
  out[0] = y;
  out[1] = tir_grad_of(t, x);
  out[2] =
      tir_norm(t, tir_sub(t, out[1], tir_mul_scalar(t, x, 4)), NULL, 0, false);
  return 3;
}

// 1.6: a head that is no scalar means the sum of its elements.
static size_t non_scalar_head(tir_tape *t, tir_value x, tir_value *out) {
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_value y = tir_mul(t, tir_mul_scalar(t, x, 2), x);
  tir_mode_end(t);
  tir_backward(t, y);
  out[0] = tir_grad_of(t, x);
  return 1;
}

// 1.11: attaching a gradient to y cuts the graph there; the chain rule is
// then applied by hand with grad(y) as the head gradient.
static size_t chain_by_hand(tir_tape *t, tir_value x, tir_value *out) {
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_value y = tir_mul_scalar(t, x, 2);
  tir_attach_grad(t, y, TIR_GRAD_WRITE);
  tir_mode_end(t);
  tir_record_begin(t, true);
  tir_value z = tir_mul(t, y, x);
  tir_mode_end(t);
  tir_backward(t, z);
  tir_value y_grad = out[0] = tir_grad_of(t, y);
  tir_backward_ex(t, &y, 1, &y_grad, 1, NULL);
  out[1] = tir_grad_of(t, x);
  return 2;
}

// The book: x = ((1,2),(3,4)), z = 2x·x, with and without a head gradient.
static size_t head_gradient(tir_tape *t, tir_value x, tir_value *out) {
  static const float head_data[] = {10, 1, 0.1f, 0.01f};
  const int64_t dims[] = {2, 2};
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  const tir_backward_options keep = {.retain_graph = true};
  tir_record_begin(t, true);
  tir_value z = tir_mul(t, tir_mul_scalar(t, x, 2), x);
  tir_mode_end(t);
  tir_backward_ex(t, &z, 1, NULL, 0, &keep);
  out[0] = tir_grad_of(t, x);
  tir_value head = tir_value_from_data(t, TIR_DTYPE_F32, dims, 2, head_data);
  tir_backward_ex(t, &z, 1, &head, 1, NULL);
  out[1] = tir_grad_of(t, x);
  return 2;
}

// 1.8 to 1.10: control flow. Live, the while loop reads the data; a capture
// holds the trace of one call, replayed by its counts.
typedef struct trace {
  int n_doublings;
  bool positive;
} trace;

static trace replayed;

static tir_value f(tir_tape *t, tir_value a, trace *seen) {
  *seen = (trace){0};
  tir_value b = tir_mul_scalar(t, a, 2);
  while (tir_read_scalar(t, tir_norm(t, b, NULL, 0, false)) < 1000) {
    b = tir_mul_scalar(t, b, 2);
    seen->n_doublings++;
  }
  seen->positive = tir_read_scalar(t, tir_sum(t, b, NULL, 0, false)) > 0;
  return seen->positive ? b : tir_mul_scalar(t, b, 100);
}

static size_t replay(tir_tape *t, tir_value a, tir_value *out) {
  tir_attach_grad(t, a, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_value c = tir_mul_scalar(t, a, 2);
  for (int i = 0; i < replayed.n_doublings; i++) c = tir_mul_scalar(t, c, 2);
  if (!replayed.positive) c = tir_mul_scalar(t, c, 100);
  tir_mode_end(t);
  tir_backward(t, c);
  out[0] = c;
  out[1] = tir_grad_of(t, a);
  return 2;
}

// --- three ways to run one -------------------------------------------------

typedef struct results {
  size_t n;
  size_t size[MAX_VALUES];
  float data[MAX_VALUES][MAX_ELEMENTS];
} results;

static size_t numel(tir_tape *t, tir_value v) {
  size_t n = 1;
  for (int i = 0; i < tir_value_rank(t, v); i++)
    n *= (size_t)tir_value_dim(t, v, i);
  return n;
}

static results run_live(tir_context *c, program_fn fn, const int64_t *dims,
                        int rank, const float *data) {
  tir_error error;
  tir_tape *t;
  if (tir_tape_create(c, NULL, &t, &error)) stop("tape", &error);
  results r = {0};
  tir_value out[MAX_VALUES];
  r.n = fn(t, tir_value_from_data(t, TIR_DTYPE_F32, dims, rank, data), out);
  for (size_t i = 0; i < r.n; i++) {
    r.size[i] = numel(t, out[i]);
    if (tir_read_into(t, out[i], r.data[i], r.size[i] * sizeof(float), &error))
      stop("read", &error);
  }
  if (tir_tape_check(t, &error)) stop("live", &error);
  tir_tape_destroy(t);
  return r;
}

static results run_graph(tir_context *c, tir_module *m, const float *data,
                         size_t bytes, const results *like) {
  tir_error error;
  tir_program *program;
  tir_instance *instance;
  if (tir_compile(c, tir_module_graph(m, "f"), NULL, &program, &error))
    stop("compile", &error);
  if (tir_instance_create(program, m, &instance, &error))
    stop("instance", &error);
  if (tir_instance_bind_input(instance, 0, data, bytes, &error) ||
      tir_run(instance, NULL, &error))
    stop("run", &error);
  results r = *like;
  memset(r.data, 0, sizeof r.data);
  for (size_t i = 0; i < r.n; i++)
    memcpy(r.data[i], tir_instance_output(instance, i),
           r.size[i] * sizeof(float));
  tir_instance_destroy(instance);
  tir_program_destroy(program);
  return r;
}

static tir_module *capture(tir_context *c, program_fn fn, const int64_t *dims,
                           int rank) {
  tir_error error;
  tir_tape *t;
  tir_module *m;
  if (tir_tape_create(c, NULL, &t, &error)) stop("tape", &error);
  if (tir_module_create(c, &m, &error)) stop("module", &error);
  tir_capture_begin(t, m, "f");
  tir_value out[MAX_VALUES];
  const size_t n = fn(t, tir_input(t, "x", TIR_DTYPE_F32, dims, rank), out);
  for (size_t i = 0; i < n; i++) {
    char name[32];
    snprintf(name, sizeof name, "out%zu", i);
    tir_output(t, name, out[i]);
  }
  if (tir_capture_end(t, NULL, &error)) stop("capture", &error);
  tir_tape_destroy(t);
  return m;
}

// Runs a program three ways, checks that the bits agree, returns the results.
static results run(tir_context *c, const char *name, program_fn fn,
                   const int64_t *dims, int rank, const float *data) {
  size_t bytes = sizeof(float);
  for (int i = 0; i < rank; i++) bytes *= (size_t)dims[i];
  const results live = run_live(c, fn, dims, rank, data);
  tir_module *m = capture(c, fn, dims, rank);
  const results captured = run_graph(c, m, data, bytes, &live);
  char path[64], text[96];
  snprintf(path, sizeof path, "autograd_chapter.%s.tir", name);
  tir_error error;
  if (tir_module_save(m, path, &error)) stop("save", &error);
  tir_module_destroy(m);
  if (tir_module_load(c, path, NULL, &m, &error)) stop("load", &error);
  const results loaded = run_graph(c, m, data, bytes, &live);
  tir_module_destroy(m);
  remove(path);
  snprintf(text, sizeof text, "%s: live, captured, loaded: same bits", name);
  check(memcmp(&live, &captured, sizeof live) == 0 &&
            memcmp(&live, &loaded, sizeof live) == 0,
        text);
  return live;
}

static bool equal(const results *r, size_t i, const float *want) {
  return memcmp(r->data[i], want, r->size[i] * sizeof(float)) == 0;
}

// --- the chapter -----------------------------------------------------------

static void show_arange(tir_context *c) {
  tir_error error;
  tir_tape *t;
  if (tir_tape_create(c, NULL, &t, &error)) stop("tape", &error);
  const int64_t dims[] = {4, 1};
  tir_value x = tir_reshape(t, tir_arange(t, TIR_DTYPE_F32, 4), dims, 2);
  char text[128];
  tir_format_value(t, x, text, sizeof text);
  printf("x = %s <%s %lldx%lld>\n", text, tir_dtype_name(tir_value_dtype(t, x)),
         (long long)tir_value_dim(t, x, 0), (long long)tir_value_dim(t, x, 1));
  check(strcmp(text, "[[0.] [1.] [2.] [3.]]") == 0, "1.1 x prints as rows");
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_format_value(t, tir_grad_of(t, x), text, sizeof text);
  check(strcmp(text, "[[0.] [0.] [0.] [0.]]") == 0,
        "1.2 the gradient of a new variable is zeros");
  check(!tir_is_training(t), "1.7 training is off outside record");
  tir_record_begin(t, true);
  check(tir_is_training(t), "1.7 and on inside");
  tir_predict_begin(t);
  check(tir_is_recording(t) && !tir_is_training(t),
        "1.7 predict mode leaves recording on");
  tir_mode_end(t);
  tir_mode_end(t);
  if (tir_tape_check(t, &error)) stop("arange", &error);
  tir_tape_destroy(t);
}

static void show_control_flow(tir_context *c) {
  static const int64_t dims[] = {1};
  bool exact = true, both[2] = {false, false};
  for (unsigned seed = 1; seed <= 40; seed++) {
    tir_error error;
    tir_tape *t;
    const tir_tape_options options = {.seed = seed};
    if (tir_tape_create(c, &options, &t, &error)) stop("tape", &error);
    tir_value a = tir_normal(t, TIR_DTYPE_F32, dims, 0, 0, 1);
    tir_attach_grad(t, a, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    tir_value d = f(t, a, &replayed);
    tir_mode_end(t);
    tir_backward(t, d);
    both[replayed.positive] = true;
    // f is linear: f(a) == grad(a) · a always holds to the bit. f(a) / a gives
    // the gradient back where f(a) was exact, which 100 b need not be.
    tir_value grad = tir_grad_of(t, a);
    const double slope = tir_read_scalar(t, grad);
    const double quotient = tir_read_scalar(t, tir_div(t, d, a));
    const double product = tir_read_scalar(t, tir_mul(t, grad, a));
    exact =
        exact && product == tir_read_scalar(t, d) &&
        fabs(quotient - slope) <= (replayed.positive ? 0 : slope * FLT_EPSILON);
    if (tir_tape_check(t, &error)) stop("control flow", &error);
    tir_tape_destroy(t);
  }
  check(exact, "1.8-1.10 grad(a) == f(a) / a, 40 seeds");
  check(both[0] && both[1], "1.8-1.10 both branches were taken");
  const float a = 0.37f;
  replayed = (trace){11, true};
  const results r = run(c, "control_flow", replay, dims, 1, &a);
  check(r.data[1][0] == 4096, "1.10 gradient at 0.37 is 4096");
}

int main(void) {
  tir_error error;
  tir_context *c;
  if (tir_context_create(NULL, &c, &error)) stop("context", &error);
  static const int64_t column[] = {4, 1}, square[] = {2, 2};
  static const float x[] = {0, 1, 2, 3}, book[] = {1, 2, 3, 4};

  show_arange(c);
  results r = run(c, "twice_dot", twice_dot, column, 2, x);
  check(r.data[0][0] == 28, "1.3 y = [[28.]]");
  check(equal(&r, 1, (const float[]){0, 4, 8, 12}), "1.5 grad = 0 4 8 12");
  check(r.data[2][0] == 0, "1.5 norm(grad - 4x) == 0");
  r = run(c, "non_scalar_head", non_scalar_head, column, 2, x);
  check(equal(&r, 0, (const float[]){0, 4, 8, 12}), "1.6 grad = 0 4 8 12");
  show_control_flow(c);
  r = run(c, "chain_by_hand", chain_by_hand, column, 2, x);
  check(equal(&r, 0, x), "1.11 grad(y) == x");
  check(equal(&r, 1, (const float[]){0, 2, 4, 6}), "1.11 grad(x) == 2x");
  r = run(c, "head_gradient", head_gradient, square, 2, book);
  check(equal(&r, 0, (const float[]){4, 8, 12, 16}), "book: 4 8 12 16");
  check(fabsf(r.data[1][0] - 40) < 1e-5f && fabsf(r.data[1][1] - 8) < 1e-6f &&
            fabsf(r.data[1][2] - 1.2f) < 1e-6f &&
            fabsf(r.data[1][3] - 0.16f) < 1e-7f,
        "book: with head gradient 40 8 1.2 0.16");
  tir_context_destroy(c);
  printf(n_failures ? "%d results are off\n" : "all results hold\n",
         n_failures);
  return n_failures != 0;
}
