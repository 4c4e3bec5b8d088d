// The driver of elementwise kernels: merges dims once at compile, then walks
// rows at run time.
//
// Dims merge as long as every operand can go through both with one stride, so
// most steps end up with one dim and need no odometer. What is left is chosen
// at compile: contiguous operands, one row, or rows. All paths call the same
// loop; a repeated element is filled into a block first.
#include "exec/kernels/elementwise.h"

#include <inttypes.h>
#include <string.h>

// --- merging dims ------------------------------------------------------------

// Stride in bytes of operand `in` along output axis `axis`; 0 if broadcast.
// Shapes line up at their last axes.
static int64_t stride_of(const tir_ir_type *in, const tir_ir_type *out,
                         int axis) {
  const int own = axis - (out->rank - in->rank);
  if (own < 0 || in->dims[own] != out->dims[axis]) return 0;
  int64_t stride = (int64_t)tir_dtype_size(in->dtype);
  for (int i = own + 1; i < in->rank; i++) stride *= in->dims[i];
  return stride;
}

// True when dim `d` of the block and a following dim of size `size` with these
// strides are one dim for every operand.
static bool can_merge(const tir_exec_elementwise *p, int d, int64_t size,
                      const int64_t *strides) {
  for (int k = 0; k < p->n_in; k++)
    if (p->strides[k][d] != strides[k] * size) return false;
  return true;
}

// From the outermost dim inwards: dim d of the block always holds the strides
// of its innermost part. Dims of size 1 move nothing and are left out; without
// any other, one dim of one contiguous element is left.
static void merge_dims(tir_exec_elementwise *p, const tir_ir_type *in,
                       const tir_ir_type *out) {
  p->rank = 0;
  for (int axis = 0; axis < out->rank; axis++) {
    const int64_t size = out->dims[axis];
    if (size == 1) continue;
    int64_t strides[TIR_EXEC_MAX_OPERANDS];
    for (int k = 0; k < p->n_in; k++) strides[k] = stride_of(&in[k], out, axis);
    const bool merge = p->rank > 0 && can_merge(p, p->rank - 1, size, strides);
    const int d = merge ? p->rank - 1 : p->rank++;
    p->dims[d] = merge ? p->dims[d] * size : size;
    for (int k = 0; k < p->n_in; k++) p->strides[k][d] = strides[k];
  }
  if (p->rank > 0) return;
  p->rank = 1;
  p->dims[0] = 1;
  for (int k = 0; k < p->n_in; k++) p->strides[k][0] = (int64_t)p->sizes[k];
}

// --- walking -----------------------------------------------------------------

void tir_exec_fill(char *to, const char *element, size_t size, int64_t n) {
  // A constant size makes each store a single instruction.
  switch (size) {
    case 1:
      memset(to, element[0], (size_t)n);
      return;
    case 2: {
      uint16_t x;
      memcpy(&x, element, 2);
      for (int64_t i = 0; i < n; i++) memcpy(to + 2 * i, &x, 2);
      return;
    }
    case 4: {
      uint32_t x;
      memcpy(&x, element, 4);
      for (int64_t i = 0; i < n; i++) memcpy(to + 4 * i, &x, 4);
      return;
    }
    default: {
      uint64_t x;
      memcpy(&x, element, 8);
      for (int64_t i = 0; i < n; i++) memcpy(to + 8 * i, &x, 8);
    }
  }
}

// `position` counts elements of the result, in row-major order.
static tir_status fail_at(const tir_exec_call *call, int64_t position) {
  const tir_exec_elementwise *const p = call->params;
  return tir_exec_kernel_fault(call, "%s at position %" PRId64, p->check_text,
                               position);
}

// n elements along the last dim. `position` is that of the first one. With a
// repeated operand the row goes in pieces of a block, which is filled once for
// all of them; without one it is a single piece.
static tir_status run_row(const tir_exec_call *call, int64_t n, char *out,
                          const char *const *in, int64_t position) {
  const tir_exec_elementwise *const p = call->params;
  const int last = p->rank - 1;
  const int64_t step = n < TIR_EXEC_BLOCK ? n : TIR_EXEC_BLOCK;
  _Alignas(64) char filled[TIR_EXEC_MAX_OPERANDS][TIR_EXEC_BLOCK * 8];
  const char *block[TIR_EXEC_MAX_OPERANDS] = {NULL};
  bool one_piece = true;
  for (int k = 0; k < p->n_in; k++) {
    block[k] = in[k];
    if (p->strides[k][last] != 0) continue;
    tir_exec_fill(filled[k], in[k], p->sizes[k], step);
    block[k] = filled[k];
    one_piece = false;
  }
  const int64_t piece = one_piece ? n : step;
  for (int64_t i = 0; i < n; i += piece) {
    const int64_t m = n - i < piece ? n - i : piece;
    if (p->check) {
      const int64_t bad = p->check(m, block[0], block[1]);
      if (bad < m) return fail_at(call, position + i + bad);
    }
    p->loop(m, out + (size_t)i * p->out_size, block[0], block[1], block[2]);
    for (int k = 0; k < p->n_in; k++)
      // Filled blocks serve every piece from their start.
      if (block[k] != filled[k]) block[k] += (size_t)m * p->sizes[k];
  }
  return TIR_OK;
}

// All operands contiguous: nothing but the loop. One driver per number of
// operands keeps small steps short.
static tir_status run_flat_1(const tir_exec_call *call) {
  const tir_exec_elementwise *const p = call->params;
  p->loop(p->n, tir_exec_arg(call, 1), tir_exec_arg(call, 0), NULL, NULL);
  return TIR_OK;
}

static tir_status run_flat_2(const tir_exec_call *call) {
  const tir_exec_elementwise *const p = call->params;
  p->loop(p->n, tir_exec_arg(call, 2), tir_exec_arg(call, 0),
          tir_exec_arg(call, 1), NULL);
  return TIR_OK;
}

static tir_status run_flat_3(const tir_exec_call *call) {
  const tir_exec_elementwise *const p = call->params;
  p->loop(p->n, tir_exec_arg(call, 3), tir_exec_arg(call, 0),
          tir_exec_arg(call, 1), tir_exec_arg(call, 2));
  return TIR_OK;
}

// One row, some operands a single element each.
static tir_status run_one_row(const tir_exec_call *call) {
  const tir_exec_elementwise *const p = call->params;
  const char *in[TIR_EXEC_MAX_OPERANDS] = {NULL};
  for (int k = 0; k < p->n_in; k++) in[k] = tir_exec_arg(call, (size_t)k);
  return run_row(call, p->n, tir_exec_arg(call, p->out_arg), in, 0);
}

// Places `at` and the operands at row number `row` of the last dim.
static void seek_row(const tir_exec_elementwise *p, int64_t row, int64_t *at,
                     const char **in) {
  for (int d = p->rank - 2; d >= 0; d--) {
    at[d] = row % p->dims[d];
    row /= p->dims[d];
    for (int k = 0; k < p->n_in; k++) in[k] += p->strides[k][d] * at[d];
  }
}

// Carries from the last dim but one outwards. Behind the last row it wraps to
// the first, where nothing is read any more.
static void next_row(const tir_exec_elementwise *p, int64_t *at,
                     const char **in) {
  for (int d = p->rank - 2; d >= 0; d--) {
    at[d]++;
    for (int k = 0; k < p->n_in; k++) in[k] += p->strides[k][d];
    if (at[d] < p->dims[d]) return;
    at[d] = 0;
    for (int k = 0; k < p->n_in; k++) in[k] -= p->strides[k][d] * p->dims[d];
  }
}

// Any broadcast, any part: an odometer over all dims but the last. A unit may
// begin and end inside a row. Without elements it returns at once: no length of
// 0 divides.
static tir_status run_rows(const tir_exec_call *call) {
  const tir_exec_elementwise *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  if (span.first >= span.end) return TIR_OK;
  const int last = p->rank - 1;
  const int64_t length = p->dims[last];
  char *out = tir_exec_arg(call, p->out_arg);
  out += (size_t)span.first * p->out_size;
  const char *row[TIR_EXEC_MAX_OPERANDS] = {NULL};
  for (int k = 0; k < p->n_in; k++) row[k] = tir_exec_arg(call, (size_t)k);
  int64_t at[TIR_MAX_RANK] = {0};
  seek_row(p, span.first / length, at, row);
  int64_t column = span.first % length;
  for (int64_t i = span.first; i < span.end;) {
    const int64_t rest = span.end - i;
    const int64_t n = length - column < rest ? length - column : rest;
    const char *in[TIR_EXEC_MAX_OPERANDS] = {NULL};
    for (int k = 0; k < p->n_in; k++)
      in[k] = row[k] + p->strides[k][last] * column;
    TIR_TRY(run_row(call, n, out, in, i));
    out += (size_t)n * p->out_size;
    i += n;
    column = 0;
    next_row(p, at, row);
  }
  return TIR_OK;
}

// A part of contiguous operands. in[] beyond the operands stays NULL, as loops
// expect.
static tir_status run_flat_part(const tir_exec_call *call) {
  const tir_exec_elementwise *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  const char *in[TIR_EXEC_MAX_OPERANDS] = {NULL};
  for (int k = 0; k < p->n_in; k++)
    in[k] = (const char *)tir_exec_arg(call, (size_t)k) +
            (size_t)span.first * p->sizes[k];
  char *const out = tir_exec_arg(call, p->out_arg);
  p->loop(span.end - span.first, out + (size_t)span.first * p->out_size, in[0],
          in[1], in[2]);
  return TIR_OK;
}

// --- expanding ---------------------------------------------------------------

// Broadcasting alone, for fused steps: no loop, one operand.

void tir_exec_broadcast(const tir_ir_type *in, const tir_ir_type *out,
                        tir_exec_elementwise *p) {
  *p = (tir_exec_elementwise){.n = tir_ir_type_numel(out), .n_in = 1};
  p->sizes[0] = p->out_size = tir_dtype_size(in->dtype);
  merge_dims(p, in, out);
}

bool tir_exec_is_flat(const tir_exec_elementwise *p) {
  return p->rank == 1 && p->strides[0][0] == (int64_t)p->sizes[0];
}

bool tir_exec_is_scalar(const tir_exec_elementwise *p) {
  return p->rank == 1 && p->strides[0][0] == 0;
}

void tir_exec_expand(const tir_exec_elementwise *p, const char *from,
                     int64_t first, int64_t n, char *to) {
  const int last = p->rank - 1;
  const size_t size = p->sizes[0];
  const int64_t length = p->dims[last], stride = p->strides[0][last];
  int64_t at[TIR_MAX_RANK] = {0};
  const char *row = from;
  seek_row(p, first / length, at, &row);
  int64_t column = first % length;
  while (n > 0) {
    const int64_t m = length - column < n ? length - column : n;
    if (stride == 0)
      tir_exec_fill(to, row, size, m);
    else
      memcpy(to, row + stride * column, (size_t)m * size);
    to += (size_t)m * size;
    n -= m;
    column = 0;
    next_row(p, at, &row);
  }
}

// --- preparing ---------------------------------------------------------------

// Operands that are not data stand between the last operand and the output, so
// the short drivers, which count on from the operands, do not fit them. Nor do
// they run checks.
static bool is_flat(const tir_exec_elementwise *p) {
  if (p->rank > 1 || p->check || p->out_arg != (uint32_t)p->n_in) return false;
  for (int k = 0; k < p->n_in; k++)
    if (p->strides[k][0] != (int64_t)p->sizes[k]) return false;
  return true;
}

tir_status tir_exec_prepare_checked(tir_exec_prepare *q, size_t n_in,
                                    tir_exec_loop loop, tir_exec_check check,
                                    const char *check_text) {
  static const tir_exec_kernel_fn flat[] = {NULL, run_flat_1, run_flat_2,
                                            run_flat_3};
  if (!loop) return tir_exec_kernel_missing(q);
  // The caller of a part needs the cost as well, so it comes first.
  if (q->cost == 0) q->cost = 1;
  if (q->is_part) {
    q->loop = loop;
    return TIR_OK;
  }
  tir_exec_elementwise *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  p->loop = loop;
  p->check = check;
  p->check_text = check_text;
  p->n = tir_ir_type_numel(&q->out[0]);
  p->n_in = (int32_t)n_in;
  p->out_arg = (uint32_t)q->n_in;
  for (size_t k = 0; k < n_in; k++)
    p->sizes[k] = tir_dtype_size(q->in[k].dtype);
  p->out_size = tir_dtype_size(q->out[0].dtype);
  merge_dims(p, q->in, &q->out[0]);
  // By elements, not rows: the cut is even whatever the shape.
  p->per_unit = tir_exec_cut(q, p->n, q->cost);
  const bool is_cut = q->split.n_units > 1;
  if (is_flat(p))
    q->run = is_cut ? run_flat_part : flat[n_in];
  else
    q->run = is_cut || p->rank > 1 ? run_rows : run_one_row;
  q->params = p;
  return TIR_OK;
}

tir_status tir_exec_prepare_elementwise(tir_exec_prepare *q, size_t n_in,
                                        tir_exec_loop loop) {
  return tir_exec_prepare_checked(q, n_in, loop, NULL, NULL);
}
