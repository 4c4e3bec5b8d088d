// glibc lets a program define malloc and its family; these count on the names
// under which it keeps its own. Under a sanitizer, which has taken that place,
// its hooks are asked instead.
#include "no_malloc.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static volatile bool is_forbidden;

void forbid_malloc(bool forbidden) { is_forbidden = forbidden; }

// Nothing that could allocate: not even stdio.
static void look(void) {
  static const char text[] = "the heap was used while that was forbidden\n";
  if (!is_forbidden) return;
  is_forbidden = false;
  if (write(2, text, sizeof text - 1) < 0) _exit(4);
  abort();
}

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#ifdef SANITIZED

int __sanitizer_install_malloc_and_free_hooks(
    void (*malloc_hook)(const volatile void *, size_t),
    void (*free_hook)(const volatile void *));

static void on_malloc(const volatile void *block, size_t size) {
  (void)block;
  (void)size;
  look();
}

static void on_free(const volatile void *block) {
  (void)block;
  look();
}

__attribute__((constructor)) static void install(void) {
  __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *block);

void *malloc(size_t size) {
  look();
  return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
  look();
  return __libc_calloc(n, size);
}

void *realloc(void *block, size_t size) {
  look();
  return __libc_realloc(block, size);
}

void *aligned_alloc(size_t align, size_t size) {
  look();
  return __libc_memalign(align, size);
}

int posix_memalign(void **out_block, size_t align, size_t size) {
  look();
  *out_block = __libc_memalign(align, size);
  return *out_block ? 0 : 12;  // ENOMEM
}

void free(void *block) {
  if (block) look();
  __libc_free(block);
}

#endif
