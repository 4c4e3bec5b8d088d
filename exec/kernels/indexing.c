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
    const int64_t n_done = i - span.first;
    if (n_done > 0 && n_done % TIR_EXEC_ASK_AFTER == 0)
      TIR_TRY(tir_exec_ask(call));
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
  // gather: pieces of rows; one_hot: elements; scatter_add: pieces of inner
  // elements.
  int64_t per_unit;
  int64_t pieces;      // of a row: gather, scatter_add
  size_t piece_bytes;  // gather
  tir_exec_loop add;   // scatter_add
  tir_dtype dtype;     // one_hot: of the result
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

// Longer rows are copied in pieces, which may be several lanes' work.
enum { GATHER_PIECE = 1 << 16 };  // bytes

// Rows of few bytes are too small for a memcpy call each. A constant size makes
// each one load and store.
#define TIR_GATHER_ROWS(BYTES)                    \
  for (int64_t i = span.first; i < span.end; i++) \
  memcpy(out + (size_t)i * (BYTES),               \
         x + (size_t)tir_exec_index_at(&p->at, indices, i) * (BYTES), BYTES)

// Whole rows of one outer place.
static void gather_rows(const index_params *p, const char *x,
                        const void *indices, tir_exec_span span, char *out) {
  switch (p->row_bytes) {
    case 1:
      TIR_GATHER_ROWS(1);
      return;
    case 2:
      TIR_GATHER_ROWS(2);
      return;
    case 4:
      TIR_GATHER_ROWS(4);
      return;
    case 8:
      TIR_GATHER_ROWS(8);
      return;
    default:
      TIR_GATHER_ROWS(p->row_bytes);
  }
}

// A part of one row, from piece `piece` on.
static void gather_pieces(const index_params *p, const char *x,
                          const void *indices, int64_t row, int64_t piece,
                          int64_t n, char *out) {
  const size_t from = (size_t)piece * p->piece_bytes;
  const size_t rest = p->row_bytes - from;
  const size_t size = (size_t)n * p->piece_bytes;
  memcpy(
      out + (size_t)row * p->row_bytes + from,
      x + (size_t)tir_exec_index_at(&p->at, indices, row) * p->row_bytes + from,
      size < rest ? size : rest);
}

// Rows of the result are numbered through, and so are their pieces. Looks at
// the indices that belong to these rows, in order.
static tir_status check_rows(const tir_exec_call *call, const void *indices,
                             int64_t first, int64_t end) {
  const index_params *const p = call->params;
  const int64_t n = p->at.n, from = first % n;
  const int64_t till = from + (end - first);
  TIR_TRY(tir_exec_check_indices(call, &p->at, indices,
                                 (tir_exec_span){from, till < n ? till : n}));
  // Around the end: the rows of the next outer place.
  const int64_t wrapped = till - n < from ? till - n : from;
  return tir_exec_check_indices(call, &p->at, indices,
                                (tir_exec_span){0, wrapped});
}

// x, indices. Units are ranges of the result.
static tir_status gather_run(const tir_exec_call *call) {
  const index_params *const p = call->params;
  const void *const indices = tir_exec_arg(call, 1);
  const tir_exec_span all =
      tir_exec_span_of(call, p->outer * p->at.n * p->pieces, p->per_unit);
  const int64_t end_row = (all.end + p->pieces - 1) / p->pieces;
  TIR_TRY(check_rows(call, indices, all.first / p->pieces, end_row));
  for (int64_t i = all.first; i < all.end;) {
    const int64_t row = i / p->pieces, piece = i % p->pieces;
    const int64_t o = row / p->at.n, at = row % p->at.n;
    const char *const x = (const char *)tir_exec_arg(call, 0) +
                          (size_t)(o * p->at.size) * p->row_bytes;
    char *const out =
        (char *)tir_exec_arg(call, 2) + (size_t)(o * p->at.n) * p->row_bytes;
    int64_t n_rows = p->at.n - at;
    if (n_rows > (all.end - i) / p->pieces) n_rows = (all.end - i) / p->pieces;
    if (piece == 0 && n_rows > 0) {
      gather_rows(p, x, indices, (tir_exec_span){at, at + n_rows}, out);
      i += n_rows * p->pieces;
    } else {
      const int64_t rest = p->pieces - piece;
      const int64_t n = rest < all.end - i ? rest : all.end - i;
      gather_pieces(p, x, indices, at, piece, n, out);
      i += n;
    }
  }
  return TIR_OK;
}

// Rows of nothing still have their indices checked.
static tir_status gather_nothing(const tir_exec_call *call) {
  const index_params *const p = call->params;
  return tir_exec_check_indices(call, &p->at, tir_exec_arg(call, 1),
                                (tir_exec_span){0, p->at.n});
}

static tir_status gather_prepare(tir_exec_prepare *q) {
  index_params *const p = index_params_of(q, 1, 0);
  if (!p) return TIR_ERR_MEMORY;
  TIR_TRY(split_at_axis(q, p));
  q->run = gather_nothing;
  if (tir_ir_type_numel(&q->out[0]) == 0) return TIR_OK;
  q->run = gather_run;
  p->piece_bytes =
      p->row_bytes < GATHER_PIECE ? p->row_bytes : (size_t)GATHER_PIECE;
  p->pieces = (int64_t)((p->row_bytes + p->piece_bytes - 1) / p->piece_bytes);
  p->per_unit = tir_exec_cut(q, p->outer * p->at.n * p->pieces,
                             4 + (double)p->piece_bytes / 4);
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_gather = {.prepare = gather_prepare};

// --- scatter_add -------------------------------------------------------------

// Elements first … first + n − 1 behind the axis, of one outer place: copied
// from x, which does nothing where the result stands in x's memory, then added
// to in the order of the indices.
static tir_status scatter_place(const tir_exec_call *call, int64_t o,
                                int64_t first, int64_t n) {
  const index_params *const p = call->params;
  const void *const indices = tir_exec_arg(call, 1);
  const size_t skip = (size_t)first * p->elem_size;
  const size_t from = (size_t)(o * p->at.size) * p->row_bytes + skip;
  const char *const x = (const char *)tir_exec_arg(call, 0) + from;
  char *const out = (char *)tir_exec_arg(call, 3) + from;
  const char *const updates = (const char *)tir_exec_arg(call, 2) +
                              (size_t)(o * p->at.n) * p->row_bytes + skip;
  int64_t unasked = 0;
  for (int64_t r = 0; r < p->at.size && out != x; r++) {
    const size_t at = (size_t)r * p->row_bytes;
    tir_exec_copy_bytes(out + at, x + at, (size_t)n * p->elem_size);
    if ((unasked += n) < TIR_EXEC_ASK_AFTER) continue;
    TIR_TRY(tir_exec_ask(call));
    unasked = 0;
  }
  for (int64_t i = 0; i < p->at.n; i++) {
    char *const to =
        out + (size_t)tir_exec_index_at(&p->at, indices, i) * p->row_bytes;
    p->add(n, to, to, updates + (size_t)i * p->row_bytes, NULL);
    if ((unasked += n) < TIR_EXEC_ASK_AFTER) continue;
    TIR_TRY(tir_exec_ask(call));
    unasked = 0;
  }
  return TIR_OK;
}

enum { SCATTER_PIECE = 64 };  // elements

// x, indices, updates. Indices may repeat, so lanes share what lies around the
// axis instead: each element is summed in the order of the indices. Each unit
// checks all indices, before the first sum.
static tir_status scatter_add_run(const tir_exec_call *call) {
  const index_params *const p = call->params;
  TIR_TRY(tir_exec_check_indices(call, &p->at, tir_exec_arg(call, 1),
                                 (tir_exec_span){0, p->at.n}));
  const tir_exec_span span =
      tir_exec_span_of(call, p->outer * p->pieces, p->per_unit);
  for (int64_t i = span.first; i < span.end;) {
    const int64_t piece = i % p->pieces;
    const int64_t rest = p->pieces - piece;
    const int64_t n_pieces = rest < span.end - i ? rest : span.end - i;
    const int64_t first = piece * SCATTER_PIECE;
    int64_t n = n_pieces * SCATTER_PIECE;
    if (n > p->inner - first) n = p->inner - first;
    TIR_TRY(scatter_place(call, i / p->pieces, first, n));
    i += n_pieces;
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
  // Rows are walked once per piece: only long ones are worth cutting. Pieces of
  // 64 elements keep lanes off each other's cache lines.
  p->pieces = p->inner / SCATTER_PIECE + (p->inner % SCATTER_PIECE != 0);
  const double width = (double)p->inner / (double)(p->pieces ? p->pieces : 1);
  const double rows = (double)p->at.n + (double)p->at.size;
  p->per_unit = tir_exec_cut(q, p->outer * p->pieces, rows * (4 + width));
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_scatter_add = {.prepare =
                                                         scatter_add_prepare};

// --- one_hot -----------------------------------------------------------------

// Units are ranges of elements, which may begin and end inside a row.
static tir_status one_hot_run(const tir_exec_call *call) {
  const index_params *const p = call->params;
  const void *const indices = tir_exec_arg(call, 0);
  char *const out = tir_exec_arg(call, 1);
  const int64_t depth = p->at.size;
  const tir_exec_span span =
      tir_exec_span_of(call, p->at.n * depth, p->per_unit);
  const tir_exec_span rows = {span.first / depth,
                              (span.end + depth - 1) / depth};
  TIR_TRY(tir_exec_check_indices(call, &p->at, indices, rows));
  // The 1 of the dtype, as bytes: one copy per index serves all dtypes.
  char one[8];
  if (tir_ir_dtype_is_float(p->dtype))
    tir_ir_store_f64(p->dtype, one, 1.0);
  else
    tir_ir_store_i64(p->dtype, one, 1);
  memset(out + (size_t)span.first * p->elem_size, 0,
         (size_t)(span.end - span.first) * p->elem_size);
  for (int64_t r = rows.first; r < rows.end; r++) {
    const int64_t at = r * depth + tir_exec_index_at(&p->at, indices, r);
    if (at >= span.first && at < span.end)
      memcpy(out + (size_t)at * p->elem_size, one, p->elem_size);
  }
  return TIR_OK;
}

// A depth of 0 has no row, but no index is in range either.
static tir_status one_hot_nothing(const tir_exec_call *call) {
  const index_params *const p = call->params;
  return tir_exec_check_indices(call, &p->at, tir_exec_arg(call, 0),
                                (tir_exec_span){0, p->at.n});
}

static tir_status one_hot_prepare(tir_exec_prepare *q) {
  const tir_attrs_one_hot *const attrs = q->attrs;
  index_params *const p = index_params_of(q, 0, attrs->depth);
  if (!p) return TIR_ERR_MEMORY;
  q->run = one_hot_nothing;
  if (tir_ir_type_numel(&q->out[0]) == 0) return TIR_OK;
  q->run = one_hot_run;
  // An element is a byte or few; an index costs more.
  p->per_unit =
      tir_exec_cut(q, p->at.n * attrs->depth, 0.25 + 4 / (double)attrs->depth);
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_one_hot = {.prepare = one_hot_prepare};
