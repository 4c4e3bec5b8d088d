// gather, scatter_add, one_hot. Every index is checked before what it stands
// for is read or written.
//
// An operand is seen as [outer, axis, inner], and an index names a row of
// `inner` elements. Indices may be negative (from the end).
#include "exec/kernels/indexing.h"

#include <inttypes.h>
#include <string.h>

#include "exec/kernels/levels.h"

void tir_exec_fill_indices(const tir_ir_type *type, int64_t size,
                           tir_exec_indices *p) {
  p->wide = type->dtype == TIR_DTYPE_I64;
  p->n = tir_ir_type_numel(type);
  p->size = size;
}

tir_status tir_exec_check_indices(const tir_exec_call *call,
                                  const tir_exec_indices *p,
                                  const void *indices, tir_exec_span span) {
  for (int64_t i = span.first; i < span.end; i++) {
    const int64_t given = tir_exec_index_given(p, indices, i);
    if (given >= -p->size && given < p->size) continue;
    return tir_exec_kernel_fault(call,
                                 "index %" PRId64 " at position %" PRId64
                                 " is out of range for size %" PRId64,
                                 given, i, p->size);
  }
  return TIR_OK;
}

typedef struct index_params {
  tir_exec_indices at;
  // Around the axis; one_hot has none of its own and uses row_bytes alone.
  int64_t outer;
  int64_t inner;     // elements behind the axis
  size_t row_bytes;  // inner elements
  size_t elem_size;
  int64_t per_unit;   // indices; scatter_add: inner elements
  tir_exec_loop add;  // scatter_add
  tir_dtype dtype;    // one_hot: of the result
} index_params;

// `indices` is an operand number.
static index_params *index_params_of(tir_exec_prepare *q, size_t indices,
                                     int64_t size) {
  index_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return NULL;
  tir_exec_fill_indices(&q->in[indices], size, &p->at);
  p->elem_size = tir_dtype_size(q->out[0].dtype);
  p->dtype = q->out[0].dtype;
  q->params = p;
  return p;
}

// Of operand 0, which is the indexed one.
static tir_status split_at_axis(tir_exec_prepare *q, index_params *p) {
  const tir_attrs_axis *const attrs = q->attrs;
  int axis = 0;
  if (!tir_ir_axis(attrs->axis, q->in[0].rank, &axis))
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT, "%s: axis out of range",
                         q->desc->name);
  p->at.size = q->in[0].dims[axis];
  tir_exec_split_axis(&q->in[0], axis, &p->outer, &p->inner);
  p->row_bytes = (size_t)p->inner * p->elem_size;
  return TIR_OK;
}

// --- gather ------------------------------------------------------------------

// Single elements are too small for a memcpy call each. A constant 4 makes it
// one load and store: f32 and i32 are what is gathered most.
static void gather_elements(const index_params *p, const char *x,
                            const void *indices, tir_exec_span span,
                            char *out) {
  for (int64_t i = span.first; i < span.end; i++) {
    const char *const from =
        x + (size_t)tir_exec_index_at(&p->at, indices, i) * 4;
    memcpy(out + (size_t)i * 4, from, 4);
  }
}

// x, indices. Units are ranges of indices, for every outer place.
static tir_status gather_run(const tir_exec_call *call) {
  const index_params *const p = call->params;
  const char *x = tir_exec_arg(call, 0);
  const void *const indices = tir_exec_arg(call, 1);
  char *out = tir_exec_arg(call, 2);
  const tir_exec_span span = tir_exec_span_of(call, p->at.n, p->per_unit);
  TIR_TRY(tir_exec_check_indices(call, &p->at, indices, span));
  // Rows of nothing still had their indices checked.
  if (p->row_bytes == 0) return TIR_OK;
  for (int64_t o = 0; o < p->outer; o++) {
    if (p->row_bytes == 4) {
      gather_elements(p, x, indices, span, out);
    } else {
      for (int64_t i = span.first; i < span.end; i++)
        memcpy(out + (size_t)i * p->row_bytes,
               x + (size_t)tir_exec_index_at(&p->at, indices, i) * p->row_bytes,
               p->row_bytes);
    }
    x += (size_t)p->at.size * p->row_bytes;
    out += (size_t)p->at.n * p->row_bytes;
  }
  return TIR_OK;
}

static tir_status gather_prepare(tir_exec_prepare *q) {
  index_params *const p = index_params_of(q, 1, 0);
  if (!p) return TIR_ERR_MEMORY;
  q->run = gather_run;
  TIR_TRY(split_at_axis(q, p));
  p->per_unit =
      tir_exec_cut(q, p->at.n, (double)p->outer * (4 + (double)p->inner));
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_gather = {.prepare = gather_prepare};

// --- scatter_add -------------------------------------------------------------

// x, indices, updates. Indices may repeat, so lanes share the elements behind
// the axis instead: each of them is summed in the order of the indices. Each
// unit checks all indices, before the first sum.
static tir_status scatter_add_run(const tir_exec_call *call) {
  const index_params *const p = call->params;
  const void *const indices = tir_exec_arg(call, 1);
  const char *updates = tir_exec_arg(call, 2);
  char *out = tir_exec_arg(call, 3);
  const char *x = tir_exec_arg(call, 0);
  TIR_TRY(tir_exec_check_indices(call, &p->at, indices,
                                 (tir_exec_span){0, p->at.n}));
  const tir_exec_span span = tir_exec_span_of(call, p->inner, p->per_unit);
  const size_t skip = (size_t)span.first * p->elem_size;
  const int64_t n = span.end - span.first;
  // Copies nothing where the result stands in x's memory.
  for (int64_t r = 0; r < p->outer * p->at.size; r++) {
    const size_t at = (size_t)r * p->row_bytes + skip;
    tir_exec_copy_bytes(out + at, x + at, (size_t)n * p->elem_size);
  }
  for (int64_t o = 0; o < p->outer && n > 0; o++) {
    for (int64_t i = 0; i < p->at.n; i++) {
      char *const to =
          out + (size_t)tir_exec_index_at(&p->at, indices, i) * p->row_bytes;
      p->add(n, to + skip, to + skip, updates + (size_t)i * p->row_bytes + skip,
             NULL);
    }
    updates += (size_t)p->at.n * p->row_bytes;
    out += (size_t)p->at.size * p->row_bytes;
  }
  return TIR_OK;
}

static tir_status scatter_add_prepare(tir_exec_prepare *q) {
  const tir_exec_level_binary *const level =
      TIR_AT_LEVEL(tir_exec_binary, q->cpu_level);
  if (!level->add[q->in[0].dtype]) return tir_exec_kernel_missing(q);
  index_params *const p = index_params_of(q, 1, 0);
  if (!p) return TIR_ERR_MEMORY;
  p->add = level->add[q->in[0].dtype];
  q->run = scatter_add_run;
  TIR_TRY(split_at_axis(q, p));
  const double rows = (double)p->outer * (double)(p->at.n + p->at.size);
  // Rows are walked once per unit: only long ones are worth cutting. Pieces of
  // 64 elements keep lanes off each other's cache lines.
  const int64_t pieces = p->inner / 64 + (p->inner % 64 != 0);
  p->per_unit = tir_exec_cut(q, pieces, rows * 64) * 64;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_scatter_add = {.prepare =
                                                         scatter_add_prepare};

// --- one_hot -----------------------------------------------------------------

static tir_status one_hot_run(const tir_exec_call *call) {
  const index_params *const p = call->params;
  const void *const indices = tir_exec_arg(call, 0);
  char *const out = tir_exec_arg(call, 1);
  const tir_exec_span span = tir_exec_span_of(call, p->at.n, p->per_unit);
  TIR_TRY(tir_exec_check_indices(call, &p->at, indices, span));
  if (span.first >= span.end || p->row_bytes == 0) return TIR_OK;
  // The 1 of the dtype, as bytes: one copy per index serves all dtypes.
  char one[8];
  if (tir_ir_dtype_is_float(p->dtype))
    tir_ir_store_f64(p->dtype, one, 1.0);
  else
    tir_ir_store_i64(p->dtype, one, 1);
  memset(out + (size_t)span.first * p->row_bytes, 0,
         (size_t)(span.end - span.first) * p->row_bytes);
  for (int64_t i = span.first; i < span.end; i++)
    memcpy(out + (size_t)i * p->row_bytes +
               (size_t)tir_exec_index_at(&p->at, indices, i) * p->elem_size,
           one, p->elem_size);
  return TIR_OK;
}

static tir_status one_hot_prepare(tir_exec_prepare *q) {
  const tir_attrs_one_hot *const attrs = q->attrs;
  index_params *const p = index_params_of(q, 0, attrs->depth);
  if (!p) return TIR_ERR_MEMORY;
  p->row_bytes = (size_t)attrs->depth * p->elem_size;
  p->per_unit = tir_exec_cut(q, p->at.n, 4 + 0.25 * (double)attrs->depth);
  q->run = one_hot_run;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_one_hot = {.prepare = one_hot_prepare};
