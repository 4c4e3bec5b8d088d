// Custom ops that tests register: y = a·x·w with its gradient as ops.
#ifndef TAPEIR_TESTS_SUPPORT_CUSTOM_OPS_H
#define TAPEIR_TESTS_SUPPORT_CUSTOM_OPS_H

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

#include "tapeir/tapeir.h"

namespace custom_ops {

inline int64_t Numel(const tir_custom_type &type) {
  int64_t n = 1;
  for (int i = 0; i < type.rank; i++) n *= type.dims[i];
  return n;
}

inline bool SameShape(const tir_custom_type &a, const tir_custom_type &b) {
  return a.rank == b.rank &&
         memcmp(a.dims, b.dims, static_cast<size_t>(a.rank) * sizeof *a.dims) ==
             0;
}

inline double Load(const tir_custom_type &type, const void *data, int64_t i) {
  return type.dtype == TIR_DTYPE_F64 ? static_cast<const double *>(data)[i]
                                     : static_cast<const float *>(data)[i];
}

inline void Store(const tir_custom_type &type, void *data, int64_t i,
                  double x) {
  if (type.dtype == TIR_DTYPE_F64)
    static_cast<double *>(data)[i] = x;
  else
    static_cast<float *>(data)[i] = static_cast<float>(x);
}

// Two operands of one type, f32 or f64; the result is like them.
inline tir_status InferProduct(const tir_custom_infer *q) {
  if (q->in[0].dtype != TIR_DTYPE_F32 && q->in[0].dtype != TIR_DTYPE_F64) {
    snprintf(q->message, q->message_size, "x is %s, expected f32 or f64",
             tir_dtype_name(q->in[0].dtype));
    return TIR_ERR_DTYPE;
  }
  if (q->in[0].dtype != q->in[1].dtype || !SameShape(q->in[0], q->in[1])) {
    snprintf(q->message, q->message_size, "x and w differ");
    return TIR_ERR_SHAPE;
  }
  q->out[0] = q->in[0];
  return TIR_OK;
}

inline tir_status RunProduct(const tir_custom_call *call) {
  const tir_custom_type &type = call->in_types[0];
  for (int64_t i = 0; i < Numel(type); i++)
    Store(type, call->out[0], i,
          call->attrs->floats[0] * Load(type, call->in[0], i) *
              Load(type, call->in[1], i));
  return TIR_OK;
}

inline tir_status BuildProduct(const tir_custom_vjp *q) {
  const tir_value g =
      tir_mul_scalar(q->tape, q->out_grad[0], q->attrs->floats[0]);
  if (q->wants[0]) q->in_grad[0] = tir_mul(q->tape, g, q->in[1]);
  if (q->wants[1]) q->in_grad[1] = tir_mul(q->tape, g, q->in[0]);
  return TIR_OK;
}

inline tir_status GradientOfProduct(const tir_custom_call *call) {
  const tir_custom_type &type = call->in_types[0];
  for (int k = 0; k < 2; k++) {
    if (!call->in_grad[k]) continue;
    for (int64_t i = 0; i < Numel(type); i++)
      Store(type, call->in_grad[k], i,
            Load(type, call->out_grad[0], i) * call->attrs->floats[0] *
                Load(type, call->in[1 - k], i));
  }
  return TIR_OK;
}

// A product without any gradient.
inline tir_custom_op Product(const char *name, bool pure) {
  tir_custom_op op = {};
  op.name = name;
  op.version = 1;
  op.n_inputs = 2;
  op.n_outputs = 1;
  op.n_floats = 1;
  op.pure = pure;
  op.infer = InferProduct;
  op.run = RunProduct;
  return op;
}

inline void Register(tir_context *context, const tir_custom_op &op) {
  tir_error error = {};
  ASSERT_EQ(tir_context_register_op(context, &op, &error), TIR_OK)
      << error.message;
}

// What the tests over all ops call: test.product of either kind, and
// test.product_run, whose gradient is a vjp_run.
inline void RegisterTestOps(tir_context *context) {
  for (const bool pure : {false, true}) {
    tir_custom_op op = Product(pure ? "test.pure" : "test.effect", pure);
    op.vjp_build = BuildProduct;
    Register(context, op);
    op.name = pure ? "test.pure_run" : "test.effect_run";
    op.vjp_build = nullptr;
    op.vjp_run = GradientOfProduct;
    Register(context, op);
  }
}

}  // namespace custom_ops

#endif
