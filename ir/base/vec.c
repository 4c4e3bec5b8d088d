// Growable arrays. The data pointer has some T * type in the caller's struct,
// so it is read and written as bytes: void * may not alias it.
#include "ir/base/vec.h"

#include <string.h>

#include "ir/base/checked.h"

enum { MIN_CAPACITY = 8 };

static const size_t vec_align = _Alignof(max_align_t);

static void *load_pointer(void *const *at) {
  void *p = NULL;
  memcpy(&p, at, sizeof p);
  return p;
}

static void store_pointer(void **at, void *p) { memcpy(at, &p, sizeof p); }

// Doubling keeps appending linear. A new block and a copy, because the
// allocator hook has no realloc.
bool tir_base_vec_grow(tir_context *context, void **data, size_t *capacity,
                       size_t count, size_t extra, size_t elem_size) {
  size_t wanted = 0, bytes = 0;
  if (!tir_base_size_add(count, extra, &wanted)) return false;
  if (wanted <= *capacity) return true;
  size_t doubled = 0;
  // A doubling that overflows falls back on what is wanted.
  if (tir_base_size_mul(*capacity, 2, &doubled) && doubled > wanted)
    wanted = doubled;
  if (wanted < MIN_CAPACITY) wanted = MIN_CAPACITY;
  if (!tir_base_size_mul(wanted, elem_size, &bytes)) return false;

  void *fresh = tir_base_alloc(context, bytes, vec_align);
  if (!fresh) return false;
  void *old = load_pointer(data);
  if (old) {
    // Fits: the old block was as large at least.
    memcpy(fresh, old, count * elem_size);
    tir_base_free(context, old, *capacity * elem_size, vec_align);
  }
  store_pointer(data, fresh);
  *capacity = wanted;
  return true;
}

void tir_base_vec_free(tir_context *context, void **data, size_t *capacity,
                       size_t *count, size_t elem_size) {
  tir_base_free(context, load_pointer(data), *capacity * elem_size, vec_align);
  store_pointer(data, NULL);
  *capacity = 0;
  *count = 0;
}
