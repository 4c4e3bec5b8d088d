// Random numbers for plain C tools: elements of a stream by their number, as
// docs/numerics.md defines them.
#ifndef TAPEIR_IR_TRAINING_PHILOX_H
#define TAPEIR_IR_TRAINING_PHILOX_H

#include <stdint.h>

typedef struct tir_ir_philox {
  uint32_t key[2];
  uint64_t step;
} tir_ir_philox;

tir_ir_philox tir_ir_philox_open(uint64_t seed, uint64_t stream, uint64_t step);
// Element `e` of random_uniform and random_normal in f64.
double tir_ir_philox_uniform(const tir_ir_philox *p, int64_t e);
double tir_ir_philox_normal(const tir_ir_philox *p, int64_t e);
// A number below `n` (1 or more), every one as likely as any other: the e-th
// of its kind.
uint64_t tir_ir_philox_below(const tir_ir_philox *p, int64_t e, uint64_t n);

#endif
