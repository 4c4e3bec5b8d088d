// Own matrix products: small ones, integers, and everything without BLAS.
#ifndef TAPEIR_EXEC_KERNELS_GEMM_H
#define TAPEIR_EXEC_KERNELS_GEMM_H

#include "exec/kernels/call.h"

// c[m, n] = a[m, k] · b[k, n]; strides in elements, c is contiguous along a
// row. One stride of b is 1. Reads c only to add to it; k = 0 gives zeros. Each
// element is one sum in order of k, so its bits do not depend on m, n, its
// place or stretches of k.
typedef struct tir_exec_gemm_block {
  int64_t m, n, k;
  const void *a;
  int64_t a_row, a_column;
  const void *b;
  int64_t b_row, b_column;
  void *c;
  int64_t c_row;
  void *pack;    // tir_exec_gemm_pack_bytes(k), 64-byte aligned
  void *a_pack;  // tir_exec_gemm_a_bytes: room for a copy of a, worth it where
                 // it is read often; NULL: a is read where it stands
  bool adds;     // to what is in c; is_part is then set
  bool is_part;  // of a product with more columns: as its neighbours, a single
                 // column is then no inner product with bits of its own
} tir_exec_gemm_block;

typedef void (*tir_exec_gemm_fn)(const tir_exec_gemm_block *g);

typedef struct tir_exec_level_gemm {
  tir_exec_gemm_fn gemm[TIR_N_DTYPES];
} tir_exec_level_gemm;

// Room for a stretch of k of the widest panel of b at any level, or for all of
// k of the narrowest.
enum { TIR_EXEC_STRETCH = 1024, TIR_EXEC_PANEL_BYTES = 128 };
static inline size_t tir_exec_gemm_pack_bytes(int64_t k) {
  const int64_t most = TIR_EXEC_STRETCH;
  const int64_t stretch = k < most ? k : most;
  const size_t panel = (size_t)stretch * TIR_EXEC_PANEL_BYTES;
  const size_t narrow = (size_t)k * 16;
  return panel > narrow ? panel : narrow;
}

// Elements between the rows of the copy of a.
enum { TIR_EXEC_GEMM_GAP = 16 };
static inline size_t tir_exec_gemm_a_bytes(int64_t m, int64_t k,
                                           size_t elem_size) {
  return (size_t)m * (size_t)(k + TIR_EXEC_GEMM_GAP) * elem_size;
}

// The grid of BLAS calls is a function of the shape alone: tiles of c for up
// to 16 workers, at least 4 MFLOP each and no side under 64 where the shape
// has them. A tile is computed in stretches of k, one call each, between which
// a run may be stopped: a call is 64 MFLOP at most, a few milliseconds. Tiles
// for which stretches would get short are cut whatever their number.
#define TIR_EXEC_MAX_CALL_FLOPS ((double)(1 << 26))
#define TIR_EXEC_MIN_TILE_FLOPS 4e6
enum {
  TIR_EXEC_MAX_TILES = 16,
  TIR_EXEC_MIN_TILE_SIDE = 64,
  TIR_EXEC_MIN_STRETCH = 256,
};
typedef struct tir_exec_gemm_grid {
  int64_t tile_m, tile_n;
  int64_t stretch;
} tir_exec_gemm_grid;
tir_exec_gemm_grid tir_exec_gemm_grid_of(int64_t m, int64_t n, int64_t k);
// The same for own loops.
tir_exec_gemm_grid tir_exec_gemm_own_grid_of(int64_t m, int64_t n, int64_t k,
                                             bool copies_a);

#endif
