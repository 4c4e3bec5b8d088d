// The context: settings, and the one door to the allocator.
//
// The environment is never read and no state is global: two contexts in one
// process know nothing of each other.
#include "ir/base/context.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

// A caller built for another layout would be misread, field by field.
_Static_assert(sizeof(tir_context_options) == 144,
               "options are part of the ABI");

// --- default allocator -----------------------------------------------------

// malloc where it aligns well enough: it is the faster of the two.
static void *default_alloc(void *user, size_t size, size_t align) {
  (void)user;
  if (align <= _Alignof(max_align_t)) return malloc(size);
  void *ptr = NULL;
  return posix_memalign(&ptr, align, size) == 0 ? ptr : NULL;
}

static void default_free(void *user, void *ptr, size_t size, size_t align) {
  (void)user;
  (void)size;
  (void)align;
  free(ptr);
}

// --- context ---------------------------------------------------------------

#if defined(__x86_64__)
// The members of x86-64-v3 that __builtin_cpu_supports has no name for.
static bool has_rest_of_v3(void) {
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return false;
  if (!(ecx & bit_F16C) || !(ecx & bit_MOVBE)) return false;
  return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (ecx & bit_LZCNT);
}
#endif

// A level is a set of extensions that is used as a whole, so all of them must
// be there.
static int32_t best_cpu_level(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") &&
                    __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2") && has_rest_of_v3();
  const bool avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
  if (avx2 && avx512) return TIR_CPU_AVX512;
  if (avx2) return TIR_CPU_AVX2;
#endif
  return TIR_CPU_BASELINE;
}

// A host's runner replaces the pool; a number of threads beside it would have
// two meanings.
static tir_status check_runner(const tir_context_options *options,
                               tir_error *error) {
  const tir_runner *runner = &options->runner;
  if (!runner->run) {
    if (runner->n_workers == 0 && !runner->user) return TIR_OK;
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "context_create: runner has no run function");
  }
  if (runner->n_workers == 0 || runner->n_workers > TIR_MAX_THREADS)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "context_create: runner has %zu workers, expected 1 "
                         "to %d",
                         runner->n_workers, TIR_MAX_THREADS);
  if (options->n_threads != 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "context_create: n_threads is %" PRId32
                         ", expected 0 beside a runner",
                         options->n_threads);
  return TIR_OK;
}

// Everything a caller may get wrong is refused here; nothing later asks again.
static tir_status check_options(const tir_context_options *options,
                                tir_error *error) {
  const size_t n = sizeof options->reserved / sizeof *options->reserved;
  for (size_t i = 0; i < n; i++)
    if (options->reserved[i] != 0)
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "context_create: reserved word %zu is %" PRIu64
                           ", not 0 (built for a newer header?)",
                           i, options->reserved[i]);
  if (!options->allocator.alloc != !options->allocator.free)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "context_create: allocator has %s but no %s",
                         options->allocator.alloc ? "alloc" : "free",
                         options->allocator.alloc ? "free" : "alloc");
  if (options->n_threads < 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "context_create: n_threads is %" PRId32
                         ", expected 0 or more",
                         options->n_threads);
  if (options->n_threads > TIR_MAX_THREADS)
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "context_create: n_threads is %" PRId32
                         ", at most %d are possible",
                         options->n_threads, TIR_MAX_THREADS);
  TIR_TRY(check_runner(options, error));
  if (options->cpu_level < 0 || options->cpu_level > TIR_CPU_AVX512)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "context_create: cpu_level is %" PRId32
                         ", expected 0 to %d",
                         options->cpu_level, TIR_CPU_AVX512);
  const int32_t best = best_cpu_level();
  if (options->cpu_level > best)
    return tir_base_fail(error, TIR_ERR_UNSUPPORTED,
                         "context_create: cpu_level is %" PRId32
                         ", this machine has %" PRId32,
                         options->cpu_level, best);
  return TIR_OK;
}

tir_status tir_context_create(const tir_context_options *options,
                              tir_context **out_context, tir_error *error) {
  if (!out_context)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "context_create: out_context is NULL");
  *out_context = NULL;
  static const tir_context_options defaults = {0};
  if (!options) options = &defaults;
  TIR_TRY(check_options(options, error));

  tir_allocator allocator = options->allocator;
  if (!allocator.alloc)
    allocator = (tir_allocator){.alloc = default_alloc, .free = default_free};
  // Not by tir_base_alloc, which asks a context.
  tir_context *context =
      allocator.alloc(allocator.user, sizeof *context, _Alignof(tir_context));
  if (!context) return tir_base_fail_memory(error, sizeof *context);
  memset(context, 0, sizeof *context);
  atomic_init(&context->n_refs, 1);
  atomic_init(&context->n_tapes, 0);
  context->allocator = allocator;
  context->diagnostics = options->diagnostics;
  context->diagnostics_user = options->diagnostics_user;
  context->cpu_level =
      options->cpu_level ? options->cpu_level : best_cpu_level();
  context->runner = options->runner;
  context->n_threads = options->n_threads ? options->n_threads : 1;
  if (options->runner.run)
    context->n_threads = (int32_t)options->runner.n_workers;
  atomic_init(&context->attachment, NULL);
  atomic_init(&context->custom_ops, NULL);
  context->max_bytes = options->max_bytes ? options->max_bytes : UINT64_MAX;
  *out_context = context;
  return TIR_OK;
}

void tir_context_destroy(tir_context *context) {
  tir_base_context_release(context);
}

// Whatever is made from a context holds it, so objects may end in any order.
tir_context *tir_base_context_retain(tir_context *context) {
  if (context)
    atomic_fetch_add_explicit(&context->n_refs, 1, memory_order_relaxed);
  return context;
}

void tir_base_context_release(tir_context *context) {
  if (!context) return;
  // Release, so that all use by this holder comes before the end; acquire, so
  // that the one who ends it sees all of that.
  if (atomic_fetch_sub_explicit(&context->n_refs, 1, memory_order_acq_rel) != 1)
    return;
  // These come before the allocator goes: they free what they hold through it.
  tir_base_attachment *attachment =
      atomic_load_explicit(&context->attachment, memory_order_acquire);
  if (attachment) attachment->destroy(context, attachment);
  tir_base_attachment *custom_ops =
      atomic_load_explicit(&context->custom_ops, memory_order_acquire);
  if (custom_ops) custom_ops->destroy(context, custom_ops);
  const tir_allocator allocator = context->allocator;
  allocator.free(allocator.user, context, sizeof *context,
                 _Alignof(tir_context));
}

// Huge pages are asked for only in memory that is ours to advise on.
bool tir_base_context_is_default(const tir_context *context) {
  return context->allocator.alloc == default_alloc;
}

// --- memory ----------------------------------------------------------------

// In the hard build fresh memory is full of huge numbers and freed memory is
// overwritten, so that reading either gives wrong results at once.
static void poison(void *ptr, size_t size) {
#ifdef TIR_HARD
  memset(ptr, 0xFE, size);
#else
  (void)ptr;
  (void)size;
#endif
}

// Never of no bytes: allocators disagree about what that returns.
void *tir_base_alloc(tir_context *context, size_t size, size_t align) {
  if (size > PTRDIFF_MAX) return NULL;
  if (size == 0) size = 1;
  void *ptr = context->allocator.alloc(context->allocator.user, size, align);
  if (ptr) poison(ptr, size);
  return ptr;
}

void *tir_base_alloc_zero(tir_context *context, size_t size, size_t align) {
  void *ptr = tir_base_alloc(context, size, align);
  if (ptr) memset(ptr, 0, size);
  return ptr;
}

// Allocators get size and alignment back; nothing has to remember them.
void tir_base_free(tir_context *context, void *ptr, size_t size, size_t align) {
  if (!ptr) return;
  if (size == 0) size = 1;
  poison(ptr, size);
  context->allocator.free(context->allocator.user, ptr, size, align);
}

// --- rest ------------------------------------------------------------------

void tir_base_diagnose(const tir_context *context, tir_status status,
                       const char *message) {
  if (context->diagnostics)
    context->diagnostics(context->diagnostics_user, status, message);
}

// In two steps, so that the macro's value is quoted and not its name.
#define TIR_TEXT_(x) #x
#define TIR_TEXT(x) TIR_TEXT_(x)

const char *tir_version(void) {
  return TIR_TEXT(TIR_VERSION_MAJOR) "." TIR_TEXT(
      TIR_VERSION_MINOR) "." TIR_TEXT(TIR_VERSION_PATCH);
}
