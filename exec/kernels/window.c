// check_range, slice_at, update_slice: rows of bytes along an axis, shifted by
// starts that the run gives.
//
// A window starts at a number that is an operand, so it is not known when the
// program is compiled. check_range refuses numbers out of range before anything
// is written; the other two take what they get and move it inside, so that
// whatever a start holds, they read and write within their operands.
#include <inttypes.h>

#include "exec/kernels/indexing.h"

// A window of a row is cut into pieces of about so many bytes.
enum { WINDOW_PIECE = 1 << 16 };

typedef struct window_params {
  tir_exec_indices starts;  // their size is the last start in range
  int64_t outer;            // rows: indices of the axes before it
  // Starts are given for the first of those axes; the rest share them.
  int64_t rows_per_start;
  size_t whole_bytes, part_bytes;  // of a row
  // Of window and whole, in a row: the axis and all behind it.
  size_t step_bytes;  // of one place along the axis
  // Rows are cut into pieces: as many parts of the window, and of the rest.
  int64_t pieces, per_unit;
  size_t out_arg;
} window_params;

// --- check_range -------------------------------------------------------------

// starts, whole[, part]: gives the starts on when all are in range. Only the
// shapes of the others count.
static tir_status check_range_run(const tir_exec_call *call) {
  const window_params *const p = call->params;
  const char *const x = tir_exec_arg(call, 0);
  const tir_exec_span span = tir_exec_span_of(call, p->starts.n, p->per_unit);
  for (int64_t i = span.first; i < span.end; i++) {
    const int64_t given = tir_exec_index_given(&p->starts, x, i);
    if (given >= 0 && given <= p->starts.size) continue;
    return tir_exec_kernel_fault(call,
                                 "%" PRId64 " at position %" PRId64
                                 " is out of range, expected 0 to %" PRId64,
                                 given, i, p->starts.size);
  }
  const size_t at = (size_t)span.first * p->step_bytes;
  tir_exec_copy_bytes((char *)tir_exec_arg(call, p->out_arg) + at, x + at,
                      (size_t)(span.end - span.first) * p->step_bytes);
  return TIR_OK;
}

static tir_status check_range_prepare(tir_exec_prepare *q) {
  const tir_attrs_window *const attrs = q->attrs;
  window_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  int axis = 0;
  if (!tir_ir_axis(attrs->axis, q->in[1].rank, &axis))
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                         "check_range: axis out of range");
  // The window's length: that of an operand along the axis, or an attribute.
  const int64_t taken = q->n_in == 3 ? q->in[2].dims[axis] : attrs->size;
  tir_exec_fill_indices(&q->in[0], q->in[1].dims[axis] - taken, &p->starts);
  p->step_bytes = tir_dtype_size(q->in[0].dtype);  // of a start
  p->per_unit = tir_exec_cut(q, p->starts.n, 1);
  p->out_arg = q->n_in;
  q->params = p;
  q->run = check_range_run;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_check_range = {.prepare =
                                                         check_range_prepare};

// --- slice_at and update_slice ----------------------------------------------

// Bytes before the window in a row; a start out of range is moved inside.
static size_t window_at(const window_params *p, const void *starts,
                        int64_t row) {
  int64_t start =
      tir_exec_index_given(&p->starts, starts, row / p->rows_per_start);
  if (start < 0) start = 0;
  if (start > p->starts.size) start = p->starts.size;
  return (size_t)start * p->step_bytes;
}

// `start` is the number of the operand that holds the starts.
static tir_status make_params(tir_exec_prepare *q, int64_t axis_attr,
                              const tir_ir_type *whole, const tir_ir_type *part,
                              size_t start) {
  window_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  int axis = 0;
  int64_t inner = 1;
  if (!tir_ir_axis(axis_attr, whole->rank, &axis))
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT, "%s: axis out of range",
                         q->desc->name);
  tir_exec_split_axis(whole, axis, &p->outer, &inner);
  tir_exec_fill_indices(&q->in[start], whole->dims[axis] - part->dims[axis],
                        &p->starts);
  p->rows_per_start = p->starts.n > 0 ? p->outer / p->starts.n : 1;
  p->step_bytes = (size_t)inner * tir_dtype_size(whole->dtype);
  p->whole_bytes = (size_t)whole->dims[axis] * p->step_bytes;
  p->part_bytes = (size_t)part->dims[axis] * p->step_bytes;
  p->out_arg = q->n_in;
  q->params = p;
  // By the window alone: what is around it is rarely copied.
  p->pieces = (int64_t)(p->part_bytes / WINDOW_PIECE) + 1;
  p->per_unit = tir_exec_cut(q, p->outer * p->pieces,
                             (double)p->part_bytes / 4 / (double)p->pieces);
  return TIR_OK;
}

// Bytes of a range that belong to a piece of a row.
typedef struct byte_span {
  size_t first, size;
} byte_span;

// All pieces but the last are equally long.
static byte_span piece_of(const window_params *p, int64_t piece, size_t size) {
  const size_t each = size / (size_t)p->pieces;
  const size_t first = (size_t)piece * each;
  return (byte_span){first, piece + 1 < p->pieces ? each : size - first};
}

// x, starts. One memcpy a piece.
static tir_status slice_at_run(const tir_exec_call *call) {
  const window_params *const p = call->params;
  const char *const x = tir_exec_arg(call, 0);
  const void *const starts = tir_exec_arg(call, 1);
  char *const out = tir_exec_arg(call, p->out_arg);
  const tir_exec_span span =
      tir_exec_span_of(call, p->outer * p->pieces, p->per_unit);
  for (int64_t i = span.first; i < span.end; i++) {
    const int64_t r = i / p->pieces;
    const byte_span part = piece_of(p, i % p->pieces, p->part_bytes);
    tir_exec_copy_bytes(
        out + (size_t)r * p->part_bytes + part.first,
        x + (size_t)r * p->whole_bytes + window_at(p, starts, r) + part.first,
        part.size);
  }
  return TIR_OK;
}

static tir_status slice_at_prepare(tir_exec_prepare *q) {
  const tir_attrs_window *const attrs = q->attrs;
  TIR_TRY(make_params(q, attrs->axis, &q->in[0], &q->out[0], 1));
  q->run = tir_ir_type_numel(&q->out[0]) == 0 ? tir_exec_kernel_nothing
                                              : slice_at_run;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_slice_at = {.prepare = slice_at_prepare};

// A long copy of what is around a small window: that is one piece, however much
// it is, since it is rarely copied. So it asks whether to go on.
static tir_status copy_asking(const tir_exec_call *call, char *to,
                              const char *from, size_t size) {
  enum { PAUSE = 8 * TIR_EXEC_ASK_AFTER };
  for (size_t i = 0; i < size && to != from; i += PAUSE) {
    if (i > 0) TIR_TRY(tir_exec_ask(call));
    const size_t rest = size - i;
    tir_exec_copy_bytes(to + i, from + i, rest < PAUSE ? rest : (size_t)PAUSE);
  }
  return TIR_OK;
}

// What lies around the window, without the window itself: the part of it that
// belongs to a piece, from the row of the base to that of the result.
static tir_status copy_around(const tir_exec_call *call, byte_span rest,
                              size_t before, const char *base, char *out) {
  const window_params *const p = call->params;
  const size_t end = rest.first + rest.size;
  const size_t middle = end < before ? end : before;
  if (rest.first < middle)
    TIR_TRY(copy_asking(call, out + rest.first, base + rest.first,
                        middle - rest.first));
  if (end <= before) return TIR_OK;
  const size_t from = rest.first > before ? rest.first : before;
  const size_t at = from + p->part_bytes;
  return copy_asking(call, out + at, base + at, end - from);
}

// base, value, starts. The result may be the base's memory, or the value's if
// that is everything. What is around the window is copied first, which does
// nothing in the base's memory.
static tir_status update_slice_run(const tir_exec_call *call) {
  const window_params *const p = call->params;
  const char *const base = tir_exec_arg(call, 0);
  const char *const value = tir_exec_arg(call, 1);
  const void *const starts = tir_exec_arg(call, 2);
  char *const out = tir_exec_arg(call, 3);
  const tir_exec_span span =
      tir_exec_span_of(call, p->outer * p->pieces, p->per_unit);
  for (int64_t i = span.first; i < span.end; i++) {
    const int64_t r = i / p->pieces, piece = i % p->pieces;
    const size_t row = (size_t)r * p->whole_bytes;
    const size_t before = window_at(p, starts, r);
    const byte_span rest = piece_of(p, piece, p->whole_bytes - p->part_bytes);
    TIR_TRY(copy_around(call, rest, before, base + row, out + row));
    const byte_span part = piece_of(p, piece, p->part_bytes);
    tir_exec_copy_bytes(out + row + before + part.first,
                        value + (size_t)r * p->part_bytes + part.first,
                        part.size);
  }
  return TIR_OK;
}

static tir_status update_slice_prepare(tir_exec_prepare *q) {
  const tir_attrs_axis *const attrs = q->attrs;
  TIR_TRY(make_params(q, attrs->axis, &q->in[0], &q->in[1], 2));
  q->run = tir_ir_type_numel(&q->out[0]) == 0 ? tir_exec_kernel_nothing
                                              : update_slice_run;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_update_slice = {.prepare =
                                                          update_slice_prepare};
