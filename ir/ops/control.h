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

#endif
