// For builders that take starts or lengths from the run.
#ifndef TAPEIR_IR_OPS_WINDOW_H
#define TAPEIR_IR_OPS_WINDOW_H

#include "ir/record.h"

// x as it is; a run fails unless every element is 0 … the size of `axis` of
// `whole`, less that of `part` or, with no part, less `size`.
tir_value tir_ir_check_range(tir_tape *tape, tir_value x, tir_value whole,
                             tir_value part, int axis, int64_t size);

#endif
