// What the optimiser steps share: which variables, their gradients, and
// assigning all results at the end.
#ifndef TAPEIR_IR_OPTIM_UPDATE_H
#define TAPEIR_IR_OPTIM_UPDATE_H

#include "ir/op.h"

enum { TIR_MAX_UPDATED = 3 };  // tensors a step replaces per variable

// One call of an optimiser. `lists` are what each op output replaces: the
// variables first, then their state.
typedef struct tir_ir_update {
  tir_tape *tape;
  const char *name;
  tir_op op;
  size_t n;
  const tir_value *lists[TIR_MAX_UPDATED];
  const char *list_names[TIR_MAX_UPDATED];
  size_t n_lists;
  const tir_value *scalars;  // operands after the gradient
  size_t n_scalars;
  tir_value counter;  // state that becomes `counted` too; may be invalid
  tir_value counted;
  bool keep_grad;
} tir_ir_update;

// Records the op for every variable, and only when all of them could be
// recorded, takes the gradients and assigns. On an error nothing is assigned.
void tir_ir_update_all(const tir_ir_update *u);

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
