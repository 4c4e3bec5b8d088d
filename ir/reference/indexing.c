// Reference: gather, scatter_add, one_hot. Every index is checked before
// anything is written, also when the result is empty.

#include "ir/reference/element.h"

// x seen as [outer, size, inner] around the indexed axis.
typedef struct split {
  int64_t outer;
  int64_t size;
  int64_t inner;
} split;

// There are outer · size · inner elements.
static tir_status split_at(const tir_reference_call *call, split *out) {
  const tir_attrs_axis *attrs = call->attrs;
  const tir_ir_type *x = &call->in[0];
  tir_reference_axes unused;
  int axis = 0;
  TIR_TRY(tir_reference_read_axis(x, attrs->axis, &unused, &axis, call->error));
  *out = (split){1, x->dims[axis], 1};
  for (int a = 0; a < axis; a++) out->outer *= x->dims[a];
  for (int a = axis + 1; a < x->rank; a++) out->inner *= x->dims[a];
  return TIR_OK;
}

// Nothing is written while an index may still be refused.
static tir_status check_indices(const tir_reference_call *call, size_t i,
                                int64_t size) {
  const int64_t n = tir_ir_type_numel(&call->in[i]);
  for (int64_t j = 0; j < n; j++) {
    int64_t index = 0;
    TIR_TRY(tir_reference_read_index(call, i, j, size, &index));
  }
  return TIR_OK;
}

// x, indices.
tir_status tir_reference_gather(const tir_reference_call *call) {
  split s;
  TIR_TRY(split_at(call, &s));
  TIR_TRY(check_indices(call, 1, s.size));
  const int64_t n_indices = tir_ir_type_numel(&call->in[1]);
  for (int64_t o = 0; o < s.outer; o++)
    for (int64_t j = 0; j < n_indices; j++) {
      int64_t index = 0;
      TIR_TRY(tir_reference_read_index(call, 1, j, s.size, &index));
      for (int64_t i = 0; i < s.inner; i++)
        tir_reference_copy(call, 0, (o * s.size + index) * s.inner + i,
                           (o * n_indices + j) * s.inner + i);
    }
  return TIR_OK;
}

static int64_t index_at(const tir_reference_call *call, int64_t j,
                        int64_t size) {
  int64_t index = 0;
  (void)tir_reference_read_index(call, 1, j, size, &index);  // was checked
  return index;
}

// Element (o, index at j, i): base plus every update that goes there, in
// index order, rounded once.
static void add_updates(const tir_reference_call *call, const split *s,
                        int64_t o, int64_t j, int64_t i) {
  const int64_t n_indices = tir_ir_type_numel(&call->in[1]);
  const int64_t index = index_at(call, j, s->size);
  const int64_t at = (o * s->size + index) * s->inner + i;
  const bool is_float = tir_reference_is_float(call);
  double sum = is_float ? tir_reference_get(call, 0, at) : 0;
  uint64_t int_sum =
      is_float ? 0 : (uint64_t)tir_reference_get_int(call, 0, at);
  for (int64_t k = j; k < n_indices; k++) {
    if (index_at(call, k, s->size) != index) continue;
    const int64_t from = (o * n_indices + k) * s->inner + i;
    if (is_float)
      sum += tir_reference_get(call, 2, from);
    else
      int_sum += (uint64_t)tir_reference_get_int(call, 2, from);
  }
  if (is_float)
    tir_reference_put(call, 0, at, sum);
  else
    tir_reference_put_wrapped(call, 0, at, int_sum);
}

// base, indices, updates.
tir_status tir_reference_scatter_add(const tir_reference_call *call) {
  split s;
  TIR_TRY(split_at(call, &s));
  TIR_TRY(check_indices(call, 1, s.size));
  TIR_TRY(tir_reference_copy_whole(call, 0));
  const int64_t n_indices = tir_ir_type_numel(&call->in[1]);
  for (int64_t j = 0; j < n_indices; j++) {
    // The first of equal indices does the work for all of them.
    bool is_first = true;
    for (int64_t k = 0; k < j && is_first; k++)
      is_first = index_at(call, k, s.size) != index_at(call, j, s.size);
    if (!is_first) continue;
    for (int64_t o = 0; o < s.outer; o++)
      for (int64_t i = 0; i < s.inner; i++) add_updates(call, &s, o, j, i);
  }
  return TIR_OK;
}

// indices [...] → [..., depth].
tir_status tir_reference_one_hot(const tir_reference_call *call) {
  const tir_attrs_one_hot *attrs = call->attrs;
  // With depth 0 every index is out of range.
  TIR_TRY(check_indices(call, 0, attrs->depth));
  const int64_t n = tir_ir_type_numel(&call->in[0]);
  for (int64_t j = 0; j < n; j++) {
    int64_t index = 0;
    TIR_TRY(tir_reference_read_index(call, 0, j, attrs->depth, &index));
    for (int64_t c = 0; c < attrs->depth; c++)
      tir_reference_put_int(call, 0, j * attrs->depth + c, c == index);
  }
  return TIR_OK;
}
