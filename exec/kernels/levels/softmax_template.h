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

// e^(x − largest) / Σe^(x − largest). `out` may be x.
static void NAME(softmax_row)(const T *x, int64_t n, T *out) {
  const T sum = NAME(exps)(x, n, NAME(largest)(x, n), out);
  TIR_IVDEP
  for (int64_t i = 0; i < n; i++) out[i] = out[i] / sum;
}

// (x − largest) − log Σe^(x − largest): never the log of a quotient, which may
// have vanished.
static void NAME(log_softmax_row)(const T *x, int64_t n, T *out) {
  const T largest = NAME(largest)(x, n);
  const T log_sum = LOG(NAME(exps)(x, n, largest, NULL));
  TIR_IVDEP
  for (int64_t i = 0; i < n; i++) out[i] = (x[i] - largest) - log_sum;
}

// Axis in the middle: `width` neighbouring results side by side. Exponentials
// are worked out twice rather than kept: the second pass may write over x, and
// each element is read before its place is written.
static void NAME(columns)(const T *x, int64_t n, int64_t stride, int64_t width,
                          bool is_log, T *out) {
  T largest[TIR_EXEC_COLUMN_TILE];
  T sum[TIR_EXEC_COLUMN_TILE];
  for (int64_t j = 0; j < width; j++) {
    largest[j] = (T)-INFINITY;
    sum[j] = 0;
  }
  for (int64_t i = 0; i < n; i++) {
    const T *const row = x + i * stride;
    TIR_IVDEP
    for (int64_t j = 0; j < width; j++) largest[j] = MAX(row[j], largest[j]);
  }
  for (int64_t i = 0; i < n; i++) {
    const T *const row = x + i * stride;
    TIR_IVDEP
    for (int64_t j = 0; j < width; j++) sum[j] += EXP(row[j] - largest[j]);
  }
  if (is_log) {
    TIR_IVDEP
    for (int64_t j = 0; j < width; j++) sum[j] = LOG(sum[j]);
  }
  for (int64_t i = 0; i < n; i++) {
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
}

static tir_status NAME(all)(const tir_exec_call *call, bool is_log) {
  const tir_exec_rows *const p = call->params;
  const T *const x = tir_exec_arg(call, 0);
  T *const out = tir_exec_arg(call, 1);
  const tir_exec_span span =
      tir_exec_span_of(call, p->n_groups, p->groups_per_unit);
  for (int64_t g = span.first; g < span.end; g++) {
    const tir_exec_rows_at at = tir_exec_find_rows(p, g);
    if (p->inner != 1)
      NAME(columns)(x + at.x, p->n, p->inner, at.width, is_log, out + at.x);
    else if (is_log)
      NAME(log_softmax_row)(x + at.x, p->n, out + at.x);
    else
      NAME(softmax_row)(x + at.x, p->n, out + at.x);
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

static void NAME(logsumexp_columns)(const T *x, int64_t n, int64_t stride,
                                    int64_t width, T *out) {
  T largest[TIR_EXEC_COLUMN_TILE];
  T sum[TIR_EXEC_COLUMN_TILE];
  for (int64_t j = 0; j < width; j++) {
    largest[j] = (T)-INFINITY;
    sum[j] = 0;
  }
  for (int64_t i = 0; i < n; i++) {
    const T *const row = x + i * stride;
    TIR_IVDEP
    for (int64_t j = 0; j < width; j++) largest[j] = MAX(row[j], largest[j]);
  }
  for (int64_t j = 0; j < width; j++) largest[j] = NAME(finite)(largest[j]);
  for (int64_t i = 0; i < n; i++) {
    const T *const row = x + i * stride;
    TIR_IVDEP
    for (int64_t j = 0; j < width; j++) sum[j] += EXP(row[j] - largest[j]);
  }
  TIR_IVDEP
  for (int64_t j = 0; j < width; j++) out[j] = largest[j] + LOG(sum[j]);
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
    if (p->inner == 1) {
      const T largest = NAME(finite)(NAME(largest)(row, p->n));
      *to = largest + LOG(NAME(exps)(row, p->n, largest, NULL));
    } else {
      NAME(logsumexp_columns)(row, p->n, p->inner, at.width, to);
    }
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
    const T largest = NAME(largest)(x, n);
    // Read before `to`, which may be x, is written.
    const T chosen = x[tir_exec_index_at(&p->targets, targets, r)] - largest;
    const T sum = NAME(exps)(x, n, largest, to);
    if (loss) loss[r] = LOG(sum) - chosen;
    if (!to) continue;
    TIR_IVDEP
    for (int64_t i = 0; i < n; i++) to[i] = to[i] / sum;
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
