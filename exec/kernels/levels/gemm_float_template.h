// Matrix products over one float dtype. Included twice, with
//
//   T               element
//   NAME(x)         name of function x
//   FMA(a, b, c)    a·b + c of elements
//   NAME(turn)      transposes a square of 16 bytes a side
//
// Columns come in panels of two vectors, one, a half and a quarter. A ragged
// edge recomputes columns of its neighbour rather than mask.

// One panel of columns over a stretch of k.
typedef struct NAME(stretch) {
  int64_t m, k;
  const T *a;
  int64_t a_row, a_column;
  const T *b;  // dense along a row
  int64_t b_row;
  T *c;
  int64_t c_row;
  bool add;  // to what is in c
} NAME(stretch);
#define STRETCH NAME(stretch)

#define WIDTH(x) NAME(x##_2)
#define BYTES VECTOR_BYTES
#define MAX_VECTORS 2
#include "exec/kernels/levels/gemm_tile_template.h"

#define WIDTH(x) NAME(x##_1)
#define BYTES VECTOR_BYTES
#define MAX_VECTORS 1
#include "exec/kernels/levels/gemm_tile_template.h"

#if VECTOR_BYTES > 32
#define WIDTH(x) NAME(x##_half)
#define BYTES 32
#define MAX_VECTORS 1
#include "exec/kernels/levels/gemm_tile_template.h"
#endif

#if VECTOR_BYTES > 16
#define WIDTH(x) NAME(x##_least)
#define BYTES 16
#define MAX_VECTORS 1
#include "exec/kernels/levels/gemm_tile_template.h"
#endif

typedef struct NAME(width) {
  int64_t columns;
  void (*panel)(const STRETCH *s);
} NAME(width);
#define KIND NAME(width)

// From wide to narrow.
static const KIND NAME(widths)[] = {
    {2 * VECTOR_BYTES / sizeof(T), NAME(panel_2)},
    {VECTOR_BYTES / sizeof(T), NAME(panel_1)},
#if VECTOR_BYTES > 32
    {32 / sizeof(T), NAME(panel_half)},
#endif
#if VECTOR_BYTES > 16
    {16 / sizeof(T), NAME(panel_least)},
#endif
};
enum {
  NAME(N_WIDTHS) = sizeof NAME(widths) / sizeof NAME(widths)[0],
  NAME(LEAST) = 16 / (int)sizeof(T),
};

// k rows of `n` columns of b as a dense panel of `columns`, the rest zero.
static void NAME(pack)(const tir_exec_gemm_block *g, const T *b, int64_t k,
                       int64_t n, int64_t columns) {
  T *to = g->pack;
  int64_t p = 0;
  // b dense along k: small squares are turned in registers.
  if (g->b_row == 1 && n == columns)
    for (; p + NAME(LEAST) <= k; p += NAME(LEAST), to += NAME(LEAST) * columns)
      for (int64_t j = 0; j < columns; j += NAME(LEAST))
        NAME(turn)(b + p + j * g->b_column, g->b_column, to + j, columns);
  // What is left, one element after the other.
  for (; p < k; p++, to += columns) {
    for (int64_t j = 0; j < n; j++) to[j] = b[p * g->b_row + j * g->b_column];
    for (int64_t j = n; j < columns; j++) to[j] = 0;
  }
}

// All of a and c; k and b are narrowed down by the callers.
static STRETCH NAME(whole)(const tir_exec_gemm_block *g) {
  return (STRETCH){.m = g->m,
                   .k = g->k,
                   .a = g->a,
                   .a_row = g->a_row,
                   .a_column = g->a_column,
                   .b = g->b,
                   .b_row = g->b_row,
                   .c = g->c,
                   .c_row = g->c_row};
}

// Fewer columns than the least vector: rows of c go through a padded copy.
static void NAME(narrow)(const tir_exec_gemm_block *g) {
  enum { ROWS = 64 };
  T wide[ROWS * NAME(LEAST)];
  T *c = g->c;
  NAME(pack)(g, g->b, g->k, g->n, NAME(LEAST));
  STRETCH s = NAME(whole)(g);
  s.b = g->pack;
  s.b_row = NAME(LEAST);
  s.c = wide;
  s.c_row = NAME(LEAST);
  for (int64_t i = 0; i < g->m; i += ROWS) {
    s.m = g->m - i < ROWS ? g->m - i : ROWS;
    s.a = (const T *)g->a + i * g->a_row;
    NAME(widths)[NAME(N_WIDTHS) - 1].panel(&s);
    for (int64_t r = 0; r < s.m; r++)
      for (int64_t j = 0; j < g->n; j++)
        c[(i + r) * g->c_row + j] = wide[r * NAME(LEAST) + j];
  }
}

// The panel that starts at column j, stretch after stretch of k. b is copied
// unless it is dense along rows and read only a few times.
static void NAME(panel)(const tir_exec_gemm_block *g, int64_t j,
                        const KIND *w) {
  const T *const b = (const T *)g->b + j * g->b_column;
  const bool pack = g->b_column != 1 || g->m >= 4 * MAX_ROWS;
  STRETCH s = NAME(whole)(g);
  s.c += j;
  int64_t p = 0;
  // At least once, also for k = 0: c is then written as zeros.
  do {
    s.k = g->k - p < TIR_EXEC_STRETCH ? g->k - p : TIR_EXEC_STRETCH;
    s.a = (const T *)g->a + p * g->a_column;
    s.b = b + p * g->b_row;
    if (pack) {
      NAME(pack)(g, s.b, s.k, w->columns, w->columns);
      s.b = g->pack;
      s.b_row = w->columns;
    }
    s.add = p > 0;
    w->panel(&s);
    p += s.k;
  } while (p < g->k);
}

static void NAME(panels)(const tir_exec_gemm_block *g) {
  int64_t j = 0;
  for (int i = 0; i < NAME(N_WIDTHS); i++) {
    const KIND *const w = &NAME(widths)[i];
    const KIND *const next = w + 1;
    for (; j + w->columns <= g->n; j += w->columns) NAME(panel)(g, j, w);
    if (j == g->n) return;
    // What is left does not fit the next width: overlap this one.
    const bool last = i + 1 == NAME(N_WIDTHS);
    if (w->columns <= g->n && (last || g->n - j > next->columns)) {
      NAME(panel)(g, g->n - w->columns, w);
      return;
    }
  }
}

// --- inner products ----------------------------------------------------------

static inline __attribute__((always_inline)) NAME(vector_1)
    NAME(fma)(NAME(vector_1) a, NAME(vector_1) b, NAME(vector_1) c) {
  NAME(vector_1) v = c;
  for (int l = 0; l < NAME(LANES_1); l++) v[l] = FMA(a[l], b[l], c[l]);
  return v;
}

// Four vectors of sums go on over elements first … end − 1 of x · y, a multiple
// of their lanes.
static inline __attribute__((always_inline)) void NAME(dot_on)(
    const T *x, const T *y, int64_t first, int64_t end, NAME(vector_1) sum[4]) {
  enum { LANES = NAME(LANES_1) };
  for (int64_t p = first; p < end; p += 4 * LANES) {
    TIR_UNROLL
    for (int v = 0; v < 4; v++)
      sum[v] = NAME(fma)(NAME(load_1)(x + p + v * LANES),
                         NAME(load_1)(y + p + v * LANES), sum[v]);
  }
}

// The elements from p on, which do not fill four vectors, go into the first
// one; then lanes are combined by halves. `rest` holds the elements of y behind
// the last whole vector, padded with zeros.
static inline __attribute__((always_inline)) T NAME(dot_end)(
    const T *x, const T *y, int64_t p, int64_t k, NAME(vector_1) rest,
    NAME(vector_1) sum[4]) {
  enum { LANES = NAME(LANES_1) };
  for (; p + LANES <= k; p += LANES)
    sum[0] = NAME(fma)(NAME(load_1)(x + p), NAME(load_1)(y + p), sum[0]);
  if (p < k) {
    NAME(vector_1) end = {0};
    for (int l = 0; l < k - p; l++) end[l] = x[p + l];
    sum[0] = NAME(fma)(end, rest, sum[0]);
  }
  const NAME(vector_1) all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  T lane[LANES];
  memcpy(lane, &all, sizeof lane);
  TIR_UNROLL
  for (int width = LANES / 2; width > 0; width /= 2) {
    TIR_UNROLL
    for (int l = 0; l < width; l++) lane[l] = lane[l] + lane[l + width];
  }
  return lane[0];
}

static inline NAME(vector_1) NAME(dot_rest)(const T *y, int64_t k) {
  NAME(vector_1) rest = {0};
  const int64_t n_rest = k % NAME(LANES_1);
  for (int64_t l = 0; l < n_rest; l++) rest[l] = y[k - n_rest + l];
  return rest;
}

static inline T NAME(dot)(const T *x, const T *y, int64_t k,
                          NAME(vector_1) rest) {
  const int64_t whole = k / (4 * NAME(LANES_1)) * (4 * NAME(LANES_1));
  NAME(vector_1) sum[4];
  TIR_UNROLL
  for (int v = 0; v < 4; v++) sum[v] = (NAME(vector_1)){0};
  NAME(dot_on)(x, y, 0, whole, sum);
  return NAME(dot_end)(x, y, whole, k, rest, sum);
}

// The same for long vectors, in stretches between which a run may be stopped.
static tir_status NAME(long_dot)(const tir_exec_call *call, const void *a,
                                 const void *b, int64_t k, void *out) {
  const T *const x = a;
  const T *const y = b;
  const int64_t whole = k / (4 * NAME(LANES_1)) * (4 * NAME(LANES_1));
  NAME(vector_1) sum[4] = {{0}};
  for (int64_t p = 0; p < whole; p += TIR_EXEC_ASK_AFTER) {
    if (p > 0) TIR_TRY(tir_exec_ask(call));
    const int64_t rest = whole - p;
    NAME(dot_on)
    (x, y, p, p + (rest < TIR_EXEC_ASK_AFTER ? rest : TIR_EXEC_ASK_AFTER), sum);
  }
  *(T *)out = NAME(dot_end)(x, y, whole, k, NAME(dot_rest)(y, k), sum);
  return TIR_OK;
}

// So short that setting up vectors costs more than all the sums.
static void NAME(short_dots)(const tir_exec_gemm_block *g) {
  const T *const y = g->b;
  for (int64_t i = 0; i < g->m; i++) {
    const T *const x = (const T *)g->a + i * g->a_row;
    T sum = 0;
    for (int64_t p = 0; p < g->k; p++) sum = FMA(x[p], y[p * g->b_row], sum);
    ((T *)g->c)[i * g->c_row] = sum;
  }
}

// n = 1 with a dense along k. Other bits than a chain has, but whether this
// form is used depends on the shape and flags alone.
static void NAME(dots)(const tir_exec_gemm_block *g) {
  const T *y = g->b;
  if (g->k <= 8) {
    NAME(short_dots)(g);
    return;
  }
  if (g->b_row != 1) {
    // A column of b is gathered once for all rows.
    T *const dense = g->pack;
    for (int64_t p = 0; p < g->k; p++) dense[p] = y[p * g->b_row];
    y = dense;
  }
  const NAME(vector_1) rest = NAME(dot_rest)(y, g->k);
  for (int64_t i = 0; i < g->m; i++)
    ((T *)g->c)[i * g->c_row] =
        NAME(dot)((const T *)g->a + i * g->a_row, y, g->k, rest);
}

// Chains everywhere but in the first form. It is chosen by shape and flags, and
// not for a part of a product: there a lone column must equal its neighbours.
static void NAME(gemm)(const tir_exec_gemm_block *g) {
  if (g->n == 1 && g->a_column == 1 && !g->is_part)
    NAME(dots)(g);
  else if (g->n < NAME(LEAST))
    NAME(narrow)(g);
  else
    NAME(panels)(g);
}

#undef STRETCH
#undef KIND
#undef T
#undef NAME
#undef FMA
