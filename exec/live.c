// The live tape: creation, the recorder's hooks, and the counts that say what
// is still wanted (see live.h).
#include "exec/live.h"

#include <string.h>

#include "ir/base/tensor.h"

// A tape runs by itself when so many nodes wait, so that its graph stays
// bounded in a program that never reads.
enum { DEFAULT_MAX_PENDING = 65536, DEFAULT_CACHE_BYTES = 64 << 20 };

// --- counts ----------------------------------------------------------------

// Gives the data up when nobody reads or owns it. While a run is prepared
// the slice may still read it: then it waits in to_free.
static void free_if_unwanted(tir_live *live, uint32_t value) {
  tir_live_value *v = &live->root.values.data[value];
  if (v->owners || v->reads || !v->buffer) return;
  if (live->running) {
    // Room was made by tir_live_settle.
    tir_live_slice *slice = &live->slice;
    slice->to_free.data[slice->to_free.count++] = value;
    return;
  }
  tir_pool_release(&live->pool, v->buffer);
  v->buffer = NULL;
}

// The last read frees the data, the last use frees the node for collection.
void tir_live_count_down(tir_live *live, uint32_t value, bool read, bool use) {
  tir_live_value *v = &live->root.values.data[value];
  if (use) v->uses--;
  if (read && --v->reads == 0) free_if_unwanted(live, value);
}

// Handles, gradient slots and modules own values.
void tir_live_own(tir_tape *tape, uint32_t value) {
  tir_live_frame *root = &tir_live_of(tape)->root;
  if (value < root->values.count) root->values.data[value].owners++;
}

void tir_live_disown(tir_tape *tape, uint32_t value) {
  tir_live *live = tir_live_of(tape);
  if (value >= live->root.values.count) return;
  if (--live->root.values.data[value].owners == 0)
    free_if_unwanted(live, value);
}

// Which values the gradient of a node just recorded will read.
static void find_residuals(tir_live *live, tir_ir_node n) {
  const tir_ir_graph *g = live->root.graph;
  tir_live_node *data = &live->root.nodes.data[n.id];
  data->residuals_in = data->residuals_out = 0;
  // A gradient call under a higher derivative reads all its operands.
  if (tir_ir_op(g, n) == TIR_OP_GRADIENT) data->residuals_in = UINT16_MAX;
  for (uint32_t i = 0; i < tir_ir_n_in(g, n); i++) {
    // Only the rules of operands that a gradient flows to will be asked.
    if (!tir_live_wants(&live->root, n, i)) continue;
    const tir_ir_needs needs = tir_ir_op_needs(tir_ir_desc(g, n), i);
    data->residuals_in |= needs.in;
    data->residuals_out |= needs.out;
  }
}

// One reader more (`by` +1) or less for each of them.
static void count_residuals(tir_live *live, uint32_t node, int by) {
  const tir_ir_graph *g = live->root.graph;
  const tir_ir_node n = {node};
  const uint32_t n_in = tir_ir_n_in(g, n), n_out = tir_ir_n_out(g, n);
  const uint16_t in_mask = live->root.nodes.data[node].residuals_in;
  const uint16_t out_mask = live->root.nodes.data[node].residuals_out;
  for (uint32_t i = 0; i < n_in; i++) {
    if (!(in_mask >> (i < 15 ? i : 15) & 1)) continue;
    const uint32_t v = tir_ir_in(g, n, i).id;
    if (by > 0)
      live->root.values.data[v].reads++;
    else
      tir_live_count_down(live, v, true, false);
  }
  for (uint32_t i = 0; i < n_out; i++) {
    if (!(out_mask >> (i < 15 ? i : 15) & 1)) continue;
    const uint32_t v = tir_ir_out(g, n, i).id;
    if (by > 0)
      live->root.values.data[v].reads++;
    else
      tir_live_count_down(live, v, true, false);
  }
}

// Operands of a node that is not needed as a consumer any more.
static void release_operands(tir_live *live, uint32_t node, bool reads,
                             bool uses) {
  const tir_ir_graph *g = live->root.graph;
  const tir_ir_node n = {node};
  for (uint32_t i = 0; i < tir_ir_n_in(g, n); i++)
    tir_live_count_down(live, tir_ir_in(g, n, i).id,
                        reads && tir_live_reads(g, n, i), uses);
}

// Afterwards the node is an ordinary one: its results are data without a past.
void tir_live_release_history(tir_live *live, uint32_t node) {
  tir_live_node *data = &live->root.nodes.data[node];
  if (!data->history) return;
  data->history = false;
  // The call may be collected before the node: its number must not be kept.
  if (data->released_by) data->released_by = TIR_LIVE_GONE;
  count_residuals(live, node, -1);
  // A pending node goes on using its operands until it is run.
  if (data->state != TIR_LIVE_PENDING)
    release_operands(live, node, false, true);
}

void tir_live_release_cone(tir_live *live, uint32_t call) {
  tir_live_frame *frame = &live->root;
  const tir_ir_graph *g = frame->graph;
  const tir_attrs_gradient *attrs = tir_ir_attrs(g, (tir_ir_node){call});
  // The walk only follows nodes that this call released and that still have
  // their history, so each is met once. Its stack was sized by the walk at
  // the call; failing to grow it leaves residuals to the next collection.
  frame->stack.count = 0;
  for (uint32_t i = 0; i < (uint32_t)attrs->n_heads; i++) {
    const uint32_t v = tir_ir_in(g, (tir_ir_node){call}, i).id;
    if (!TIR_VEC_PUSH(g->context, &frame->stack, g->values.data[v].node))
      return;
  }
  while (frame->stack.count) {
    const tir_ir_node n = {frame->stack.data[--frame->stack.count]};
    tir_live_node *node = &frame->nodes.data[n.id];
    if (!node->history || node->released_by != call) continue;
    for (uint32_t i = 0; i < tir_ir_n_in(g, n); i++) {
      const uint32_t v = tir_ir_in(g, n, i).id;
      if (tir_live_wants(frame, n, i) &&
          !TIR_VEC_PUSH(g->context, &frame->stack, g->values.data[v].node))
        return;
    }
    tir_live_release_history(live, n.id);
  }
}

// A node nobody asks for any more never runs.
void tir_live_drop(tir_live *live, uint32_t node) {
  tir_live_node *data = &live->root.nodes.data[node];
  data->state = TIR_LIVE_DROPPED;
  live->n_pending--;
  const tir_ir_node n = {node};
  // A call that never runs gives up what it would have released by running.
  if (tir_ir_op(live->root.graph, n) == TIR_OP_GRADIENT)
    tir_live_release_cone(live, node);
  if (data->history) {
    data->history = false;
    count_residuals(live, node, -1);
  }
  release_operands(live, node, true, true);
  for (uint32_t i = 0; i < tir_ir_n_out(live->root.graph, n); i++)
    live->root.values.data[tir_ir_out(live->root.graph, n, i).id].state =
        TIR_LIVE_DROPPED;
}

// --- hooks -----------------------------------------------------------------

// A new node's counts, as described in live.h.
static void count_node(tir_live *live, tir_ir_node node) {
  tir_live_frame *root = &live->root;
  const tir_ir_graph *g = root->graph;
  for (uint32_t i = 0; i < tir_ir_n_in(g, node); i++) {
    tir_live_value *v = &root->values.data[tir_ir_in(g, node, i).id];
    v->uses++;
    if (tir_live_reads(g, node, i)) v->reads++;
  }
  if (!root->nodes.data[node.id].history) return;
  find_residuals(live, node);
  count_residuals(live, node.id, +1);
}

// Runs the node just recorded (eager), or all that waits. Its outputs have no
// handle yet, so they are owned here meanwhile.
static void run_now(tir_tape *tape, tir_ir_node node, bool eager) {
  tir_live *live = tir_live_of(tape);
  const uint32_t first = tir_ir_out(tape->graph, node, 0).id;
  const uint32_t n_out = tir_ir_n_out(tape->graph, node);
  for (uint32_t i = 0; i < n_out; i++)
    live->root.values.data[first + i].owners++;
  tir_error error;
  const tir_status status = eager ? tir_live_run(live, &first, 1, &error)
                                  : tir_live_flush(live, &error);
  for (uint32_t i = 0; i < n_out; i++)
    // Without freeing: the caller makes handles of them next.
    live->root.values.data[first + i].owners--;
  if (status != TIR_OK)
    tir_ir_keep_error(tape, NULL, status, "%s", error.message);
}

// A node whose side tables found no memory never was: nothing counts it, and
// collecting must not meet it.
static void unrecord(tir_live *live, tir_ir_node node) {
  tir_ir_graph *g = live->root.graph;
  const tir_ir_node_data data = *tir_ir_node_at(g, node);
  g->nodes.count = node.id;
  g->values.count = data.out_first;
  g->operands.count = data.in_first;
  if (live->root.values.count > g->values.count)
    live->root.values.count = g->values.count;
}

static void recorded(tir_tape *tape, tir_ir_node node) {
  tir_live *live = tir_live_of(tape);
  tir_ir_graph *g = tape->graph;
  g->inputs.count = 0;  // a live graph's leaves are no inputs
  if (!tir_live_frame_sync(&live->root)) {
    unrecord(live, node);
    tir_ir_keep_error(tape, "record", TIR_ERR_MEMORY,
                      "out of memory for %zu nodes", g->nodes.count);
    return;
  }
  live->stats.n_recorded++;
  const tir_op op = tir_ir_op(g, node);
  tir_live_node *data = &live->root.nodes.data[node.id];
  tir_live_value *out = &live->root.values.data[tir_ir_out(g, node, 0).id];
  // Their data is there: there is nothing to run.
  if (op == TIR_OP_INPUT || op == TIR_OP_CONSTANT) {
    data->state = out->state = TIR_LIVE_DONE;
    return;
  }
  if (live->n_pending++ == 0 || node.id < live->first_pending)
    live->first_pending = node.id;
  count_node(live, node);
  if ((tir_ir_desc(g, node)->traits & TIR_TRAIT_EFFECT) &&
      !TIR_VEC_PUSH(tape->context, &live->effects, node.id))
    tir_ir_keep_error(tape, "record", TIR_ERR_MEMORY,
                      "out of memory for %zu effects", live->effects.count + 1);
  const bool eager = live->options.flags & TIR_TAPE_EAGER;
  // Nodes that belong together are still to come; caught_up follows.
  if (tape->holds_runs) return;
  if (eager || live->n_pending > live->options.max_pending)
    run_now(tape, node, eager);
}

// The nodes that came while runs were held may have filled the tape.
static void caught_up(tir_tape *tape) {
  tir_live *live = tir_live_of(tape);
  if (!(live->options.flags & TIR_TAPE_EAGER) &&
      live->n_pending <= live->options.max_pending)
    return;
  tir_error error;
  const tir_status status = tir_live_flush(live, &error);
  if (status != TIR_OK)
    tir_ir_keep_error(tape, NULL, status, "%s", error.message);
}

// Room in the side tables of the present target; a live one also lists its
// effects.
static bool reserve_assigns(tir_tape *tape, size_t n) {
  tir_live *live = tir_live_of(tape);
  tir_live_frame *frame = live->frame;
  return tir_live_frame_sync(frame) &&
         TIR_VEC_RESERVE(tape->context, &frame->values, n) &&
         TIR_VEC_RESERVE(tape->context, &frame->nodes, n) &&
         (!frame->is_live || TIR_VEC_RESERVE(tape->context, &live->effects, n));
}

// The memory has two references then, so no assign overwrites it in place.
void tir_live_alias(tir_live *live, tir_ir_node node) {
  tir_live_frame *root = &live->root;
  const uint32_t from = tir_ir_in(root->graph, node, 0).id;
  const uint32_t to = tir_ir_out(root->graph, node, 0).id;
  tir_pool_buffer *buffer = root->values.data[from].buffer;
  tir_live_node *data = &root->nodes.data[node.id];
  if (!buffer || data->state != TIR_LIVE_PENDING) return;
  root->values.data[to].buffer = tir_pool_retain(buffer);
  data->state = root->values.data[to].state = TIR_LIVE_DONE;
  live->n_pending--;
  release_operands(live, node.id, true, true);
}

static void scope_ended(tir_tape *tape, const tir_ir_scope *scope) {
  // A step runs first; tir_step_end collects afterwards.
  if (!scope->is_step) tir_live_collect(tir_live_of(tape), scope);
}

const tir_ir_hooks tir_live_hooks = {
    .recorded = recorded,
    .own = tir_live_own,
    .disown = tir_live_disown,
    .scope_ended = scope_ended,
    .caught_up = caught_up,
};

// --- leaves ----------------------------------------------------------------

// An invalid handle when recording failed; the buffer is given back then.
tir_value tir_live_leaf(tir_tape *tape, const tir_ir_type *type,
                        tir_pool_buffer *buffer) {
  tir_live *live = tir_live_of(tape);
  const tir_value handle =
      tir_ir_record_declared(tape, TIR_OP_INPUT, NULL, type, NULL);
  const tir_ir_value v = tir_ir_peek(tape, handle);
  if (!v.id)
    tir_pool_release(&live->pool, buffer);
  else
    live->root.values.data[v.id].buffer = buffer;
  return handle;
}

// Type of a leaf from the caller's words; keeps an error if it is not one.
static bool leaf_type(tir_tape *tape, const char *call, tir_dtype dtype,
                      const int64_t *dims, int rank, tir_ir_type *out) {
  *out = (tir_ir_type){.dtype = dtype, .rank = rank};
  if (rank < 0 || rank > TIR_MAX_RANK || (rank && !dims)) {
    tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT,
                      "rank %d is not 0 to %d with dims", rank, TIR_MAX_RANK);
    return false;
  }
  if (rank) memcpy(out->dims, dims, (size_t)rank * sizeof *dims);
  tir_error error;
  const tir_status status = tir_ir_type_check(out, &error);
  if (status != TIR_OK)
    tir_ir_keep_error(tape, call, status, "%s", error.message);
  return status == TIR_OK;
}

tir_value tir_value_from_data(tir_tape *tape, tir_dtype dtype,
                              const int64_t *dims, int rank, const void *data) {
  static const char call[] = "value_from_data";
  if (!tape) return (tir_value){0};
  tir_ir_type type;
  if (tape->body) {
    // Data made in a body is a constant of all trips, so it is recorded
    // outside.
    const tir_ir_outside inside = tir_ir_outside_begin(tape);
    const tir_value value = tir_value_from_data(tape, dtype, dims, rank, data);
    return tir_ir_outside_end(tape, inside, value);
  }
  if (!tir_ir_ready(tape) || !leaf_type(tape, call, dtype, dims, rank, &type))
    return tir_ir_keep_error(tape, call, TIR_ERR_STATE, "skipped");
  const size_t bytes = tir_ir_type_bytes(&type);
  if (!data && bytes)
    return tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT, "data is NULL");
  // A graph has no live leaves: the data becomes one of its constants.
  if (tape->capture) {
    tir_tensor *tensor;
    tir_error error;
    const tir_status status = tir_tensor_from_data(tape->context, dtype, dims,
                                                   rank, data, &tensor, &error);
    if (status != TIR_OK)
      return tir_ir_keep_error(tape, call, status, "%s", error.message);
    const tir_value value = tir_constant(tape, tensor);
    tir_tensor_release(tensor);
    return value;
  }
  tir_pool_buffer *buffer = tir_pool_take(&tir_live_of(tape)->pool, bytes);
  if (!buffer)
    return tir_ir_keep_error(tape, call, TIR_ERR_MEMORY,
                             "out of memory for %zu bytes", bytes);
  if (bytes) memcpy(buffer->data, data, bytes);
  return tir_live_leaf(tape, &type, buffer);
}

tir_value tir_value_from_tensor(tir_tape *tape, tir_tensor *tensor) {
  static const char call[] = "value_from_tensor";
  if (!tape) return (tir_value){0};
  if (!tensor)
    return tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT, "tensor is NULL");
  if (tape->capture || tape->body) return tir_constant(tape, tensor);
  if (!tir_ir_ready(tape))
    return tir_ir_keep_error(tape, call, TIR_ERR_STATE, "skipped");
  // By reference: the tensor is frozen as long as the tape may read it.
  tir_ir_type type = {.dtype = tensor->dtype, .rank = tensor->rank};
  memcpy(type.dims, tensor->dims, sizeof type.dims);
  tir_pool_buffer *buffer =
      tir_pool_wrap(&tir_live_of(tape)->pool, tensor, true);
  if (!buffer)
    return tir_ir_keep_error(tape, call, TIR_ERR_MEMORY,
                             "out of memory for a value");
  return tir_live_leaf(tape, &type, buffer);
}

// {seed, step} of this step's random nodes, one leaf for all of them.
static tir_value random_state(tir_tape *tape) {
  tir_live *live = tir_live_of(tape);
  if (!live->random_state) {
    const int64_t dims[] = {2};
    // Seed and step are data of a leaf, so every step finds the plan of the
    // first.
    const int64_t data[] = {(int64_t)tape->seed, live->step};
    const tir_value leaf =
        tir_value_from_data(tape, TIR_DTYPE_I64, dims, 1, data);
    live->random_state = tir_ir_peek(tape, leaf).id;
    if (live->random_state) tir_live_own(tape, live->random_state);
    return leaf;
  }
  return tir_ir_handle(tape, (tir_ir_value){live->random_state});
}

// --- tapes -----------------------------------------------------------------

static tir_status check_options(const tir_tape_options *options,
                                tir_error *error) {
  for (size_t i = 0; i < 8; i++)
    if (options->reserved[i])
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "tape_create: reserved word %zu is not 0: built "
                           "for a newer header",
                           i);
  if (options->flags & ~(uint32_t)(TIR_TAPE_EAGER | TIR_TAPE_NAN_HUNT))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "tape_create: unknown flags 0x%x",
                         (unsigned)options->flags);
  return TIR_OK;
}

tir_status tir_tape_create(tir_context *context,
                           const tir_tape_options *options, tir_tape **out_tape,
                           tir_error *error) {
  if (!out_tape)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "tape_create: out_tape is NULL");
  *out_tape = NULL;
  if (!context)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "tape_create: context is NULL");
  if (options) TIR_TRY(check_options(options, error));
  tir_live *live =
      tir_base_alloc_zero(context, sizeof *live, _Alignof(tir_live));
  if (!live) return tir_base_fail_memory(error, sizeof *live);
  if (options) live->options = *options;
  if (!live->options.max_pending)
    live->options.max_pending = DEFAULT_MAX_PENDING;
  if (!live->options.max_cache_bytes)
    live->options.max_cache_bytes = DEFAULT_CACHE_BYTES;
  tir_pool_init(&live->pool, context);
  tir_plan_cache_init(&live->cache, context,
                      (size_t)live->options.max_cache_bytes);
  // The pool and the cache hold nothing yet: freeing them after a failure would
  // free nothing.
  live->frame = &live->root;

  tir_ir_graph *graph = NULL;
  tir_tape *tape = NULL;
  tir_status status = tir_ir_graph_create(context, "live", &graph, error);
  if (status == TIR_OK)
    status = tir_ir_recorder_create(context, graph, &tape, error);
  if (status == TIR_OK)
    status = tir_live_frame_init(&live->root, graph, true, error);
  live->tape = tape;
  live->lowest_released = UINT32_MAX;
  if (status == TIR_OK) status = tir_live_collector_create(live, error);
  if (status != TIR_OK) {
    tir_live_frame_free(&live->root);
    tir_ir_recorder_destroy(tape);
    tir_ir_graph_destroy(graph);
    tir_base_free(context, live, sizeof *live, _Alignof(tir_live));
    return status;
  }
  tape->live = live;
  tape->hooks = tape->live_hooks = &tir_live_hooks;
  tape->random_state = random_state;
  tape->assigned = tir_live_assigned;
  tape->reserve_assigns = reserve_assigns;
  tape->in_history = tir_live_in_history;
  tape->seed = live->options.seed;
  *out_tape = tape;
  return TIR_OK;
}

static void free_slice(tir_context *context, tir_live_slice *slice) {
  TIR_VEC_FREE(context, &slice->nodes);
  TIR_VEC_FREE(context, &slice->runs);
  TIR_VEC_FREE(context, &slice->externals);
  TIR_VEC_FREE(context, &slice->survivors);
  TIR_VEC_FREE(context, &slice->key);
  TIR_VEC_FREE(context, &slice->key_parts);
  TIR_VEC_FREE(context, &slice->to_free);
  TIR_VEC_FREE(context, &slice->substitutes);
  TIR_VEC_FREE(context, &slice->assigns);
  TIR_VEC_FREE(context, &slice->inputs);
  TIR_VEC_FREE(context, &slice->params);
  TIR_VEC_FREE(context, &slice->outputs);
  TIR_VEC_FREE(context, &slice->modules);
}

// Buffers go back to the pool before it ends; plans are freed before the
// context can go.
static void free_live(tir_context *context, tir_live *live) {
  for (size_t v = 1; v < live->root.values.count; v++)
    tir_pool_release(&live->pool, live->root.values.data[v].buffer);
  tir_plan_cache_free(&live->cache);
  tir_pool_free(&live->pool);
  tir_base_free_pages(context, live->arena, live->arena_alloc);
  tir_base_free_pages(context, live->scratch, live->scratch_alloc);
  TIR_VEC_FREE(context, &live->effects);
  TIR_VEC_FREE(context, &live->asked);
  free_slice(context, &live->slice);
  tir_live_collector_destroy(live, context);
  tir_ir_graph *graph = live->root.graph;
  tir_live_frame_free(&live->root);
  tir_ir_graph_destroy(graph);
  tir_base_free(context, live, sizeof *live, _Alignof(tir_live));
}

void tir_tape_destroy(tir_tape *tape) {
  if (!tape) return;
  tir_context *context = tir_base_context_retain(tape->context);
  if (tape->capture) tir_capture_abandon(tape);
  // The recorder ends its handles when the live state is gone already.
  tape->hooks = tape->live_hooks = NULL;
  free_live(context, tir_live_of(tape));
  tir_ir_recorder_destroy(tape);
  tir_base_context_release(context);
}
