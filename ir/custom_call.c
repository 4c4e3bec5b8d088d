// Calling a custom op's functions: attributes and types in the form they get
// them, one list of pointers each, and their message on failure.
//
// Callbacks are the user's code. What they leave behind is read with a bound
// and made valid here, so that the rest of the library can trust it.
#include <stdio.h>
#include <string.h>

#include "ir/base/utf8.h"
#include "ir/custom.h"

// The counts were checked by tir_ir_attrs_check: both lists hold as many.
void tir_ir_custom_attrs(const tir_attrs_custom *from, tir_custom_attrs *to) {
  *to = (tir_custom_attrs){
      .version = from->version,
      .n_ints = (size_t)from->ints.n,
      .n_floats = (size_t)from->floats.n,
  };
  memcpy(to->ints, from->ints.v, to->n_ints * sizeof *to->ints);
  memcpy(to->floats, from->floats.v, to->n_floats * sizeof *to->floats);
}

void tir_ir_custom_type(const tir_ir_type *from, tir_custom_type *to) {
  *to = (tir_custom_type){.dtype = from->dtype, .rank = from->rank};
  for (int i = 0; i < from->rank; i++) {
    to->dims[i] = from->dims[i];
    to->symbols[i] = from->symbols[i];
  }
}

// --- what a callback says --------------------------------------------------

void tir_ir_custom_say(const tir_custom_op *op, const char *message,
                       char text[TIR_CUSTOM_TEXT_MAX]) {
  // The buffer was the callback's: its end may be overwritten.
  char said[TIR_CUSTOM_TEXT_MAX];
  const size_t size = strnlen(message, TIR_CUSTOM_TEXT_MAX - 1);
  memcpy(said, message, size);
  said[size] = '\0';
  // As full as it gets: the callback's own printf may have cut a character.
  if (size == TIR_CUSTOM_TEXT_MAX - 1) tir_base_utf8_cut(said);
  for (char *c = said; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = ' ';
  // A name has 63 bytes at most, so it fits and leaves room for words.
  const size_t start =
      (size_t)snprintf(text, TIR_CUSTOM_TEXT_MAX, "%s: ", op->name);
  size_t written = 0;
  tir_base_escape(size ? said : "failed without a word", false, text + start,
                  TIR_CUSTOM_TEXT_MAX - 1 - start, &written);
  text[start + written] = '\0';
}

// BUSY, TORN and the like say something about Tapeir's own state, which a
// callback must not claim.
tir_status tir_ir_custom_status(tir_status status) {
  switch (status) {
    case TIR_OK:
    case TIR_ERR_ARGUMENT:
    case TIR_ERR_SHAPE:
    case TIR_ERR_DTYPE:
    case TIR_ERR_STATE:
    case TIR_ERR_MEMORY:
    case TIR_ERR_LIMIT:
    case TIR_ERR_IO:
    case TIR_ERR_FORMAT:
    case TIR_ERR_UNSUPPORTED:
      return status;
    default:
      return TIR_ERR_VALUE;
  }
}

// --- taking a node apart ---------------------------------------------------

// Operands of a backward node are, in this order, those of the op, its results,
// and one gradient for each float result; results are the gradients wanted, in
// the order of the operands. ops/custom.c records them so.
void tir_ir_custom_take_apart(const tir_custom_op *op,
                              const tir_attrs_custom *attrs,
                              const tir_ir_type *in, const tir_ir_type *out,
                              tir_ir_custom_call *call) {
  *call = (tir_ir_custom_call){
      .op = op,
      .is_backward = attrs->wants != 0,
      .n_in = (size_t)op->n_inputs,
      .n_out = (size_t)op->n_outputs,
  };
  tir_ir_custom_attrs(attrs, &call->attrs);
  // A backward node gets the results behind the operands.
  const tir_ir_type *results = call->is_backward ? in + call->n_in : out;
  // Gradients stand behind both, of float results only, in order.
  int8_t next_operand = (int8_t)(call->n_in + call->n_out), next_result = 0;
  for (size_t i = 0; i < call->n_in; i++) {
    tir_ir_custom_type(&in[i], &call->in[i]);
    const bool wanted = attrs->wants >> i & 1;
    call->in_grad[i] = wanted ? next_result++ : -1;
  }
  for (size_t i = 0; i < call->n_out; i++) {
    tir_ir_custom_type(&results[i], &call->out[i]);
    const bool has_gradient =
        call->is_backward && tir_ir_dtype_is_float(results[i].dtype);
    call->out_grad[i] = has_gradient ? next_operand++ : -1;
  }
}

static tir_custom_call begin(const tir_ir_custom_call *call, char *message) {
  // A callback may leave a text without an end.
  memset(message, 0, TIR_CUSTOM_TEXT_MAX);
  return (tir_custom_call){
      .user = call->op->user,
      .attrs = &call->attrs,
      .in_types = call->in,
      .out_types = call->out,
      .n_in = call->n_in,
      .n_out = call->n_out,
      .message = message,
      .message_size = TIR_CUSTOM_TEXT_MAX,
  };
}

size_t tir_ir_custom_scratch(const tir_ir_custom_call *call) {
  if (!call->op->scratch_bytes) return 0;
  char message[TIR_CUSTOM_TEXT_MAX];
  const tir_custom_call theirs = begin(call, message);
  return call->op->scratch_bytes(&theirs);
}

// The lists are made on the stack for each call: a program shares one
// description of the call between instances and threads.
tir_status tir_ir_custom_run(const tir_ir_custom_call *call,
                             const void *const *in, void *const *out,
                             void *scratch, size_t scratch_bytes,
                             char text[TIR_CUSTOM_TEXT_MAX]) {
  char message[TIR_CUSTOM_TEXT_MAX];
  const void *out_grad[TIR_CUSTOM_MAX_VALUES] = {NULL};
  void *in_grad[TIR_CUSTOM_MAX_VALUES] = {NULL};
  void *results[TIR_CUSTOM_MAX_VALUES] = {NULL};
  for (size_t i = 0; i < call->n_in && call->is_backward; i++)
    if (call->in_grad[i] >= 0) in_grad[i] = out[call->in_grad[i]];
  for (size_t i = 0; i < call->n_out; i++) {
    if (call->out_grad[i] >= 0) out_grad[i] = in[call->out_grad[i]];
    // Only read by vjp_run; the type is that of run's results.
    results[i] =
        call->is_backward ? (void *)(uintptr_t)in[call->n_in + i] : out[i];
  }
  tir_custom_call theirs = begin(call, message);
  theirs.in = in;
  theirs.out = results;
  theirs.scratch = scratch;
  theirs.scratch_bytes = scratch_bytes;
  tir_status status;
  if (call->is_backward) {
    theirs.out_grad = out_grad;
    theirs.in_grad = in_grad;
    status = call->op->vjp_run(&theirs);
  } else {
    status = call->op->run(&theirs);
  }
  if (status != TIR_OK) tir_ir_custom_say(call->op, message, text);
  return tir_ir_custom_status(status);
}
