// Reference: matrix product over the last two axes; leading axes broadcast.
//
// out[…, r, c] = Σ_p a[…, r, p] · b[…, p, c], with axes swapped where the
// attributes say so.

#include "ir/reference/element.h"

// Element (row, column) of the matrix that operand i has at the leading
// coordinates of output element e; `flip` swaps the matrix's axes.
static int64_t entry(const tir_reference_call *call, size_t i, bool flip,
                     const int64_t *out_coords, int64_t row, int64_t column) {
  const tir_ir_type *type = &call->in[i];
  const int missing = call->out[0].rank - type->rank;
  int64_t coords[TIR_MAX_RANK] = {0};
  for (int a = 0; a < type->rank - 2; a++)
    coords[a] = type->dims[a] == 1 ? 0 : out_coords[a + missing];
  coords[type->rank - 2] = flip ? column : row;
  coords[type->rank - 1] = flip ? row : column;
  return tir_reference_element(type, coords);
}

// A sum of k products; for k = 0 it is 0.
tir_status tir_reference_matmul(const tir_reference_call *call) {
  const tir_attrs_matmul *attrs = call->attrs;
  const tir_ir_type *a = &call->in[0];
  const tir_ir_type *out = &call->out[0];
  const bool flip_a = attrs->transpose_a != 0;
  const bool flip_b = attrs->transpose_b != 0;
  const int64_t k = a->dims[a->rank - (flip_a ? 2 : 1)];
  const int64_t n = tir_ir_type_numel(out);
  for (int64_t e = 0; e < n; e++) {
    int64_t at[TIR_MAX_RANK];
    tir_reference_coords(out, e, at);
    const int64_t row = at[out->rank - 2];
    const int64_t column = at[out->rank - 1];
    // The product of two f32 is exact in double: only sums round.
    double sum = 0;
    uint64_t int_sum = 0;
    for (int64_t p = 0; p < k; p++) {
      const int64_t i = entry(call, 0, flip_a, at, row, p);
      const int64_t j = entry(call, 1, flip_b, at, p, column);
      if (tir_reference_is_float(call))
        sum += tir_reference_get(call, 0, i) * tir_reference_get(call, 1, j);
      else
        int_sum += (uint64_t)tir_reference_get_int(call, 0, i) *
                   (uint64_t)tir_reference_get_int(call, 1, j);
    }
    if (tir_reference_is_float(call))
      tir_reference_put(call, 0, e, sum);
    else
      tir_reference_put_wrapped(call, 0, e, int_sum);
  }
  return TIR_OK;
}
