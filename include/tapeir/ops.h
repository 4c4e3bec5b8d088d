/// @file
/// Op functions: each appends to the tape and returns a value.
///
/// Shapes broadcast as in NumPy. Both operands of a binary op have the same
/// dtype; the _scalar forms take a C double and use it in the tensor's dtype.
/// A bad call is kept by the tape (tir_tape_check) and returns an invalid
/// value, which is safe to pass on: that is what "Errors" means below. On top
/// of the errors listed, every op refuses an invalid or foreign handle
/// (TIR_ERR_ARGUMENT, TIR_ERR_STATE), a result that no memory could hold
/// (TIR_ERR_LIMIT), and may run out of memory (TIR_ERR_MEMORY).
///
/// In the comments `g` is the gradient of the result, `dx` that of operand x.
/// Cost is linear in the operands and the result unless it is given. Integer
/// arithmetic never has a gradient.
#ifndef TAPEIR_OPS_H
#define TAPEIR_OPS_H

#include "tapeir/ops/activation.h"
#include "tapeir/ops/attention.h"
#include "tapeir/ops/binary.h"
#include "tapeir/ops/compare.h"
#include "tapeir/ops/control.h"
#include "tapeir/ops/create.h"
#include "tapeir/ops/index.h"
#include "tapeir/ops/matmul.h"
#include "tapeir/ops/movement.h"
#include "tapeir/ops/normalize.h"
#include "tapeir/ops/random.h"
#include "tapeir/ops/reduce.h"
#include "tapeir/ops/scan.h"
#include "tapeir/ops/softmax.h"
#include "tapeir/ops/state.h"
#include "tapeir/ops/unary.h"

#endif
