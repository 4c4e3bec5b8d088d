// Context: the allocator and settings everything else is created from.
// Counted: each object made from a context holds it, so objects may be
// destroyed in any order.
#ifndef TAPEIR_IR_BASE_CONTEXT_H
#define TAPEIR_IR_BASE_CONTEXT_H

#include "ir/base/atomics.h"
#include "ir/base/error.h"
#include "tapeir/base.h"

// CPU levels of tir_context_options.cpu_level.
enum {
  TIR_CPU_BASELINE = 1,
  TIR_CPU_AVX2 = 2,
  TIR_CPU_AVX512 = 3,
};

// Something that lives as long as the context, of which ir/ knows only how it
// ends. `destroy` runs before the allocator is let go.
typedef struct tir_base_attachment {
  void (*destroy)(tir_context *context, struct tir_base_attachment *attachment);
} tir_base_attachment;

struct tir_context {
  atomic_size_t n_refs;
  tir_allocator allocator;
  tir_diagnostics_fn diagnostics;
  void *diagnostics_user;
  int32_t cpu_level;  // resolved: one of TIR_CPU_*
  int32_t n_threads;  // or workers of the runner
  tir_runner runner;  // run is NULL: own threads
  // Owned by the layer that runs programs; ends with the context.
  TIR_ATOMIC(tir_base_attachment *) attachment;
  // Newest of the custom ops, a list that only grows (ir/custom.h).
  TIR_ATOMIC(tir_base_attachment *) custom_ops;
  uint64_t max_bytes;   // UINT64_MAX when unlimited
  atomic_uint n_tapes;  // serial for tape handles
};

tir_context *tir_base_context_retain(tir_context *context);
void tir_base_context_release(tir_context *context);

// Memory from the context's allocator: `size` bytes (0 gives a valid pointer)
// at `align`. NULL when the allocator refuses. Not zeroed.
void *tir_base_alloc(tir_context *context, size_t size, size_t align);
// Same, all bytes zero.
void *tir_base_alloc_zero(tir_context *context, size_t size, size_t align);
// `size` and `align` as in the alloc. NULL is allowed.
void tir_base_free(tir_context *context, void *ptr, size_t size, size_t align);

// No caller's allocator: memory comes from the C library.
bool tir_base_context_is_default(const tir_context *context);

// One item for the diagnostics callback, if there is one.
void tir_base_diagnose(const tir_context *context, tir_status status,
                       const char *message);

#endif
