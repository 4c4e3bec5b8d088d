// Running sums. Each is a chain of additions in order; what runs side by side
// is columns.
#include "exec/kernels/levels/loops.h"

// Neighbouring columns side by side, each in order; a lone row is a column of
// width 1. f32 sums run in double. A sum starts from −0, which addition leaves
// alone bit for bit; the sum of nothing is +0. `out` may be x: an element is
// read before its place is written. A is the type of the sum, START its first
// value.
#define TIR_CUMSUM(suffix, T, A, START)                                     \
  static tir_status columns_##suffix(const tir_exec_call *call, const T *x, \
                                     T *out, int64_t width) {               \
    const tir_exec_scan *const p = call->params;                            \
    int64_t pause = TIR_EXEC_ASK_AFTER / width;                             \
    A sum[TIR_EXEC_COLUMN_TILE];                                            \
    for (int64_t j = 0; j < width; j++) sum[j] = START;                     \
    for (int64_t k = 0; k < p->rows.n; k++) {                               \
      if (k == pause) {                                                     \
        TIR_TRY(tir_exec_ask(call));                                        \
        pause += TIR_EXEC_ASK_AFTER / width;                                \
      }                                                                     \
      const int64_t i = p->reverse ? p->rows.n - 1 - k : k;                 \
      const T *const from = x + i * p->rows.inner;                          \
      T *const to = out + i * p->rows.inner;                                \
      if (p->exclusive) {                                                   \
        TIR_IVDEP                                                           \
        for (int64_t j = 0; j < width; j++) {                               \
          const T before = k == 0 ? (T)0 : (T)sum[j];                       \
          const A term = (A)from[j];                                        \
          sum[j] += term;                                                   \
          to[j] = before;                                                   \
        }                                                                   \
      } else {                                                              \
        TIR_IVDEP                                                           \
        for (int64_t j = 0; j < width; j++) {                               \
          const A term = (A)from[j];                                        \
          sum[j] += term;                                                   \
          to[j] = (T)sum[j];                                                \
        }                                                                   \
      }                                                                     \
    }                                                                       \
    return TIR_OK;                                                          \
  }                                                                         \
  static tir_status cumsum_##suffix(const tir_exec_call *call) {            \
    const tir_exec_scan *const p = call->params;                            \
    const T *const x = tir_exec_arg(call, 0);                               \
    T *const out = tir_exec_arg(call, 1);                                   \
    const tir_exec_span span =                                              \
        tir_exec_span_of(call, p->rows.n_groups, p->rows.groups_per_unit);  \
    for (int64_t g = span.first; g < span.end; g++) {                       \
      const tir_exec_rows_at at = tir_exec_find_rows(&p->rows, g);          \
      TIR_TRY(columns_##suffix(call, x + at.x, out + at.x, at.width));      \
    }                                                                       \
    return TIR_OK;                                                          \
  }
TIR_CUMSUM(f32, float, double, -0.0)
TIR_CUMSUM(f64, double, double, -0.0)
#define TIR_CUMSUM_INT(suffix, T, W) TIR_CUMSUM(suffix, T, W, 0)
TIR_INTS(TIR_CUMSUM_INT)

const tir_exec_level_scan TIR_LEVEL(tir_exec_scan) = {
    .cumsum = {[TIR_DTYPE_F32] = cumsum_f32,
               [TIR_DTYPE_F64] = cumsum_f64,
               [TIR_DTYPE_I8] = cumsum_i8,
               [TIR_DTYPE_U8] = cumsum_u8,
               [TIR_DTYPE_I16] = cumsum_i16,
               [TIR_DTYPE_I32] = cumsum_i32,
               [TIR_DTYPE_I64] = cumsum_i64},
};
