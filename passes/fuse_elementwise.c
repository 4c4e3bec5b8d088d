// fuse-elementwise: which nodes run as one step, piece by piece.
//
//   c = op(a, b), d = op(c)             → one region, c in no memory
//   s = reduce(c) over whole rows       → in the region that makes c
//   d = op(c, s), s once for each row   → in that region too, if rows are short
//
// Class E: a region computes every node as it would by itself.
//
// Nodes are visited once, in order. Each has a stage, the same for all of a
// region and lower than that of every other step that reads it; so regions
// need each other in no circle, and two of one stage may always be joined. A
// node joins the regions of its operands when they stand at the highest stage
// among these. One that stands lower is lifted there if nobody else reads it.
//
// Neither may keep memory for long that was recorded to be free: a node does
// not join a region that other steps separate from it, unless it alone reads
// what it takes from there; a region is not lifted over other steps if it
// reads more values whole than it makes.
//
// Views are seen through. What only serves to replace params takes in nothing
// that serves something else, so that updates can be done early and in place.
// Integer division and empty values stay out: a region cannot fail.
#include <string.h>

#include "passes/flow.h"

enum { MAX_MEMBERS = 64, MAX_OPERANDS = 8, MAX_OUTER = 2 };

// What a step would be as the only member of a region.
typedef struct shape {
  int64_t n;    // elements
  int64_t row;  // of them are reduced to one; 0: nothing is
} shape;

typedef struct group {
  shape shape;
  uint32_t stage;
  uint32_t n_members;         // 0: no node a region may have
  uint32_t n_uses;            // reads of its values by others
  uint32_t outer[MAX_OUTER];  // distinct values it reads whole
  uint32_t n_outer;           // > MAX_OUTER: more
  uint32_t first, last;       // steps
} group;

typedef struct fuser {
  const tir_ir_graph *graph;
  tir_pass_flow flow;
  tir_plan *plan;
  uint32_t *leader;    // by step: another step of its group, itself at the end
  group *groups;       // by leading step
  uint32_t *n_before;  // by step: steps before it that no region may have
  bool *is_update;     // by step: only serves to replace params
  tir_error *error;
} fuser;

static uint32_t leader_of(const fuser *f, uint32_t step) {
  while (f->leader[step] != step) {
    f->leader[step] = f->leader[f->leader[step]];
    step = f->leader[step];
  }
  return step;
}

// As tir_ir_type_numel, which was checked when the type was made.
static int64_t numel_of(const fuser *f, uint32_t value) {
  const tir_ir_value_data *v = tir_ir_value_at(f->graph, (tir_ir_value){value});
  int64_t n = 1;
  for (uint32_t i = 0; i < v->rank; i++) n *= f->graph->dims.data[v->dims + i];
  return n;
}

// --- what a node is --------------------------------------------------------

// Which axes of its operand a node reduces; false if it does not.
static bool find_reduced(const tir_ir_graph *g, tir_ir_node n,
                         const tir_ir_type *x, bool *reduced) {
  switch (tir_ir_op(g, n)) {
    case TIR_OP_REDUCE_SUM:
    case TIR_OP_REDUCE_MEAN:
    case TIR_OP_REDUCE_PROD:
    case TIR_OP_REDUCE_MAX:
    case TIR_OP_REDUCE_MIN: {
      const tir_attrs_reduce *attrs = tir_ir_attrs(g, n);
      for (int i = 0; i < x->rank; i++) reduced[i] = attrs->axes.n == 0;
      for (int64_t i = 0; i < attrs->axes.n; i++) {
        int axis = 0;
        if (!tir_ir_axis(attrs->axes.v[i], x->rank, &axis)) return false;
        reduced[axis] = true;
      }
      return true;
    }
    case TIR_OP_REDUCE_TO: {
      tir_ir_type like;
      tir_ir_type_of(g, tir_ir_out(g, n, 0), &like);
      for (int i = 0; i < x->rank; i++) {
        const int own = i - (x->rank - like.rank);
        reduced[i] = own < 0 || like.dims[own] == 1;
      }
      return true;
    }
    default:
      return false;
  }
}

// Elements of a row when whole rows are reduced, else 0. Axes of one element
// are both reduced and kept.
static int64_t reduced_row(const tir_ir_graph *g, tir_ir_node n) {
  tir_ir_type x;
  tir_ir_type_of(g, tir_ir_in(g, n, 0), &x);
  bool reduced[TIR_MAX_RANK] = {false};
  if (!find_reduced(g, n, &x, reduced)) return 0;
  int axis = x.rank;
  int64_t row = 1;
  while (axis > 0 && (reduced[axis - 1] || x.dims[axis - 1] == 1))
    row *= x.dims[--axis];
  for (int i = 0; i < axis; i++)
    if (reduced[i] && x.dims[i] != 1) return 0;
  return row > 1 && tir_ir_type_numel(&x) > 0 ? row : 0;
}

static bool is_broadcast(tir_op op) {
  return op == TIR_OP_BROADCAST_TO || op == TIR_OP_BROADCAST_LIKE;
}

// False: the node cannot be in a region.
static bool find_shape(const fuser *f, tir_ir_node n, shape *out) {
  const tir_ir_graph *g = f->graph;
  const uint32_t traits = tir_ir_desc(g, n)->traits;
  *out = (shape){.n = numel_of(f, tir_ir_out(g, n, 0).id)};
  if (tir_ir_n_out(g, n) != 1 || out->n == 0) return false;
  if (tir_ir_n_in(g, n) > MAX_OPERANDS) return false;
  if (traits & (TIR_TRAIT_EFFECT | TIR_TRAIT_RANDOM | TIR_TRAIT_WHOLE))
    return false;
  if (is_broadcast(tir_ir_op(g, n))) return true;
  if (traits & TIR_TRAIT_ELEMENTWISE) return !tir_pass_may_fail(g, n);
  out->row = reduced_row(g, n);
  out->n = numel_of(f, tir_ir_in(g, n, 0).id);
  return out->row > 0;
}

// Does `x` hold one element for each row of `row` elements of `to`?
static bool is_one_per_row(const tir_ir_type *x, const tir_ir_type *to,
                           int64_t row) {
  int64_t seen = 1;
  int axis = to->rank;
  while (axis > 0 && seen < row) {
    const int own = --axis - (to->rank - x->rank);
    if (own >= 0 && x->dims[own] != 1) return false;
    seen *= to->dims[axis];
  }
  if (seen != row) return false;
  while (axis-- > 0) {
    const int own = axis - (to->rank - x->rank);
    if ((own < 0 ? 1 : x->dims[own]) != to->dims[axis]) return false;
  }
  return true;
}

// --- joining ---------------------------------------------------------------

static bool is_short(int64_t row) { return row <= TIR_PLAN_MAX_ROW; }

// The shape of a region with members of both shapes; false if there is none.
static bool join_shapes(shape a, shape b, shape *out) {
  if (a.n == b.n) {
    if (a.row && b.row && a.row != b.row) return false;
    *out = (shape){a.n, a.row ? a.row : b.row};
    return true;
  }
  const shape big = a.n > b.n ? a : b, small = a.n > b.n ? b : a;
  *out = big;
  return big.row && is_short(big.row) && !small.row &&
         small.n == big.n / big.row;
}

// May a node of a region of this shape, computing `n` elements, read operand
// i inside of it?
static bool reads_inside(const fuser *f, tir_ir_node node, uint32_t i,
                         int64_t n, shape region) {
  const int64_t n_x = numel_of(f, tir_ir_in(f->graph, node, i).id);
  // Sums of long rows are known when all of the region is done.
  if (n_x != region.n && !is_short(region.row)) return false;
  if (n_x == n) return true;
  tir_ir_type x, to;
  tir_ir_type_of(f->graph, tir_ir_in(f->graph, node, i), &x);
  tir_ir_type_of(f->graph, tir_ir_out(f->graph, node, 0), &to);
  return region.row && n == region.n && n_x == region.n / region.row &&
         is_one_per_row(&x, &to, region.row);
}

// A node that is being visited, and the regions it might join.
typedef struct visit {
  tir_ir_node node;
  uint32_t step;
  shape own;
  uint32_t top;  // highest stage of what it reads
  // Leading steps, and how many values of each are read.
  uint32_t leaders[MAX_MEMBERS], n_reads[MAX_MEMBERS];
  uint32_t n_leaders;
} visit;

static void list_leaders(const fuser *f, visit *v) {
  const tir_pass_flow *w = &f->flow;
  v->n_leaders = v->top = 0;
  for (uint32_t i = w->reads_first[v->step]; i < w->reads_first[v->step + 1];
       i++) {
    const uint32_t maker = tir_pass_step_of_value(w, w->reads[i]);
    if (maker == TIR_FLOW_NO_STEP) continue;
    const uint32_t leader = leader_of(f, maker);
    const group *g = &f->groups[leader];
    if (g->stage > v->top) v->top = g->stage;
    if (g->n_members == 0) continue;
    uint32_t k = 0;
    while (k < v->n_leaders && v->leaders[k] != leader) k++;
    if (k == MAX_MEMBERS) continue;
    if (k == v->n_leaders) {
      v->leaders[v->n_leaders] = leader;
      v->n_reads[v->n_leaders++] = 0;
    }
    v->n_reads[k]++;
  }
}

// No other steps were recorded between two.
static bool is_near(const fuser *f, uint32_t step, uint32_t later) {
  return f->n_before[step] == f->n_before[later];
}

// May the region be run at the node's stage, which is later than its own?
static bool may_lift(const fuser *f, const visit *v, uint32_t k) {
  const group *g = &f->groups[v->leaders[k]];
  return g->n_uses == v->n_reads[k] &&
         (g->n_outer <= v->n_reads[k] || is_near(f, g->first, v->step));
}

// Is one of the regions at that stage near?
static bool any_near(const fuser *f, const visit *v, uint32_t stage) {
  for (uint32_t k = 0; k < v->n_leaders; k++) {
    const group *g = &f->groups[v->leaders[k]];
    if (g->stage == stage && is_near(f, g->last, v->step)) return true;
  }
  return false;
}

// May the node join a region at its own stage?
static bool may_join(const fuser *f, const visit *v, uint32_t k, bool near) {
  const uint32_t leader = v->leaders[k];
  if (f->groups[leader].n_uses == v->n_reads[k]) return true;
  return near && f->is_update[leader] == f->is_update[v->step];
}

// Regions to join when the node stands at `stage`, put first in `leaders`;
// their number is returned, and the shape of them all.
static uint32_t choose(const fuser *f, visit *v, uint32_t stage, shape *out) {
  const bool near = any_near(f, v, stage);
  uint32_t n_chosen = 0, n_members = 1;
  *out = v->own;
  for (uint32_t k = 0; k < v->n_leaders; k++) {
    const uint32_t leader = v->leaders[k], n_reads = v->n_reads[k];
    const group *g = &f->groups[leader];
    shape joined;
    if (!(g->stage == stage ? may_join(f, v, k, near) : may_lift(f, v, k)) ||
        n_members + g->n_members > MAX_MEMBERS ||
        !join_shapes(*out, g->shape, &joined))
      continue;
    *out = joined;
    n_members += g->n_members;
    v->leaders[k] = v->leaders[n_chosen];
    v->n_reads[k] = v->n_reads[n_chosen];
    v->leaders[n_chosen] = leader;
    v->n_reads[n_chosen++] = n_reads;
  }
  return n_chosen;
}

static bool is_chosen(const visit *v, uint32_t n_chosen, uint32_t leader) {
  for (uint32_t k = 0; k < n_chosen; k++)
    if (v->leaders[k] == leader) return true;
  return false;
}

// Operands made inside can be read there, and the others stand lower.
static bool is_valid(const fuser *f, const visit *v, uint32_t n_chosen,
                     uint32_t stage, shape region) {
  const tir_ir_graph *g = f->graph;
  const tir_op_desc *desc = tir_ir_desc(g, v->node);
  const uint32_t n_in = tir_ir_n_in(g, v->node);
  for (uint32_t i = 0; i < n_in; i++) {
    if (tir_ir_op_shape_only(desc, i)) continue;
    const uint32_t root = f->flow.root[tir_ir_in(g, v->node, i).id];
    const uint32_t maker = tir_pass_step_of_value(&f->flow, root);
    if (maker == TIR_FLOW_NO_STEP) continue;
    const uint32_t leader = leader_of(f, maker);
    if (!is_chosen(v, n_chosen, leader)) {
      if (f->groups[leader].stage >= stage) return false;
    } else if (!reads_inside(f, v->node, i, v->own.n, region)) {
      return false;
    }
  }
  return true;
}

static void add_outer(group *g, uint32_t value) {
  for (uint32_t i = 0; i < g->n_outer && i < MAX_OUTER; i++)
    if (g->outer[i] == value) return;
  if (g->n_outer < MAX_OUTER) g->outer[g->n_outer] = value;
  if (g->n_outer <= MAX_OUTER) g->n_outer++;
}

static void count_outer(const fuser *f, const visit *v, uint32_t n_chosen,
                        group *own) {
  const tir_pass_flow *w = &f->flow;
  for (uint32_t k = 0; k < n_chosen; k++) {
    const group *g = &f->groups[v->leaders[k]];
    for (uint32_t i = 0; i < g->n_outer && i < MAX_OUTER; i++)
      add_outer(own, g->outer[i]);
    if (g->n_outer > MAX_OUTER) own->n_outer = g->n_outer;
  }
  for (uint32_t i = w->reads_first[v->step]; i < w->reads_first[v->step + 1];
       i++) {
    const uint32_t maker = tir_pass_step_of_value(w, w->reads[i]);
    const bool inside = maker != TIR_FLOW_NO_STEP &&
                        is_chosen(v, n_chosen, leader_of(f, maker));
    if (!inside && numel_of(f, w->reads[i]) == own->shape.n)
      add_outer(own, w->reads[i]);
  }
}

static void join(fuser *f, const visit *v, uint32_t n_chosen, uint32_t stage,
                 shape region) {
  const tir_pass_flow *w = &f->flow;
  const uint32_t out = tir_ir_out(f->graph, v->node, 0).id;
  group own = {
      .shape = region,
      .stage = stage,
      .n_members = 1,
      .n_uses = w->readers_first[out + 1] - w->readers_first[out],
      .first = v->step,
      .last = v->step,
  };
  count_outer(f, v, n_chosen, &own);
  for (uint32_t k = 0; k < n_chosen; k++) {
    const group *g = &f->groups[v->leaders[k]];
    own.n_members += g->n_members;
    own.n_uses += g->n_uses - v->n_reads[k];
    if (g->first < own.first) own.first = g->first;
    f->leader[v->leaders[k]] = v->step;
  }
  f->groups[v->step] = own;
}

static void visit_step(fuser *f, uint32_t step) {
  visit v = {.node = {f->flow.node_of[step]}, .step = step};
  list_leaders(f, &v);
  f->leader[step] = step;
  f->groups[step] = (group){.stage = v.top + 1};
  f->n_before[step + 1] = f->n_before[step] + 1;
  if (!find_shape(f, v.node, &v.own)) return;
  f->n_before[step + 1]--;
  // At the stage of the highest operands, else above them.
  for (uint32_t stage = v.top; stage <= v.top + 1; stage++) {
    shape region;
    uint32_t n_chosen = choose(f, &v, stage, &region);
    if (stage == v.top && n_chosen == 0) continue;
    if (!is_valid(f, &v, n_chosen, stage, region)) {
      if (stage == v.top) continue;
      n_chosen = 0;
      region = v.own;
    }
    join(f, &v, n_chosen, stage, region);
    return;
  }
}

// --- writing regions -------------------------------------------------------

static tir_status write_regions(fuser *f) {
  tir_plan *plan = f->plan;
  const uint32_t n_steps = f->flow.n_steps;
  size_t n_members = 0;
  for (uint32_t s = 0; s < n_steps; s++) {
    const group *g = &f->groups[s];
    if (f->leader[s] == s && g->n_members > 1) n_members += g->n_members;
  }
  if (n_members == 0) return TIR_OK;
  plan->region_of = tir_base_alloc_zero(
      plan->context, f->flow.n_nodes * sizeof(uint32_t), _Alignof(uint32_t));
  if (!plan->region_of)
    return tir_base_fail_memory(f->error, f->flow.n_nodes * sizeof(uint32_t));
  plan->n_region_of = f->flow.n_nodes;
  if (!TIR_VEC_RESERVE(plan->context, &plan->members, n_members))
    return tir_base_fail_memory(f->error, n_members * sizeof(uint32_t));
  plan->members.count = n_members;
  uint32_t first = 0;
  // A region is made when its first member is met; from then on n_uses of its
  // group is its number + 1 and n_outer the members written.
  for (uint32_t s = 0; s < n_steps; s++)
    f->groups[s].n_uses = f->groups[s].n_outer = 0;
  for (uint32_t s = 0; s < n_steps; s++) {
    group *g = &f->groups[leader_of(f, s)];
    if (g->n_members < 2) continue;
    if (g->n_uses == 0) {
      const tir_plan_region region = {first, g->n_members, g->shape.n,
                                      g->shape.row};
      if (!TIR_VEC_PUSH(plan->context, &plan->regions, region))
        return tir_base_fail_memory(f->error, sizeof region);
      g->n_uses = (uint32_t)plan->regions.count;
      first += g->n_members;
    }
    const uint32_t node = f->flow.node_of[s];
    plan->region_of[node] = g->n_uses;
    const uint32_t at = plan->regions.data[g->n_uses - 1].first;
    plan->members.data[at + g->n_outer++] = node;
  }
  return TIR_OK;
}

// Steps whose results are all assigned, or read by such steps only.
static void find_updates(fuser *f, bool *is_assigned) {
  const tir_pass_flow *w = &f->flow;
  for (uint32_t v = 1; v < w->n_values; v++)
    if (w->assigned[v]) is_assigned[w->assigned[v]] = true;
  for (uint32_t s = w->n_steps; s-- > 0;) {
    f->is_update[s] = true;
    for (uint32_t m = w->makes_first[s]; m < w->makes_first[s + 1]; m++) {
      const uint32_t v = w->makes[m];
      const bool is_read = w->readers_first[v] < w->readers_first[v + 1];
      bool serves = is_read || is_assigned[v];
      for (uint32_t i = w->readers_first[v]; i < w->readers_first[v + 1]; i++)
        serves = serves && f->is_update[w->readers[i]];
      f->is_update[s] =
          f->is_update[s] && serves && (is_assigned[v] || !w->is_final[v]);
    }
  }
}

static tir_status fuse(fuser *f) {
  const size_t n = f->flow.n_steps + 1, n_values = f->flow.n_values;
  const size_t n_bytes =
      n * (sizeof(group) + 2 * sizeof(uint32_t) + 1) + n_values;
  group *block = tir_base_alloc_zero(f->plan->context, n_bytes, 8);
  if (!block) return tir_base_fail_memory(f->error, n_bytes);
  f->groups = block;
  f->leader = (uint32_t *)(block + n);
  f->n_before = f->leader + n;
  f->is_update = (bool *)(f->n_before + n);
  find_updates(f, f->is_update + n);
  for (uint32_t s = 0; s < f->flow.n_steps; s++) visit_step(f, s);
  const tir_status status = write_regions(f);
  tir_base_free(f->plan->context, block, n_bytes, 8);
  return status;
}

tir_status tir_pass_fuse_elementwise(const tir_ir_graph *graph, tir_plan *plan,
                                     tir_error *error) {
  fuser f = {.graph = graph, .plan = plan, .error = error};
  TIR_TRY(tir_pass_flow_make(graph, plan, &f.flow, error));
  const tir_status status = fuse(&f);
  tir_pass_flow_free(&f.flow);
  return status;
}
