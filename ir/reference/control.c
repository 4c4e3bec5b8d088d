// Reference: control nodes, by running their bodies again and again on tensors
// of their own. Rows are copied out and in.
//
// Arguments of a body are carries first, then rows, then what it takes in from
// outside, as the operands of its node.

#include <string.h>

#include "ir/body.h"
#include "ir/reference/reference.h"

// A node being evaluated: operands and outputs as tensors.
typedef struct control {
  const tir_ir_graph *graph;
  tir_tensor *const *in;
  size_t n_in;
  tir_tensor **out;
  tir_error *error;
  // Of one body call.
  tir_tensor **args;
  size_t n_args;
  tir_tensor **results;
  size_t n_results;
} control;

static tir_context *context_of(const control *c) { return c->graph->context; }

// Leaves NULL behind, so it may be called again.
static void release(tir_tensor **tensors, size_t n) {
  for (size_t i = 0; tensors && i < n; i++) {
    tir_tensor_release(tensors[i]);
    tensors[i] = NULL;
  }
}

// One more of each, so that no block is of no bytes.
static tir_status take_room(control *c, size_t n_args, size_t n_results) {
  c->n_args = n_args;
  c->n_results = n_results;
  c->args =
      tir_base_alloc_zero(context_of(c), (n_args + 1) * sizeof *c->args, 8);
  c->results = tir_base_alloc_zero(context_of(c),
                                   (n_results + 1) * sizeof *c->results, 8);
  if (c->args && c->results) return TIR_OK;
  return tir_base_fail_memory(c->error, n_args * sizeof *c->args);
}

static void give_room(control *c) {
  release(c->args, c->n_args);
  release(c->results, c->n_results);
  tir_base_free(context_of(c), c->args, (c->n_args + 1) * sizeof *c->args, 8);
  tir_base_free(context_of(c), c->results,
                (c->n_results + 1) * sizeof *c->results, 8);
}

static void copy_data(tir_tensor *to, const tir_tensor *from) {
  if (to->size_bytes) memcpy(to->data, from->data, to->size_bytes);
}

// x[t] as a tensor of its own, of one rank less.
static tir_status row_of(control *c, const tir_tensor *x, int64_t t,
                         tir_tensor **out) {
  TIR_TRY(tir_tensor_create(context_of(c), x->dtype, x->dims + 1, x->rank - 1,
                            out, c->error));
  const size_t size = (*out)->size_bytes;
  if (size)
    memcpy((*out)->data, (const char *)x->data + (size_t)t * size, size);
  return TIR_OK;
}

static void put_row(tir_tensor *to, int64_t t, const tir_tensor *row) {
  const size_t size = row->size_bytes;
  if (size) memcpy((char *)to->data + (size_t)t * size, row->data, size);
}

// What the call before gave goes first; what is still wanted of it was retained
// as an argument.
static tir_status call_body(control *c, const tir_ir_graph *body) {
  release(c->results, c->n_results);
  return tir_reference_graph(body, c->args, NULL, c->results, c->error);
}

// Before the old one goes: they may be the same.
static void set_arg(control *c, size_t i, tir_tensor *tensor) {
  tir_tensor_retain(tensor);
  tir_tensor_release(c->args[i]);
  c->args[i] = tensor;
}

// --- scan ------------------------------------------------------------------

// Outputs of the node are the n carries at the end, n_ys results stacked by
// row, and for each carry what it was before every row, stacked too.
static tir_status one_row(control *c, const tir_attrs_loop *a,
                          const tir_ir_graph *body, int64_t t) {
  const size_t n = (size_t)a->n_carry, n_xs = (size_t)a->n_xs;
  const size_t n_ys = body->outputs.count - n;
  for (size_t i = 0; i < n; i++) put_row(c->out[n + n_ys + i], t, c->args[i]);
  for (size_t i = n; i < n + n_xs; i++) {
    tir_tensor *row = NULL;
    TIR_TRY(row_of(c, c->in[i], t, &row));
    set_arg(c, i, row);
    tir_tensor_release(row);
  }
  TIR_TRY(call_body(c, body));
  for (size_t i = 0; i < n; i++) set_arg(c, i, c->results[i]);
  for (size_t i = 0; i < n_ys; i++)
    put_row(c->out[n + i], t, c->results[n + i]);
  return TIR_OK;
}

static tir_status scan(control *c, const tir_attrs_loop *a,
                       const tir_ir_graph *body) {
  const size_t n = (size_t)a->n_carry;
  // Without rows an attribute says how often.
  const int64_t length = a->n_xs ? c->in[n]->dims[0] : a->length;
  TIR_TRY(take_room(c, c->n_in, body->outputs.count));
  for (size_t i = 0; i < c->n_in; i++) set_arg(c, i, c->in[i]);
  for (int64_t k = 0; k < length; k++)
    TIR_TRY(one_row(c, a, body, a->reverse ? length - 1 - k : k));
  for (size_t i = 0; i < n; i++) copy_data(c->out[i], c->args[i]);
  return TIR_OK;
}

// --- cond ------------------------------------------------------------------

// Operand 0 decides; both bodies get all the others.
static tir_status cond(control *c, const tir_ir_graph *then_body,
                       const tir_ir_graph *else_body) {
  const bool holds = *(const uint8_t *)c->in[0]->data != 0;
  const tir_ir_graph *body = holds ? then_body : else_body;
  TIR_TRY(take_room(c, c->n_in - 1, body->outputs.count));
  for (size_t i = 1; i < c->n_in; i++) set_arg(c, i - 1, c->in[i]);
  TIR_TRY(call_body(c, body));
  for (size_t i = 0; i < c->n_results; i++) copy_data(c->out[i], c->results[i]);
  return TIR_OK;
}

// --- while -----------------------------------------------------------------

static tir_status holds(control *c, const tir_ir_graph *condition,
                        bool *out_holds) {
  tir_tensor *flag = NULL;
  TIR_TRY(tir_reference_graph(condition, c->args, NULL, &flag, c->error));
  *out_holds = *(const uint8_t *)flag->data != 0;
  tir_tensor_release(flag);
  return TIR_OK;
}

// Outputs: the carries at the end, the number of trips and, with a bound on
// trips, what each carry was before every one. Rows not reached stay zero, as
// they were made.
static tir_status loop(control *c, const tir_attrs_while *a,
                       const tir_ir_graph *condition,
                       const tir_ir_graph *body) {
  const size_t n = (size_t)a->n_carry;
  int64_t k = 0;
  TIR_TRY(take_room(c, c->n_in, n));
  for (size_t i = 0; i < c->n_in; i++) set_arg(c, i, c->in[i]);
  // At the bound the condition is not asked again.
  for (; !a->max_trips || k < a->max_trips; k++) {
    bool goes_on = false;
    TIR_TRY(holds(c, condition, &goes_on));
    if (!goes_on) break;
    for (size_t i = 0; a->max_trips && i < n; i++)
      put_row(c->out[n + 1 + i], k, c->args[i]);
    TIR_TRY(call_body(c, body));
    for (size_t i = 0; i < n; i++) set_arg(c, i, c->results[i]);
  }
  for (size_t i = 0; i < n; i++) copy_data(c->out[i], c->args[i]);
  memcpy(c->out[n]->data, &k, sizeof k);
  return TIR_OK;
}

// Bodies stand first among the attributes, two at most.
static tir_status eval(control *c, tir_ir_node node) {
  const tir_op_desc *desc = tir_ir_desc(c->graph, node);
  const void *attrs = tir_ir_attrs(c->graph, node);
  const tir_ir_graph *bodies[2] = {NULL, NULL};
  for (size_t i = 0; i < 2 && i < desc->n_attrs; i++) {
    const tir_ir_body *body = tir_ir_body_of(c->graph, &desc->attrs[i], attrs);
    if (body) bodies[i] = body->graph;
  }
  switch (tir_ir_op(c->graph, node)) {
    case TIR_OP_SCAN:
      return scan(c, attrs, bodies[0]);
    case TIR_OP_COND:
      return cond(c, bodies[0], bodies[1]);
    default:
      return loop(c, attrs, bodies[0], bodies[1]);
  }
}

tir_status tir_reference_control(const tir_ir_graph *graph, tir_ir_node node,
                                 tir_tensor *const *in, tir_tensor **out,
                                 tir_error *error) {
  control c = {.graph = graph,
               .in = in,
               .n_in = tir_ir_n_in(graph, node),
               .out = out,
               .error = error};
  const tir_status status = eval(&c, node);
  give_room(&c);
  return status;
}

// One call without a graph has no bodies.
static tir_status no_bodies(const tir_reference_call *call) {
  return tir_base_fail(call->error, TIR_ERR_UNSUPPORTED,
                       "reference: a control node needs its graph");
}

tir_status tir_reference_scan(const tir_reference_call *call) {
  return no_bodies(call);
}
tir_status tir_reference_cond(const tir_reference_call *call) {
  return no_bodies(call);
}
tir_status tir_reference_while(const tir_reference_call *call) {
  return no_bodies(call);
}
