// Reference: reductions. Terms are taken in row-major order of the reduced
// axes; float sums run in double and are rounded once, integer sums wrap.

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ir/reference/element.h"

static tir_status axes_of(const tir_reference_call *call,
                          tir_reference_axes *out) {
  const tir_attrs_reduce *attrs = call->attrs;
  return tir_reference_read_axes(&call->in[0], &attrs->axes, out, call->error);
}

// The group's terms in order, in double.
static double sum_group(const tir_reference_call *call,
                        const tir_reference_axes *axes, int64_t group) {
  tir_reference_sum sum = {0, false};
  for (int64_t r = 0; r < axes->count; r++) {
    const int64_t e = tir_reference_member(&call->in[0], axes, group, r);
    tir_reference_sum_add(&sum, tir_reference_get(call, 0, e));
  }
  return sum.value;
}

// One result per group; integers wrap in 64 bits, of which storing keeps the
// low ones.
static tir_status sum_all(const tir_reference_call *call,
                          const tir_reference_axes *axes) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t g = 0; g < n; g++) {
    if (tir_reference_is_float(call)) {
      tir_reference_put(call, 0, g, sum_group(call, axes, g));
      continue;
    }
    uint64_t total = 0;
    for (int64_t r = 0; r < axes->count; r++)
      total += (uint64_t)tir_reference_get_int(
          call, 0, tir_reference_member(&call->in[0], axes, g, r));
    tir_reference_put_wrapped(call, 0, g, total);
  }
  return TIR_OK;
}

tir_status tir_reference_reduce_sum(const tir_reference_call *call) {
  tir_reference_axes axes;
  TIR_TRY(axes_of(call, &axes));
  return sum_all(call, &axes);
}

// x, like: sums over the axes along which `like` would be repeated.
tir_status tir_reference_reduce_to(const tir_reference_call *call) {
  const tir_ir_type *x = &call->in[0];
  const tir_ir_type *like = &call->in[1];
  const int missing = x->rank - like->rank;
  tir_reference_axes axes = {.count = 1};
  // Where x has 1 too this sums a single term, which changes nothing.
  for (int a = 0; a < x->rank; a++) {
    axes.reduced[a] = a < missing || like->dims[a - missing] == 1;
    if (axes.reduced[a]) axes.count *= x->dims[a];
  }
  return sum_all(call, &axes);
}

// The mean of no elements is 0/0, NaN.
tir_status tir_reference_reduce_mean(const tir_reference_call *call) {
  tir_reference_axes axes;
  TIR_TRY(axes_of(call, &axes));
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t g = 0; g < n; g++)
    tir_reference_put(call, 0, g,
                      sum_group(call, &axes, g) / (double)axes.count);
  return TIR_OK;
}

// The product of no elements is 1. Integers wrap.
tir_status tir_reference_reduce_prod(const tir_reference_call *call) {
  tir_reference_axes axes;
  TIR_TRY(axes_of(call, &axes));
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t g = 0; g < n; g++) {
    double product = 1;
    uint64_t wrapped = 1;
    for (int64_t r = 0; r < axes.count; r++) {
      const int64_t e = tir_reference_member(&call->in[0], &axes, g, r);
      if (tir_reference_is_float(call))
        product *= tir_reference_get(call, 0, e);
      else
        wrapped *= (uint64_t)tir_reference_get_int(call, 0, e);
    }
    if (tir_reference_is_float(call))
      tir_reference_put(call, 0, g, product);
    else
      tir_reference_put_wrapped(call, 0, g, wrapped);
  }
  return TIR_OK;
}

// Does element b of operand 0 displace element a as the maximum (minimum)?
// NaN does and stays. With `signed_zeros` +0 is above −0, else they are equal.
static bool displaces(const tir_reference_call *call, int64_t b, int64_t a,
                      bool is_min, bool signed_zeros) {
  if (!tir_reference_is_float(call)) {
    const int64_t x = tir_reference_get_int(call, 0, a);
    const int64_t y = tir_reference_get_int(call, 0, b);
    return is_min ? y < x : y > x;
  }
  const double x = tir_reference_get(call, 0, a);
  const double y = tir_reference_get(call, 0, b);
  if (isnan(x)) return false;
  if (isnan(y)) return true;
  // Zeros of different sign: for a minimum +0 gives way to −0, for a maximum −0
  // to +0.
  if (x == y)
    return signed_zeros && !signbit(x) != !signbit(y) && !signbit(x) == is_min;
  return is_min ? y < x : y > x;
}

static tir_status no_extreme(const tir_reference_call *call, bool is_min) {
  char text[TIR_TYPE_TEXT_MAX];
  return tir_base_fail(
      call->error, TIR_ERR_VALUE, "no %s over an empty axis: operand is %s",
      is_min ? "minimum" : "maximum", tir_ir_type_text(&call->in[0], text));
}

static tir_status reduce_extreme(const tir_reference_call *call, bool is_min) {
  tir_reference_axes axes;
  TIR_TRY(axes_of(call, &axes));
  const tir_ir_type *in = &call->in[0];
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  // An empty result asks for no extreme.
  if (n > 0 && axes.count == 0) return no_extreme(call, is_min);
  for (int64_t g = 0; g < n; g++) {
    // A position, not a value: bytes are copied, so a NaN keeps its own.
    int64_t best = tir_reference_member(in, &axes, g, 0);
    for (int64_t r = 1; r < axes.count; r++) {
      const int64_t e = tir_reference_member(in, &axes, g, r);
      if (displaces(call, e, best, is_min, true)) best = e;
    }
    tir_reference_copy(call, 0, best, g);
  }
  return TIR_OK;
}

tir_status tir_reference_reduce_max(const tir_reference_call *call) {
  return reduce_extreme(call, false);
}

tir_status tir_reference_reduce_min(const tir_reference_call *call) {
  return reduce_extreme(call, true);
}

// Position of the first NaN, else of the first maximum (minimum).
// Zeros are equal here, so that the first one counts.
static tir_status position(const tir_reference_call *call, bool is_min) {
  const tir_attrs_argmax *attrs = call->attrs;
  const tir_ir_type *in = &call->in[0];
  tir_reference_axes axes;
  int axis = 0;
  TIR_TRY(tir_reference_read_axis(in, attrs->axis, &axes, &axis, call->error));
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  if (n > 0 && axes.count == 0) return no_extreme(call, is_min);
  for (int64_t g = 0; g < n; g++) {
    int64_t best = 0;
    for (int64_t r = 1; r < axes.count; r++) {
      const int64_t a = tir_reference_member(in, &axes, g, best);
      const int64_t b = tir_reference_member(in, &axes, g, r);
      if (displaces(call, b, a, is_min, false)) best = r;
    }
    tir_reference_put_int(call, 0, g, best);
  }
  return TIR_OK;
}

tir_status tir_reference_argmax(const tir_reference_call *call) {
  return position(call, false);
}

tir_status tir_reference_argmin(const tir_reference_call *call) {
  return position(call, true);
}

// √Σx², with x scaled by a power of two so that no square overflows. NaN
// passes, and then infinity.
static double norm_group(const tir_reference_call *call,
                         const tir_reference_axes *axes, int64_t group) {
  double largest = 0;
  for (int64_t r = 0; r < axes->count; r++) {
    const double x = fabs(tir_reference_get(
        call, 0, tir_reference_member(&call->in[0], axes, group, r)));
    if (isnan(x)) return x;
    if (x > largest) largest = x;
  }
  // Nothing to scale by, and the answer is known.
  if (largest == 0 || isinf(largest)) return largest;
  // 2^exponent <= largest < 2^(exponent + 1): scaled, all are below 2.
  const int exponent = ilogb(largest);
  double sum = 0;
  for (int64_t r = 0; r < axes->count; r++) {
    const double x =
        scalbn(tir_reference_get(
                   call, 0, tir_reference_member(&call->in[0], axes, group, r)),
               -exponent);
    sum += x * x;
  }
  return scalbn(sqrt(sum), exponent);
}

// √Σx² of each group.
tir_status tir_reference_norm(const tir_reference_call *call) {
  tir_reference_axes axes;
  TIR_TRY(axes_of(call, &axes));
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t g = 0; g < n; g++)
    tir_reference_put(call, 0, g, norm_group(call, &axes, g));
  return TIR_OK;
}
