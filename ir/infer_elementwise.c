// Inference shared by the descriptors of elementwise ops: which dtypes an op
// takes, and broadcasting. Each function checks and fills output 0.
#include "ir/op.h"

// What arithmetic takes: halves are for storage, bools for logic.
static bool is_number(tir_dtype dtype) {
  return tir_ir_dtype_is_compute_float(dtype) || tir_ir_dtype_is_integer(dtype);
}

// "add: wrong dtype: a "x" bool[3], expected …".
static tir_status fail_operand(const tir_ir_infer_query *q, size_t i,
                               const char *expected) {
  char text[TIR_OPERAND_TEXT_MAX];
  return tir_ir_fail(q, TIR_ERR_DTYPE, "wrong dtype: %s, expected %s",
                     tir_ir_operand_text(q, i, text), expected);
}

tir_status tir_ir_infer_same(const tir_ir_infer_query *q) {
  q->out[0] = q->in[0];
  return TIR_OK;
}

tir_status tir_ir_infer_float(const tir_ir_infer_query *q) {
  if (!tir_ir_dtype_is_compute_float(q->in[0].dtype))
    return fail_operand(q, 0, "f32 or f64");
  return tir_ir_infer_same(q);
}

tir_status tir_ir_infer_number(const tir_ir_infer_query *q) {
  if (!is_number(q->in[0].dtype))
    return fail_operand(q, 0, "f32, f64 or an integer");
  return tir_ir_infer_same(q);
}

static tir_status fail_pair(const tir_ir_infer_query *q, tir_status status,
                            const char *what) {
  char a[TIR_OPERAND_TEXT_MAX], b[TIR_OPERAND_TEXT_MAX];
  return tir_ir_fail(q, status, "%s: %s, %s", what,
                     tir_ir_operand_text(q, 0, a),
                     tir_ir_operand_text(q, 1, b));
}

// No promotion: mixed dtypes are nearly always a mistake, and a cast says so.
tir_status tir_ir_infer_binary(const tir_ir_infer_query *q) {
  const tir_ir_type *a = &q->in[0], *b = &q->in[1];
  if (a->dtype != b->dtype) return fail_pair(q, TIR_ERR_DTYPE, "dtypes differ");
  if (!is_number(a->dtype)) return fail_operand(q, 0, "f32, f64 or an integer");
  // Symbols unify along the way: see broadcast_dim.
  if (!tir_ir_broadcast(a, b, &q->out[0]))
    return fail_pair(q, TIR_ERR_SHAPE, "shapes do not broadcast");
  q->out[0].dtype = a->dtype;
  return TIR_OK;
}

tir_status tir_ir_infer_compare(const tir_ir_infer_query *q) {
  TIR_TRY(tir_ir_infer_binary(q));
  q->out[0].dtype = TIR_DTYPE_BOOL;
  return TIR_OK;
}

// The answers the functions above would give for operands of one type. The
// recorder asks this first, for every op call.
bool tir_ir_infer_one_type(const tir_op_desc *desc, tir_dtype dtype,
                           tir_dtype *out_dtype) {
  *out_dtype = dtype;
  if (desc->attrs_size != 0) return false;
  // infer_same looks at operand 0 alone: with more it matters which is asked.
  if (desc->infer == tir_ir_infer_same) return desc->max_inputs == 1;
  if (desc->infer == tir_ir_infer_float)
    return desc->max_inputs == 1 && tir_ir_dtype_is_compute_float(dtype);
  if (desc->infer == tir_ir_infer_number)
    return desc->max_inputs == 1 && is_number(dtype);
  if (desc->max_inputs != 2) return false;
  if (desc->infer == tir_ir_infer_compare)
    *out_dtype = TIR_DTYPE_BOOL;
  else if (desc->infer != tir_ir_infer_binary)
    return false;
  return is_number(dtype);
}
