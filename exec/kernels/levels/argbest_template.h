// argmax or argmin over one dtype. Included several times, with
//
//   T               element
//   NAME(x)         name of function x
//   BEATS(a, b)     a > b, or a < b
//   IS_NAN(x)       0 for integers
//
// The first NaN wins, else the first best element; −0 and +0 are equal.

static inline int64_t NAME(row)(const T *x, int64_t n) {
  T best = x[0];
  int64_t at = 0;
  for (int64_t i = 1; i < n && !IS_NAN(best); i++) {
    if (BEATS(x[i], best) || IS_NAN(x[i])) {
      best = x[i];
      at = i;
    }
  }
  return at;
}

// Several results side by side.
static void NAME(columns)(const T *x, int64_t n, int64_t stride, int64_t width,
                          int64_t *out) {
  T best[TIR_EXEC_COLUMN_TILE];
  for (int64_t j = 0; j < width; j++) {
    best[j] = x[j];
    out[j] = 0;
  }
  for (int64_t i = 1; i < n; i++) {
    const T *const row = x + i * stride;
    for (int64_t j = 0; j < width; j++) {
      const int above =
          (!IS_NAN(best[j])) & (BEATS(row[j], best[j]) | IS_NAN(row[j]));
      best[j] = above ? row[j] : best[j];
      out[j] = above ? i : out[j];
    }
  }
}

static tir_status NAME(kernel)(const tir_exec_call *call) {
  const tir_exec_rows *const p = call->params;
  const T *const x = tir_exec_arg(call, 0);
  int64_t *const out = tir_exec_arg(call, 1);
  const tir_exec_span span =
      tir_exec_span_of(call, p->n_groups, p->groups_per_unit);
  for (int64_t g = span.first; g < span.end; g++) {
    const tir_exec_rows_at at = tir_exec_find_rows(p, g);
    if (p->inner == 1)
      out[at.result] = NAME(row)(x + at.x, p->n);
    else
      NAME(columns)(x + at.x, p->n, p->inner, at.width, out + at.result);
  }
  return TIR_OK;
}

#undef T
#undef NAME
#undef BEATS
#undef IS_NAN
