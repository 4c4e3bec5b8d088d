// cumsum: parameters; the loops are in levels/scan.c.
//
// A running sum is one chain of additions, so only what lies around the axis is
// cut: a single long row is not, but it asks whether to go on.
#include "exec/kernels/scan.h"

#include "exec/kernels/levels.h"

static tir_status cumsum_prepare(tir_exec_prepare *q) {
  const tir_attrs_scan *const attrs = q->attrs;
  const tir_ir_type *const in = &q->in[0];
  int axis = 0;
  if (!tir_ir_axis(attrs->axis, in->rank, &axis))
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                         "cumsum: axis out of range");
  const tir_exec_kernel_fn run =
      TIR_AT_LEVEL(tir_exec_scan, q->cpu_level)->cumsum[in->dtype];
  if (!run) return tir_exec_kernel_missing(q);
  tir_exec_scan *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  tir_exec_fill_rows(q, in, axis, 2, &p->rows);
  p->exclusive = attrs->exclusive != 0;
  p->reverse = attrs->reverse != 0;
  q->params = p;
  q->run = tir_ir_type_numel(in) == 0 ? tir_exec_kernel_nothing : run;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_cumsum = {.prepare = cumsum_prepare};
