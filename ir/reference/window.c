// Reference: check_range, slice_at, update_slice. A start out of range is
// moved to the nearest one inside; check_range is what refuses it.

#include <inttypes.h>

#include "ir/reference/element.h"

// x, whole, part: sizes are looked at, data only of x.
tir_status tir_reference_check_range(const tir_reference_call *call) {
  const tir_attrs_window *attrs = call->attrs;
  tir_reference_axes unused;
  int axis = 0;
  TIR_TRY(tir_reference_read_axis(&call->in[1], attrs->axis, &unused, &axis,
                                  call->error));
  // A third operand gives the size in place of the attribute.
  const int64_t taken = call->n_in == 3 ? call->in[2].dims[axis] : attrs->size;
  const int64_t last = call->in[1].dims[axis] - taken;
  const int64_t n = tir_ir_type_numel(&call->in[0]);
  for (int64_t i = 0; i < n; i++) {
    const int64_t x = tir_reference_get_int(call, 0, i);
    if (x < 0 || x > last)
      return tir_base_fail(call->error, TIR_ERR_VALUE,
                           "%" PRId64 " at position %" PRId64
                           " is out of range, expected 0 to %" PRId64,
                           x, i, last);
  }
  return tir_reference_copy_whole(call, 0);
}

// Coordinates in the whole of an element of the window, `start` being an
// operand with the leading axes of both.
static void move_into(const tir_reference_call *call, size_t start, int axis,
                      const tir_ir_type *whole, const tir_ir_type *part,
                      int64_t coords[TIR_MAX_RANK]) {
  const int64_t at = tir_reference_element(&call->in[start], coords);
  const int64_t last = whole->dims[axis] - part->dims[axis];
  int64_t first = tir_reference_get_int(call, start, at);
  if (first < 0) first = 0;
  if (first > last) first = last;
  coords[axis] += first;
}

// x, start, like.
tir_status tir_reference_slice_at(const tir_reference_call *call) {
  const tir_attrs_window *attrs = call->attrs;
  const tir_ir_type *x = &call->in[0], *out = &call->out[0];
  tir_reference_axes unused;
  int axis = 0;
  TIR_TRY(tir_reference_read_axis(x, attrs->axis, &unused, &axis, call->error));
  const int64_t n = tir_ir_type_numel(out);
  for (int64_t e = 0; e < n; e++) {
    int64_t coords[TIR_MAX_RANK];
    tir_reference_coords(out, e, coords);
    move_into(call, 1, axis, x, out, coords);
    tir_reference_copy(call, 0, tir_reference_element(x, coords), e);
  }
  return TIR_OK;
}

// base, value, start.
// `base` with `value` in place of a window.
tir_status tir_reference_update_slice(const tir_reference_call *call) {
  const tir_attrs_axis *attrs = call->attrs;
  const tir_ir_type *out = &call->out[0], *value = &call->in[1];
  tir_reference_axes unused;
  int axis = 0;
  TIR_TRY(
      tir_reference_read_axis(out, attrs->axis, &unused, &axis, call->error));
  TIR_TRY(tir_reference_copy_whole(call, 0));
  const int64_t n = tir_ir_type_numel(value);
  for (int64_t e = 0; e < n; e++) {
    int64_t coords[TIR_MAX_RANK];
    tir_reference_coords(value, e, coords);
    move_into(call, 2, axis, out, value, coords);
    tir_reference_copy(call, 1, e, tir_reference_element(out, coords));
  }
  return TIR_OK;
}
