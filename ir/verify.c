// The verifier: everything passes, printer, files and compile rely on.
//
// Trusts no index before it was compared with its array. Works in the middle of
// a pass too: removed nodes are left out, replacements followed; only then may
// an operand have a larger id than its user (compact puts it in order).
//
// It is also the check for graphs of files, so nothing may be taken for
// granted: ranges come first, and what they guard is read after them.
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "ir/attr.h"
#include "ir/base/utf8.h"
#include "ir/infer.h"

enum { PARAM_NAME = 1, INPUT_NAME = 2, OUTPUT_NAME = 4, GOOD_NAME = 8 };

// State of one verification; the three tables end with it.
typedef struct verifier {
  const tir_ir_graph *graph;
  tir_error *error;
  size_t n_strings;
  uint8_t *names;              // by string id: what carries it
  int64_t *sizes;              // by string id: ~size of the symbol, 0 unknown
  uint8_t *assigned;           // by value id: an assign has it as target
  TIR_VEC(uint32_t) operands;  // of the node looked at, resolved
  size_t n_inputs;             // input nodes met
} verifier;

// The op in front of the message, and the node's number in the error.
static tir_status fail_at(const verifier *v, tir_ir_node n, const char *format,
                          ...) TIR_PRINTF(3, 4);

static tir_status fail_at(const verifier *v, tir_ir_node n, const char *format,
                          ...) {
  // A node whose op is out of range has no descriptor.
  va_list args;
  va_start(args, format);
  tir_base_fail_v(v->error, TIR_ERR_ARGUMENT, format, args);
  va_end(args);
  const tir_op_desc *desc = tir_ir_desc(v->graph, n);
  tir_base_error_prefix(v->error, desc ? desc->name : "graph");
  if (v->error) v->error->node = n.id;
  return TIR_ERR_ARGUMENT;
}

// --- names -----------------------------------------------------------------

// Each string is looked at once, however many values carry it.
static tir_status check_text(verifier *v, uint32_t id, tir_ir_node n) {
  if (id >= v->n_strings && id != 0)
    return fail_at(v, n, "name %u is out of range: %zu strings", id,
                   v->n_strings);
  if (id == 0 || v->names[id] & GOOD_NAME) return TIR_OK;
  const char *text = tir_base_strings_text(&v->graph->strings, id);
  const size_t size = strlen(text);
  if (size > TIR_MAX_NAME)
    return fail_at(v, n, "name is too long: %zu bytes, expected at most %d",
                   size, TIR_MAX_NAME);
  char quoted[TIR_QUOTED_MAX];
  if (!tir_base_is_utf8(text, size))
    return fail_at(v, n, "name is not UTF-8: %s", tir_base_quote(text, quoted));
  v->names[id] |= GOOD_NAME;
  return TIR_OK;
}

// A name that inputs, params or outputs may carry once. Inputs, params and
// outputs are three lists: one name may stand in each.
static tir_status take_name(verifier *v, uint32_t id, uint8_t kind,
                            const char *what, tir_ir_node n) {
  TIR_TRY(check_text(v, id, n));
  if (id == 0) return TIR_OK;
  if (v->names[id] & kind) {
    char quoted[TIR_QUOTED_MAX];
    const char *text = tir_base_strings_text(&v->graph->strings, id);
    return fail_at(v, n, "two %s are named %s", what,
                   tir_base_quote(text, quoted));
  }
  v->names[id] |= kind;
  return TIR_OK;
}

// --- values ----------------------------------------------------------------

// Only declared types may bring a symbol in; the others are compared with what
// infer gives. A size is kept as its complement, which is never 0, so that
// zeroed memory means "not seen yet".
static tir_status check_symbols(verifier *v, tir_ir_node n,
                                const tir_ir_type *type, bool declared) {
  for (int i = 0; i < type->rank; i++) {
    const uint32_t symbol = type->symbols[i];
    if (symbol == 0) continue;
    TIR_TRY(check_text(v, symbol, n));
    if (!declared) continue;
    int64_t *size = &v->sizes[symbol];
    if (*size == 0) *size = ~type->dims[i];
    if (*size == ~type->dims[i]) continue;
    char quoted[TIR_QUOTED_MAX];
    return fail_at(
        v, n, "dim %s has two sizes: %" PRId64 " and %" PRId64,
        tir_base_quote(tir_base_strings_text(&v->graph->strings, symbol),
                       quoted),
        ~*size, type->dims[i]);
  }
  return TIR_OK;
}

static tir_status check_value(verifier *v, tir_ir_node n, uint32_t id) {
  const tir_ir_graph *g = v->graph;
  const tir_ir_value_data *value = &g->values.data[id];
  if (value->node != n.id)
    return fail_at(v, n, "result %u says that node %u makes it", id,
                   value->node);
  // Compared without a sum: both numbers may be anything.
  const size_t n_words = value->rank * (value->has_symbols ? 2u : 1u);
  if (value->rank > TIR_MAX_RANK || n_words > g->dims.count ||
      value->dims > g->dims.count - n_words)
    return fail_at(v, n, "shape of result %u is out of range: rank %u", id,
                   value->rank);
  TIR_TRY(check_text(v, value->name, n));
  tir_ir_type type;
  tir_ir_type_of(g, (tir_ir_value){id}, &type);
  const bool declared = (tir_ir_desc(g, n)->traits & TIR_TRAIT_DECLARED) != 0;
  return check_symbols(v, n, &type, declared);
}

// --- nodes -----------------------------------------------------------------

// first + n could wrap; the difference cannot.
static bool in_range(uint32_t first, uint32_t n, size_t count) {
  return first <= count && n <= count - first;
}

static tir_status check_ranges(verifier *v, tir_ir_node n) {
  const tir_ir_graph *g = v->graph;
  const tir_ir_node_data *data = tir_ir_node_at(g, n);
  const tir_op_desc *desc = tir_ir_op_desc((tir_op)data->op);
  if (!desc)
    return fail_at(v, n, "node %u: no op has number %u", n.id, data->op);
  if (!in_range(data->in_first, data->n_in, g->operands.count))
    return fail_at(v, n, "operand list is out of range");
  // A node without a result could not be named, nor found from a value.
  if (data->n_out == 0 || data->out_first == 0 ||
      !in_range(data->out_first, data->n_out, g->values.count))
    return fail_at(v, n, "result list is out of range");
  if (!in_range(data->attrs, desc->attrs_size / 8u, g->attrs.count))
    return fail_at(v, n, "attributes are out of range");
  for (uint32_t i = 0; i < data->n_out; i++)
    TIR_TRY(check_value(v, n, data->out_first + i));
  return TIR_OK;
}

// Resolves the operands and checks that they were made before. With
// replacements pending, an operand may lead to a later node.
static tir_status load_operands(verifier *v, tir_ir_node n) {
  const tir_ir_graph *g = v->graph;
  const tir_ir_node_data *data = tir_ir_node_at(g, n);
  v->operands.count = 0;
  if (!TIR_VEC_RESERVE(g->context, &v->operands, data->n_in))
    return tir_base_fail_memory(v->error, data->n_in * sizeof(uint32_t));
  for (uint32_t i = 0; i < data->n_in; i++) {
    const uint32_t id = g->operands.data[data->in_first + i];
    if (id == 0 || id >= g->values.count)
      return fail_at(v, n, "operand %u is no value of the graph: id %u", i, id);
    const tir_ir_value value = tir_ir_resolve(g, (tir_ir_value){id});
    const tir_ir_node producer = tir_ir_producer(g, value);
    if (producer.id == 0 || producer.id >= g->nodes.count)
      return fail_at(v, n, "operand %u is made by no node", i);
    if (tir_ir_node_at(g, producer)->flags & TIR_NODE_REMOVED)
      return fail_at(v, n, "operand %u was removed: node %u", i, producer.id);
    // Larger ids are allowed only while replacements wait for compact.
    if (producer.id >= n.id && g->forward.count == 0)
      return fail_at(v, n, "operand %u is made later: node %u, used by node %u",
                     i, producer.id, n.id);
    v->operands.data[v->operands.count++] = value.id;
  }
  return TIR_OK;
}

// Types are what infer gives. Without types no further check makes sense.
static tir_status check_types(verifier *v, tir_ir_node n) {
  const tir_ir_graph *g = v->graph;
  tir_ir_call_types types;
  tir_status status =
      tir_ir_infer_again(g, n, v->operands.data, &types, v->error);
  for (uint32_t i = 0; status == TIR_OK && i < tir_ir_n_out(g, n); i++) {
    tir_ir_type type;
    tir_ir_type_of(g, tir_ir_out(g, n, i), &type);
    char is[TIR_TYPE_TEXT_MAX], expected[TIR_TYPE_TEXT_MAX];
    if (!tir_ir_type_equal(&type, &types.out[i]))
      status = fail_at(v, n, "result %u has another type: %s, expected %s%s", i,
                       tir_ir_type_text(&type, is),
                       tir_ir_type_text(&types.out[i], expected),
                       tir_ir_same_shape(&type, &types.out[i]) &&
                               type.dtype == types.out[i].dtype
                           ? " with other dim names"
                           : "");
  }
  tir_ir_call_types_free(g, &types);
  return status;
}

// The state of a program is written once per run: with two assigns the order of
// nodes would decide.
static tir_status check_assign(verifier *v, tir_ir_node n) {
  const tir_ir_graph *g = v->graph;
  const tir_ir_value target = {v->operands.data[0]};
  const tir_ir_node producer = tir_ir_producer(g, target);
  if (tir_ir_op(g, producer) != TIR_OP_PARAM)
    return fail_at(v, n, "target is made by %s, expected a param",
                   tir_ir_desc(g, producer)->name);
  char quoted[TIR_QUOTED_MAX];
  if (v->assigned[target.id]++)
    return fail_at(v, n, "param %s is assigned twice",
                   tir_base_quote(tir_ir_value_name(g, target), quoted));
  return TIR_OK;
}

// Nodes and list are walked together: they stand in one order.
static tir_status check_input(verifier *v, tir_ir_node n) {
  const tir_ir_graph *g = v->graph;
  const tir_ir_value value = tir_ir_out(g, n, 0);
  // Entries of removed nodes wait for compact.
  while (v->n_inputs < g->inputs.count) {
    const uint32_t id = g->inputs.data[v->n_inputs++].id;
    if (id == value.id)
      return take_name(v, tir_ir_value_at(g, value)->name, INPUT_NAME, "inputs",
                       n);
    if (id == 0 || id >= g->values.count) break;
    const tir_ir_node other = tir_ir_producer(g, (tir_ir_value){id});
    if (!(tir_ir_node_at(g, other)->flags & TIR_NODE_REMOVED)) break;
  }
  return fail_at(v, n, "the list of inputs does not have it at %zu",
                 v->n_inputs);
}

// What the graph's own lists say about a node, beyond its types.
static tir_status check_roles(verifier *v, tir_ir_node n) {
  const tir_ir_graph *g = v->graph;
  switch (tir_ir_op(g, n)) {
    case TIR_OP_INPUT:
      return check_input(v, n);
    case TIR_OP_ASSIGN:
      return check_assign(v, n);
    case TIR_OP_PARAM: {
      const uint32_t name = tir_ir_value_at(g, tir_ir_out(g, n, 0))->name;
      if (name == 0) return fail_at(v, n, "it has no name");
      return take_name(v, name, PARAM_NAME, "params", n);
    }
    default:
      return TIR_OK;
  }
}

static tir_status check_node(verifier *v, tir_ir_node n) {
  TIR_TRY(check_ranges(v, n));
  TIR_TRY(load_operands(v, n));
  TIR_TRY(check_types(v, n));
  return check_roles(v, n);
}

// --- the graph -------------------------------------------------------------

// Input nodes have ticked off their entries of the list; what is left must
// belong to nodes that were removed.
static tir_status check_ports(verifier *v) {
  const tir_ir_graph *g = v->graph;
  for (; v->n_inputs < g->inputs.count; v->n_inputs++) {
    const tir_ir_value value = g->inputs.data[v->n_inputs];
    const bool removed =
        value.id < g->values.count &&
        tir_ir_node_at(g, tir_ir_producer(g, value))->flags & TIR_NODE_REMOVED;
    if (!removed)
      return tir_base_fail(v->error, TIR_ERR_ARGUMENT,
                           "graph: input %zu is made by no input node",
                           v->n_inputs);
  }
  for (size_t i = 0; i < g->outputs.count; i++) {
    tir_ir_value value = g->outputs.data[i].value;
    if (value.id == 0 || value.id >= g->values.count)
      return tir_base_fail(v->error, TIR_ERR_ARGUMENT,
                           "graph: output %zu is no value: id %u", i, value.id);
    const tir_ir_node n = tir_ir_producer(g, tir_ir_resolve(g, value));
    if (tir_ir_node_at(g, n)->flags & TIR_NODE_REMOVED)
      return tir_base_fail(v->error, TIR_ERR_ARGUMENT,
                           "graph: output %zu was removed: node %u", i, n.id);
    TIR_TRY(take_name(v, g->outputs.data[i].name, OUTPUT_NAME, "outputs",
                      (tir_ir_node){0}));
  }
  return TIR_OK;
}

// Producers are checked for all values first: whatever follows an operand
// relies on them.
static tir_status check_graph(verifier *v) {
  const tir_ir_graph *g = v->graph;
  if (g->nodes.count == 0 || g->values.count == 0 ||
      g->attrs.count < TIR_N_ZERO_WORDS)
    return tir_base_fail(v->error, TIR_ERR_ARGUMENT,
                         "graph: entry 0 is missing");
  for (size_t i = 1; i < g->values.count; i++)
    if (g->values.data[i].node == 0 || g->values.data[i].node >= g->nodes.count)
      return tir_base_fail(v->error, TIR_ERR_ARGUMENT,
                           "graph: value %zu is made by no node: id %u", i,
                           g->values.data[i].node);
  for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n))
    TIR_TRY(check_node(v, n));
  return check_ports(v);
}

tir_status tir_ir_verify(const tir_ir_graph *g, tir_error *error) {
  tir_context *context = g->context;
  verifier v = {.graph = g, .error = error};
  v.n_strings = g->strings.texts.count;
  // By string and by value: three tables make the whole check linear.
  const size_t sizes_bytes = v.n_strings * sizeof *v.sizes;
  v.names = tir_base_alloc_zero(context, v.n_strings, 1);
  v.sizes = tir_base_alloc_zero(context, sizes_bytes, _Alignof(int64_t));
  v.assigned = tir_base_alloc_zero(context, g->values.count, 1);
  const tir_status status = v.names && v.sizes && v.assigned
                                ? check_graph(&v)
                                : tir_base_fail_memory(error, sizes_bytes);
  TIR_VEC_FREE(context, &v.operands);
  tir_base_free(context, v.assigned, g->values.count, 1);
  tir_base_free(context, v.sizes, sizes_bytes, _Alignof(int64_t));
  tir_base_free(context, v.names, v.n_strings, 1);
  return status;
}
