// Kernels that move elements and compute none: each is one or more boxes of
// strides. Triangles go row by row.
//
// Everything about the shape is settled when the program is compiled; at run
// time strided.c walks the boxes. Strides and offsets are in bytes.
#include <string.h>

#include "exec/kernels/strided.h"

// A box over the whole result. Where its elements come from is up to the
// caller, who also gets the operand's strides; then finish_box.
static tir_exec_boxes *begin_box(tir_exec_prepare *q,
                                 int64_t strides[TIR_MAX_RANK]) {
  const tir_ir_type *const out = &q->out[0];
  tir_exec_boxes *const p = tir_exec_boxes_params(q, 1);
  if (!p) return NULL;
  tir_exec_box *const box = &p->box[0];
  tir_exec_dense_strides(&q->in[0], strides);
  tir_exec_dense_strides(out, box->to_strides);
  box->rank = out->rank;
  for (int i = 0; i < out->rank; i++) box->dims[i] = out->dims[i];
  return p;
}

static tir_status finish_box(tir_exec_prepare *q, tir_exec_boxes *p) {
  tir_exec_box_finish(&p->box[0]);
  tir_exec_boxes_cut(q, p);
  return TIR_OK;
}

// --- transpose and broadcast ------------------------------------------------

// out[i] runs along axis axes[i] of the operand.
static tir_status transpose_prepare(tir_exec_prepare *q) {
  const tir_attrs_axes *const attrs = q->attrs;
  int64_t strides[TIR_MAX_RANK];
  tir_exec_boxes *const p = begin_box(q, strides);
  if (!p) return TIR_ERR_MEMORY;
  const int rank = q->in[0].rank;
  for (int i = 0; i < rank; i++) {
    // Without a list the axes are reversed.
    int from = rank - 1 - i;
    if (attrs->axes.n > 0 && !tir_ir_axis(attrs->axes.v[i], rank, &from))
      return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                           "transpose: axis out of range");
    p->box[0].from_strides[i] = strides[from];
  }
  return finish_box(q, p);
}

const tir_exec_kernel_desc tir_kernel_transpose = {.prepare =
                                                       transpose_prepare};

// Repeats are strides of 0. broadcast_like differs by an operand that is only a
// shape.
static tir_status broadcast_prepare(tir_exec_prepare *q) {
  const tir_ir_type *const in = &q->in[0];
  const tir_ir_type *const out = &q->out[0];
  int64_t strides[TIR_MAX_RANK];
  tir_exec_boxes *const p = begin_box(q, strides);
  if (!p) return TIR_ERR_MEMORY;
  for (int i = 0; i < out->rank; i++) {
    const int own = i - (out->rank - in->rank);
    const bool kept = own >= 0 && in->dims[own] == out->dims[i];
    p->box[0].from_strides[i] = kept ? strides[own] : 0;
  }
  return finish_box(q, p);
}

const tir_exec_kernel_desc tir_kernel_broadcast_to = {.prepare =
                                                          broadcast_prepare};
const tir_exec_kernel_desc tir_kernel_broadcast_like = {.prepare =
                                                            broadcast_prepare};

// --- concat -----------------------------------------------------------------

// A box between `part` and its place in `whole`, `offset` places from the start
// of `axis`. It copies out of the whole, or into it.
static void place_part(const tir_ir_type *part, const tir_ir_type *whole,
                       int axis, int64_t offset, tir_exec_box *box,
                       bool whole_is_source) {
  int64_t strides[TIR_MAX_RANK];
  int64_t part_strides[TIR_MAX_RANK];
  tir_exec_dense_strides(whole, strides);
  tir_exec_dense_strides(part, part_strides);
  box->rank = part->rank;
  for (int i = 0; i < part->rank; i++) {
    box->dims[i] = part->dims[i];
    box->from_strides[i] = whole_is_source ? strides[i] : part_strides[i];
    box->to_strides[i] = whole_is_source ? part_strides[i] : strides[i];
  }
  if (whole_is_source)
    box->from_offset = offset * strides[axis];
  else
    box->to_offset = offset * strides[axis];
  tir_exec_box_finish(box);
}

// One box per operand, side by side along the axis.
static tir_status concat_prepare(tir_exec_prepare *q) {
  const tir_attrs_axis *const attrs = q->attrs;
  int axis = 0;
  if (!tir_ir_axis(attrs->axis, q->out[0].rank, &axis))
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                         "concat: axis out of range");
  tir_exec_boxes *const p = tir_exec_boxes_params(q, q->n_in);
  if (!p) return TIR_ERR_MEMORY;
  int64_t offset = 0;
  for (size_t i = 0; i < q->n_in; i++) {
    p->box[i].from_arg = (uint32_t)i;
    place_part(&q->in[i], &q->out[0], axis, offset, &p->box[i], false);
    offset += q->in[i].dims[axis];
  }
  tir_exec_boxes_cut(q, p);
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_concat = {.prepare = concat_prepare};

// whole, parts…: where part `index` stands in the concatenation of the parts.
static tir_status concat_part_prepare(tir_exec_prepare *q) {
  const tir_attrs_concat_part *const attrs = q->attrs;
  int axis = 0;
  if (!tir_ir_axis(attrs->axis, q->in[0].rank, &axis) || attrs->index < 0 ||
      (uint64_t)attrs->index >= q->n_in - 1)
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                         "concat_part: axis or index out of range");
  tir_exec_boxes *const p = tir_exec_boxes_params(q, 1);
  if (!p) return TIR_ERR_MEMORY;
  int64_t offset = 0;
  for (int64_t i = 0; i < attrs->index; i++) offset += q->in[i + 1].dims[axis];
  place_part(&q->out[0], &q->in[0], axis, offset, &p->box[0], true);
  tir_exec_boxes_cut(q, p);
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_concat_part = {.prepare =
                                                         concat_part_prepare};

// --- slice ------------------------------------------------------------------

// Negative starts count from the end; what is still outside is moved inside.
static int64_t clamp_start(int64_t start, int64_t dim) {
  if (start < 0) start += dim;
  return start < 0 ? 0 : start > dim ? dim : start;
}

// The places of `whole` that a slice takes, `taken` being their shape.
static void read_slice(const tir_attrs_slice *attrs, const tir_ir_type *taken,
                       const tir_ir_type *whole, tir_exec_part *part) {
  for (int i = 0; i < whole->rank; i++) {
    part[i] = (tir_exec_part){0, 1, taken->dims[i]};
    if (i >= attrs->starts.n) continue;
    part[i].start = clamp_start(attrs->starts.v[i], whole->dims[i]);
    // At most one place needs no step, which may be huge.
    if (attrs->steps.n > 0 && taken->dims[i] > 1)
      part[i].step = attrs->steps.v[i];
  }
}

// What a slice takes is fixed by its attributes; no element is looked at.
static tir_status slice_prepare(tir_exec_prepare *q) {
  tir_exec_part part[TIR_MAX_RANK];
  int64_t strides[TIR_MAX_RANK];
  tir_exec_boxes *const p = begin_box(q, strides);
  if (!p) return TIR_ERR_MEMORY;
  read_slice(q->attrs, &q->out[0], &q->in[0], part);
  for (int i = 0; i < q->in[0].rank; i++) {
    p->box[0].from_offset += part[i].start * strides[i];
    p->box[0].from_strides[i] = part[i].step * strides[i];
  }
  return finish_box(q, p);
}

const tir_exec_kernel_desc tir_kernel_slice = {.prepare = slice_prepare};

// Operand 0 is a part of the result; the only element of another argument is
// repeated around it.
static tir_status prepare_inside(tir_exec_prepare *q, const tir_exec_part *part,
                                 uint32_t around) {
  const tir_ir_type *const out = &q->out[0];
  const size_t most = 1 + TIR_EXEC_BOXES_PER_AXIS * (size_t)out->rank;
  tir_exec_boxes *const p = tir_exec_boxes_params(q, most);
  if (!p) return TIR_ERR_MEMORY;
  p->n = 1;
  tir_exec_box *const inner = &p->box[0];
  int64_t strides[TIR_MAX_RANK];
  tir_exec_dense_strides(out, strides);
  tir_exec_dense_strides(&q->in[0], inner->from_strides);
  inner->rank = out->rank;
  for (int i = 0; i < out->rank; i++) {
    inner->dims[i] = part[i].count;
    inner->to_offset += part[i].start * strides[i];
    inner->to_strides[i] = part[i].step * strides[i];
  }
  tir_exec_box_finish(inner);
  tir_exec_boxes_surround(p, out, part, around);
  tir_exec_boxes_cut(q, p);
  return TIR_OK;
}

// part, like: the part where the slice took it from, zeros around it.
static tir_status unslice_prepare(tir_exec_prepare *q) {
  tir_exec_part part[TIR_MAX_RANK];
  read_slice(q->attrs, &q->in[0], &q->out[0], part);
  return prepare_inside(q, part, TIR_EXEC_ZEROS);
}

const tir_exec_kernel_desc tir_kernel_unslice = {.prepare = unslice_prepare};

// --- pad and flip -----------------------------------------------------------

// x, value: x where it lies, and the value around it.
static tir_status pad_prepare(tir_exec_prepare *q) {
  const tir_attrs_pad *const attrs = q->attrs;
  tir_exec_part part[TIR_MAX_RANK];
  for (int i = 0; i < q->out[0].rank; i++) {
    const int64_t before = i < attrs->before.n ? attrs->before.v[i] : 0;
    part[i] = (tir_exec_part){before, 1, q->in[0].dims[i]};
  }
  return prepare_inside(q, part, 1);
}

const tir_exec_kernel_desc tir_kernel_pad = {.prepare = pad_prepare};

// A flipped axis is read from its end with a negative stride.
static tir_status flip_prepare(tir_exec_prepare *q) {
  const tir_attrs_axes *const attrs = q->attrs;
  const tir_ir_type *const in = &q->in[0];
  // No axes mean all of them.
  bool flipped[TIR_MAX_RANK];
  for (int i = 0; i < in->rank; i++) flipped[i] = attrs->axes.n == 0;
  for (int64_t i = 0; i < attrs->axes.n; i++) {
    int axis = 0;
    if (!tir_ir_axis(attrs->axes.v[i], in->rank, &axis))
      return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                           "flip: axis out of range");
    flipped[axis] = true;
  }
  int64_t strides[TIR_MAX_RANK];
  tir_exec_boxes *const p = begin_box(q, strides);
  if (!p) return TIR_ERR_MEMORY;
  tir_exec_box *const box = &p->box[0];
  for (int i = 0; i < in->rank; i++) {
    box->from_strides[i] = flipped[i] ? -strides[i] : strides[i];
    if (flipped[i] && in->dims[i] > 0)
      // The last place of the axis; the stride leads back from there.
      box->from_offset += (in->dims[i] - 1) * strides[i];
  }
  return finish_box(q, p);
}

const tir_exec_kernel_desc tir_kernel_flip = {.prepare = flip_prepare};

// --- tril and triu ----------------------------------------------------------

// Rows of all matrices are numbered through, and so are their elements, of
// which units are ranges.
typedef struct triangle_params {
  int64_t n, rows, columns;
  int64_t per_unit;
  int64_t diagonal;  // −rows … columns
  size_t elem_size;
  bool is_upper;
} triangle_params;

// Column where row r changes between kept and zero, within 0 … columns: tril
// keeps what is up to r + diagonal, triu what is from there on.
static int64_t border(const triangle_params *p, int64_t r) {
  const int64_t at = r + p->diagonal + (p->is_upper ? 0 : 1);
  return at < 0 ? 0 : at > p->columns ? p->columns : at;
}

// `n` elements of a row; those on the kept side of column `at` are copied.
static void triangle_piece(const triangle_params *p, const char *x, char *out,
                           int64_t n, int64_t at) {
  if (at < 0) at = 0;
  if (at > n) at = n;
  const size_t head = (size_t)at * p->elem_size;
  const size_t rest = (size_t)(n - at) * p->elem_size;
  if (p->is_upper) {
    memset(out, 0, head);
    tir_exec_copy_bytes(out + head, x + head, rest);
  } else {
    tir_exec_copy_bytes(out, x, head);
    memset(out + head, 0, rest);
  }
}

static tir_status triangle_run(const tir_exec_call *call) {
  const triangle_params *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  const char *const x = tir_exec_arg(call, 0);
  char *const out = tir_exec_arg(call, 1);
  for (int64_t i = span.first; i < span.end;) {
    const int64_t row = i / p->columns, column = i % p->columns;
    const int64_t rest = p->columns - column;
    const int64_t n = rest < span.end - i ? rest : span.end - i;
    const size_t skip = (size_t)i * p->elem_size;
    triangle_piece(p, x + skip, out + skip, n,
                   border(p, row % p->rows) - column);
    i += n;
  }
  return TIR_OK;
}

static tir_status prepare_triangle(tir_exec_prepare *q, bool is_upper) {
  const tir_attrs_triangle *const attrs = q->attrs;
  const tir_ir_type *const in = &q->in[0];
  triangle_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  p->rows = in->dims[in->rank - 2];
  p->columns = in->dims[in->rank - 1];
  p->n = tir_ir_type_numel(in);
  // Farther diagonals change nothing, and sums with these cannot overflow.
  p->diagonal = attrs->diagonal;
  if (p->diagonal < -p->rows) p->diagonal = -p->rows;
  if (p->diagonal > p->columns) p->diagonal = p->columns;
  p->elem_size = tir_dtype_size(in->dtype);
  p->is_upper = is_upper;
  p->per_unit = tir_exec_cut(q, p->n, 1);
  q->params = p;
  q->run = p->n == 0 ? tir_exec_kernel_nothing : triangle_run;
  return TIR_OK;
}

static tir_status tril_prepare(tir_exec_prepare *q) {
  return prepare_triangle(q, false);
}

const tir_exec_kernel_desc tir_kernel_tril = {.prepare = tril_prepare};

static tir_status triu_prepare(tir_exec_prepare *q) {
  return prepare_triangle(q, true);
}

const tir_exec_kernel_desc tir_kernel_triu = {.prepare = triu_prepare};
