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

// Positions found in one part of a group.
static inline int64_t *NAME(part_of)(const tir_exec_call *call, int64_t group,
                                     int64_t part) {
  const tir_exec_best_params *const p = call->params;
  const int64_t results = p->rows.inner == 1 ? 1 : TIR_EXEC_COLUMN_TILE;
  return (int64_t *)call->shared + (group * p->n_parts + part) * results;
}

static tir_status NAME(kernel)(const tir_exec_call *call) {
  const tir_exec_best_params *const p = call->params;
  const tir_exec_rows *const rows = &p->rows;
  const T *const x = tir_exec_arg(call, 0);
  int64_t *const out = tir_exec_arg(call, 1);
  // A step that is not cut is one unit.
  const int64_t n_units = call->end > 0 ? call->end : 1;
  for (int64_t unit = call->first; unit < n_units; unit++) {
    const int64_t first = unit / p->n_parts * rows->groups_per_unit;
    const int64_t end =
        first + tir_exec_piece(rows->n_groups - first, rows->groups_per_unit);
    const int64_t from = unit % p->n_parts * p->part_n;
    const int64_t n = tir_exec_piece(rows->n - from, p->part_n);
    for (int64_t g = first; g < end; g++) {
      const tir_exec_rows_at at = tir_exec_find_rows(rows, g);
      const T *const part = x + at.x + from * rows->inner;
      int64_t *const to = p->n_parts > 1
                              ? NAME(part_of)(call, g, unit % p->n_parts)
                              : out + at.result;
      if (rows->inner == 1)
        *to = NAME(row)(part, n);
      else
        NAME(columns)(part, n, rows->inner, at.width, to);
      for (int64_t j = 0; j < at.width; j++) to[j] += from;
    }
  }
  return TIR_OK;
}

// Of each result the best among those of its parts, in their order.
static tir_status NAME(finish)(const tir_exec_call *call) {
  const tir_exec_best_params *const p = call->params;
  int64_t *const out = tir_exec_arg(call, 1);
  for (int64_t g = 0; g < p->rows.n_groups; g++) {
    const tir_exec_rows_at at = tir_exec_find_rows(&p->rows, g);
    const T *const x = (const T *)tir_exec_arg(call, 0) + at.x;
    for (int64_t j = 0; j < at.width; j++) {
      int64_t best = NAME(part_of)(call, g, 0)[j];
      for (int64_t k = 1; k < p->n_parts; k++) {
        const int64_t i = NAME(part_of)(call, g, k)[j];
        const T old = x[best * p->rows.inner + j];
        const T now = x[i * p->rows.inner + j];
        if (!IS_NAN(old) && (BEATS(now, old) || IS_NAN(now))) best = i;
      }
      out[at.result + j] = best;
    }
  }
  return TIR_OK;
}

#undef T
#undef NAME
#undef BEATS
#undef IS_NAN
