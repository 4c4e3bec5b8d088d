#include "char_model.h"

#include <stdio.h>
#include <stdlib.h>

#include "tapeir/sites.h"

enum { MAX = 32 };
static const int back[] = {0, 2, 1, 3};
static const tir_value none;

tir_context *c;
tir_tape *t;
tir_module *m;
tir_error error;
static int64_t n_weights;

void check(tir_status status) {
  if (status == TIR_OK) return;
  fprintf(stderr, "%s\n", error.message);
  exit(1);
}

static const char *name_of(const char *what, int64_t i) {
  static char name[32];
  snprintf(name, sizeof name, "%s%d", what, (int)i);
  return name;
}

// A weight with what AdamW keeps of it, or a state alone.
static void add(const char *what, int64_t i, tir_param_kind kind,
                tir_dtype dtype, const int64_t *dims, int rank) {
  tir_tensor *x;
  check(tir_tensor_create(c, dtype, dims, rank, &x, &error));
  if (kind == TIR_PARAM_TRAINABLE)
    check(tir_init_normal(x, 0, 0.08, 7, (uint64_t)n_weights, &error));
  check(tir_module_add_param(m, name_of(what, i), kind, x, &error));
  tir_tensor_release(x);
  if (kind == TIR_PARAM_STATE) return;
  add("mean.", n_weights, TIR_PARAM_STATE, dtype, dims, rank);
  add("square.", n_weights++, TIR_PARAM_STATE, dtype, dims, rank);
}

static void weight(const char *what, int64_t i, int64_t rows, int64_t columns) {
  add(what, i, TIR_PARAM_TRAINABLE, TIR_DTYPE_F32, (int64_t[]){rows, columns},
      2);
}

void build(int64_t n_kinds) {
  const int64_t cache[] = {1, HEADS, LENGTH, WIDTH / HEADS};
  weight("embed.", 0, n_kinds, WIDTH);
  weight("place.", 0, LENGTH, WIDTH);
  weight("out.", 0, WIDTH, n_kinds);
  add("step.", 0, TIR_PARAM_STATE, TIR_DTYPE_I64, NULL, 0);
  for (int64_t i = 0; i < LAYERS; i++) {
    for (int k = 0; k < 4; k++)
      weight((const char *[]){"q.", "k.", "v.", "o."}[k], i, WIDTH, WIDTH);
    weight("up.", i, WIDTH, 4 * WIDTH);
    weight("down.", i, 4 * WIDTH, WIDTH);
    add("keys.", i, TIR_PARAM_STATE, TIR_DTYPE_F32, cache, 4);
    add("values.", i, TIR_PARAM_STATE, TIR_DTYPE_F32, cache, 4);
  }
}

static tir_value use(const char *what, int64_t i) {
  return tir_param(t, m, name_of(what, i));
}

static tir_value norm(tir_value x) {
  return tir_layer_norm(t, x, none, none, 1, 1e-5);
}

tir_value model(tir_value x, int64_t batch, int64_t rows, tir_value start,
                bool cached) {
  const int64_t split[] = {batch, rows, HEADS, WIDTH / HEADS};
  const int64_t joined[] = {batch, rows, WIDTH};
  const tir_value length = tir_add_scalar(t, start, (double)rows);
  x = tir_add(t, tir_embedding(t, use("embed.", 0), x),
              tir_slice_at(t, use("place.", 0), start, 0, rows));
  for (int64_t i = 0; i < LAYERS; i++) {
    tir_value p[3], y = norm(x);
    for (int k = 0; k < 3; k++) {
      p[k] = tir_matmul(t, y, use((const char *[]){"q.", "k.", "v."}[k], i));
      p[k] = tir_transpose(t, tir_reshape(t, p[k], split, 4), back, 4);
    }
    if (cached) {
      p[1] = tir_assign_slice(t, use("keys.", i), p[1], start, 2);
      p[2] = tir_assign_slice(t, use("values.", i), p[2], start, 2);
    }
    y = cached
            ? tir_attention_prefix(t, p[0], p[1], p[2], length, none, true, 0)
            : tir_attention(t, p[0], p[1], p[2], none, true, 0);
    y = tir_reshape(t, tir_transpose(t, y, back, 4), joined, 3);
    x = tir_add(t, x, tir_matmul(t, y, use("o.", i)));
    y = tir_gelu(t, tir_matmul(t, norm(x), use("up.", i)));
    x = tir_add(t, x, tir_matmul(t, y, use("down.", i)));
  }
  return tir_matmul(t, norm(x), use("out.", 0));
}

void want_gradients(void) {
  tir_value w[MAX];
  tir_module_variables(t, m, "", w, MAX);
}

void update(void) {
  const double numbers[] = {2e-3, 0.9, 0.99, 1e-8, 0.01};
  tir_value s[5], w[MAX], mean[MAX], square[MAX];
  tir_module_variables(t, m, "", w, MAX);
  for (int i = 0; i < 5; i++) s[i] = tir_scalar(t, TIR_DTYPE_F32, numbers[i]);
  for (int i = 0; i < n_weights; i++) {
    mean[i] = use("mean.", i);
    square[i] = use("square.", i);
  }
  tir_adamw(t, w, mean, square, (size_t)n_weights,
            (tir_adamw_values){s[0], s[1], s[2], s[3], s[4], use("step.", 0)},
            false);
}
