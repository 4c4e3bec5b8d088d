// Running a slice: find or make its plan, bind memory, run, keep survivors.
#include <stdio.h>
#include <string.h>

#include "exec/live.h"
#include "ir/base/clock.h"
#include "ir/base/tensor.h"

// --- memory shared by the plans of a tape ----------------------------------

// The old block goes only when the new one is there, so a failure changes
// nothing. Its contents are not kept: nothing in arena or scratch outlives a
// run.
static tir_status grow_block(tir_live *live, void **block, size_t *size,
                             size_t *alloc, size_t need, tir_error *error) {
  if (need <= *size && *block) return TIR_OK;
  tir_context *context = live->tape->context;
  size_t new_alloc;
  void *bigger = tir_base_alloc_pages(context, need ? need : 64, &new_alloc);
  if (!bigger) return tir_base_fail_memory(error, need);
  tir_base_free_pages(context, *block, *alloc);
  *block = bigger;
  *size = need;
  *alloc = new_alloc;
  return TIR_OK;
}

static tir_status prepare_memory(tir_live *live, tir_cached_plan *plan,
                                 tir_error *error) {
  const tir_program *program = plan->program;
  TIR_TRY(grow_block(live, &live->arena, &live->arena_bytes, &live->arena_alloc,
                     program->arena_bytes, error));
  TIR_TRY(grow_block(live, &live->scratch, &live->scratch_bytes,
                     &live->scratch_alloc, program->scratch_bytes, error));
  // The arena may have moved since this plan last ran.
  if (plan->arena != live->arena) {
    tir_exec_resolve_internal(program, live->arena, plan->ptr);
    plan->arena = live->arena;
  }
  return TIR_OK;
}

// --- plans -----------------------------------------------------------------

// Owned by the cache, and valid until the next plan is added to it.
static tir_status find_plan(tir_live *live, tir_cached_plan **out_plan,
                            tir_error *error) {
  const tir_live_slice *slice = &live->slice;
  *out_plan =
      tir_plan_cache_find(&live->cache, slice->key.data, slice->key.count);
  if (*out_plan) {
    live->stats.n_plan_hits++;
    return TIR_OK;
  }
  live->stats.n_plan_misses++;
  tir_live_explain(live);
  const int64_t start = tir_base_now_ns();
  tir_program *program;
  TIR_TRY(tir_live_build(live, &program, error));
  live->stats.compile_time_ns += (uint64_t)(tir_base_now_ns() - start);
  return tir_plan_cache_add(&live->cache, slice->key.data, slice->key.count,
                            program, out_plan, error);
}

// --- binding ---------------------------------------------------------------

// Memory of an external: its buffer, or the literal's own bytes.
static void *data_of(const tir_live *live, uint32_t v) {
  const tir_live_value *value = &live->root.values.data[v];
  if (value->buffer) return value->buffer->data;
  tir_ir_graph *g = live->root.graph;
  const tir_ir_node n = {g->values.data[v].node};
  if (tir_ir_op(g, n) != TIR_OP_CONSTANT) return NULL;
  // The bits come first in the attributes, and only scalar literals are bound.
  return &g->attrs.data[tir_ir_node_at(g, n)->attrs];
}

// Lists the module whose memory the run touches, once.
static bool note_module(tir_live *live, const tir_pool_buffer *buffer) {
  if (!buffer || !buffer->module) return true;
  for (size_t i = 0; i < live->slice.modules.count; i++)
    if (live->slice.modules.data[i] == buffer->module) return true;
  return TIR_VEC_PUSH(live->tape->context, &live->slice.modules,
                      buffer->module);
}

// In the order in which the key numbered the bindings.
static tir_status bind_externals(tir_live *live, tir_error *error) {
  tir_live_slice *slice = &live->slice;
  tir_context *context = live->tape->context;
  slice->inputs.count = slice->params.count = slice->modules.count = 0;
  bool ok = true;
  for (size_t i = 0; i < slice->externals.count && ok; i++) {
    const tir_live_external *external = &slice->externals.data[i];
    if (external->kind == TIR_LIVE_CONSTANT) continue;
    void *data = data_of(live, external->value);
    ok = external->kind == TIR_LIVE_STATE
             ? TIR_VEC_PUSH(context, &slice->params, data)
             : TIR_VEC_PUSH(context, &slice->inputs, data);
    ok =
        ok && note_module(live, live->root.values.data[external->value].buffer);
  }
  // A module written after the run must be held as well.
  for (size_t i = 0; i < slice->assigns.count && ok; i++)
    if (slice->assigns.data[i].root)
      ok = note_module(
          live, live->root.values.data[slice->assigns.data[i].root].buffer);
  return ok ? TIR_OK : tir_base_fail_memory(error, sizeof(void *));
}

// Buffers for the survivors the program writes.
static tir_status bind_outputs(tir_live *live, tir_error *error) {
  tir_live_slice *slice = &live->slice;
  tir_live_frame *root = &live->root;
  slice->outputs.count = 0;
  if (!TIR_VEC_RESERVE(live->tape->context, &slice->outputs,
                       slice->survivors.count))
    return tir_base_fail_memory(error, sizeof(void *));
  for (size_t i = 0; i < slice->survivors.count; i++) {
    const uint32_t v = slice->survivors.data[i];
    if (tir_live_is_in_place(live, v)) continue;
    tir_ir_type type;
    tir_ir_type_of(root->graph, (tir_ir_value){v}, &type);
    const size_t bytes = tir_ir_type_bytes(&type);
    tir_pool_buffer *buffer = tir_pool_take(&live->pool, bytes);
    if (!buffer) return tir_base_fail_memory(error, bytes);
    // In the value at once: whatever fails from here on, fail_slice finds it
    // there.
    root->values.data[v].buffer = buffer;
    slice->outputs.data[slice->outputs.count++] = buffer->data;
  }
  return TIR_OK;
}

// Memory for the data of parameters that the program cannot overwrite: after
// the run it is too late to find that there is none.
static tir_status take_spares(tir_live *live, tir_error *error) {
  for (size_t i = 0; i < live->slice.assigns.count; i++) {
    tir_live_assign *assign = &live->slice.assigns.data[i];
    if (!assign->root || !assign->is_last || assign->in_place) continue;
    const tir_live_value *old = &live->root.values.data[assign->root];
    if (!old->buffer || !old->buffer->module) continue;
    if (!old->owners && !old->reads && old->buffer->n_refs == 1) continue;
    assign->spare = tir_pool_take(&live->pool, old->buffer->bytes);
    if (!assign->spare) return tir_base_fail_memory(error, old->buffer->bytes);
  }
  return TIR_OK;
}

// Those that no data moved into.
static void give_spares_back(tir_live *live) {
  for (size_t i = 0; i < live->slice.assigns.count; i++)
    tir_pool_release(&live->pool, live->slice.assigns.data[i].spare);
}

// --- modules ---------------------------------------------------------------

static bool writes_module(const tir_live *live, const tir_module *module) {
  for (size_t i = 0; i < live->slice.assigns.count; i++) {
    const uint32_t root = live->slice.assigns.data[i].root;
    if (!root) continue;
    const tir_pool_buffer *buffer = live->root.values.data[root].buffer;
    if (buffer && buffer->module == module) return true;
  }
  return false;
}

// All leases or none.
static tir_status acquire_modules(tir_live *live, tir_error *error) {
  tir_live_slice *slice = &live->slice;
  for (size_t i = 0; i < slice->modules.count; i++) {
    tir_module *module = slice->modules.data[i];
    const tir_status status =
        tir_ir_module_acquire(module, writes_module(live, module), error);
    if (status == TIR_OK) continue;
    while (i-- > 0) tir_ir_module_end_lease(slice->modules.data[i]);
    slice->modules.count = 0;
    return status;
  }
  return TIR_OK;
}

// A run that failed in the middle may have left half of them written. Before
// new versions take memory over: which modules are written is read from the
// roots' buffers.
static void tear_modules(tir_live *live) {
  for (size_t i = 0; i < live->slice.modules.count; i++)
    if (writes_module(live, live->slice.modules.data[i]))
      tir_ir_module_set_torn(live->slice.modules.data[i]);
}

// What is known of the old data, such as the checksum of a mapped file, does
// not hold for the new.
static void count_versions(const tir_live *live) {
  for (size_t i = 0; i < live->slice.assigns.count; i++) {
    const uint32_t root = live->slice.assigns.data[i].root;
    const tir_pool_buffer *buffer =
        root ? live->root.values.data[root].buffer : NULL;
    if (!buffer || !buffer->module) continue;
    tir_ir_param *param = &buffer->module->params.data[buffer->param];
    param->version++;
    param->unverified = false;
  }
}

// After the new versions have been handed over, which may write to storage.
static void end_leases(tir_live *live) {
  for (size_t i = 0; i < live->slice.modules.count; i++)
    tir_ir_module_end_lease(live->slice.modules.data[i]);
  live->slice.modules.count = 0;
}

// --- after the run ---------------------------------------------------------

// A parameter that the program could not overwrite, because its old data are
// wanted: they move out and the new ones in. Values may share the old buffer,
// so it is the buffer that changes its memory, not they their buffer.
static void store_param(tir_live *live, tir_live_assign *assign) {
  tir_live_frame *root = &live->root;
  const uint32_t out =
      tir_ir_out(root->graph, (tir_ir_node){assign->node}, 0).id;
  tir_live_value *old = &root->values.data[assign->root];
  tir_live_value *new = &root->values.data[out];
  if (!old->buffer || !old->buffer->module || !new->buffer) return;
  tir_pool_buffer *storage = old->buffer;
  if (assign->spare) {
    if (storage->bytes)
      memcpy(assign->spare->data, storage->data, storage->bytes);
    tir_pool_swap(storage, assign->spare);
    storage = assign->spare;
    assign->spare = NULL;
  } else {
    old->buffer = NULL;
  }
  if (storage->bytes) memcpy(storage->data, new->buffer->data, storage->bytes);
  tir_pool_release(&live->pool, new->buffer);
  new->buffer = storage;
}

// New versions take their roots' memory over: after a good run it holds the
// new data, after a failed one the old, which then stay in force.
static void hand_over(tir_live *live, bool ran) {
  tir_live_frame *root = &live->root;
  for (size_t i = 0; i < live->slice.assigns.count; i++) {
    tir_live_assign *assign = &live->slice.assigns.data[i];
    if (!assign->root || !assign->is_last) continue;
    const uint32_t out =
        tir_ir_out(root->graph, (tir_ir_node){assign->node}, 0).id;
    tir_live_value *old = &root->values.data[assign->root];
    tir_live_value *new = &root->values.data[out];
    if (ran && !assign->in_place) {
      store_param(live, assign);
      continue;
    }
    if (!old->buffer) continue;
    const bool shared = old->owners || old->reads;
    tir_pool_release(&live->pool, new->buffer);
    new->buffer = shared ? tir_pool_retain(old->buffer) : old->buffer;
    if (!shared) old->buffer = NULL;
    new->state = TIR_LIVE_DONE;
  }
}

// Frees what the slice was the last to read.
static void free_unwanted(tir_live *live) {
  tir_live_slice *slice = &live->slice;
  for (size_t i = 0; i < slice->to_free.count; i++) {
    tir_live_value *v = &live->root.values.data[slice->to_free.data[i]];
    if (v->owners || v->reads) continue;
    tir_pool_release(&live->pool, v->buffer);
    v->buffer = NULL;
  }
  slice->to_free.count = 0;
}

// A failed run drops the slice's effects as a whole: its values are lost, its
// assigns leave the old versions in force, gradients go back to zeros.
static void fail_slice(tir_live *live) {
  tir_live_frame *root = &live->root;
  const tir_ir_graph *g = root->graph;
  for (size_t i = 0; i < live->slice.nodes.count; i++) {
    // What ran earlier keeps its data.
    if (!live->slice.runs.data[i]) continue;
    const tir_ir_node n = {live->slice.nodes.data[i]};
    for (uint32_t k = 0; k < tir_ir_n_out(g, n); k++) {
      tir_live_value *v = &root->values.data[tir_ir_out(g, n, k).id];
      v->state = TIR_LIVE_FAILED;
      tir_pool_release(&live->pool, v->buffer);
      v->buffer = NULL;
    }
  }
  hand_over(live, false);
  for (size_t i = 0; i < root->variables.count; i++) {
    tir_live_variable *v = &root->variables.data[i];
    if (!v->value || !v->grad ||
        root->values.data[v->grad].state != TIR_LIVE_FAILED)
      continue;
    tir_live_disown(live->tape, v->grad);
    v->grad = 0;
  }
}

// The message of a failed step, with name and place of the present trace: the
// plan may be that of an earlier one.
static tir_status report(tir_live *live, const tir_program *program,
                         tir_status status, const tir_exec_failure *failure,
                         tir_error *error) {
  const char *name = NULL, *site = NULL;
  if (failure->node) {
    const uint32_t origin = program->graph->nodes.data[failure->node].origin;
    if (origin && origin <= live->slice.nodes.count) {
      const uint32_t id = live->slice.nodes.data[origin - 1];
      name = tir_exec_node_name(live->root.graph, id);
      site = live->root.graph->nodes.data[id].site;
    }
  }
  return tir_exec_report_failure(program, status, failure, name, site, error);
}

// All that can fail for want of memory or a lease comes before the first step.
static tir_status prepare(tir_live *live, tir_cached_plan *plan,
                          tir_error *error) {
  TIR_TRY(prepare_memory(live, plan, error));
  TIR_TRY(bind_externals(live, error));
  TIR_TRY(bind_outputs(live, error));
  TIR_TRY(take_spares(live, error));
  return acquire_modules(live, error);
}

// Holds the leases of slice->modules afterwards, none if it failed before.
static tir_status execute(tir_live *live, tir_cached_plan *plan,
                          tir_error *error) {
  tir_live_slice *slice = &live->slice;
  const tir_program *program = plan->program;
  tir_status status = prepare(live, plan, error);
  if (status != TIR_OK) {
    slice->modules.count = 0;
    return status;
  }
  const tir_exec_binding binding = {
      .arena = live->arena,
      .scratch = live->scratch,
      .inputs = slice->inputs.data,
      .params = slice->params.data,
      .outputs = slice->outputs.data,
  };
  tir_exec_resolve_external(program, &binding, plan->ptr);
  tir_exec_failure failure = {0};
  status =
      tir_exec_run_steps(program, plan->ptr, live->scratch, NULL, &failure);
  live->stats.n_runs++;
  if (status == TIR_OK || failure.torn) count_versions(live);
  if (failure.torn) tear_modules(live);
  if (status != TIR_OK) status = report(live, program, status, &failure, error);
  return status;
}

// Settling comes before the key: it counts the slice as run, and what survives
// and which memory may be overwritten, both part of the key, follow from the
// counts.
tir_status tir_live_run(tir_live *live, const uint32_t *asked, size_t n_asked,
                        tir_error *error) {
  if (live->running)
    return tir_base_fail(error, TIR_ERR_STATE, "run: a run is going on");
  TIR_TRY(tir_live_mark(live, asked, n_asked, error));
  if (!live->slice.nodes.count) return TIR_OK;
  // Room for every assign before anything happens: a failed slice gives its
  // old versions back by this list, so it must be whole.
  live->slice.assigns.count = 0;
  if (!TIR_VEC_RESERVE(live->tape->context, &live->slice.assigns,
                       live->effects.count))
    return tir_base_fail_memory(
        error, live->effects.count * sizeof *live->slice.assigns.data);
  live->running = true;
  tir_status status = tir_live_settle(live, error);
  if (status != TIR_OK) {
    live->running = false;
    return status;
  }
  tir_cached_plan *plan = NULL;
  live->slice.modules.count = 0;
  status = tir_live_key(live, error);
  if (status == TIR_OK) status = find_plan(live, &plan, error);
  if (status == TIR_OK) status = execute(live, plan, error);
  if (status == TIR_OK)
    hand_over(live, true);
  else
    fail_slice(live);
  give_spares_back(live);
  end_leases(live);
  live->effects.count = 0;
  free_unwanted(live);
  tir_pool_count_run(&live->pool);
  live->running = false;
  return status;
}

// Effects need not be asked for: every run takes them all.
tir_status tir_live_flush(tir_live *live, tir_error *error) {
  const tir_ir_graph *g = live->root.graph;
  const uint32_t n = tir_ir_n_nodes(g);
  live->asked.count = 0;
  for (uint32_t id = live->first_pending; live->n_pending && id <= n; id++) {
    if (live->root.nodes.data[id].state != TIR_LIVE_PENDING) continue;
    for (uint32_t k = 0; k < tir_ir_n_out(g, (tir_ir_node){id}); k++) {
      const uint32_t v = tir_ir_out(g, (tir_ir_node){id}, k).id;
      if (live->root.values.data[v].owners &&
          !TIR_VEC_PUSH(live->tape->context, &live->asked, v))
        return tir_base_fail_memory(error, sizeof v);
    }
  }
  return tir_live_run(live, live->asked.data, live->asked.count, error);
}
