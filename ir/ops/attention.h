// Shared by the op and its builders.
#ifndef TAPEIR_IR_OPS_ATTENTION_H
#define TAPEIR_IR_OPS_ATTENTION_H

#include "ir/record.h"

// The checks of a call, for the op and for the forms that builders make of it.
// Of q, k and v all but the leading axes.
tir_status tir_ir_check_attention(const tir_ir_infer_query *q);
// Do the leading axes of k and v broadcast to those of q? The one before the
// last two is left out if heads are shared.
tir_status tir_ir_check_attention_leading(const tir_ir_infer_query *q,
                                          bool shares_heads);
// Mask and length, if the attributes say so, against scores whose leading axes
// are those of `leading`.
tir_status tir_ir_check_attention_rest(const tir_ir_infer_query *q,
                                       const tir_ir_type *leading);

// Scores with −infinity where position i would see one behind it.
tir_value tir_ir_see_the_past(tir_tape *tape, tir_value scores);

#endif
