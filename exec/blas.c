// OpenBLAS through one symbol table. TAPEIR_BLAS_DLOPEN (the default) opens
// libopenblas.so.0 on the first large GEMM, so that programs without one pay
// nothing; TAPEIR_BLAS_LINK uses symbols linked in; TAPEIR_BLAS_NONE has none.
//
// The table and the thread guard are the library's only mutable globals. No
// constructor, no environment variable, nothing closed: OpenBLAS's own
// threads would outlive a dlclose.
#include "exec/blas.h"

#if !defined(TAPEIR_BLAS_NONE)

#include <cblas.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

// X(field, symbol): what a usable library must have.
#define TIR_BLAS_SYMBOLS(TIR_X)                    \
  TIR_X(sgemm, cblas_sgemm)                        \
  TIR_X(dgemm, cblas_dgemm)                        \
  TIR_X(get_parallel, openblas_get_parallel)       \
  TIR_X(get_num_threads, openblas_get_num_threads) \
  TIR_X(set_num_threads, openblas_set_num_threads) \
  TIR_X(get_config, openblas_get_config)

typedef struct blas_symbols {
#define TIR_BLAS_FIELD(field, symbol) __typeof__(symbol) *field;
  TIR_BLAS_SYMBOLS(TIR_BLAS_FIELD)
#undef TIR_BLAS_FIELD
  // OpenMP variant only; its setting belongs to the calling thread.
  int (*omp_get_max_threads)(void);
  void (*omp_set_num_threads)(int n);
} blas_symbols;

enum { STATE_NEW, STATE_READY, STATE_MISSING };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int state = STATE_NEW;
static atomic_int variant = TIR_BLAS_NONE;
static blas_symbols blas;  // written once, before state is READY
static int guard_count;    // by lock
static int guard_saved;    // by lock
// Serial variant: its work buffers are shared, so calls must not overlap.
static pthread_mutex_t call_lock = PTHREAD_MUTEX_INITIALIZER;

#if defined(TAPEIR_BLAS_LINK)

static bool find_symbols(blas_symbols *table) {
  memset(table, 0, sizeof *table);
#define TIR_BLAS_TAKE(field, symbol) table->field = symbol;
  TIR_BLAS_SYMBOLS(TIR_BLAS_TAKE)
#undef TIR_BLAS_TAKE
  return true;
}

#else

#include <dlfcn.h>

// dlsym gives an object pointer; ISO C has no cast from it to a function.
static bool find_symbol(void *handle, const char *name, void *out_function) {
  void *const address = dlsym(handle, name);
  memcpy(out_function, &address, sizeof address);
  return address != NULL;
}

static bool find_symbols(blas_symbols *table) {
  memset(table, 0, sizeof *table);
  void *const handle = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!handle) return false;
  bool found = true;
#define TIR_BLAS_FIND(field, symbol) \
  found = find_symbol(handle, #symbol, &table->field) && found;
  TIR_BLAS_SYMBOLS(TIR_BLAS_FIND)
#undef TIR_BLAS_FIND
  if (!found) {
    dlclose(handle);
    return false;
  }
  // Through the handle, so of the very OpenMP run-time the library uses.
  find_symbol(handle, "omp_get_max_threads", &table->omp_get_max_threads);
  find_symbol(handle, "omp_set_num_threads", &table->omp_set_num_threads);
  return true;
}

#endif

bool tir_exec_blas_load(void) {
  int now = atomic_load_explicit(&state, memory_order_acquire);
  if (now != STATE_NEW) return now == STATE_READY;
  pthread_mutex_lock(&lock);
  now = atomic_load_explicit(&state, memory_order_relaxed);
  if (now == STATE_NEW) {
    now = find_symbols(&blas) ? STATE_READY : STATE_MISSING;
    if (now == STATE_READY) atomic_store(&variant, blas.get_parallel());
    atomic_store_explicit(&state, now, memory_order_release);
  }
  pthread_mutex_unlock(&lock);
  return now == STATE_READY;
}

tir_exec_blas_variant tir_exec_blas_loaded(void) {
  if (atomic_load_explicit(&state, memory_order_acquire) != STATE_READY)
    return TIR_BLAS_NONE;
  return (tir_exec_blas_variant)atomic_load(&variant);
}

const char *tir_exec_blas_config(void) {
  return tir_exec_blas_loaded() == TIR_BLAS_NONE ? "none" : blas.get_config();
}

static void begin_process_wide(void) {
  pthread_mutex_lock(&lock);
  if (guard_count++ == 0) {
    guard_saved = blas.get_num_threads();
    blas.set_num_threads(1);
  }
  pthread_mutex_unlock(&lock);
}

static void end_process_wide(void) {
  pthread_mutex_lock(&lock);
  if (--guard_count == 0) blas.set_num_threads(guard_saved);
  pthread_mutex_unlock(&lock);
}

void tir_exec_blas_begin(tir_exec_blas_guard *guard) {
  guard->variant = tir_exec_blas_loaded();
  guard->saved = 0;
  if (guard->variant == TIR_BLAS_OPENMP && blas.omp_set_num_threads &&
      blas.omp_get_max_threads) {
    // The setting is the calling thread's own: nothing to share or count.
    guard->saved = blas.omp_get_max_threads();
    blas.omp_set_num_threads(1);
  } else if (guard->variant != TIR_BLAS_NONE &&
             guard->variant != TIR_BLAS_SERIAL) {
    begin_process_wide();
  }
}

void tir_exec_blas_end(const tir_exec_blas_guard *guard) {
  if (guard->saved > 0) {
    blas.omp_set_num_threads(guard->saved);
  } else if (guard->variant != TIR_BLAS_NONE &&
             guard->variant != TIR_BLAS_SERIAL) {
    end_process_wide();
  }
}

static void enter_call(bool serial) {
  if (serial) pthread_mutex_lock(&call_lock);
}

static void leave_call(bool serial) {
  if (serial) pthread_mutex_unlock(&call_lock);
}

static CBLAS_TRANSPOSE flag(bool transpose) {
  return transpose ? CblasTrans : CblasNoTrans;
}

void tir_exec_blas_sgemm(const tir_exec_gemm_call *q) {
  const bool serial = atomic_load(&variant) == TIR_BLAS_SERIAL;
  enter_call(serial);
  blas.sgemm(CblasRowMajor, flag(q->transpose_a), flag(q->transpose_b), q->m,
             q->n, q->k, 1.0f, q->a, q->lda, q->b, q->ldb, 0.0f, q->c, q->ldc);
  leave_call(serial);
}

void tir_exec_blas_dgemm(const tir_exec_gemm_call *q) {
  const bool serial = atomic_load(&variant) == TIR_BLAS_SERIAL;
  enter_call(serial);
  blas.dgemm(CblasRowMajor, flag(q->transpose_a), flag(q->transpose_b), q->m,
             q->n, q->k, 1.0, q->a, q->lda, q->b, q->ldb, 0.0, q->c, q->ldc);
  leave_call(serial);
}

#else

bool tir_exec_blas_load(void) { return false; }

tir_exec_blas_variant tir_exec_blas_loaded(void) { return TIR_BLAS_NONE; }

const char *tir_exec_blas_config(void) { return "none"; }

void tir_exec_blas_begin(tir_exec_blas_guard *guard) {
  *guard = (tir_exec_blas_guard){.variant = TIR_BLAS_NONE};
}

void tir_exec_blas_end(const tir_exec_blas_guard *guard) { (void)guard; }

void tir_exec_blas_sgemm(const tir_exec_gemm_call *call) { (void)call; }

void tir_exec_blas_dgemm(const tir_exec_gemm_call *call) { (void)call; }

#endif
