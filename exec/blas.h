// OpenBLAS behind one table of symbols, opened when first needed.
//
// BLAS is used single-threaded, tile by tile: results of a tile depend on its
// shape alone. blas.c is the only file that knows cblas.h.
#ifndef TAPEIR_EXEC_BLAS_H
#define TAPEIR_EXEC_BLAS_H

#include <stdbool.h>

// How the library found is threaded (openblas_get_parallel).
typedef enum tir_exec_blas_variant {
  TIR_BLAS_NONE = -1,    // not built in, or not found
  TIR_BLAS_SERIAL = 0,   // calls must not overlap: blas.c takes a lock
  TIR_BLAS_PTHREAD = 1,  // thread count is process-wide
  TIR_BLAS_OPENMP = 2,   // thread count belongs to the calling thread
} tir_exec_blas_variant;

// Opens the library on the first call of the process. True if it is there.
bool tir_exec_blas_load(void);
// Whether the library found has kernels for this CPU level (TIR_CPU_*). One
// that does not know the processor falls back to those of a much older one,
// which own loops outrun several times.
bool tir_exec_blas_suits(int cpu_level);
// The level that kernels named so are written for; unknown names are taken for
// newer processors than are known here.
int tir_exec_blas_core_level(const char *core);
// Without opening anything.
tir_exec_blas_variant tir_exec_blas_loaded(void);
// "OpenBLAS 0.3.21 … Zen", or "none".
const char *tir_exec_blas_config(void);

// Thread guard: between begin and end BLAS calls of this thread run
// single-threaded, whatever the host has chosen. Counted over the process: the
// first one in saves the host's thread count, the last one out restores it.
// Does nothing while no library is open. Any thread; calls may nest. False in a
// forked child of a process another thread of which was using BLAS: it cannot
// be used any more, and tir_exec_blas_load then says that there is none.
typedef struct tir_exec_blas_guard {
  int variant;  // of begin, so that end undoes exactly what begin did
  int saved;    // OpenMP: count of the calling thread
} tir_exec_blas_guard;
bool tir_exec_blas_begin(tir_exec_blas_guard *guard);
void tir_exec_blas_end(const tir_exec_blas_guard *guard);
// The same on a thread that works for a run whose caller holds the guard:
// only a setting that belongs to the thread is changed.
void tir_exec_blas_begin_lane(tir_exec_blas_guard *guard);
void tir_exec_blas_end_lane(const tir_exec_blas_guard *guard);

// c[m, n] = op(a) · op(b), row-major, leading dimensions in elements. Reads c
// only to add to it. Only after tir_exec_blas_load returned true, inside a
// guard; m, n, k >= 1.
typedef struct tir_exec_gemm_call {
  bool transpose_a;  // a is [k, m] instead of [m, k]
  bool transpose_b;  // b is [n, k] instead of [k, n]
  bool adds;         // to c, instead of overwriting it
  int m, n, k;
  const void *a, *b;
  void *c;
  int lda, ldb, ldc;
} tir_exec_gemm_call;
void tir_exec_blas_sgemm(const tir_exec_gemm_call *call);
void tir_exec_blas_dgemm(const tir_exec_gemm_call *call);

#endif
