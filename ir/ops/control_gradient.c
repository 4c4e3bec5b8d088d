// Gradients of control nodes, as control nodes.
//
//   scan   a scan the other way round: carries the gradients of the carries
//          and sums those of the values of outside; its rows are the carries
//          before each trip, the xs, and the gradients of the ys
//   cond   a cond of the branches' gradients
//   while  a scan backward over max_trips trips, in which a cond leaves out
//          those that were not made
//
// Each backward body holds the forward body again, and a gradient call over
// it that the gradient pass expands. So a rule needs no knowledge of what is
// inside, and higher orders are the same rules once more.
#include <string.h>

#include "ir/ops/control.h"

// A loop being differentiated: what the forward node has, and the lists of the
// loop that goes back.
typedef struct backward {
  const tir_ir_vjp *q;
  const tir_ir_graph *body;    // forward
  size_t n_carry, n_xs, n_ys;  // of the forward node
  size_t n_rest;               // operands behind carries and xs
  size_t stacks;               // output of the first stacked carry
  bool *is_float;              // by carry
  // Of the backward loop: carries are gradients of float carries, then sums;
  // rows are xs, carries, gradients of ys, gradients of stacked carries.
  size_t n_d, n_sums, n_dy, n_ds, n_dx;
  TIR_VEC(tir_value) carry;
  TIR_VEC(tir_value) rows;
  TIR_VEC(tir_value) results;
} backward;

typedef TIR_VEC(tir_value) value_vec;
typedef TIR_VEC(uint32_t) id_vec;

static bool no_memory(tir_tape *tape, const char *op) {
  tir_ir_keep_error(tape, op, TIR_ERR_MEMORY, "out of memory for a gradient");
  return false;
}

#define PUSH(tape, vec, item)                      \
  (TIR_VEC_PUSH((tape)->context, (vec), (item)) || \
   no_memory((tape), "gradient"))

// --- pieces ----------------------------------------------------------------

static bool is_compute(tir_tape *tape, tir_value x) {
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  return tir_ir_dtype_is_compute_float(type.dtype);
}

static bool is_float(tir_tape *tape, tir_value x) {
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  return tir_ir_dtype_is_float(type.dtype);
}

// Halves are for storage: they are added in f32 and rounded once.
static tir_value add_gradients(tir_tape *tape, tir_value a, tir_value b) {
  if (is_compute(tape, a)) return tir_add(tape, a, b);
  tir_ir_type type;
  tir_ir_value_type(tape, a, &type);
  const tir_value sum = tir_add(tape, tir_cast(tape, a, TIR_DTYPE_F32),
                                tir_cast(tape, b, TIR_DTYPE_F32));
  return tir_cast(tape, sum, type.dtype);
}

// Sums over many trips would lose digits in a half.
static tir_value in_f32(tir_tape *tape, tir_value x) {
  return is_compute(tape, x) ? x : tir_cast(tape, x, TIR_DTYPE_F32);
}

// A missing gradient is an exact zero, which a carry of a loop must still be
// told.
static tir_value or_zeros(tir_tape *tape, tir_value gradient, tir_value like) {
  return tir_ir_has(gradient) ? gradient : tir_zeros_like(tape, like);
}

// `map` leads from value ids of the body to those of the target; a node comes
// behind its operands in either.
static tir_status copy_nodes(tir_tape *tape, const tir_ir_graph *body,
                             uint32_t *map, id_vec *operands,
                             tir_error *error) {
  for (tir_ir_node n = tir_ir_first(body); n.id; n = tir_ir_next(body, n)) {
    if (tir_ir_op(body, n) == TIR_OP_INPUT) continue;
    const uint32_t n_in = tir_ir_n_in(body, n);
    operands->count = 0;
    if (!TIR_VEC_RESERVE(tape->context, operands, n_in))
      return tir_base_fail_memory(error, n_in * sizeof(uint32_t));
    for (uint32_t i = 0; i < n_in; i++)
      operands->data[i] = map[tir_ir_in(body, n, i).id];
    tir_ir_node copy;
    TIR_TRY(
        tir_ir_copy_node(tape->graph, body, n, operands->data, &copy, error));
    tir_ir_node_at(tape->graph, copy)->flags |= tape->node_flags;
    for (uint32_t i = 0; i < tir_ir_n_out(body, n); i++) {
      const tir_ir_value v = tir_ir_out(tape->graph, copy, i);
      // Names belong to the forward pass, where they are met once.
      tir_ir_value_at(tape->graph, v)->name = 0;
      map[tir_ir_out(body, n, i).id] = v.id;
    }
  }
  return TIR_OK;
}

// The nodes of a body on other inputs; its outputs to `out`.
static bool inline_body(tir_tape *tape, const tir_ir_graph *body,
                        const tir_value *in, value_vec *out) {
  const size_t bytes = body->values.count * sizeof(uint32_t);
  uint32_t *map = tir_base_alloc_zero(tape->context, bytes, _Alignof(uint32_t));
  if (!map) return no_memory(tape, "gradient");
  id_vec operands = {0};
  bool ok = true;
  for (size_t i = 0; ok && i < body->inputs.count; i++) {
    const uint32_t v = tir_ir_use(tape, in[i], "gradient", "operand").id;
    map[body->inputs.data[i].id] = v;
    ok = v != 0;
  }
  tir_error error;
  tir_status status = TIR_OK;
  if (ok) status = copy_nodes(tape, body, map, &operands, &error);
  if (status != TIR_OK) {
    tir_ir_keep_error(tape, "gradient", status, "%s", error.message);
    ok = false;
  }
  for (size_t i = 0; ok && i < body->outputs.count; i++) {
    const tir_ir_value v = {map[body->outputs.data[i].value.id]};
    ok = PUSH(tape, out, tir_ir_handle(tape, v));
  }
  TIR_VEC_FREE(tape->context, &operands);
  tir_base_free(tape->context, map, bytes, _Alignof(uint32_t));
  return ok;
}

// A gradient call: heads, as many gradients, variables; results to `out`.
// create_graph keeps the call's own nodes differentiable, for higher orders.
static bool call_gradient(tir_tape *tape, const value_vec *heads,
                          const value_vec *gradients, const value_vec *wrt,
                          value_vec *out) {
  id_vec operands = {0};
  const value_vec *const parts[] = {heads, gradients, wrt};
  bool ok = true;
  for (int p = 0; p < 3; p++)
    for (size_t i = 0; ok && i < parts[p]->count; i++) {
      const uint32_t v =
          tir_ir_use(tape, parts[p]->data[i], "gradient", "operand").id;
      ok = v && PUSH(tape, &operands, v);
    }
  if (ok && !TIR_VEC_RESERVE(tape->context, out, wrt->count))
    ok = no_memory(tape, "gradient");
  const tir_attrs_gradient attrs = {.n_heads = (int64_t)heads->count,
                                    .create_graph = 1};
  ok = ok && tir_ir_record_many(tape, TIR_OP_GRADIENT, operands.data,
                                operands.count, &attrs, wrt->count, out->data);
  if (ok) out->count = wrt->count;
  TIR_VEC_FREE(tape->context, &operands);
  return ok;
}

// What one backward body needs, gathered and freed together.
typedef struct piece {
  value_vec in, out, heads, gradients, wrt, grads;
} piece;

static void free_piece(tir_tape *tape, piece *p) {
  tir_context *context = tape->context;
  TIR_VEC_FREE(context, &p->in);
  TIR_VEC_FREE(context, &p->out);
  TIR_VEC_FREE(context, &p->heads);
  TIR_VEC_FREE(context, &p->gradients);
  TIR_VEC_FREE(context, &p->wrt);
  TIR_VEC_FREE(context, &p->grads);
}

static bool add_head(tir_tape *tape, piece *p, tir_value head,
                     tir_value gradient) {
  return PUSH(tape, &p->heads, head) && PUSH(tape, &p->gradients, gradient);
}

// --- one trip backward -----------------------------------------------------

// The forward body is made again on the carries before the trip. Heads are its
// float carries, with the gradients carried here, and the ys that have a
// gradient; variables are the float carries, then the xs and the values of
// outside that are wanted.
static bool gather_trip(const backward *b, tir_tape *tape,
                        const tir_value *carry, const tir_value *row,
                        piece *p) {
  const tir_ir_vjp *q = b->q;
  const size_t rest = b->n_carry + b->n_xs;
  const tir_value *before = row + b->n_xs, *dy = before + b->n_carry;
  bool ok = true;
  for (size_t i = 0; ok && i < b->n_carry; i++)
    ok = PUSH(tape, &p->in, before[i]);
  for (size_t i = 0; ok && i < b->n_xs; i++) ok = PUSH(tape, &p->in, row[i]);
  for (size_t i = 0; ok && i < b->n_rest; i++)
    ok = PUSH(tape, &p->in, q->in[rest + i]);
  ok = ok && inline_body(tape, b->body, p->in.data, &p->out);
  for (size_t i = 0, d = 0; ok && i < b->n_carry; i++)
    if (b->is_float[i]) ok = add_head(tape, p, p->out.data[i], carry[d++]);
  for (size_t i = 0; ok && i < b->n_ys; i++)
    if (tir_ir_has(q->out_grad[b->n_carry + i]))
      ok = add_head(tape, p, p->out.data[b->n_carry + i], *dy++);
  for (size_t i = 0; ok && i < b->n_carry; i++)
    if (b->is_float[i]) ok = PUSH(tape, &p->wrt, before[i]);
  for (size_t i = b->n_carry; ok && i < rest + b->n_rest; i++)
    if (q->wants[i]) ok = PUSH(tape, &p->wrt, p->in.data[i]);
  return ok;
}

// Gradients come in the order of the variables. One that reaches a stacked
// carry from elsewhere is added to that of the carry before this trip.
static void trip(const backward *b, tir_tape *tape, const tir_value *carry,
                 const tir_value *row, tir_value *out_carry,
                 tir_value *out_dx) {
  piece p = {0};
  if (gather_trip(b, tape, carry, row, &p) &&
      call_gradient(tape, &p.heads, &p.gradients, &p.wrt, &p.grads)) {
    const tir_value *g = p.grads.data;
    const tir_value *ds = row + b->n_xs + b->n_carry + b->n_dy;
    for (size_t i = 0, d = 0; i < b->n_carry; i++) {
      if (!b->is_float[i]) continue;
      tir_value sum = *g++;
      if (tir_ir_has(b->q->out_grad[b->stacks + i]))
        sum = add_gradients(tape, sum, *ds++);
      out_carry[d++] = sum;
    }
    for (size_t i = 0; i < b->n_dx; i++) out_dx[i] = *g++;
    for (size_t i = 0; i < b->n_sums; i++)
      out_carry[b->n_d + i] =
          tir_add(tape, carry[b->n_d + i], in_f32(tape, *g++));
  }
  free_piece(tape, &p);
}

// --- the loop backward -----------------------------------------------------

// They begin as the gradients of the last carries, and the sums as zeros.
static bool gather_carries(backward *b) {
  const tir_ir_vjp *q = b->q;
  tir_tape *tape = q->tape;
  bool ok = true;
  for (size_t i = 0; ok && i < b->n_carry; i++) {
    b->is_float[i] = is_float(tape, q->in[i]);
    if (!b->is_float[i]) continue;
    b->n_d++;
    ok = PUSH(tape, &b->carry, or_zeros(tape, q->out_grad[i], q->out[i]));
  }
  const size_t rest = b->n_carry + b->n_xs;
  for (size_t i = rest; ok && i < q->n_in; i++) {
    if (!q->wants[i]) continue;
    b->n_sums++;
    ok = PUSH(tape, &b->carry, in_f32(tape, tir_zeros_like(tape, q->in[i])));
  }
  return ok;
}

// A row that no gradient reaches is left out, here and in gather_trip: both ask
// the same question, so the rows stay in step.
static bool gather_rows(backward *b) {
  const tir_ir_vjp *q = b->q;
  tir_tape *tape = q->tape;
  bool ok = true;
  for (size_t i = 0; ok && i < b->n_xs; i++) {
    b->n_dx += q->wants[b->n_carry + i];
    ok = PUSH(tape, &b->rows, q->in[b->n_carry + i]);
  }
  for (size_t i = 0; ok && i < b->n_carry; i++)
    ok = PUSH(tape, &b->rows, q->out[b->stacks + i]);
  for (size_t i = 0; ok && i < b->n_ys; i++) {
    const tir_value dy = q->out_grad[b->n_carry + i];
    if (!tir_ir_has(dy)) continue;
    b->n_dy++;
    ok = PUSH(tape, &b->rows, dy);
  }
  for (size_t i = 0; ok && i < b->n_carry; i++) {
    const tir_value ds = q->out_grad[b->stacks + i];
    if (!tir_ir_has(ds)) continue;
    b->n_ds++;
    ok = PUSH(tape, &b->rows, ds);
  }
  return ok;
}

// Counts are known only behind both lists.
static bool gather(backward *b) {
  tir_tape *tape = b->q->tape;
  b->is_float = tir_base_alloc_zero(tape->context, b->n_carry + 1, 1);
  if (!b->is_float) return no_memory(tape, "gradient");
  if (!gather_carries(b) || !gather_rows(b)) return false;
  const size_t n = b->carry.count + b->n_dx;
  if (!TIR_VEC_RESERVE(tape->context, &b->results, n + 1))
    return no_memory(tape, "gradient");
  b->results.count = n;
  return tir_ir_ready(tape);
}

// The loop's results to the operands they are gradients of. In the order in
// which the loop gives them: carries, sums, then the rows of dx.
static void give_gradients(const backward *b) {
  const tir_ir_vjp *q = b->q;
  const tir_value *d = b->results.data, *sum = d + b->n_d;
  const tir_value *dx = sum + b->n_sums;
  for (size_t i = 0; i < b->n_carry; i++) {
    if (!b->is_float[i]) continue;
    if (q->wants[i]) q->in_grad[i] = *d;
    d++;
  }
  for (size_t i = 0; i < b->n_xs; i++)
    if (q->wants[b->n_carry + i]) q->in_grad[b->n_carry + i] = *dx++;
  for (size_t i = b->n_carry + b->n_xs; i < q->n_in; i++) {
    if (!q->wants[i]) continue;
    tir_ir_type type;
    tir_ir_value_type(q->tape, q->in[i], &type);
    q->in_grad[i] = tir_ir_dtype_is_compute_float(type.dtype)
                        ? *sum
                        : tir_cast(q->tape, *sum, type.dtype);
    sum++;
  }
}

static void free_backward(backward *b) {
  tir_context *context = b->q->tape->context;
  TIR_VEC_FREE(context, &b->carry);
  TIR_VEC_FREE(context, &b->rows);
  TIR_VEC_FREE(context, &b->results);
  tir_base_free(context, b->is_float, b->n_carry + 1, 1);
}

// Infer has agreed to the number.
static const tir_ir_graph *body_of(const tir_ir_vjp *q, int64_t number) {
  return q->tape->graph->bodies.data[number - 1]->graph;
}

static void scan_trip(tir_tape *tape, void *user, const tir_value *carry,
                      const tir_value *row, tir_value *out_carry,
                      tir_value *out_dx) {
  trip(user, tape, carry, row, out_carry, out_dx);
}

void tir_ir_scan_vjp(const tir_ir_vjp *q) {
  const tir_attrs_loop *a = q->attrs;
  backward b = {.q = q,
                .body = body_of(q, a->body),
                .n_carry = (size_t)a->n_carry,
                .n_xs = (size_t)a->n_xs};
  b.n_ys = q->n_out - 2 * b.n_carry;
  b.n_rest = q->n_in - b.n_carry - b.n_xs;
  b.stacks = b.n_carry + b.n_ys;
  if (gather(&b)) {
    // With neither carries nor xs there is nothing to scan over.
    const tir_scan_options options = {.reverse = !a->reverse};
    tir_scan(q->tape, scan_trip, &b, b.carry.data, b.carry.count, b.rows.data,
             b.rows.count, b.n_dx, &options, b.results.data,
             b.results.data + b.carry.count);
    if (tir_ir_ready(q->tape)) give_gradients(&b);
  }
  free_backward(&b);
}

// --- while -----------------------------------------------------------------

// One trip that may not have been made: `carry` and `row` are one list.
static void made_trip(tir_tape *tape, void *user, const tir_value *operands,
                      tir_value *out) {
  const backward *b = user;
  trip(b, tape, operands, operands + b->carry.count, out, NULL);
}

static void skipped_trip(tir_tape *tape, void *user, const tir_value *operands,
                         tir_value *out) {
  const backward *b = user;
  (void)tape;
  for (size_t i = 0; i < b->carry.count; i++) out[i] = operands[i];
}

// The forward loop made trips 0 … n − 1 of max_trips; going back, those from n
// on are skipped first, and the carries pass them unchanged.
static void while_trip(tir_tape *tape, void *user, const tir_value *carry,
                       const tir_value *row, tir_value *out_carry,
                       tir_value *out_dx) {
  const backward *b = user;
  (void)out_dx;
  value_vec operands = {0};
  bool ok = true;
  for (size_t i = 0; ok && i < b->carry.count; i++)
    ok = PUSH(tape, &operands, carry[i]);
  // The last row is the trip's number.
  for (size_t i = 0; ok && i + 1 < b->rows.count; i++)
    ok = PUSH(tape, &operands, row[i]);
  if (ok) {
    const tir_value trips = b->q->out[b->n_carry];
    const tir_value was_made = tir_less(tape, row[b->rows.count - 1], trips);
    tir_cond(tape, was_made, made_trip, skipped_trip, user, operands.data,
             operands.count, out_carry, b->carry.count);
  }
  TIR_VEC_FREE(tape->context, &operands);
}

void tir_ir_while_vjp(const tir_ir_vjp *q) {
  const tir_attrs_while *a = q->attrs;
  tir_tape *tape = q->tape;
  if (!a->max_trips) {
    tir_ir_keep_error(tape, "while", TIR_ERR_UNSUPPORTED,
                      "its gradient needs a bound on the trips: max_trips");
    return;
  }
  backward b = {.q = q,
                .body = body_of(q, a->body),
                .n_carry = (size_t)a->n_carry,
                .stacks = (size_t)a->n_carry + 1};
  b.n_rest = q->n_in - b.n_carry;
  const int64_t max_trips = a->max_trips;
  if (gather(&b) &&
      PUSH(tape, &b.rows, tir_arange(tape, TIR_DTYPE_I64, max_trips))) {
    const tir_scan_options options = {.reverse = true};
    tir_scan(tape, while_trip, &b, b.carry.data, b.carry.count, b.rows.data,
             b.rows.count, 0, &options, b.results.data, NULL);
    if (tir_ir_ready(tape)) give_gradients(&b);
  }
  free_backward(&b);
}

// --- cond ------------------------------------------------------------------

// A cond being differentiated.
typedef struct branches {
  const tir_ir_vjp *q;
  const tir_ir_graph *bodies[2];
} branches;

// Operands are those of the branches, then the gradients that there are.
static bool gather_branch(const branches *c, int which, tir_tape *tape,
                          const tir_value *operands, piece *p) {
  const tir_ir_vjp *q = c->q;
  const tir_value *gradient = operands + q->n_in - 1;
  bool ok = inline_body(tape, c->bodies[which], operands, &p->out);
  for (size_t i = 0; ok && i < q->n_out; i++)
    if (tir_ir_has(q->out_grad[i]))
      ok = add_head(tape, p, p->out.data[i], *gradient++);
  for (size_t i = 1; ok && i < q->n_in; i++)
    if (q->wants[i]) ok = PUSH(tape, &p->wrt, operands[i - 1]);
  return ok;
}

// `which` is 0 for the then branch, 1 for the other; results stand in the order
// of the operands wanted.
static void branch(const branches *c, int which, tir_tape *tape,
                   const tir_value *operands, tir_value *out) {
  piece p = {0};
  if (gather_branch(c, which, tape, operands, &p) &&
      call_gradient(tape, &p.heads, &p.gradients, &p.wrt, &p.grads))
    for (size_t i = 0; i < p.grads.count; i++) out[i] = p.grads.data[i];
  free_piece(tape, &p);
}

static void then_branch(tir_tape *tape, void *user, const tir_value *operands,
                        tir_value *out) {
  branch(user, 0, tape, operands, out);
}

static void else_branch(tir_tape *tape, void *user, const tir_value *operands,
                        tir_value *out) {
  branch(user, 1, tape, operands, out);
}

// The condition has no gradient: it is a bool.
void tir_ir_cond_vjp(const tir_ir_vjp *q) {
  const tir_attrs_cond *a = q->attrs;
  tir_tape *tape = q->tape;
  branches c = {.q = q,
                .bodies = {body_of(q, a->then_body), body_of(q, a->else_body)}};
  value_vec operands = {0}, results = {0};
  size_t n_out = 0;
  bool ok = true;
  for (size_t i = 1; ok && i < q->n_in; i++) {
    n_out += q->wants[i];
    ok = PUSH(tape, &operands, q->in[i]);
  }
  for (size_t i = 0; ok && i < q->n_out; i++)
    if (tir_ir_has(q->out_grad[i])) ok = PUSH(tape, &operands, q->out_grad[i]);
  if (ok && !TIR_VEC_RESERVE(tape->context, &results, n_out))
    ok = no_memory(tape, "gradient");
  if (ok) {
    tir_cond(tape, q->in[0], then_branch, else_branch, &c, operands.data,
             operands.count, results.data, n_out);
    const tir_value *g = results.data;
    for (size_t i = 1; i < q->n_in && tir_ir_ready(tape); i++)
      if (q->wants[i]) q->in_grad[i] = *g++;
  }
  TIR_VEC_FREE(tape->context, &operands);
  TIR_VEC_FREE(tape->context, &results);
}
