// One reduction over one dtype. Included several times, with
//
//   T               element of the operand
//   A               accumulator
//   NAME(x)         name of function x
//   MAP(x)          an element as an accumulator
//   FOLD(a, b)      combines two accumulators
//   IDENTITY        FOLD(IDENTITY, a) is a, bit for bit
//   FINISH(p, a)    an accumulator as an element of the result
//
// The order of folding is the one reduce.h promises.

// Folds at most TIR_EXEC_ROW_BLOCK elements. The main loop and the rest run
// the same line; lanes a short run cannot reach are left out, which changes
// no bit because they would hold identities. Not inlined: it is long, and is
// called from two places.
static __attribute__((noinline)) A NAME(run)(const T *x, int64_t n) {
  A lane[TIR_EXEC_LANES];
  int width = TIR_EXEC_LANES;
  while (width > 1 && width / 2 >= n) width /= 2;
  for (int l = 0; l < width; l++) lane[l] = IDENTITY;
  int64_t i = 0;
  for (; i + TIR_EXEC_LANES <= n; i += TIR_EXEC_LANES)
    for (int l = 0; l < TIR_EXEC_LANES; l++)
      lane[l] = FOLD(lane[l], MAP(x[i + l]));
  for (int l = 0; l < n - i; l++) lane[l] = FOLD(lane[l], MAP(x[i + l]));
  for (width /= 2; width > 0; width /= 2)
    for (int l = 0; l < width; l++) lane[l] = FOLD(lane[l], lane[l + width]);
  return lane[0];
}

// Results of blocks, combined pairwise: level l holds 2^l blocks.
typedef struct NAME(tree) {
  uint64_t n;
  int top;
  A level[TIR_EXEC_TREE_LEVELS];
} NAME(tree);
#define TREE NAME(tree)

// As a binary counter counts up: a carry folds two trees of one size, the older
// on the left.
static inline void NAME(push)(TREE *tree, A a) {
  for (uint64_t n = tree->n++; n % 2 == 1; n /= 2) {
    tree->top--;  // by itself: FOLD may evaluate its operands twice
    a = FOLD(tree->level[tree->top], a);
  }
  tree->level[tree->top++] = a;
}

// What is left, from the smallest tree up: the newest blocks first.
static inline A NAME(total)(TREE *tree) {
  A a = tree->level[--tree->top];
  while (tree->top > 0) {
    tree->top--;
    a = FOLD(tree->level[tree->top], a);
  }
  return a;
}

// Blocks first … end − 1 of the row at x; they go through the reduced dims in
// order, each run of the innermost one on its own.
static A NAME(row)(const tir_exec_axes *p, const T *x, int64_t first,
                   int64_t end) {
  if (p->n_reduced == 0 && p->inner <= TIR_EXEC_ROW_BLOCK)
    return NAME(run)(x, p->inner);
  TREE tree = {0};
  // Exact: cut_fold counted so many blocks for each run.
  const int64_t per_run = p->n_blocks / p->reduced_count;
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = tir_exec_seek(p->n_reduced, p->reduced_dims,
                                 p->reduced_strides, first / per_run, at);
  int64_t block = first % per_run;
  for (int64_t b = first; b < end; b++) {
    const int64_t i = block * TIR_EXEC_ROW_BLOCK;
    const int64_t n = tir_exec_piece(p->inner - i, TIR_EXEC_ROW_BLOCK);
    NAME(push)(&tree, NAME(run)(x + offset + i, n));
    if (++block < per_run) continue;
    block = 0;
    tir_exec_advance(p->n_reduced, p->reduced_dims, p->reduced_strides, at,
                     &offset);
  }
  return NAME(total)(&tree);
}

// Parts of rows; `parts` has n_parts accumulators a row, or is NULL when a
// row is one part.
static void NAME(rows)(const tir_exec_axes *p, const T *x, int64_t first,
                       int64_t end, int64_t part, T *out, A *parts) {
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset =
      tir_exec_seek(p->n_kept, p->kept_dims, p->kept_strides, first, at);
  const int64_t from = part * p->part_blocks;
  const int64_t n = tir_exec_piece(p->n_blocks - from, p->part_blocks);
  for (int64_t k = first; k < end; k++) {
    const A a = NAME(row)(p, x + offset, from, from + n);
    if (parts)
      parts[k * p->n_parts + part] = a;
    else
      out[k] = FINISH(p, a);
    tir_exec_advance(p->n_kept, p->kept_dims, p->kept_strides, at, &offset);
  }
}

// Columns: the same tree, for up to TIR_EXEC_COLUMN_TILE results at once.
// Level l of the tree is row l of `level`.
static void NAME(column_push)(A *level, int *top, uint64_t n, int64_t width) {
  for (; n % 2 == 1; n /= 2) {
    A *const a = level + (*top - 1) * TIR_EXEC_COLUMN_TILE;
    const A *const b = level + *top * TIR_EXEC_COLUMN_TILE;
    TIR_IVDEP
    for (int64_t j = 0; j < width; j++) a[j] = FOLD(a[j], b[j]);
    --*top;
  }
  ++*top;
}

// As NAME(total): from the top down to level 0.
static void NAME(column_total)(A *level, int top, int64_t width) {
  for (; top > 1; top--) {
    A *const a = level + (top - 2) * TIR_EXEC_COLUMN_TILE;
    const A *const b = a + TIR_EXEC_COLUMN_TILE;
    TIR_IVDEP
    for (int64_t j = 0; j < width; j++) a[j] = FOLD(a[j], b[j]);
  }
}

// Rows first … end − 1 of the reduced dims into level[0 … width − 1].
static void NAME(column_tile)(const tir_exec_axes *p, const T *x, int64_t first,
                              int64_t end, int64_t width, A *level) {
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = tir_exec_seek(p->n_reduced, p->reduced_dims,
                                 p->reduced_strides, first, at);
  int top = 0;
  uint64_t n_blocks = 0;
  for (int64_t r = first; r < end; r++) {
    const T *const row = x + offset;
    A *const sum = level + top * TIR_EXEC_COLUMN_TILE;
    // A block starts with its first row, so no identity takes part.
    if ((r - first) % TIR_EXEC_COLUMN_BLOCK == 0) {
      TIR_IVDEP
      for (int64_t j = 0; j < width; j++) sum[j] = MAP(row[j]);
    } else {
      TIR_IVDEP
      for (int64_t j = 0; j < width; j++) sum[j] = FOLD(sum[j], MAP(row[j]));
    }
    if ((r - first + 1) % TIR_EXEC_COLUMN_BLOCK == 0 || r + 1 == end)
      NAME(column_push)(level, &top, n_blocks++, width);
    tir_exec_advance(p->n_reduced, p->reduced_dims, p->reduced_strides, at,
                     &offset);
  }
  NAME(column_total)(level, top, width);
}

// Where group number `group` of columns stands in x and in the result.
typedef struct NAME(columns_at) {
  int64_t in, out, width;
} NAME(columns_at);

static NAME(columns_at)
    NAME(find_columns)(const tir_exec_axes *p, int64_t group) {
  const int64_t tiles =
      (p->inner + TIR_EXEC_COLUMN_TILE - 1) / TIR_EXEC_COLUMN_TILE;
  const int64_t k = group / tiles;
  const int64_t j = group % tiles * TIR_EXEC_COLUMN_TILE;
  int64_t at[TIR_MAX_RANK];
  const int64_t kept =
      tir_exec_seek(p->n_kept, p->kept_dims, p->kept_strides, k, at);
  return (NAME(columns_at)){kept + j, k * p->inner + j,
                            tir_exec_piece(p->inner - j, TIR_EXEC_COLUMN_TILE)};
}

static void NAME(write_columns)(const tir_exec_axes *p, const A *a,
                                int64_t width, T *out) {
  TIR_IVDEP
  for (int64_t j = 0; j < width; j++) out[j] = FINISH(p, a[j]);
}

static void NAME(columns)(const tir_exec_axes *p, const T *x, int64_t first,
                          int64_t end, int64_t part, T *out, A *level,
                          A *parts) {
  // Parts end where blocks do; the last has what is left.
  const int64_t rows = p->part_blocks * TIR_EXEC_COLUMN_BLOCK;
  const int64_t from = part * rows;
  const int64_t n = tir_exec_piece(p->reduced_count - from, rows);
  for (int64_t g = first; g < end; g++) {
    const NAME(columns_at) at = NAME(find_columns)(p, g);
    NAME(column_tile)(p, x + at.in, from, from + n, at.width, level);
    if (parts)
      memcpy(parts + (g * p->n_parts + part) * TIR_EXEC_COLUMN_TILE, level,
             (size_t)at.width * sizeof(A));
    else
      NAME(write_columns)(p, level, at.width, out + at.out);
  }
}

// Units go through the parts of their groups before the next groups.
static tir_status NAME(kernel)(const tir_exec_call *call) {
  const tir_exec_axes *const p = call->params;
  const T *const x = tir_exec_arg(call, 0);
  T *const out = tir_exec_arg(call, p->out_arg);
  A *const parts = p->n_parts > 1 ? call->shared : NULL;
  // A step that is not cut is one unit.
  const int64_t end = call->end > 0 ? call->end : 1;
  for (int64_t unit = call->first; unit < end; unit++) {
    const int64_t first = unit / p->n_parts * p->groups_per_unit;
    const int64_t last =
        first + tir_exec_piece(p->n_groups - first, p->groups_per_unit);
    const int64_t part = unit % p->n_parts;
    if (p->inner_reduced)
      NAME(rows)(p, x, first, last, part, out, parts);
    else
      NAME(columns)(p, x, first, last, part, out, call->scratch, parts);
  }
  return TIR_OK;
}

// n contiguous elements of a row: a whole branch of its tree, or its end.
static void NAME(row_part)(const void *x, int64_t n, void *accumulators,
                           int64_t at) {
  A *const to = (A *)accumulators + at;
  const T *const from = x;
  if (n <= TIR_EXEC_ROW_BLOCK) {
    *to = NAME(run)(from, n);
    return;
  }
  TREE tree = {0};
  for (int64_t i = 0; i < n; i += TIR_EXEC_ROW_BLOCK) NAME(push)
  (&tree, NAME(run)(from + i, tir_exec_piece(n - i, TIR_EXEC_ROW_BLOCK)));
  *to = NAME(total)(&tree);
}

static void NAME(finish_rows)(const void *params, const void *accumulators,
                              int64_t n_parts, int64_t n_rows, void *out) {
  const tir_exec_axes *const p = params;
  const A *part = accumulators;
  T *const to = out;
  for (int64_t k = 0; k < n_rows; k++, part += n_parts) {
    A a = part[0];
    if (n_parts > 1) {
      TREE tree = {0};
      for (int64_t i = 0; i < n_parts; i++) NAME(push)(&tree, part[i]);
      a = NAME(total)(&tree);
    }
    to[k] = FINISH(p, a);
  }
}

// Combines the parts: the upper levels of each group's tree.
static tir_status NAME(finish)(const tir_exec_call *call) {
  const tir_exec_axes *const p = call->params;
  T *const out = tir_exec_arg(call, p->out_arg);
  A *const parts = call->shared;
  // Up to 64 parts: 7 levels hold them, with the one that is pushed.
  A level[TIR_EXEC_PART_LEVELS * TIR_EXEC_COLUMN_TILE];
  if (p->inner_reduced) {
    NAME(finish_rows)(p, parts, p->n_parts, p->n_groups, out);
    return TIR_OK;
  }
  for (int64_t g = 0; g < p->n_groups; g++) {
    const NAME(columns_at) at = NAME(find_columns)(p, g);
    const A *from = parts + g * p->n_parts * TIR_EXEC_COLUMN_TILE;
    int top = 0;
    for (int64_t i = 0; i < p->n_parts; i++, from += TIR_EXEC_COLUMN_TILE) {
      memcpy(level + top * TIR_EXEC_COLUMN_TILE, from,
             (size_t)at.width * sizeof(A));
      NAME(column_push)(level, &top, (uint64_t)i, at.width);
    }
    NAME(column_total)(level, top, at.width);
    NAME(write_columns)(p, level, at.width, out + at.out);
  }
  return TIR_OK;
}

#undef TREE
#undef T
#undef A
#undef NAME
#undef MAP
#undef FOLD
#undef IDENTITY
#undef FINISH
