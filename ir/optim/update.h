// What the optimiser steps share: which variables, their gradients, and
// assigning all results at the end.
#ifndef TAPEIR_IR_OPTIM_UPDATE_H
#define TAPEIR_IR_OPTIM_UPDATE_H

#include "ir/op.h"

enum { TIR_MAX_UPDATED = 3 };  // tensors a step replaces per variable

struct tir_ir_update;
// Records the step of one variable with ordinary ops: `in` are its tensors,
// the gradient, the scalars; `results` what replaces the tensors. May keep an
// error and return.
typedef void (*tir_ir_step_builder)(const struct tir_ir_update *u,
                                    const tir_value *in, tir_value *results);

// One call of an optimiser. `lists` are what each op output replaces: the
// variables first, then their state.
typedef struct tir_ir_update {
  tir_tape *tape;
  const char *name;
  tir_op op;                  // the step itself, or
  tir_ir_step_builder build;  // what records it (op is none)
  size_t n;
  const tir_value *lists[TIR_MAX_UPDATED];
  const char *list_names[TIR_MAX_UPDATED];
  size_t n_lists;
  const tir_value *scalars;  // operands after the gradient
  size_t n_scalars;
  tir_value counter;  // i64 state, counted up; its new value is the operand
                      // after the scalars. All-zero: none
  bool keep_grad;
} tir_ir_update;

// Records the op for every variable, and only when all of them could be
// recorded, takes the gradients and assigns. On an error nothing is assigned.
void tir_ir_update_all(const tir_ir_update *u);

// Of a step that is one op with one list of state and no counter: the op's name
// is that of the call, `state_name` that of the list in messages.
void tir_ir_update_with_state(tir_tape *tape, tir_op op, const tir_value *w,
                              const tir_value *state, const char *state_name,
                              size_t n, const tir_value *scalars,
                              size_t n_scalars, bool keep_grad);

// --- what the training tools use too ---------------------------------------

// The gradient of values[i]; false with an error kept if it has none.
bool tir_ir_gradient_of(tir_tape *tape, const char *call, const char *list,
                        const tir_value *values, size_t i,
                        tir_value *out_gradient);
// Would an assign to one of the list be refused, or is there no list? Asked
// before anything is recorded; keeps an error.
bool tir_ir_may_assign(tir_tape *tape, const char *call, const char *list,
                       const tir_value *values, size_t n);
// Memory for n entries of `each` bytes while a call lasts (tir_base_free,
// aligned as a tir_value); NULL with an error kept.
void *tir_ir_step_list(tir_tape *tape, const char *call, size_t n, size_t each,
                       size_t *out_bytes);

// Is the value usable and a scalar? Keeps an error if not.
bool tir_ir_is_scalar(tir_tape *tape, const char *call, const char *name,
                      tir_value value);
// Have two values one dtype and shape? Keeps an error if not.
bool tir_ir_same_types(tir_tape *tape, const char *call, const char *a_name,
                       tir_value a, const char *b_name, tir_value b);

typedef struct tir_ir_assignment {
  tir_value target, value;
} tir_ir_assignment;

// Assigns all or, with an error kept, nothing; where the step condition does
// not hold, to what the targets are already. Recording must be off.
bool tir_ir_assign_all(tir_tape *tape, const char *call,
                       tir_ir_assignment *list, size_t n);

// Infer of a step: the first n_tensors operands have one float type, the
// n_scalars that follow are scalars of that dtype. Outputs are the first
// n_out of the tensors.
tir_status tir_ir_infer_update(const tir_ir_infer_query *q, size_t n_tensors,
                               size_t n_scalars);

// Why no optimiser step has a gradient.
#define TIR_NO_GRADIENT_OF_STEP                                          \
  "an optimiser step is not differentiated; write it with ordinary ops " \
  "where it must be"

#endif
