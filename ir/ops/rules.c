// What gradient rules and builders of several families share.

#include "ir/ops/rules.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void tir_ir_vjp_zero(const tir_ir_vjp *q) { (void)q; }

// Equal dims with equal symbols: equal at every size of the symbols. Sizes
// alone would not do: 4 and batch = 4 are equal now and may differ later.
static bool same_dims(tir_tape *tape, tir_value x, tir_value y) {
  tir_ir_type a, b;
  tir_ir_value_type(tape, x, &a);
  tir_ir_value_type(tape, y, &b);
  if (a.rank != b.rank) return false;
  for (int i = 0; i < a.rank; i++)
    if (a.dims[i] != b.dims[i] || a.symbols[i] != b.symbols[i]) return false;
  return true;
}

tir_value tir_ir_record2(tir_tape *tape, tir_op op, tir_value a, tir_value b) {
  const tir_value in[] = {a, b};
  return tir_ir_record(tape, op, in, 2, NULL);
}

tir_dtype tir_ir_sum_dtype(tir_tape *tape, tir_value g) {
  const tir_dtype dtype = tir_value_dtype(tape, g);
  const bool is_half = dtype == TIR_DTYPE_F16 || dtype == TIR_DTYPE_BF16;
  return is_half ? TIR_DTYPE_F32 : dtype;
}

tir_value tir_ir_as(tir_tape *tape, tir_value x, tir_dtype dtype) {
  return tir_value_dtype(tape, x) == dtype ? x : tir_cast(tape, x, dtype);
}

// Most gradients fit already, and then no node is made.
tir_value tir_ir_grad_reduce(tir_tape *tape, tir_value g, tir_value like) {
  if (same_dims(tape, g, like)) return g;
  const tir_value wide = tir_ir_as(tape, g, tir_ir_sum_dtype(tape, g));
  return tir_ir_as(tape, tir_reduce_to(tape, wide, like),
                   tir_value_dtype(tape, g));
}

tir_value tir_ir_grad_reshape(tir_tape *tape, tir_value g, tir_value like) {
  return same_dims(tape, g, like) ? g : tir_reshape_like(tape, g, like);
}

tir_value tir_ir_zero(tir_tape *tape, tir_value x) {
  return tir_ir_scalar_like(tape, x, 0.0);
}

bool tir_ir_usable(tir_tape *tape, tir_value x, const char *op,
                   const char *operand) {
  return tir_ir_value_valid(tir_ir_use(tape, x, op, operand));
}

// The error stands already; this only gives the caller an invalid handle.
tir_value tir_ir_refused(tir_tape *tape, const char *op) {
  return tir_ir_keep_error(tape, op, TIR_ERR_STATE, "an operand is invalid");
}

// The operand's name in the descriptor is not known here: the builder puts its
// own in front.
const char *tir_ir_value_text(tir_tape *tape, tir_value x,
                              char buffer[TIR_OPERAND_TEXT_MAX]) {
  const tir_ir_value id = tir_ir_peek(tape, x);
  tir_ir_type type;
  char text[TIR_TYPE_TEXT_MAX], quoted[TIR_QUOTED_MAX];
  tir_ir_value_type(tape, x, &type);
  tir_ir_type_text(&type, text);
  const char *name = id.id ? tir_ir_value_name(tape->graph, id) : "";
  snprintf(buffer, TIR_OPERAND_TEXT_MAX, "%s%s%s",
           *name ? tir_base_quote(name, quoted) : "", *name ? " " : "", text);
  return buffer;
}

// Floats take every number, rounded; a bool takes all but 0 as true.
bool tir_ir_is_element(tir_tape *tape, const char *op, tir_dtype dtype,
                       double value) {
  if (!tir_ir_dtype_is_integer(dtype)) return true;
  // In the range of int64 the conversion below is defined.
  if (value >= -0x1p63 && value < 0x1p63 && floor(value) == value) {
    int64_t element = 0;
    tir_ir_store_i64(dtype, &element, (int64_t)value);
    if (tir_ir_load_i64(dtype, &element) == (int64_t)value) return true;
  }
  tir_ir_keep_error(tape, op, TIR_ERR_DTYPE, "%s is not a number of dtype %s",
                    TIR_NUMBER(value, 17), tir_dtype_name(dtype));
  return false;
}

// In x's dtype, which must hold the number: 0.5 as an integer would become 0.
tir_value tir_ir_literal(tir_tape *tape, const char *op, tir_value x,
                         double value) {
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  if (!tir_ir_is_element(tape, op, type.dtype, value))
    return tir_ir_refused(tape, op);
  return tir_ir_scalar_like(tape, x, value);
}

// Stored from the front, so that equal calls have equal attributes. One out of
// range goes on to infer, which names it.
int64_t tir_ir_axis_attr(tir_tape *tape, tir_value x, int axis) {
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  int normal = 0;
  return tir_ir_axis(axis, type.rank, &normal) ? normal : axis;
}

// A list argument of a builder: not too long, and there at all. The list is
// read only after this.
static bool list_is_usable(tir_tape *tape, const char *op, const char *name,
                           const void *list, int n) {
  if (n < 0 || n > TIR_MAX_RANK) {
    tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                      "%s has %d entries, expected 0 to %d", name, n,
                      TIR_MAX_RANK);
    return false;
  }
  if (n > 0 && !list) {
    tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                      "%s is NULL, expected %d entries", name, n);
    return false;
  }
  return true;
}

// Here nothing is judged but the list itself.
bool tir_ir_axes_attr(tir_tape *tape, const char *op, const char *name,
                      int rank, const int *axes, int n_axes,
                      tir_ir_ints *out_axes) {
  memset(out_axes, 0, sizeof *out_axes);
  if (!list_is_usable(tape, op, name, axes, n_axes)) return false;
  out_axes->n = n_axes;
  for (int i = 0; i < n_axes; i++) {
    int normal = 0;
    const bool fits = tir_ir_axis(axes[i], rank, &normal);
    out_axes->v[i] = fits ? normal : axes[i];
  }
  return true;
}

bool tir_ir_list_attr(tir_tape *tape, const char *op, const char *name,
                      const int64_t *list, int n, tir_ir_ints *out_list) {
  memset(out_list, 0, sizeof *out_list);
  if (!list_is_usable(tape, op, name, list, n)) return false;
  out_list->n = n;
  for (int i = 0; i < n; i++) out_list->v[i] = list[i];
  return true;
}

// A type in the caller's words, checked before it becomes a constant.
bool tir_ir_type_arg(tir_tape *tape, const char *op, tir_dtype dtype,
                     const int64_t *dims, int rank, tir_ir_type *out_type) {
  memset(out_type, 0, sizeof *out_type);
  tir_ir_ints list;
  if (!tir_ir_list_attr(tape, op, "dims", dims, rank, &list)) return false;
  out_type->dtype = dtype;
  out_type->rank = rank;
  memcpy(out_type->dims, list.v, sizeof out_type->dims);
  tir_error error;
  if (tir_ir_type_check(out_type, &error) == TIR_OK) return true;
  tir_ir_keep_error(tape, op, error.status, "%s", error.message);
  return false;
}
