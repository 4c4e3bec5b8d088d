// Rearranging whole axes: flip; and stack and split, which are made of concat
// and slice.
//
// stack and split check their operands themselves: a message of concat or slice
// would speak of operands the caller has not given.

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "ir/base/checked.h"
#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

// --- flip ------------------------------------------------------------------

static const tir_ir_attr flip_attrs[] = {
    {.name = "axes",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_axes, axes)},
};

// No axes means all of them, as in reductions.
static tir_status flip_infer(const tir_ir_infer_query *q) {
  const tir_attrs_axes *attrs = q->attrs;
  bool has[TIR_MAX_RANK];
  TIR_TRY(tir_ir_check_axes(q, 0, &attrs->axes, has));
  q->out[0] = q->in[0];
  return TIR_OK;
}

// dx = flip(g): it is its own inverse.
static void flip_vjp(const tir_ir_vjp *q) {
  q->in_grad[0] =
      tir_ir_record(q->tape, TIR_OP_FLIP, &q->out_grad[0], 1, q->attrs);
}

const tir_op_desc tir_op_flip = {
    .name = "flip",
    .family = "movement",
    .summary = "The elements in reverse order along axes.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_MOVEMENT | TIR_TRAIT_EXACT,
    .attrs = flip_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_axes),
    .infer = flip_infer,
    .vjp = flip_vjp,
};

tir_value tir_flip(tir_tape *tape, tir_value x, const int *axes, int n_axes) {
  tir_attrs_axes attrs;
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  if (!tir_ir_axes_attr(tape, "flip", "axes", type.rank, axes, n_axes,
                        &attrs.axes))
    return tir_ir_refused(tape, "flip");
  return tir_ir_record(tape, TIR_OP_FLIP, &x, 1, &attrs);
}

// --- stack -----------------------------------------------------------------

// concat would join values of different sizes along an axis of size 1 too, so
// the types are compared here.
static bool check_stack(tir_tape *tape, const tir_value *values,
                        size_t n_values) {
  tir_ir_type first, other;
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  for (size_t i = 0; i < n_values; i++) {
    if (!tir_ir_usable(tape, values[i], "stack", "values")) return false;
    tir_ir_value_type(tape, values[0], &first);
    tir_ir_value_type(tape, values[i], &other);
    if (first.dtype == other.dtype && tir_ir_same_shape(&first, &other))
      continue;
    tir_ir_keep_error(
        tape, "stack",
        first.dtype != other.dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
        "types differ: values[0] %s, values[%zu] %s",
        tir_ir_value_text(tape, values[0], a), i,
        tir_ir_value_text(tape, values[i], b));
    return false;
  }
  return true;
}

// Each value gets a new axis of size 1 and is joined along it.
tir_value tir_stack(tir_tape *tape, const tir_value *values, size_t n_values,
                    int axis) {
  const char *op = "stack";
  if (n_values == 0)
    return tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                             "no values given, expected at least 1");
  if (!values)
    return tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                             "values is NULL, expected %zu entries", n_values);
  if (!check_stack(tape, values, n_values)) return tir_ir_refused(tape, op);
  size_t bytes = 0;
  tir_value *rows = NULL;
  if (tir_base_size_mul(n_values, sizeof *rows, &bytes))
    rows = tir_base_alloc(tape->context, bytes, _Alignof(tir_value));
  if (!rows)
    return tir_ir_keep_error(tape, op, TIR_ERR_MEMORY,
                             "out of memory for %zu operands", n_values);
  for (size_t i = 0; i < n_values; i++)
    rows[i] = tir_expand_dims(tape, values[i], &axis, 1);
  const tir_value out = tir_concat(tape, rows, n_values, axis);
  tir_base_free(tape->context, rows, bytes, _Alignof(tir_value));
  return out;
}

// --- split -----------------------------------------------------------------

// Sizes that are not negative and add up to the axis's, so that nothing is
// lost; one may be -1 for the rest. The sum is checked for overflow on the way;
// −1 counts as 0 elements at least.
static bool check_split(tir_tape *tape, tir_value x, const int64_t *sizes,
                        size_t n_parts, int64_t dim) {
  const char *op = "split";
  char text[TIR_OPERAND_TEXT_MAX];
  int64_t sum = 0;
  size_t n_free = 0;
  for (size_t i = 0; i < n_parts; i++) {
    n_free += sizes[i] == -1;
    const bool fits = sizes[i] >= 0 ? tir_base_i64_add(sum, sizes[i], &sum)
                                    : sizes[i] == -1 && n_free == 1;
    if (!fits) {
      tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                        "sizes[%zu] is %" PRId64
                        ", expected 0 or more, and -1 at most once",
                        i, sizes[i]);
      return false;
    }
  }
  if (n_free ? sum <= dim : sum == dim) return true;
  tir_ir_keep_error(
      tape, op, TIR_ERR_SHAPE,
      "the parts have %s%" PRId64 " elements along the axis, x %s has %" PRId64,
      n_free ? "at least " : "", sum, tir_ir_value_text(tape, x, text), dim);
  return false;
}

// Parts before the free one are counted from the start, those after it from
// the end, so all follow a symbolic dim. `from_end` is the size of those that
// are still to come.
static void cut_parts(tir_tape *tape, tir_value x, const int64_t *sizes,
                      size_t n_parts, int axis, tir_value *out_parts) {
  tir_attrs_slice slice = {.starts = {.n = axis + 1}, .stops = {.n = axis + 1}};
  for (int a = 0; a < axis; a++) slice.stops.v[a] = INT64_MAX;
  int64_t from_end = 0, start = 0;
  bool is_behind = false;
  for (size_t i = 0; i < n_parts; i++)
    if (is_behind)
      // The sizes behind the free part, which all are 0 or more.
      from_end += sizes[i];
    else
      is_behind = sizes[i] == -1;
  is_behind = false;
  for (size_t i = 0; i < n_parts; i++) {
    const bool is_free = sizes[i] == -1;
    int64_t stop = 0;
    if (is_free) {
      stop = -from_end;
    } else if (is_behind) {
      from_end -= sizes[i];
      stop = -from_end;
    } else {
      stop = start + sizes[i];
    }
    const bool at_end = (is_free || is_behind) && stop == 0;
    slice.starts.v[axis] = start;
    slice.stops.v[axis] = at_end ? INT64_MAX : stop;
    // An empty part at the very end starts there too.
    if (is_behind && start == 0) slice.starts.v[axis] = INT64_MAX;
    out_parts[i] = tir_ir_record(tape, TIR_OP_SLICE, &x, 1, &slice);
    start = stop;
    is_behind = is_behind || is_free;
  }
}

// A call that is refused leaves all-zero handles.
void tir_split(tir_tape *tape, tir_value x, const int64_t *sizes,
               size_t n_parts, int axis, tir_value *out_parts) {
  const char *op = "split";
  if (out_parts) memset(out_parts, 0, n_parts * sizeof *out_parts);
  if (!tir_ir_usable(tape, x, op, "x")) {
    tir_ir_refused(tape, op);
    return;
  }
  if (n_parts == 0 || !sizes || !out_parts) {
    tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                      "%zu parts, sizes %s NULL, out_parts %s NULL: expected "
                      "at least 1 part and both lists",
                      n_parts, sizes ? "not" : "is", out_parts ? "not" : "is");
    return;
  }
  tir_ir_type type;
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_value_type(tape, x, &type);
  int normal = 0;
  if (!tir_ir_axis(axis, type.rank, &normal)) {
    tir_ir_keep_error(tape, op, TIR_ERR_SHAPE,
                      "axis %d is out of range for x %s of rank %d", axis,
                      tir_ir_value_text(tape, x, text), type.rank);
    return;
  }
  if (check_split(tape, x, sizes, n_parts, type.dims[normal]))
    cut_parts(tape, x, sizes, n_parts, normal, out_parts);
}
