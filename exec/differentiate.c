// tir_graph_differentiate: a copy of a graph with gradient outputs.
//
// The copy gets one gradient call over its outputs and variables, which the
// gradient pass expands; there is no reverse mode here. A graph remembers the
// history of its recording, which may be none, so everything between the
// variables and the outputs is marked as history first.
#include <stdio.h>
#include <string.h>

#include "ir/attr.h"
#include "ir/base/list.h"
#include "ir/module.h"
#include "ir/record.h"
#include "passes/pass.h"
#include "tapeir/ops.h"

// Longest name of a parameter or port, plus room for a suffix.
enum { NAME_MAX_BYTES = 1024 + 16 };

typedef TIR_VEC(uint32_t) id_vec;

typedef struct differentiation {
  tir_context *context;
  tir_ir_graph *graph;
  tir_tape *tape;   // recorder into `graph`
  id_vec operands;  // heads, their gradients, then variables
  id_vec wrt;
  id_vec head_of;  // by head: number of the output
  tir_error *error;
} differentiation;

static tir_status push(differentiation *d, id_vec *ids, uint32_t id) {
  if (TIR_VEC_PUSH(d->context, ids, id)) return TIR_OK;
  return tir_base_fail_memory(d->error, sizeof id);
}

// --- variables -------------------------------------------------------------

static bool is_variable(const differentiation *d, tir_ir_node n) {
  const tir_op op = tir_ir_op(d->graph, n);
  return op == TIR_OP_INPUT || op == TIR_OP_PARAM;
}

// The float input or parameter of that name joins the variables.
static tir_status find_wrt(differentiation *d, const char *name) {
  char quoted[TIR_QUOTED_MAX];
  for (tir_ir_node n = tir_ir_first(d->graph); tir_ir_node_valid(n);
       n = tir_ir_next(d->graph, n)) {
    const tir_ir_value v = tir_ir_out(d->graph, n, 0);
    if (!is_variable(d, n) || strcmp(tir_ir_value_name(d->graph, v), name))
      continue;
    if (!tir_ir_dtype_is_float(tir_ir_dtype_of(d->graph, v)))
      return tir_base_fail(d->error, TIR_ERR_DTYPE,
                           "differentiate: %s is %s, only floats have a "
                           "gradient",
                           tir_base_quote(name, quoted),
                           tir_dtype_name(tir_ir_dtype_of(d->graph, v)));
    return push(d, &d->wrt, v.id);
  }
  return tir_base_fail(d->error, TIR_ERR_ARGUMENT,
                       "differentiate: the graph has no input or parameter %s",
                       tir_base_quote(name, quoted));
}

// Without names: all there are. Others than floats are passed over.
static tir_status find_all_wrt(differentiation *d) {
  for (tir_ir_node n = tir_ir_first(d->graph); tir_ir_node_valid(n);
       n = tir_ir_next(d->graph, n)) {
    const tir_ir_value v = tir_ir_out(d->graph, n, 0);
    if (is_variable(d, n) &&
        tir_ir_dtype_is_float(tir_ir_dtype_of(d->graph, v)))
      TIR_TRY(push(d, &d->wrt, v.id));
  }
  if (d->wrt.count > 0) return TIR_OK;
  return tir_base_fail(d->error, TIR_ERR_ARGUMENT,
                       "differentiate: the graph has no float input or "
                       "parameter");
}

// Every node between a variable and an output becomes history.
static void mark_history(differentiation *d) {
  tir_ir_graph *g = d->graph;
  for (size_t i = 0; i < d->wrt.count; i++)
    g->values.data[d->wrt.data[i]].flags |= TIR_VALUE_NEEDS_GRAD;
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n)) {
    const tir_op op = tir_ir_op(g, n);
    // These end a history, also one that this call makes.
    if (op == TIR_OP_STOP_GRADIENT || op == TIR_OP_CUT) continue;
    bool reached = false;
    for (uint32_t i = 0; i < tir_ir_n_in(g, n) && !reached; i++)
      reached = !tir_ir_op_shape_only(tir_ir_desc(g, n), i) &&
                (tir_ir_value_at(g, tir_ir_in(g, n, i))->flags &
                 TIR_VALUE_NEEDS_GRAD);
    if (!reached) continue;
    tir_ir_node_at(g, n)->flags |= TIR_NODE_HISTORY;
    for (uint32_t i = 0; i < tir_ir_n_out(g, n); i++) {
      const tir_ir_value out = tir_ir_out(g, n, i);
      if (tir_ir_dtype_is_float(tir_ir_dtype_of(g, out)))
        tir_ir_value_at(g, out)->flags |= TIR_VALUE_NEEDS_GRAD;
    }
  }
}

// --- names -----------------------------------------------------------------

// "NAME.suffix", where a nameless value is called after its role and number.
static const char *join(char buffer[NAME_MAX_BYTES], const char *name,
                        const char *role, size_t number, const char *suffix) {
  if (name[0] != '\0')
    snprintf(buffer, NAME_MAX_BYTES, "%s.%s", name, suffix);
  else
    snprintf(buffer, NAME_MAX_BYTES, "%s%zu.%s", role, number, suffix);
  return buffer;
}

// The output's own name, else that of its value.
static const char *output_name(const differentiation *d, size_t index) {
  const tir_ir_output *output = &d->graph->outputs.data[index];
  const char *name = tir_base_strings_text(&d->graph->strings, output->name);
  if (name[0] != '\0') return name;
  return tir_ir_value_name(d->graph, tir_ir_resolve(d->graph, output->value));
}

// --- heads -----------------------------------------------------------------

// Outputs that no variable reaches, such as counts and indices, are no heads.
static tir_status find_heads(differentiation *d) {
  for (size_t i = 0; i < d->graph->outputs.count; i++) {
    const tir_ir_value v =
        tir_ir_resolve(d->graph, d->graph->outputs.data[i].value);
    if (!(tir_ir_value_at(d->graph, v)->flags & TIR_VALUE_NEEDS_GRAD)) continue;
    TIR_TRY(push(d, &d->operands, v.id));
    TIR_TRY(push(d, &d->head_of, (uint32_t)i));
  }
  if (d->operands.count > 0) return TIR_OK;
  return tir_base_fail(d->error, TIR_ERR_ARGUMENT,
                       "differentiate: no output depends on a variable");
}

// Shaped like the head at run time: its dims may be symbolic.
static tir_status add_ones(differentiation *d, uint32_t head) {
  const tir_value ones =
      tir_ones_like(d->tape, tir_ir_handle(d->tape, (tir_ir_value){head}));
  TIR_TRY(tir_tape_check(d->tape, d->error));
  return push(d, &d->operands, tir_ir_peek(d->tape, ones).id);
}

// The caller gives the head's gradient: an input "NAME.head" of the output's
// type.
static tir_status add_head_input(differentiation *d, uint32_t head,
                                 uint32_t output) {
  char name[NAME_MAX_BYTES];
  tir_ir_type type;
  tir_ir_type_of(d->graph, (tir_ir_value){head}, &type);
  join(name, output_name(d, output), "output", output, "head");
  tir_ir_node node;
  TIR_TRY(tir_ir_append_checked(d->graph, TIR_OP_INPUT, NULL, 0, NULL, &type, 1,
                                &node, d->error));
  const tir_ir_value value = tir_ir_out(d->graph, node, 0);
  TIR_TRY(tir_ir_set_value_name(d->graph, value, name, strlen(name), d->error));
  return push(d, &d->operands, value.id);
}

// --- ops without a rule ----------------------------------------------------

// Names every op between heads and variables that has no rule, each once.
// reached[v]: a gradient arrives at value v. From the last node to the first,
// so that it is known for the results of a node before the node is looked at.
static void list_without_rule(const differentiation *d, bool *reached,
                              tir_base_list *list) {
  const tir_ir_graph *g = d->graph;
  bool listed[TIR_N_OPS] = {false};
  for (size_t i = 0; i < d->operands.count; i++)
    reached[d->operands.data[i]] = true;
  for (uint32_t id = tir_ir_n_nodes(g); id > 0; id--) {
    const tir_ir_node n = {id};
    const tir_ir_node_data *data = tir_ir_node_at(g, n);
    if (!(data->flags & TIR_NODE_HISTORY)) continue;
    bool any = false;
    for (uint32_t i = 0; i < data->n_out; i++)
      any |= reached[data->out_first + i];
    if (!any) continue;
    const tir_op_desc *desc = tir_ir_desc(g, n);
    const char *why =
        tir_ir_op_no_gradient(desc, g->context, tir_ir_attrs(g, n));
    if (why && !listed[data->op]) {
      // Which custom op a node is decides by itself.
      listed[data->op] = !desc->refuses_gradient;
      char item[240], label[sizeof(tir_ir_label) + 1];
      snprintf(item, sizeof item, "%s%s (%s)", desc->name,
               tir_ir_attrs_label(desc, tir_ir_attrs(g, n), label), why);
      tir_base_list_add(list, item, "differentiate: no gradient of %s", item);
    }
    for (uint32_t i = 0; i < data->n_in; i++) {
      const tir_ir_value in = tir_ir_in(g, n, i);
      if (!tir_ir_op_shape_only(desc, i) &&
          (tir_ir_value_at(g, in)->flags & TIR_VALUE_NEEDS_GRAD))
        reached[in.id] = true;
    }
  }
}

static tir_status check_rules(differentiation *d) {
  const size_t bytes = d->graph->values.count;
  bool *reached = tir_base_alloc_zero(d->context, bytes, 1);
  if (!reached) return tir_base_fail_memory(d->error, bytes);
  tir_base_list list;
  tir_base_list_begin(&list, d->context, TIR_ERR_UNSUPPORTED);
  list_without_rule(d, reached, &list);
  tir_base_free(d->context, reached, bytes, 1);
  if (list.n == 0) return TIR_OK;
  tir_base_fail(d->error, list.status, "differentiate: no gradient of %s",
                tir_base_list_text(&list));
  if (d->error) d->error->n_more = tir_base_list_n_more(&list);
  return list.status;
}

// --- the call --------------------------------------------------------------

// Heads and their gradients are listed already; variables follow. The results
// become outputs "NAME.grad".
static tir_status add_call(differentiation *d, size_t n_heads) {
  for (size_t i = 0; i < d->wrt.count; i++)
    TIR_TRY(push(d, &d->operands, d->wrt.data[i]));
  const tir_attrs_gradient attrs = {.n_heads = (int64_t)n_heads};
  tir_ir_node call;
  TIR_TRY(tir_ir_append_checked(d->graph, TIR_OP_GRADIENT, d->operands.data,
                                d->operands.count, &attrs, NULL, d->wrt.count,
                                &call, d->error));
  for (size_t i = 0; i < d->wrt.count; i++) {
    char name[NAME_MAX_BYTES];
    const tir_ir_value wrt = {d->wrt.data[i]};
    join(name, tir_ir_value_name(d->graph, wrt), "variable", i, "grad");
    TIR_TRY(tir_ir_add_output(d->graph, tir_ir_out(d->graph, call, (uint32_t)i),
                              name, d->error));
  }
  return TIR_OK;
}

static tir_status differentiate(differentiation *d, const char *const *wrt,
                                size_t n_wrt, bool default_heads) {
  if (n_wrt == 0) TIR_TRY(find_all_wrt(d));
  for (size_t i = 0; i < n_wrt; i++) {
    if (!wrt[i])
      return tir_base_fail(d->error, TIR_ERR_ARGUMENT,
                           "differentiate: wrt %zu is NULL", i);
    TIR_TRY(find_wrt(d, wrt[i]));
  }
  mark_history(d);
  TIR_TRY(find_heads(d));
  // So far only heads are listed.
  const size_t n_heads = d->operands.count;
  // Before anything is added, so that every op without a rule is told at once;
  // the pass would stop at the first.
  TIR_TRY(check_rules(d));
  for (size_t i = 0; i < n_heads; i++) {
    const uint32_t head = d->operands.data[i];
    TIR_TRY(default_heads ? add_ones(d, head)
                          : add_head_input(d, head, d->head_of.data[i]));
  }
  TIR_TRY(add_call(d, n_heads));
  // What a rule makes has the origin of its node, so that they can be told to
  // belong together.
  for (size_t i = 1; i < d->graph->nodes.count; i++)
    d->graph->nodes.data[i].origin = (uint32_t)i;
  tir_pass_ctx ctx = {.context = d->context, .error = d->error};
  return tir_pass_run(&ctx, "gradient,eliminate-dead", NULL, d->graph);
}

tir_status tir_graph_differentiate(const tir_graph *graph,
                                   const char *const *wrt, size_t n_wrt,
                                   bool default_heads, tir_graph **out_graph,
                                   tir_error *error) {
  if (out_graph) *out_graph = NULL;
  if (!graph || !out_graph || (n_wrt > 0 && !wrt))
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "differentiate: %s is NULL",
                         !graph       ? "graph"
                         : !out_graph ? "out_graph"
                                      : "wrt");
  differentiation d = {.context = graph->ir->context, .error = error};
  TIR_TRY(tir_ir_graph_copy(graph->ir, &d.graph, error));
  tir_status status =
      tir_ir_recorder_create(d.context, d.graph, &d.tape, error);
  if (status == TIR_OK) status = differentiate(&d, wrt, n_wrt, default_heads);
  TIR_VEC_FREE(d.context, &d.operands);
  TIR_VEC_FREE(d.context, &d.wrt);
  TIR_VEC_FREE(d.context, &d.head_of);
  // It only borrows the graph.
  tir_ir_recorder_destroy(d.tape);
  if (status != TIR_OK) {
    tir_ir_graph_destroy(d.graph);
    return status;
  }
  // Takes the graph over, also when it refuses it.
  return tir_ir_graph_publish(d.graph, NULL, out_graph, error);
}
