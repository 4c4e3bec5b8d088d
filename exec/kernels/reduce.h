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
// results of blocks are combined pairwise, as a binary counter does. A run cut
// for several lanes is cut into parts of 2^n blocks: whole branches of that
// tree, so the cut changes no bit.
#ifndef TAPEIR_EXEC_KERNELS_REDUCE_H
#define TAPEIR_EXEC_KERNELS_REDUCE_H

#include "exec/kernels/call.h"

enum {
  TIR_EXEC_LANES = 32,
  TIR_EXEC_ROW_BLOCK = 1024,
  TIR_EXEC_COLUMN_BLOCK = 32,
  TIR_EXEC_COLUMN_TILE = 128,
  TIR_EXEC_TREE_LEVELS = 56,  // blocks of at least one byte in 2^56
  TIR_EXEC_MAX_PARTS = 64,    // of one fold
  TIR_EXEC_PART_LEVELS = 8,   // of the tree that combines them
};

// Positions are in elements of x.
typedef struct tir_exec_axes {
  int32_t n_kept;  // merged dims without the last
  // Of the dims that are reduced, again without the last.
  int32_t n_reduced;
  int64_t kept_dims[TIR_MAX_RANK], kept_strides[TIR_MAX_RANK];
  int64_t reduced_dims[TIR_MAX_RANK], reduced_strides[TIR_MAX_RANK];
  int64_t kept_count;     // product of kept_dims
  int64_t reduced_count;  // product of reduced_dims
  int64_t inner;          // size of the last dim
  bool inner_reduced;
  // Cutting: groups are the rows, or tiles of columns, of results; each is
  // folded in n_parts parts of part_blocks blocks. A unit is groups_per_unit
  // groups in one part. With several parts the accumulators of (group, part)
  // go to shared memory and are folded in the end.
  int64_t n_groups, groups_per_unit;
  int64_t n_blocks;  // of a group
  int64_t n_parts, part_blocks;
  int64_t count;  // elements folded into one result
  bool divide;    // by count, at the end: a mean
  uint32_t out_arg;
} tir_exec_axes;

// [outer, n, inner] around one axis, gone through in groups: each of the outer
// rows, or, where there are inner elements, tiles of up to
// TIR_EXEC_COLUMN_TILE columns side by side.
typedef struct tir_exec_rows {
  // A result, or a row of results, per outer; `n` is the size of the axis.
  int64_t outer, n, inner;
  int64_t n_groups, groups_per_unit;
} tir_exec_rows;

// Of group number `group`: its place in x (times n for what precedes it), its
// place among results, and its width.
typedef struct tir_exec_rows_at {
  int64_t x, result, width;
} tir_exec_rows_at;

// Fills the block for `in` around `axis` and cuts it; `cost` is that of an
// element.
void tir_exec_fill_rows(tir_exec_prepare *q, const tir_ir_type *in, int axis,
                        double cost, tir_exec_rows *p);

// Over a tir_exec_axes block, at least one element per result.
typedef struct tir_exec_fold {
  tir_exec_kernel_fn run;
  tir_exec_kernel_fn finish;  // of a fold in several parts
  // As tir_exec_folding has them; accumulators take 8 bytes at most.
  void (*row_part)(const void *x, int64_t n, void *accumulators, int64_t at);
  void (*finish_rows)(const void *params, const void *accumulators,
                      int64_t n_parts, int64_t n_rows, void *out);
} tir_exec_fold;

// argmax and argmin: rows that may be cut along the axis. A unit is
// groups_per_unit groups in one part; with several parts their positions go to
// shared memory and are compared in the end.
typedef struct tir_exec_best_params {
  tir_exec_rows rows;
  int64_t n_parts, part_n;  // places along the axis
} tir_exec_best_params;

typedef struct tir_exec_best {
  tir_exec_kernel_fn run, finish;  // finish: of several parts
} tir_exec_best;

typedef struct tir_exec_level_reduce {
  tir_exec_fold sum[TIR_N_DTYPES];
  tir_exec_fold prod[TIR_N_DTYPES];
  tir_exec_fold max[TIR_N_DTYPES];
  tir_exec_fold min[TIR_N_DTYPES];
  tir_exec_fold norm[TIR_N_DTYPES];
  tir_exec_best argmax[TIR_N_DTYPES];
  tir_exec_best argmin[TIR_N_DTYPES];
} tir_exec_level_reduce;

// Which axes of operand 0 a list names; none means all.
tir_status tir_exec_read_axes(tir_exec_prepare *q, const tir_ir_ints *axes,
                              bool *reduced);
// Merges the dims of x; leaves `divide` and `out_arg` to the caller.
void tir_exec_fill_axes(const tir_ir_type *x, const bool *reduced,
                        tir_exec_axes *p);

// Length of the next piece when `rest` remains.
static inline int64_t tir_exec_piece(int64_t rest, int64_t most) {
  return rest < most ? rest : most;
}

static inline tir_exec_rows_at tir_exec_find_rows(const tir_exec_rows *p,
                                                  int64_t group) {
  if (p->inner == 1) return (tir_exec_rows_at){group * p->n, group, 1};
  const int64_t tiles =
      (p->inner + TIR_EXEC_COLUMN_TILE - 1) / TIR_EXEC_COLUMN_TILE;
  const int64_t outer = group / tiles;
  const int64_t j = group % tiles * TIR_EXEC_COLUMN_TILE;
  return (tir_exec_rows_at){outer * p->n * p->inner + j, outer * p->inner + j,
                            tir_exec_piece(p->inner - j, TIR_EXEC_COLUMN_TILE)};
}

// Position number `n` of an odometer over `dims`; returns its offset.
static inline int64_t tir_exec_seek(int32_t rank, const int64_t *dims,
                                    const int64_t *strides, int64_t n,
                                    int64_t *at) {
  int64_t offset = 0;
  for (int32_t d = rank - 1; d >= 0; d--) {
    at[d] = n % dims[d];
    n /= dims[d];
    offset += at[d] * strides[d];
  }
  return offset;
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
