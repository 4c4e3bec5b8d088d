// Reductions: what the loops need to know about axes.
//
// Kept and reduced dims are merged where they adjoin, then the last one
// decides: "rows" when it is reduced (each result folds contiguous runs),
// "columns" when it is kept (runs of results fold side by side).
//
// Float folds are fixed trees that depend on the shape alone. Rows: a run is
// cut into blocks of TIR_EXEC_ROW_BLOCK elements, each folded in
// TIR_EXEC_LANES lanes that are combined by halves. Columns: blocks of
// TIR_EXEC_COLUMN_BLOCK rows are folded one after the other. Either way the
// results of blocks are combined pairwise, as a binary counter does.
#ifndef TAPEIR_EXEC_KERNELS_REDUCE_H
#define TAPEIR_EXEC_KERNELS_REDUCE_H

#include "exec/kernels/call.h"

enum {
  TIR_EXEC_LANES = 32,
  TIR_EXEC_ROW_BLOCK = 1024,
  TIR_EXEC_COLUMN_BLOCK = 32,
  TIR_EXEC_COLUMN_TILE = 128,
  TIR_EXEC_TREE_LEVELS = 56,  // blocks of at least one byte in 2^56
};

// Positions are in elements of x.
typedef struct tir_exec_axes {
  int32_t n_kept;  // merged dims without the last
  int32_t n_reduced;
  int64_t kept_dims[TIR_MAX_RANK], kept_strides[TIR_MAX_RANK];
  int64_t reduced_dims[TIR_MAX_RANK], reduced_strides[TIR_MAX_RANK];
  int64_t kept_count;     // product of kept_dims
  int64_t reduced_count;  // product of reduced_dims
  int64_t inner;          // size of the last dim
  bool inner_reduced;
  int64_t count;  // elements folded into one result
  bool divide;    // by count, at the end: a mean
  uint32_t out_arg;
} tir_exec_axes;

// [outer, n, inner] around one axis.
typedef struct tir_exec_rows {
  int64_t outer, n, inner;
} tir_exec_rows;

typedef struct tir_exec_level_reduce {
  // Over a tir_exec_axes block, at least one element per result.
  tir_exec_kernel_fn sum[TIR_N_DTYPES];
  tir_exec_kernel_fn prod[TIR_N_DTYPES];
  tir_exec_kernel_fn max[TIR_N_DTYPES];
  tir_exec_kernel_fn min[TIR_N_DTYPES];
  tir_exec_kernel_fn norm[TIR_N_DTYPES];
  // Over a tir_exec_rows block.
  tir_exec_kernel_fn argmax[TIR_N_DTYPES];
  tir_exec_kernel_fn argmin[TIR_N_DTYPES];
} tir_exec_level_reduce;

// Length of the next piece when `rest` remains.
static inline int64_t tir_exec_piece(int64_t rest, int64_t most) {
  return rest < most ? rest : most;
}

// Next position of an odometer over `dims`; keeps *offset in step.
static inline void tir_exec_advance(int32_t n, const int64_t *dims,
                                    const int64_t *strides, int64_t *at,
                                    int64_t *offset) {
  for (int32_t d = n - 1; d >= 0; d--) {
    *offset += strides[d];
    if (++at[d] < dims[d]) return;
    at[d] = 0;
    *offset -= strides[d] * dims[d];
  }
}

#endif
