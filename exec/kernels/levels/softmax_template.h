// softmax, log_softmax, logsumexp and cross_entropy over one dtype. Included
// twice, with
//
//   T               element
//   NAME(x)         name of function x
//   EXPS            a tir_exec_loop of the exponential
//   EXP(x), LOG(x)  exponential and logarithm
//
// A NaN need not win the search for the largest element: its own exponential
// makes the sum, and so the row, NaN.
//
// The largest element is subtracted first. Sums run in TIR_EXEC_LANES lanes
// over pieces of a fixed length, combined by halves, piece after piece.

#include "exec/kernels/levels/exps_template.h"

// A row is gone through in stretches, so that a run may be stopped between
// them; sums go on from one to the next.

static tir_status NAME(row_largest)(const tir_exec_call *call, const T *x,
                                    int64_t n, T *out) {
  T largest = (T)-INFINITY;
  for (int64_t i = 0; i < n; i += TIR_EXEC_ASK_AFTER) {
    if (i > 0) TIR_TRY(tir_exec_ask(call));
    const int64_t m = tir_exec_piece(n - i, TIR_EXEC_ASK_AFTER);
    const T best = NAME(largest)(x + i, m);
    largest = MAX(best, largest);
  }
  *out = largest;
  return TIR_OK;
}

// As NAME(exps).
static tir_status NAME(row_exps)(const tir_exec_call *call, const T *x,
                                 int64_t n, T largest, T *to, T *out_sum) {
  T sum = 0;
  for (int64_t i = 0; i < n; i += TIR_EXEC_ASK_AFTER) {
    if (i > 0) TIR_TRY(tir_exec_ask(call));
    const int64_t m = tir_exec_piece(n - i, TIR_EXEC_ASK_AFTER);
    sum = NAME(exps)(x + i, m, largest, to ? to + i : NULL, sum);
  }
  *out_sum = sum;
  return TIR_OK;
}

static tir_status NAME(divide_row)(const tir_exec_call *call, T *out, int64_t n,
                                   T sum) {
  for (int64_t i = 0; i < n; i += TIR_EXEC_ASK_AFTER) {
    if (i > 0) TIR_TRY(tir_exec_ask(call));
    const int64_t m = tir_exec_piece(n - i, TIR_EXEC_ASK_AFTER);
    T *const to = out + i;
    TIR_IVDEP
    for (int64_t j = 0; j < m; j++) to[j] = to[j] / sum;
  }
  return TIR_OK;
}

// e^(x − largest) / Σe^(x − largest). `out` may be x.
static tir_status NAME(softmax_row)(const tir_exec_call *call, const T *x,
                                    int64_t n, T *out) {
  T largest, sum;
  TIR_TRY(NAME(row_largest)(call, x, n, &largest));
  TIR_TRY(NAME(row_exps)(call, x, n, largest, out, &sum));
  return NAME(divide_row)(call, out, n, sum);
}

// (x − largest) − log Σe^(x − largest): never the log of a quotient, which may
// have vanished.
static tir_status NAME(log_softmax_row)(const tir_exec_call *call, const T *x,
                                        int64_t n, T *out) {
  T largest, sum;
  TIR_TRY(NAME(row_largest)(call, x, n, &largest));
  TIR_TRY(NAME(row_exps)(call, x, n, largest, NULL, &sum));
  const T log_sum = LOG(sum);
  for (int64_t i = 0; i < n; i += TIR_EXEC_ASK_AFTER) {
    if (i > 0) TIR_TRY(tir_exec_ask(call));
    const int64_t m = tir_exec_piece(n - i, TIR_EXEC_ASK_AFTER);
    const T *const from = x + i;
    T *const to = out + i;
    TIR_IVDEP
    for (int64_t j = 0; j < m; j++) to[j] = (from[j] - largest) - log_sum;
  }
  return TIR_OK;
}

// Axis in the middle: `width` neighbouring results side by side, row after row
// of n. Stretches have TIR_EXEC_ASK_AFTER elements here too.

static tir_status NAME(column_largest)(const tir_exec_call *call, const T *x,
                                       int64_t n, int64_t stride, int64_t width,
                                       T *largest) {
  int64_t pause = TIR_EXEC_ASK_AFTER / width;
  for (int64_t j = 0; j < width; j++) largest[j] = (T)-INFINITY;
  for (int64_t i = 0; i < n; i++) {
    if (i == pause) {
      TIR_TRY(tir_exec_ask(call));
      pause += TIR_EXEC_ASK_AFTER / width;
    }
    const T *const row = x + i * stride;
    TIR_IVDEP
    for (int64_t j = 0; j < width; j++) largest[j] = MAX(row[j], largest[j]);
  }
  return TIR_OK;
}

static tir_status NAME(column_exps)(const tir_exec_call *call, const T *x,
                                    int64_t n, int64_t stride, int64_t width,
                                    const T *largest, T *sum) {
  int64_t pause = TIR_EXEC_ASK_AFTER / width;
  for (int64_t j = 0; j < width; j++) sum[j] = 0;
  for (int64_t i = 0; i < n; i++) {
    if (i == pause) {
      TIR_TRY(tir_exec_ask(call));
      pause += TIR_EXEC_ASK_AFTER / width;
    }
    const T *const row = x + i * stride;
    TIR_IVDEP
    for (int64_t j = 0; j < width; j++) sum[j] += EXP(row[j] - largest[j]);
  }
  return TIR_OK;
}

// Exponentials are worked out twice rather than kept: the last pass may write
// over x, and each element is read before its place is written.
static tir_status NAME(columns)(const tir_exec_call *call, const T *x,
                                int64_t n, int64_t stride, int64_t width,
                                bool is_log, T *out) {
  T largest[TIR_EXEC_COLUMN_TILE];
  T sum[TIR_EXEC_COLUMN_TILE];
  TIR_TRY(NAME(column_largest)(call, x, n, stride, width, largest));
  TIR_TRY(NAME(column_exps)(call, x, n, stride, width, largest, sum));
  if (is_log) {
    TIR_IVDEP
    for (int64_t j = 0; j < width; j++) sum[j] = LOG(sum[j]);
  }
  int64_t pause = TIR_EXEC_ASK_AFTER / width;
  for (int64_t i = 0; i < n; i++) {
    if (i == pause) {
      TIR_TRY(tir_exec_ask(call));
      pause += TIR_EXEC_ASK_AFTER / width;
    }
    const T *const row = x + i * stride;
    T *const to = out + i * stride;
    if (is_log) {
      TIR_IVDEP
      for (int64_t j = 0; j < width; j++)
        to[j] = (row[j] - largest[j]) - sum[j];
    } else {
      TIR_IVDEP
      for (int64_t j = 0; j < width; j++)
        to[j] = EXP(row[j] - largest[j]) / sum[j];
    }
  }
  return TIR_OK;
}

static tir_status NAME(all)(const tir_exec_call *call, bool is_log) {
  const tir_exec_rows *const p = call->params;
  const T *const x = tir_exec_arg(call, 0);
  T *const out = tir_exec_arg(call, 1);
  const tir_exec_span span =
      tir_exec_span_of(call, p->n_groups, p->groups_per_unit);
  for (int64_t g = span.first; g < span.end; g++) {
    const tir_exec_rows_at at = tir_exec_find_rows(p, g);
    const T *const from = x + at.x;
    T *const to = out + at.x;
    TIR_TRY(p->inner != 1 ? NAME(columns)(call, from, p->n, p->inner, at.width,
                                          is_log, to)
            : is_log      ? NAME(log_softmax_row)(call, from, p->n, to)
                          : NAME(softmax_row)(call, from, p->n, to));
  }
  return TIR_OK;
}

static tir_status NAME(softmax)(const tir_exec_call *call) {
  return NAME(all)(call, false);
}

static tir_status NAME(log_softmax)(const tir_exec_call *call) {
  return NAME(all)(call, true);
}

// log Σe^x of rows, or of neighbouring columns side by side. The largest
// element is not subtracted where it is infinite: ∞ − ∞ would be NaN. A row
// of nothing has the sum 0.
static T NAME(finite)(T x) { return x - x == 0 ? x : 0; }

static tir_status NAME(logsumexp_row)(const tir_exec_call *call, const T *x,
                                      int64_t n, T *out) {
  T largest, sum;
  TIR_TRY(NAME(row_largest)(call, x, n, &largest));
  largest = NAME(finite)(largest);
  TIR_TRY(NAME(row_exps)(call, x, n, largest, NULL, &sum));
  *out = largest + LOG(sum);
  return TIR_OK;
}

static tir_status NAME(logsumexp_columns)(const tir_exec_call *call, const T *x,
                                          int64_t n, int64_t stride,
                                          int64_t width, T *out) {
  T largest[TIR_EXEC_COLUMN_TILE];
  T sum[TIR_EXEC_COLUMN_TILE];
  TIR_TRY(NAME(column_largest)(call, x, n, stride, width, largest));
  for (int64_t j = 0; j < width; j++) largest[j] = NAME(finite)(largest[j]);
  TIR_TRY(NAME(column_exps)(call, x, n, stride, width, largest, sum));
  TIR_IVDEP
  for (int64_t j = 0; j < width; j++) out[j] = largest[j] + LOG(sum[j]);
  return TIR_OK;
}

static tir_status NAME(logsumexp)(const tir_exec_call *call) {
  const tir_exec_rows *const p = call->params;
  const T *const x = tir_exec_arg(call, 0);
  T *const out = tir_exec_arg(call, 1);
  const tir_exec_span span =
      tir_exec_span_of(call, p->n_groups, p->groups_per_unit);
  for (int64_t g = span.first; g < span.end; g++) {
    const tir_exec_rows_at at = tir_exec_find_rows(p, g);
    const T *const row = x + at.x;
    T *const to = out + at.result;
    TIR_TRY(p->inner == 1 ? NAME(logsumexp_row)(call, row, p->n, to)
                          : NAME(logsumexp_columns)(call, row, p->n, p->inner,
                                                    at.width, to));
  }
  return TIR_OK;
}

// The loss of each row and its softmax; NULL for an output nobody reads.
static tir_status NAME(cross_entropy)(const tir_exec_call *call) {
  const tir_exec_cross_entropy *const p = call->params;
  const void *const targets = tir_exec_arg(call, 1);
  T *const loss = tir_exec_arg(call, 2);
  const int64_t n = p->targets.size;
  const tir_exec_span span =
      tir_exec_span_of(call, p->targets.n, p->rows_per_unit);
  TIR_TRY(tir_exec_check_indices(call, &p->targets, targets, span));
  const T *x = (const T *)tir_exec_arg(call, 0) + span.first * n;
  T *to = tir_exec_arg(call, 3);
  if (to) to += span.first * n;
  for (int64_t r = span.first; r < span.end; r++, x += n) {
    T largest, sum;
    TIR_TRY(NAME(row_largest)(call, x, n, &largest));
    // Read before `to`, which may be x, is written.
    const T chosen = x[tir_exec_index_at(&p->targets, targets, r)] - largest;
    TIR_TRY(NAME(row_exps)(call, x, n, largest, to, &sum));
    if (loss) loss[r] = LOG(sum) - chosen;
    if (!to) continue;
    TIR_TRY(NAME(divide_row)(call, to, n, sum));
    to += n;
  }
  return TIR_OK;
}

#undef T
#undef NAME
#undef EXP
#undef EXPS
#undef LOG
#undef MAX
