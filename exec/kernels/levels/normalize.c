// Loops of normalize and rms_normalize.
#include "exec/kernels/normalize.h"

#include <math.h>

#include "exec/kernels/levels.h"

// A group may be large, and is one chain: before n more of its elements, asks
// whether to go on if that has been long ago.
static inline tir_status ask_after(const tir_exec_call *call, int64_t n,
                                   int64_t *unasked) {
  if (*unasked >= TIR_EXEC_ASK_AFTER) {
    TIR_TRY(tir_exec_ask(call));
    *unasked = 0;
  }
  *unasked += n;
  return TIR_OK;
}

// What one group of elements comes to.
typedef struct stats {
  double scale;  // of the numbers below, a power of two
  double mean, variance, root;
} stats;

// Beyond this squares would overflow; the scale leaves room on both sides: the
// largest double, 2^1024, comes to 2^484, and 2^500 to 2^−40.
#define LARGE 0x1p500
#define SMALL_SCALE 0x1p-540

static inline stats make_stats(const tir_exec_normalize *p, double scale,
                               double mean, double squares, double epsilon) {
  const double variance = squares / (double)p->axes.count;
  // In scaled numbers √(σ²·s² + ε·s²) is s·√(σ² + ε). The scaled epsilon
  // vanishes beside the variance of large numbers, unless that is 0.
  const double root = variance == 0.0
                          ? __builtin_sqrt(epsilon) * scale
                          : __builtin_sqrt(variance + epsilon * scale * scale);
  return (stats){scale, mean, variance, 1.0 / root};
}

#define T float
#define NAME(x) f32_##x
#define MAY_OVERFLOW 0
#include "exec/kernels/levels/normalize_template.h"

#define T double
#define NAME(x) f64_##x
#define MAY_OVERFLOW 1
#include "exec/kernels/levels/normalize_template.h"

const tir_exec_level_normalize TIR_LEVEL(tir_exec_normalize) = {
    .normalize = {[TIR_DTYPE_F32] = f32_kernel, [TIR_DTYPE_F64] = f64_kernel},
};
