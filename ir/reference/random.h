// The counter-based generator by itself, for its known-answer tests.
#ifndef TAPEIR_IR_REFERENCE_RANDOM_H
#define TAPEIR_IR_REFERENCE_RANDOM_H

#include <stdint.h>

// Philox4x32-10.
void tir_reference_philox(const uint32_t counter[4], const uint32_t key[2],
                          uint32_t out[4]);
// The key of a seed and a stream.
void tir_reference_random_key(uint64_t seed, uint64_t stream,
                              uint32_t out_key[2]);

#endif
