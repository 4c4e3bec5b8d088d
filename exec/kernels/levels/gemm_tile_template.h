// Register tiles of a matrix product over one float dtype and one vector
// width. Included once per width, with
//
//   T               element
//   NAME(x)         name of function x
//   FMA(a, b, c)    a·b + c of elements
//   WIDTH(x)        name of x for this width
//   BYTES           of a vector
//   MAX_VECTORS     of columns in a tile
//
// Rows come in tiles of MAX_ROWS, 4, 2 and 1. Every element of c is one chain
// of FMA in order of k, so its bits depend on neither width nor tile.

enum { WIDTH(LANES) = BYTES / (int)sizeof(T) };
typedef T WIDTH(vector) __attribute__((vector_size(BYTES)));

static inline __attribute__((always_inline)) WIDTH(vector)
    WIDTH(load)(const T *from) {
  WIDTH(vector) v;
  memcpy(&v, from, sizeof v);
  return v;
}

static inline __attribute__((always_inline)) WIDTH(vector)
    WIDTH(fma)(T a, WIDTH(vector) b, WIDTH(vector) c) {
  WIDTH(vector) v = c;
  for (int l = 0; l < WIDTH(LANES); l++) v[l] = FMA(a, b[l], c[l]);
  return v;
}

// c[rows, MAX_VECTORS · LANES] = a · b, or that added to what a former stretch
// of k left in c. `rows` is a constant at every call.
static inline __attribute__((always_inline)) void WIDTH(tile)(int rows,
                                                              const STRETCH *s,
                                                              const T *a,
                                                              T *c) {
  WIDTH(vector) sum[MAX_ROWS][MAX_VECTORS];
  TIR_UNROLL
  for (int i = 0; i < rows; i++) {
    TIR_UNROLL
    for (int v = 0; v < MAX_VECTORS; v++)
      sum[i][v] = s->add ? WIDTH(load)(c + i * s->c_row + v * WIDTH(LANES))
                         : (WIDTH(vector)){0};
  }
  const T *b = s->b;
  for (int64_t p = 0; p < s->k; p++, a += s->a_column, b += s->b_row) {
    WIDTH(vector) row[MAX_VECTORS];
    TIR_UNROLL
    for (int v = 0; v < MAX_VECTORS; v++)
      row[v] = WIDTH(load)(b + v * WIDTH(LANES));
    TIR_UNROLL
    for (int i = 0; i < rows; i++) {
      const T x = a[i * s->a_row];
      TIR_UNROLL
      for (int v = 0; v < MAX_VECTORS; v++)
        sum[i][v] = WIDTH(fma)(x, row[v], sum[i][v]);
    }
  }
  TIR_UNROLL
  for (int i = 0; i < rows; i++) {
    TIR_UNROLL
    for (int v = 0; v < MAX_VECTORS; v++)
      memcpy(c + i * s->c_row + v * WIDTH(LANES), &sum[i][v], sizeof sum[i][v]);
  }
}

#define ROWS(n)                     \
  for (; i + (n) <= s->m; i += (n)) \
  WIDTH(tile)((n), s, s->a + i * s->a_row, s->c + i * s->c_row)

// All rows of one panel of columns.
static void WIDTH(panel)(const STRETCH *s) {
  int64_t i = 0;
  ROWS(MAX_ROWS);
  ROWS(4);
  ROWS(2);
  ROWS(1);
}

#undef ROWS
#undef WIDTH
#undef BYTES
#undef MAX_VECTORS
