// Running results along an axis.
//
// The sums are made in the order of the axis, from one end or the other;
// `exclusive` leaves each element out of its own sum, so that the first is 0.

#include <stddef.h>

#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

static const tir_ir_attr scan_attrs[] = {
    {.name = "axis",
     .kind = TIR_ATTR_I64,
     .offset = offsetof(tir_attrs_scan, axis),
     .required = true},
    {.name = "exclusive",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_scan, exclusive)},
    {.name = "reverse",
     .kind = TIR_ATTR_BOOL,
     .offset = offsetof(tir_attrs_scan, reverse)},
};

// --- cumsum ----------------------------------------------------------------

static tir_status cumsum_infer(const tir_ir_infer_query *q) {
  const tir_attrs_scan *attrs = q->attrs;
  int axis = 0;
  TIR_TRY(tir_ir_check_number(q, 0));
  TIR_TRY(tir_ir_check_axis(q, 0, attrs->axis, &axis));
  q->out[0] = q->in[0];
  return TIR_OK;
}

// An element is in the sums on one side of it, so its gradient is the running
// sum of theirs from the other side. With y_i = Σ x_j over j ≤ i the gradient
// is dx_j = Σ g_i over i ≥ j. Whether an element counts itself is the same both
// ways.
static void cumsum_vjp(const tir_ir_vjp *q) {
  tir_attrs_scan attrs = *(const tir_attrs_scan *)q->attrs;
  attrs.reverse = !attrs.reverse;
  q->in_grad[0] =
      tir_ir_record(q->tape, TIR_OP_CUMSUM, &q->out_grad[0], 1, &attrs);
}

const tir_op_desc tir_op_cumsum = {
    .name = "cumsum",
    .family = "scan",
    .summary = "Sums of all elements up to each one, along an axis.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .attrs = scan_attrs,
    .n_attrs = 3,
    .attrs_size = sizeof(tir_attrs_scan),
    .infer = cumsum_infer,
    .vjp = cumsum_vjp,
};

tir_value tir_cumsum(tir_tape *tape, tir_value x, int axis, bool exclusive,
                     bool reverse) {
  const tir_attrs_scan attrs = {
      .axis = tir_ir_axis_attr(tape, x, axis),
      .exclusive = exclusive,
      .reverse = reverse,
  };
  return tir_ir_record(tape, TIR_OP_CUMSUM, &x, 1, &attrs);
}
