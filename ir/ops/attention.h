// Shared by the op and its builders.
#ifndef TAPEIR_IR_OPS_ATTENTION_H
#define TAPEIR_IR_OPS_ATTENTION_H

#include "ir/record.h"

// Scores with −infinity where position i would see one behind it.
tir_value tir_ir_see_the_past(tir_tape *tape, tir_value scores);

#endif
