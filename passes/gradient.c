// gradient: replace each gradient call by the nodes that compute it.
//
//   g... = gradient heads, head_grads, wrt  ->  vjp of every node between
//
// The graph is rebuilt in one sweep: nodes are copied in order, and where a
// call stands its reverse sweep is emitted, so the result is in topological
// order and a later call (a higher derivative) differentiates what an earlier
// one emitted. Only nodes of the recorded history count, and of these only
// the ones between a wrt and a head. Gradients that meet are one add_n, in
// the order in which their consumers were recorded. A call looks at no node
// below the lowest that its heads reach, so that many calls in one graph, each
// of a history of its own, cost what they emit.
//
// Relies on each op's vjp; leaves dead nodes for eliminate-dead.
#include "passes/gradient.h"

#include <string.h>

#include "ir/attr.h"
#include "ir/body.h"
#include "ir/record.h"
#include "passes/pass.h"
#include "tapeir/ops.h"

// One term of a value's gradient; terms form a list, latest consumer last.
typedef struct tir_term {
  uint32_t value;
  uint32_t next;
} tir_term;

// What a call knows of a value.
typedef struct tir_call_mark {
  uint32_t first_term;
  bool reached;  // from a head, through the history
  bool depends;  // a gradient of it can reach a wrt through the history
} tir_call_mark;

// Everything by value is of `to`, where forward nodes and what calls emitted
// stand side by side.
typedef struct tir_expansion {
  tir_context *context;
  tir_ir_graph *from;
  tir_ir_graph *to;
  tir_tape *tape;  // recorder into `to`
  uint32_t *map;   // value of `from` → value of `to`
  size_t map_count;
  // By value of `to`, as far as it existed when the call was met; all zero
  // between calls.
  TIR_VEC(tir_call_mark) marks;
  TIR_VEC(uint32_t) marked;    // values whose mark is not zero
  TIR_VEC(tir_term) terms;     // [0] unused
  TIR_VEC(uint32_t) operands;  // scratch
  TIR_VEC(tir_value) handles;  // scratch of one vjp: in, out, out_grad, in_grad
  TIR_VEC(bool) wants;
  TIR_VEC(uint32_t) sums;  // of the outputs of one node
  tir_error *error;
} tir_expansion;

static tir_status no_memory(tir_expansion *x) {
  return tir_base_fail_memory(x->error, sizeof(tir_term));
}

// Forward nodes go over as they are, with their place and origin.
static tir_status copy_node(tir_expansion *x, tir_ir_node n) {
  const uint32_t n_in = tir_ir_n_in(x->from, n);
  x->operands.count = 0;
  if (!TIR_VEC_RESERVE(x->context, &x->operands, n_in)) return no_memory(x);
  for (uint32_t i = 0; i < n_in; i++)
    x->operands.data[i] = x->map[tir_ir_in(x->from, n, i).id];
  tir_ir_node copy;
  TIR_TRY(
      tir_ir_copy_node(x->to, x->from, n, x->operands.data, &copy, x->error));
  for (uint32_t i = 0; i < tir_ir_n_out(x->from, n); i++)
    x->map[tir_ir_out(x->from, n, i).id] = tir_ir_out(x->to, copy, i).id;
  return TIR_OK;
}

// --- one call --------------------------------------------------------------

// Adds a term in front: terms arrive latest consumer first.
static tir_status add_term(tir_expansion *x, uint32_t value, uint32_t term) {
  const tir_term item = {term, x->marks.data[value].first_term};
  if (!TIR_VEC_PUSH(x->context, &x->terms, item)) return no_memory(x);
  x->marks.data[value].first_term = (uint32_t)x->terms.count - 1;
  return TIR_OK;
}

// The sum of a value's terms as one value, 0 if it has none. Several terms
// are replaced by their sum, so that asking again costs nothing.
static tir_status sum_terms(tir_expansion *x, uint32_t value,
                            uint32_t *out_sum) {
  const uint32_t first = x->marks.data[value].first_term;
  *out_sum = 0;
  if (!first) return TIR_OK;
  if (!x->terms.data[first].next) {
    *out_sum = x->terms.data[first].value;
    return TIR_OK;
  }
  x->operands.count = 0;
  for (uint32_t t = first; t; t = x->terms.data[t].next)
    if (!TIR_VEC_PUSH(x->context, &x->operands, x->terms.data[t].value))
      return no_memory(x);
  // Halves are for storage: they are added in f32 and rounded once.
  const tir_dtype dtype = tir_ir_dtype_of(x->to, (tir_ir_value){value});
  const bool half = !tir_ir_dtype_is_compute_float(dtype);
  x->handles.count = 0;
  for (size_t i = 0; i < x->operands.count; i++) {
    tir_value h = tir_ir_handle(x->tape, (tir_ir_value){x->operands.data[i]});
    if (half) h = tir_cast(x->tape, h, TIR_DTYPE_F32);
    if (!TIR_VEC_PUSH(x->context, &x->handles, h)) return no_memory(x);
  }
  tir_value sum = tir_ir_record(x->tape, TIR_OP_ADD_N, x->handles.data,
                                x->handles.count, NULL);
  if (half) sum = tir_cast(x->tape, sum, dtype);
  *out_sum = tir_ir_peek(x->tape, sum).id;
  if (!*out_sum) return tir_tape_check(x->tape, x->error);
  x->terms.data[first] = (tir_term){*out_sum, 0};
  return TIR_OK;
}

// A value met on the way from the heads; *low falls to the node it continues
// in.
static tir_status reach(tir_expansion *x, uint32_t value, uint32_t *low) {
  tir_call_mark *mark = &x->marks.data[value];
  if (mark->reached) return TIR_OK;
  mark->reached = true;
  if (!TIR_VEC_PUSH(x->context, &x->marked, value)) return no_memory(x);
  const uint32_t node = x->to->values.data[value].node;
  if (x->to->nodes.data[node].flags & TIR_NODE_HISTORY && node < *low)
    *low = node;
  return TIR_OK;
}

// A node of the history that the heads reach.
static bool is_reached(const tir_expansion *x, tir_ir_node n) {
  const tir_ir_node_data *data = tir_ir_node_at(x->to, n);
  if (!(data->flags & TIR_NODE_HISTORY)) return false;
  for (uint32_t i = 0; i < data->n_out; i++)
    if (x->marks.data[data->out_first + i].reached) return true;
  return false;
}

// Operand i of a call, in `to`.
static uint32_t operand_of(const tir_expansion *x, tir_ir_node call,
                           uint32_t i) {
  return x->map[tir_ir_in(x->from, call, i).id];
}

// Marks what the heads reach: nodes in low … high, from the last to the first,
// until none is left that a later one leads to.
static tir_status mark_reached(tir_expansion *x, tir_ir_node call,
                               uint32_t n_heads, uint32_t *low,
                               uint32_t *high) {
  const tir_ir_graph *g = x->to;
  *low = UINT32_MAX;
  *high = 0;
  for (uint32_t i = 0; i < n_heads; i++) {
    const uint32_t head = operand_of(x, call, i);
    TIR_TRY(reach(x, head, low));
    if (g->values.data[head].node > *high) *high = g->values.data[head].node;
  }
  for (uint32_t id = *high; id >= *low; id--) {
    const tir_ir_node n = {id};
    if (!is_reached(x, n)) continue;
    for (uint32_t i = 0; i < tir_ir_n_in(g, n); i++)
      TIR_TRY(reach(x, tir_ir_in(g, n, i).id, low));
  }
  return TIR_OK;
}

// Of what was reached: what depends on a wrt.
static void mark_dependents(tir_expansion *x, uint32_t low, uint32_t high) {
  const tir_ir_graph *g = x->to;
  for (uint32_t id = low; id <= high; id++) {
    const tir_ir_node n = {id};
    if (!is_reached(x, n)) continue;
    const tir_ir_node_data *data = tir_ir_node_at(g, n);
    const tir_op_desc *desc = tir_ir_desc(g, n);
    bool any = false;
    for (uint32_t i = 0; i < data->n_in && !any; i++)
      any = x->marks.data[g->operands.data[data->in_first + i]].depends &&
            !tir_ir_op_shape_only(desc, i);
    if (!any) continue;
    for (uint32_t i = 0; i < data->n_out; i++) {
      const tir_ir_value out = {data->out_first + i};
      if (x->marks.data[out.id].reached &&
          tir_ir_value_at(g, out)->flags & TIR_VALUE_NEEDS_GRAD)
        x->marks.data[out.id].depends = true;
    }
  }
}

// Lays out the handles of one vjp: operands, outputs, output gradients and
// room for operand gradients. Output gradients not there stay all-zero.
static tir_status lay_out_vjp(tir_expansion *x, tir_ir_node n,
                              const uint32_t *out_sums, tir_ir_vjp *q) {
  const tir_ir_node_data data = *tir_ir_node_at(x->to, n);
  const size_t total = 2 * (size_t)data.n_in + 2 * (size_t)data.n_out;
  x->handles.count = x->wants.count = 0;
  if (!TIR_VEC_RESERVE(x->context, &x->handles, total) ||
      !TIR_VEC_RESERVE(x->context, &x->wants, data.n_in))
    return no_memory(x);
  tir_value *in = x->handles.data, *out = in + data.n_in;
  tir_value *out_grad = out + data.n_out, *in_grad = out_grad + data.n_out;
  const tir_op_desc *desc = tir_ir_desc(x->to, n);
  for (uint32_t i = 0; i < data.n_in; i++) {
    const uint32_t v = x->to->operands.data[data.in_first + i];
    in[i] = tir_ir_handle(x->tape, (tir_ir_value){v});
    in_grad[i] = (tir_value){0};
    x->wants.data[i] =
        x->marks.data[v].depends && !tir_ir_op_shape_only(desc, i);
  }
  for (uint32_t i = 0; i < data.n_out; i++) {
    out[i] = tir_ir_handle(x->tape, (tir_ir_value){data.out_first + i});
    out_grad[i] = (tir_value){0};
    if (out_sums[i])
      out_grad[i] = tir_ir_handle(x->tape, (tir_ir_value){out_sums[i]});
  }
  *q = (tir_ir_vjp){.tape = x->tape,
                    .attrs = tir_ir_attrs(x->to, n),
                    .in = in,
                    .n_in = data.n_in,
                    .out = out,
                    .n_out = data.n_out,
                    .out_grad = out_grad,
                    .wants = x->wants.data,
                    .in_grad = in_grad};
  return TIR_OK;
}

// Passes the gradients a rule gave on to the operands, checking their types:
// a wrong one would show up far away.
static tir_status collect(tir_expansion *x, tir_ir_node n,
                          const tir_ir_vjp *q) {
  const uint32_t in_first = tir_ir_node_at(x->to, n)->in_first;
  for (size_t k = q->n_in; k-- > 0;) {
    if (!q->wants[k]) continue;
    const tir_value h = q->in_grad[k];
    if (!h.owner) continue;  // an exact zero
    const tir_ir_value g = tir_ir_peek(x->tape, h);
    const uint32_t v = x->to->operands.data[in_first + k];
    if (!g.id || !tir_ir_same_type(x->to, g, (tir_ir_value){v}))
      return tir_base_fail(x->error, TIR_ERR_STATE,
                           "gradient: the rule of %s gave operand %zu a "
                           "gradient of another type",
                           tir_ir_desc(x->to, n)->name, k);
    TIR_TRY(add_term(x, v, g.id));
  }
  return TIR_OK;
}

// One node backward: sum what its consumers gave, ask its rule, pass on. A node
// whose results nobody differentiates asks nothing.
static tir_status reverse_node(tir_expansion *x, tir_ir_node n) {
  const tir_ir_node_data data = *tir_ir_node_at(x->to, n);
  if (!is_reached(x, n)) return TIR_OK;
  x->sums.count = 0;
  if (!TIR_VEC_RESERVE(x->context, &x->sums, data.n_out)) return no_memory(x);
  uint32_t *sums = x->sums.data;
  memset(sums, 0, data.n_out * sizeof *sums);
  bool any = false;
  tir_scope_begin(x->tape);
  // What the rule records belongs to this node, so it has its place and origin.
  x->tape->origin = data.origin;
  x->tape->site = data.site;
  for (uint32_t i = 0; i < data.n_out; i++) {
    const uint32_t v = data.out_first + i;
    if (!x->marks.data[v].depends) continue;
    TIR_TRY(sum_terms(x, v, &sums[i]));
    any = any || sums[i];
  }
  if (any) {
    const tir_op_desc *desc = tir_ir_desc(x->to, n);
    const char *why =
        tir_ir_op_no_gradient(desc, x->context, tir_ir_attrs(x->to, n));
    char label[sizeof(tir_ir_label) + 1];
    if (why)
      return tir_base_fail(
          x->error, TIR_ERR_UNSUPPORTED, "gradient: %s%s has no gradient: %s",
          desc->name, tir_ir_attrs_label(desc, tir_ir_attrs(x->to, n), label),
          why);
    tir_ir_vjp q;
    TIR_TRY(lay_out_vjp(x, n, sums, &q));
    // The attributes may move while the rule records: give it a copy.
    uint64_t attrs[64] = {0};
    if (desc->attrs_size <= sizeof attrs) {
      memcpy(attrs, q.attrs, desc->attrs_size);
      q.attrs = attrs;
    }
    desc->vjp(&q);
    TIR_TRY(tir_tape_check(x->tape, x->error));
    TIR_TRY(collect(x, n, &q));
  }
  tir_scope_end(x->tape);
  return TIR_OK;
}

// Marks are as many as there are values when the call is met; what the call
// itself makes is never differentiated by it.
static tir_status start_call(tir_expansion *x) {
  const size_t n = x->to->values.count, had = x->marks.count;
  x->marked.count = x->terms.count = 0;
  if (!TIR_VEC_RESERVE(x->context, &x->marks, n - had) ||
      !TIR_VEC_RESERVE(x->context, &x->terms, 1))
    return no_memory(x);
  memset(x->marks.data + had, 0, (n - had) * sizeof *x->marks.data);
  x->marks.count = n;
  x->terms.count = 1;
  return TIR_OK;
}

static void end_call(tir_expansion *x) {
  for (size_t i = 0; i < x->marked.count; i++)
    x->marks.data[x->marked.data[i]] = (tir_call_mark){0};
}

// From the last node to the first: every consumer comes before its operand.
static tir_status expand_call(tir_expansion *x, tir_ir_node call) {
  const tir_attrs_gradient attrs =
      *(const tir_attrs_gradient *)tir_ir_attrs(x->from, call);
  const uint32_t n_heads = (uint32_t)attrs.n_heads;
  const uint32_t n_wrt = tir_ir_n_out(x->from, call);
  uint32_t low, high;
  TIR_TRY(start_call(x));
  x->tape->mode.recording = attrs.create_graph != 0;
  x->tape->node_flags = TIR_NODE_BACKWARD;
  TIR_TRY(mark_reached(x, call, n_heads, &low, &high));
  for (uint32_t i = 0; i < n_wrt; i++) {
    // A wrt depends on itself; everything else follows from there.
    const uint32_t wrt = operand_of(x, call, 2 * n_heads + i);
    x->marks.data[wrt].depends = true;
    if (!TIR_VEC_PUSH(x->context, &x->marked, wrt)) return no_memory(x);
  }
  mark_dependents(x, low, high);
  // Head gradients come after every consumer, so they go in first.
  for (uint32_t i = n_heads; i-- > 0;)
    TIR_TRY(
        add_term(x, operand_of(x, call, i), operand_of(x, call, n_heads + i)));
  // Nodes that this call emits come behind `high` and are not met.
  for (uint32_t id = high; id >= low; id--)
    TIR_TRY(reverse_node(x, (tir_ir_node){id}));

  const tir_ir_node_data data = *tir_ir_node_at(x->from, call);
  x->tape->origin = data.origin;
  // A place of `from` ends with it.
  x->tape->site = tir_ir_keep_site(x->to, data.site);
  if (data.site && !x->tape->site) return no_memory(x);
  tir_scope_begin(x->tape);
  for (uint32_t i = 0; i < n_wrt; i++) {
    const uint32_t wrt = operand_of(x, call, 2 * n_heads + i);
    uint32_t sum;
    TIR_TRY(sum_terms(x, wrt, &sum));
    if (!sum) {
      const tir_value zeros =
          tir_zeros_like(x->tape, tir_ir_handle(x->tape, (tir_ir_value){wrt}));
      sum = tir_ir_peek(x->tape, zeros).id;
      TIR_TRY(tir_tape_check(x->tape, x->error));
    }
    x->map[data.out_first + i] = sum;
  }
  tir_scope_end(x->tape);
  end_call(x);
  return TIR_OK;
}

// --- the sweep -------------------------------------------------------------

// The outputs come last, when every value has its number in the new graph.
static tir_status sweep(tir_expansion *x) {
  tir_ir_graph *from = x->from;
  for (tir_ir_node n = tir_ir_first(from); tir_ir_node_valid(n);
       n = tir_ir_next(from, n)) {
    if (tir_ir_op(from, n) == TIR_OP_GRADIENT)
      TIR_TRY(expand_call(x, n));
    else
      TIR_TRY(copy_node(x, n));
  }
  for (size_t i = 0; i < from->outputs.count; i++) {
    const tir_ir_output out = from->outputs.data[i];
    const uint32_t old = tir_ir_resolve(from, out.value).id;
    TIR_TRY(tir_ir_add_output(x->to, (tir_ir_value){x->map[old]},
                              tir_base_strings_text(&from->strings, out.name),
                              x->error));
  }
  return TIR_OK;
}

static void expansion_free(tir_expansion *x) {
  TIR_VEC_FREE(x->context, &x->marks);
  TIR_VEC_FREE(x->context, &x->marked);
  TIR_VEC_FREE(x->context, &x->terms);
  TIR_VEC_FREE(x->context, &x->operands);
  TIR_VEC_FREE(x->context, &x->handles);
  TIR_VEC_FREE(x->context, &x->wants);
  TIR_VEC_FREE(x->context, &x->sums);
  tir_base_free(x->context, x->map, x->map_count * sizeof *x->map,
                sizeof *x->map);
  tir_ir_recorder_destroy(x->tape);
  tir_ir_graph_destroy(x->to);
}

// The new arrays take the place of the old ones inside `graph`.
static void swap_graphs(tir_ir_graph *a, tir_ir_graph *b) {
  const tir_ir_graph hold = *a;
  *a = *b;
  *b = hold;
}

tir_status tir_pass_expand_gradients(tir_ir_graph *graph,
                                     uint32_t **out_value_map,
                                     tir_error *error) {
  if (out_value_map) *out_value_map = NULL;
  tir_error local = {0};
  tir_expansion x = {.context = graph->context,
                     .from = graph,
                     .error = error ? error : &local,
                     .map_count = graph->values.count};
  // On any failure `graph` is as it was.
  tir_status status = tir_ir_graph_create(
      x.context, tir_base_strings_text(&graph->strings, graph->name), &x.to,
      error);
  if (status == TIR_OK)
    status = tir_ir_recorder_create(x.context, x.to, &x.tape, error);
  if (status == TIR_OK) {
    x.map = tir_base_alloc_zero(x.context, x.map_count * sizeof *x.map,
                                sizeof *x.map);
    status = x.map ? sweep(&x) : no_memory(&x);
  }
  if (status == TIR_OK) status = tir_pass_expand_bodies(x.to, x.error);
  if (status == TIR_OK) {
    swap_graphs(graph, x.to);
    if (out_value_map) {
      *out_value_map = x.map;
      x.map = NULL;
    }
  }
  expansion_free(&x);
  return status;
}

static tir_status run(tir_pass_ctx *ctx, tir_ir_graph *graph) {
  if (!tir_ir_has_calls(graph)) return TIR_OK;
  ctx->rewrites++;
  return tir_pass_expand_gradients(graph, NULL, ctx->error);
}

const tir_pass_desc tir_pass_gradient = {
    .name = "gradient",
    .summary = "Expand gradient calls into ordinary nodes.",
    .rewrite_class = TIR_PASS_E,
    .run = run,
};
