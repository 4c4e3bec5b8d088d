// Custom ops: nodes that call functions registered with the context.
//
// Two ops with one set of rules: `custom` is an effect, `custom_pure` is not;
// passes read that from the traits alone. A node with `wants` set is the op's
// vjp_run, with its operands, its results and their gradients as operands.
//
// The registry belongs to a context, so the ops are found through the graph's
// context. What the user's infer gives is checked like a file: ranks, dims and
// symbols may be anything.
#include "ir/custom.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ir/attr.h"
#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

static const tir_ir_attr custom_attrs[] = {
    {.name = "op",
     .kind = TIR_ATTR_LABEL,
     .offset = offsetof(tir_attrs_custom, op),
     .required = true},
    {.name = "version",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_custom, version),
     .required = true},
    {.name = "wants",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_custom, wants)},
    {.name = "ints",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_custom, ints)},
    {.name = "floats",
     .kind = TIR_ATTR_FLOATS,
     .offset = offsetof(tir_attrs_custom, floats)},
};

enum { N_ATTRS = sizeof custom_attrs / sizeof *custom_attrs };

// Results of a backward node: one for each operand wanted.
static size_t count_wants(int64_t wants) {
  size_t n = 0;
  for (int i = 0; i < TIR_CUSTOM_MAX_VALUES; i++) n += wants >> i & 1;
  return n;
}

// Of an unknown op one: infer will refuse it.
static size_t count_outputs(const tir_context *context, const void *attrs) {
  const tir_attrs_custom *custom = attrs;
  if (custom && custom->wants) return count_wants(custom->wants);
  const tir_custom_op *op = tir_ir_custom_of(context, custom);
  return op ? (size_t)op->n_outputs : 1;
}

// Asked before the rule is: here the reason can be given with the op's name.
static const char *refuses_gradient(const tir_context *context,
                                    const void *attrs) {
  const tir_attrs_custom *custom = attrs;
  const tir_custom_op *op = tir_ir_custom_of(context, custom);
  if (!op) return "it is not registered with the context";
  if (custom->wants)
    return "it is a vjp_run, which is known at data only: a vjp_build can be "
           "differentiated again";
  return op->vjp_build || op->vjp_run ? NULL
                                      : "it has neither vjp_run nor vjp_build";
}

// --- inference -------------------------------------------------------------

// The user's name for the op in front, as the node's own is always "custom".
static tir_status check_count(const tir_ir_infer_query *q,
                              const tir_custom_op *op, const char *what,
                              size_t is, size_t expected) {
  if (is == expected) return TIR_OK;
  return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                     "%s: wrong number of %s: %zu, expected %zu", op->name,
                     what, is, expected);
}

// Symbols that a callback may hand on: those of an operand's dim of that size.
// Any other number would be a string of the graph by chance, or none at all.
static bool is_symbol_of(const tir_ir_type *in, size_t n_in, uint32_t symbol,
                         int64_t size) {
  for (size_t i = 0; i < n_in; i++)
    for (int k = 0; k < in[i].rank; k++)
      if (in[i].symbols[k] == symbol && in[i].dims[k] == size) return true;
  return false;
}

// Result i as the user's infer gave it, checked before it becomes a type. The
// message of the general check is put behind the op's name.
static tir_status take_type(const tir_ir_infer_query *q,
                            const tir_custom_op *op, size_t n_in, size_t i,
                            const tir_custom_type *from, tir_ir_type *to) {
  if (from->rank < 0 || from->rank > TIR_MAX_RANK)
    return tir_ir_fail(q, TIR_ERR_SHAPE,
                       "%s: its infer gave result %zu rank %" PRId32
                       ", expected 0 to %d",
                       op->name, i, from->rank, TIR_MAX_RANK);
  *to = (tir_ir_type){.dtype = from->dtype, .rank = from->rank};
  for (int k = 0; k < from->rank; k++) {
    to->dims[k] = from->dims[k];
    to->symbols[k] = from->symbols[k];
    if (to->symbols[k] &&
        !is_symbol_of(q->in, n_in, to->symbols[k], to->dims[k]))
      return tir_ir_fail(q, TIR_ERR_SHAPE,
                         "%s: its infer gave dim %d of result %zu symbol "
                         "%" PRIu32 ", which no operand has at size %" PRId64,
                         op->name, k, i, to->symbols[k], to->dims[k]);
  }
  tir_error why;
  const tir_status status = tir_ir_type_check(to, &why);
  if (status != TIR_OK)
    return tir_ir_fail(q, status, "%s: its infer gave result %zu: %s", op->name,
                       i, why.message);
  return TIR_OK;
}

// Asks the op for its result types, of operands that are as many as it takes.
// Called again whenever the graph is inferred on other sizes. The callback gets
// copies and may leave anything in `results` and `message`.
static tir_status ask(const tir_ir_infer_query *q, const tir_custom_op *op,
                      tir_ir_type *out) {
  tir_custom_type in[TIR_CUSTOM_MAX_VALUES];
  tir_custom_type results[TIR_CUSTOM_MAX_VALUES];
  tir_custom_attrs attrs;
  char message[TIR_CUSTOM_TEXT_MAX] = "", text[TIR_CUSTOM_TEXT_MAX];
  const size_t n_in = (size_t)op->n_inputs, n_out = (size_t)op->n_outputs;
  for (size_t i = 0; i < n_in; i++) tir_ir_custom_type(&q->in[i], &in[i]);
  memset(results, 0, sizeof results);
  tir_ir_custom_attrs(q->attrs, &attrs);
  const tir_custom_infer theirs = {
      .user = op->user,
      .attrs = &attrs,
      .in = in,
      .n_in = n_in,
      .out = results,
      .n_out = n_out,
      .message = message,
      .message_size = sizeof message,
  };
  const tir_status status = op->infer(&theirs);
  if (status != TIR_OK) {
    tir_ir_custom_say(op, message, text);
    return tir_ir_fail(q, tir_ir_custom_status(status), "%s", text);
  }
  for (size_t i = 0; i < n_out; i++)
    TIR_TRY(take_type(q, op, n_in, i, &results[i], &out[i]));
  return TIR_OK;
}

// Without dim names, of which the user need not know.
static bool same_type(const tir_ir_type *a, const tir_ir_type *b) {
  return a->dtype == b->dtype && tir_ir_same_shape(a, b);
}

// For the operands of a backward node, which the op's infer does not see.
static tir_status expect_type(const tir_ir_infer_query *q,
                              const tir_custom_op *op, size_t i,
                              const tir_ir_type *expected) {
  if (same_type(&q->in[i], expected)) return TIR_OK;
  char text[TIR_OPERAND_TEXT_MAX], wanted[TIR_TYPE_TEXT_MAX];
  return tir_ir_fail(
      q, q->in[i].dtype == expected->dtype ? TIR_ERR_SHAPE : TIR_ERR_DTYPE,
      "%s: operand %s of its gradient, expected %s", op->name,
      tir_ir_operand_text(q, i, text), tir_ir_type_text(expected, wanted));
}

// The node of a vjp_run: it gives the gradients of the operands wanted.
// Operands are those of the op, its results, and a gradient for each float
// result. The op's infer tells the results, so that a file cannot claim other
// types.
static tir_status infer_backward(const tir_ir_infer_query *q,
                                 const tir_custom_op *op, int64_t wants) {
  const size_t n_in = (size_t)op->n_inputs, n_out = (size_t)op->n_outputs;
  if (!op->vjp_run)
    return tir_ir_fail(q, TIR_ERR_UNSUPPORTED, "%s: it has no vjp_run",
                       op->name);
  if (wants < 0 || wants >> n_in)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "%s: wants is %" PRId64 ", expected 0 to %d", op->name,
                       wants, (1 << n_in) - 1);
  if (q->n_in < n_in + n_out)
    return check_count(q, op, "operands of its gradient", q->n_in,
                       n_in + n_out);
  tir_ir_type results[TIR_CUSTOM_MAX_VALUES];
  TIR_TRY(ask(q, op, results));
  size_t n_operands = n_in + n_out;
  for (size_t i = 0; i < n_out; i++) {
    TIR_TRY(expect_type(q, op, n_in + i, &results[i]));
    if (!tir_ir_dtype_is_float(results[i].dtype)) continue;
    // Counted on past the end, for the message below.
    if (n_operands < q->n_in)
      TIR_TRY(expect_type(q, op, n_operands, &results[i]));
    n_operands++;
  }
  TIR_TRY(check_count(q, op, "operands of its gradient", q->n_in, n_operands));
  TIR_TRY(check_count(q, op, "results of its gradient", q->n_out,
                      count_wants(wants)));
  size_t at = 0;
  for (size_t i = 0; i < n_in; i++) {
    if (!(wants >> i & 1)) continue;
    if (!tir_ir_dtype_is_float(q->in[i].dtype))
      return tir_ir_fail(q, TIR_ERR_DTYPE,
                         "%s: operand %zu has no gradient: %s is no float",
                         op->name, i, tir_dtype_name(q->in[i].dtype));
    q->out[at++] = q->in[i];
  }
  return TIR_OK;
}

// Registered or not, pure or not, is checked first: all else is asked of the
// op.
static tir_status infer(const tir_ir_infer_query *q, bool pure) {
  const tir_attrs_custom *attrs = q->attrs;
  const tir_context *context = q->graph ? q->graph->context : NULL;
  char text[TIR_CUSTOM_TEXT_MAX];
  if (attrs->version < 1)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "version is %" PRId64 ", expected 1 or more",
                       attrs->version);
  const tir_custom_op *op = tir_ir_custom_of(context, attrs);
  if (!op) {
    tir_ir_custom_missing(context, attrs->op.text, attrs->version, text);
    return tir_ir_fail(q, TIR_ERR_UNSUPPORTED, "%s", text);
  }
  if (op->pure != pure)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "%s: it is registered as %s, expected op %s", op->name,
                       op->pure ? "pure" : "an effect",
                       op->pure ? "custom_pure" : "custom");
  TIR_TRY(
      check_count(q, op, "ints", (size_t)attrs->ints.n, (size_t)op->n_ints));
  TIR_TRY(check_count(q, op, "floats", (size_t)attrs->floats.n,
                      (size_t)op->n_floats));
  if (attrs->wants) return infer_backward(q, op, attrs->wants);
  TIR_TRY(check_count(q, op, "operands", q->n_in, (size_t)op->n_inputs));
  TIR_TRY(check_count(q, op, "results", q->n_out, (size_t)op->n_outputs));
  return ask(q, op, q->out);
}

// --- gradient --------------------------------------------------------------

// The gradient of every float result, zeros where none arrived. All-zero for
// results that are no floats: they have no gradient at all.
static void fill_gradients(const tir_ir_vjp *q, tir_value *out_grad) {
  for (size_t i = 0; i < q->n_out; i++) {
    tir_ir_type type;
    tir_ir_value_type(q->tape, q->out[i], &type);
    out_grad[i] = (tir_value){0};
    if (!tir_ir_dtype_is_float(type.dtype)) continue;
    out_grad[i] = tir_ir_has(q->out_grad[i])
                      ? q->out_grad[i]
                      : tir_zeros_like(q->tape, q->out[i]);
  }
}

// A gradient of another type would show up far away, without the op's name.
// Which dims carry a name is no business of the user's: that is put right.
static void finish_built(const tir_ir_vjp *q, const tir_custom_op *op,
                         const char *call) {
  for (size_t i = 0; i < q->n_in; i++) {
    if (!q->wants[i] || !tir_ir_has(q->in_grad[i])) continue;
    tir_ir_type is, expected;
    tir_ir_value_type(q->tape, q->in_grad[i], &is);
    tir_ir_value_type(q->tape, q->in[i], &expected);
    if (same_type(&is, &expected)) {
      q->in_grad[i] = tir_ir_grad_reshape(q->tape, q->in_grad[i], q->in[i]);
      continue;
    }
    char a[TIR_TYPE_TEXT_MAX], b[TIR_TYPE_TEXT_MAX];
    tir_ir_keep_error(q->tape, call, TIR_ERR_SHAPE,
                      "%s: its vjp_build gave operand %zu the gradient %s, "
                      "expected %s",
                      op->name, i, tir_ir_type_text(&is, a),
                      tir_ir_type_text(&expected, b));
  }
}

// The user's rule in ordinary ops. It may have kept an error on the tape
// itself, which then stands instead of its status.
static void build_vjp(const tir_ir_vjp *q, const tir_custom_op *op,
                      const tir_value *out_grad, const char *call) {
  tir_custom_attrs attrs;
  char message[TIR_CUSTOM_TEXT_MAX] = "", text[TIR_CUSTOM_TEXT_MAX];
  tir_ir_custom_attrs(q->attrs, &attrs);
  const tir_custom_vjp theirs = {
      .user = op->user,
      .attrs = &attrs,
      .tape = q->tape,
      .in = q->in,
      .out = q->out,
      .n_in = q->n_in,
      .n_out = q->n_out,
      .out_grad = out_grad,
      .wants = q->wants,
      .in_grad = q->in_grad,
      .message = message,
      .message_size = sizeof message,
  };
  const tir_status status = op->vjp_build(&theirs);
  if (!tir_ir_ready(q->tape)) return;
  if (status != TIR_OK) {
    tir_ir_custom_say(op, message, text);
    tir_ir_keep_error(q->tape, call, tir_ir_custom_status(status), "%s", text);
    return;
  }
  finish_built(q, op, call);
}

// A node that calls vjp_run when it runs. `wants` tells it which gradients to
// give; they are its results, in the order of the operands.
static void record_vjp_run(const tir_ir_vjp *q, const tir_custom_op *op,
                           const tir_value *out_grad) {
  tir_attrs_custom attrs = *(const tir_attrs_custom *)q->attrs;
  tir_value in[3 * TIR_CUSTOM_MAX_VALUES];
  size_t n = 0;
  for (size_t i = 0; i < q->n_in; i++) {
    in[n++] = q->in[i];
    if (q->wants[i]) attrs.wants |= INT64_C(1) << i;
  }
  for (size_t i = 0; i < q->n_out; i++) in[n++] = q->out[i];
  for (size_t i = 0; i < q->n_out; i++)
    if (tir_ir_has(out_grad[i])) in[n++] = out_grad[i];
  if (attrs.wants == 0) return;
  const tir_value first = tir_ir_record(
      q->tape, op->pure ? TIR_OP_CUSTOM_PURE : TIR_OP_CUSTOM, in, n, &attrs);
  uint32_t at = 0;
  for (size_t i = 0; i < q->n_in; i++)
    if (q->wants[i]) q->in_grad[i] = tir_ir_result(q->tape, first, at++);
}

// A vjp_build comes first if there are both, since its result can be
// differentiated again.
static void custom_vjp(const tir_ir_vjp *q) {
  const tir_attrs_custom *attrs = q->attrs;
  const tir_custom_op *op = tir_ir_custom_of(q->tape->context, attrs);
  const char *call = op && op->pure ? "custom_pure" : "custom";
  const char *why = refuses_gradient(q->tape->context, attrs);
  if (!op || why) {
    tir_ir_keep_error(q->tape, call, TIR_ERR_UNSUPPORTED, "%s: %s",
                      attrs->op.text, why);
    return;
  }
  tir_value out_grad[TIR_CUSTOM_MAX_VALUES];
  fill_gradients(q, out_grad);
  if (op->vjp_build)
    build_vjp(q, op, out_grad, call);
  else
    record_vjp_run(q, op, out_grad);
}

// --- the two ops -----------------------------------------------------------

static tir_status infer_effect(const tir_ir_infer_query *q) {
  return infer(q, false);
}
static tir_status infer_pure(const tir_ir_infer_query *q) {
  return infer(q, true);
}

// What the user's rule reads is not known: all is kept for it.
#define CUSTOM_RULES                                                    \
  .family = "custom", .operands = "x...", .max_inputs = 255,            \
  .attrs = custom_attrs, .n_attrs = N_ATTRS,                            \
  .attrs_size = sizeof(tir_attrs_custom), .vjp = custom_vjp,            \
  .count_outputs = count_outputs, .refuses_gradient = refuses_gradient, \
  .needs = {{.in = UINT16_MAX, .out = UINT16_MAX}}

const tir_op_desc tir_op_custom = {
    .name = "custom",
    .summary = "A registered op that is an effect: runs once, in order.",
    .traits = TIR_TRAIT_FALLIBLE | TIR_TRAIT_EFFECT,
    .infer = infer_effect,
    CUSTOM_RULES,
};

const tir_op_desc tir_op_custom_pure = {
    .name = "custom_pure",
    .summary = "A registered op that depends on its operands alone.",
    .traits = TIR_TRAIT_FALLIBLE,
    .infer = infer_pure,
    CUSTOM_RULES,
};

// --- the builder -----------------------------------------------------------

// NULL stands for no numbers and the newest version.
static bool take_attrs(tir_tape *tape, const tir_custom_attrs *from,
                       tir_attrs_custom *to) {
  if (!from) return true;
  for (size_t i = 0; i < 8; i++) {
    if (from->reserved[i] == 0) continue;
    tir_ir_keep_error(tape, "custom", TIR_ERR_ARGUMENT,
                      "reserved word %zu of the attributes is %" PRIu64
                      ", not 0 (built for a newer header?)",
                      i, from->reserved[i]);
    return false;
  }
  if (from->n_ints > TIR_CUSTOM_MAX_NUMBERS ||
      from->n_floats > TIR_CUSTOM_MAX_NUMBERS) {
    tir_ir_keep_error(tape, "custom", TIR_ERR_ARGUMENT,
                      "%s: n_ints is %zu, n_floats %zu, expected at most %d",
                      to->op.text, from->n_ints, from->n_floats,
                      TIR_CUSTOM_MAX_NUMBERS);
    return false;
  }
  to->version = from->version;
  to->ints.n = (int64_t)from->n_ints;
  to->floats.n = (int64_t)from->n_floats;
  memcpy(to->ints.v, from->ints, from->n_ints * sizeof *from->ints);
  memcpy(to->floats.v, from->floats, from->n_floats * sizeof *from->floats);
  return true;
}

// The op of a call, NULL with an error kept. Version 0 becomes the newest.
static const tir_custom_op *look_up(tir_tape *tape, const char *name,
                                    const tir_custom_attrs *from,
                                    tir_attrs_custom *attrs) {
  char text[TIR_CUSTOM_TEXT_MAX], quoted[TIR_QUOTED_MAX];
  const size_t size = name ? strnlen(name, sizeof attrs->op.text) : 0;
  if (size == 0 || !tir_ir_label_set(&attrs->op, name, size)) {
    tir_ir_keep_error(tape, "custom", TIR_ERR_ARGUMENT,
                      "%s is no name of an op",
                      name ? tir_base_quote(name, quoted) : "NULL");
    return NULL;
  }
  if (!take_attrs(tape, from, attrs)) return NULL;
  const tir_custom_op *op =
      tir_ir_custom_find(tape->context, name, attrs->version);
  if (!op) {
    tir_ir_custom_missing(tape->context, name, attrs->version, text);
    tir_ir_keep_error(tape, "custom", TIR_ERR_ARGUMENT, "%s", text);
    return NULL;
  }
  attrs->version = op->version;
  return op;
}

// Results that `out` has no room for get no handle.
tir_value tir_custom(tir_tape *tape, const char *name,
                     const tir_custom_attrs *attrs, const tir_value *in,
                     size_t n_in, tir_value *out, size_t n_out) {
  tir_attrs_custom words = {.version = 0};
  if (out && n_out) memset(out, 0, n_out * sizeof *out);
  if (!tape) return (tir_value){0};
  if (!tir_ir_ready(tape)) return tir_ir_refused(tape, "custom");
  const tir_custom_op *op = look_up(tape, name, attrs, &words);
  if (!op) return tir_ir_refused(tape, "custom");
  if (n_out > (size_t)op->n_outputs || (n_out && !out) || (n_in && !in))
    return tir_ir_keep_error(tape, "custom", TIR_ERR_ARGUMENT,
                             "%s: %zu operands, in %s NULL; %zu results of %d, "
                             "out %s NULL",
                             op->name, n_in, in ? "not" : "is", n_out,
                             op->n_outputs, out ? "not" : "is");
  // The number of results is the op's own, whatever n_out is.
  const tir_value first = tir_ir_record(
      tape, op->pure ? TIR_OP_CUSTOM_PURE : TIR_OP_CUSTOM, in, n_in, &words);
  for (uint32_t i = 0; i < n_out; i++) out[i] = tir_ir_result(tape, first, i);
  return first;
}
