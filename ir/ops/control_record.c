// Recording control nodes: the callbacks fill bodies, and what these used of
// outside becomes operands behind the declared ones.
//
// The order is the same for all three: take the operands, record each body
// through its callback, add what the bodies took in to the operands, freeze the
// bodies, make the node. On any failure every result is an invalid handle, and
// what was recorded so far is freed; nodes of outside that the callbacks made
// stay.
//
// A body that draws random numbers has one more carry behind the others (a
// branch: one more operand), the root of its streams (ir/record_random.c).
// Whether it draws shows only at its end: the input is there from the start,
// and goes again if nothing was drawn.
#include <stdio.h>

#include "ir/base/checked.h"
#include "ir/ops/control.h"

enum { N_STACK_VALUES = 16 };

// A call being recorded. Its arrays end with release.
typedef struct recording {
  tir_tape *tape;
  const char *op;
  TIR_VEC(tir_value) handles;  // of one body: what goes in, then comes out
  TIR_VEC(uint32_t) operands;  // ids outside
  TIR_VEC(tir_ir_type) types;  // of the body's declared inputs
  size_t root_at;              // declared inputs in front of the root
  tir_ir_body_recorder bodies[2];
} recording;

static bool no_memory(recording *r) {
  tir_ir_keep_error(r->tape, r->op, TIR_ERR_MEMORY, "out of memory");
  return false;
}

// Bodies that were frozen left NULL in their place.
static void release(recording *r) {
  tir_context *context = r->tape->context;
  TIR_VEC_FREE(context, &r->handles);
  TIR_VEC_FREE(context, &r->operands);
  TIR_VEC_FREE(context, &r->types);
  for (int i = 0; i < 2; i++) tir_ir_body_free(r->tape, &r->bodies[i]);
}

// The error stands already; each handle remembers this call.
static void fail_all(recording *r, tir_value *out, size_t n) {
  for (size_t i = 0; out && i < n; i++)
    out[i] = tir_ir_keep_error(r->tape, r->op, TIR_ERR_STATE, "failed");
}

// --- operands --------------------------------------------------------------

// Operands of outside, each an input of the body as it is, or as a row. `what`
// and the number name an operand in messages.
static bool add_operands(recording *r, const char *what,
                         const tir_value *values, size_t n, bool rows) {
  tir_tape *tape = r->tape;
  if (n > 0 && !values) {
    tir_ir_keep_error(tape, r->op, TIR_ERR_ARGUMENT,
                      "list of %zu %s operands is NULL", n, what);
    return false;
  }
  if (!TIR_VEC_RESERVE(tape->context, &r->operands, n) ||
      !TIR_VEC_RESERVE(tape->context, &r->types, n))
    return no_memory(r);
  for (size_t i = 0; i < n; i++) {
    char operand[40] = "";
    snprintf(operand, sizeof operand, "%s %zu", what, i);
    const tir_ir_value v = tir_ir_use(tape, values[i], r->op, operand);
    if (!v.id) return false;
    tir_ir_type type;
    tir_ir_type_of(tape->graph, v, &type);
    if (rows && type.rank == 0) {
      char text[TIR_OPERAND_TEXT_MAX];
      tir_ir_keep_error(tape, r->op, TIR_ERR_SHAPE,
                        "%s is a scalar: %s, expected an axis to scan", operand,
                        tir_ir_value_text(tape, values[i], text));
      return false;
    }
    if (rows) {
      const tir_ir_type whole = type;
      type = (tir_ir_type){.dtype = whole.dtype, .rank = whole.rank - 1};
      for (int a = 0; a < type.rank; a++) {
        type.dims[a] = whole.dims[a + 1];
        type.symbols[a] = whole.symbols[a + 1];
      }
    }
    r->operands.data[r->operands.count++] = v.id;
    r->types.data[r->types.count++] = type;
  }
  return true;
}

// --- bodies ----------------------------------------------------------------

// The second body draws on where the first one ended: a condition and its trip,
// which have one root, share no stream.
static void add_root_input(recording *r, int which) {
  const tir_ir_type type = {.dtype = TIR_DTYPE_I64};
  const tir_value root = tir_ir_body_input(r->tape, &type);
  r->bodies[which].root = tir_ir_peek(r->tape, root);
  if (which) r->tape->n_random = r->bodies[0].n_random;
}

// Begins a body with its declared inputs and what `before` took in; room for
// n_out results behind the inputs in `handles`. After true, and after a failure
// that left a graph, tir_ir_body_end must follow.
static bool begin_body(recording *r, int which, const char *name,
                       const tir_ir_body_recorder *before, size_t n_out) {
  tir_tape *tape = r->tape;
  tir_ir_body_recorder *body = &r->bodies[which];
  // The first body may have pinned a dim. The operands behind the types are
  // not there yet, those before them have none.
  const size_t skip = r->operands.count - r->types.count;
  for (size_t i = 0; which && i < r->types.count; i++)
    tir_ir_type_of(tape->graph, (tir_ir_value){r->operands.data[skip + i]},
                   &r->types.data[i]);
  if (!tir_ir_body_begin(tape, body, r->op, name)) return false;
  const size_t n_in = r->types.count;
  r->handles.count = 0;
  size_t n = 0;
  if (!tir_base_size_add(n_in, n_out, &n) ||
      !TIR_VEC_RESERVE(tape->context, &r->handles, n))
    return no_memory(r);
  for (size_t i = 0; i <= n_in; i++) {
    if (i == r->root_at) add_root_input(r, which);
    if (i == n_in) break;
    r->handles.data[i] = tir_ir_body_input(tape, &r->types.data[i]);
  }
  // What a callback does not fill in stays an all-zero handle, which
  // take_outputs refuses by number.
  for (size_t i = 0; i < n_out; i++) r->handles.data[n_in + i] = (tir_value){0};
  // Both bodies then have the same inputs in the same order.
  for (size_t i = 0; before && i < before->lifted.count; i++)
    tir_ir_body_lift(tape, body, before->lifted.data[i].outside);
  return tir_ir_ready(tape);
}

// Outputs have no names: a node finds them by their number.
static void take_outputs(recording *r, const char *what, const tir_value *out,
                         size_t n) {
  tir_tape *tape = r->tape;
  for (size_t i = 0; i < n && tir_ir_ready(tape); i++) {
    char operand[40] = "";
    snprintf(operand, sizeof operand, "%s %zu of the body", what, i);
    const tir_ir_value v = tir_ir_use(tape, out[i], r->op, operand);
    if (!v.id) return;
    tir_error error;
    const tir_status status = tir_ir_add_output(tape->graph, v, NULL, &error);
    if (status != TIR_OK)
      tir_ir_keep_error(tape, r->op, status, "%s", error.message);
  }
}

// The root of the next trip, behind the carries of this one.
static void take_root(recording *r) {
  if (!r->tape->n_random || !tir_ir_ready(r->tape)) return;
  const tir_value next = tir_ir_random_next_root(r->tape);
  take_outputs(r, "root", &next, 1);
}

// Did any body draw? Asked behind the last one, whose count goes on from that
// of the first.
static size_t n_roots(const recording *r) {
  return r->bodies[0].n_random || r->bodies[1].n_random;
}

// The operand for the root, or no root in any body.
static bool add_root(recording *r) {
  tir_tape *tape = r->tape;
  if (!n_roots(r)) {
    for (int i = 0; i < 2; i++) {
      tir_ir_graph *g = r->bodies[i].graph;
      if (g) tir_ir_remove(g, tir_ir_producer(g, r->bodies[i].root));
    }
    return true;
  }
  const uint32_t root = tir_ir_peek(tape, tir_ir_random_root(tape)).id;
  if (!root) return false;
  if (!TIR_VEC_PUSH(tape->context, &r->operands, root)) return no_memory(r);
  // Operands in front of the declared ones are no inputs of bodies.
  const size_t n = r->operands.count - 1;
  const size_t at = n - r->types.count + r->root_at;
  for (size_t i = n; i > at; i--) r->operands.data[i] = r->operands.data[i - 1];
  r->operands.data[at] = root;
  return true;
}

// Freezes a recorded body into the graph; its number to *out_number. The graph
// is taken either way.
static bool keep_body(recording *r, int which, int64_t *out_number) {
  tir_tape *tape = r->tape;
  tir_ir_body *body = NULL;
  tir_error error;
  tir_ir_graph *graph = r->bodies[which].graph;
  r->bodies[which].graph = NULL;
  tir_status status = tir_ir_body_create(graph, &body, &error);
  if (status == TIR_OK)
    status = tir_ir_add_body(tape->graph, body, out_number, &error);
  tir_ir_body_release(body);
  if (status != TIR_OK)
    tir_ir_keep_error(tape, r->op, status, "%s", error.message);
  return status == TIR_OK;
}

// The root, then what the last body took in, are operands beside the declared
// ones; the first one gets what only the second used. Called while both graphs
// can still grow.
static bool add_lifted(recording *r, int last) {
  if (!add_root(r)) return false;
  const tir_ir_body_recorder *body = &r->bodies[last];
  for (size_t i = 0; i < body->lifted.count; i++) {
    const uint32_t outside = body->lifted.data[i].outside;
    if (last == 1 && !tir_ir_body_lift(r->tape, &r->bodies[0], outside))
      return false;
    if (!TIR_VEC_PUSH(r->tape->context, &r->operands, outside))
      return no_memory(r);
  }
  return true;
}

static bool record_node(recording *r, tir_op op, const void *attrs,
                        size_t n_out, tir_value *out) {
  return tir_ir_record_many(r->tape, op, r->operands.data, r->operands.count,
                            attrs, n_out, out);
}

// Room for the results of a node; on the stack for nearly all. NULL with an
// error kept; ends with give_results.
static tir_value *take_results(recording *r, tir_value *fixed, size_t n) {
  if (n <= N_STACK_VALUES) return fixed;
  size_t bytes = 0;
  tir_value *out = NULL;
  if (tir_base_size_mul(n, sizeof *out, &bytes))
    out = tir_base_alloc(r->tape->context, bytes, _Alignof(tir_value));
  if (!out) no_memory(r);
  return out;
}

static void give_results(recording *r, tir_value *out, const tir_value *fixed,
                         size_t n) {
  if (out && out != fixed)
    tir_base_free(r->tape->context, out, n * sizeof *out, _Alignof(tir_value));
}

static bool can_record(recording *r, bool callbacks) {
  if (!tir_ir_ready(r->tape)) return false;
  if (callbacks) return true;
  tir_ir_keep_error(r->tape, r->op, TIR_ERR_ARGUMENT, "a callback is NULL");
  return false;
}

// --- scan ------------------------------------------------------------------

typedef struct scan_call {
  tir_scan_body body;
  void *user;
  const tir_value *carry, *xs;
  size_t n_carry, n_xs, n_ys;
} scan_call;

// The body ends before anything is judged, or the tape would go on recording
// into it.
static bool record_trip(recording *r, const scan_call *c) {
  if (!add_operands(r, "carry", c->carry, c->n_carry, false) ||
      !add_operands(r, "x", c->xs, c->n_xs, true))
    return false;
  const size_t n_in = c->n_carry + c->n_xs;
  r->root_at = c->n_carry;
  const bool begun = begin_body(r, 0, "body", NULL, c->n_carry + c->n_ys);
  if (begun) {
    tir_value *in = r->handles.data, *out = in + n_in;
    c->body(r->tape, c->user, in, in + c->n_carry, out, out + c->n_carry);
    take_outputs(r, "carry", out, c->n_carry);
    take_root(r);
    take_outputs(r, "y", out + c->n_carry, c->n_ys);
  }
  if (r->bodies[0].graph) tir_ir_body_end(r->tape);
  return begun && tir_ir_ready(r->tape) && add_lifted(r, 0);
}

// `body` is filled in once it is frozen.
static bool scan_attrs(recording *r, const scan_call *c,
                       const tir_scan_options *options, tir_attrs_loop *a) {
  *a = (tir_attrs_loop){.n_carry = (int64_t)c->n_carry,
                        .n_xs = (int64_t)c->n_xs};
  if (!options) return true;
  a->length = options->length;
  a->reverse = options->reverse;
  for (size_t i = 0; i < 4; i++) {
    if (!options->reserved[i]) continue;
    tir_ir_keep_error(r->tape, r->op, TIR_ERR_ARGUMENT,
                      "reserved word %zu is not 0: built for a newer header",
                      i);
    return false;
  }
  return true;
}

void tir_scan(tir_tape *tape, tir_scan_body body, void *user,
              const tir_value *carry, size_t n_carry, const tir_value *xs,
              size_t n_xs, size_t n_ys, const tir_scan_options *options,
              tir_value *out_carry, tir_value *out_ys) {
  if (!tape) return;
  recording r = {.tape = tape, .op = "scan"};
  const scan_call c = {body, user, carry, xs, n_carry, n_xs, n_ys};
  tir_attrs_loop attrs;
  tir_value fixed[N_STACK_VALUES], *out = NULL;
  bool ok = can_record(&r, body != NULL) &&
            scan_attrs(&r, &c, options, &attrs) && record_trip(&r, &c) &&
            keep_body(&r, 0, &attrs.body);
  const size_t n = n_carry + n_roots(&r), n_out = 2 * n + n_ys;
  attrs.n_carry = (int64_t)n;
  ok = ok && (out = take_results(&r, fixed, n_out)) != NULL &&
       record_node(&r, TIR_OP_SCAN, &attrs, n_out, out);
  if (ok) {
    for (size_t i = 0; out_carry && i < n_carry; i++) out_carry[i] = out[i];
    for (size_t i = 0; out_ys && i < n_ys; i++) out_ys[i] = out[n + i];
  } else {
    fail_all(&r, out_carry, n_carry);
    fail_all(&r, out_ys, n_ys);
  }
  give_results(&r, out, fixed, n_out);
  release(&r);
}

// --- cond ------------------------------------------------------------------

// The second branch begins with what the first one took in.
static bool record_branch(recording *r, int which, tir_branch branch,
                          void *user, size_t n_out) {
  const bool begun = begin_body(r, which, which ? "else" : "then",
                                which ? &r->bodies[0] : NULL, n_out);
  if (begun) {
    tir_value *out = r->handles.data + r->types.count;
    branch(r->tape, user, r->handles.data, out);
    take_outputs(r, "result", out, n_out);
  }
  if (r->bodies[which].graph) tir_ir_body_end(r->tape);
  return begun && tir_ir_ready(r->tape);
}

void tir_cond(tir_tape *tape, tir_value pred, tir_branch then_branch,
              tir_branch else_branch, void *user, const tir_value *operands,
              size_t n_operands, tir_value *out, size_t n_out) {
  if (!tape) return;
  if (n_out && !out) {
    tir_ir_keep_error(tape, "cond", TIR_ERR_ARGUMENT, "out is NULL");
    return;
  }
  recording r = {.tape = tape, .op = "cond"};
  tir_attrs_cond attrs;
  bool ok = can_record(&r, then_branch && else_branch) &&
            add_operands(&r, "pred", &pred, 1, false);
  // The condition is not an input of the branches.
  r.types.count = 0;
  r.root_at = n_operands;
  ok = ok && add_operands(&r, "operand", operands, n_operands, false) &&
       record_branch(&r, 0, then_branch, user, n_out) &&
       record_branch(&r, 1, else_branch, user, n_out) && add_lifted(&r, 1) &&
       keep_body(&r, 0, &attrs.then_body) &&
       keep_body(&r, 1, &attrs.else_body) &&
       record_node(&r, TIR_OP_COND, &attrs, n_out, out);
  if (!ok) fail_all(&r, out, n_out);
  release(&r);
}

// --- while -----------------------------------------------------------------

// It gives one value, a bool; infer checks which.
static bool record_condition(recording *r, tir_while_condition condition,
                             void *user) {
  const bool begun = begin_body(r, 0, "condition", NULL, 0);
  if (begun) {
    const tir_value holds = condition(r->tape, user, r->handles.data);
    take_outputs(r, "condition", &holds, 1);
  }
  if (r->bodies[0].graph) tir_ir_body_end(r->tape);
  return begun && tir_ir_ready(r->tape);
}

static bool record_while_trip(recording *r, tir_while_body body, void *user,
                              size_t n) {
  const bool begun = begin_body(r, 1, "body", &r->bodies[0], n);
  if (begun) {
    body(r->tape, user, r->handles.data, r->handles.data + n);
    take_outputs(r, "carry", r->handles.data + n, n);
    take_root(r);
  }
  if (r->bodies[1].graph) tir_ir_body_end(r->tape);
  return begun && tir_ir_ready(r->tape);
}

// The trips stand behind the carries; the stacked carries are there only with a
// bound.
tir_value tir_while(tir_tape *tape, tir_while_condition condition,
                    tir_while_body body, void *user, const tir_value *carry,
                    size_t n_carry, int64_t max_trips, tir_value *out_carry) {
  if (!tape) return (tir_value){0};
  recording r = {.tape = tape, .op = "while", .root_at = n_carry};
  tir_attrs_while attrs = {.max_trips = max_trips};
  tir_value fixed[N_STACK_VALUES], *out = NULL, trips;
  bool ok = can_record(&r, condition && body) &&
            add_operands(&r, "carry", carry, n_carry, false) &&
            record_condition(&r, condition, user) &&
            record_while_trip(&r, body, user, n_carry) && add_lifted(&r, 1) &&
            keep_body(&r, 0, &attrs.condition) && keep_body(&r, 1, &attrs.body);
  const size_t n = n_carry + n_roots(&r), n_out = max_trips ? 2 * n + 1 : n + 1;
  attrs.n_carry = (int64_t)n;
  ok = ok && (out = take_results(&r, fixed, n_out)) != NULL &&
       record_node(&r, TIR_OP_WHILE, &attrs, n_out, out);
  if (ok) {
    for (size_t i = 0; out_carry && i < n_carry; i++) out_carry[i] = out[i];
    trips = out[n];
  } else {
    fail_all(&r, out_carry, n_carry);
    trips = tir_ir_keep_error(tape, r.op, TIR_ERR_STATE, "failed");
  }
  give_results(&r, out, fixed, n_out);
  release(&r);
  return trips;
}
