// Largest element, sum and exponentials of a row of one dtype, for softmax and
// attention. Included where T, NAME and EXPS are defined as in
// softmax_template.h; the includer undefines MAX.

#define MAX(x, y) ((x) > (y) ? (x) : (y))

// Of n elements, in lanes that are combined by halves; −∞ if there are none.
// Lanes a short run cannot reach are left out.
static inline T NAME(largest)(const T *x, int64_t n) {
  T lane[TIR_EXEC_LANES];
  int width = TIR_EXEC_LANES;
  while (width > 1 && width / 2 >= n) width /= 2;
  for (int l = 0; l < width; l++) lane[l] = (T)-INFINITY;
  int64_t i = 0;
  for (; i + TIR_EXEC_LANES <= n; i += TIR_EXEC_LANES)
    for (int l = 0; l < TIR_EXEC_LANES; l++) lane[l] = MAX(x[i + l], lane[l]);
  for (int l = 0; l < n - i; l++) lane[l] = MAX(x[i + l], lane[l]);
  for (width /= 2; width > 0; width /= 2)
    for (int l = 0; l < width; l++) lane[l] = MAX(lane[l + width], lane[l]);
  return lane[0];
}

// In the same lanes.
static inline T NAME(sum)(const T *x, int64_t n) {
  T lane[TIR_EXEC_LANES];
  int width = TIR_EXEC_LANES;
  while (width > 1 && width / 2 >= n) width /= 2;
  for (int l = 0; l < width; l++) lane[l] = 0;
  int64_t i = 0;
  for (; i + TIR_EXEC_LANES <= n; i += TIR_EXEC_LANES)
    for (int l = 0; l < TIR_EXEC_LANES; l++) lane[l] = lane[l] + x[i + l];
  for (int l = 0; l < n - i; l++) lane[l] = lane[l] + x[i + l];
  for (width /= 2; width > 0; width /= 2)
    for (int l = 0; l < width; l++) lane[l] = lane[l] + lane[l + width];
  return lane[0];
}

// to[i] = e^(x[i] − largest); returns `total` and their sum. `to` may be x, or
// NULL when only the sum matters.
static T NAME(exps)(const T *x, int64_t n, T largest, T *to, T total) {
  _Alignas(64) T piece[TIR_EXEC_BLOCK];
  for (int64_t i = 0; i < n; i += TIR_EXEC_BLOCK) {
    const int64_t m = n - i < TIR_EXEC_BLOCK ? n - i : TIR_EXEC_BLOCK;
    T *const e = to ? to + i : piece;
    const T *const from = x + i;
    TIR_IVDEP
    for (int64_t j = 0; j < m; j++) e[j] = from[j] - largest;
    EXPS(m, e, e, NULL, NULL);
    total += NAME(sum)(e, m);
  }
  return total;
}
