// XXH3, inlined: no run-time dependency.
#ifndef TAPEIR_IR_BASE_HASH_H
#define TAPEIR_IR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "ir/base/atomics.h"

uint64_t tir_base_hash(const void *data, size_t size);

// The same hash over pieces, for files larger than memory.
typedef struct tir_base_hasher tir_base_hasher;
struct tir_base_hasher {
  _Alignas(64) unsigned char state[704];
};
void tir_base_hasher_begin(tir_base_hasher *hasher);
void tir_base_hasher_add(tir_base_hasher *hasher, const void *data,
                         size_t size);
uint64_t tir_base_hasher_end(const tir_base_hasher *hasher);

#endif
