// Budget of a load, and the bump allocator protobuf-c unpacks into.
//
// What a file claims about sizes is not believed: memory is counted here before
// it is asked for, and the count is bounded by the limit of the load. Chunks
// double, so an unpack asks for few, and the largest is kept for the next.
#include "serialize/budget.h"

#include <inttypes.h>

#include "ir/base/checked.h"

enum { FIRST_CHUNK = 4096, SCRATCH_ALIGN = 16 };

struct tir_ser_scratch_chunk {
  tir_ser_scratch_chunk *next;
  size_t size;  // of the whole block
  size_t used;  // from the start of the block
};

enum {
  // Rounded up, so that what follows the header is aligned.
  CHUNK_HEADER = (sizeof(tir_ser_scratch_chunk) + SCRATCH_ALIGN - 1) &
                 ~(size_t)(SCRATCH_ALIGN - 1)
};

tir_status tir_ser_budget_take(tir_ser_budget *budget, uint64_t size,
                               tir_error *error) {
  // `used` never exceeds the limit: no difference wraps.
  if (size > budget->limit - budget->used)
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "loading needs more memory than the limit of "
                         "%" PRIu64 " bytes",
                         budget->limit);
  budget->used += size;
  return TIR_OK;
}

void tir_ser_budget_give(tir_ser_budget *budget, uint64_t size) {
  budget->used -= size;
}

static void free_chunk(tir_ser_scratch *scratch, tir_ser_scratch_chunk *chunk) {
  tir_ser_budget_give(scratch->budget, chunk->size);
  tir_base_free(scratch->context, chunk, chunk->size, SCRATCH_ALIGN);
}

// A chunk with room for `size` bytes: double the newest, or just enough when
// that is more or the budget is short.
static bool add_chunk(tir_ser_scratch *scratch, size_t size) {
  size_t least = 0;
  if (!tir_base_size_add(size, CHUNK_HEADER, &least)) return false;
  const size_t newest = scratch->chunks ? scratch->chunks->size : 0;
  size_t total = newest ? newest : FIRST_CHUNK;
  if (newest && !tir_base_size_add(newest, newest, &total)) total = least;
  if (total < least) total = least;
  if (tir_ser_budget_take(scratch->budget, total, NULL) != TIR_OK) {
    total = least;
    // Double is too much: just enough may do. No error is written, since
    // whoever asked for the unpack knows the place in the file.
    if (tir_ser_budget_take(scratch->budget, total, NULL) != TIR_OK) {
      scratch->over_budget = true;
      return false;
    }
  }
  tir_ser_scratch_chunk *chunk =
      tir_base_alloc(scratch->context, total, SCRATCH_ALIGN);
  if (!chunk) {
    tir_ser_budget_give(scratch->budget, total);
    return false;
  }
  *chunk = (tir_ser_scratch_chunk){scratch->chunks, total, CHUNK_HEADER};
  scratch->chunks = chunk;
  return true;
}

// protobuf-c's `alloc`. NULL makes the unpack fail; `over_budget` says why.
static void *scratch_alloc(void *user, size_t size) {
  tir_ser_scratch *scratch = user;
  size_t rounded = 0;
  if (!tir_base_size_align(size, SCRATCH_ALIGN, &rounded)) return NULL;
  const tir_ser_scratch_chunk *newest = scratch->chunks;
  if ((!newest || newest->size - newest->used < rounded) &&
      !add_chunk(scratch, rounded))
    return NULL;
  tir_ser_scratch_chunk *chunk = scratch->chunks;
  void *result = (uint8_t *)chunk + chunk->used;
  chunk->used += rounded;
  return result;
}

static void scratch_no_free(void *user, void *ptr) {
  (void)user;
  (void)ptr;
}

void tir_ser_scratch_init(tir_ser_scratch *scratch, tir_context *context,
                          tir_ser_budget *budget) {
  *scratch = (tir_ser_scratch){
      .allocator = {scratch_alloc, scratch_no_free, scratch},
      .context = context,
      .budget = budget,
  };
}

void tir_ser_scratch_reset(tir_ser_scratch *scratch) {
  tir_ser_scratch_chunk *newest = scratch->chunks;
  if (!newest) return;
  while (newest->next) {
    tir_ser_scratch_chunk *old = newest->next;
    newest->next = old->next;
    free_chunk(scratch, old);
  }
  newest->used = CHUNK_HEADER;
}

void tir_ser_scratch_free(tir_ser_scratch *scratch) {
  tir_ser_scratch_reset(scratch);
  if (scratch->chunks) free_chunk(scratch, scratch->chunks);
  scratch->chunks = NULL;
}
