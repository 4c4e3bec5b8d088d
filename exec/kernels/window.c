// check_range, slice_at, update_slice: rows of bytes along an axis, shifted by
// starts that the run gives.
//
// A window starts at a number that is an operand, so it is not known when the
// program is compiled. check_range refuses numbers out of range before anything
// is written; the other two take what they get and move it inside, so that
// whatever a start holds, they read and write within their operands.
#include <inttypes.h>

#include "exec/kernels/indexing.h"

typedef struct window_params {
  tir_exec_indices starts;  // their size is the last start in range
  int64_t outer;            // rows: indices of the axes before it
  // Starts are given for the first of those axes; the rest share them.
  int64_t rows_per_start;
  size_t whole_bytes, part_bytes;  // of a row
  // Of window and whole, in a row: the axis and all behind it.
  size_t step_bytes;  // of one place along the axis
  int64_t rows_per_unit;
  size_t out_arg;
} window_params;

// --- check_range
// --------------------------------------------------------------

// starts, whole[, part]: gives the starts on when all are in range. Only the
// shapes of the others count.
static tir_status check_range_run(const tir_exec_call *call) {
  const window_params *const p = call->params;
  const void *const x = tir_exec_arg(call, 0);
  for (int64_t i = 0; i < p->starts.n; i++) {
    const int64_t given = tir_exec_index_given(&p->starts, x, i);
    if (given >= 0 && given <= p->starts.size) continue;
    return tir_exec_kernel_fault(call,
                                 "%" PRId64 " at position %" PRId64
                                 " is out of range, expected 0 to %" PRId64,
                                 given, i, p->starts.size);
  }
  tir_exec_copy_bytes(tir_exec_arg(call, p->out_arg), x, p->whole_bytes);
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
  p->whole_bytes = tir_ir_type_bytes(&q->in[0]);
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
  p->rows_per_unit = tir_exec_cut(q, p->outer, (double)p->part_bytes / 4);
  return TIR_OK;
}

// x, starts. One memcpy a row.
static tir_status slice_at_run(const tir_exec_call *call) {
  const window_params *const p = call->params;
  const char *const x = tir_exec_arg(call, 0);
  const void *const starts = tir_exec_arg(call, 1);
  char *const out = tir_exec_arg(call, p->out_arg);
  const tir_exec_span span = tir_exec_span_of(call, p->outer, p->rows_per_unit);
  for (int64_t r = span.first; r < span.end; r++)
    tir_exec_copy_bytes(
        out + (size_t)r * p->part_bytes,
        x + (size_t)r * p->whole_bytes + window_at(p, starts, r),
        p->part_bytes);
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

// base, value, starts. The result may be the base's memory, or the value's if
// that is everything. What is around the window is copied first, which does
// nothing in the base's memory.
static tir_status update_slice_run(const tir_exec_call *call) {
  const window_params *const p = call->params;
  const char *base = tir_exec_arg(call, 0);
  const char *value = tir_exec_arg(call, 1);
  const void *const starts = tir_exec_arg(call, 2);
  char *out = tir_exec_arg(call, 3);
  const tir_exec_span span = tir_exec_span_of(call, p->outer, p->rows_per_unit);
  for (int64_t r = span.first; r < span.end; r++) {
    const size_t row = (size_t)r * p->whole_bytes;
    const size_t before = window_at(p, starts, r);
    const size_t behind = before + p->part_bytes;
    tir_exec_copy_bytes(out + row, base + row, before);
    tir_exec_copy_bytes(out + row + behind, base + row + behind,
                        p->whole_bytes - behind);
    tir_exec_copy_bytes(out + row + before, value + (size_t)r * p->part_bytes,
                        p->part_bytes);
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
