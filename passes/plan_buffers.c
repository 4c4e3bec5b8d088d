// Buffers: which roots share a piece of memory, one after the other.
//
//   the value of an assign  → the param's memory, when the readers of the old
//                             version are done, or it is read in place
//   an output               → the memory bound to it
//   y = op(x), x dead       → x's buffer, when op may run in place
//
// The first two are decided for all values before the third, so a chain of
// in-place steps that ends in an output is computed in the output's memory
// from its start.
#include "passes/planner.h"

// In place an element lies where its operand's lay.
static bool same_shape(const tir_ir_graph *g, uint32_t a, uint32_t b) {
  tir_ir_type x, y;
  tir_ir_type_of(g, (tir_ir_value){a}, &x);
  tir_ir_type_of(g, (tir_ir_value){b}, &y);
  return x.dtype == y.dtype && tir_ir_same_shape(&x, &y);
}

// Does node number k of a step read the memory of `root`, and then only element
// by element where `out` will stand?
static bool reads_alike(const tir_planner *p, tir_ir_node n, uint32_t out,
                        uint32_t root, bool *out_any) {
  const tir_ir_graph *g = p->graph;
  const tir_op_desc *desc = tir_ir_desc(g, n);
  const uint32_t n_in = tir_ir_n_in(g, n);
  for (uint32_t i = 0; i < n_in; i++) {
    const uint32_t x = tir_ir_in(g, n, i).id;
    if (p->root[x] != root || tir_ir_op_shape_only(desc, i)) continue;
    if (!tir_planner_is_whole(p, x) || !same_shape(g, x, out)) return false;
    *out_any = true;
  }
  return true;
}

// In a region the last node to read `root` comes no later than the one that
// makes `out`, and results are of one size, so that both go through the memory
// piece by piece together.
static bool region_may_overwrite(const tir_planner *p, tir_plan_nodes nodes,
                                 uint32_t out, uint32_t root) {
  const tir_ir_graph *g = p->graph;
  const uint32_t maker = tir_ir_producer(g, (tir_ir_value){out}).id;
  bool any = false;
  for (uint32_t k = 0; k < nodes.n; k++) {
    const tir_ir_node n = {nodes.ids[k]};
    bool reads = false;
    if (!reads_alike(p, n, out, root, &reads)) return false;
    if (!reads) continue;
    any = true;
    if (n.id > maker || !same_shape(g, tir_ir_out(g, n, 0).id, out) ||
        !(tir_ir_desc(g, n)->traits & TIR_TRAIT_ELEMENTWISE))
      return false;
  }
  return any;
}

// May the step at `at` write `out` over the memory of `root`, which nobody
// reads afterwards? Every operand in that memory must stand element by element
// where the result will.
static bool may_overwrite(const tir_planner *p, uint32_t at, uint32_t out,
                          uint32_t root) {
  const tir_plan_nodes nodes =
      tir_plan_nodes_of(p->plan, &p->plan->order.data[at]);
  if (nodes.n > 1) return region_may_overwrite(p, nodes, out, root);
  const tir_ir_node n = {nodes.ids[0]};
  bool any = false;
  return (tir_ir_desc(p->graph, n)->traits & TIR_TRAIT_IN_PLACE) &&
         reads_alike(p, n, out, root, &any) && any;
}

// A buffer begins with the step that fills it and ends with the last reader.
static tir_status add_buffer(tir_planner *p, uint32_t root, uint8_t kind,
                             uint32_t index) {
  const tir_planner_buffer b = {
      .kind = kind,
      .index = index,
      .first = tir_planner_made_at(p, root),
      .until = p->until[root],
      .size = p->flow.bytes[root],
  };
  p->buffer[root] = (uint32_t)p->buffers.count;
  if (!TIR_VEC_PUSH(p->flow.context, &p->buffers, b))
    return tir_base_fail_memory(p->error, sizeof b);
  return TIR_OK;
}

// --- where results are wanted ----------------------------------------------

// The new version may stand in the param's memory from the start if it comes
// after the commit point and nobody still reads the old one.
static tir_status place_assign(tir_planner *p, tir_ir_node n) {
  const uint32_t param = p->root[tir_ir_in(p->graph, n, 0).id];
  const uint32_t value = tir_ir_in(p->graph, n, 1).id;
  const uint32_t root = p->root[value];
  const uint32_t at = tir_planner_made_at(p, root);
  if (at == TIR_PLANNER_NONE || at < p->plan->commit ||
      p->buffer[root] != TIR_PLANNER_NONE || !tir_planner_is_whole(p, value))
    return TIR_OK;
  const uint32_t until = p->until[param];
  if (until > at + 1) return TIR_OK;  // the old version is still read
  if (until == at + 1) {
    if (!may_overwrite(p, at, root, param)) return TIR_OK;
    p->in_place[root] = true;
  }
  return add_buffer(p, root, TIR_PLACE_PARAM, p->number[param]);
}

// Only whole values: a view's memory has its own size and place.
static tir_status place_output(tir_planner *p, uint32_t index) {
  const uint32_t value =
      tir_ir_resolve(p->graph, p->graph->outputs.data[index].value).id;
  const uint32_t root = p->root[value];
  if (tir_planner_made_at(p, root) == TIR_PLANNER_NONE ||
      p->buffer[root] != TIR_PLANNER_NONE || !tir_planner_is_whole(p, value))
    return TIR_OK;
  return add_buffer(p, root, TIR_PLACE_OUTPUT, index);
}

static tir_status place_wanted(tir_planner *p) {
  const tir_ir_graph *g = p->graph;
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n))
    if (tir_ir_op(g, n) == TIR_OP_ASSIGN) TIR_TRY(place_assign(p, n));
  for (uint32_t i = 0; i < g->outputs.count; i++) TIR_TRY(place_output(p, i));
  return TIR_OK;
}

// --- in place --------------------------------------------------------------

// Memory of the operand's root that a result may be written to.
static bool is_writable(const tir_planner *p, uint32_t root) {
  const uint32_t b = p->buffer[root];
  if (b != TIR_PLANNER_NONE)
    return p->buffers.data[b].kind == TIR_PLACE_ARENA ||
           p->buffers.data[b].kind == TIR_PLACE_INPUT;
  const bool *donated = p->options->input_donated;
  return donated && tir_planner_maker(p, root) == TIR_OP_INPUT &&
         donated[p->number[root]];
}

// Roots whose memory results of a step may take over.
typedef struct dead_roots {
  uint32_t roots[16];  // more than these stay what they are
  uint32_t n;
} dead_roots;

static bool is_listed(const dead_roots *d, uint32_t root) {
  for (uint32_t i = 0; i < d->n; i++)
    if (d->roots[i] == root) return true;
  return false;
}

static void find_dead(const tir_planner *p, uint32_t step, uint32_t at,
                      dead_roots *d) {
  const tir_pass_flow *f = &p->flow;
  d->n = 0;
  if (p->options->no_reuse) return;
  for (uint32_t i = f->reads_first[step]; i < f->reads_first[step + 1]; i++) {
    const uint32_t root = p->root[f->reads[i]];
    if (p->until[root] != at + 1 || !is_writable(p, root) || is_listed(d, root))
      continue;
    d->roots[d->n++] = root;
    if (d->n == sizeof d->roots / sizeof *d->roots) return;
  }
}

// One of them for `out`, which is no longer among them then; 0 if there is
// none. An output is not computed in an input's memory: it would have to be
// copied.
static uint32_t take_dead(const tir_planner *p, uint32_t at, uint32_t out,
                          dead_roots *d) {
  const bool is_wanted = p->buffer[out] != TIR_PLANNER_NONE;
  for (uint32_t i = 0; i < d->n; i++) {
    const uint32_t root = d->roots[i];
    const uint32_t b = p->buffer[root];
    const bool is_input =
        b == TIR_PLANNER_NONE || p->buffers.data[b].kind == TIR_PLACE_INPUT;
    if ((is_wanted && is_input) || !may_overwrite(p, at, out, root)) continue;
    for (d->n--; i < d->n; i++) d->roots[i] = d->roots[i + 1];
    return root;
  }
  return 0;
}

static tir_status take_over(tir_planner *p, uint32_t out, uint32_t dead) {
  p->in_place[out] = true;
  if (p->buffer[dead] == TIR_PLANNER_NONE) {
    TIR_TRY(add_buffer(p, dead, TIR_PLACE_INPUT, p->number[dead]));
    p->buffers.data[p->buffer[dead]].first = 0;
  }
  tir_planner_buffer *b = &p->buffers.data[p->buffer[dead]];
  if (p->buffer[out] != TIR_PLANNER_NONE) {
    // The chain so far moves to where its end is wanted.
    const tir_planner_buffer *wanted = &p->buffers.data[p->buffer[out]];
    b->kind = wanted->kind;
    b->index = wanted->index;
  }
  b->until = p->until[out];
  p->buffer[out] = p->buffer[dead];
  return TIR_OK;
}

// A param's buffer is not joined with what came before: the old version may be
// read until the step itself.
static bool may_join(const tir_planner *p, uint32_t out) {
  const uint32_t b = p->buffer[out];
  return b == TIR_PLANNER_NONE || p->buffers.data[b].kind == TIR_PLACE_OUTPUT;
}

// Each result takes another dead operand, or memory of its own.
static tir_status place_results(tir_planner *p, uint32_t at) {
  const tir_pass_flow *f = &p->flow;
  const uint32_t step = f->step_of[p->plan->order.data[at]];
  dead_roots dead;
  find_dead(p, step, at, &dead);
  for (uint32_t i = f->makes_first[step]; i < f->makes_first[step + 1]; i++) {
    const uint32_t out = f->makes[i];
    if (!f->is_read[out]) continue;
    const uint32_t root = may_join(p, out) ? take_dead(p, at, out, &dead) : 0;
    if (root)
      TIR_TRY(take_over(p, out, root));
    else if (p->buffer[out] == TIR_PLANNER_NONE)
      TIR_TRY(add_buffer(p, out, TIR_PLACE_ARENA, 0));
  }
  return TIR_OK;
}

tir_status tir_planner_make_buffers(tir_planner *p) {
  if (!p->options->no_reuse) TIR_TRY(place_wanted(p));
  for (uint32_t at = 0; at < p->end; at++) TIR_TRY(place_results(p, at));
  return TIR_OK;
}
