// Types of values: comparing, printing, broadcasting.
//
// A symbol is a name for a dim whose size may change between runs. Two dims
// with one symbol have one size; inference carries symbols along and drops them
// where a size is computed.
#include "ir/type.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ir/base/checked.h"

// Symbols play no part: an op works on the sizes it is given.
bool tir_ir_same_shape(const tir_ir_type *a, const tir_ir_type *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i]) return false;
  return true;
}

bool tir_ir_type_equal(const tir_ir_type *a, const tir_ir_type *b) {
  if (a->dtype != b->dtype || !tir_ir_same_shape(a, b)) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->symbols[i] != b->symbols[i]) return false;
  return true;
}

// For types that tir_ir_type_check has passed: then no product overflows.
int64_t tir_ir_type_numel(const tir_ir_type *type) {
  int64_t numel = 0;
  (void)tir_base_numel(type->dims, type->rank, &numel);
  return numel;
}

size_t tir_ir_type_bytes(const tir_ir_type *type) {
  size_t bytes = 0;
  (void)tir_base_tensor_bytes(type->dims, type->rank,
                              tir_dtype_size(type->dtype), &bytes);
  return bytes;
}

// Types come from files and callers. What passes here may be multiplied and
// allocated without a further check.
tir_status tir_ir_type_check(const tir_ir_type *type, tir_error *error) {
  if (!tir_ir_dtype_is_valid(type->dtype))
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "dtype %d does not exist",
                         (int)type->dtype);
  if (type->rank < 0 || type->rank > TIR_MAX_RANK)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "rank is %d, expected 0 to %d", type->rank,
                         TIR_MAX_RANK);
  for (int i = 0; i < type->rank; i++)
    if (type->dims[i] < 0)
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "dim %d is %" PRId64 ", expected 0 or more", i,
                           type->dims[i]);
  size_t bytes = 0;
  // Rounded up to a cache line it must fit too, since plans place tensors so.
  if (!tir_base_tensor_bytes(type->dims, type->rank,
                             tir_dtype_size(type->dtype), &bytes)) {
    char text[TIR_TYPE_TEXT_MAX];
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "%s takes more than %" PRIdPTR " bytes",
                         tir_ir_type_text(type, text), (intptr_t)PTRDIFF_MAX);
  }
  return TIR_OK;
}

// Appends the shape at `at`; eight dims of 20 digits always fit. A dim is at
// most 20 characters long, so TIR_TYPE_TEXT_MAX is never reached and the sum of
// lengths stays within the room.
static void shape_text(const tir_ir_type *type, char *at, size_t room) {
  size_t used = 0;
  at[used++] = '[';
  for (int i = 0; i < type->rank && i < TIR_MAX_RANK; i++) {
    const int n = snprintf(at + used, room - used, "%s%" PRId64,
                           i > 0 ? ", " : "", type->dims[i]);
    used += n > 0 ? (size_t)n : 0;
  }
  at[used++] = ']';
  at[used] = '\0';
}

const char *tir_ir_shape_text(const tir_ir_type *type,
                              char buffer[TIR_TYPE_TEXT_MAX]) {
  shape_text(type, buffer, TIR_TYPE_TEXT_MAX);
  return buffer;
}

const char *tir_ir_type_text(const tir_ir_type *type,
                             char buffer[TIR_TYPE_TEXT_MAX]) {
  const char *name = tir_dtype_name(type->dtype);
  const size_t size = strlen(name);
  memcpy(buffer, name, size);
  shape_text(type, buffer + size, TIR_TYPE_TEXT_MAX - size);
  return buffer;
}

// One axis of two shapes. A dim of 1 stretches to the other's; equal dims
// keep whichever symbol there is.
static bool broadcast_dim(int64_t a, uint32_t a_symbol, int64_t b,
                          uint32_t b_symbol, int64_t *out,
                          uint32_t *out_symbol) {
  if (a != b && a != 1 && b != 1) return false;
  if (a == b) {
    *out = a;
    *out_symbol = a_symbol ? a_symbol : b_symbol;
  } else {
    *out = a == 1 ? b : a;
    *out_symbol = a == 1 ? b_symbol : a_symbol;
  }
  return true;
}

// Shapes are aligned at their last axes, and a missing axis counts as size 1.
// The result is made aside because `out` may be one of the operands.
bool tir_ir_broadcast(const tir_ir_type *a, const tir_ir_type *b,
                      tir_ir_type *out) {
  tir_ir_type result = {.dtype = out->dtype};  // out may be a or b
  result.rank = a->rank > b->rank ? a->rank : b->rank;
  for (int i = 1; i <= result.rank; i++) {
    const int at = result.rank - i, a_at = a->rank - i, b_at = b->rank - i;
    if (!broadcast_dim(
            a_at >= 0 ? a->dims[a_at] : 1, a_at >= 0 ? a->symbols[a_at] : 0,
            b_at >= 0 ? b->dims[b_at] : 1, b_at >= 0 ? b->symbols[b_at] : 0,
            &result.dims[at], &result.symbols[at]))
      return false;
  }
  *out = result;
  return true;
}

// Compared before it is added to: the axis may be any number of a file.
bool tir_ir_axis(int64_t axis, int rank, int *out_axis) {
  *out_axis = 0;
  if (axis < -rank || axis >= rank) return false;
  *out_axis = (int)(axis < 0 ? axis + rank : axis);
  return true;
}
