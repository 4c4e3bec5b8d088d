// Schedule: the order in which nodes are executed.
//
// List scheduling by three rules, of which the one with the lowest peak wins,
// the first of equals:
//
//   recorded   as recorded, but updates as early as they can
//   checked    the same, with what can fail and all it needs moved to the front
//   greedy     always the step that adds the fewest bytes
//
// An update is a step whose results are only assigned (an optimiser step). It
// runs as soon as its operands are there, so that the gradient's memory is
// free again, but after every step that can fail (the commit point) and after
// the readers of the versions it replaces, so that it can write in place. The
// scalars that only updates need (a step count) are computed early too.
//
// A step that may write a new version over the old one it reads (a window of a
// cache) is an update too, though others read its result, unless something that
// can fail needs it.
//
// Effects that are steps (custom ops) keep the order they were recorded in.
//
// Updates that read each other's old version cannot all wait: what is left
// when nothing is ready goes in recorded order, and plan-memory copies.
#include <string.h>

#include "passes/flow.h"
#include "passes/plan.h"
#include "passes/ready_heap.h"

enum {
  IS_UPDATE = 1,
  IS_EARLY = 2,  // a scalar that only updates need
  CAN_FAIL = 4,
  IS_CHECKED = 8,  // can fail, or is needed by what can
  IS_DONE = 16,
  IS_EFFECT = 32,  // stays in recorded order among its like
  SMALL_BYTES = 64,
  // Greedy costs a few heap moves per step more; above this, as recorded.
  MAX_GREEDY_STEPS = 300000,
};

typedef enum rule { RECORDED, CHECKED, GREEDY, N_RULES } rule;

typedef struct scheduler {
  const tir_pass_flow *flow;
  uint32_t n_steps;
  uint32_t n_updates;
  uint32_t n_can_fail;
  // Fixed.
  uint8_t *flags;         // by step
  uint32_t *updater;      // by root of a param: step that updates it + 1
  uint32_t *next_effect;  // by step: the effect after this one + 1
  size_t *cost;           // by root: arena bytes it holds while alive
  // Of one run.
  rule rule;
  uint32_t *n_waiting;  // by step: things to be done before it
  uint32_t *n_left;     // by root: readers not done, + 1 if read at the end
  uint32_t *left_xor;   // by root: their step numbers, xor-ed
  uint32_t *stamp;      // by step: of its valid heap entry
  uint32_t fail_left;
  tir_pass_ready_heap heap;
  bool out_of_memory;
  size_t live, peak;
  uint32_t *order;  // of this run
  uint32_t n_ordered;
  uint32_t commit;  // behind the last step that can fail
} scheduler;

// --- reading the flow ------------------------------------------------------

static tir_ir_node node_of(const scheduler *s, uint32_t step) {
  return (tir_ir_node){s->flow->node_of[step]};
}

// By steps: being an output or assigned is no reader.
static bool has_readers(const tir_pass_flow *f, uint32_t root) {
  return f->readers_first[root] != f->readers_first[root + 1];
}

// What a step leaves, as a range of f->makes.
typedef struct range {
  uint32_t first, end;
} range;

static range made_by(const scheduler *s, uint32_t step) {
  const tir_pass_flow *f = s->flow;
  return (range){f->makes_first[step], f->makes_first[step + 1]};
}

static bool may_fail(const scheduler *s, uint32_t step) {
  const tir_plan_nodes nodes = tir_pass_nodes_of(s->flow, step);
  for (uint32_t i = 0; i < nodes.n; i++)
    if (tir_pass_may_fail(s->flow->graph, (tir_ir_node){nodes.ids[i]}))
      return true;
  return false;
}

// --- what the steps are ----------------------------------------------------

// Results only assigned, or given out; none read by another step.
static bool is_update(const scheduler *s, uint32_t step,
                      const bool *is_assigned) {
  const tir_pass_flow *f = s->flow;
  if (s->flags[step] & CAN_FAIL) return false;
  const range made = made_by(s, step);
  bool any = false;
  for (uint32_t i = made.first; i < made.end; i++) {
    const uint32_t v = f->makes[i];
    if (has_readers(f, v)) return false;
    any = any || is_assigned[v];
  }
  return any;
}

static void find_updates(scheduler *s, bool *is_assigned) {
  const tir_pass_flow *f = s->flow;
  for (uint32_t v = 1; v < f->n_values; v++)
    if (f->assigned[v] && !f->is_final[v]) is_assigned[f->assigned[v]] = true;
  for (uint32_t step = 0; step < s->n_steps; step++) {
    if (may_fail(s, step)) {
      s->flags[step] |= CAN_FAIL | IS_CHECKED;
      s->n_can_fail++;
    }
    if (!is_update(s, step, is_assigned)) continue;
    s->flags[step] |= IS_UPDATE;
    s->n_updates++;
  }
}

static bool reads(const tir_pass_flow *f, uint32_t step, uint32_t root) {
  for (uint32_t i = f->reads_first[step]; i < f->reads_first[step + 1]; i++)
    if (f->reads[i] == root) return true;
  return false;
}

// Updates whose results are read, once what can fail is known; and which step
// replaces which param.
static void find_updaters(scheduler *s) {
  const tir_pass_flow *f = s->flow;
  for (uint32_t v = 1; v < f->n_values; v++) {
    if (!f->assigned[v] || f->is_final[v]) continue;
    const uint32_t step = tir_pass_step_of_value(f, f->assigned[v]);
    if (step == TIR_FLOW_NO_STEP) continue;
    const uint32_t traits = tir_ir_desc(f->graph, node_of(s, step))->traits;
    if ((traits & TIR_TRAIT_IN_PLACE) && reads(f, step, v) &&
        tir_pass_nodes_of(f, step).n == 1 &&
        !(s->flags[step] & (IS_UPDATE | IS_EARLY | IS_CHECKED))) {
      s->flags[step] |= IS_UPDATE;
      s->n_updates++;
    }
    if (s->flags[step] & IS_UPDATE) s->updater[v] = step + 1;
  }
}

static void chain_effects(scheduler *s) {
  const tir_ir_graph *g = s->flow->graph;
  uint32_t last = TIR_FLOW_NO_STEP;
  for (uint32_t step = 0; step < s->n_steps; step++) {
    if (!(tir_ir_desc(g, node_of(s, step))->traits & TIR_TRAIT_EFFECT))
      continue;
    s->flags[step] |= IS_EFFECT;
    if (last != TIR_FLOW_NO_STEP) s->next_effect[last] = step + 1;
    last = step;
  }
}

static bool is_small(const scheduler *s, uint32_t step) {
  const tir_pass_flow *f = s->flow;
  const range made = made_by(s, step);
  for (uint32_t i = made.first; i < made.end; i++)
    if (f->bytes[f->makes[i]] > SMALL_BYTES) return false;
  for (uint32_t i = f->reads_first[step]; i < f->reads_first[step + 1]; i++)
    if (f->bytes[f->reads[i]] > SMALL_BYTES) return false;
  return true;
}

static bool only_updates_read(const scheduler *s, uint32_t step) {
  const tir_pass_flow *f = s->flow;
  const range made = made_by(s, step);
  bool any = false;
  for (uint32_t m = made.first; m < made.end; m++) {
    const uint32_t v = f->makes[m];
    for (uint32_t i = f->readers_first[v]; i < f->readers_first[v + 1]; i++) {
      if (!(s->flags[f->readers[i]] & (IS_UPDATE | IS_EARLY))) return false;
      any = true;
    }
  }
  return any;
}

// From the end, so that a step's readers are known before it.
static void mark_early_and_checked(scheduler *s) {
  const tir_pass_flow *f = s->flow;
  for (uint32_t step = s->n_steps; step-- > 0;) {
    if (!(s->flags[step] & CAN_FAIL) && is_small(s, step) &&
        only_updates_read(s, step))
      s->flags[step] |= IS_EARLY;
    if (!(s->flags[step] & IS_CHECKED)) continue;
    for (uint32_t i = f->reads_first[step]; i < f->reads_first[step + 1]; i++) {
      const uint32_t maker = tir_pass_step_of_value(f, f->reads[i]);
      if (maker != TIR_FLOW_NO_STEP) s->flags[maker] |= IS_CHECKED;
    }
  }
}

// Outputs are computed in the caller's memory, updates in the param's.
static void find_costs(scheduler *s) {
  const tir_pass_flow *f = s->flow;
  const tir_ir_graph *g = f->graph;
  for (uint32_t step = 0; step < s->n_steps; step++) {
    const range made = made_by(s, step);
    for (uint32_t i = made.first; i < made.end; i++) {
      const uint32_t v = f->makes[i];
      if (f->is_read[v] && !((s->flags[step] & IS_UPDATE) && f->is_final[v]))
        s->cost[v] = f->bytes[v];
    }
  }
  for (size_t i = 0; i < g->outputs.count; i++)
    s->cost[f->root[tir_ir_resolve(g, g->outputs.data[i].value).id]] = 0;
}

// --- one run ---------------------------------------------------------------

// Bytes that running the step adds to what is alive after it. In double: sums
// of sizes that no memory has may not overflow either.
static int64_t growth_of(const scheduler *s, uint32_t step) {
  const tir_pass_flow *f = s->flow;
  const range made = made_by(s, step);
  double growth = 0;
  for (uint32_t i = made.first; i < made.end; i++)
    if (s->n_left[f->makes[i]] > 0) growth += (double)s->cost[f->makes[i]];
  for (uint32_t i = f->reads_first[step]; i < f->reads_first[step + 1]; i++)
    if (s->n_left[f->reads[i]] == 1) growth -= (double)s->cost[f->reads[i]];
  const double most = 4e18;
  return (int64_t)(growth > most ? most : growth < -most ? -most : growth);
}

// Smallest first; the heap breaks ties by step number, which is recorded order.
static int64_t key_of(const scheduler *s, uint32_t step) {
  if (s->flags[step] & (IS_UPDATE | IS_EARLY)) return INT64_MIN;
  switch (s->rule) {
    case GREEDY:
      return growth_of(s, step);
    case CHECKED:
      return s->flags[step] & IS_CHECKED ? 0 : 1;
    default:
      return 0;
  }
}

// A key that changed is pushed again: the stamp tells the entry that counts.
static void push(scheduler *s, uint32_t step) {
  const tir_pass_ready item = {key_of(s, step), step, ++s->stamp[step]};
  if (!tir_pass_ready_push(&s->heap, item)) s->out_of_memory = true;
}

static void wait_less(scheduler *s, uint32_t step) {
  if (--s->n_waiting[step] == 0) push(s, step);
}

// A step waits for the makers of what it reads; an updater also for all other
// readers of the version it replaces, and, as every update, for the last step
// that can fail; an effect for the one before.
static void begin_run(scheduler *s, rule r) {
  const tir_pass_flow *f = s->flow;
  s->rule = r;
  s->live = s->peak = 0;
  s->n_ordered = s->commit = 0;
  s->fail_left = s->n_can_fail;
  s->heap.items.count = 0;
  memset(s->n_waiting, 0, s->n_steps * sizeof *s->n_waiting);
  memset(s->left_xor, 0, f->n_values * sizeof *s->left_xor);
  for (uint32_t v = 0; v < f->n_values; v++) {
    s->n_left[v] =
        f->readers_first[v + 1] - f->readers_first[v] + f->is_final[v];
    const uint32_t updater = s->updater[v];
    for (uint32_t i = f->readers_first[v]; i < f->readers_first[v + 1]; i++) {
      const uint32_t reader = f->readers[i];
      // Of one reader left it is the number, without a list to search.
      s->left_xor[v] ^= reader;
      if (tir_pass_step_of_value(f, v) != TIR_FLOW_NO_STEP)
        s->n_waiting[reader]++;
      if (updater && reader != updater - 1) s->n_waiting[updater - 1]++;
    }
  }
  for (uint32_t step = 0; step < s->n_steps; step++) {
    s->flags[step] &= (uint8_t)~IS_DONE;
    const uint32_t next = s->next_effect[step];
    if (next) s->n_waiting[next - 1]++;
    if ((s->flags[step] & IS_UPDATE) && s->fail_left) s->n_waiting[step]++;
  }
  for (uint32_t step = 0; step < s->n_steps; step++)
    if (s->n_waiting[step] == 0) push(s, step);
}

// The step's results replace dead operands: the peak counts them once.
static void count_memory(scheduler *s, uint32_t step) {
  const tir_pass_flow *f = s->flow;
  const range outs = made_by(s, step);
  const bool in_place =
      tir_ir_desc(f->graph, node_of(s, step))->traits & TIR_TRAIT_IN_PLACE;
  const size_t first_cost =
      outs.first < outs.end ? s->cost[f->makes[outs.first]] : 0;
  size_t made = 0, reused = 0, freed = 0;
  for (uint32_t i = outs.first; i < outs.end; i++)
    if (s->n_left[f->makes[i]] > 0) made += s->cost[f->makes[i]];
  for (uint32_t i = f->reads_first[step]; i < f->reads_first[step + 1]; i++) {
    const uint32_t root = f->reads[i];
    if (s->n_left[root] != 1) continue;
    freed += s->cost[root];
    if (in_place && s->cost[root] == first_cost) reused = first_cost;
  }
  if (s->live + made - reused > s->peak) s->peak = s->live + made - reused;
  s->live = s->live + made - freed;
}

// The one reader that is left of a root may free its memory: its key changes.
static void refresh_last_reader(scheduler *s, uint32_t root) {
  const uint32_t reader = s->left_xor[root];
  if (s->rule != GREEDY || s->flow->is_final[root]) return;
  if (s->n_waiting[reader] == 0) push(s, reader);
}

static void release_updates(scheduler *s) {
  for (uint32_t step = 0; step < s->n_steps; step++)
    if (s->flags[step] & IS_UPDATE) wait_less(s, step);
}

static void execute(scheduler *s, uint32_t step) {
  const tir_pass_flow *f = s->flow;
  count_memory(s, step);
  s->flags[step] |= IS_DONE;
  s->order[s->n_ordered++] = step;
  for (uint32_t i = f->reads_first[step]; i < f->reads_first[step + 1]; i++) {
    const uint32_t root = f->reads[i];
    s->left_xor[root] ^= step;
    if (--s->n_left[root] == 1) refresh_last_reader(s, root);
    const uint32_t updater = s->updater[root];
    if (updater && updater - 1 != step && s->n_waiting[updater - 1])
      wait_less(s, updater - 1);
  }
  const range made = made_by(s, step);
  for (uint32_t m = made.first; m < made.end; m++) {
    const uint32_t v = f->makes[m];
    for (uint32_t i = f->readers_first[v]; i < f->readers_first[v + 1]; i++)
      wait_less(s, f->readers[i]);
  }
  if (s->next_effect[step]) wait_less(s, s->next_effect[step] - 1);
  if (!(s->flags[step] & CAN_FAIL)) return;
  s->commit = s->n_ordered;
  if (--s->fail_left == 0) release_updates(s);
}

static void run(scheduler *s, rule r) {
  begin_run(s, r);
  tir_pass_ready item;
  while (!s->out_of_memory && tir_pass_ready_pop(&s->heap, &item))
    if (!(s->flags[item.step] & IS_DONE) && s->stamp[item.step] == item.stamp)
      execute(s, item.step);
  // Only updates that wait for each other can be left, and what needs them.
  for (uint32_t step = 0; step < s->n_steps && !s->out_of_memory; step++) {
    if (s->flags[step] & IS_DONE) continue;
    s->n_waiting[step] = 0;
    execute(s, step);
  }
}

// --- choosing --------------------------------------------------------------

static bool is_worth_trying(const scheduler *s, rule r) {
  if (r == CHECKED) return s->n_can_fail > 0 && s->n_updates > 0;
  return r != GREEDY || s->n_steps <= MAX_GREEDY_STEPS;
}

static bool has_assigns(const tir_pass_flow *f) {
  for (uint32_t v = 1; v < f->n_values; v++)
    if (f->assigned[v]) return true;
  return false;
}

static tir_status choose(scheduler *s, tir_plan *plan, tir_error *error) {
  const tir_pass_flow *f = s->flow;
  find_costs(s);
  plan->order.count = 0;
  if (!TIR_VEC_RESERVE(plan->context, &plan->order, s->n_steps))
    return tir_base_fail_memory(error, s->n_steps * sizeof(uint32_t));
  size_t best = SIZE_MAX;
  for (int r = RECORDED; r < N_RULES; r++) {
    if (!is_worth_trying(s, (rule)r)) continue;
    run(s, (rule)r);
    if (s->out_of_memory) return tir_base_fail_memory(error, 0);
    if (s->peak >= best && r != RECORDED) continue;
    best = s->peak;
    for (uint32_t i = 0; i < s->n_steps; i++)
      plan->order.data[i] = f->node_of[s->order[i]];
    plan->commit = s->commit;
  }
  plan->order.count = s->n_steps;
  if (!has_assigns(f)) plan->commit = s->n_steps;
  return TIR_OK;
}

static tir_status schedule_flow(const tir_pass_flow *f, tir_plan *plan,
                                tir_error *error) {
  tir_context *context = f->context;
  const size_t n = f->n_steps, v = f->n_values, id = sizeof(uint32_t);
  // One block: sizes first, then ids, then bytes.
  const size_t n_bytes = v * sizeof(size_t) + (4 * n + 3 * v) * id + n + v;
  char *block = tir_base_alloc_zero(context, n_bytes, 8);
  if (!block) return tir_base_fail_memory(error, n_bytes);
  scheduler s = {
      .flow = f, .n_steps = (uint32_t)n, .heap = {.context = context}};
  s.cost = (size_t *)block;
  s.n_waiting = (uint32_t *)(s.cost + v);
  s.stamp = s.n_waiting + n;
  s.order = s.stamp + n;
  s.next_effect = s.order + n;
  s.n_left = s.next_effect + n;
  s.left_xor = s.n_left + v;
  s.updater = s.left_xor + v;
  s.flags = (uint8_t *)(s.updater + v);
  find_updates(&s, (bool *)(s.flags + n));
  chain_effects(&s);
  mark_early_and_checked(&s);
  find_updaters(&s);
  const tir_status status = choose(&s, plan, error);
  TIR_VEC_FREE(context, &s.heap.items);
  tir_base_free(context, block, n_bytes, 8);
  return status;
}

tir_status tir_pass_schedule(const tir_ir_graph *graph, tir_plan *plan,
                             tir_error *error) {
  tir_pass_flow flow;
  TIR_TRY(tir_pass_flow_make(graph, plan, &flow, error));
  const tir_status status = schedule_flow(&flow, plan, error);
  tir_pass_flow_free(&flow);
  return status;
}
