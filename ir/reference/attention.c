// Reference: attention, one row of scores at a time, over the positions that
// the row sees and no others.
//
// y = Σ_j e^(s_j) v_j / Σ_j e^(s_j), s_j = q·k_j + mask_j. The scale is in q:
// the builder multiplies it in.

#include <math.h>

#include "ir/reference/element.h"

// Element (row, column) of the last two axes of operand i at the leading
// coordinates of the result; axes of size 1 are repeated.
static double entry(const tir_reference_call *call, size_t i,
                    const int64_t *out_coords, int64_t row, int64_t column) {
  const tir_ir_type *type = &call->in[i];
  const int missing = call->out[0].rank - type->rank;
  int64_t coords[TIR_MAX_RANK] = {0};
  for (int a = 0; a < type->rank; a++) {
    // Counted from the last axis, which all operands share.
    const int own = type->rank - a;
    const int64_t at = own == 1   ? column
                       : own == 2 ? row
                                  : out_coords[a + missing];
    coords[a] = type->dims[a] == 1 ? 0 : at;
  }
  return tir_reference_get(call, i, tir_reference_element(type, coords));
}

// How many positions, from the first on, the row sees.
static int64_t count_seen(const tir_reference_call *call,
                          const int64_t *coords) {
  const tir_attrs_attention *attrs = call->attrs;
  const tir_ir_type *q = &call->in[0], *k = &call->in[1];
  const int64_t n = k->dims[k->rank - 2], m = q->dims[q->rank - 2];
  const int64_t row = coords[q->rank - 2];
  int64_t valid = n, seen = n;
  if (attrs->has_length) {
    const size_t i = call->n_in - 1;
    valid = tir_reference_get_int(call, i,
                                  tir_reference_element(&call->in[i], coords));
    if (valid < 0) valid = 0;
    if (valid > n) valid = n;
    seen = valid;
    // The last row stands at position valid − 1, so row r stands at valid − m +
    // r and sees all up to itself.
    if (attrs->causal) seen = valid - m + row + 1;
  } else if (attrs->causal) {
    seen = row + 1;
  }
  return seen < 0 ? 0 : seen > valid ? valid : seen;
}

static double score(const tir_reference_call *call, const int64_t *coords,
                    int64_t j) {
  const tir_attrs_attention *attrs = call->attrs;
  const tir_ir_type *q = &call->in[0];
  const int64_t row = coords[q->rank - 2], d = q->dims[q->rank - 1];
  double sum = 0;
  for (int64_t c = 0; c < d; c++)
    sum += entry(call, 0, coords, row, c) * entry(call, 1, coords, j, c);
  return attrs->has_mask ? sum + entry(call, 3, coords, row, j) : sum;
}

// q, k, v, mask, length. An infinite largest score of a row that sees nothing
// but −∞ is not subtracted: its weights are 0 / 0.
tir_status tir_reference_attention(const tir_reference_call *call) {
  const int64_t n_out = tir_ir_type_numel(&call->out[0]);
  for (int64_t e = 0; e < n_out; e++) {
    int64_t coords[TIR_MAX_RANK];
    tir_reference_coords(&call->out[0], e, coords);
    const int64_t column = coords[call->out[0].rank - 1];
    const int64_t seen = count_seen(call, coords);
    double largest = -INFINITY;
    for (int64_t j = 0; j < seen; j++) {
      const double s = score(call, coords, j);
      if (s > largest) largest = s;
    }
    if (largest == -INFINITY) largest = 0;
    double sum = 0, total = 0;
    for (int64_t j = 0; j < seen; j++) {
      // Computed a second time: no memory for a row of scores.
      const double weight = exp(score(call, coords, j) - largest);
      sum += weight;
      total += weight * entry(call, 2, coords, j, column);
    }
    tir_reference_put(call, 0, e, total / sum);
  }
  return TIR_OK;
}
