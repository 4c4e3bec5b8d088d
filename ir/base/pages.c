// Large blocks on huge pages. The only file that knows madvise.
#define _DEFAULT_SOURCE  // madvise is not POSIX
#include <sys/mman.h>

#include "ir/base/checked.h"
#include "ir/base/tensor.h"

enum {
  LINE_BYTES = 64,
  HUGE_BYTES = 2 << 20,
};

// Used for both ends of a block's life, so it must depend on nothing that
// changes.
static size_t align_for(const tir_context *context, size_t alloc_bytes) {
  return alloc_bytes >= HUGE_BYTES && tir_base_context_is_default(context)
             ? HUGE_BYTES
             : LINE_BYTES;
}

// Rounded up to whole lines: kernels may read the last one to its end.
void *tir_base_alloc_pages(tir_context *context, size_t size,
                           size_t *out_alloc_bytes) {
  *out_alloc_bytes = 0;
  size_t bytes = 0;
  if (!tir_base_size_align(size ? size : 1, LINE_BYTES, &bytes)) return NULL;
  const size_t align = align_for(context, bytes);
  void *ptr = tir_base_alloc(context, bytes, align);
  if (!ptr) return NULL;
#ifdef MADV_HUGEPAGE
  // Advice only: whole huge pages, and a refusal changes nothing but speed.
  if (align == HUGE_BYTES)
    (void)madvise(ptr, bytes / HUGE_BYTES * HUGE_BYTES, MADV_HUGEPAGE);
#endif
  *out_alloc_bytes = bytes;
  return ptr;
}

void tir_base_free_pages(tir_context *context, void *ptr, size_t alloc_bytes) {
  tir_base_free(context, ptr, alloc_bytes, align_for(context, alloc_bytes));
}
