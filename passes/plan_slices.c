// Slices as views: a slice (or part of a concatenation) that is one run of
// bytes needs no step and no memory, if what it is taken from is alive anyway
// as long as the slice.
//
// Not taken: slices that are given out or assigned (they are computed in place
// there), and slices of params that are assigned, whose memory then would have
// to be kept from the update.
#include "passes/planner.h"

// First index of a slice along an axis; bounds as in NumPy.
static int64_t slice_start(int64_t start, int64_t dim) {
  if (start < -dim) return 0;
  if (start < 0) return start + dim;
  return start > dim ? dim : start;
}

// Where the result begins in the operand, along each axis. False for a step
// above 1.
static bool read_starts(const tir_planner *p, tir_ir_node n,
                        const tir_ir_type *x, int64_t starts[TIR_MAX_RANK]) {
  for (int i = 0; i < TIR_MAX_RANK; i++) starts[i] = 0;
  if (tir_ir_op(p->graph, n) == TIR_OP_SLICE) {
    const tir_attrs_slice *attrs = tir_ir_attrs(p->graph, n);
    for (int64_t i = 0; i < attrs->starts.n; i++) {
      if (attrs->steps.n && attrs->steps.v[i] != 1) return false;
      starts[i] = slice_start(attrs->starts.v[i], x->dims[i]);
    }
    return true;
  }
  const tir_attrs_concat_part *attrs = tir_ir_attrs(p->graph, n);
  int axis = 0;
  if (!tir_ir_axis(attrs->axis, x->rank, &axis)) return false;
  for (uint32_t i = 0; i < (uint32_t)attrs->index; i++) {
    tir_ir_type part;
    tir_ir_type_of(p->graph, tir_ir_in(p->graph, n, 1 + i), &part);
    starts[axis] += part.dims[axis];
  }
  return true;
}

// Is the result one run of the operand's bytes, and where does it begin?
static bool is_one_run(const tir_planner *p, tir_ir_node n,
                       size_t *out_offset) {
  const tir_op op = tir_ir_op(p->graph, n);
  if (op != TIR_OP_SLICE && op != TIR_OP_CONCAT_PART) return false;
  tir_ir_type x, y;
  int64_t starts[TIR_MAX_RANK];
  tir_ir_type_of(p->graph, tir_ir_in(p->graph, n, 0), &x);
  tir_ir_type_of(p->graph, tir_ir_out(p->graph, n, 0), &y);
  if (x.rank != y.rank || tir_ir_type_numel(&y) == 0 ||
      !read_starts(p, n, &x, starts))
    return false;
  // Axes of size 1, one that is cut, then whole ones.
  int axis = 0;
  while (axis < y.rank && y.dims[axis] == 1) axis++;
  for (int i = axis + 1; i < y.rank; i++)
    if (y.dims[i] != x.dims[i]) return false;
  // Within the operand's bytes, which were checked.
  int64_t element = 0;
  for (int i = 0; i < y.rank; i++) element = element * x.dims[i] + starts[i];
  *out_offset = (size_t)element * tir_dtype_size(x.dtype);
  return true;
}

static bool may_be_view(const tir_planner *p, uint32_t value, uint32_t from) {
  if (!p->flow.is_read[value] || p->flow.is_final[value] ||
      p->flow.assigned[from])
    return false;
  // Inputs, params and constants stay; others must be alive anyway.
  return tir_planner_made_at(p, from) == TIR_PLANNER_NONE
             ? tir_planner_maker(p, from) != TIR_OP_INPUT ||
                   !p->options->input_donated ||
                   p->until[from] >= p->until[value]
             : p->until[from] >= p->until[value];
}

static bool take_as_view(tir_planner *p, tir_ir_node n) {
  size_t offset = 0;
  if (!is_one_run(p, n, &offset)) return false;
  const uint32_t value = tir_ir_out(p->graph, n, 0).id;
  const uint32_t x = tir_ir_in(p->graph, n, 0).id;
  const uint32_t from = p->root[x];
  if (!may_be_view(p, value, from)) return false;
  p->root[value] = from;
  p->offset[value] = p->offset[x] + offset;
  return true;
}

// Views of slices follow: roots come before the values they are roots of.
static void follow_roots(tir_planner *p) {
  for (uint32_t v = 1; v < p->flow.n_values; v++) {
    const uint32_t by_flow = p->flow.root[v];
    if (by_flow == v) continue;
    p->root[v] = p->root[by_flow];
    p->offset[v] = p->offset[by_flow];
  }
}

tir_status tir_planner_find_slices(tir_planner *p) {
  tir_plan *plan = p->plan;
  tir_planner_find_lifetimes(p);
  uint32_t n_kept = 0, n_before_commit = 0;
  for (uint32_t i = 0; i < plan->order.count; i++) {
    const tir_ir_node n = {plan->order.data[i]};
    // A view of an earlier slice must know where that one went.
    const tir_op op = tir_ir_op(p->graph, n);
    if (op == TIR_OP_SLICE || op == TIR_OP_CONCAT_PART) {
      const uint32_t x = tir_ir_in(p->graph, n, 0).id;
      const uint32_t by_flow = p->flow.root[x];
      p->root[x] = p->root[by_flow];
      p->offset[x] = p->offset[by_flow];
    }
    if (take_as_view(p, n)) {
      p->position[n.id] = TIR_PLANNER_NONE;
      continue;
    }
    n_before_commit += i < plan->commit;
    plan->order.data[n_kept] = n.id;
    tir_planner_set_position(p, n_kept++);
  }
  plan->order.count = n_kept;
  plan->commit = n_before_commit;
  p->end = n_kept;
  follow_roots(p);
  tir_planner_find_lifetimes(p);
  return TIR_OK;
}
