// check-plan: runs a plan on paper and watches every byte.
//
// All memory a program touches (arena, inputs, params, outputs, constants) is
// laid out on one line, and for each piece of it the checker keeps whose
// content it holds. Then it walks the order: an operand must be found where
// the plan says it is, whole; a result overwrites what was there. A value
// that was overwritten too early, never computed or placed over another one
// shows when it is read. At the end outputs and params must hold what they
// should.
//
// Independent on purpose: views, contents and what may fail are found here
// from graph, regions and order alone; nothing is shared with those who plan.
#include <string.h>

#include "ir/base/checked.h"
#include "passes/byte_owners.h"
#include "passes/plan.h"

typedef tir_pass_region region;

typedef struct checker {
  const tir_ir_graph *g;
  const tir_plan *plan;
  tir_error *error;
  uint32_t *content;     // by value: the value whose content it shows
  size_t *shift;         // by value: from the content's first byte
  size_t *home;          // by content: where its first byte stands
  bool *is_written;      // by content
  bool *is_done;         // by node
  uint32_t last_effect;  // node of the effect that ran last
  size_t *space;         // first address of inputs, params, outputs, constants
  size_t n_spaces, first_of[TIR_PLACE_CONSTANT + 1];
  // Of each piece of memory, the value whose content it is.
  tir_pass_owners owners;
} checker;

// Every finding names value, node and op: it is read by whoever broke the
// planner.
static tir_status broken(const checker *c, uint32_t value, const char *what) {
  const uint32_t node = value ? c->g->values.data[value].node : 0;
  tir_base_fail(
      c->error, TIR_ERR_STATE, "plan: value %u of node %%%u (%s) %s", value,
      node, node ? tir_ir_desc(c->g, (tir_ir_node){node})->name : "none", what);
  if (c->error) c->error->node = node;
  return TIR_ERR_STATE;
}

// --- the line of memory ----------------------------------------------------

// Not rounded: the checker looks at what is read and written, not at what the
// planner sets aside.
static size_t bytes_of(const checker *c, uint32_t value) {
  tir_ir_type type;
  tir_ir_type_of(c->g, (tir_ir_value){value}, &type);
  return tir_ir_type_bytes(&type);
}

// Through replacements: the graph may come straight from a pass.
static uint32_t output_value(const checker *c, uint32_t index) {
  return tir_ir_resolve(c->g, c->g->outputs.data[index].value).id;
}

// Number of the space a place is in; SIZE_MAX if there is none of that index.
static size_t space_of(const checker *c, uint8_t kind, uint32_t index) {
  if (kind == TIR_PLACE_ARENA) return 0;
  const size_t end =
      kind == TIR_PLACE_CONSTANT ? c->n_spaces : c->first_of[kind + 1];
  const size_t space = c->first_of[kind] + index;
  return space < end ? space : SIZE_MAX;
}

// Bounds are compared by what is left over, which cannot overflow.
static bool find_region(const checker *c, uint8_t kind, uint32_t index,
                        size_t offset, size_t size, region *out) {
  const size_t space = space_of(c, kind, index);
  if (space == SIZE_MAX) return false;
  const size_t room = c->space[space + 1] - c->space[space];
  if (offset > room || size > room - offset) return false;
  *out = (region){c->space[space] + offset, c->space[space] + offset + size};
  return true;
}

static tir_status region_of(const checker *c, uint32_t value, region *out) {
  const tir_place *p = &c->plan->places[value];
  if (p->kind == TIR_PLACE_NONE)
    return broken(c, value, "is needed but has no place");
  if (p->size != bytes_of(c, value))
    return broken(c, value, "has a place of another size");
  if (find_region(c, p->kind, p->index, p->offset, p->size, out)) return TIR_OK;
  return broken(c, value, "is placed outside its memory");
}

// Spaces one behind the other: the arena, inputs, params, outputs, constants.
static tir_status lay_out(checker *c, size_t *space_bytes) {
  size_t at = 0;
  for (size_t i = 0; i < c->n_spaces; i++) {
    c->space[i] = at;
    if (!tir_base_size_add(at, space_bytes[i], &at))
      return tir_base_fail(c->error, TIR_ERR_LIMIT,
                           "plan: memory exceeds the address space");
  }
  c->space[c->n_spaces] = at;
  return TIR_OK;
}

// Pieces begin where any place, space or saved version begins or ends; in
// between nothing can change by halves.
static void find_cuts(checker *c) {
  tir_pass_owners *const o = &c->owners;
  region r;
  for (size_t i = 0; i <= c->n_spaces; i++) tir_pass_owners_cut(o, c->space[i]);
  for (size_t v = 1; v < c->plan->n_places; v++) {
    const tir_place *p = &c->plan->places[v];
    if (p->kind == TIR_PLACE_NONE ||
        !find_region(c, p->kind, p->index, p->offset, p->size, &r))
      continue;
    tir_pass_owners_cut(o, r.first);
    tir_pass_owners_cut(o, r.end);
  }
  for (size_t i = 0; i < c->plan->copies.count; i++) {
    const tir_plan_copy *copy = &c->plan->copies.data[i];
    if (!find_region(c, TIR_PLACE_ARENA, 0, copy->saved,
                     bytes_of(c, copy->value), &r))
      continue;
    tir_pass_owners_cut(o, r.first);
    tir_pass_owners_cut(o, r.end);
  }
  tir_pass_owners_start(o);
}

// --- contents --------------------------------------------------------------

// Elements of a slice stand in rising order, so they are one run of bytes when
// the last is as far from the first as there are others.
static bool find_run(const checker *c, tir_ir_node n, size_t *out_shift) {
  const tir_op op = tir_ir_op(c->g, n);
  tir_ir_type x, y;
  tir_ir_type_of(c->g, tir_ir_in(c->g, n, 0), &x);
  tir_ir_type_of(c->g, tir_ir_out(c->g, n, 0), &y);
  int64_t first = 0, last = 0, stride = 1;
  for (int i = x.rank - 1; i >= 0; stride *= x.dims[i], i--) {
    int64_t start = 0, step = 1;
    if (op == TIR_OP_SLICE) {
      const tir_attrs_slice *a = tir_ir_attrs(c->g, n);
      if (i < a->starts.n) start = a->starts.v[i];
      if (i < a->steps.n) step = a->steps.v[i];
      if (start < 0) start = start < -x.dims[i] ? 0 : start + x.dims[i];
    } else {
      const tir_attrs_concat_part *a = tir_ir_attrs(c->g, n);
      int axis = 0;
      if (!tir_ir_axis(a->axis, x.rank, &axis)) return false;
      for (int64_t k = 0; axis == i && k < a->index; k++) {
        tir_ir_type part;
        tir_ir_type_of(c->g, tir_ir_in(c->g, n, 1 + (uint32_t)k), &part);
        start += part.dims[i];
      }
    }
    first += start * stride;
    last += (start + (y.dims[i] - 1) * step) * stride;
  }
  *out_shift = (size_t)first * tir_dtype_size(x.dtype);
  return last - first == tir_ir_type_numel(&y) - 1;
}

// Views show the content of what they view; an assign that of its new value.
static tir_status find_contents(checker *c) {
  const tir_ir_graph *g = c->g;
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n)) {
    const uint32_t n_out = tir_ir_n_out(g, n);
    for (uint32_t i = 0; i < n_out; i++) {
      const uint32_t v = tir_ir_out(g, n, i).id;
      c->content[v] = v;
    }
    const tir_op op = tir_ir_op(g, n);
    const uint32_t traits = tir_ir_desc(g, n)->traits;
    const uint32_t out = tir_ir_out(g, n, 0).id;
    const bool cuts = (op == TIR_OP_SLICE || op == TIR_OP_CONCAT_PART) &&
                      c->plan->places[out].is_view;
    uint32_t from = 0;
    size_t shift = 0;
    if (op == TIR_OP_ASSIGN)
      from = tir_ir_in(g, n, 1).id;
    else if (cuts ||
             ((traits & TIR_TRAIT_VIEW) && !(traits & TIR_TRAIT_EFFECT)))
      from = tir_ir_in(g, n, 0).id;
    if (cuts && !find_run(c, n, &shift))
      return broken(c, out, "is no run of bytes, yet a view");
    if (!from) continue;
    c->content[out] = c->content[from];
    c->shift[out] = c->shift[from] + shift;
  }
  return TIR_OK;
}

// Written at all, and not written over since.
static tir_status expect(checker *c, uint32_t value, region r,
                         const char *what) {
  if (r.first == r.end) return TIR_OK;
  const uint32_t content = c->content[value];
  if (c->is_written[content] && tir_pass_owners_is(&c->owners, r, content))
    return TIR_OK;
  return broken(c, value, what);
}

// The value stands at its place, now.
static tir_status expect_value(checker *c, uint32_t value) {
  if (bytes_of(c, value) == 0) return TIR_OK;
  region r;
  TIR_TRY(region_of(c, value, &r));
  TIR_TRY(expect(c, value, r, "is read, but its memory holds something else"));
  if (r.first == c->home[c->content[value]] + c->shift[value]) return TIR_OK;
  return broken(c, value, "is not where its content was written");
}

// --- steps -----------------------------------------------------------------

// Running in place needs each element to stand where its operand stood.
static bool same_elements(const checker *c, uint32_t a, uint32_t b) {
  tir_ir_type x, y;
  tir_ir_type_of(c->g, (tir_ir_value){a}, &x);
  tir_ir_type_of(c->g, (tir_ir_value){b}, &y);
  return x.dtype == y.dtype && tir_ir_same_shape(&x, &y);
}

static bool overlap(region a, region b) {
  return a.first < b.end && b.first < a.end;
}

// Reading and overwriting the same memory is allowed to ops that work in place
// on it. A region goes through it piece by piece: whoever reads it comes no
// later than who writes it, and neither moves elements.
static bool may_replace(const checker *c, tir_plan_nodes nodes, uint32_t reader,
                        uint32_t maker, uint32_t x, uint32_t out) {
  const tir_ir_node n = {nodes.ids[reader]};
  const uint32_t traits = tir_ir_desc(c->g, n)->traits;
  if (!(traits & TIR_TRAIT_IN_PLACE) || !same_elements(c, x, out)) return false;
  return nodes.n == 1 || (reader <= maker && (traits & TIR_TRAIT_ELEMENTWISE) &&
                          same_elements(c, tir_ir_out(c->g, n, 0).id, out));
}

// Is the value computed by one of the nodes?
static bool is_inside(const checker *c, tir_plan_nodes nodes, uint32_t value) {
  const uint32_t node = c->g->values.data[c->content[value]].node;
  for (uint32_t k = 0; k < nodes.n; k++)
    if (nodes.ids[k] == node) return true;
  return false;
}

static tir_status check_overwritten(checker *c, tir_plan_nodes nodes,
                                    uint32_t maker, uint32_t out, region r) {
  region other;
  for (uint32_t k = 0; k < nodes.n; k++) {
    const tir_ir_node n = {nodes.ids[k]};
    const uint32_t n_in = tir_ir_n_in(c->g, n);
    for (uint32_t i = 0; i < n_in; i++) {
      const uint32_t x = tir_ir_in(c->g, n, i).id;
      if (tir_ir_op_shape_only(tir_ir_desc(c->g, n), i) ||
          bytes_of(c, x) == 0 || is_inside(c, nodes, x))
        continue;
      TIR_TRY(region_of(c, x, &other));
      if (!overlap(r, other)) continue;
      if (r.first != other.first || !may_replace(c, nodes, k, maker, x, out))
        return broken(c, out, "overwrites an operand that is still read");
    }
  }
  return TIR_OK;
}

// A result may lie over an operand only in place, and over another result
// never.
static tir_status check_result(checker *c, tir_plan_nodes nodes, uint32_t maker,
                               uint32_t i, uint32_t at) {
  const uint32_t out = tir_ir_out(c->g, (tir_ir_node){nodes.ids[maker]}, i).id;
  const tir_place *p = &c->plan->places[out];
  if (p->kind == TIR_PLACE_NONE || p->size == 0) return TIR_OK;
  region r, other;
  TIR_TRY(region_of(c, out, &r));
  if (p->kind == TIR_PLACE_CONSTANT)
    return broken(c, out, "would overwrite a constant");
  if (p->kind == TIR_PLACE_PARAM && at < c->plan->commit)
    return broken(c, out, "overwrites a param before the commit point");
  if (p->kind == TIR_PLACE_ARENA && p->offset % 64 != 0)
    return broken(c, out, "does not start at a multiple of 64");
  TIR_TRY(check_overwritten(c, nodes, maker, out, r));
  for (uint32_t k = 0; k <= maker; k++) {
    const tir_ir_node n = {nodes.ids[k]};
    const uint32_t n_out = k == maker ? i : tir_ir_n_out(c->g, n);
    for (uint32_t o = 0; o < n_out; o++) {
      const uint32_t y = tir_ir_out(c->g, n, o).id;
      if (c->plan->places[y].kind == TIR_PLACE_NONE) continue;
      TIR_TRY(region_of(c, y, &other));
      if (overlap(r, other)) return broken(c, out, "overlaps another result");
    }
  }
  return TIR_OK;
}

static bool may_fail(const checker *c, tir_ir_node n) {
  const uint32_t traits = tir_ir_desc(c->g, n)->traits;
  if (!(traits & TIR_TRAIT_FALLIBLE)) return false;
  // Only integers make arithmetic fail.
  bool all_floats = traits & TIR_TRAIT_ELEMENTWISE;
  const uint32_t n_in = tir_ir_n_in(c->g, n);
  for (uint32_t i = 0; i < n_in && all_floats; i++)
    all_floats =
        tir_ir_dtype_is_float(tir_ir_dtype_of(c->g, tir_ir_in(c->g, n, i)));
  return !all_floats;
}

// A value is read whole, or (inside a region) piece by piece as an earlier
// member makes it: of all elements, or of one for each row.
static tir_status check_operand(checker *c, tir_plan_nodes nodes, uint32_t k,
                                uint32_t x) {
  if (!is_inside(c, nodes, x)) return expect_value(c, x);
  const tir_plan_region *r = tir_plan_region_of(c->plan, nodes.ids[k]);
  tir_ir_type type;
  tir_ir_type_of(c->g, (tir_ir_value){x}, &type);
  const int64_t n = tir_ir_type_numel(&type);
  if (!r || !c->is_done[c->g->values.data[c->content[x]].node] ||
      c->g->values.data[c->content[x]].node == nodes.ids[k])
    return broken(c, x, "is read before it is computed");
  if (n == r->n_elements ||
      (r->row && r->row <= TIR_PLAN_MAX_ROW && n == r->n_elements / r->row))
    return TIR_OK;
  return broken(c, x, "does not go through its region piece by piece");
}

static tir_status no_such_node(const checker *c, uint32_t at, uint32_t node) {
  return tir_base_fail(
      c->error, TIR_ERR_STATE,
      "plan: step %u runs node %%%u, which is none or ran before", at, node);
}

// All operands are checked before any result is written, as a kernel may do it
// in any order.
static tir_status check_node(checker *c, tir_plan_nodes nodes, uint32_t k,
                             uint32_t at) {
  const tir_ir_node n = {nodes.ids[k]};
  if (n.id == 0 || n.id >= c->g->nodes.count || c->is_done[n.id])
    return no_such_node(c, at, n.id);
  c->is_done[n.id] = true;
  const tir_op_desc *desc = tir_ir_desc(c->g, n);
  const uint32_t n_in = tir_ir_n_in(c->g, n), n_out = tir_ir_n_out(c->g, n);
  if (desc->traits & TIR_TRAIT_EFFECT) {
    if (n.id < c->last_effect)
      return broken(c, tir_ir_out(c->g, n, 0).id,
                    "is an effect out of its order");
    c->last_effect = n.id;
  }
  if (may_fail(c, n) && (at >= c->plan->commit || nodes.n > 1))
    return broken(c, tir_ir_out(c->g, n, 0).id,
                  nodes.n > 1 ? "may fail inside a region"
                              : "may fail behind the commit point");
  for (uint32_t i = 0; i < n_in; i++)
    if (!tir_ir_op_shape_only(desc, i))
      TIR_TRY(check_operand(c, nodes, k, tir_ir_in(c->g, n, i).id));
  for (uint32_t i = 0; i < n_out; i++)
    TIR_TRY(check_result(c, nodes, k, i, at));
  return TIR_OK;
}

static tir_status check_step(checker *c, uint32_t at) {
  const uint32_t *node = &c->plan->order.data[at];
  if (*node >= c->g->nodes.count) return no_such_node(c, at, *node);
  const tir_plan_nodes nodes = tir_plan_nodes_of(c->plan, node);
  for (uint32_t k = 0; k < nodes.n; k++) TIR_TRY(check_node(c, nodes, k, at));
  for (uint32_t k = 0; k < nodes.n; k++) {
    const tir_ir_node n = {nodes.ids[k]};
    for (uint32_t i = 0; i < tir_ir_n_out(c->g, n); i++) {
      const uint32_t out = tir_ir_out(c->g, n, i).id;
      if (c->plan->places[out].kind == TIR_PLACE_NONE) continue;
      region r;
      TIR_TRY(region_of(c, out, &r));
      tir_pass_owners_set(&c->owners, r, out);
      c->home[out] = r.first;
      c->is_written[out] = true;
    }
  }
  return TIR_OK;
}

// Copies run after all steps, in their order.
static tir_status check_copy(checker *c, const tir_plan_copy *copy) {
  const size_t size = bytes_of(c, copy->value);
  region from, to;
  if (size == 0) return TIR_OK;
  if (!copy->from_saved) {
    TIR_TRY(expect_value(c, copy->value));
  } else {
    if (!find_region(c, TIR_PLACE_ARENA, 0, copy->saved, size, &from))
      return broken(c, copy->value, "is saved outside the arena");
    TIR_TRY(expect(c, copy->value, from, "is not saved where it is read"));
  }
  const size_t offset = copy->kind == TIR_PLACE_ARENA ? copy->saved : 0;
  if (copy->kind == TIR_PLACE_INPUT || copy->kind == TIR_PLACE_CONSTANT ||
      copy->kind == TIR_PLACE_NONE ||
      !find_region(c, copy->kind, copy->index, offset, size, &to))
    return broken(c, copy->value, "is copied to no place");
  tir_pass_owners_set(&c->owners, to, c->content[copy->value]);
  return TIR_OK;
}

// --- begin and end ---------------------------------------------------------

// Value by value what is there before the first step; `space_bytes` gets the
// sizes when it is not NULL.
static void visit_externals(checker *c, size_t *space_bytes, bool write) {
  const tir_ir_graph *g = c->g;
  uint32_t n_params = 0;
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n)) {
    const tir_op op = tir_ir_op(g, n);
    if (op != TIR_OP_INPUT && op != TIR_OP_PARAM && op != TIR_OP_CONSTANT)
      continue;
    const uint32_t v = tir_ir_out(g, n, 0).id;
    const tir_place *p = &c->plan->places[v];
    const uint8_t kind = op == TIR_OP_INPUT   ? TIR_PLACE_INPUT
                         : op == TIR_OP_PARAM ? TIR_PLACE_PARAM
                                              : TIR_PLACE_CONSTANT;
    uint32_t index = p->index;
    // Counted here, not believed: the place may be wrong.
    if (op == TIR_OP_PARAM) index = n_params++;
    const size_t space = space_of(c, kind, index);
    if (p->kind == TIR_PLACE_NONE || space == SIZE_MAX) continue;
    if (space_bytes) space_bytes[space] = bytes_of(c, v);
    region r;
    if (!write || !find_region(c, kind, index, 0, bytes_of(c, v), &r)) continue;
    tir_pass_owners_set(&c->owners, r, v);
    c->home[v] = r.first;
    c->is_written[v] = true;
  }
}

// Whatever happened before, this is what the caller sees.
// Each output's memory holds the content of its value, as a result or as a
// copy.
static tir_status check_outputs(checker *c) {
  for (uint32_t i = 0; i < c->g->outputs.count; i++) {
    const uint32_t v = output_value(c, i);
    region r;
    if (!find_region(c, TIR_PLACE_OUTPUT, i, 0, bytes_of(c, v), &r))
      return broken(c, v, "does not fit its output");
    TIR_TRY(expect(c, v, r, "is an output, but does not reach it"));
  }
  return TIR_OK;
}

// Params that are assigned hold the new version, the others their own.
static tir_status check_params(checker *c) {
  const tir_ir_graph *g = c->g;
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n)) {
    region r;
    const uint32_t v = tir_ir_out(g, n, 0).id;
    const tir_place *p = &c->plan->places[v];
    if (tir_ir_op(g, n) == TIR_OP_PARAM && p->kind != TIR_PLACE_NONE) {
      TIR_TRY(region_of(c, v, &r));
      if (c->home[v] != r.first) return broken(c, v, "lies at another param");
      if (!tir_pass_owners_is(&c->owners, r, v))
        c->is_done[n.id] = true;  // overwritten
    }
    if (tir_ir_op(g, n) != TIR_OP_ASSIGN) {
      if ((tir_ir_desc(g, n)->traits & TIR_TRAIT_EFFECT) && !c->is_done[n.id])
        return broken(c, v, "is an effect that never happens");
      continue;
    }
    const uint32_t target = tir_ir_in(g, n, 0).id;
    TIR_TRY(region_of(c, target, &r));
    TIR_TRY(expect(c, tir_ir_in(g, n, 1).id, r,
                   "is assigned, but does not reach its param"));
    c->is_done[tir_ir_producer(g, (tir_ir_value){target}).id] = false;
  }
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n))
    if (tir_ir_op(g, n) == TIR_OP_PARAM && c->is_done[n.id])
      return broken(c, tir_ir_out(g, n, 0).id,
                    "is a param that nobody assigned, yet is overwritten");
  return TIR_OK;
}

// --- all of it -------------------------------------------------------------

// Space 0 is the arena.
static void count_spaces(checker *c) {
  size_t n_params = 0, n_constants = 0;
  for (tir_ir_node n = tir_ir_first(c->g); tir_ir_node_valid(n);
       n = tir_ir_next(c->g, n)) {
    n_params += tir_ir_op(c->g, n) == TIR_OP_PARAM;
    n_constants += tir_ir_op(c->g, n) == TIR_OP_CONSTANT;
  }
  c->first_of[TIR_PLACE_INPUT] = 1;
  c->first_of[TIR_PLACE_PARAM] = 1 + c->g->inputs.count;
  c->first_of[TIR_PLACE_OUTPUT] = c->first_of[TIR_PLACE_PARAM] + n_params;
  c->first_of[TIR_PLACE_CONSTANT] =
      c->first_of[TIR_PLACE_OUTPUT] + c->g->outputs.count;
  c->n_spaces = c->first_of[TIR_PLACE_CONSTANT] + n_constants;
}

// Sizes first, then addresses, then the run on paper.
static tir_status check_all(checker *c, size_t *space_bytes) {
  space_bytes[0] = c->plan->arena_bytes;
  visit_externals(c, space_bytes, false);
  for (uint32_t i = 0; i < c->g->outputs.count; i++)
    space_bytes[c->first_of[TIR_PLACE_OUTPUT] + i] =
        bytes_of(c, output_value(c, i));
  TIR_TRY(lay_out(c, space_bytes));
  find_cuts(c);
  TIR_TRY(find_contents(c));
  visit_externals(c, NULL, true);
  for (uint32_t at = 0; at < c->plan->order.count; at++)
    TIR_TRY(check_step(c, at));
  for (size_t i = 0; i < c->plan->copies.count; i++)
    TIR_TRY(check_copy(c, &c->plan->copies.data[i]));
  TIR_TRY(check_outputs(c));
  return check_params(c);
}

tir_status tir_pass_check_plan(const tir_ir_graph *graph, const tir_plan *plan,
                               tir_error *error) {
  checker c = {.g = graph, .plan = plan, .error = error};
  if (plan->n_places != graph->values.count)
    return tir_base_fail(error, TIR_ERR_STATE,
                         "plan: %zu places for %zu values", plan->n_places,
                         graph->values.count);
  count_spaces(&c);
  const size_t n_values = graph->values.count, n_nodes = graph->nodes.count;
  const size_t most_cuts = 2 * (n_values + plan->copies.count) + c.n_spaces + 1;
  c.owners.n_leaves = 1;
  while (c.owners.n_leaves < most_cuts) c.owners.n_leaves *= 2;
  // One block: sizes first, then ids, then flags.
  const size_t n_sizes = 2 * n_values + 2 * c.n_spaces + 1 + most_cuts;
  const size_t n_ids = n_values + 2 * c.owners.n_leaves;
  const size_t n_bytes =
      n_sizes * sizeof(size_t) + n_ids * sizeof(uint32_t) + n_values + n_nodes;
  size_t *block = tir_base_alloc_zero(graph->context, n_bytes, 8);
  if (!block) return tir_base_fail_memory(error, n_bytes);
  c.shift = block;
  c.home = c.shift + n_values;
  c.space = c.home + n_values;
  size_t *space_bytes = c.space + c.n_spaces + 1;
  c.owners.cuts = space_bytes + c.n_spaces;
  c.content = (uint32_t *)(c.owners.cuts + most_cuts);
  c.owners.tree = c.content + n_values;
  c.is_written = (bool *)(c.owners.tree + 2 * c.owners.n_leaves);
  c.is_done = c.is_written + n_values;
  const tir_status status = check_all(&c, space_bytes);
  tir_base_free(graph->context, block, n_bytes, 8);
  return status;
}
