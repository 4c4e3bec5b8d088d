// Inside of the control ops: what their files share.
#ifndef TAPEIR_IR_OPS_CONTROL_H
#define TAPEIR_IR_OPS_CONTROL_H

#include "ir/body.h"
#include "ir/ops/rules.h"
#include "tapeir/ops/control.h"

// Gradient rules (control_gradient.c).
void tir_ir_scan_vjp(const tir_ir_vjp *q);
void tir_ir_cond_vjp(const tir_ir_vjp *q);
void tir_ir_while_vjp(const tir_ir_vjp *q);

// As tir_while, and gives all results: carries, trips, carries before each.
void tir_ir_while_all(tir_tape *tape, tir_while_condition condition,
                      tir_while_body body, void *user, const tir_value *carry,
                      size_t n_carry, int64_t max_trips, tir_value *out);

#endif
