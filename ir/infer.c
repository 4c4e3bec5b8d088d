// Inference: of one call, for whoever makes or checks a node, and of a whole
// graph on new input sizes.
//
// An op's own rule is its infer function, which may rely on what is checked
// around it here. Nothing in this file knows a particular op.
#include "ir/infer.h"

#include <inttypes.h>
#include <string.h>

#include "ir/attr.h"
#include "ir/base/checked.h"
#include "ir/body.h"

// Counts and ids: what an op's infer may rely on.
static tir_status check_call(const tir_ir_graph *g, const tir_op_desc *desc,
                             const tir_ir_call *call, tir_error *error) {
  const unsigned min = desc->min_inputs, max = desc->max_inputs;
  if (call->n_in < min || (max != 255 && call->n_in > max))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "%s: wrong number of operands: %zu, expected %s%u",
                         desc->name, call->n_in,
                         max == min         ? ""
                         : call->n_in < min ? "at least "
                                            : "at most ",
                         call->n_in < min ? min : max);
  // Where the descriptor fixes no number there is one at least.
  if (desc->n_outputs ? call->n_out != desc->n_outputs : call->n_out == 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "%s: wrong number of results: %zu, expected %s%u",
                         desc->name, call->n_out,
                         desc->n_outputs ? "" : "at least ",
                         desc->n_outputs ? desc->n_outputs : 1u);
  // Ids come from files too, and are indices from here on.
  for (size_t i = 0; i < call->n_in; i++)
    if (call->operands[i] == 0 || call->operands[i] >= g->values.count)
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "%s: operand %zu is no value of the graph: id %u, "
                           "expected 1 to %u",
                           desc->name, i, call->operands[i],
                           tir_ir_n_values(g));
  if ((desc->traits & TIR_TRAIT_DECLARED) && !call->declared)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "%s: its type must be given",
                         desc->name);
  return TIR_OK;
}

// Room for the types: fixed for nearly every call.
static tir_status make_room(const tir_ir_graph *g, const tir_op_desc *desc,
                            const tir_ir_call *call, tir_ir_call_types *types,
                            tir_error *error) {
  // Operands in front, results behind, in either room.
  types->in = types->fixed;
  types->out = types->fixed + TIR_MAX_FIXED_INPUTS;
  if (call->n_in <= TIR_MAX_FIXED_INPUTS && call->n_out <= TIR_MAX_OUTPUTS)
    return TIR_OK;
  size_t bytes = 0;
  if (!tir_base_size_add(call->n_in, call->n_out, &bytes) ||
      !tir_base_size_mul(bytes, sizeof(tir_ir_type), &bytes))
    return tir_base_fail(error, TIR_ERR_LIMIT, "%s: too many operands: %zu",
                         desc->name, call->n_in);
  types->in = tir_base_alloc(g->context, bytes, _Alignof(tir_ir_type));
  if (!types->in) return tir_base_fail_memory(error, bytes);
  types->out = types->in + call->n_in;
  types->extra_bytes = bytes;
  return TIR_OK;
}

void tir_ir_call_types_free(const tir_ir_graph *g, tir_ir_call_types *types) {
  if (types->extra_bytes)
    tir_base_free(g->context, types->in, types->extra_bytes,
                  _Alignof(tir_ir_type));
  types->extra_bytes = 0;
}

// A type out of bounds is the op's fault or the caller's, so it names the op.
static tir_status check_types(const tir_op_desc *desc, const tir_ir_type *types,
                              size_t n, tir_error *error) {
  for (size_t i = 0; i < n; i++) {
    const tir_status status = tir_ir_type_check(&types[i], error);
    if (status == TIR_OK) continue;
    tir_base_error_prefix(error, desc->name);
    return status;
  }
  return TIR_OK;
}

// Counts, attributes, operand types, the op's own rule, result types: each step
// relies on the ones before it, and infer sees nothing unchecked.
tir_status tir_ir_infer_call(const tir_ir_graph *g, const tir_ir_call *call,
                             tir_ir_call_types *types, tir_error *error) {
  // First of all, so that freeing is safe whichever step fails.
  types->extra_bytes = 0;
  const tir_op_desc *desc = tir_ir_op_desc(call->op);
  if (!desc)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "no op has number %d",
                         (int)call->op);
  TIR_TRY(check_call(g, desc, call, error));
  const void *attrs = call->attrs ? call->attrs : tir_ir_zero_attrs(g);
  TIR_TRY(tir_ir_attrs_check(desc, attrs, error));
  TIR_TRY(make_room(g, desc, call, types, error));
  for (size_t i = 0; i < call->n_in; i++)
    tir_ir_type_of(g, (tir_ir_value){call->operands[i]}, &types->in[i]);

  const bool is_declared = (desc->traits & TIR_TRAIT_DECLARED) != 0;
  // A declared type is the caller's word, so it is checked before infer sees
  // it.
  if (is_declared) {
    memcpy(types->out, call->declared, call->n_out * sizeof *types->out);
    TIR_TRY(check_types(desc, types->out, call->n_out, error));
  } else {
    memset(types->out, 0, call->n_out * sizeof *types->out);
  }
  const tir_ir_infer_query query = {
      .desc = desc,
      .in = types->in,
      .n_in = call->n_in,
      .attrs = attrs,
      .out = types->out,
      .n_out = call->n_out,
      .graph = g,
      .in_values = call->operands,
      .error = error,
  };
  if (desc->infer) TIR_TRY(desc->infer(&query));
  // An inferred type may be too large although no operand is; not so if it is
  // the operand's.
  if (call->n_in > 0 && call->n_out == 1 &&
      types->out[0].dtype == types->in[0].dtype &&
      tir_ir_same_shape(&types->out[0], &types->in[0]))
    return TIR_OK;
  return check_types(desc, types->out, call->n_out, error);
}

// --- whole graphs ----------------------------------------------------------

void tir_ir_say_where(const tir_ir_graph *g, tir_ir_node node,
                      tir_error *error) {
  if (!error) return;
  const tir_ir_node_data *n = tir_ir_node_at(g, node);
  char quoted[TIR_QUOTED_MAX] = "";
  if (n->n_out > 0) {
    const char *name = tir_ir_value_name(g, tir_ir_out(g, node, 0));
    if (*name) tir_base_quote(name, quoted);
  }
  tir_base_error_append(error, " (node %u%s%s%s%s)", node.id,
                        *quoted ? " " : "", quoted, n->site ? ", " : "",
                        n->site ? n->site : "");
  error->node = node.id;
}

// Types as they are now, for an op that declares them.
static tir_status load_declared(const tir_ir_graph *g, tir_ir_node n,
                                tir_ir_type fixed[TIR_MAX_OUTPUTS],
                                tir_ir_call *call, tir_error *error) {
  if (!(tir_ir_desc(g, n)->traits & TIR_TRAIT_DECLARED)) return TIR_OK;
  if (call->n_out > TIR_MAX_OUTPUTS)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "%s: too many results: %zu, expected at most %d",
                         tir_ir_desc(g, n)->name, call->n_out, TIR_MAX_OUTPUTS);
  for (uint32_t i = 0; i < call->n_out; i++)
    tir_ir_type_of(g, tir_ir_out(g, n, i), &fixed[i]);
  call->declared = fixed;
  return TIR_OK;
}

// The message ends with the node, since its maker is long gone.
tir_status tir_ir_infer_again(const tir_ir_graph *g, tir_ir_node node,
                              const uint32_t *operands,
                              tir_ir_call_types *types, tir_error *error) {
  types->extra_bytes = 0;
  tir_ir_type declared[TIR_MAX_OUTPUTS];
  tir_ir_call call = {
      .op = tir_ir_op(g, node),
      .operands = operands,
      .n_in = tir_ir_n_in(g, node),
      .attrs = tir_ir_attrs(g, node),
      .n_out = tir_ir_n_out(g, node),
  };
  tir_status status = load_declared(g, node, declared, &call, error);
  if (status == TIR_OK) status = tir_ir_infer_call(g, &call, types, error);
  if (status != TIR_OK) tir_ir_say_where(g, node, error);
  return status;
}

// Most types stay as they are, and shapes are only ever added.
static tir_status set_types(tir_ir_graph *g, tir_ir_node n,
                            const tir_ir_type *types, tir_error *error) {
  for (uint32_t i = 0; i < tir_ir_n_out(g, n); i++) {
    const tir_ir_value value = tir_ir_out(g, n, i);
    tir_ir_type old;
    tir_ir_type_of(g, value, &old);
    if (!tir_ir_type_equal(&old, &types[i]))
      TIR_TRY(tir_ir_set_type(g, value, &types[i], error));
  }
  return TIR_OK;
}

// Bodies follow before their node is inferred, since its results are theirs. On
// a failure the graph holds types of both sizes: callers work on a copy.
tir_status tir_ir_infer_graph(tir_ir_graph *g, tir_error *error) {
  // Replacements may lead forward; then ids are no order to infer in.
  if (g->forward.count > 0) TIR_TRY(tir_ir_compact(g, NULL, error));
  for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n)) {
    TIR_TRY(tir_ir_follow_bodies(g, n, error));
    tir_ir_call_types types;
    tir_status status = tir_ir_infer_again(
        g, n, &g->operands.data[tir_ir_node_at(g, n)->in_first], &types, error);
    if (status == TIR_OK) status = set_types(g, n, types.out, error);
    tir_ir_call_types_free(g, &types);
    TIR_TRY(status);
  }
  return TIR_OK;
}

// One name is one size, so every input that has it changes. Types of other
// values are out of date until tir_ir_infer_graph.
tir_status tir_ir_set_symbol(tir_ir_graph *g, const char *name, int64_t size,
                             tir_error *error) {
  char quoted[TIR_QUOTED_MAX];
  tir_base_quote(name, quoted);
  if (size < 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "dim %s is %" PRId64 ", expected 0 or more", quoted,
                         size);
  const uint32_t symbol =
      tir_base_strings_find(&g->strings, name, strlen(name));
  // A name the graph does not know is string 0, and no input is looked at.
  bool found = false;
  for (size_t i = 0; symbol && i < g->inputs.count; i++) {
    tir_ir_type type;
    bool here = false;
    tir_ir_type_of(g, g->inputs.data[i], &type);
    for (int axis = 0; axis < type.rank; axis++) {
      if (type.symbols[axis] != symbol) continue;
      type.dims[axis] = size;
      here = true;
    }
    if (!here) continue;
    found = true;
    TIR_TRY(tir_ir_type_check(&type, error));
    TIR_TRY(tir_ir_set_type(g, g->inputs.data[i], &type, error));
  }
  if (found) return TIR_OK;
  return tir_base_fail(error, TIR_ERR_ARGUMENT, "no input has a dim named %s",
                       quoted);
}
