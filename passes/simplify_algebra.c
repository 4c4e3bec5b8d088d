// simplify-algebra: drop operations that cannot change their operand.
//
//   add(x, -0) → x   sub(x, +0) → x   mul(x, 1) → x   div(x, 1) → x
//   elementwise(broadcast(x), y) → elementwise(x, y)
//   broadcast(broadcast(x)) → broadcast(x)   view(view(x)) → view(x)
//   reshape, broadcast, reduce_to, cast, slice … to the operand's type → x
//   transpose(transpose(x)) → transpose(x), or x   add_n(x) → x
//   stop_gradient(x), cut(x) → x   (for execution only)
//
// Class E. Identities come from the op descriptors, so a new op takes part by
// declaring one; add has none at +0 on floats: (-0) + 0 is +0. No rule fires
// that would change a type, symbols of dims included. Operands are rewritten
// in place, replaced values lead on to their replacement; dead nodes are left
// for eliminate-dead. Transposes into matmul flags are merge-transpose.
#include "passes/node_edit.h"
#include "passes/pass.h"

// A chain of broadcasts or views under one operand is followed this far.
enum { MAX_CHAIN = 64 };

static bool is_broadcast(tir_op op) {
  return op == TIR_OP_BROADCAST_TO || op == TIR_OP_BROADCAST_LIKE;
}

// The node's result is its operand's bytes, in order, maybe under another
// shape. Gradients see stop_gradient and cut, execution does not.
static bool is_view(const tir_pass_ctx *ctx, const tir_ir_graph *g,
                    tir_ir_node n) {
  const uint32_t traits = tir_ir_desc(g, n)->traits;
  if (!(traits & TIR_TRAIT_VIEW) || (traits & TIR_TRAIT_EFFECT)) return false;
  const tir_op op = tir_ir_op(g, n);
  return ctx->for_execution || (op != TIR_OP_STOP_GRADIENT && op != TIR_OP_CUT);
}

// Of these ops the result is the operand whenever the types agree.
static bool keeps_operand(const tir_pass_ctx *ctx, const tir_ir_graph *g,
                          tir_ir_node n) {
  switch (tir_ir_op(g, n)) {
    case TIR_OP_BROADCAST_TO:
    case TIR_OP_BROADCAST_LIKE:
    case TIR_OP_REDUCE_TO:
    case TIR_OP_CAST:
    case TIR_OP_SLICE:
    case TIR_OP_UNSLICE:
    case TIR_OP_CONCAT_PART:
      return true;
    case TIR_OP_CONCAT:
    case TIR_OP_ADD_N:
      return tir_ir_n_in(g, n) == 1;
    default:
      return is_view(ctx, g, n);
  }
}

static bool has_identity_operand(const tir_ir_graph *g, tir_ir_node n,
                                 uint32_t i) {
  const tir_op_desc *desc = tir_ir_desc(g, n);
  return desc->has_right_identity &&
         tir_ir_constant_is(g, tir_ir_in(g, n, i), desc->right_identity);
}

// The operand that the node's result is equal to; none: id 0.
static tir_ir_value find_equal_operand(const tir_pass_ctx *ctx,
                                       const tir_ir_graph *g, tir_ir_node n) {
  const tir_ir_value none = {0};
  if (tir_ir_n_in(g, n) == 0 || tir_ir_n_out(g, n) != 1) return none;
  const tir_ir_value x = tir_ir_in(g, n, 0), y = tir_ir_out(g, n, 0);

  if (keeps_operand(ctx, g, n)) return tir_ir_same_type(g, x, y) ? x : none;
  if (tir_ir_n_in(g, n) != 2) return none;
  // A broadcast operand (say [1] + [4, 1]) changes the shape: keep it.
  if (has_identity_operand(g, n, 1) && tir_ir_same_type(g, x, y)) return x;
  const tir_ir_value z = tir_ir_in(g, n, 1);
  const bool swaps = tir_ir_desc(g, n)->traits & TIR_TRAIT_COMMUTATIVE;
  if (swaps && has_identity_operand(g, n, 0) && tir_ir_same_type(g, z, y))
    return z;
  return none;
}

// May operand i skip the node that makes it?
static bool may_skip(const tir_pass_ctx *ctx, const tir_ir_graph *g,
                     tir_ir_node n, uint32_t i, tir_ir_node maker) {
  const bool broadcast = is_broadcast(tir_ir_op(g, maker));
  if (tir_ir_desc(g, n)->traits & TIR_TRAIT_ELEMENTWISE) return broadcast;
  if (i != 0) return false;
  if (is_broadcast(tir_ir_op(g, n))) return broadcast;
  return is_view(ctx, g, n) && is_view(ctx, g, maker);
}

static tir_status skip_makers(tir_pass_ctx *ctx, tir_ir_graph *g,
                              tir_ir_node n) {
  const uint32_t n_in = tir_ir_n_in(g, n);
  if (n_in > TIR_MAX_FIXED_INPUTS) return TIR_OK;
  for (uint32_t i = 0; i < n_in; i++) {
    for (int hop = 0; hop < MAX_CHAIN; hop++) {
      const tir_ir_node maker = tir_ir_producer(g, tir_ir_in(g, n, i));
      if (!may_skip(ctx, g, n, i, maker)) break;
      const tir_ir_value x = tir_ir_in(g, maker, 0);
      bool keeps = false;
      TIR_TRY(tir_pass_keeps_types(g, n, i, x, &keeps, ctx->error));
      if (!keeps) break;
      tir_pass_set_operand(g, n, i, x);
      ctx->rewrites++;
    }
  }
  return TIR_OK;
}

// transpose(transpose(x, p), q) → transpose(x, p∘q).
static tir_status join_transposes(tir_pass_ctx *ctx, tir_ir_graph *g,
                                  tir_ir_node n) {
  int rank = 0, inner_rank = 0, outer[TIR_MAX_RANK], inner[TIR_MAX_RANK];
  if (!tir_pass_read_transpose(g, n, &rank, outer)) return TIR_OK;
  const tir_ir_node maker = tir_ir_producer(g, tir_ir_in(g, n, 0));
  if (!tir_pass_read_transpose(g, maker, &inner_rank, inner)) return TIR_OK;

  tir_attrs_axes attrs = {.axes.n = rank};
  for (int i = 0; i < rank; i++) attrs.axes.v[i] = inner[outer[i]];
  TIR_TRY(tir_pass_set_attrs(g, n, &attrs, ctx->error));
  tir_pass_set_operand(g, n, 0, tir_ir_in(g, maker, 0));
  ctx->rewrites++;
  return TIR_OK;
}

static bool is_identity_transpose(const tir_ir_graph *g, tir_ir_node n) {
  int rank = 0, perm[TIR_MAX_RANK];
  if (!tir_pass_read_transpose(g, n, &rank, perm)) return false;
  for (int i = 0; i < rank; i++)
    if (perm[i] != i) return false;
  return true;
}

static tir_status run(tir_pass_ctx *ctx, tir_ir_graph *graph) {
  for (tir_ir_node n = tir_ir_first(graph); tir_ir_node_valid(n);
       n = tir_ir_next(graph, n)) {
    TIR_TRY(skip_makers(ctx, graph, n));
    TIR_TRY(join_transposes(ctx, graph, n));
    tir_ir_value same = find_equal_operand(ctx, graph, n);
    if (is_identity_transpose(graph, n)) same = tir_ir_in(graph, n, 0);
    if (!tir_ir_value_valid(same)) continue;
    TIR_TRY(
        tir_ir_replace_uses(graph, tir_ir_out(graph, n, 0), same, ctx->error));
    tir_ir_remove(graph, n);
    ctx->rewrites++;
  }
  return TIR_OK;
}

const tir_pass_desc tir_pass_simplify_algebra = {
    .name = "simplify-algebra",
    .summary = "Remove operations that cannot change their operand.",
    .rewrite_class = TIR_PASS_E,
    .run = run,
};
