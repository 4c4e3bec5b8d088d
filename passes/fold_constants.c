// fold-constants: compute what depends on constants only, once, now.
//
//   elementwise(splat…) → splat of any size   movement(splat…) → splat
//   exact op(constants…) → constant           dim_product(x) → constant
//   op on operands without elements → constant
//
// Class E: only ops whose trait is EXACT are evaluated, by the reference
// evaluator, which rounds once per element as the kernels do; and calls that
// read no element at all. Never params: their values change. Sizes of symbolic
// dims are not folded unless the graph goes straight to execution.
//
// Bounded: a result is at most as large as its operands (or 64 KiB) or within
// a budget, all results alive together within the budget plus what the graph's
// own constants take, and all results ever computed within four budgets. A
// call that fails is left for the run to report.
#include <math.h>
#include <string.h>

#include "ir/base/checked.h"
#include "ir/infer.h"
#include "ir/reference/reference.h"
#include "passes/pass.h"

enum {
  FREE_BYTES = 64 << 10,
  DEFAULT_BUDGET = 16 << 20,
  MAX_ELEMENT = 8,
  // The reference evaluator takes tens of nanoseconds per element: with the
  // default budget about a second.
  WORK_PER_GROWTH = 4,
};

typedef struct folder {
  tir_pass_ctx *ctx;
  tir_ir_graph *graph;
  uint32_t *n_uses;     // by value
  bool *is_ours;        // by node: its tensor was made here
  size_t growth_bytes;  // results that one node may add
  size_t limit_bytes;   // all results alive together
  size_t alive_bytes;
  size_t work_bytes;  // that may still be computed: a bound on time
} folder;

// --- what may be folded ----------------------------------------------------

// No elements: some dim is 0, and its data can be any address.
static bool is_empty(const tir_ir_graph *g, tir_ir_value v) {
  tir_ir_type type;
  tir_ir_type_of(g, v, &type);
  return tir_ir_type_numel(&type) == 0;
}

typedef struct operands {
  bool all_known;   // constants, or without elements
  bool all_splats;  // at least one, all with `bits` in `same_bits` case
  bool all_empty;   // no element is read
  bool same_bits;
  uint64_t bits;
  size_t stored_bytes;  // a splat counts as one element
} operands;

// Operands looked at only for their shape are no obstacle.
static operands look_at_operands(const tir_ir_graph *g, tir_ir_node n) {
  operands r = {.all_known = true, .all_empty = true, .same_bits = true};
  const tir_op_desc *desc = tir_ir_desc(g, n);
  const uint32_t n_in = tir_ir_n_in(g, n);
  uint32_t n_splats = 0, n_data = 0;
  for (uint32_t i = 0; i < n_in && r.all_known; i++) {
    if (tir_ir_op_shape_only(desc, i)) continue;
    const tir_ir_value v = tir_ir_in(g, n, i);
    uint64_t bits = 0;
    n_data++;
    if (tir_ir_is_splat(g, v, &bits)) {
      r.same_bits = r.same_bits && (n_splats == 0 || bits == r.bits);
      r.bits = bits;
      n_splats++;
      r.stored_bytes += tir_dtype_size(tir_ir_dtype_of(g, v));
    } else if (tir_ir_is_constant(g, v)) {
      tir_ir_type type;
      tir_ir_type_of(g, v, &type);
      r.stored_bytes += tir_ir_type_bytes(&type);
    } else if (!is_empty(g, v)) {
      r.all_known = false;
    }
    r.all_empty = r.all_empty && is_empty(g, v);
  }
  r.all_splats = n_splats > 0 && n_splats == n_data;
  r.all_empty = r.all_empty && n_data > 0;
  return r;
}

static bool has_symbols(const tir_ir_graph *g, tir_ir_node n) {
  if (tir_ir_value_at(g, tir_ir_out(g, n, 0))->has_symbols) return true;
  const uint32_t n_in = tir_ir_n_in(g, n);
  for (uint32_t i = 0; i < n_in; i++)
    if (tir_ir_value_at(g, tir_ir_in(g, n, i))->has_symbols) return true;
  return false;
}

// A symbolic size is not known before the graph is compiled for one.
static bool may_fold(const folder *f, tir_ir_node n) {
  const uint32_t never = TIR_TRAIT_DECLARED | TIR_TRAIT_INTERNAL |
                         TIR_TRAIT_EFFECT | TIR_TRAIT_RANDOM;
  return !(tir_ir_desc(f->graph, n)->traits & never) &&
         tir_ir_n_out(f->graph, n) == 1 &&
         (f->ctx->for_execution || !has_symbols(f->graph, n));
}

// A movement op that copies elements of its operands only: unslice puts zeros
// beside them.
static bool copies_only(const tir_ir_graph *g, tir_ir_node n) {
  return (tir_ir_desc(g, n)->traits & TIR_TRAIT_MOVEMENT) &&
         !(tir_ir_desc(g, n)->traits & TIR_TRAIT_FALLIBLE) &&
         tir_ir_op(g, n) != TIR_OP_UNSLICE;
}

// --- results ---------------------------------------------------------------

// High bytes stay zero, so that splats compare as words.
static uint64_t read_bits(const void *element, size_t size) {
  uint64_t bits = 0;
  memcpy(&bits, element, size);
  return bits;
}

// Which NaN an operation makes depends on the CPU; what is written to a file
// must not. Movement keeps the bits it finds.
static void unify_nans(tir_dtype dtype, void *data, int64_t numel) {
  static const uint64_t nan_bits[TIR_N_DTYPES] = {
      [TIR_DTYPE_F32] = 0x7fc00000u,
      [TIR_DTYPE_F64] = 0x7ff8000000000000u,
      [TIR_DTYPE_F16] = 0x7e00u,
      [TIR_DTYPE_BF16] = 0x7fc0u,
  };
  if (!tir_ir_dtype_is_float(dtype)) return;
  const size_t size = tir_dtype_size(dtype);
  char *element = data;
  for (int64_t i = 0; i < numel; i++, element += size)
    if (isnan(tir_ir_load_f64(dtype, element)))
      memcpy(element, &nan_bits[dtype], size);
}

// Movement makes no NaN and so has none to unify.
static bool computes(const tir_ir_graph *g, tir_ir_node n) {
  return !(tir_ir_desc(g, n)->traits & TIR_TRAIT_MOVEMENT);
}

// Constants made here that nobody reads any more give their memory back.
static void release_operands(folder *f, tir_ir_node n) {
  tir_ir_graph *g = f->graph;
  const uint32_t n_in = tir_ir_n_in(g, n);
  for (uint32_t i = 0; i < n_in; i++) {
    const tir_ir_value v = tir_ir_in(g, n, i);
    const tir_ir_node maker = tir_ir_producer(g, v);
    if (--f->n_uses[v.id] > 0 || !f->is_ours[maker.id]) continue;
    tir_attrs_constant *attrs =
        (tir_attrs_constant *)&g->attrs.data[tir_ir_node_at(g, maker)->attrs];
    tir_tensor **tensor = &g->tensors.data[attrs->tensor - 1];
    f->alive_bytes -= (*tensor)->size_bytes;
    tir_tensor_release(*tensor);
    *tensor = NULL;
    attrs->tensor = 0;
    f->is_ours[maker.id] = false;
  }
}

// The smallest form of a constant, whatever its shape.
static tir_status become_splat(folder *f, tir_ir_node n, uint64_t bits) {
  release_operands(f, n);
  f->ctx->rewrites++;
  return tir_ir_make_constant(f->graph, n, bits, NULL, f->ctx->error);
}

static tir_status become_tensor(folder *f, tir_ir_node n, tir_tensor *tensor) {
  const size_t size = tir_dtype_size(tensor->dtype);
  const char *data = tensor->data;
  // All elements equal: compare the data with itself, one element on.
  if (tensor->numel > 0 &&
      memcmp(data, data + size, tensor->size_bytes - size) == 0)
    return become_splat(f, n, read_bits(data, size));
  release_operands(f, n);
  TIR_TRY(tir_ir_make_constant(f->graph, n, 0, tensor, f->ctx->error));
  f->is_ours[n.id] = true;
  f->alive_bytes += tensor->size_bytes;
  f->ctx->rewrites++;
  return TIR_OK;
}

// --- evaluation ------------------------------------------------------------

// Any other failure is the run's to meet: it names the place.
static bool failed_for_good(tir_status status) {
  return status == TIR_ERR_MEMORY;
}

// One element stands for all of them.
static tir_status fold_splats(folder *f, tir_ir_node n, bool *out_done) {
  const tir_ir_graph *g = f->graph;
  const uint32_t n_in = tir_ir_n_in(g, n);
  *out_done = false;
  if (n_in > TIR_MAX_FIXED_INPUTS) return TIR_OK;
  uint64_t elements[TIR_MAX_FIXED_INPUTS] = {0}, result = 0;
  const void *in_data[TIR_MAX_FIXED_INPUTS];
  tir_ir_type in[TIR_MAX_FIXED_INPUTS] = {{0}};
  for (uint32_t i = 0; i < n_in; i++) {
    const tir_ir_value v = tir_ir_in(g, n, i);
    tir_ir_is_splat(g, v, &elements[i]);
    in[i].dtype = tir_ir_dtype_of(g, v);
    in_data[i] = &elements[i];
  }
  const tir_ir_type out = {.dtype = tir_ir_dtype_of(g, tir_ir_out(g, n, 0))};
  void *out_data[] = {&result};
  const tir_reference_call call = {
      .desc = tir_ir_desc(g, n),
      .attrs = tir_ir_attrs(g, n),
      .in = in,
      .in_data = in_data,
      .n_in = n_in,
      .out = &out,
      .out_data = out_data,
      .n_out = 1,
  };
  const tir_status status = tir_reference_eval(tir_ir_op(g, n), &call);
  if (failed_for_good(status)) return tir_base_fail_memory(f->ctx->error, 0);
  if (status != TIR_OK) return TIR_OK;
  if (computes(g, n)) unify_nans(out.dtype, &result, 1);
  *out_done = true;
  return become_splat(f, n, read_bits(&result, tir_dtype_size(out.dtype)));
}

// Dense data of an operand: of a splat, made in the arena.
static const void *dense_data(tir_base_arena *arena, const tir_ir_graph *g,
                              tir_ir_value v) {
  uint64_t bits = 0;
  tir_ir_type type;
  tir_ir_type_of(g, v, &type);
  if (!tir_ir_is_splat(g, v, &bits)) {
    if (!tir_ir_is_constant(g, v)) return "";  // no element is read
    const tir_attrs_constant *attrs = tir_ir_attrs(g, tir_ir_producer(g, v));
    return g->tensors.data[attrs->tensor - 1]->data;
  }
  const size_t size = tir_dtype_size(type.dtype);
  const size_t n_bytes = tir_ir_type_bytes(&type);
  char *data = tir_base_arena_alloc(arena, n_bytes, MAX_ELEMENT);
  for (size_t at = 0; data && at < n_bytes; at += size)
    memcpy(data + at, &bits, size);
  return data;
}

// Bytes of splat operands that evaluation has to write out.
static bool splat_bytes(const tir_ir_graph *g, tir_ir_node n,
                        size_t *out_bytes) {
  *out_bytes = 0;
  const uint32_t n_in = tir_ir_n_in(g, n);
  for (uint32_t i = 0; i < n_in; i++) {
    const tir_ir_value v = tir_ir_in(g, n, i);
    tir_ir_type type;
    uint64_t bits = 0;
    tir_ir_type_of(g, v, &type);
    if (!tir_ir_op_shape_only(tir_ir_desc(g, n), i) &&
        tir_ir_is_splat(g, v, &bits) &&
        !tir_base_size_add(*out_bytes, tir_ir_type_bytes(&type), out_bytes))
      return false;
  }
  return true;
}

// Three bounds: this result, all that are alive, and all work ever done. What
// exceeds one is left to the run.
static bool is_affordable(const folder *f, tir_ir_node n,
                          const tir_ir_type *out, size_t stored_bytes) {
  const size_t result = tir_ir_type_bytes(out);
  size_t expanded = 0, total = 0;
  if (!splat_bytes(f->graph, n, &expanded) ||
      !tir_base_size_add(f->alive_bytes, result, &total))
    return false;
  size_t fair = stored_bytes > FREE_BYTES ? stored_bytes : FREE_BYTES;
  if (fair < f->growth_bytes) fair = f->growth_bytes;
  return result <= fair && expanded <= fair && total <= f->limit_bytes &&
         result <= f->work_bytes;
}

// Operands are written out in an arena that ends with this evaluation.
static tir_status eval_dense(folder *f, tir_ir_node n, tir_base_arena *arena,
                             const tir_ir_call_types *types,
                             tir_tensor *tensor) {
  const tir_ir_graph *g = f->graph;
  const tir_op_desc *desc = tir_ir_desc(g, n);
  const uint32_t n_in = tir_ir_n_in(g, n);
  const void **in_data = tir_base_arena_alloc(
      arena, (n_in + 1) * sizeof *in_data, _Alignof(void *));
  if (!in_data) return TIR_ERR_MEMORY;
  for (uint32_t i = 0; i < n_in; i++) {
    in_data[i] = NULL;
    if (tir_ir_op_shape_only(desc, i)) continue;
    in_data[i] = dense_data(arena, g, tir_ir_in(g, n, i));
    if (!in_data[i]) return TIR_ERR_MEMORY;
  }
  void *out_data[] = {tensor->data};
  const tir_reference_call call = {
      .desc = desc,
      .attrs = tir_ir_attrs(g, n),
      .in = types->in,
      .in_data = in_data,
      .n_in = n_in,
      .out = types->out,
      .out_data = out_data,
      .n_out = 1,
  };
  TIR_TRY(tir_reference_eval(tir_ir_op(g, n), &call));
  if (computes(g, n)) unify_nans(tensor->dtype, tensor->data, tensor->numel);
  return TIR_OK;
}

static tir_status fold_typed(folder *f, tir_ir_node n, size_t stored_bytes,
                             const tir_ir_call_types *types) {
  if (!is_affordable(f, n, types->out, stored_bytes)) return TIR_OK;
  tir_tensor *tensor = NULL;
  tir_context *context = f->graph->context;
  TIR_TRY(tir_tensor_create(context, types->out->dtype, types->out->dims,
                            types->out->rank, &tensor, f->ctx->error));
  tir_base_arena arena;
  tir_base_arena_init(&arena, context);
  f->work_bytes -= tensor->size_bytes;
  tir_status status = eval_dense(f, n, &arena, types, tensor);
  tir_base_arena_free(&arena);
  if (failed_for_good(status))
    status = tir_base_fail_memory(f->ctx->error, tensor->size_bytes);
  else if (status != TIR_OK)
    status = TIR_OK;
  else
    status = become_tensor(f, n, tensor);
  tir_tensor_release(tensor);
  return status;
}

// Types are inferred again, because operands may have been replaced.
static tir_status fold_dense(folder *f, tir_ir_node n, size_t stored_bytes) {
  tir_ir_graph *g = f->graph;
  const uint32_t n_in = tir_ir_n_in(g, n);
  const size_t n_bytes = (n_in + 1) * sizeof(uint32_t);
  uint32_t *ids = tir_base_alloc(g->context, n_bytes, _Alignof(uint32_t));
  if (!ids) return tir_base_fail_memory(f->ctx->error, n_bytes);
  for (uint32_t i = 0; i < n_in; i++) ids[i] = tir_ir_in(g, n, i).id;
  const tir_ir_call call = {
      .op = tir_ir_op(g, n),
      .operands = ids,
      .n_in = n_in,
      .attrs = tir_ir_attrs(g, n),
      .n_out = 1,
  };
  tir_ir_call_types types;
  tir_status status = tir_ir_infer_call(g, &call, &types, f->ctx->error);
  if (status == TIR_OK) status = fold_typed(f, n, stored_bytes, &types);
  tir_ir_call_types_free(g, &types);
  tir_base_free(g->context, ids, n_bytes, _Alignof(uint32_t));
  return status;
}

// Execution writes splats out: there a large broadcast costs less as a step,
// whose memory is reused, than as a constant.
static bool is_worth_a_splat(const folder *f, tir_ir_node n,
                             size_t stored_bytes) {
  if (!f->ctx->for_execution) return true;
  const tir_ir_graph *g = f->graph;
  tir_ir_type x, y;
  tir_ir_type_of(g, tir_ir_in(g, n, 0), &x);
  tir_ir_type_of(g, tir_ir_out(g, n, 0), &y);
  const size_t size = tir_ir_type_bytes(&y);
  return size <= FREE_BYTES || size <= tir_ir_type_bytes(&x) + stored_bytes;
}

// The cheap ways first: same splat, one element, all elements.
static tir_status fold_node(folder *f, tir_ir_node n) {
  const tir_ir_graph *g = f->graph;
  const uint32_t traits = tir_ir_desc(g, n)->traits;
  const bool is_exact = traits & TIR_TRAIT_EXACT;
  const operands in = look_at_operands(g, n);
  if (!in.all_known) return TIR_OK;
  const bool reads_nothing = in.all_empty && !(traits & TIR_TRAIT_FALLIBLE);
  if (in.all_splats && copies_only(g, n) && in.same_bits)
    return is_worth_a_splat(f, n, in.stored_bytes) ? become_splat(f, n, in.bits)
                                                   : TIR_OK;
  if (in.all_splats && is_exact && (traits & TIR_TRAIT_ELEMENTWISE)) {
    bool done = false;
    TIR_TRY(fold_splats(f, n, &done));
    if (done) return TIR_OK;
  }
  if (!is_exact && !reads_nothing) return TIR_OK;
  return fold_dense(f, n, in.stored_bytes);
}

// --- the pass --------------------------------------------------------------

// An output is a use, so that its constant is never given back.
static void count_uses(folder *f) {
  const tir_ir_graph *g = f->graph;
  for (size_t i = 0; i < g->outputs.count; i++)
    f->n_uses[tir_ir_resolve(g, g->outputs.data[i].value).id]++;
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n)) {
    const uint32_t n_in = tir_ir_n_in(g, n);
    for (uint32_t i = 0; i < n_in; i++) f->n_uses[tir_ir_in(g, n, i).id]++;
  }
}

// Constants the graph brings along were paid for by whoever made it.
static void set_limits(folder *f) {
  const size_t asked = f->ctx->max_folded_bytes;
  f->growth_bytes = asked ? asked : DEFAULT_BUDGET;
  if (f->growth_bytes > PTRDIFF_MAX / (2 * WORK_PER_GROWTH))
    f->growth_bytes = PTRDIFF_MAX / (2 * WORK_PER_GROWTH);
  f->limit_bytes = f->growth_bytes;
  f->work_bytes = WORK_PER_GROWTH * f->growth_bytes;
  for (size_t i = 0; i < f->graph->tensors.count; i++) {
    const tir_tensor *tensor = f->graph->tensors.data[i];
    if (tensor) f->limit_bytes += tensor->size_bytes;
  }
}

static tir_status fold_all(folder *f) {
  count_uses(f);
  set_limits(f);
  for (tir_ir_node n = tir_ir_first(f->graph); tir_ir_node_valid(n);
       n = tir_ir_next(f->graph, n))
    if (may_fold(f, n)) TIR_TRY(fold_node(f, n));
  return TIR_OK;
}

static tir_status run(tir_pass_ctx *ctx, tir_ir_graph *graph) {
  tir_context *context = graph->context;
  const size_t use_bytes = graph->values.count * sizeof(uint32_t);
  const size_t our_bytes = graph->nodes.count * sizeof(bool);
  folder f = {.ctx = ctx, .graph = graph};
  f.n_uses = tir_base_alloc_zero(context, use_bytes, _Alignof(uint32_t));
  f.is_ours = tir_base_alloc_zero(context, our_bytes, 1);
  const tir_status status =
      f.n_uses && f.is_ours
          ? fold_all(&f)
          : tir_base_fail_memory(ctx->error, use_bytes + our_bytes);
  tir_base_free(context, f.n_uses, use_bytes, _Alignof(uint32_t));
  tir_base_free(context, f.is_ours, our_bytes, 1);
  return status;
}

const tir_pass_desc tir_pass_fold_constants = {
    .name = "fold-constants",
    .summary = "Compute exactly what depends on constants only.",
    .rewrite_class = TIR_PASS_E,
    .run = run,
};
