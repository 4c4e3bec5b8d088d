// OpenBLAS through one symbol table. TAPEIR_BLAS_DLOPEN (the default) opens
// libopenblas.so.0 on the first large GEMM, so that programs without one pay
// nothing; TAPEIR_BLAS_LINK uses symbols linked in; TAPEIR_BLAS_NONE has none.
//
// The table and the thread guard are the library's only mutable globals. No
// constructor, no environment variable, nothing closed: OpenBLAS's own
// threads would outlive a dlclose.
#include "exec/blas.h"

#include <strings.h>

#include "exec/threads.h"

// Names that openblas_get_corename gives, of processors without vectors of 512
// bits and without FMA. Other architectures have one level.
int tir_exec_blas_core_level(const char *core) {
  static const char *const with_fma[] = {
      "Haswell", "Zen", "Excavator", "Steamroller", "Piledriver",
  };
  static const char *const older[] = {
      "Katmai", "Coppermine", "Northwood",    "Prescott",   "Banias",
      "Atom",   "Core2",      "Penryn",       "Dunnington", "Nehalem",
      "Athlon", "Opteron",    "Opteron_SSE3", "Barcelona",  "Nano",
      "Bobcat", "Bulldozer",  "Sandybridge",  "Unknown",
  };
  for (size_t i = 0; i < sizeof with_fma / sizeof *with_fma; i++)
    if (strcasecmp(core, with_fma[i]) == 0) return TIR_CPU_AVX2;
  for (size_t i = 0; i < sizeof older / sizeof *older; i++)
    if (strcasecmp(core, older[i]) == 0) return TIR_CPU_BASELINE;
  return TIR_CPU_AVX512;
}

#if !defined(TAPEIR_BLAS_NONE)

#include <cblas.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

// X(field, symbol): what a usable library must have.
#define TIR_BLAS_SYMBOLS(TIR_X)                    \
  TIR_X(sgemm, cblas_sgemm)                        \
  TIR_X(dgemm, cblas_dgemm)                        \
  TIR_X(get_parallel, openblas_get_parallel)       \
  TIR_X(get_num_threads, openblas_get_num_threads) \
  TIR_X(set_num_threads, openblas_set_num_threads) \
  TIR_X(get_config, openblas_get_config)           \
  TIR_X(get_corename, openblas_get_corename)

typedef struct blas_symbols {
#define TIR_BLAS_FIELD(field, symbol) __typeof__(symbol) *field;
  TIR_BLAS_SYMBOLS(TIR_BLAS_FIELD)
#undef TIR_BLAS_FIELD
  // OpenMP variant only; its setting belongs to the calling thread.
  int (*omp_get_max_threads)(void);
  void (*omp_set_num_threads)(int n);
} blas_symbols;

enum { STATE_NEW, STATE_READY, STATE_MISSING, STATE_LOST };

static tir_exec_lock lock;
static atomic_int state = STATE_NEW;
static atomic_int variant = TIR_BLAS_NONE;
static atomic_int core_level;
static blas_symbols blas;  // written once, before state is READY
static int guard_saved;    // by lock
static int n_guards;       // by lock
static pid_t guard_owner;  // by lock: the process that n_guards counts for
// Serial variant: its work buffers are shared, so calls must not overlap.
static tir_exec_lock call_lock;

bool tir_exec_blas_suits(int cpu_level) {
  return tir_exec_blas_loaded() != TIR_BLAS_NONE &&
         atomic_load(&core_level) >= cpu_level;
}

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
  // RTLD_LOCAL: the host may have a cblas of its own, and neither may stand in
  // for the other.
  // The library may start threads as it comes: with every signal blocked, so
  // that the host's handlers run on the host's threads.
  sigset_t all, before;
  sigfillset(&all);
  tir_exec_signals_swap(&all, &before);
  void *const handle = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  tir_exec_signals_swap(&before, NULL);
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

// By lock. In a forked child: a thread of the parent that was inside BLAS may
// have held locks of the library's own, which nobody here will ever give back.
static void note_fork(void) {
  const pid_t self = getpid();
  if (guard_owner == self) return;
  if (guard_owner != 0 && n_guards > 0) atomic_store(&state, STATE_LOST);
  guard_owner = self;
  n_guards = 0;
}

// The lock is held while the library is opened: whoever asks meanwhile waits
// for the outcome instead of opening it again.
bool tir_exec_blas_load(void) {
  tir_exec_lock_take(&lock);
  note_fork();
  int now = atomic_load_explicit(&state, memory_order_relaxed);
  if (now == STATE_NEW) {
    n_guards++;  // a child forked meanwhile gets half a library
    now = find_symbols(&blas) ? STATE_READY : STATE_MISSING;
    n_guards--;
    if (now == STATE_READY) {
      atomic_store(&core_level, tir_exec_blas_core_level(blas.get_corename()));
      atomic_store(&variant, blas.get_parallel());
    }
    atomic_store_explicit(&state, now, memory_order_release);
  }
  tir_exec_lock_give(&lock);
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

// OpenMP: the setting is the calling thread's own, nothing to share or count.
static void set_own_threads(tir_exec_blas_guard *guard) {
  if (!blas.omp_set_num_threads || !blas.omp_get_max_threads) return;
  guard->saved = blas.omp_get_max_threads();
  blas.omp_set_num_threads(1);
}

// The first one in.
static void save_threads(tir_exec_blas_guard *guard) {
  if (guard->variant != TIR_BLAS_PTHREAD) return;
  guard_saved = blas.get_num_threads();
  blas.set_num_threads(1);
}

bool tir_exec_blas_begin(tir_exec_blas_guard *guard) {
  guard->saved = 0;
  tir_exec_lock_take(&lock);
  note_fork();
  guard->variant = tir_exec_blas_loaded();
  const bool lost = atomic_load(&state) == STATE_LOST;
  if (guard->variant != TIR_BLAS_NONE && n_guards++ == 0) save_threads(guard);
  tir_exec_lock_give(&lock);
  if (guard->variant == TIR_BLAS_OPENMP) set_own_threads(guard);
  return !lost;
}

void tir_exec_blas_end(const tir_exec_blas_guard *guard) {
  if (guard->saved > 0) blas.omp_set_num_threads(guard->saved);
  if (guard->variant == TIR_BLAS_NONE) return;
  tir_exec_lock_take(&lock);
  note_fork();  // by a callback inside the run
  // Counted until it has left BLAS: setting the number takes a lock of its own.
  if (n_guards == 1 && guard->variant == TIR_BLAS_PTHREAD)
    blas.set_num_threads(guard_saved);
  if (n_guards > 0) n_guards--;
  tir_exec_lock_give(&lock);
}

void tir_exec_blas_begin_lane(tir_exec_blas_guard *guard) {
  *guard = (tir_exec_blas_guard){.variant = TIR_BLAS_NONE};
  if (tir_exec_blas_loaded() == TIR_BLAS_OPENMP) set_own_threads(guard);
}

void tir_exec_blas_end_lane(const tir_exec_blas_guard *guard) {
  if (guard->saved > 0) blas.omp_set_num_threads(guard->saved);
}

// Two calls of the serial variant at once give wrong numbers.
static void enter_call(bool serial) {
  if (serial) tir_exec_lock_take(&call_lock);
}

static void leave_call(bool serial) {
  if (serial) tir_exec_lock_give(&call_lock);
}

// Row-major throughout, as everything here is.
static CBLAS_TRANSPOSE flag(bool transpose) {
  return transpose ? CblasTrans : CblasNoTrans;
}

// With beta 0 c is written and never read, so what stands in fresh memory, NaN
// included, does no harm.
void tir_exec_blas_sgemm(const tir_exec_gemm_call *q) {
  const bool serial = atomic_load(&variant) == TIR_BLAS_SERIAL;
  enter_call(serial);
  blas.sgemm(CblasRowMajor, flag(q->transpose_a), flag(q->transpose_b), q->m,
             q->n, q->k, 1.0f, q->a, q->lda, q->b, q->ldb, q->adds, q->c,
             q->ldc);
  leave_call(serial);
}

void tir_exec_blas_dgemm(const tir_exec_gemm_call *q) {
  const bool serial = atomic_load(&variant) == TIR_BLAS_SERIAL;
  enter_call(serial);
  blas.dgemm(CblasRowMajor, flag(q->transpose_a), flag(q->transpose_b), q->m,
             q->n, q->k, 1.0, q->a, q->lda, q->b, q->ldb, q->adds, q->c,
             q->ldc);
  leave_call(serial);
}

#else

bool tir_exec_blas_load(void) { return false; }

bool tir_exec_blas_suits(int cpu_level) {
  (void)cpu_level;
  return false;
}

tir_exec_blas_variant tir_exec_blas_loaded(void) { return TIR_BLAS_NONE; }

const char *tir_exec_blas_config(void) { return "none"; }

bool tir_exec_blas_begin(tir_exec_blas_guard *guard) {
  *guard = (tir_exec_blas_guard){.variant = TIR_BLAS_NONE};
  return true;
}

void tir_exec_blas_end(const tir_exec_blas_guard *guard) { (void)guard; }

void tir_exec_blas_begin_lane(tir_exec_blas_guard *guard) {
  tir_exec_blas_begin(guard);
}

void tir_exec_blas_end_lane(const tir_exec_blas_guard *guard) { (void)guard; }

void tir_exec_blas_sgemm(const tir_exec_gemm_call *call) { (void)call; }

void tir_exec_blas_dgemm(const tir_exec_gemm_call *call) { (void)call; }

#endif
