// Reference: random numbers, as docs/numerics.md defines them.
//
// Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
// 1, 2, 3" (SC 2011), Philox4x32-10; Box and Muller, "A note on the
// generation of random normal deviates" (1958).

#include "ir/reference/random.h"

#include <math.h>

#include "ir/reference/element.h"

// Ten rounds: two 32-bit words times constants, the halves crossed over and
// mixed with a key that steps by constants of its own.
void tir_reference_philox(const uint32_t counter[4], const uint32_t key[2],
                          uint32_t out[4]) {
  uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
  uint32_t k[2] = {key[0], key[1]};
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c[0];
    const uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2];
    const uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k[0], (uint32_t)p1,
                              (uint32_t)(p0 >> 32) ^ c[3] ^ k[1], (uint32_t)p0};
    for (int i = 0; i < 4; i++) c[i] = next[i];
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  for (int i = 0; i < 4; i++) out[i] = c[i];
}

// The finish of splitmix64: keys of nearby seeds and streams have nothing in
// common.
void tir_reference_random_key(uint64_t seed, uint64_t stream,
                              uint32_t out_key[2]) {
  uint64_t z = seed ^ (stream * 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z = z ^ (z >> 31);
  out_key[0] = (uint32_t)z;
  out_key[1] = (uint32_t)(z >> 32);
}

// state {seed, step}, stream [, like].
typedef struct source {
  uint32_t key[2];
  uint64_t step;
} source;

static source open_source(const tir_reference_call *call) {
  source s;
  const uint64_t seed = (uint64_t)tir_reference_get_int(call, 0, 0);
  const uint64_t stream = (uint64_t)tir_reference_get_int(call, 1, 0);
  tir_reference_random_key(seed, stream, s.key);
  s.step = (uint64_t)tir_reference_get_int(call, 0, 1);
  return s;
}

// The counter is the block's number and the step: no two steps of a stream
// share a block.
static void block(const source *s, int64_t number, uint32_t out[4]) {
  const uint64_t b = (uint64_t)number;
  const uint32_t counter[4] = {(uint32_t)b, (uint32_t)(b >> 32),
                               (uint32_t)s->step, (uint32_t)(s->step >> 32)};
  tir_reference_philox(counter, s->key, out);
}

// 53 bits of two words as a whole number below 2^53.
static double bits53(uint32_t high, uint32_t low) {
  return (double)(high >> 5) * 0x1p26 + (double)(low >> 6);
}

// Multiples of 2^-53 (f32: 2^-24) in [0, 1). A block of four words makes two
// f64 or four f32.
tir_status tir_reference_random_uniform(const tir_reference_call *call) {
  const source s = open_source(call);
  const bool is_f64 = call->out[0].dtype == TIR_DTYPE_F64;
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t e = 0; e < n; e++) {
    uint32_t w[4];
    double x = 0;
    if (is_f64) {
      block(&s, e / 2, w);
      x = bits53(w[2 * (e % 2)], w[2 * (e % 2) + 1]) * 0x1p-53;
    } else {
      block(&s, e / 4, w);
      x = (double)(w[e % 4] >> 8) * 0x1p-24;
    }
    tir_reference_put(call, 0, e, x);
  }
  return TIR_OK;
}

// Box and Muller: √(−2 ln u1) · cos or sin of 2π·u2, one pair of numbers for
// each pair of results. u1 is never 0, so the logarithm is finite.
tir_status tir_reference_random_normal(const tir_reference_call *call) {
  const source s = open_source(call);
  const bool is_f64 = call->out[0].dtype == TIR_DTYPE_F64;
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t e = 0; e < n; e++) {
    const int64_t pair = e / 2;
    uint32_t w[4];
    double u1 = 0;
    double u2 = 0;
    if (is_f64) {
      block(&s, pair, w);
      u1 = (bits53(w[0], w[1]) + 1) * 0x1p-53;
      u2 = bits53(w[2], w[3]) * 0x1p-53;
    } else {
      block(&s, pair / 2, w);
      u1 = ((double)w[2 * (pair % 2)] + 1) * 0x1p-32;
      u2 = (double)w[2 * (pair % 2) + 1] * 0x1p-32;
    }
    const double radius = sqrt(-2 * log(u1));
    const double angle = 6.283185307179586 * u2;
    tir_reference_put(call, 0, e,
                      radius * (e % 2 == 0 ? cos(angle) : sin(angle)));
  }
  return TIR_OK;
}
