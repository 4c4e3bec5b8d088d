// Reference: normalising over axes, in long double, whose range no square of a
// double exceeds.

#include <math.h>

#include "ir/reference/element.h"

// Mean of x − from, or of its square.
static long double mean_of(const tir_reference_call *call,
                           const tir_reference_axes *axes, int64_t group,
                           long double from, bool is_square) {
  long double sum = 0;
  for (int64_t r = 0; r < axes->count; r++) {
    const int64_t e = tir_reference_member(&call->in[0], axes, group, r);
    const long double x = tir_reference_get(call, 0, e) - from;
    sum += is_square ? x * x : x;
  }
  return sum / (long double)axes->count;
}

// (x − mean)/√(variance + epsilon). Not centred, the mean is 0 and the variance
// the mean square.
static tir_status normalize(const tir_reference_call *call, bool is_centered) {
  const tir_attrs_axes *attrs = call->attrs;
  const tir_ir_type *in = &call->in[0];
  const double epsilon = tir_reference_get(call, 1, 0);
  tir_reference_axes axes;
  TIR_TRY(tir_reference_read_axes(in, &attrs->axes, &axes, call->error));
  const int64_t n = tir_ir_type_numel(&call->out[1]);
  for (int64_t g = 0; g < n; g++) {
    const long double mean =
        is_centered ? mean_of(call, &axes, g, 0, false) : 0;
    const long double variance = mean_of(call, &axes, g, mean, true);
    const long double root = 1 / sqrtl(variance + epsilon);
    for (int64_t r = 0; r < axes.count; r++) {
      const int64_t e = tir_reference_member(in, &axes, g, r);
      const long double x = tir_reference_get(call, 0, e);
      tir_reference_put(call, 0, e, (double)((x - mean) * root));
    }
    tir_reference_put(call, is_centered ? 2 : 1, g, (double)root);
    if (!is_centered) continue;
    tir_reference_put(call, 1, g, (double)mean);
    tir_reference_put(call, 3, g, (double)variance);
  }
  return TIR_OK;
}

// x, epsilon → y, mean, 1/√(variance + epsilon), variance.
tir_status tir_reference_normalize(const tir_reference_call *call) {
  return normalize(call, true);
}

// x, epsilon → y, 1/√(mean square + epsilon).
tir_status tir_reference_rms_normalize(const tir_reference_call *call) {
  return normalize(call, false);
}
