// Own matrix products: for small and thin shapes, for integers, and for
// everything where there is no BLAS.
//
// Floats go in tiles of sums that stay in registers: the templates give a set
// of widths per dtype, all of one chain of operations per element. Without FMA
// (baseline) a chain rounds twice per term, so its bits are not those of the
// other levels.
#include <string.h>

#include "exec/kernels/levels.h"
#include "exec/kernels/levels/math.h"

// Sums live in registers only once every loop over them is gone.
#if defined(__clang__)
#define TIR_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TIR_UNROLL _Pragma("GCC unroll 16")
#endif

// One hardware vector, and rows such that a tile of two vectors fills the
// registers.
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define MAX_ROWS 12
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#define MAX_ROWS 6
#else
#define VECTOR_BYTES 16
#define MAX_ROWS 5
#endif
_Static_assert(2 * VECTOR_BYTES <= TIR_EXEC_PANEL_BYTES,
               "a panel row must fit its scratch");

// to[p][j] = from[j][p] for a square of 16 bytes a side. memcpy, since rows
// need not be aligned; it is a single load or store.
typedef float four __attribute__((vector_size(16)));
typedef double two __attribute__((vector_size(16)));

static inline void f32_turn(const float *from, int64_t from_row, float *to,
                            int64_t to_row) {
  four a, b, c, d;
  memcpy(&a, from, sizeof a);
  memcpy(&b, from + from_row, sizeof b);
  memcpy(&c, from + 2 * from_row, sizeof c);
  memcpy(&d, from + 3 * from_row, sizeof d);
  // Pairs of rows are woven into each other, then pairs of pairs.
  const four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const four ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const four cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
  memcpy(to, &a, sizeof a);
  memcpy(to + to_row, &b, sizeof b);
  memcpy(to + 2 * to_row, &c, sizeof c);
  memcpy(to + 3 * to_row, &d, sizeof d);
}

static inline void f64_turn(const double *from, int64_t from_row, double *to,
                            int64_t to_row) {
  two a, b;
  memcpy(&a, from, sizeof a);
  memcpy(&b, from + from_row, sizeof b);
  const two low = __builtin_shufflevector(a, b, 0, 2);
  const two high = __builtin_shufflevector(a, b, 1, 3);
  memcpy(to, &low, sizeof low);
  memcpy(to + to_row, &high, sizeof high);
}

#define T float
#define NAME(x) f32_##x
#define FMA(a, b, c) TIR_FMA_F32(a, b, c)
#include "exec/kernels/levels/gemm_float_template.h"

#define T double
#define NAME(x) f64_##x
#define FMA(a, b, c) TIR_FMA_F64(a, b, c)
#include "exec/kernels/levels/gemm_float_template.h"

// Integers: rows of b scaled and added, which the compiler vectorises. Sums
// wrap; S is unsigned and not narrower than int, so that nothing overflows on
// the way.
#define TIR_INT_GEMM(suffix, S, U)                          \
  static void suffix##_gemm(const tir_exec_gemm_block *g) { \
    const U *const a = g->a;                                \
    const U *const b = g->b;                                \
    for (int64_t i = 0; i < g->m; i++) {                    \
      U *const c = (U *)g->c + i * g->c_row;                \
      for (int64_t j = 0; j < g->n; j++) c[j] = 0;          \
      for (int64_t p = 0; p < g->k; p++) {                  \
        const S x = a[i * g->a_row + p * g->a_column];      \
        const U *const row = b + p * g->b_row;              \
        const int64_t step = g->b_column;                   \
        if (step == 1) {                                    \
          TIR_IVDEP                                         \
          for (int64_t j = 0; j < g->n; j++)                \
            c[j] = (U)((S)c[j] + x * (S)row[j]);            \
        } else {                                            \
          for (int64_t j = 0; j < g->n; j++)                \
            c[j] = (U)((S)c[j] + x * (S)row[j * step]);     \
        }                                                   \
      }                                                     \
    }                                                       \
  }
TIR_INT_GEMM(u8, uint32_t, uint8_t)
TIR_INT_GEMM(u16, uint32_t, uint16_t)
TIR_INT_GEMM(u32, uint32_t, uint32_t)
TIR_INT_GEMM(u64, uint64_t, uint64_t)
#undef TIR_INT_GEMM

// Wrapping products do not depend on signs.
const tir_exec_level_gemm TIR_LEVEL(tir_exec_gemm) = {
    .gemm = {[TIR_DTYPE_F32] = f32_gemm,
             [TIR_DTYPE_F64] = f64_gemm,
             [TIR_DTYPE_I8] = u8_gemm,
             [TIR_DTYPE_U8] = u8_gemm,
             [TIR_DTYPE_I16] = u16_gemm,
             [TIR_DTYPE_I32] = u32_gemm,
             [TIR_DTYPE_I64] = u64_gemm},
};

const tir_exec_level_dot TIR_LEVEL(tir_exec_dot) = {
    .dot = {[TIR_DTYPE_F32] = f32_long_dot, [TIR_DTYPE_F64] = f64_long_dot},
};
