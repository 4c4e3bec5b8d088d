// What the arena of a program is needed for: what is alive at the peak, and
// what backward nodes read of the forward ones.
//
// All of it follows from places and order; nothing is planned again. Values
// inside of a fused step have no place and so take no part, but the nodes of
// the step that read from memory do.
#include <string.h>

#include "exec/program.h"
#include "ir/base/checked.h"
#include "ir/module.h"
#include "tapeir/inspect.h"

// A value and, if it is kept, a node that reads it.
typedef struct entry {
  uint64_t size_bytes;
  uint32_t value;
  uint32_t node;
} entry;

typedef TIR_VEC(entry) entries;

typedef struct explainer {
  const tir_program *program;
  const tir_ir_graph *graph;
  tir_context *context;
  TIR_VEC(uint64_t) live;        // bytes in use, by step
  TIR_VEC(uint32_t) maker_of;    // value a step leaves behind, 0: none
  TIR_VEC(uint32_t) step_of;     // by node; NO_STEP
  TIR_VEC(uint32_t) listed_at;   // by value: index in `listed` + 1, 0: none
  TIR_VEC(uint32_t) forward_of;  // by origin: forward node, 0: none
  entries peak, readers;
  entries other;  // for sorting
  tir_memory_summary sum;
} explainer;

static const uint32_t NO_STEP = UINT32_MAX;

static const tir_place *place_of(const explainer *x, uint32_t value) {
  return &x->program->plan.places[value];
}

// --- sorting ---------------------------------------------------------------

// Largest first, then in order of values and nodes.
static bool comes_before(const entry *a, const entry *b) {
  if (a->size_bytes != b->size_bytes) return a->size_bytes > b->size_bytes;
  if (a->value != b->value) return a->value < b->value;
  return a->node < b->node;
}

// Two sorted runs into one; of equal entries that of the first run comes first.
static void merge(const entry *from, size_t begin, size_t middle, size_t end,
                  entry *to) {
  size_t a = begin, b = middle;
  for (size_t i = begin; i < end; i++) {
    const bool first =
        a < middle && (b >= end || !comes_before(&from[b], &from[a]));
    to[i] = first ? from[a++] : from[b++];
  }
}

// By merging runs of doubled length: qsort may take memory of its own.
static bool sort(explainer *x, entries *list) {
  const size_t n = list->count;
  if (n < 2) return true;
  x->other.count = 0;
  if (!TIR_VEC_RESERVE(x->context, &x->other, n)) return false;
  entry *from = list->data, *to = x->other.data;
  for (size_t run = 1; run < n; run *= 2) {
    for (size_t begin = 0; begin < n; begin += 2 * run) {
      const size_t middle = n - begin < run ? n : begin + run;
      const size_t end = n - middle < run ? n : middle + run;
      merge(from, begin, middle, end, to);
    }
    entry *swap = from;
    from = to;
    to = swap;
  }
  if (from != list->data) memcpy(list->data, from, n * sizeof *from);
  return true;
}

// --- tables ----------------------------------------------------------------

// n zeros; false when memory ran out.
#define MAKE_TABLE(x, vec, n)                                              \
  (TIR_VEC_RESERVE((x)->context, (vec), (n)) &&                            \
   (memset((vec)->data, 0, (n) * sizeof *(vec)->data), (vec)->count = (n), \
    true))

// Origins are node numbers of the graph as it was recorded, so they are bounded
// by nothing here: the largest is looked for.
static bool make_tables(explainer *x) {
  const tir_plan *plan = &x->program->plan;
  const size_t n_nodes = x->graph->nodes.count;
  size_t n_origins = 1;
  for (size_t i = 1; i < n_nodes; i++) {
    const size_t origin = x->graph->nodes.data[i].origin;
    if (origin >= n_origins) n_origins = origin + 1;
  }
  return MAKE_TABLE(x, &x->live, plan->order.count + 1) &&
         MAKE_TABLE(x, &x->maker_of, plan->order.count + 1) &&
         MAKE_TABLE(x, &x->step_of, n_nodes) &&
         MAKE_TABLE(x, &x->listed_at, x->graph->values.count) &&
         MAKE_TABLE(x, &x->forward_of, n_origins);
}

static void fill_tables(explainer *x) {
  const tir_plan *plan = &x->program->plan;
  memset(x->step_of.data, 0xff, x->step_of.count * sizeof *x->step_of.data);
  for (uint32_t at = 0; at < plan->order.count; at++) {
    const tir_plan_nodes nodes = tir_plan_nodes_of(plan, &plan->order.data[at]);
    for (uint32_t i = 0; i < nodes.n; i++) x->step_of.data[nodes.ids[i]] = at;
  }
  for (size_t i = 0; i < tir_program_n_values(x->program); i++)
    x->listed_at.data[x->program->listed[i]] = (uint32_t)i + 1;
  for (tir_ir_node n = tir_ir_first(x->graph); tir_ir_node_valid(n);
       n = tir_ir_next(x->graph, n)) {
    const tir_ir_node_data *node = tir_ir_node_at(x->graph, n);
    if (node->flags & TIR_NODE_BACKWARD)
      x->sum.knows_backward = true;
    else
      // Of several nodes with one origin the last gives the name.
      x->forward_of.data[node->origin] = n.id;
  }
  x->forward_of.data[0] = 0;  // stands for "unknown"
}

// --- the peak --------------------------------------------------------------

// Takes bytes of the arena for itself.
static bool is_stored(const tir_place *place) {
  return place->kind == TIR_PLACE_ARENA && !place->is_view;
}

// The arena aligns every value; the plan checked that this fits.
static uint64_t rounded(uint64_t bytes) { return (bytes + 63) / 64 * 64; }

// Where a value takes memory of its own: one in place is its operand's at the
// step that makes it.
static bool lifetime(const tir_place *place, uint32_t *out_first) {
  *out_first = place->first + place->in_place;
  return is_stored(place) && *out_first <= place->last;
}

// Unsigned sums may wrap in between and come out right: what is taken off was
// added before.
// `live` is an array of differences first.
static void add_up(explainer *x) {
  const tir_plan *plan = &x->program->plan;
  const size_t n_steps = plan->order.count;
  uint64_t *live = x->live.data;
  for (uint32_t v = 1; v < plan->n_places; v++) {
    const tir_place *place = place_of(x, v);
    const bool is_result = is_stored(place) ||
                           (place->kind == TIR_PLACE_OUTPUT && !place->is_view);
    if (is_result && place->first < n_steps && !x->maker_of.data[place->first])
      x->maker_of.data[place->first] = v;
    uint32_t first;
    if (!lifetime(place, &first)) continue;
    if (first < n_steps) live[first] += rounded(place->size);
    if (first < n_steps && place->last + (size_t)1 < n_steps)
      live[place->last + 1] -= rounded(place->size);
  }
  size_t peak = 0;
  for (size_t i = 1; i < n_steps; i++) {
    live[i] += live[i - 1];
    // The first of equal peaks is told.
    if (live[i] > live[peak]) peak = i;
  }
  x->sum.peak_step = peak;
  x->sum.peak_bytes = live[peak];
}

// Lists what is alive at the peak.
static bool find_peak(explainer *x) {
  const tir_plan *plan = &x->program->plan;
  add_up(x);
  for (uint32_t v = 1; v < plan->n_places; v++) {
    const tir_place *place = place_of(x, v);
    uint32_t first;
    if (!lifetime(place, &first) || first > x->sum.peak_step ||
        place->last < x->sum.peak_step)
      continue;
    const entry found = {place->size, v, 0};
    if (!TIR_VEC_PUSH(x->context, &x->peak, found)) return false;
  }
  return sort(x, &x->peak);
}

// --- what backward reads ---------------------------------------------------

static bool is_backward(const explainer *x, uint32_t node) {
  return x->graph->nodes.data[node].flags & TIR_NODE_BACKWARD;
}

// The value in the arena whose memory a step reads through operand i, 0 if
// there is none.
static uint32_t kept_by(const explainer *x, tir_ir_node n, uint32_t i) {
  if (tir_ir_op_shape_only(tir_ir_desc(x->graph, n), i)) return 0;
  const tir_place *place = place_of(x, tir_ir_in(x->graph, n, i).id);
  if (place->kind != TIR_PLACE_ARENA || !is_stored(place_of(x, place->root)))
    return 0;
  return is_backward(x, x->graph->values.data[place->root].node) ? 0
                                                                 : place->root;
}

// Lists each pair of a kept value and a backward node that reads it.
static bool find_readers(explainer *x) {
  for (tir_ir_node n = tir_ir_first(x->graph); tir_ir_node_valid(n);
       n = tir_ir_next(x->graph, n)) {
    if (!is_backward(x, n.id) || x->step_of.data[n.id] == NO_STEP) continue;
    for (uint32_t i = 0; i < tir_ir_n_in(x->graph, n); i++) {
      const uint32_t value = kept_by(x, n, i);
      // Within one fused step nothing is kept: it is in registers.
      if (!value || x->step_of.data[n.id] == place_of(x, value)->first)
        continue;
      const entry found = {place_of(x, value)->size, value, n.id};
      if (!TIR_VEC_PUSH(x->context, &x->readers, found)) return false;
    }
  }
  if (!sort(x, &x->readers)) return false;
  // Reading a value twice is told once.
  size_t n_kept = 0;
  for (size_t i = 0; i < x->readers.count; i++) {
    const entry *e = &x->readers.data[i];
    const entry *last = n_kept ? &x->readers.data[n_kept - 1] : NULL;
    if (last && last->value == e->value && last->node == e->node) continue;
    // Sorted by size, then value: all readers of a value stand together.
    if (!last || last->value != e->value) {
      x->sum.n_kept++;
      x->sum.kept_bytes += e->size_bytes;
    }
    x->readers.data[n_kept++] = *e;
  }
  x->readers.count = n_kept;
  return true;
}

// --- telling ---------------------------------------------------------------

static const char *name_of(const explainer *x, uint32_t value) {
  const uint32_t at = x->listed_at.data[value];
  return at ? x->program->listed_names[at - 1]
            : tir_ir_value_name(x->graph, (tir_ir_value){value});
}

static const tir_ir_node_data *maker(const explainer *x, uint32_t value) {
  return &x->graph->nodes.data[x->graph->values.data[value].node];
}

static const char *op_name(const tir_ir_node_data *node) {
  return tir_ir_op_desc((tir_op)node->op)->name;
}

static void fill_summary(explainer *x) {
  const tir_memory_report *report = &x->program->report;
  const uint32_t value = x->maker_of.data[x->sum.peak_step];
  x->sum.arena_bytes = report->arena_bytes;
  x->sum.lower_bound_bytes = report->lower_bound_bytes;
  x->sum.n_steps = report->n_steps;
  x->sum.peak_op = value ? op_name(maker(x, value)) : "";
  x->sum.peak_name = value ? name_of(x, value) : "";
  x->sum.peak_site = value ? maker(x, value)->site : NULL;
  x->sum.n_live = x->peak.count;
  x->sum.n_reads = x->readers.count;
}

// A forward node and the backward nodes made for it have one origin, which
// tells whose gradient a reader computes.
static tir_memory_item item_of(const explainer *x, tir_memory_role role,
                               const entry *e) {
  tir_memory_item item = {.role = role, .site = maker(x, e->value)->site};
  // Every value in the arena is listed.
  tir_program_value(x->program, x->listed_at.data[e->value] - 1, &item.value);
  tir_ir_fill_port(x->graph, (tir_ir_value){e->value}, item.value.name,
                   &item.type);
  if (role != TIR_MEMORY_READ) return item;
  const tir_ir_node_data *reader = &x->graph->nodes.data[e->node];
  item.reader_op = op_name(reader);
  item.reader_site = reader->site;
  item.reader_step = x->step_of.data[e->node];
  const uint32_t forward = x->forward_of.data[reader->origin];
  if (!forward) return item;
  const tir_ir_node_data *node = &x->graph->nodes.data[forward];
  item.gradient_op = op_name(node);
  item.gradient_name = node->n_out ? name_of(x, node->out_first) : "";
  return item;
}

// LIVE items first, then each KEPT one with its READ ones; ends when `each`
// returns false.
static void tell(const explainer *x, tir_memory_item_fn each, void *user) {
  bool more = true;
  for (size_t i = 0; i < x->peak.count && more; i++) {
    const tir_memory_item item = item_of(x, TIR_MEMORY_LIVE, &x->peak.data[i]);
    more = each(user, &item);
  }
  for (size_t i = 0; i < x->readers.count && more; i++) {
    const entry *e = &x->readers.data[i];
    if (i == 0 || e[-1].value != e->value) {
      const tir_memory_item kept = item_of(x, TIR_MEMORY_KEPT, e);
      more = each(user, &kept);
    }
    if (!more) return;
    const tir_memory_item read = item_of(x, TIR_MEMORY_READ, e);
    more = each(user, &read);
  }
}

tir_status tir_explain_memory(const tir_program *program,
                              tir_memory_item_fn each, void *user,
                              tir_memory_summary *out_summary,
                              tir_error *error) {
  if (out_summary) *out_summary = (tir_memory_summary){0};
  if (!program)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "explain_memory: program is NULL");
  explainer x = {
      .program = program, .graph = program->graph, .context = program->context};
  // Reading a program takes memory too, of the context, and gives all of it
  // back.
  bool ok = make_tables(&x);
  if (ok) fill_tables(&x);
  ok = ok && find_peak(&x) && find_readers(&x);
  if (ok) {
    fill_summary(&x);
    if (out_summary) *out_summary = x.sum;
    if (each) tell(&x, each, user);
  }
  TIR_VEC_FREE(x.context, &x.live);
  TIR_VEC_FREE(x.context, &x.maker_of);
  TIR_VEC_FREE(x.context, &x.step_of);
  TIR_VEC_FREE(x.context, &x.listed_at);
  TIR_VEC_FREE(x.context, &x.forward_of);
  TIR_VEC_FREE(x.context, &x.peak);
  TIR_VEC_FREE(x.context, &x.readers);
  TIR_VEC_FREE(x.context, &x.other);
  return ok ? TIR_OK : tir_base_fail_memory(error, sizeof(entry));
}
