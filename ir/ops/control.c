// Structured control: scan, cond and while, whose computation is a body.
//
// Here is what they check and what types they give; recording is in
// control_record.c, gradients in control_gradient.c. Bodies are found by number
// in the graph, so these infer functions need one.
//
// A body is checked against its node by types: its inputs are what the operands
// give it, its outputs decide the results. Nothing in here looks at the nodes
// of a body, which were verified when it was made.
#include "ir/ops/control.h"

#include <inttypes.h>
#include <stddef.h>

#include "ir/attr.h"
#include "ir/ops/checks.h"

// --- what they share -------------------------------------------------------

// The body an attribute names, by the attribute's place in the schema. Without
// a graph (the op table asks so) there are no bodies and the node is refused.
static tir_status find_body(const tir_ir_infer_query *q, size_t attr,
                            const tir_ir_graph **out_graph) {
  const tir_ir_body *body =
      q->graph ? tir_ir_body_of(q->graph, &q->desc->attrs[attr], q->attrs)
               : NULL;
  if (!body)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT, "%s is no body of the graph",
                       q->desc->attrs[attr].name);
  *out_graph = body->graph;
  return TIR_OK;
}

// Types that print alike may still differ in the names of their dims.
static const char *only_names(const tir_ir_type *a, const tir_ir_type *b) {
  return a->dtype == b->dtype && tir_ir_same_shape(a, b)
             ? " with other dim names"
             : "";
}

// The body's inputs are what the operands give. body_inputs of the descriptor
// tells which operands go in, and as what.
static tir_status check_inputs(const tir_ir_infer_query *q, const char *name,
                               const tir_ir_graph *body) {
  // One entry over, so that the block is never empty.
  const size_t bytes = (q->n_in + 1) * sizeof(tir_ir_type);
  tir_ir_type *types =
      tir_base_alloc(q->graph->context, bytes, _Alignof(tir_ir_type));
  if (!types) return tir_base_fail_memory(q->error, bytes);
  const size_t n = q->desc->body_inputs(q->attrs, q->in, q->n_in, types);
  tir_status status = TIR_OK;
  if (n != body->inputs.count)
    status = tir_ir_fail(q, TIR_ERR_ARGUMENT,
                         "the %s has %zu inputs, the operands give %zu", name,
                         body->inputs.count, n);
  for (size_t i = 0; status == TIR_OK && i < n; i++) {
    tir_ir_type type;
    char is[TIR_TYPE_TEXT_MAX], gives[TIR_TYPE_TEXT_MAX];
    tir_ir_view_type(q->graph, body, body->inputs.data[i], &type);
    if (!tir_ir_type_equal(&type, &types[i]))
      status = tir_ir_fail(
          q, type.dtype != types[i].dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
          "input %zu of the %s is %s, its operand gives %s%s", i, name,
          tir_ir_type_text(&type, is), tir_ir_type_text(&types[i], gives),
          only_names(&type, &types[i]));
  }
  tir_base_free(q->graph->context, types, bytes, _Alignof(tir_ir_type));
  return status;
}

// In the strings of the graph outside.
static void output_type(const tir_ir_infer_query *q, const tir_ir_graph *body,
                        size_t i, tir_ir_type *out) {
  tir_ir_view_type(q->graph, body, body->outputs.data[i].value, out);
}

// `exact`: as many as `least`, no more.
static tir_status check_outputs(const tir_ir_infer_query *q, const char *name,
                                const tir_ir_graph *body, size_t least,
                                bool exact) {
  const size_t n = body->outputs.count;
  if (exact ? n == least : n >= least) return TIR_OK;
  return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                     "the %s returns %zu values, expected %s%zu", name, n,
                     exact ? "" : "at least ", least);
}

// A carry has one type, before and after a trip. What comes out of one trip
// goes into the next, so not even a dim's name may change.
static tir_status check_carry(const tir_ir_infer_query *q, size_t operand,
                              size_t i, const tir_ir_graph *body) {
  tir_ir_type after;
  char before_text[TIR_OPERAND_TEXT_MAX], after_text[TIR_TYPE_TEXT_MAX];
  output_type(q, body, i, &after);
  const tir_ir_type *before = &q->in[operand];
  if (tir_ir_type_equal(before, &after)) return TIR_OK;
  return tir_ir_fail(
      q, before->dtype != after.dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
      "carry %zu changes its type: %s goes in, %s comes out%s", i,
      tir_ir_operand_text(q, operand, before_text),
      tir_ir_type_text(&after, after_text), only_names(before, &after));
}

// One more axis in front. `what` and `i` name the value in a message; `n` is
// the number of trips.
static tir_status stack(const tir_ir_infer_query *q, const char *what, size_t i,
                        const tir_ir_type *type, int64_t n, uint32_t symbol,
                        tir_ir_type *out) {
  if (type->rank == TIR_MAX_RANK)
    return tir_ir_fail(q, TIR_ERR_SHAPE,
                       "%s %zu has rank %d, which cannot be stacked: at most "
                       "%d",
                       what, i, type->rank, TIR_MAX_RANK - 1);
  *out = (tir_ir_type){.dtype = type->dtype, .rank = type->rank + 1};
  out->dims[0] = n;
  out->symbols[0] = symbol;
  for (int a = 0; a < type->rank; a++) tir_ir_copy_dim(type, a, out, a + 1);
  return TIR_OK;
}

// A file says how many results a node has, so it is compared.
static tir_status check_n_out(const tir_ir_infer_query *q, size_t n) {
  if (q->n_out == n) return TIR_OK;
  return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                     "wrong number of results: %zu, expected %zu", q->n_out, n);
}

// Attributes may be any number: compared before it is converted.
static bool is_count(int64_t n, size_t most) {
  return n >= 0 && (uint64_t)n <= most;
}

// --- scan ------------------------------------------------------------------

// Counts are attributes because they tell which operand is what.
static const tir_ir_attr scan_attrs[] = {
    {.name = "body",
     .kind = TIR_ATTR_BODY,
     .offset = offsetof(tir_attrs_loop, body),
     .required = true},
    {.name = "n_carry",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_loop, n_carry)},
    {.name = "n_xs",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_loop, n_xs)},
    {.name = "length",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_loop, length)},
    {.name = "reverse",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_loop, reverse)},
};

// Carries as they are, xs without their first axis, the rest as it is. SIZE_MAX
// where the attributes do not fit the operands: infer then says which.
static size_t scan_inputs(const void *attrs, const tir_ir_type *in, size_t n_in,
                          tir_ir_type *out) {
  const tir_attrs_loop *loop = attrs;
  if (!is_count(loop->n_carry, n_in) ||
      !is_count(loop->n_xs, n_in - (size_t)loop->n_carry))
    return SIZE_MAX;
  const size_t first = (size_t)loop->n_carry;
  const size_t end = first + (size_t)loop->n_xs;
  for (size_t i = 0; i < n_in; i++) {
    out[i] = in[i];
    if (i < first || i >= end) continue;
    if (in[i].rank == 0) return SIZE_MAX;
    out[i] = (tir_ir_type){.dtype = in[i].dtype, .rank = in[i].rank - 1};
    for (int a = 1; a < in[i].rank; a++)
      tir_ir_copy_dim(&in[i], a, &out[i], a - 1);
  }
  return n_in;
}

// With xs their first axis gives the number of trips; without, an attribute
// does.
static tir_status check_loop(const tir_ir_infer_query *q) {
  const tir_attrs_loop *a = q->attrs;
  if (!is_count(a->n_carry, q->n_in) ||
      !is_count(a->n_xs, q->n_in - (size_t)a->n_carry) ||
      a->n_carry + a->n_xs == 0)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "%" PRId64 " carries and %" PRId64
                       " xs of %zu operands, expected one at least",
                       a->n_carry, a->n_xs, q->n_in);
  if (a->n_xs ? a->length != 0 : a->length < 0)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "length is %" PRId64 ", expected %s", a->length,
                       a->n_xs ? "0, as the xs give it" : "0 or more");
  const size_t first = (size_t)a->n_carry;
  for (size_t i = first; i < first + (size_t)a->n_xs; i++) {
    char text[TIR_OPERAND_TEXT_MAX], other[TIR_OPERAND_TEXT_MAX];
    if (q->in[i].rank == 0)
      return tir_ir_fail(q, TIR_ERR_SHAPE,
                         "x %zu is a scalar: %s, expected an axis to scan",
                         i - first, tir_ir_operand_text(q, i, text));
    if (q->in[i].dims[0] != q->in[first].dims[0])
      return tir_ir_fail(q, TIR_ERR_SHAPE,
                         "x %zu has another length than x 0: %s and %s",
                         i - first, tir_ir_operand_text(q, i, text),
                         tir_ir_operand_text(q, first, other));
  }
  return TIR_OK;
}

// Results: the last carries, the ys of all trips, and the carries before each
// trip, which only the gradient reads. Without a gradient nobody uses them and
// they take no memory.
static tir_status scan_infer(const tir_ir_infer_query *q) {
  const tir_attrs_loop *a = q->attrs;
  const tir_ir_graph *body = NULL;
  TIR_TRY(find_body(q, 0, &body));
  TIR_TRY(check_loop(q));
  TIR_TRY(check_inputs(q, "body", body));
  const size_t n = (size_t)a->n_carry;
  TIR_TRY(check_outputs(q, "body", body, n, false));
  const size_t n_ys = body->outputs.count - n;
  TIR_TRY(check_n_out(q, 2 * n + n_ys));
  const int64_t length = a->n_xs ? q->in[n].dims[0] : a->length;
  const uint32_t symbol = a->n_xs ? q->in[n].symbols[0] : 0;
  for (size_t i = 0; i < n; i++) {
    TIR_TRY(check_carry(q, i, i, body));
    q->out[i] = q->in[i];
    TIR_TRY(
        stack(q, "carry", i, &q->in[i], length, symbol, &q->out[n + n_ys + i]));
  }
  for (size_t i = 0; i < n_ys; i++) {
    tir_ir_type y;
    output_type(q, body, n + i, &y);
    TIR_TRY(stack(q, "y", i, &y, length, symbol, &q->out[n + i]));
  }
  return TIR_OK;
}

const tir_op_desc tir_op_scan = {
    .name = "scan",
    .family = "control",
    .summary =
        "Runs a body once per row of the xs, carrying values along; gives the "
        "last carries, the ys of all trips, and the carries before each.",
    .operands = "x...",
    .min_inputs = 1,
    .max_inputs = 255,
    .traits = TIR_TRAIT_FALLIBLE,
    .attrs = scan_attrs,
    .n_attrs = 5,
    .attrs_size = sizeof(tir_attrs_loop),
    .infer = scan_infer,
    .body_inputs = scan_inputs,
    .vjp = tir_ir_scan_vjp,
    .needs_all = true,
};

// --- cond ------------------------------------------------------------------

static const tir_ir_attr cond_attrs[] = {
    {.name = "then",
     .kind = TIR_ATTR_BODY,
     .offset = offsetof(tir_attrs_cond, then_body),
     .required = true},
    {.name = "else",
     .kind = TIR_ATTR_BODY,
     .offset = offsetof(tir_attrs_cond, else_body),
     .required = true},
};

// All operands but the condition, for both branches alike.
static size_t cond_inputs(const void *attrs, const tir_ir_type *in, size_t n_in,
                          tir_ir_type *out) {
  (void)attrs;
  for (size_t i = 1; i < n_in; i++) out[i - 1] = in[i];
  return n_in - 1;
}

// What one branch needs from outside both get, so that one list of operands
// serves them.
static tir_status cond_infer(const tir_ir_infer_query *q) {
  const tir_ir_graph *then_body = NULL, *else_body = NULL;
  TIR_TRY(find_body(q, 0, &then_body));
  TIR_TRY(find_body(q, 1, &else_body));
  TIR_TRY(tir_ir_check_scalar(q, 0, TIR_DTYPE_BOOL));
  TIR_TRY(check_inputs(q, "then", then_body));
  TIR_TRY(check_inputs(q, "else", else_body));
  const size_t n = then_body->outputs.count;
  TIR_TRY(check_outputs(q, "else", else_body, n, true));
  TIR_TRY(check_n_out(q, n));
  for (size_t i = 0; i < n; i++) {
    tir_ir_type other;
    char a[TIR_TYPE_TEXT_MAX], b[TIR_TYPE_TEXT_MAX];
    output_type(q, then_body, i, &q->out[i]);
    output_type(q, else_body, i, &other);
    if (!tir_ir_type_equal(&q->out[i], &other))
      return tir_ir_fail(
          q, other.dtype != q->out[i].dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
          "result %zu differs between the branches: %s and %s%s", i,
          tir_ir_type_text(&q->out[i], a), tir_ir_type_text(&other, b),
          only_names(&q->out[i], &other));
  }
  return TIR_OK;
}

const tir_op_desc tir_op_cond = {
    .name = "cond",
    .family = "control",
    .summary = "Runs one of two bodies.",
    .operands = "pred, x...",
    .min_inputs = 1,
    .max_inputs = 255,
    .traits = TIR_TRAIT_FALLIBLE,
    .attrs = cond_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_cond),
    .infer = cond_infer,
    .body_inputs = cond_inputs,
    .vjp = tir_ir_cond_vjp,
    .needs_all = true,
};

// --- while -----------------------------------------------------------------

static const tir_ir_attr while_attrs[] = {
    {.name = "condition",
     .kind = TIR_ATTR_BODY,
     .offset = offsetof(tir_attrs_while, condition),
     .required = true},
    {.name = "body",
     .kind = TIR_ATTR_BODY,
     .offset = offsetof(tir_attrs_while, body),
     .required = true},
    {.name = "n_carry",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_while, n_carry),
     .required = true},
    {.name = "max_trips",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_while, max_trips)},
};

// Condition and body see the carries and all values of outside.
static size_t while_inputs(const void *attrs, const tir_ir_type *in,
                           size_t n_in, tir_ir_type *out) {
  (void)attrs;
  for (size_t i = 0; i < n_in; i++) out[i] = in[i];
  return n_in;
}

// Results: the last carries, the number of trips, and with a bound the carries
// before each trip. Rows of trips that were not made mean nothing.
static tir_status while_infer(const tir_ir_infer_query *q) {
  const tir_attrs_while *a = q->attrs;
  const tir_ir_graph *condition = NULL, *body = NULL;
  TIR_TRY(find_body(q, 0, &condition));
  TIR_TRY(find_body(q, 1, &body));
  if (a->n_carry < 1 || !is_count(a->n_carry, q->n_in) || a->max_trips < 0)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "n_carry is %" PRId64
                       " of %zu operands, max_trips is "
                       "%" PRId64 ", expected 1 or more and 0 or more",
                       a->n_carry, q->n_in, a->max_trips);
  const size_t n = (size_t)a->n_carry;
  TIR_TRY(check_inputs(q, "condition", condition));
  TIR_TRY(check_inputs(q, "body", body));
  TIR_TRY(check_outputs(q, "condition", condition, 1, true));
  TIR_TRY(check_outputs(q, "body", body, n, true));
  tir_ir_type truth;
  char text[TIR_TYPE_TEXT_MAX];
  output_type(q, condition, 0, &truth);
  if (truth.dtype != TIR_DTYPE_BOOL || truth.rank != 0)
    return tir_ir_fail(q, TIR_ERR_DTYPE, "the condition is %s, expected bool[]",
                       tir_ir_type_text(&truth, text));
  TIR_TRY(check_n_out(q, a->max_trips ? 2 * n + 1 : n + 1));
  for (size_t i = 0; i < n; i++) {
    TIR_TRY(check_carry(q, i, i, body));
    q->out[i] = q->in[i];
    if (a->max_trips)
      TIR_TRY(
          stack(q, "carry", i, &q->in[i], a->max_trips, 0, &q->out[n + 1 + i]));
  }
  q->out[n] = (tir_ir_type){.dtype = TIR_DTYPE_I64};
  return TIR_OK;
}

// No bound on the trips is needed to run, only to keep carries for a gradient.
const tir_op_desc tir_op_while = {
    .name = "while",
    .family = "control",
    .summary =
        "Runs a body as long as a condition on its carries holds; gives the "
        "last carries, the number of trips, and with max_trips the carries "
        "before each.",
    .operands = "x...",
    .min_inputs = 1,
    .max_inputs = 255,
    .traits = TIR_TRAIT_FALLIBLE,
    .attrs = while_attrs,
    .n_attrs = 4,
    .attrs_size = sizeof(tir_attrs_while),
    .infer = while_infer,
    .body_inputs = while_inputs,
    .vjp = tir_ir_while_vjp,
    .needs_all = true,
};
