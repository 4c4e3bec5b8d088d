// Random numbers: Philox words (levels/random.c) turned into elements as
// docs/numerics.md §1.3 has it.
//
// An element depends on its position, seed, step and stream alone. So a cut
// needs no state: a unit starts at the number of its first block.
#include "exec/kernels/random.h"

#include <math.h>

#include "exec/kernels/levels.h"

enum { WORDS = 4 * TIR_EXEC_PHILOX_BLOCKS };

// A call makes TIR_EXEC_PHILOX_BLOCKS blocks; the last may make too many.
typedef struct random_params {
  tir_exec_philox_fn words;
  uint32_t out_arg;
  int64_t n;
  // Turns WORDS words into elements.
  void (*convert)(const uint32_t *words, int64_t n, void *out);
  int64_t per_call;  // elements of WORDS words
  int64_t n_calls;   // of p->words, for all elements
  int64_t per_unit;  // calls
  size_t elem_size;
} random_params;

// The 24 upper bits, all that a float below 1 can tell apart; the signed
// conversion is the quicker one, and exact.
static void uniform_f32(const uint32_t *w, int64_t n, void *out) {
  float *const to = out;
  for (int64_t i = 0; i < n; i++)
    to[i] = (float)(int32_t)(w[i] >> 8) * 0x1p-24f;
}

// 53 bits of two words.
static double bits53(uint32_t high, uint32_t low) {
  return (double)(high >> 5) * 0x1p26 + (double)(low >> 6);
}

static void uniform_f64(const uint32_t *w, int64_t n, void *out) {
  double *const to = out;
  for (int64_t i = 0; i < n; i++)
    to[i] = bits53(w[2 * i], w[2 * i + 1]) * 0x1p-53;
}

// Box and Muller's pair. u1 is above 0, so the logarithm is finite.
static void normal_pair(double u1, double u2, double out[2]) {
  const double radius = sqrt(-2 * log(u1));
  const double angle = 6.283185307179586 * u2;
  out[0] = radius * cos(angle);
  out[1] = radius * sin(angle);
}

// A pair takes two words, and four in f64. Pairs begin at even positions, also
// in the words of one call, so a cut never parts one.
static void normal_f32(const uint32_t *w, int64_t n, void *out) {
  float *const to = out;
  for (int64_t i = 0; i < n; i += 2) {
    double pair[2];
    normal_pair(((double)w[i] + 1) * 0x1p-32, (double)w[i + 1] * 0x1p-32, pair);
    to[i] = (float)pair[0];
    if (i + 1 < n) to[i + 1] = (float)pair[1];
  }
}

static void normal_f64(const uint32_t *w, int64_t n, void *out) {
  double *const to = out;
  for (int64_t i = 0; i < n; i += 2) {
    const uint32_t *const x = w + 2 * i;
    double pair[2];
    normal_pair((bits53(x[0], x[1]) + 1) * 0x1p-53,
                bits53(x[2], x[3]) * 0x1p-53, pair);
    to[i] = pair[0];
    if (i + 1 < n) to[i + 1] = pair[1];
  }
}

// state {seed, step}, stream [, like].
static tir_status random_run(const tir_exec_call *call) {
  const random_params *const p = call->params;
  const int64_t *const state = tir_exec_arg(call, 0);
  const int64_t *const stream = tir_exec_arg(call, 1);
  char *out = tir_exec_arg(call, p->out_arg);
  // SplitMix64's finaliser: neighbouring seeds and streams get unlike keys.
  uint64_t z = (uint64_t)state[0] ^ ((uint64_t)*stream * 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z = z ^ (z >> 31);
  const uint32_t key[2] = {(uint32_t)z, (uint32_t)(z >> 32)};
  const tir_exec_span span = tir_exec_span_of(call, p->n_calls, p->per_unit);
  uint64_t block = (uint64_t)span.first * TIR_EXEC_PHILOX_BLOCKS;
  out += (size_t)(span.first * p->per_call) * p->elem_size;
  for (int64_t k = span.first; k < span.end; k++) {
    const int64_t i = k * p->per_call;
    const int64_t m = p->n - i < p->per_call ? p->n - i : p->per_call;
    uint32_t words[WORDS];
    p->words(key, (uint64_t)state[1], block, words);
    p->convert(words, m, out);
    out += (size_t)m * p->elem_size;
    block += TIR_EXEC_PHILOX_BLOCKS;
  }
  return TIR_OK;
}

static tir_status prepare_random(tir_exec_prepare *q, bool is_normal) {
  const tir_dtype dtype = q->out[0].dtype;
  if (dtype != TIR_DTYPE_F32 && dtype != TIR_DTYPE_F64)
    return tir_exec_kernel_missing(q);
  const bool wide = dtype == TIR_DTYPE_F64;
  random_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  p->words = TIR_AT_LEVEL(tir_exec_random, q->cpu_level)->words;
  p->out_arg = (uint32_t)q->n_in;
  p->n = tir_ir_type_numel(&q->out[0]);
  p->convert = is_normal ? (wide ? normal_f64 : normal_f32)
                         : (wide ? uniform_f64 : uniform_f32);
  // A double takes two words, uniform or (by pairs) normal.
  p->per_call = wide ? WORDS / 2 : WORDS;
  p->elem_size = tir_dtype_size(dtype);
  p->n_calls = p->n / p->per_call + (p->n % p->per_call != 0);
  // Of an element; a normal one has its part of log, sqrt, sin and cos.
  const double cost = is_normal ? 32 : 4;
  p->per_unit = tir_exec_cut(q, p->n_calls, cost * (double)p->per_call);
  q->params = p;
  q->run = random_run;
  return TIR_OK;
}

static tir_status random_uniform_prepare(tir_exec_prepare *q) {
  return prepare_random(q, false);
}

const tir_exec_kernel_desc tir_kernel_random_uniform = {
    .prepare = random_uniform_prepare};

static tir_status random_normal_prepare(tir_exec_prepare *q) {
  return prepare_random(q, true);
}

const tir_exec_kernel_desc tir_kernel_random_normal = {
    .prepare = random_normal_prepare};
