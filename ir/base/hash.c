// XXH3 behind a small interface, so that xxhash.h is included in one place.
// Files keep these hashes as checksums, so the algorithm is part of their
// format.
#define XXH_INLINE_ALL
#include "ir/base/hash.h"

#include <string.h>
#include <xxhash.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "files and hashes are little-endian"
#endif

// xxhash.h lays its state out as it likes; a version that needs more room shows
// here.
_Static_assert(sizeof(XXH3_state_t) <= sizeof(tir_base_hasher),
               "the hasher holds the state");

uint64_t tir_base_hash(const void *data, size_t size) {
  return XXH3_64bits(data, size);
}

// The state is copied in and out: bytes may not be read as a struct in place.
void tir_base_hasher_begin(tir_base_hasher *hasher) {
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  (void)XXH3_64bits_reset(&state);
  memset(hasher, 0, sizeof *hasher);
  memcpy(hasher->state, &state, sizeof state);
}

void tir_base_hasher_add(tir_base_hasher *hasher, const void *data,
                         size_t size) {
  if (size == 0) return;
  XXH3_state_t state;
  memcpy(&state, hasher->state, sizeof state);
  (void)XXH3_64bits_update(&state, data, size);
  memcpy(hasher->state, &state, sizeof state);
}

// Reads the state and leaves it: more may be added behind.
uint64_t tir_base_hasher_end(const tir_base_hasher *hasher) {
  XXH3_state_t state;
  memcpy(&state, hasher->state, sizeof state);
  return XXH3_64bits_digest(&state);
}
