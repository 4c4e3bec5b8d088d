// Elements, coordinates and axes: what every reference function is made of.
// Conversions are those of ir/dtype.h; no size is trusted to be non-zero.

#include "ir/reference/element.h"

#include <inttypes.h>
#include <string.h>

// No bounds are checked: positions come from coordinates of the shape.
static const void *operand_at(const tir_reference_call *call, size_t i,
                              int64_t element) {
  const size_t size = tir_dtype_size(call->in[i].dtype);
  return (const char *)call->in_data[i] + (size_t)element * size;
}

static void *output_at(const tir_reference_call *call, size_t i,
                       int64_t element) {
  const size_t size = tir_dtype_size(call->out[i].dtype);
  return (char *)call->out_data[i] + (size_t)element * size;
}

double tir_reference_get(const tir_reference_call *call, size_t i,
                         int64_t element) {
  return tir_ir_load_f64(call->in[i].dtype, operand_at(call, i, element));
}

int64_t tir_reference_get_int(const tir_reference_call *call, size_t i,
                              int64_t element) {
  return tir_ir_load_i64(call->in[i].dtype, operand_at(call, i, element));
}

void tir_reference_put(const tir_reference_call *call, size_t i,
                       int64_t element, double x) {
  tir_ir_store_f64(call->out[i].dtype, output_at(call, i, element), x);
}

void tir_reference_put_int(const tir_reference_call *call, size_t i,
                           int64_t element, int64_t x) {
  tir_ir_store_i64(call->out[i].dtype, output_at(call, i, element), x);
}

// Low bits of x read as a number of the dtype.
static int64_t wrap(tir_dtype dtype, uint64_t x) {
  // Masked to the width, then the sign bit spread upwards.
  const size_t bits = 8 * tir_dtype_size(dtype);
  if (bits < 64) x &= ((uint64_t)1 << bits) - 1;
  // Bool has one bit of its own and no sign.
  const bool is_signed = dtype != TIR_DTYPE_U8 && dtype != TIR_DTYPE_BOOL;
  if (is_signed && bits < 64 && (x >> (bits - 1)) != 0)
    x |= ~(((uint64_t)1 << bits) - 1);
  int64_t result = 0;
  memcpy(&result, &x, sizeof result);
  return result;
}

void tir_reference_put_wrapped(const tir_reference_call *call, size_t i,
                               int64_t element, uint64_t x) {
  tir_reference_put_int(call, i, element, wrap(call->out[i].dtype, x));
}

void tir_reference_copy(const tir_reference_call *call, size_t i, int64_t from,
                        int64_t to) {
  memcpy(output_at(call, 0, to), operand_at(call, i, from),
         tir_dtype_size(call->out[0].dtype));
}

// Position by position: both have as many elements.
tir_status tir_reference_copy_whole(const tir_reference_call *call, size_t i) {
  const int64_t n = tir_ir_type_numel(&call->out[0]);
  for (int64_t e = 0; e < n; e++) tir_reference_copy(call, i, e, e);
  return TIR_OK;
}

bool tir_reference_is_float(const tir_reference_call *call) {
  return tir_ir_dtype_is_float(call->in[0].dtype);
}

// Of an element that exists, so no dim divided by is 0.
void tir_reference_coords(const tir_ir_type *type, int64_t element,
                          int64_t coords[TIR_MAX_RANK]) {
  for (int a = type->rank - 1; a >= 0; a--) {
    coords[a] = element % type->dims[a];
    element /= type->dims[a];
  }
}

// By Horner: ((c0·d1 + c1)·d2 + c2)·d3 + …
int64_t tir_reference_element(const tir_ir_type *type,
                              const int64_t coords[TIR_MAX_RANK]) {
  int64_t element = 0;
  for (int a = 0; a < type->rank; a++)
    element = element * type->dims[a] + coords[a];
  return element;
}

// Coordinates of `to`, folded onto the shape of `from`.
int64_t tir_reference_broadcast(const tir_ir_type *from, const tir_ir_type *to,
                                int64_t element) {
  int64_t coords[TIR_MAX_RANK];
  int64_t source[TIR_MAX_RANK];
  tir_reference_coords(to, element, coords);
  // Shapes are aligned at their last axes; an axis of size 1 is repeated.
  const int missing = to->rank - from->rank;
  for (int a = 0; a < from->rank; a++)
    source[a] = from->dims[a] == 1 ? 0 : coords[a + missing];
  return tir_reference_element(from, source);
}

tir_status tir_reference_read_axes(const tir_ir_type *in,
                                   const tir_ir_ints *list,
                                   tir_reference_axes *out, tir_error *error) {
  memset(out, 0, sizeof *out);
  // No axis named: all of them.
  for (int a = 0; a < in->rank; a++) out->reduced[a] = list->n == 0;
  for (int64_t i = 0; i < list->n; i++) {
    int axis = 0;
    if (!tir_ir_axis(list->v[i], in->rank, &axis))
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "axis %" PRId64 " is out of range for rank %d",
                           list->v[i], in->rank);
    out->reduced[axis] = true;
  }
  // An empty axis among them makes this 0.
  out->count = 1;
  for (int a = 0; a < in->rank; a++)
    if (out->reduced[a]) out->count *= in->dims[a];
  return TIR_OK;
}

tir_status tir_reference_read_axis(const tir_ir_type *in, int64_t axis,
                                   tir_reference_axes *out, int *out_axis,
                                   tir_error *error) {
  // A list of one.
  const tir_ir_ints list = {.n = 1, .v = {axis}};
  TIR_TRY(tir_reference_read_axes(in, &list, out, error));
  for (int a = 0; a < in->rank; a++)
    if (out->reduced[a]) *out_axis = a;
  return TIR_OK;
}

int64_t tir_reference_member(const tir_ir_type *in,
                             const tir_reference_axes *axes, int64_t group,
                             int64_t r) {
  int64_t coords[TIR_MAX_RANK];
  // Both numbers are row-major over their own axes: peel from the last one.
  for (int a = in->rank - 1; a >= 0; a--) {
    // An axis takes its coordinate from the number that counts it.
    int64_t *rest = axes->reduced[a] ? &r : &group;
    coords[a] = *rest % in->dims[a];
    *rest /= in->dims[a];
  }
  return tir_reference_element(in, coords);
}

// Not 0 + x: that would turn −0 into +0.
void tir_reference_sum_add(tir_reference_sum *sum, double x) {
  sum->value = sum->any ? sum->value + x : x;
  sum->any = true;
}

tir_status tir_reference_read_index(const tir_reference_call *call, size_t i,
                                    int64_t position, int64_t size,
                                    int64_t *out_index) {
  const int64_t index = tir_reference_get_int(call, i, position);
  // Negative ones count from the end.
  if (index < -size || index >= size)
    return tir_base_fail(call->error, TIR_ERR_VALUE,
                         "index %" PRId64 " at position %" PRId64
                         " is out of range for size %" PRId64,
                         index, position, size);
  *out_index = index < 0 ? index + size : index;
  return TIR_OK;
}
