// Custom ops: the registry of a context, and what inference, gradient, kernel
// and reference share in calling the user's functions.
#ifndef TAPEIR_IR_CUSTOM_H
#define TAPEIR_IR_CUSTOM_H

#include "ir/op.h"
#include "tapeir/custom.h"

// Room for the text a callback leaves, and for what is made of it.
enum { TIR_CUSTOM_TEXT_MAX = 160 };

// By name and version, NULL if there is none. Version 0: the newest. What is
// found lives as long as the context.
const tir_custom_op *tir_ir_custom_find(const tir_context *context,
                                        const char *name, int64_t version);
// The op of a node.
const tir_custom_op *tir_ir_custom_of(const tir_context *context,
                                      const tir_attrs_custom *attrs);
// `no op "blur" of version 3 is registered with the context: the newest is
// version 2`.
void tir_ir_custom_missing(const tir_context *context, const char *name,
                           int64_t version, char text[TIR_CUSTOM_TEXT_MAX]);

// Between the two forms of attributes and types.
void tir_ir_custom_attrs(const tir_attrs_custom *from, tir_custom_attrs *to);
void tir_ir_custom_type(const tir_ir_type *from, tir_custom_type *to);

// What a callback left in `message` as one line of valid UTF-8 behind the op's
// name: `blur: radius is 9`.
void tir_ir_custom_say(const tir_custom_op *op, const char *message,
                       char text[TIR_CUSTOM_TEXT_MAX]);
// The status a callback may end with; VALUE for every other number.
tir_status tir_ir_custom_status(tir_status status);

// A node taken apart: which of its operands and results the user's function
// gets as what. Operands of a backward node are the op's operands, its
// results, then the gradients of the float results; its results are the
// gradients of the operands in `wants`.
typedef struct tir_ir_custom_call {
  const tir_custom_op *op;
  tir_custom_attrs attrs;
  bool is_backward;
  size_t n_in, n_out;  // of the op
  tir_custom_type in[TIR_CUSTOM_MAX_VALUES];
  tir_custom_type out[TIR_CUSTOM_MAX_VALUES];
  // Operand or result number of the node, −1 for none.
  int8_t out_grad[TIR_CUSTOM_MAX_VALUES];
  int8_t in_grad[TIR_CUSTOM_MAX_VALUES];
} tir_ir_custom_call;

// Of a node that infer has agreed to.
void tir_ir_custom_take_apart(const tir_custom_op *op,
                              const tir_attrs_custom *attrs,
                              const tir_ir_type *in, const tir_ir_type *out,
                              tir_ir_custom_call *call);
// What its `scratch_bytes` asks for.
size_t tir_ir_custom_scratch(const tir_ir_custom_call *call);
// Runs it: pointers by operand and result of the node, none NULL. On failure
// `text` is filled.
tir_status tir_ir_custom_run(const tir_ir_custom_call *call,
                             const void *const *in, void *const *out,
                             void *scratch, size_t scratch_bytes,
                             char text[TIR_CUSTOM_TEXT_MAX]);

#endif
