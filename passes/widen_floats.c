// widen-floats: the same function in f64.
//
//   f32, f16, bf16 → f64   in declared types, dtype attributes and constants
//
// Class F, in no pipeline: numbers change, that is what it is for. Gradients
// are checked against differences on the widened graph, where rounding does
// not drown them. Casts to a narrow float become casts to f64. What had no
// f64 form before has none now: inference names the node.
#include <string.h>

#include "ir/base/tensor.h"
#include "ir/body.h"
#include "ir/infer.h"
#include "passes/pass.h"

static bool is_narrow(int64_t dtype) {
  return dtype == TIR_DTYPE_F32 || dtype == TIR_DTYPE_F16 ||
         dtype == TIR_DTYPE_BF16;
}

// Every narrow float is an f64 as well, so this is exact. The graph shares its
// tensors: it gets a new one.
static tir_status widen_tensor(tir_pass_ctx *ctx, tir_tensor **tensor) {
  const tir_tensor *from = *tensor;
  tir_tensor *to = NULL;
  if (!from || !is_narrow(from->dtype)) return TIR_OK;
  TIR_TRY(tir_tensor_create(ctx->context, TIR_DTYPE_F64, from->dims, from->rank,
                            &to, ctx->error));
  const size_t size = tir_dtype_size(from->dtype);
  const char *element = from->data;
  double *x = to->data;
  for (int64_t i = 0; i < from->numel; i++, element += size)
    x[i] = tir_ir_load_f64(from->dtype, element);
  tir_tensor_release(*tensor);
  *tensor = to;
  return TIR_OK;
}

// A constant's bits are of its declared dtype, so they go before the type.
static void widen_attrs(tir_ir_graph *graph, tir_ir_node node) {
  const tir_op_desc *desc = tir_ir_desc(graph, node);
  char *attrs = (char *)&graph->attrs.data[tir_ir_node_at(graph, node)->attrs];
  if (tir_ir_op(graph, node) == TIR_OP_CONSTANT) {
    tir_attrs_constant *constant = (tir_attrs_constant *)(void *)attrs;
    const tir_dtype dtype = tir_ir_dtype_of(graph, tir_ir_out(graph, node, 0));
    // Zeros may stand in words that other nodes share; they are zeros in f64.
    if (!constant->tensor && constant->bits && is_narrow(dtype)) {
      const double x = tir_ir_load_f64(dtype, &constant->bits);
      memcpy(&constant->bits, &x, sizeof x);
    }
  }
  for (int i = 0; i < desc->n_attrs; i++) {
    if (desc->attrs[i].kind != TIR_ATTR_DTYPE) continue;
    int64_t dtype;
    memcpy(&dtype, attrs + desc->attrs[i].offset, sizeof dtype);
    if (!is_narrow(dtype)) continue;
    dtype = TIR_DTYPE_F64;
    memcpy(attrs + desc->attrs[i].offset, &dtype, sizeof dtype);
  }
}

static tir_status widen_types(tir_pass_ctx *ctx, tir_ir_graph *graph,
                              tir_ir_node node) {
  if (!(tir_ir_desc(graph, node)->traits & TIR_TRAIT_DECLARED)) return TIR_OK;
  for (uint32_t i = 0; i < tir_ir_n_out(graph, node); i++) {
    const tir_ir_value value = tir_ir_out(graph, node, i);
    tir_ir_type type;
    tir_ir_type_of(graph, value, &type);
    if (!is_narrow(type.dtype)) continue;
    type.dtype = TIR_DTYPE_F64;
    TIR_TRY(tir_ir_set_type(graph, value, &type, ctx->error));
    ctx->rewrites++;
  }
  return TIR_OK;
}

static tir_status run(tir_pass_ctx *ctx, tir_ir_graph *graph);

// Bodies inside bodies: as deep as tir_ir_body_create lets them be.
static tir_status widen_bodies(tir_pass_ctx *ctx, tir_ir_graph *graph) {
  tir_ir_body_visit visit = {0};
  while (tir_ir_next_body(graph, &visit)) {
    tir_ir_graph *copy = NULL;
    tir_ir_body *body = NULL;
    TIR_TRY(tir_ir_graph_copy(visit.body->graph, &copy, ctx->error));
    const tir_status status = run(ctx, copy);
    if (status != TIR_OK) {
      tir_ir_graph_destroy(copy);
      return status;
    }
    TIR_TRY(tir_ir_body_create(copy, &body, ctx->error));
    tir_ir_set_body(graph, visit.attr, tir_ir_attrs(graph, visit.node), body);
    tir_ir_body_release(body);
  }
  return TIR_OK;
}

static tir_status run(tir_pass_ctx *ctx, tir_ir_graph *graph) {
  for (size_t i = 0; i < graph->tensors.count; i++)
    TIR_TRY(widen_tensor(ctx, &graph->tensors.data[i]));
  for (tir_ir_node n = tir_ir_first(graph); tir_ir_node_valid(n);
       n = tir_ir_next(graph, n)) {
    widen_attrs(graph, n);
    TIR_TRY(widen_types(ctx, graph, n));
  }
  TIR_TRY(widen_bodies(ctx, graph));
  return tir_ir_infer_graph(graph, ctx->error);
}

const tir_pass_desc tir_pass_widen_floats = {
    .name = "widen-floats",
    .summary = "Make every float an f64, to check gradients on.",
    .rewrite_class = TIR_PASS_F,
    .run = run,
};
