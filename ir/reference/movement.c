// Reference: ops that move elements and compute none. Bytes are copied as
// they are, so these work on every dtype.

#include <inttypes.h>
#include <string.h>

#include "ir/reference/element.h"

// The same elements in the same row-major order: only the shape differs.
tir_status tir_reference_reshape(const tir_reference_call *call) {
  return tir_reference_copy_whole(call, 0);
}

tir_status tir_reference_reshape_like(const tir_reference_call *call) {
  return tir_reference_copy_whole(call, 0);
}

tir_status tir_reference_expand_dims(const tir_reference_call *call) {
  return tir_reference_copy_whole(call, 0);
}

// Axis i of the result is axis perm[i] of the operand; an empty perm reverses.
tir_status tir_reference_transpose(const tir_reference_call *call) {
  const tir_attrs_axes *attrs = call->attrs;
  const tir_ir_type *in = &call->in[0];
  const tir_ir_type *out = &call->out[0];
  int perm[TIR_MAX_RANK];
  for (int a = 0; a < in->rank; a++) {
    perm[a] = in->rank - 1 - a;
    if (attrs->axes.n != 0 &&
        !tir_ir_axis(attrs->axes.v[a], in->rank, &perm[a]))
      return tir_base_fail(call->error, TIR_ERR_ARGUMENT,
                           "axis %" PRId64 " is out of range for rank %d",
                           attrs->axes.v[a], in->rank);
  }
  const int64_t n = tir_ir_type_numel(out);
  for (int64_t e = 0; e < n; e++) {
    int64_t to[TIR_MAX_RANK];
    int64_t from[TIR_MAX_RANK];
    tir_reference_coords(out, e, to);
    // Coordinate a of the result is coordinate perm[a] of the operand.
    for (int a = 0; a < in->rank; a++) from[perm[a]] = to[a];
    tir_reference_copy(call, 0, tir_reference_element(in, from), e);
  }
  return TIR_OK;
}

// Element e comes from where broadcasting finds it.
static tir_status broadcast(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t e = 0; e < n; e++)
    tir_reference_copy(
        call, 0, tir_reference_broadcast(&call->in[0], &call->out[0], e), e);
  return TIR_OK;
}

tir_status tir_reference_broadcast_to(const tir_reference_call *call) {
  return broadcast(call);
}

tir_status tir_reference_broadcast_like(const tir_reference_call *call) {
  return broadcast(call);
}

// Part after part; `offset` is where the present one begins on the axis.
tir_status tir_reference_concat(const tir_reference_call *call) {
  const tir_attrs_axis *attrs = call->attrs;
  const tir_ir_type *out = &call->out[0];
  tir_reference_axes unused;
  int axis = 0;
  TIR_TRY(
      tir_reference_read_axis(out, attrs->axis, &unused, &axis, call->error));
  int64_t offset = 0;
  for (size_t i = 0; i < call->n_in; i++) {
    const int64_t n = tir_ir_type_numel(&call->in[i]);
    for (int64_t e = 0; e < n; e++) {
      int64_t coords[TIR_MAX_RANK];
      tir_reference_coords(&call->in[i], e, coords);
      // From the part to the whole.
      coords[axis] += offset;
      tir_reference_copy(call, i, e, tir_reference_element(out, coords));
    }
    offset += call->in[i].dims[axis];
  }
  return TIR_OK;
}

// whole, parts…: the piece of `whole` that part number `index` takes up in
// the concatenation of the parts.
tir_status tir_reference_concat_part(const tir_reference_call *call) {
  const tir_attrs_concat_part *attrs = call->attrs;
  const tir_ir_type *whole = &call->in[0];
  const tir_ir_type *out = &call->out[0];
  tir_reference_axes unused;
  int axis = 0;
  TIR_TRY(
      tir_reference_read_axis(whole, attrs->axis, &unused, &axis, call->error));
  int64_t offset = 0;
  // Part i is operand i + 1, of which only the size is read.
  for (int64_t i = 0; i < attrs->index; i++)
    offset += call->in[i + 1].dims[axis];
  const int64_t n = tir_ir_type_numel(out);
  for (int64_t e = 0; e < n; e++) {
    int64_t coords[TIR_MAX_RANK];
    tir_reference_coords(out, e, coords);
    coords[axis] += offset;
    tir_reference_copy(call, 0, tir_reference_element(whole, coords), e);
  }
  return TIR_OK;
}

// Start of a slice of an axis: negative counts from the end, then clamped.
static int64_t clamp_start(int64_t start, int64_t dim) {
  if (start < 0) start += dim;
  return start < 0 ? 0 : start > dim ? dim : start;
}

// Coordinates in the sliced shape to coordinates in the whole one.
// start + step · coordinate on each axis named, the others unchanged.
static void unslice_coords(const tir_attrs_slice *attrs,
                           const tir_ir_type *whole,
                           int64_t coords[TIR_MAX_RANK]) {
  for (int64_t a = 0; a < attrs->starts.n; a++) {
    const int64_t step = attrs->steps.n == 0 ? 1 : attrs->steps.v[a];
    coords[a] =
        clamp_start(attrs->starts.v[a], whole->dims[a]) + coords[a] * step;
  }
}

// How far a slice goes is in the result's shape already.
tir_status tir_reference_slice(const tir_reference_call *call) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t e = 0; e < n; e++) {
    int64_t coords[TIR_MAX_RANK];
    tir_reference_coords(&call->out[0], e, coords);
    unslice_coords(call->attrs, &call->in[0], coords);
    tir_reference_copy(call, 0, tir_reference_element(&call->in[0], coords), e);
  }
  return TIR_OK;
}

// part, like: zeros shaped like `like` with `part` where slice took it from.
tir_status tir_reference_unslice(const tir_reference_call *call) {
  const tir_ir_type *out = &call->out[0];
  const int64_t n_out = tir_ir_type_numel(out);
  // Zeros everywhere: steps leave gaps.
  for (int64_t e = 0; e < n_out; e++) tir_reference_put_int(call, 0, e, 0);
  const int64_t n = tir_ir_type_numel(&call->in[0]);
  for (int64_t e = 0; e < n; e++) {
    int64_t coords[TIR_MAX_RANK];
    tir_reference_coords(&call->in[0], e, coords);
    unslice_coords(call->attrs, out, coords);
    tir_reference_copy(call, 0, e, tir_reference_element(out, coords));
  }
  return TIR_OK;
}

// x, value: `value` everywhere but where x lies.
tir_status tir_reference_pad(const tir_reference_call *call) {
  // Axes behind the lists are not padded.
  const tir_attrs_pad *attrs = call->attrs;
  const tir_ir_type *out = &call->out[0];
  const int64_t n_out = tir_ir_type_numel(out);
  for (int64_t e = 0; e < n_out; e++) tir_reference_copy(call, 1, 0, e);
  const int64_t n = tir_ir_type_numel(&call->in[0]);
  for (int64_t e = 0; e < n; e++) {
    int64_t coords[TIR_MAX_RANK];
    tir_reference_coords(&call->in[0], e, coords);
    for (int64_t a = 0; a < attrs->before.n; a++)
      coords[a] += attrs->before.v[a];
    tir_reference_copy(call, 0, e, tir_reference_element(out, coords));
  }
  return TIR_OK;
}

// Mirrored along each named axis: c becomes dim − 1 − c.
tir_status tir_reference_flip(const tir_reference_call *call) {
  const tir_attrs_axes *attrs = call->attrs;
  const tir_ir_type *in = &call->in[0];
  tir_reference_axes axes;
  TIR_TRY(tir_reference_read_axes(in, &attrs->axes, &axes, call->error));
  const int64_t n = tir_ir_type_numel(in);
  for (int64_t e = 0; e < n; e++) {
    int64_t coords[TIR_MAX_RANK];
    tir_reference_coords(in, e, coords);
    for (int a = 0; a < in->rank; a++)
      if (axes.reduced[a]) coords[a] = in->dims[a] - 1 - coords[a];
    tir_reference_copy(call, 0, e, tir_reference_element(in, coords));
  }
  return TIR_OK;
}

// Keeps column − row <= diagonal (or >=), the rest is 0.
static tir_status triangle(const tir_reference_call *call, bool is_upper) {
  const tir_attrs_triangle *attrs = call->attrs;
  const tir_ir_type *in = &call->in[0];
  const int64_t n = tir_ir_type_numel(in);
  for (int64_t e = 0; e < n; e++) {
    int64_t coords[TIR_MAX_RANK];
    tir_reference_coords(in, e, coords);
    // How far above the main diagonal the element lies.
    const int64_t place = coords[in->rank - 1] - coords[in->rank - 2];
    if (is_upper ? place >= attrs->diagonal : place <= attrs->diagonal)
      tir_reference_copy(call, 0, e, e);
    else
      tir_reference_put_int(call, 0, e, 0);
  }
  return TIR_OK;
}

tir_status tir_reference_tril(const tir_reference_call *call) {
  return triangle(call, false);
}

tir_status tir_reference_triu(const tir_reference_call *call) {
  return triangle(call, true);
}
