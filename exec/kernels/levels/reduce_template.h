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

static inline void NAME(push)(TREE *tree, A a) {
  for (uint64_t n = tree->n++; n % 2 == 1; n /= 2) {
    tree->top--;  // by itself: FOLD may evaluate its operands twice
    a = FOLD(tree->level[tree->top], a);
  }
  tree->level[tree->top++] = a;
}

static inline A NAME(total)(TREE *tree) {
  A a = tree->level[--tree->top];
  while (tree->top > 0) {
    tree->top--;
    a = FOLD(tree->level[tree->top], a);
  }
  return a;
}

static A NAME(row)(const tir_exec_axes *p, const T *x) {
  if (p->n_reduced == 0 && p->inner <= TIR_EXEC_ROW_BLOCK)
    return NAME(run)(x, p->inner);
  TREE tree = {0};
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = 0;
  for (int64_t r = 0; r < p->reduced_count; r++) {
    for (int64_t i = 0; i < p->inner; i += TIR_EXEC_ROW_BLOCK) {
      const int64_t n = tir_exec_piece(p->inner - i, TIR_EXEC_ROW_BLOCK);
      NAME(push)(&tree, NAME(run)(x + offset + i, n));
    }
    tir_exec_advance(p->n_reduced, p->reduced_dims, p->reduced_strides, at,
                     &offset);
  }
  return NAME(total)(&tree);
}

static void NAME(rows)(const tir_exec_axes *p, const T *x, T *out) {
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = 0;
  for (int64_t k = 0; k < p->kept_count; k++) {
    const A a = NAME(row)(p, x + offset);
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

static void NAME(column_tile)(const tir_exec_axes *p, const T *x, T *out,
                              int64_t width, A *level) {
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = 0;
  int top = 0;
  uint64_t n_blocks = 0;
  for (int64_t r = 0; r < p->reduced_count; r++) {
    const T *const row = x + offset;
    A *const sum = level + top * TIR_EXEC_COLUMN_TILE;
    if (r % TIR_EXEC_COLUMN_BLOCK == 0) {
      TIR_IVDEP
      for (int64_t j = 0; j < width; j++) sum[j] = MAP(row[j]);
    } else {
      TIR_IVDEP
      for (int64_t j = 0; j < width; j++) sum[j] = FOLD(sum[j], MAP(row[j]));
    }
    if ((r + 1) % TIR_EXEC_COLUMN_BLOCK == 0 || r + 1 == p->reduced_count)
      NAME(column_push)(level, &top, n_blocks++, width);
    tir_exec_advance(p->n_reduced, p->reduced_dims, p->reduced_strides, at,
                     &offset);
  }
  for (; top > 1; top--) {
    A *const a = level + (top - 2) * TIR_EXEC_COLUMN_TILE;
    const A *const b = a + TIR_EXEC_COLUMN_TILE;
    TIR_IVDEP
    for (int64_t j = 0; j < width; j++) a[j] = FOLD(a[j], b[j]);
  }
  TIR_IVDEP
  for (int64_t j = 0; j < width; j++) out[j] = FINISH(p, level[j]);
}

static void NAME(columns)(const tir_exec_axes *p, const T *x, T *out,
                          A *level) {
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = 0;
  for (int64_t k = 0; k < p->kept_count; k++) {
    for (int64_t j = 0; j < p->inner; j += TIR_EXEC_COLUMN_TILE) {
      const int64_t width = tir_exec_piece(p->inner - j, TIR_EXEC_COLUMN_TILE);
      T *const to = out + k * p->inner + j;
      NAME(column_tile)(p, x + offset + j, to, width, level);
    }
    tir_exec_advance(p->n_kept, p->kept_dims, p->kept_strides, at, &offset);
  }
}

static tir_status NAME(kernel)(const tir_exec_call *call) {
  const tir_exec_axes *const p = call->params;
  const T *const x = tir_exec_arg(call, 0);
  T *const out = tir_exec_arg(call, p->out_arg);
  if (p->inner_reduced)
    NAME(rows)(p, x, out);
  else
    NAME(columns)(p, x, out, call->scratch);
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
