// Reference: running sums, element by element in the order of the scan.
//
// Exclusive gives what stood before the element; reverse goes from the end.

#include "ir/reference/element.h"

tir_status tir_reference_cumsum(const tir_reference_call *call) {
  const tir_attrs_scan *attrs = call->attrs;
  const tir_ir_type *in = &call->in[0];
  tir_reference_axes axes;
  int axis = 0;
  TIR_TRY(tir_reference_read_axis(in, attrs->axis, &axes, &axis, call->error));
  if (axes.count == 0) return TIR_OK;  // no elements at all
  const int64_t n_groups = tir_ir_type_numel(in) / axes.count;
  for (int64_t g = 0; g < n_groups; g++) {
    tir_reference_sum sum = {0, false};
    uint64_t wrapped = 0;
    for (int64_t k = 0; k < axes.count; k++) {
      const int64_t r = attrs->reverse ? axes.count - 1 - k : k;
      const int64_t e = tir_reference_member(in, &axes, g, r);
      // Both kinds of sum are there; one of them stays unused.
      const double before = sum.value;
      const uint64_t wrapped_before = wrapped;
      if (tir_reference_is_float(call)) {
        tir_reference_sum_add(&sum, tir_reference_get(call, 0, e));
        tir_reference_put(call, 0, e, attrs->exclusive ? before : sum.value);
      } else {
        wrapped += (uint64_t)tir_reference_get_int(call, 0, e);
        tir_reference_put_wrapped(call, 0, e,
                                  attrs->exclusive ? wrapped_before : wrapped);
      }
    }
  }
  return TIR_OK;
}
