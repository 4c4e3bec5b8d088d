// Memory a load may use, and the scratch memory protobuf-c unpacks into.
#ifndef TAPEIR_SERIALIZE_BUDGET_H
#define TAPEIR_SERIALIZE_BUDGET_H

#include <protobuf-c/protobuf-c.h>

#include "ir/base/context.h"

typedef struct tir_ser_budget {
  uint64_t limit;
  uint64_t used;
} tir_ser_budget;

// What a named thing of a module takes besides its data and three times its
// name, whose blocks double: strings, tables and their growth.
enum { TIR_SER_NAMED_BYTES = 192 };

// LIMIT when `size` more bytes would exceed the budget; else takes them.
tir_status tir_ser_budget_take(tir_ser_budget *budget, uint64_t size,
                               tir_error *error);
void tir_ser_budget_give(tir_ser_budget *budget, uint64_t size);

// Bump allocator behind protobuf-c's interface. Its `free` does nothing: after
// each message everything goes at once by reset. That makes an unpack as cheap
// as an arena, and a refused allocation leaves nothing behind.
typedef struct tir_ser_scratch_chunk tir_ser_scratch_chunk;
typedef struct tir_ser_scratch {
  ProtobufCAllocator allocator;  // hand this to *_unpack
  tir_context *context;
  tir_ser_budget *budget;
  tir_ser_scratch_chunk *chunks;  // newest first; chunks->used of it
  bool over_budget;               // why the last allocation failed
} tir_ser_scratch;

void tir_ser_scratch_init(tir_ser_scratch *scratch, tir_context *context,
                          tir_ser_budget *budget);
// Frees all but the newest (largest) chunk and starts it anew.
void tir_ser_scratch_reset(tir_ser_scratch *scratch);
void tir_ser_scratch_free(tir_ser_scratch *scratch);

#endif
