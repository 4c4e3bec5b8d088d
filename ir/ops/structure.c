// Structure: what a graph is made of besides computation. Declared values
// (input, param, constant), the gradient call, state updates and the two ops
// that stop gradients.
//
// These make the frame of a graph. What they hold besides operands (names,
// tensors, kinds) is looked at by recorder, module and printer.

#include <inttypes.h>
#include <stddef.h>

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"
#include "tapeir/graph.h"

// Declared ops: the type comes in as q->out, already checked.
static tir_status infer_declared(const tir_ir_infer_query *q) {
  (void)q;
  return TIR_OK;
}

// --- input -----------------------------------------------------------------

const tir_op_desc tir_op_input = {
    .name = "input",
    .family = "structure",
    .summary = "A value the caller gives to each run.",
    .operands = "",
    .n_outputs = 1,
    .traits = TIR_TRAIT_DECLARED,
    .infer = infer_declared,
    .no_gradient = "it has no operands",
};

// --- param -----------------------------------------------------------------

static const tir_ir_attr param_attrs[] = {
    {.name = "kind",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_param, kind)},
};

static tir_status param_infer(const tir_ir_infer_query *q) {
  const tir_attrs_param *attrs = q->attrs;
  if (attrs->kind != TIR_PARAM_TRAINABLE && attrs->kind != TIR_PARAM_STATE)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "kind is %" PRId64
                       ", expected %d (trainable) or %d "
                       "(state)",
                       attrs->kind, TIR_PARAM_TRAINABLE, TIR_PARAM_STATE);
  return TIR_OK;
}

// The name of its value is its name in the module.
const tir_op_desc tir_op_param = {
    .name = "param",
    .family = "structure",
    .summary = "A named parameter or state of the module.",
    .operands = "",
    .n_outputs = 1,
    .traits = TIR_TRAIT_DECLARED,
    .attrs = param_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_param),
    .infer = param_infer,
    .no_gradient = "it has no operands",
};

// --- constant --------------------------------------------------------------

static const tir_ir_attr constant_attrs[] = {
    {.name = "bits",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_constant, bits)},
    {.name = "tensor",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_constant, tensor)},
};

// One element repeated: the bytes above the element must be zero, so that equal
// constants have equal attributes. A bool is 0 or 1: kernels rely on it.
static tir_status check_splat(const tir_ir_infer_query *q, uint64_t bits) {
  const tir_dtype dtype = q->out[0].dtype;
  const size_t size = tir_dtype_size(dtype);
  const bool fits = dtype == TIR_DTYPE_BOOL ? bits <= 1
                    : size >= 8             ? true
                                            : bits >> (8 * size) == 0;
  if (fits) return TIR_OK;
  return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                     "bits 0x%" PRIx64 " are not an element of %s", bits,
                     tir_dtype_name(dtype));
}

// The number may come from a file: compared before it is an index.
static tir_status check_tensor(const tir_ir_infer_query *q, int64_t index) {
  const size_t n_tensors = q->graph->tensors.count;
  if ((uint64_t)index > n_tensors)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "tensor is %" PRId64 ", the graph has %zu", index,
                       n_tensors);
  const tir_ir_type *type = &q->out[0];
  const tir_tensor *tensor = q->graph->tensors.data[index - 1];
  bool same = tensor->dtype == type->dtype && tensor->rank == type->rank;
  for (int i = 0; same && i < type->rank; i++)
    same = tensor->dims[i] == type->dims[i];
  char text[TIR_TYPE_TEXT_MAX];
  if (!same)
    return tir_ir_fail(q, TIR_ERR_SHAPE,
                       "tensor %" PRId64 " is not of the declared type %s",
                       index, tir_ir_type_text(type, text));
  return TIR_OK;
}

static tir_status constant_infer(const tir_ir_infer_query *q) {
  const tir_attrs_constant *attrs = q->attrs;
  if (attrs->tensor < 0 || (attrs->tensor > 0 && attrs->bits != 0))
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "tensor is %" PRId64 " with bits 0x%" PRIx64
                       ", expected 0, or a tensor number and no bits",
                       attrs->tensor, attrs->bits);
  if (attrs->tensor > 0)
    // The op table asks without a graph; there is no tensor to compare with
    // then.
    return q->graph ? check_tensor(q, attrs->tensor) : TIR_OK;
  return check_splat(q, attrs->bits);
}

const tir_op_desc tir_op_constant = {
    .name = "constant",
    .family = "structure",
    .summary = "A value that never changes: one element repeated, or a tensor.",
    .operands = "",
    .n_outputs = 1,
    .traits = TIR_TRAIT_DECLARED,
    .attrs = constant_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_constant),
    .infer = constant_infer,
    .no_gradient = "it has no operands",
};

// --- gradient --------------------------------------------------------------

static const tir_ir_attr gradient_attrs[] = {
    {.name = "n_heads",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_gradient, n_heads),
     .required = true},
    {.name = "create_graph",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_gradient, create_graph)},
};

// `what` says which of the operands it is.
static tir_status gradient_check_float(const tir_ir_infer_query *q, size_t i,
                                       const char *what) {
  if (tir_ir_dtype_is_float(q->in[i].dtype)) return TIR_OK;
  char text[TIR_OPERAND_TEXT_MAX];
  return tir_ir_fail(q, TIR_ERR_DTYPE, "%s %s has no gradient: not a float",
                     what, tir_ir_operand_text(q, i, text));
}

// Operands: heads, as many head gradients, then the variables.
static tir_status gradient_infer(const tir_ir_infer_query *q) {
  const tir_attrs_gradient *attrs = q->attrs;
  // Divided, not multiplied: n_heads may be anything.
  if (attrs->n_heads < 1 || (uint64_t)attrs->n_heads > (q->n_in - 1) / 2)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "n_heads is %" PRId64
                       " with %zu operands, expected 1 "
                       "to %zu",
                       attrs->n_heads, q->n_in, (q->n_in - 1) / 2);
  const size_t n_heads = (size_t)attrs->n_heads;
  const size_t n_wrt = q->n_in - 2 * n_heads;
  if (q->n_out != n_wrt)
    return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                       "has an output for each of %zu variables, not %zu",
                       n_wrt, q->n_out);
  for (size_t i = 0; i < n_heads; i++) {
    TIR_TRY(gradient_check_float(q, i, "head"));
    TIR_TRY(tir_ir_check_same_type(q, i, n_heads + i));
  }
  for (size_t i = 0; i < n_wrt; i++) {
    TIR_TRY(gradient_check_float(q, 2 * n_heads + i, "variable"));
    q->out[i] = q->in[2 * n_heads + i];
  }
  return TIR_OK;
}

// Each result has the type of its variable.
const tir_op_desc tir_op_gradient = {
    .name = "gradient",
    .family = "structure",
    .summary =
        "Gradients of the sum of the heads, weighted by the head "
        "gradients, with respect to variables.",
    .operands = "x...",
    .min_inputs = 3,
    .max_inputs = 255,
    .traits = TIR_TRAIT_INTERNAL,
    .attrs = gradient_attrs,
    .n_attrs = 2,
    .attrs_size = sizeof(tir_attrs_gradient),
    .infer = gradient_infer,
    .no_gradient =
        "it is expanded into ordinary ops before it is "
        "differentiated",
};

// --- assign ----------------------------------------------------------------

// The result is the new version of the target and has its type and dim names.
static tir_status assign_infer(const tir_ir_infer_query *q) {
  TIR_TRY(tir_ir_check_same_type(q, 0, 1));
  q->out[0] = q->in[0];
  return TIR_OK;
}

// The new version is the value; the old version has no part in it.
static void assign_vjp(const tir_ir_vjp *q) {
  if (q->wants[1])
    q->in_grad[1] = tir_ir_grad_reduce(q->tape, q->out_grad[0], q->in[1]);
}

const tir_op_desc tir_op_assign = {
    .name = "assign",
    .family = "structure",
    .summary = "Replaces the value of a parameter, state or leaf.",
    .operands = "target, value",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = TIR_TRAIT_EFFECT,
    .shape_only = 1 << 0,
    .infer = assign_infer,
    .vjp = assign_vjp,
};

// May the target be replaced? If not, an error is kept. A history may still
// read the old version, which the assign would overwrite.
static bool is_assignable(tir_tape *tape, const char *op, tir_value target) {
  if (!tir_ir_value_valid(tir_ir_use(tape, target, op, "target"))) return false;
  if (!tape->mode.recording || !tir_ir_in_history(tape, target)) return true;
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_keep_error(
      tape, op, TIR_ERR_STATE,
      "target %s is part of a recorded history: assign outside recording",
      tir_ir_value_text(tape, target, text));
  return false;
}

// The target's handle means the new version from here on; `assigned` tells the
// tape which value it replaced.
static tir_value replace(tir_tape *tape, tir_value target, tir_value value) {
  const tir_ir_value old = tir_ir_peek(tape, target);
  // Nothing may fail once the node is there: a pending assign will run.
  if (!tir_ir_ready(tape) || !tir_ir_reserve_assigns(tape, "assign", 1))
    return tir_ir_refused(tape, "assign");
  const tir_value in[] = {target, value};
  const tir_value out = tir_ir_record(tape, TIR_OP_ASSIGN, in, 2, NULL);
  const tir_ir_value now = tir_ir_peek(tape, out);
  if (!tir_ir_value_valid(now)) return out;
  tir_ir_rebind(tape, target, now, now);
  if (tape->assigned) tape->assigned(tape, old.id, now.id);
  return out;
}

tir_value tir_assign(tir_tape *tape, tir_value target, tir_value value) {
  if (!is_assignable(tape, "assign", target))
    return tir_ir_refused(tape, "assign");
  return replace(tape, target, value);
}

// The update itself may make the target part of a history: backward needs
// nothing of the old version.
tir_value tir_assign_slice(tir_tape *tape, tir_value target, tir_value value,
                           tir_value start, int axis) {
  if (!is_assignable(tape, "assign_slice", target))
    return tir_ir_refused(tape, "assign_slice");
  return replace(tape, target,
                 tir_update_slice(tape, target, value, start, axis));
}

// --- stop_gradient and cut -------------------------------------------------

// Any dtype: data passes as it is.
static tir_status infer_view(const tir_ir_infer_query *q) {
  q->out[0] = q->in[0];
  return TIR_OK;
}

const tir_op_desc tir_op_stop_gradient = {
    .name = "stop_gradient",
    .family = "structure",
    .summary = "The same data; gradients stop here.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_VIEW | TIR_TRAIT_MOVEMENT | TIR_TRAIT_EXACT,
    .infer = infer_view,
    .vjp = tir_ir_vjp_zero,
};

// Made by tir_attach_grad on a recorded value: its output is the new variable.
const tir_op_desc tir_op_cut = {
    .name = "cut",
    .family = "structure",
    .summary = "The same data as a new variable; gradients stop here.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = TIR_TRAIT_VIEW | TIR_TRAIT_MOVEMENT | TIR_TRAIT_EXACT,
    .infer = infer_view,
    .vjp = tir_ir_vjp_zero,
};

tir_value tir_stop_gradient(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_STOP_GRADIENT, &x, 1, NULL);
}

// On a tape "no history" is what stop_gradient means.
tir_value tir_detach(tir_tape *tape, tir_value x) {
  return tir_ir_record(tape, TIR_OP_STOP_GRADIENT, &x, 1, NULL);
}
