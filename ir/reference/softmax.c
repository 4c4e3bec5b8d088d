// Reference: softmax, log_softmax, logsumexp, cross_entropy. The largest
// element is subtracted first, so finite operands never overflow.

#include <math.h>

#include "ir/reference/element.h"

// Largest element of a group; NaN wins.
static double largest_of(const tir_reference_call *call,
                         const tir_reference_axes *axes, int64_t group) {
  double largest = -INFINITY;
  for (int64_t r = 0; r < axes->count; r++) {
    const double x = tir_reference_get(
        call, 0, tir_reference_member(&call->in[0], axes, group, r));
    if (isnan(x)) return x;
    if (x > largest) largest = x;
  }
  return largest;
}

// Σ e^(x − largest) of a group.
static double sum_exp(const tir_reference_call *call,
                      const tir_reference_axes *axes, int64_t group,
                      double largest) {
  double sum = 0;
  for (int64_t r = 0; r < axes->count; r++)
    sum +=
        exp(tir_reference_get(
                call, 0, tir_reference_member(&call->in[0], axes, group, r)) -
            largest);
  return sum;
}

// With m the largest: e^(x − m)/Σ e^(x − m), or x − m − log Σ e^(x − m).
static tir_status each(const tir_reference_call *call, bool is_log) {
  const tir_attrs_axis *attrs = call->attrs;
  const tir_ir_type *in = &call->in[0];
  tir_reference_axes axes;
  int axis = 0;
  TIR_TRY(tir_reference_read_axis(in, attrs->axis, &axes, &axis, call->error));
  if (axes.count == 0) return TIR_OK;  // no elements at all
  const int64_t n_groups = tir_ir_type_numel(in) / axes.count;
  for (int64_t g = 0; g < n_groups; g++) {
    const double largest = largest_of(call, &axes, g);
    const double sum = sum_exp(call, &axes, g, largest);
    for (int64_t r = 0; r < axes.count; r++) {
      const int64_t e = tir_reference_member(in, &axes, g, r);
      const double x = tir_reference_get(call, 0, e) - largest;
      tir_reference_put(call, 0, e, is_log ? x - log(sum) : exp(x) / sum);
    }
  }
  return TIR_OK;
}

tir_status tir_reference_softmax(const tir_reference_call *call) {
  return each(call, false);
}

// By subtracting a logarithm, not as the logarithm of the softmax, which may
// have become 0.
tir_status tir_reference_log_softmax(const tir_reference_call *call) {
  return each(call, true);
}

// log Σe^x of each group. An infinite largest element is not subtracted:
// ∞ − ∞ would be NaN.
tir_status tir_reference_logsumexp(const tir_reference_call *call) {
  const tir_attrs_argmax *attrs = call->attrs;
  tir_reference_axes axes;
  int axis = 0;
  TIR_TRY(tir_reference_read_axis(&call->in[0], attrs->axis, &axes, &axis,
                                  call->error));
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t g = 0; g < n; g++) {
    double largest = largest_of(call, &axes, g);
    if (isinf(largest)) largest = 0;
    tir_reference_put(call, 0, g,
                      largest + log(sum_exp(call, &axes, g, largest)));
  }
  return TIR_OK;
}

// logits [..., classes], target [...]: −log softmax(row)[target] of each row,
// and the softmax itself.
tir_status tir_reference_cross_entropy(const tir_reference_call *call) {
  const tir_ir_type *logits = &call->in[0];
  const int64_t n_rows = tir_ir_type_numel(&call->in[1]);
  tir_reference_axes axes;
  int axis = 0;
  TIR_TRY(tir_reference_read_axis(logits, -1, &axes, &axis, call->error));
  for (int64_t g = 0; g < n_rows; g++) {
    int64_t target = 0;
    TIR_TRY(tir_reference_read_index(call, 1, g, axes.count, &target));
    const double largest = largest_of(call, &axes, g);
    const double sum = sum_exp(call, &axes, g, largest);
    for (int64_t r = 0; r < axes.count; r++) {
      const int64_t e = tir_reference_member(logits, &axes, g, r);
      const double x = tir_reference_get(call, 0, e) - largest;
      tir_reference_put(call, 1, e, exp(x) / sum);
      // −log(e^x / Σ) with x less the largest on both sides.
      if (r == target) tir_reference_put(call, 0, g, log(sum) - x);
    }
  }
  return TIR_OK;
}
