// The recorder: appends nodes to the target graph on behalf of op functions.
//
// An op call resolves its handles, lets the op's infer check them, appends the
// node and hands out a handle for the result. Nothing is computed here. The
// first error stands until tir_tape_check; while it does, every call returns
// an invalid value and records nothing.
#include "ir/record.h"

#include <stdio.h>
#include <string.h>

#include "ir/body.h"
#include "tapeir/ops.h"
#define TIR_NO_SITES
#include "tapeir/sites.h"

// Operands that fit on the stack; concat and add_n may have more.
enum { N_STACK_OPERANDS = 16 };

tir_status tir_ir_recorder_create(tir_context *context, tir_ir_graph *graph,
                                  tir_tape **out_tape, tir_error *error) {
  *out_tape = NULL;
  tir_tape *tape =
      tir_base_alloc_zero(context, sizeof *tape, _Alignof(tir_tape));
  if (!tape) return tir_base_fail_memory(error, sizeof *tape);
  tape->context = tir_base_context_retain(context);
  tape->graph = graph;
  tape->first_graph = graph;
  tape->target = tape->n_targets = 1;
  // Handles of different tapes differ even when one tape takes another's
  // address: each starts its generations elsewhere.
  tape->generation = atomic_fetch_add(&context->n_tapes, 1u) * 0x10002u;
  // Nodes that are there already keep the places they have.
  tape->n_stamped = graph ? tir_ir_n_nodes(graph) : 0;
  const tir_ir_slot no_slot = {0};
  const tir_ir_scope root = {.first_node = 1};
  if (!TIR_VEC_PUSH(context, &tape->slots, no_slot) ||
      !TIR_VEC_PUSH(context, &tape->scopes, root)) {
    tir_ir_recorder_destroy(tape);
    return tir_base_fail_memory(error, sizeof root);
  }
  *out_tape = tape;
  return TIR_OK;
}

void tir_ir_recorder_destroy(tir_tape *tape) {
  if (!tape) return;
  tir_context *context = tape->context;
  TIR_VEC_FREE(context, &tape->slots);
  TIR_VEC_FREE(context, &tape->scopes);
  TIR_VEC_FREE(context, &tape->modes);
  tir_base_free(context, tape, sizeof *tape, _Alignof(tir_tape));
  tir_base_context_release(context);
}

// Does a gradient flow from operand `i` into a node of this op?
static bool operand_needs_grad(const tir_tape *tape, const tir_op_desc *desc,
                               const uint32_t *operands, size_t n_in) {
  for (size_t i = 0; i < n_in; i++) {
    const tir_ir_value v = {operands[i]};
    if ((tir_ir_value_at(tape->graph, v)->flags & TIR_VALUE_NEEDS_GRAD) &&
        !tir_ir_op_shape_only(desc, i))
      return true;
  }
  return false;
}

uint16_t tir_ir_mode_flags(const tir_tape *tape) {
  if (tape->mode.recording) return TIR_NODE_RECORDED;
  for (size_t i = 0; i < tape->modes.count; i++)
    if (tape->modes.data[i].recording) return TIR_NODE_PAUSED;
  return 0;
}

// Flags of the node just made: its mode, and whether it joins the history.
static void flag_node(tir_tape *tape, tir_ir_node node, tir_op op,
                      const uint32_t *operands, size_t n_in) {
  tir_ir_graph *graph = tape->graph;
  tir_ir_node_data *data = tir_ir_node_at(graph, node);
  // These only mark the node: nothing is computed or differentiated here.
  data->flags |= tape->node_flags | tir_ir_mode_flags(tape);
  data->origin = tape->origin;
  data->site = tape->site;
  // These end a history by definition.
  if (op == TIR_OP_STOP_GRADIENT || op == TIR_OP_CUT) return;
  if (!tape->mode.recording) return;
  if (!operand_needs_grad(tape, tir_ir_op_desc(op), operands, n_in)) return;
  data->flags |= TIR_NODE_HISTORY;
  for (uint32_t i = 0; i < data->n_out; i++) {
    tir_ir_value_data *out = &graph->values.data[data->out_first + i];
    if (tir_ir_dtype_is_float((tir_dtype)out->dtype))
      out->flags |= TIR_VALUE_NEEDS_GRAD;
  }
}

// Effects and declared ports. What check_pure of body.c would refuse later is
// refused here, where the call that made it can be named.
static bool has_no_place_in_body(tir_op op, const tir_op_desc *desc) {
  return (desc->traits & TIR_TRAIT_EFFECT) || op == TIR_OP_INPUT ||
         op == TIR_OP_PARAM;
}

// Appends with operands already resolved to ids of the target graph. `n_out` is
// the caller's number, unless attributes decide it.
static tir_value append(tir_tape *tape, tir_op op, const uint32_t *operands,
                        size_t n_in, const void *attrs,
                        const tir_ir_type *declared, size_t n_out) {
  const tir_op_desc *desc = tir_ir_op_desc(op);
  if (tape->body && has_no_place_in_body(op, desc)) {
    tir_ir_refuse_in_body(tape, desc->name);
    return tir_ir_keep_error(tape, desc->name, TIR_ERR_STATE, "failed");
  }
  if (desc->count_outputs)
    n_out = desc->count_outputs(tape->graph->context, attrs);
  tir_ir_node node;
  tir_error error;
  const tir_status status = tir_ir_append_checked(
      tape->graph, op, operands, n_in, attrs, declared, n_out, &node, &error);
  // The message of infer begins with the op's name.
  if (status != TIR_OK)
    return tir_ir_keep_error(tape, NULL, status, "%s", error.message);
  flag_node(tape, node, op, operands, n_in);
  if (tape->hooks) tape->hooks->recorded(tape, node);
  // A hook may have failed (memory, an eager run): the error stands.
  if (tape->error.status != TIR_OK)
    return tir_ir_keep_error(tape, desc->name, tape->error.status, "failed");
  return tir_ir_handle(tape, tir_ir_out(tape->graph, node, 0));
}

// Keeps the error of a handle that is no value.
static tir_value refuse_operand(tir_tape *tape, const tir_op_desc *desc,
                                size_t i, tir_value handle) {
  int size = 0;
  bool repeats = false;
  const char *list = tir_ir_operand_name(desc, i, &size, &repeats);
  // Cut to what fits: it is for a message.
  char name[32];
  snprintf(name, sizeof name, "%.*s", size, list);
  tir_ir_use(tape, handle, desc->name, name);
  return (tir_value){tape, 0, tape->n_failed};
}

// On the path of every op call: operands on the stack, one look at each handle,
// no name looked up unless something is wrong.
tir_value tir_ir_record(tir_tape *tape, tir_op op, const tir_value *in,
                        size_t n_in, const void *attrs) {
  // Without a tape there is nowhere to keep an error.
  if (!tape) return (tir_value){0};
  const tir_op_desc *desc = tir_ir_op_desc(op);
  if (!tir_ir_ready(tape))
    return tir_ir_keep_error(tape, desc->name, TIR_ERR_STATE, "skipped");
  uint32_t stack[N_STACK_OPERANDS], *operands = stack;
  const size_t bytes = n_in * sizeof *operands;
  if (n_in > N_STACK_OPERANDS) {
    operands = tir_base_alloc(tape->context, bytes, sizeof *operands);
    if (!operands)
      return tir_ir_keep_error(tape, desc->name, TIR_ERR_MEMORY,
                               "out of memory for %zu operands", n_in);
  }
  tir_value result = {0};
  size_t i = 0;
  for (; i < n_in; i++) {
    // The fast path of tir_ir_use, without looking the name up.
    tir_ir_value v = tir_ir_peek(tape, in[i]);
    if (!v.id) {
      result = refuse_operand(tape, desc, i, in[i]);
      break;
    }
    operands[i] = v.id;
  }
  if (i == n_in)
    result = append(tape, op, operands, n_in, attrs, NULL, desc->n_outputs);
  if (operands != stack)
    tir_base_free(tape->context, operands, bytes, sizeof *operands);
  return result;
}

// Results of a node have consecutive ids, so the first tells them all. Without
// a first handle every entry of `out` is that invalid value.
bool tir_ir_record_many(tir_tape *tape, tir_op op, const uint32_t *operands,
                        size_t n_in, const void *attrs, size_t n_out,
                        tir_value *out) {
  // An eager tape runs once every result has its owner.
  const bool held_runs = tape->holds_runs;
  tape->holds_runs = true;
  const tir_value first = append(tape, op, operands, n_in, attrs, NULL, n_out);
  const uint32_t id = tir_ir_peek(tape, first).id;
  for (size_t i = 0; i < n_out; i++)
    out[i] =
        id && i ? tir_ir_handle(tape, (tir_ir_value){id + (uint32_t)i}) : first;
  tape->holds_runs = held_runs;
  if (tape->hooks && !held_runs) tape->hooks->caught_up(tape);
  return id && tape->error.status == TIR_OK;
}

// Results of a node have consecutive ids.
tir_value tir_ir_result(tir_tape *tape, tir_value value, uint32_t i) {
  const tir_ir_value first = tir_ir_peek(tape, value);
  if (!first.id) return value;
  return tir_ir_handle(tape, (tir_ir_value){first.id + i});
}

// Optimisers update many variables: either all of them or none. An assign has
// two operands and one result, and its handle takes a slot.
bool tir_ir_reserve_assigns(tir_tape *tape, const char *call, size_t n) {
  tir_error error;
  tir_status status = TIR_ERR_LIMIT;
  if (n > UINT32_MAX / 2)
    tir_base_fail(&error, status, "too many assigns: %zu", n);
  else
    status = tir_ir_reserve(tape->graph, n, 2 * n, n, &error);
  if (status == TIR_OK &&
      (!TIR_VEC_RESERVE(tape->context, &tape->slots, n) ||
       (tape->reserve_assigns && !tape->reserve_assigns(tape, n))))
    status = tir_base_fail(&error, TIR_ERR_MEMORY,
                           "out of memory for %zu assigns", n);
  if (status != TIR_OK)
    tir_ir_keep_error(tape, call, status, "%s", error.message);
  return status == TIR_OK;
}

// The name is optional; a bad one is an error like any other.
tir_value tir_ir_record_declared(tir_tape *tape, tir_op op, const void *attrs,
                                 const tir_ir_type *type, const char *name) {
  if (!tape) return (tir_value){0};
  if (!tir_ir_ready(tape))
    return tir_ir_keep_error(tape, tir_ir_op_desc(op)->name, TIR_ERR_STATE,
                             "skipped");
  const tir_value value = append(tape, op, NULL, 0, attrs, type, 1);
  return name && name[0] ? tir_set_name(tape, value, name) : value;
}

// A literal: one element for any shape, no memory.
tir_value tir_ir_splat(tir_tape *tape, const tir_ir_type *type, double x) {
  tir_attrs_constant attrs = {0};
  if (tir_ir_dtype_is_valid(type->dtype))
    tir_ir_store_f64(type->dtype, &attrs.bits, x);
  return tir_ir_record_declared(tape, TIR_OP_CONSTANT, &attrs, type, NULL);
}

tir_value tir_ir_fill_like(tir_tape *tape, tir_ir_value like, double x) {
  tir_ir_type type;
  tir_ir_type_of(tape->graph, like, &type);
  bool symbolic = false;
  for (int i = 0; i < type.rank; i++) symbolic |= type.symbols[i] != 0;
  if (!symbolic) return tir_ir_splat(tape, &type, x);
  return tir_full_like(tape, tir_ir_handle(tape, like), x);
}

tir_value tir_ir_scalar_like(tir_tape *tape, tir_value x, double value) {
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  // An invalid x is passed on: the op that gets both names it.
  if (type.dtype == TIR_DTYPE_INVALID) return x;
  const tir_ir_type scalar = {.dtype = type.dtype};
  return tir_ir_splat(tape, &scalar, value);
}

tir_value tir_scalar(tir_tape *tape, tir_dtype dtype, double value) {
  if (!tape) return (tir_value){0};
  if (!tir_ir_dtype_is_valid(dtype))
    return tir_ir_keep_error(tape, "scalar", TIR_ERR_DTYPE,
                             "no dtype has number %d", (int)dtype);
  const tir_ir_type type = {.dtype = dtype};
  return tir_ir_splat(tape, &type, value);
}

tir_value tir_set_name(tir_tape *tape, tir_value value, const char *name) {
  if (!tape) return value;
  const tir_ir_value v = tir_ir_use(tape, value, "set_name", "value");
  if (!v.id || !name) return value;
  tir_error error;
  const tir_status status =
      tir_ir_set_value_name(tape->graph, v, name, strlen(name), &error);
  if (status != TIR_OK)
    return tir_ir_keep_error(tape, "set_name", status, "%s", error.message);
  return value;
}

// --- what a value is -------------------------------------------------------

void tir_ir_value_type(tir_tape *tape, tir_value value, tir_ir_type *out_type) {
  *out_type = (tir_ir_type){0};
  const tir_ir_value v = tir_ir_peek(tape, value);
  if (v.id) tir_ir_type_of(tape->graph, v, out_type);
}

tir_dtype tir_value_dtype(tir_tape *tape, tir_value value) {
  if (!tape) return TIR_DTYPE_INVALID;
  const tir_ir_value v = tir_ir_use(tape, value, "value_dtype", "value");
  return v.id ? tir_ir_dtype_of(tape->graph, v) : TIR_DTYPE_INVALID;
}

int tir_value_rank(tir_tape *tape, tir_value value) {
  if (!tape) return -1;
  const tir_ir_value v = tir_ir_use(tape, value, "value_rank", "value");
  return v.id ? tir_ir_value_at(tape->graph, v)->rank : -1;
}

// A symbol whose size became a C number is no longer free to change: every dim
// that carries it turns into a fixed one. Shapes are shared between values, so
// most are met again with the symbol gone.
static void pin_symbol(tir_ir_graph *graph, uint32_t symbol) {
  for (size_t v = 1; v < graph->values.count; v++) {
    const tir_ir_value_data *data = &graph->values.data[v];
    if (!data->has_symbols) continue;
    int64_t *symbols = &graph->dims.data[data->dims + data->rank];
    for (int i = 0; i < data->rank; i++)
      if (symbols[i] == (int64_t)symbol) symbols[i] = 0;
  }
  // Without any left a shape is like one that never had some.
  for (size_t v = 1; v < graph->values.count; v++) {
    tir_ir_value_data *data = &graph->values.data[v];
    if (!data->has_symbols) continue;
    const int64_t *symbols = &graph->dims.data[data->dims + data->rank];
    data->has_symbols = false;
    for (int i = 0; i < data->rank; i++)
      if (symbols[i]) data->has_symbols = true;
  }
}

// Bodies recorded before take what their operands are now.
static void pin_in(tir_tape *tape, tir_ir_graph *graph, uint32_t symbol) {
  if (!symbol) return;
  pin_symbol(graph, symbol);
  if (!graph->bodies.count) return;
  for (tir_ir_node n = tir_ir_first(graph); n.id; n = tir_ir_next(graph, n)) {
    tir_error error;
    const tir_status status = tir_ir_follow_bodies(graph, n, &error);
    if (status == TIR_OK) continue;
    tir_ir_keep_error(tape, "value_dim", status, "%s", error.message);
    return;
  }
}

// In a body, also what the symbol is called by outside. A body's strings are
// its own, hence by text.
static void pin(tir_tape *tape, uint32_t symbol) {
  const char *name = tir_base_strings_text(&tape->graph->strings, symbol);
  const size_t size = strlen(name);
  pin_in(tape, tape->graph, symbol);
  for (const tir_ir_body_recorder *b = tape->body; b; b = b->outer)
    pin_in(tape, b->saved.graph,
           tir_base_strings_find(&b->saved.graph->strings, name, size));
}

int64_t tir_value_dim(tir_tape *tape, tir_value value, int axis) {
  if (!tape) return -1;
  const tir_ir_value v = tir_ir_use(tape, value, "value_dim", "value");
  if (!v.id) return -1;
  tir_ir_type type;
  tir_ir_type_of(tape->graph, v, &type);
  int at;
  if (!tir_ir_axis(axis, type.rank, &at)) {
    tir_ir_keep_error(tape, "value_dim", TIR_ERR_ARGUMENT,
                      "axis %d is out of range for rank %d", axis, type.rank);
    return -1;
  }
  if (type.symbols[at]) pin(tape, type.symbols[at]);
  return type.dims[at];
}

bool tir_ir_in_history(tir_tape *tape, tir_value value) {
  const tir_ir_value v = tir_ir_peek(tape, value);
  return v.id && tape->in_history && tape->in_history(tape, v.id);
}

// --- targets ---------------------------------------------------------------

// Hooks are off from here on: what is recorded does not belong to the live
// graph. The scope begun here takes in the handles of the new target, so that
// all of them end with it.
tir_ir_target tir_ir_target_begin(tir_tape *tape, tir_ir_graph *graph) {
  const tir_ir_target saved = {
      .graph = tape->graph,
      .target = tape->target,
      .hooks = tape->hooks,
      .mode = tape->mode,
      .step_condition = tape->step_condition,
      .n_random = tape->n_random,
      .n_scopes = (uint32_t)tape->scopes.count,
      .n_stamped = tape->n_stamped,
  };
  tape->graph = graph;
  // A serial of its own, so that handles of one target never pass for
  // another's.
  tape->target = ++tape->n_targets;
  tape->hooks = NULL;
  tape->step_condition = (tir_value){0};
  tape->n_random = 0;
  tape->n_stamped = tir_ir_n_nodes(graph);
  tir_scope_begin(tape);
  return saved;
}

void tir_ir_target_end(tir_tape *tape, tir_ir_target saved) {
  // Whatever is still open in there, steps included.
  while (tape->scopes.count > saved.n_scopes) tir_ir_scope_pop(tape);
  tape->graph = saved.graph;
  tape->target = saved.target;
  tape->hooks = saved.hooks;
  tape->mode = saved.mode;
  tape->step_condition = saved.step_condition;
  tape->n_random = saved.n_random;
  tape->n_stamped = saved.n_stamped;
}
