// Elements of Philox streams, one by one.
//
// The cipher itself is that of the reference evaluator; here its blocks become
// elements, by the rules of docs/numerics.md.
#include "ir/training/philox.h"

#include <math.h>

#include "ir/reference/random.h"

tir_ir_philox tir_ir_philox_open(uint64_t seed, uint64_t stream,
                                 uint64_t step) {
  tir_ir_philox p = {.step = step};
  tir_reference_random_key(seed, stream, p.key);
  return p;
}

// The number of the block is the counter, so that any element costs one block.
static void block(const tir_ir_philox *p, int64_t number, uint32_t out[4]) {
  const uint64_t b = (uint64_t)number;
  const uint32_t counter[4] = {(uint32_t)b, (uint32_t)(b >> 32),
                               (uint32_t)p->step, (uint32_t)(p->step >> 32)};
  tir_reference_philox(counter, p->key, out);
}

// 53 bits of two words as a whole number below 2^53.
static double bits53(uint32_t high, uint32_t low) {
  return (double)(high >> 5) * 0x1p26 + (double)(low >> 6);
}

double tir_ir_philox_uniform(const tir_ir_philox *p, int64_t e) {
  uint32_t w[4];
  block(p, e / 2, w);
  return bits53(w[2 * (e % 2)], w[2 * (e % 2) + 1]) * 0x1p-53;
}

// Box and Muller: two elements share a block, one takes the cosine, one the
// sine. The 1 added keeps u1 above 0, where the logarithm is finite.
double tir_ir_philox_normal(const tir_ir_philox *p, int64_t e) {
  uint32_t w[4];
  block(p, e / 2, w);
  const double u1 = (bits53(w[0], w[1]) + 1) * 0x1p-53;
  const double u2 = bits53(w[2], w[3]) * 0x1p-53;
  const double radius = sqrt(-2 * log(u1));
  const double angle = 6.283185307179586 * u2;
  return radius * (e % 2 == 0 ? cos(angle) : sin(angle));
}

// 64 bits are taken modulo n unless they are of the incomplete last round of
// n; then the next step's are, which happens less than every second time.
uint64_t tir_ir_philox_below(const tir_ir_philox *p, int64_t e, uint64_t n) {
  // 2^64 mod n: how many values of the last round are too many.
  const uint64_t spare = (UINT64_MAX % n + 1) % n;
  tir_ir_philox at = *p;
  for (;;) {
    uint32_t w[4];
    block(&at, e, w);
    const uint64_t bits = (uint64_t)w[0] << 32 | w[1];
    if (bits <= UINT64_MAX - spare) return bits % n;
    // Far from the steps that callers count.
    at.step += UINT64_C(1) << 40;
  }
}
