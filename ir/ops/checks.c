// Checks that the infer functions of several families share. Each refuses with
// numbers: what was given and what is expected.

#include "ir/ops/checks.h"

#include <inttypes.h>

// `softmax: wrong dtype: x i32[3], expected f32 or f64`
static tir_status wrong_dtype(const tir_ir_infer_query *q, size_t i,
                              const char *expected) {
  char text[TIR_OPERAND_TEXT_MAX];
  return tir_ir_fail(q, TIR_ERR_DTYPE, "wrong dtype: %s, expected %s",
                     tir_ir_operand_text(q, i, text), expected);
}

// f16 and bf16 are for storage: computing with them begins with a cast.
tir_status tir_ir_check_float(const tir_ir_infer_query *q, size_t i) {
  if (tir_ir_dtype_is_compute_float(q->in[i].dtype)) return TIR_OK;
  return wrong_dtype(q, i, "f32 or f64");
}

tir_status tir_ir_check_number(const tir_ir_infer_query *q, size_t i) {
  const tir_dtype dtype = q->in[i].dtype;
  if (tir_ir_dtype_is_compute_float(dtype) || tir_ir_dtype_is_integer(dtype))
    return TIR_OK;
  return wrong_dtype(q, i, "f32, f64 or an integer");
}

// Two index dtypes are enough; others can be cast.
tir_status tir_ir_check_index(const tir_ir_infer_query *q, size_t i) {
  const tir_dtype dtype = q->in[i].dtype;
  if (dtype == TIR_DTYPE_I32 || dtype == TIR_DTYPE_I64) return TIR_OK;
  return wrong_dtype(q, i, "i32 or i64");
}

tir_status tir_ir_check_same_dtype(const tir_ir_infer_query *q, size_t i,
                                   size_t j) {
  if (q->in[i].dtype == q->in[j].dtype) return TIR_OK;
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  return tir_ir_fail(q, TIR_ERR_DTYPE, "dtypes differ: %s, %s",
                     tir_ir_operand_text(q, i, a),
                     tir_ir_operand_text(q, j, b));
}

// Dim names play no part: two operands of one shape may know it by different
// names.
tir_status tir_ir_check_same_type(const tir_ir_infer_query *q, size_t i,
                                  size_t j) {
  TIR_TRY(tir_ir_check_same_dtype(q, i, j));
  if (tir_ir_same_shape(&q->in[i], &q->in[j])) return TIR_OK;
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  return tir_ir_fail(q, TIR_ERR_SHAPE, "shapes differ: %s, %s",
                     tir_ir_operand_text(q, i, a),
                     tir_ir_operand_text(q, j, b));
}

// Rates, counts and bounds: one number, as a value.
tir_status tir_ir_check_scalar(const tir_ir_infer_query *q, size_t i,
                               tir_dtype dtype) {
  char text[TIR_OPERAND_TEXT_MAX];
  if (q->in[i].rank != 0)
    return tir_ir_fail(q, TIR_ERR_SHAPE, "%s is not a scalar",
                       tir_ir_operand_text(q, i, text));
  if (q->in[i].dtype != dtype) return wrong_dtype(q, i, tir_dtype_name(dtype));
  return TIR_OK;
}

// The axis may be any number; what comes out is an index of dims.
tir_status tir_ir_check_axis(const tir_ir_infer_query *q, size_t i,
                             int64_t axis, int *out_axis) {
  if (tir_ir_axis(axis, q->in[i].rank, out_axis)) return TIR_OK;
  *out_axis = 0;
  char text[TIR_OPERAND_TEXT_MAX];
  return tir_ir_fail(q, TIR_ERR_SHAPE,
                     "axis %" PRId64 " is out of range for %s of rank %d", axis,
                     tir_ir_operand_text(q, i, text), q->in[i].rank);
}

// As a set: which axes, each once.
tir_status tir_ir_check_axes(const tir_ir_infer_query *q, size_t i,
                             const tir_ir_ints *axes,
                             bool out_has[TIR_MAX_RANK]) {
  for (int a = 0; a < TIR_MAX_RANK; a++) out_has[a] = false;
  for (int64_t k = 0; k < axes->n; k++) {
    int axis = 0;
    TIR_TRY(tir_ir_check_axis(q, i, axes->v[k], &axis));
    if (out_has[axis])
      return tir_ir_fail(q, TIR_ERR_ARGUMENT, "axis %d is given twice", axis);
    out_has[axis] = true;
  }
  return TIR_OK;
}
