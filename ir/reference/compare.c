// Reference: comparisons and where.
//
// A comparison with NaN is false, except not_equal. Integers and bools are
// compared as int64, so no two different ones are equal.

#include "ir/reference/element.h"

// −1, 0, 1, or 2 when unordered.
static int order(const tir_reference_call *call, int64_t i, int64_t j) {
  if (tir_reference_is_float(call)) {
    const double a = tir_reference_get(call, 0, i);
    const double b = tir_reference_get(call, 1, j);
    return a < b ? -1 : a > b ? 1 : a == b ? 0 : 2;
  }
  const int64_t a = tir_reference_get_int(call, 0, i);
  const int64_t b = tir_reference_get_int(call, 1, j);
  return a < b ? -1 : a > b ? 1 : 0;
}

enum { LESS = 1, EQUAL = 2, GREATER = 4, UNORDERED = 8 };

// True where the order of the operands is in the set.
static tir_status map(const tir_reference_call *call, unsigned set) {
  // By the order + 1.
  static const unsigned bit[4] = {LESS, EQUAL, GREATER, UNORDERED};
  const tir_ir_type *out = &call->out[0];
  const int64_t n = tir_ir_type_numel(out);
  for (int64_t e = 0; e < n; e++) {
    const int64_t i = tir_reference_broadcast(&call->in[0], out, e);
    const int64_t j = tir_reference_broadcast(&call->in[1], out, e);
    const bool holds = (set & bit[order(call, i, j) + 1]) != 0;
    tir_reference_put_int(call, 0, e, holds);
  }
  return TIR_OK;
}

tir_status tir_reference_equal(const tir_reference_call *call) {
  return map(call, EQUAL);
}

tir_status tir_reference_not_equal(const tir_reference_call *call) {
  return map(call, LESS | GREATER | UNORDERED);
}

tir_status tir_reference_less(const tir_reference_call *call) {
  return map(call, LESS);
}

tir_status tir_reference_less_equal(const tir_reference_call *call) {
  return map(call, LESS | EQUAL);
}

tir_status tir_reference_greater(const tir_reference_call *call) {
  return map(call, GREATER);
}

tir_status tir_reference_greater_equal(const tir_reference_call *call) {
  return map(call, GREATER | EQUAL);
}

// condition, a, b: bytes of the chosen one, so a NaN in the other is nothing.
tir_status tir_reference_where(const tir_reference_call *call) {
  const tir_ir_type *out = &call->out[0];
  const int64_t n = tir_ir_type_numel(out);
  for (int64_t e = 0; e < n; e++) {
    const int64_t c = tir_reference_broadcast(&call->in[0], out, e);
    const size_t i = tir_reference_get_int(call, 0, c) != 0 ? 1 : 2;
    tir_reference_copy(call, i, tir_reference_broadcast(&call->in[i], out, e),
                       e);
  }
  return TIR_OK;
}
