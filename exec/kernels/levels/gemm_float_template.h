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

// rows × columns elements with any strides as dense rows, `to_row` apart.
static void NAME(copy)(const T *from, int64_t from_row, int64_t from_column,
                       int64_t rows, int64_t columns, T *to, int64_t to_row) {
  // Columns that are copied 16 bytes at a time.
  const int64_t whole = columns - columns % NAME(LEAST);
  int64_t i = 0;
  if (from_column == 1)
    for (; i < rows; i++) {
      for (int64_t j = 0; j < whole; j += NAME(LEAST))
        memcpy(to + i * to_row + j, from + i * from_row + j, 16);
      for (int64_t j = whole; j < columns; j++)
        to[i * to_row + j] = from[i * from_row + j];
    }
  // Dense the other way: small squares are turned in registers.
  if (from_row == 1)
    for (; i + NAME(LEAST) <= rows; i += NAME(LEAST)) {
      for (int64_t j = 0; j < whole; j += NAME(LEAST)) NAME(turn)
      (from + i + j * from_column, from_column, to + i * to_row + j, to_row);
      for (int64_t r = i; r < i + NAME(LEAST); r++)
        for (int64_t j = whole; j < columns; j++)
          to[r * to_row + j] = from[r + j * from_column];
    }
  for (; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      to[i * to_row + j] = from[i * from_row + j * from_column];
}

// n columns of b as a dense panel of `columns`, the rest zero.
static void NAME(pack)(const tir_exec_gemm_block *g, const T *b, int64_t n,
                       int64_t columns) {
  T *const to = g->pack;
  NAME(copy)(b, g->b_row, g->b_column, g->k, n, to, columns);
  if (n < columns)
    for (int64_t p = 0; p < g->k; p++)
      for (int64_t j = n; j < columns; j++) to[p * columns + j] = 0;
}

// All of a and c; b is narrowed down by the callers.
static STRETCH NAME(whole)(const tir_exec_gemm_block *g) {
  return (STRETCH){.m = g->m,
                   .k = g->k,
                   .a = g->a,
                   .a_row = g->a_row,
                   .a_column = g->a_column,
                   .b = g->b,
                   .b_row = g->b_row,
                   .c = g->c,
                   .c_row = g->c_row,
                   .add = g->adds};
}

// Fewer columns than the least vector: rows of c go through a padded copy.
static void NAME(narrow)(const tir_exec_gemm_block *g) {
  enum { ROWS = 64 };
  T wide[ROWS * NAME(LEAST)];
  T *c = g->c;
  if (g->adds) memset(wide, 0, sizeof wide);
  NAME(pack)(g, g->b, g->n, NAME(LEAST));
  STRETCH s = NAME(whole)(g);
  s.b = g->pack;
  s.b_row = NAME(LEAST);
  s.c = wide;
  s.c_row = NAME(LEAST);
  for (int64_t i = 0; i < g->m; i += ROWS, c += ROWS * g->c_row) {
    s.m = g->m - i < ROWS ? g->m - i : ROWS;
    s.a = (const T *)g->a + i * g->a_row;
    if (g->adds) NAME(copy)(c, g->c_row, 1, s.m, g->n, wide, NAME(LEAST));
    NAME(widths)[NAME(N_WIDTHS) - 1].panel(&s);
    NAME(copy)(wide, NAME(LEAST), 1, s.m, g->n, c, g->c_row);
  }
}

// b is copied unless it is dense along rows and read only a few times.
static bool NAME(packs)(const tir_exec_gemm_block *g) {
  return g->b_column != 1 || g->m >= 4 * MAX_ROWS;
}

// The panel that starts at column j.
static void NAME(panel)(const tir_exec_gemm_block *g, int64_t j,
                        const KIND *w) {
  STRETCH s = NAME(whole)(g);
  s.b += j * g->b_column;
  s.c += j;
  if (NAME(packs)(g)) {
    NAME(pack)(g, s.b, w->columns, w->columns);
    s.b = g->pack;
    s.b_row = w->columns;
  }
  w->panel(&s);
}

// All columns, from wide panels to narrow ones.
static void NAME(panels)(const tir_exec_gemm_block *g) {
  int64_t j = 0;
  for (int i = 0; i < NAME(N_WIDTHS); i++) {
    const KIND *const w = &NAME(widths)[i];
    const KIND *const next = w + 1;
    for (; j + w->columns <= g->n; j += w->columns) NAME(panel)(g, j, w);
    if (j == g->n) return;
    // What is left does not fit the next width: overlap this one, unless that
    // would add to its neighbour's columns twice.
    const bool last = i + 1 == NAME(N_WIDTHS);
    if (!g->adds && w->columns <= g->n && (last || g->n - j > next->columns)) {
      NAME(panel)(g, g->n - w->columns, w);
      return;
    }
  }
  tir_exec_gemm_block rest = *g;
  rest.b = (const T *)g->b + j * g->b_column;
  rest.c = (T *)g->c + j;
  rest.n = g->n - j;
  NAME(narrow)(&rest);
}

// Few rows with b read in place: along its rows, as they lie in memory. Sums
// stand in c, each still one chain.
static void NAME(few_rows)(const tir_exec_gemm_block *g) {
  const T *b = g->b;
  int64_t p = 0;
  for (int64_t i = 0; i < g->m && !g->adds; i++)
    memset((T *)g->c + i * g->c_row, 0, (size_t)g->n * sizeof(T));
  for (; p + 4 <= g->k; p += 4, b += 4 * g->b_row)
    for (int64_t i = 0; i < g->m; i++) {
      const T *const a = (const T *)g->a + i * g->a_row + p * g->a_column;
      const T *const b1 = b + g->b_row, *const b2 = b1 + g->b_row;
      const T *const b3 = b2 + g->b_row;
      const T x0 = a[0], x1 = a[g->a_column], x2 = a[2 * g->a_column];
      const T x3 = a[3 * g->a_column];
      T *const c = (T *)g->c + i * g->c_row;
      TIR_IVDEP
      for (int64_t j = 0; j < g->n; j++)
        c[j] =
            FMA(x3, b3[j], FMA(x2, b2[j], FMA(x1, b1[j], FMA(x0, b[j], c[j]))));
    }
  for (; p < g->k; p++, b += g->b_row)
    for (int64_t i = 0; i < g->m; i++) {
      const T x = ((const T *)g->a)[i * g->a_row + p * g->a_column];
      T *const c = (T *)g->c + i * g->c_row;
      TIR_IVDEP
      for (int64_t j = 0; j < g->n; j++) c[j] = FMA(x, b[j], c[j]);
    }
}

// Stretch after stretch of k. Where b is read in place they are short: a row of
// b may be a page of memory, and panels side by side share the pages.
static void NAME(stretches)(const tir_exec_gemm_block *g) {
  enum { IN_PLACE = 128 };
  const int64_t longest = NAME(packs)(g) ? TIR_EXEC_STRETCH : IN_PLACE;
  tir_exec_gemm_block part = *g;
  int64_t p = 0;
  // At least once, also for k = 0: c is then written as zeros.
  do {
    part.k = g->k - p < longest ? g->k - p : longest;
    part.a = (const T *)g->a + p * g->a_column;
    part.b = (const T *)g->b + p * g->b_row;
    part.adds = g->adds || p > 0;
    NAME(panels)(&part);
    p += part.k;
  } while (p < g->k);
}

// A copy of a whose rows are dense and do not fall on the same cache sets.
static void NAME(packed)(const tir_exec_gemm_block *g) {
  tir_exec_gemm_block packed = *g;
  packed.a = g->a_pack;
  packed.a_row = g->k + TIR_EXEC_GEMM_GAP;
  packed.a_column = 1;
  NAME(copy)(g->a, g->a_row, g->a_column, g->m, g->k, g->a_pack, packed.a_row);
  NAME(stretches)(&packed);
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
  else if (g->m <= 8 && g->n >= 64 && g->b_column == 1)
    NAME(few_rows)(g);
  else if (g->a_pack)
    NAME(packed)(g);
  else
    NAME(stretches)(g);
}

#undef STRETCH
#undef KIND
#undef T
#undef NAME
#undef FMA
