// Reference: whole graphs. Nodes are evaluated in their order into a table of
// tensors by value id; a tensor goes when its last reader has run. No plan, no
// passes, no recursion.

#include <inttypes.h>
#include <string.h>

#include "ir/body.h"
#include "ir/reference/reference.h"

// A run of one graph. Tables are indexed by value id.
typedef struct run {
  const tir_ir_graph *graph;
  tir_tensor **tensors;  // one reference each
  uint32_t *last_use;    // node id, UINT32_MAX for outputs and new versions
  tir_tensor *const *params;
  size_t n_params;     // param nodes met so far
  uint32_t *param_of;  // value id → its param's number + 1
  tir_error *error;
} run;

// Entry 0, which no value has, included.
static size_t table_count(const tir_ir_graph *graph) {
  return graph->values.count;
}

static void free_tables(run *r) {
  tir_context *context = r->graph->context;
  const size_t n = table_count(r->graph);
  for (size_t v = 0; r->tensors && v < n; v++)
    tir_tensor_release(r->tensors[v]);
  tir_base_free(context, r->tensors, n * sizeof *r->tensors, 8);
  tir_base_free(context, r->last_use, n * sizeof *r->last_use, 4);
  tir_base_free(context, r->param_of, n * sizeof *r->param_of, 4);
}

static tir_status make_tables(run *r) {
  tir_context *context = r->graph->context;
  const size_t n = table_count(r->graph);
  r->tensors = tir_base_alloc_zero(context, n * sizeof *r->tensors, 8);
  r->last_use = tir_base_alloc_zero(context, n * sizeof *r->last_use, 4);
  r->param_of = tir_base_alloc_zero(context, n * sizeof *r->param_of, 4);
  if (!r->tensors || !r->last_use || !r->param_of)
    return tir_base_fail_memory(r->error, n * sizeof *r->tensors);
  return TIR_OK;
}

static bool is_removed(const tir_ir_graph *graph, tir_ir_node n) {
  return (graph->nodes.data[n.id].flags & TIR_NODE_REMOVED) != 0;
}

// Of values nobody reads the entry stays 0.
static void find_last_uses(run *r) {
  const tir_ir_graph *graph = r->graph;
  const uint32_t n_nodes = tir_ir_n_nodes(graph);
  for (uint32_t id = 1; id <= n_nodes; id++) {
    const tir_ir_node n = {id};
    if (is_removed(graph, n)) continue;
    // What an assign made is written to its param at the very end, whoever
    // reads it before.
    for (uint32_t i = 0; i < tir_ir_n_in(graph, n); i++) {
      uint32_t *last = &r->last_use[tir_ir_in(graph, n, i).id];
      // UINT32_MAX is for good.
      if (*last != UINT32_MAX) *last = id;
    }
    if (tir_ir_op(graph, n) == TIR_OP_ASSIGN)
      r->last_use[tir_ir_out(graph, n, 0).id] = UINT32_MAX;
  }
  for (size_t i = 0; i < graph->outputs.count; i++) {
    const tir_ir_value v = graph->outputs.data[i].value;
    r->last_use[tir_ir_resolve(graph, v).id] = UINT32_MAX;
  }
}

// "gather: index 7 …: node %12 "emb" (model.c:41)".
static void say_where(const run *r, tir_ir_node n) {
  if (!r->error) return;
  const char *site = r->graph->nodes.data[n.id].site;
  const tir_ir_value out = tir_ir_out(r->graph, n, 0);
  const char *name = tir_ir_value_name(r->graph, out);
  char quoted[TIR_QUOTED_MAX];
  tir_base_error_prefix(r->error, tir_ir_desc(r->graph, n)->name);
  tir_base_error_append(r->error, ": node %%%" PRIu32, n.id);
  if (*name)
    tir_base_error_append(r->error, " %s", tir_base_quote(name, quoted));
  if (site) tir_base_error_append(r->error, " (%s)", site);
  r->error->node = n.id;
}

// Evaluates one node into new tensors. The arrays have room for its operands.
typedef struct buffers {
  tir_ir_type *in;
  const void **in_data;
  tir_tensor **tensors;  // of a control node
  size_t n;              // operands there is room for
} buffers;

// Sized for the node with most operands, so that evaluating allocates nothing
// but results.
static tir_status make_buffers(const tir_ir_graph *graph, buffers *b,
                               tir_error *error) {
  const uint32_t n_nodes = tir_ir_n_nodes(graph);
  b->n = 1;
  for (uint32_t id = 1; id <= n_nodes; id++)
    if (graph->nodes.data[id].n_in > b->n) b->n = graph->nodes.data[id].n_in;
  b->in = tir_base_alloc_zero(graph->context, b->n * sizeof *b->in, 8);
  b->in_data =
      tir_base_alloc_zero(graph->context, b->n * sizeof *b->in_data, 8);
  b->tensors =
      tir_base_alloc_zero(graph->context, b->n * sizeof *b->tensors, 8);
  if (!b->in || !b->in_data || !b->tensors)
    return tir_base_fail_memory(error, b->n * sizeof *b->in);
  return TIR_OK;
}

static void free_buffers(const tir_ir_graph *graph, buffers *b) {
  tir_base_free(graph->context, b->in, b->n * sizeof *b->in, 8);
  tir_base_free(graph->context, b->in_data, b->n * sizeof *b->in_data, 8);
  tir_base_free(graph->context, b->tensors, b->n * sizeof *b->tensors, 8);
}

// They go into the table at once, so that a failure frees them with it.
// New tensors for the outputs of a node.
static tir_status make_outputs(run *r, tir_ir_node n, tir_ir_type *types,
                               void **data) {
  for (uint32_t i = 0; i < tir_ir_n_out(r->graph, n); i++) {
    const tir_ir_value v = tir_ir_out(r->graph, n, i);
    tir_ir_type_of(r->graph, v, &types[i]);
    TIR_TRY(tir_tensor_create(r->graph->context, types[i].dtype, types[i].dims,
                              types[i].rank, &r->tensors[v.id], r->error));
    data[i] = r->tensors[v.id]->data;
  }
  return TIR_OK;
}

static tir_status eval_node(run *r, tir_ir_node n, const buffers *b) {
  const tir_ir_graph *graph = r->graph;
  const tir_op_desc *desc = tir_ir_desc(graph, n);
  tir_ir_type out[TIR_MAX_OUTPUTS];
  void *out_data[TIR_MAX_OUTPUTS] = {0};
  // Only a gradient call has more results than an op may.
  if (tir_ir_n_out(graph, n) > TIR_MAX_OUTPUTS)
    return tir_reference_gradient(&(tir_reference_call){.error = r->error});
  TIR_TRY(make_outputs(r, n, out, out_data));
  for (uint32_t i = 0; i < tir_ir_n_in(graph, n); i++) {
    const tir_ir_value v = tir_ir_in(graph, n, i);
    tir_ir_type_of(graph, v, &b->in[i]);
    // What gives its shape alone shows no data, so an op that reads it after
    // all is found out.
    const bool hidden = tir_ir_op_shape_only(desc, i);
    b->in_data[i] = hidden ? NULL : r->tensors[v.id]->data;
  }
  const tir_reference_call call = {.context = graph->context,
                                   .desc = desc,
                                   .attrs = tir_ir_attrs(graph, n),
                                   .in = b->in,
                                   .in_data = b->in_data,
                                   .n_in = tir_ir_n_in(graph, n),
                                   .out = out,
                                   .out_data = out_data,
                                   .n_out = tir_ir_n_out(graph, n),
                                   .error = r->error};
  return tir_reference_eval(tir_ir_op(graph, n), &call);
}

// Outputs of a node stand in a row.
static tir_status eval_control(run *r, tir_ir_node n, const buffers *b) {
  const tir_ir_graph *graph = r->graph;
  for (uint32_t i = 0; i < tir_ir_n_out(graph, n); i++) {
    const tir_ir_value v = tir_ir_out(graph, n, i);
    tir_ir_type type;
    tir_ir_type_of(graph, v, &type);
    TIR_TRY(tir_tensor_create(graph->context, type.dtype, type.dims, type.rank,
                              &r->tensors[v.id], r->error));
  }
  for (uint32_t i = 0; i < tir_ir_n_in(graph, n); i++)
    b->tensors[i] = r->tensors[tir_ir_in(graph, n, i).id];
  return tir_reference_control(
      graph, n, b->tensors, &r->tensors[tir_ir_out(graph, n, 0).id], r->error);
}

// By reference: nothing writes to it before the run is over.
static void bind(run *r, tir_ir_node n, tir_tensor *tensor) {
  r->tensors[tir_ir_out(r->graph, n, 0).id] = tir_tensor_retain(tensor);
}

// Params and constant tensors are taken as they are; the rest is evaluated.
static tir_status run_node(run *r, tir_ir_node n, const buffers *b) {
  const tir_ir_graph *graph = r->graph;
  const tir_op op = tir_ir_op(graph, n);
  if (op == TIR_OP_INPUT) return TIR_OK;
  // Params are given in the order of their nodes.
  if (op == TIR_OP_PARAM) {
    bind(r, n, r->params[r->n_params++]);
    r->param_of[tir_ir_out(graph, n, 0).id] = (uint32_t)r->n_params;
    return TIR_OK;
  }
  if (op == TIR_OP_CONSTANT) {
    const tir_attrs_constant *attrs = tir_ir_attrs(graph, n);
    if (attrs->tensor != 0) {
      bind(r, n, graph->tensors.data[attrs->tensor - 1]);
      return TIR_OK;
    }
  }
  if (tir_ir_has_bodies(tir_ir_desc(graph, n))) return eval_control(r, n, b);
  return eval_node(r, n, b);
}

// Operands read for the last time, and results nobody will read.
static void release_dead(run *r, tir_ir_node n) {
  const tir_ir_graph *graph = r->graph;
  for (uint32_t i = 0; i < tir_ir_n_in(graph, n); i++) {
    const uint32_t v = tir_ir_in(graph, n, i).id;
    if (r->last_use[v] != n.id) continue;
    tir_tensor_release(r->tensors[v]);
    r->tensors[v] = NULL;
  }
  for (uint32_t i = 0; i < tir_ir_n_out(graph, n); i++) {
    const uint32_t v = tir_ir_out(graph, n, i).id;
    if (r->last_use[v] != 0) continue;
    tir_tensor_release(r->tensors[v]);
    r->tensors[v] = NULL;
  }
}

static tir_status run_nodes(run *r) {
  const tir_ir_graph *graph = r->graph;
  const uint32_t n_nodes = tir_ir_n_nodes(graph);
  buffers b = {0};
  tir_status status = make_buffers(graph, &b, r->error);
  for (uint32_t id = 1; status == TIR_OK && id <= n_nodes; id++) {
    const tir_ir_node n = {id};
    if (is_removed(graph, n)) continue;
    status = run_node(r, n, &b);
    // A lack of memory is not about the node.
    if (status == TIR_OK)
      release_dead(r, n);
    else if (status != TIR_ERR_MEMORY)
      say_where(r, n);
  }
  free_buffers(graph, &b);
  return status;
}

// Copies, because an output may be an input, a param or another output.
static tir_status copy_outputs(const run *r, tir_tensor **outputs) {
  const tir_ir_graph *graph = r->graph;
  for (size_t i = 0; i < graph->outputs.count; i++) {
    const tir_ir_value v = tir_ir_resolve(graph, graph->outputs.data[i].value);
    const tir_tensor *t = r->tensors[v.id];
    TIR_TRY(tir_tensor_from_data(graph->context, t->dtype, t->dims, t->rank,
                                 t->data, &outputs[i], r->error));
  }
  return TIR_OK;
}

// The last step, which cannot fail: new versions overwrite the params. Outputs
// were copied before, so one that is a param shows the old version.
static void write_params(const run *r) {
  const tir_ir_graph *graph = r->graph;
  const uint32_t n_nodes = tir_ir_n_nodes(graph);
  for (uint32_t id = 1; id <= n_nodes; id++) {
    const tir_ir_node n = {id};
    if (is_removed(graph, n) || tir_ir_op(graph, n) != TIR_OP_ASSIGN) continue;
    const uint32_t number = r->param_of[tir_ir_in(graph, n, 0).id];
    const tir_tensor *from = r->tensors[tir_ir_out(graph, n, 0).id];
    // Verified: the target of an assign is a param.
    tir_tensor *to = r->params[number - 1];
    if (to->size_bytes != 0) memcpy(to->data, from->data, to->size_bytes);
  }
}

tir_status tir_reference_graph(const tir_ir_graph *graph,
                               tir_tensor *const *inputs,
                               tir_tensor *const *params, tir_tensor **outputs,
                               tir_error *error) {
  // Before anything can fail: the caller may release them all.
  for (size_t i = 0; i < graph->outputs.count; i++) outputs[i] = NULL;
  run r = {.graph = graph, .params = params, .error = error};
  tir_status status = make_tables(&r);
  if (status == TIR_OK) {
    find_last_uses(&r);
    for (size_t i = 0; i < graph->inputs.count; i++)
      r.tensors[graph->inputs.data[i].id] = tir_tensor_retain(inputs[i]);
    status = run_nodes(&r);
  }
  if (status == TIR_OK) status = copy_outputs(&r, outputs);
  if (status == TIR_OK) write_params(&r);
  // All outputs or none.
  for (size_t i = 0; status != TIR_OK && i < graph->outputs.count; i++) {
    tir_tensor_release(outputs[i]);
    outputs[i] = NULL;
  }
  free_tables(&r);
  return status;
}
