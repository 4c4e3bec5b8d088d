// Making values: fills, counting, and sizes of axes as numbers.
//
// zeros, ones and full are splat constants; their _like forms broadcast a
// scalar, so that they follow a symbolic dim.

#include <inttypes.h>
#include <stddef.h>

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

// --- fills -----------------------------------------------------------------

// A literal: one element whatever the shape, and no node to run. The number
// must be one of the dtype: 0.5 as an integer would become 0 unseen.
static tir_value fill(tir_tape *tape, const char *op, tir_dtype dtype,
                      const int64_t *dims, int rank, double value) {
  tir_ir_type type;
  if (!tir_ir_type_arg(tape, op, dtype, dims, rank, &type) ||
      !tir_ir_is_element(tape, op, dtype, value))
    return tir_ir_refused(tape, op);
  return tir_ir_splat(tape, &type, value);
}

tir_value tir_zeros(tir_tape *tape, tir_dtype dtype, const int64_t *dims,
                    int rank) {
  return fill(tape, "zeros", dtype, dims, rank, 0.0);
}

tir_value tir_ones(tir_tape *tape, tir_dtype dtype, const int64_t *dims,
                   int rank) {
  return fill(tape, "ones", dtype, dims, rank, 1.0);
}

tir_value tir_full(tir_tape *tape, tir_dtype dtype, const int64_t *dims,
                   int rank, double value) {
  return fill(tape, "full", dtype, dims, rank, value);
}

// By broadcasting, so that the result is as long as x at every size.
static tir_value fill_like(tir_tape *tape, const char *op, tir_value x,
                           double value) {
  if (!tir_ir_usable(tape, x, op, "x")) return tir_ir_refused(tape, op);
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  const tir_value scalar = tir_ir_literal(tape, op, x, value);
  return type.rank == 0 ? scalar : tir_broadcast_like(tape, scalar, x);
}

tir_value tir_zeros_like(tir_tape *tape, tir_value x) {
  return fill_like(tape, "zeros_like", x, 0.0);
}

tir_value tir_ones_like(tir_tape *tape, tir_value x) {
  return fill_like(tape, "ones_like", x, 1.0);
}

tir_value tir_full_like(tir_tape *tape, tir_value x, double value) {
  return fill_like(tape, "full_like", x, value);
}

// --- arange ----------------------------------------------------------------

static const tir_ir_attr arange_attrs[] = {
    {.name = "dtype",
     .kind = TIR_ATTR_DTYPE,
     .offset = offsetof(tir_attrs_arange, dtype),
     .required = true},
    {.name = "n",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_arange, n),
     .required = true},
};

// How many of 0, 1, 2, … an integer dtype holds.
static int64_t count_of_dtype(tir_dtype dtype) {
  switch (dtype) {
    case TIR_DTYPE_I8:
      return (int64_t)INT8_MAX + 1;
    case TIR_DTYPE_U8:
      return (int64_t)UINT8_MAX + 1;
    case TIR_DTYPE_I16:
      return (int64_t)INT16_MAX + 1;
    case TIR_DTYPE_I32:
      return (int64_t)INT32_MAX + 1;
    default:
      return INT64_MAX;
  }
}

// The last number must be one of the dtype. A count of 0 gives an empty vector.
// Floats may be too short for every number of a long one; they are rounded.
static tir_status arange_infer(const tir_ir_infer_query *q) {
  const tir_attrs_arange *attrs = q->attrs;
  const tir_dtype dtype = (tir_dtype)attrs->dtype;
  if (!tir_ir_dtype_is_compute_float(dtype) && !tir_ir_dtype_is_integer(dtype))
    return tir_ir_fail(q, TIR_ERR_DTYPE,
                       "dtype is %s, expected f32, f64 or an integer",
                       tir_dtype_name(dtype));
  if (attrs->n < 0 || attrs->n > count_of_dtype(dtype))
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "n is %" PRId64 ", expected 0 to %" PRId64 " for %s",
                       attrs->n, count_of_dtype(dtype), tir_dtype_name(dtype));
  q->out[0].dtype = dtype;
  q->out[0].rank = 1;
  q->out[0].dims[0] = attrs->n;
  return TIR_OK;
}

const tir_op_desc tir_op_arange = {
    .name = "arange",
    .family = "create",
    .summary = "The numbers 0, 1, … n-1 as a vector.",
    .operands = "",
    .n_outputs = 1,
    .traits = TIR_TRAIT_EXACT,
    .attrs = arange_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_arange),
    .infer = arange_infer,
    .no_gradient = "it has no operands",
};

tir_value tir_arange(tir_tape *tape, tir_dtype dtype, int64_t n) {
  const tir_attrs_arange attrs = {.dtype = dtype, .n = n};
  return tir_ir_record(tape, TIR_OP_ARANGE, NULL, 0, &attrs);
}

// --- dim_product -----------------------------------------------------------

static const tir_ir_attr dim_product_attrs[] = {
    {.name = "dtype",
     .kind = TIR_ATTR_DTYPE,
     .offset = offsetof(tir_attrs_dim_product, dtype),
     .required = true},
    {.name = "axes",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_dim_product, axes)},
};

// Only the operand's shape is looked at, never its data. No axes means all of
// them. The result is a scalar, so that a mean's divisor follows a symbolic
// dim.
static tir_status dim_product_infer(const tir_ir_infer_query *q) {
  const tir_attrs_dim_product *attrs = q->attrs;
  const tir_dtype dtype = (tir_dtype)attrs->dtype;
  bool has[TIR_MAX_RANK];
  if (!tir_ir_dtype_is_compute_float(dtype) && dtype != TIR_DTYPE_I64)
    return tir_ir_fail(q, TIR_ERR_DTYPE,
                       "dtype is %s, expected f32, f64 or i64",
                       tir_dtype_name(dtype));
  TIR_TRY(tir_ir_check_axes(q, 0, &attrs->axes, has));
  q->out[0].dtype = dtype;
  return TIR_OK;
}

// Only gradient rules and builders make it: there is no public function.
const tir_op_desc tir_op_dim_product = {
    .name = "dim_product",
    .family = "create",
    .summary = "Product of the operand's sizes along axes, as a scalar.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_EXACT,
    .shape_only = 1 << 0,
    .attrs = dim_product_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_dim_product),
    .infer = dim_product_infer,
    .vjp = tir_ir_vjp_zero,
};
