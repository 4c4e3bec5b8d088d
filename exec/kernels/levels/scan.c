// Loops of running sums.
#include "exec/kernels/levels/loops.h"

// Neighbouring columns side by side, each in order; a lone row is a column of
// width 1. f32 sums run in double. A sum starts from −0, which addition leaves
// alone bit for bit; the sum of nothing is +0.
#define TIR_CUMSUM(suffix, T, A, START)                                    \
  static void columns_##suffix(const tir_exec_scan *p, const T *x, T *out, \
                               int64_t width) {                            \
    A sum[TIR_EXEC_COLUMN_TILE];                                           \
    for (int64_t j = 0; j < width; j++) sum[j] = START;                    \
    for (int64_t k = 0; k < p->rows.n; k++) {                              \
      const int64_t i = p->reverse ? p->rows.n - 1 - k : k;                \
      const T *const from = x + i * p->rows.inner;                         \
      T *const to = out + i * p->rows.inner;                               \
      if (p->exclusive) {                                                  \
        TIR_IVDEP                                                          \
        for (int64_t j = 0; j < width; j++) {                              \
          const T before = k == 0 ? (T)0 : (T)sum[j];                      \
          const A term = (A)from[j];                                       \
          sum[j] += term;                                                  \
          to[j] = before;                                                  \
        }                                                                  \
      } else {                                                             \
        TIR_IVDEP                                                          \
        for (int64_t j = 0; j < width; j++) {                              \
          const A term = (A)from[j];                                       \
          sum[j] += term;                                                  \
          to[j] = (T)sum[j];                                               \
        }                                                                  \
      }                                                                    \
    }                                                                      \
  }                                                                        \
  static tir_status cumsum_##suffix(const tir_exec_call *call) {           \
    const tir_exec_scan *const p = call->params;                           \
    const T *x = tir_exec_arg(call, 0);                                    \
    T *out = tir_exec_arg(call, 1);                                        \
    for (int64_t o = 0; o < p->rows.outer; o++) {                          \
      for (int64_t j = 0; j < p->rows.inner; j += TIR_EXEC_COLUMN_TILE)    \
        columns_##suffix(                                                  \
            p, x + j, out + j,                                             \
            tir_exec_piece(p->rows.inner - j, TIR_EXEC_COLUMN_TILE));      \
      x += p->rows.n * p->rows.inner;                                      \
      out += p->rows.n * p->rows.inner;                                    \
    }                                                                      \
    return TIR_OK;                                                         \
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
