// Copies between strided views.
//
// Dims are merged, then the innermost decides: a run of bytes (memcpy), one
// element repeated, a transposition (in square tiles, so that both sides use
// whole cache lines), or single elements.
#include "exec/kernels/strided.h"

#include <string.h>

#include "ir/base/checked.h"

enum { FORM_RUN, FORM_REPEAT, FORM_TRANSPOSE, FORM_ELEMENTS };
enum { TILE = 16 };  // elements a side; 16 · 8 bytes is two lines

void tir_exec_dense_strides(const tir_ir_type *type,
                            int64_t strides[TIR_MAX_RANK]) {
  int64_t stride = (int64_t)tir_dtype_size(type->dtype);
  for (int i = type->rank - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= type->dims[i];
  }
}

// --- preparing ---------------------------------------------------------------

// A dim and the one behind it are one if both sides go through them with one
// stride. Negative strides (flips) and repeats (0) merge by the same test.
static void merge_dims(tir_exec_box *box) {
  int rank = 0;
  for (int i = 0; i < box->rank; i++) {
    const int64_t size = box->dims[i];
    if (size == 1) continue;
    const int64_t from = box->from_strides[i];
    const int64_t to = box->to_strides[i];
    const bool merge = rank > 0 && box->from_strides[rank - 1] == from * size &&
                       box->to_strides[rank - 1] == to * size;
    const int d = merge ? rank - 1 : rank++;
    box->dims[d] = merge ? box->dims[d] * size : size;
    box->from_strides[d] = from;
    box->to_strides[d] = to;
  }
  if (rank == 0) {
    rank = 1;
    box->dims[0] = 1;
    box->from_strides[0] = (int64_t)box->elem_size;
    box->to_strides[0] = (int64_t)box->elem_size;
  }
  box->rank = rank;
}

// The dim along which the source is dense while the target's dense one is the
// last; −1 if there is none. Both sides then read or write whole lines of a
// tile, in whichever order the tile is gone through.
static int dense_column(const tir_exec_box *box) {
  for (int i = box->rank - 2; i >= 0; i--)
    if (box->from_strides[i] == (int64_t)box->elem_size) return i;
  return -1;
}

void tir_exec_box_finish(tir_exec_box *box) {
  // Before merging, because that drops dims: the count is the same, and 0 says
  // that there is nothing to copy.
  box->n = 1;
  for (int i = 0; i < box->rank; i++) box->n *= box->dims[i];
  merge_dims(box);
  const int last = box->rank - 1;
  const int64_t size = (int64_t)box->elem_size;
  const bool to_dense = box->to_strides[last] == size;
  // A target that is not dense along its last dim takes single elements.
  box->form = FORM_ELEMENTS;
  if (!to_dense) return;
  if (box->from_strides[last] == size) {
    box->form = FORM_RUN;
  } else if (box->from_strides[last] == 0) {
    box->form = FORM_REPEAT;
  } else {
    box->column = dense_column(box);
    if (box->column >= 0) box->form = FORM_TRANSPOSE;
  }
}

// --- innermost loops --------------------------------------------------------

// Makes a loop per element size, so that each element is one load and store.
#define TIR_BY_SIZE(size, function, ...) \
  do {                                   \
    switch (size) {                      \
      case 1:                            \
        function##_1(__VA_ARGS__);       \
        break;                           \
      case 2:                            \
        function##_2(__VA_ARGS__);       \
        break;                           \
      case 4:                            \
        function##_4(__VA_ARGS__);       \
        break;                           \
      default:                           \
        function##_8(__VA_ARGS__);       \
    }                                    \
  } while (0)

#define TIR_STRIDED_LOOPS(BYTES)                                              \
  static void repeat_##BYTES(char *to, const char *from, int64_t n) {         \
    char x[BYTES];                                                            \
    memcpy(x, from, BYTES);                                                   \
    for (int64_t i = 0; i < n; i++) memcpy(to + i * (BYTES), x, BYTES);       \
  }                                                                           \
  static void elements_##BYTES(char *to, int64_t to_stride, const char *from, \
                               int64_t from_stride, int64_t n) {              \
    for (int64_t i = 0; i < n; i++)                                           \
      memcpy(to + i * to_stride, from + i * from_stride, BYTES);              \
  }                                                                           \
  /* to[r][c] = from[c][r], strides of rows. */                               \
  static void tile_##BYTES(char *to, int64_t to_row, const char *from,        \
                           int64_t from_row, int64_t rows, int64_t columns) { \
    for (int64_t r = 0; r < rows; r++)                                        \
      for (int64_t c = 0; c < columns; c++)                                   \
        memcpy(to + r * to_row + c * (BYTES),                                 \
               from + c * from_row + r * (BYTES), BYTES);                     \
  }
TIR_STRIDED_LOOPS(1)
TIR_STRIDED_LOOPS(2)
TIR_STRIDED_LOOPS(4)
TIR_STRIDED_LOOPS(8)
#undef TIR_STRIDED_LOOPS

// A plane of dims [column, last].
static void transpose_plane(const tir_exec_box *box, const char *from,
                            char *to) {
  const int last = box->rank - 1;
  const int64_t rows = box->dims[box->column];
  const int64_t columns = box->dims[last];
  const int64_t to_row = box->to_strides[box->column];
  const int64_t from_row = box->from_strides[last];
  const int64_t size = (int64_t)box->elem_size;
  for (int64_t r = 0; r < rows; r += TILE) {
    const int64_t n_rows = rows - r < TILE ? rows - r : TILE;
    for (int64_t c = 0; c < columns; c += TILE) {
      const int64_t n_columns = columns - c < TILE ? columns - c : TILE;
      TIR_BY_SIZE(size, tile, to + r * to_row + c * size, to_row,
                  from + c * from_row + r * size, from_row, n_rows, n_columns);
    }
  }
}

static void copy_innermost(const tir_exec_box *box, const char *from,
                           char *to) {
  const int last = box->rank - 1;
  // Of runs, repeats and single elements; a plane takes its sizes itself.
  const int64_t n = box->dims[last];
  switch (box->form) {
    case FORM_RUN:
      memcpy(to, from, (size_t)n * box->elem_size);
      return;
    case FORM_REPEAT:
      TIR_BY_SIZE(box->elem_size, repeat, to, from, n);
      return;
    case FORM_TRANSPOSE:
      transpose_plane(box, from, to);
      return;
    default:
      TIR_BY_SIZE(box->elem_size, elements, to, box->to_strides[last], from,
                  box->from_strides[last], n);
  }
}

// --- copying ----------------------------------------------------------------

void tir_exec_box_copy(const tir_exec_box *box, const char *from, char *to) {
  if (box->n == 0) return;
  from += box->from_offset;
  to += box->to_offset;
  const bool plane = box->form == FORM_TRANSPOSE;
  int64_t at[TIR_EXEC_BOX_RANK] = {0};
  // An odometer over the outer dims. The column of a plane is not one of them:
  // transpose_plane goes through it.
  for (;;) {
    copy_innermost(box, from, to);
    int d = box->rank - 2;
    for (; d >= 0; d--) {
      if (plane && d == box->column) continue;
      from += box->from_strides[d];
      to += box->to_strides[d];
      if (++at[d] < box->dims[d]) break;
      at[d] = 0;
      from -= box->from_strides[d] * box->dims[d];
      to -= box->to_strides[d] * box->dims[d];
    }
    if (d < 0) return;
  }
}

// --- boxes of a step ---------------------------------------------------------

// The last box whose units begin at or before this one; the first begins at 0.
static const tir_exec_box *find_box(const tir_exec_boxes *p, int64_t unit) {
  size_t low = 0, high = p->n;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (p->box[middle].first_unit <= unit)
      low = middle;
    else
      high = middle;
  }
  return &p->box[low];
}

// Places first … end − 1 along the dim that is cut. Form and column stay right:
// the strides are the same, and `n` is only asked whether it is 0.
static tir_exec_box part_of(const tir_exec_box *box, int64_t first,
                            int64_t end) {
  const int32_t d = box->cut;
  tir_exec_box part = *box;
  part.from_offset += first * box->from_strides[d];
  part.to_offset += first * box->to_strides[d];
  part.dims[d] = end - first;
  return part;
}

static void copy_from_arg(const tir_exec_call *call, const tir_exec_box *box,
                          char *to) {
  static const char zeros[8];
  tir_exec_box_copy(box,
                    box->from_arg == TIR_EXEC_ZEROS
                        ? zeros
                        : tir_exec_arg(call, box->from_arg),
                    to);
}

// Units of one box that follow on each other are copied as one.
static tir_status boxes_run(const tir_exec_call *call) {
  const tir_exec_boxes *const p = call->params;
  char *const to = tir_exec_arg(call, p->out_arg);
  if (call->end == 0) {  // not cut
    for (size_t i = 0; i < p->n; i++) copy_from_arg(call, &p->box[i], to);
    return TIR_OK;
  }
  for (int64_t unit = call->first; unit < call->end;) {
    const tir_exec_box *const box = find_box(p, unit);
    const int64_t size = box->dims[box->cut];
    const int64_t first = (unit - box->first_unit) * box->per_unit;
    int64_t end = (call->end - box->first_unit) * box->per_unit;
    if (end > size) end = size;
    const tir_exec_box part = part_of(box, first, end);
    copy_from_arg(call, &part, to);
    unit = box->first_unit + (end + box->per_unit - 1) / box->per_unit;
  }
  return TIR_OK;
}

tir_exec_boxes *tir_exec_boxes_params(tir_exec_prepare *q, size_t n) {
  size_t size = 0;
  if (!tir_base_size_mul(n, sizeof(tir_exec_box), &size) ||
      !tir_base_size_add(size, sizeof(tir_exec_boxes), &size)) {
    tir_base_fail_memory(q->error, SIZE_MAX);
    return NULL;
  }
  tir_exec_boxes *const p = tir_exec_kernel_params(q, size);
  if (!p) return NULL;
  p->n = n;
  p->out_arg = (uint32_t)q->n_in;
  for (size_t i = 0; i < n; i++)
    p->box[i].elem_size = tir_dtype_size(q->out[0].dtype);
  q->params = p;
  q->run = boxes_run;
  return p;
}

// --- around a part -----------------------------------------------------------

// All axes before `axis` hold places of the part, those behind it everything.
// Along it lie `size` places from `from` on, `n` times a step apart.
static void append_gap(tir_exec_boxes *p, const tir_ir_type *whole,
                       const tir_exec_part *part, uint32_t from_arg, int axis,
                       int64_t from, int64_t size, int64_t n) {
  // Nothing lies there more often than not.
  if (size <= 0 || n <= 0) return;
  tir_exec_box *const box = &p->box[p->n];
  int64_t strides[TIR_MAX_RANK];
  tir_exec_dense_strides(whole, strides);
  *box = (tir_exec_box){.from_arg = from_arg,
                        .elem_size = tir_dtype_size(whole->dtype),
                        .to_offset = from * strides[axis],
                        .n = 1};
  for (int i = 0; i < whole->rank; i++) {
    const bool in_part = i < axis;
    if (i == axis) {
      box->dims[box->rank] = n;
      box->to_strides[box->rank++] = part[i].step * strides[i];
    }
    box->dims[box->rank] = in_part     ? part[i].count
                           : i == axis ? size
                                       : whole->dims[i];
    box->to_strides[box->rank++] = (in_part ? part[i].step : 1) * strides[i];
    if (in_part) box->to_offset += part[i].start * strides[i];
  }
  tir_exec_box_finish(box);
  if (box->n > 0) p->n++;
}

void tir_exec_boxes_surround(tir_exec_boxes *p, const tir_ir_type *whole,
                             const tir_exec_part *part, uint32_t from_arg) {
  for (int i = 0; i < whole->rank; i++) {
    const tir_exec_part *const a = &part[i];
    const int64_t size = whole->dims[i];
    if (a->count == 0) {
      append_gap(p, whole, part, from_arg, i, 0, size, 1);
      return;  // behind this axis there is no part to be around of
    }
    const int64_t last = a->start + (a->count - 1) * a->step;
    append_gap(p, whole, part, from_arg, i, 0, a->start, 1);
    append_gap(p, whole, part, from_arg, i, a->start + 1, a->step - 1,
               a->count - 1);
    append_gap(p, whole, part, from_arg, i, last + 1, size - 1 - last, 1);
  }
}

// --- cutting -----------------------------------------------------------------

// The outermost dim that is long enough for many lanes and many pauses, where
// one place is at most a millisecond or so; else the longest.
static int32_t dim_to_cut(const tir_exec_box *box) {
  enum { MANY = 64, LARGE = 1 << 20 };
  int32_t longest = 0;
  for (int32_t d = 0; d < box->rank; d++) {
    if (box->dims[d] >= MANY && box->n / box->dims[d] <= LARGE) return d;
    if (box->dims[d] > box->dims[longest]) longest = d;
  }
  return longest;
}

// Units of about `elements`, at least one place. Along a dense dim they are
// whole tiles: less than a cache line is not worth a loop.
static int64_t places_of_unit(const tir_exec_box *box, int64_t elements) {
  const int32_t d = box->cut;
  const int64_t others = box->n / box->dims[d];
  int64_t places = elements / others;
  const bool dense =
      d == box->rank - 1 || (box->form == FORM_TRANSPOSE && d == box->column);
  if (places < 1) places = 1;
  return dense ? (places + TILE - 1) / TILE * TILE : places;
}

void tir_exec_boxes_cut(tir_exec_prepare *q, tir_exec_boxes *p) {
  int64_t n = 0, n_units = 0;
  for (size_t i = 0; i < p->n; i++) n += p->box[i].n;
  const int64_t elements = tir_exec_cut(q, n, 1);
  if (q->split.n_units < 2) return;
  for (size_t i = 0; i < p->n; i++) {
    tir_exec_box *const box = &p->box[i];
    box->first_unit = n_units;
    // Never found: the next box begins at the same unit.
    if (box->n == 0) continue;
    box->cut = dim_to_cut(box);
    box->per_unit = places_of_unit(box, elements);
    n_units += (box->dims[box->cut] + box->per_unit - 1) / box->per_unit;
  }
  q->split.n_units = (uint32_t)n_units;
}
