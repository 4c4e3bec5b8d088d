// The public tir_reference_run: checks and binds inputs, follows the sizes of
// symbolic dims, binds parameters by name under a lease, evaluates.
//
// No pass runs: the graph is evaluated as it was published, so that what
// programs give has something to be compared with.

#include <inttypes.h>
#include <string.h>

#include "ir/infer.h"
#include "ir/module.h"
#include "ir/reference/reference.h"
#include "tapeir/program.h"

// Zeroed to the end: no dim of a tensor has a name.
static void type_of_tensor(const tir_tensor *tensor, tir_ir_type *out) {
  memset(out, 0, sizeof *out);
  out->dtype = tensor->dtype;
  out->rank = tensor->rank;
  for (int a = 0; a < tensor->rank; a++) out->dims[a] = tensor->dims[a];
}

// Symbols do not count: a tensor has none.
static bool same_type(const tir_ir_type *a, const tir_ir_type *b) {
  return a->dtype == b->dtype && tir_ir_same_shape(a, b);
}

// DTYPE if that differs, else SHAPE.
static tir_status wrong_type(const char *what, const char *name,
                             const tir_ir_type *have, const tir_ir_type *want,
                             tir_error *error) {
  char quoted[TIR_QUOTED_MAX];
  char have_text[TIR_TYPE_TEXT_MAX];
  char want_text[TIR_TYPE_TEXT_MAX];
  const bool is_dtype = have->dtype != want->dtype;
  return tir_base_fail(error, is_dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
                       "reference run: %s %s has another type: it is %s, "
                       "expected %s",
                       what, tir_base_quote(name, quoted),
                       tir_ir_type_text(have, have_text),
                       tir_ir_type_text(want, want_text));
}

// Gives symbolic dims the sizes of the inputs. The graph is a private copy.
static tir_status resize(tir_ir_graph *graph, tir_tensor *const *inputs,
                         tir_error *error) {
  for (size_t i = 0; i < graph->inputs.count; i++) {
    tir_ir_type type;
    tir_ir_type_of(graph, graph->inputs.data[i], &type);
    for (int a = 0; a < type.rank && a < inputs[i]->rank; a++) {
      // Ranks that differ are left for check_inputs to refuse.
      if (type.symbols[a] == 0 || type.dims[a] == inputs[i]->dims[a]) continue;
      const char *name =
          tir_base_strings_text(&graph->strings, type.symbols[a]);
      TIR_TRY(tir_ir_set_symbol(graph, name, inputs[i]->dims[a], error));
      // The same symbol may stand further on in this type.
      tir_ir_type_of(graph, graph->inputs.data[i], &type);
    }
  }
  return tir_ir_infer_graph(graph, error);
}

// Only then is a copy of the graph worth making.
static bool needs_resize(const tir_ir_graph *graph, tir_tensor *const *inputs) {
  for (size_t i = 0; i < graph->inputs.count; i++) {
    tir_ir_type type;
    tir_ir_type_of(graph, graph->inputs.data[i], &type);
    for (int a = 0; a < type.rank && a < inputs[i]->rank; a++)
      if (type.symbols[a] != 0 && type.dims[a] != inputs[i]->dims[a])
        return true;
  }
  return false;
}

// Sizes are fixed by now, those of symbolic dims too.
static tir_status check_inputs(const tir_ir_graph *graph,
                               tir_tensor *const *inputs, tir_error *error) {
  for (size_t i = 0; i < graph->inputs.count; i++) {
    const tir_ir_value v = graph->inputs.data[i];
    tir_ir_type have;
    tir_ir_type want;
    type_of_tensor(inputs[i], &have);
    tir_ir_type_of(graph, v, &want);
    if (!same_type(&have, &want))
      return wrong_type("input", tir_ir_value_name(graph, v), &have, &want,
                        error);
  }
  return TIR_OK;
}

// Parameters of the module in the order of the graph's param nodes.
static tir_status bind_params(const tir_graph *graph, tir_module *module,
                              tir_ir_param **bound, tir_error *error) {
  // Of the published graph; in the resized copy they have the same ids.
  const tir_ir_graph *ir = graph->ir;
  for (size_t i = 0; i < graph->params.count; i++) {
    const tir_ir_value v = tir_ir_out(ir, graph->params.data[i], 0);
    const char *name = tir_ir_value_name(ir, v);
    char quoted[TIR_QUOTED_MAX];
    bound[i] = module ? tir_ir_module_param(module, name) : NULL;
    if (!bound[i] || !bound[i]->tensor)
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "reference run: the module has no parameter %s",
                           tir_base_quote(name, quoted));
    tir_ir_type have;
    tir_ir_type want;
    type_of_tensor(bound[i]->tensor, &have);
    tir_ir_type_of(ir, v, &want);
    if (!same_type(&have, &want))
      return wrong_type("parameter", name, &have, &want, error);
  }
  return TIR_OK;
}

// Position among the graph's params, which are in node order.
static size_t find_param(const tir_graph *graph, uint32_t node) {
  size_t low = 0;
  size_t high = graph->params.count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (graph->params.data[middle].id < node)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// Number of assigns; when `bound` is given, counts up what they wrote.
static size_t count_assigns(const tir_graph *graph, tir_ir_param **bound) {
  const tir_ir_graph *ir = graph->ir;
  const uint32_t n_nodes = tir_ir_n_nodes(ir);
  size_t n = 0;
  for (uint32_t id = 1; id <= n_nodes; id++) {
    const tir_ir_node node = {id};
    if (tir_ir_op(ir, node) != TIR_OP_ASSIGN) continue;
    n++;
    if (!bound) continue;
    const tir_ir_value target = tir_ir_in(ir, node, 0);
    bound[find_param(graph, tir_ir_producer(ir, target).id)]->version++;
  }
  return n;
}

// With the lease held: binds, evaluates, counts versions up.
static tir_status run_leased(const tir_graph *graph, const tir_ir_graph *ir,
                             tir_module *module, tir_tensor *const *inputs,
                             tir_tensor **outputs, tir_error *error) {
  tir_context *context = ir->context;
  const size_t n = graph->params.count;
  // One more, so that it is never of no bytes.
  const size_t bytes = (n + 1) * sizeof(void *);
  tir_status status = TIR_OK;
  tir_ir_param **bound = tir_base_alloc_zero(context, bytes, 8);
  tir_tensor **tensors = tir_base_alloc_zero(context, bytes, 8);
  if (!bound || !tensors) {
    status = tir_base_fail_memory(error, bytes);
    goto cleanup;
  }
  status = bind_params(graph, module, bound, error);
  if (status != TIR_OK) goto cleanup;
  for (size_t i = 0; i < n; i++) tensors[i] = bound[i]->tensor;
  // Versions step only when all of it went well.
  status = tir_reference_graph(ir, inputs, tensors, outputs, error);
  if (status == TIR_OK) (void)count_assigns(graph, bound);

cleanup:
  tir_base_free(context, bound, bytes, 8);
  tir_base_free(context, tensors, bytes, 8);
  return status;
}

static tir_status run_sized(const tir_graph *graph, const tir_ir_graph *ir,
                            tir_module *module, tir_tensor *const *inputs,
                            tir_tensor **outputs, tir_error *error) {
  TIR_TRY(check_inputs(ir, inputs, error));
  // Readers share a module; a run that assigns needs it alone.
  const bool writes = count_assigns(graph, NULL) != 0;
  // Without params there is no state to protect.
  const bool leases = module && graph->params.count != 0;
  if (leases) TIR_TRY(tir_ir_module_acquire(module, writes, error));
  const tir_status status =
      run_leased(graph, ir, module, inputs, outputs, error);
  if (leases) tir_ir_module_end_lease(module);
  return status;
}

static tir_status check_counts(const tir_graph *graph,
                               tir_tensor *const *inputs, size_t n_inputs,
                               tir_tensor **outputs, size_t n_outputs,
                               tir_error *error) {
  const tir_ir_graph *ir = graph->ir;
  if (n_inputs != ir->inputs.count || n_outputs != ir->outputs.count)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "reference run: the graph has %zu inputs and %zu "
                         "outputs, given were %zu and %zu",
                         ir->inputs.count, ir->outputs.count, n_inputs,
                         n_outputs);
  if ((n_inputs != 0 && !inputs) || (n_outputs != 0 && !outputs))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "reference run: inputs or outputs is NULL");
  for (size_t i = 0; i < n_inputs; i++)
    if (!inputs[i])
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "reference run: input %zu of %zu is NULL", i,
                           n_inputs);
  return TIR_OK;
}

tir_status tir_reference_run(const tir_graph *graph, tir_module *module,
                             tir_tensor *const *inputs, size_t n_inputs,
                             tir_tensor **outputs, size_t n_outputs,
                             tir_error *error) {
  if (!graph)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "reference run: graph is NULL");
  // Before anything can fail: the caller may release them all.
  for (size_t i = 0; outputs && i < n_outputs; i++) outputs[i] = NULL;
  TIR_TRY(check_counts(graph, inputs, n_inputs, outputs, n_outputs, error));
  if (!needs_resize(graph->ir, inputs))
    return run_sized(graph, graph->ir, module, inputs, outputs, error);
  tir_ir_graph *copy = NULL;
  TIR_TRY(tir_ir_graph_copy(graph->ir, &copy, error));
  tir_status status = resize(copy, inputs, error);
  if (status == TIR_OK)
    status = run_sized(graph, copy, module, inputs, outputs, error);
  tir_ir_graph_destroy(copy);
  return status;
}
