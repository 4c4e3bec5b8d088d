// Captures: op calls go to a graph of their own until the capture ends; then
// gradients are expanded and the graph is published in its module.
//
// Meanwhile the recorder's hooks are off: nothing is counted, run or collected.
// Autograd has a frame of its own for the graph, and parameters are references
// by name instead of leaves over memory.
#include <string.h>

#include "exec/live.h"
#include "ir/infer.h"
#include "passes/pass.h"
#include "tapeir/graph.h"
#include "tapeir/ops.h"

#define RANDOM_STATE "tapeir.random"

typedef struct tir_capture {
  tir_module *module;
  // Owned until it is published.
  tir_ir_graph *graph;
  tir_live_frame frame;
  // What the recorder goes back to when the capture ends.
  tir_ir_target saved;
  size_t saved_scopes;  // tape->capture_scopes of before
  tir_value (*saved_random)(tir_tape *tape);
} tir_capture;

static tir_capture *capture_of(const tir_tape *tape) {
  return (tir_capture *)tape->capture;
}

// --- random state ----------------------------------------------------------

// {seed, step} as a state of the module, made on first use.
static tir_value random_state(tir_tape *tape) {
  tir_capture *capture = capture_of(tape);
  // The tape's seed counts only here: a later capture into the module goes on
  // with what its state holds.
  if (tir_module_find_param(capture->module, RANDOM_STATE) < 0) {
    const int64_t dims[] = {2};
    const int64_t data[] = {(int64_t)tape->seed, 0};
    tir_tensor *state = NULL;
    tir_error error;
    tir_status status = tir_tensor_from_data(tape->context, TIR_DTYPE_I64, dims,
                                             1, data, &state, &error);
    if (status == TIR_OK)
      status = tir_module_add_param(capture->module, RANDOM_STATE,
                                    TIR_PARAM_STATE, state, &error);
    tir_tensor_release(state);
    if (status != TIR_OK)
      return tir_ir_keep_error(tape, "random", status, "%s", error.message);
  }
  return tir_param(tape, capture->module, RANDOM_STATE);
}

// A graph that drew random numbers leaves the next step's state behind.
static void advance_random(tir_tape *tape) {
  if (!tape->n_random) return;
  const int64_t dims[] = {2};
  // One step on, however many numbers were drawn: their ordinals tell them
  // apart.
  const int64_t data[] = {0, 1};
  tir_tensor *one = NULL;
  tir_error error;
  const tir_status status = tir_tensor_from_data(tape->context, TIR_DTYPE_I64,
                                                 dims, 1, data, &one, &error);
  if (status != TIR_OK) {
    tir_ir_keep_error(tape, "capture_end", status, "%s", error.message);
    return;
  }
  const tir_value state = random_state(tape);
  tir_assign(tape, state, tir_add(tape, state, tir_constant(tape, one)));
  tir_tensor_release(one);
}

// --- begin, end ------------------------------------------------------------

// The tape is live again before anything is done with the graph, so that an
// error leaves it usable.
static void end_target(tir_tape *tape) {
  tir_capture *capture = capture_of(tape);
  tir_context *context = tape->context;
  tir_ir_target_end(tape, capture->saved);
  tape->capture = NULL;
  tape->capture_scopes = capture->saved_scopes;
  tape->random_state = capture->saved_random;
  tir_live *live = tir_live_of(tape);
  live->frame = &live->root;
  tir_live_frame_free(&capture->frame);
  tir_ir_module_release(capture->module);
  tir_base_free(context, capture, sizeof *capture, _Alignof(tir_capture));
}

void tir_capture_abandon(tir_tape *tape) {
  tir_ir_graph *graph = capture_of(tape)->graph;
  // Scopes opened inside end with it.
  tape->capture_scopes = 0;
  end_target(tape);
  tir_ir_graph_destroy(graph);
}

void tir_capture_begin(tir_tape *tape, tir_module *module, const char *name) {
  static const char call[] = "capture_begin";
  if (!tape || !tir_ir_ready(tape)) return;
  if (tir_ir_refuse_in_body(tape, call)) return;
  if (tape->capture || !module || !name) {
    tir_ir_keep_error(tape, call, TIR_ERR_STATE,
                      tape->capture ? "a capture is going on already"
                                    : "module or name is NULL");
    return;
  }
  tir_context *context = tape->context;
  tir_capture *capture =
      tir_base_alloc_zero(context, sizeof *capture, _Alignof(tir_capture));
  tir_error error;
  tir_status status = TIR_OK;
  if (!capture) status = tir_base_fail_memory(&error, sizeof *capture);
  if (status == TIR_OK)
    status = tir_ir_graph_create(context, name, &capture->graph, &error);
  if (status == TIR_OK)
    status =
        tir_live_frame_init(&capture->frame, capture->graph, false, &error);
  if (status != TIR_OK) {
    if (capture) {
      tir_live_frame_free(&capture->frame);
      tir_ir_graph_destroy(capture->graph);
      tir_base_free(context, capture, sizeof *capture, _Alignof(tir_capture));
    }
    tir_ir_keep_error(tape, call, status, "%s", error.message);
    return;
  }
  // Nothing of the tape has changed before all that can fail has succeeded.
  capture->module = tir_ir_module_retain(module);
  capture->saved = tir_ir_target_begin(tape, capture->graph);
  capture->saved_scopes = tape->capture_scopes;
  capture->saved_random = tape->random_state;
  tape->capture = capture;
  // Scopes begun from here on must end inside the capture.
  tape->capture_scopes = tape->scopes.count;
  tape->random_state = random_state;
  tir_live_of(tape)->frame = &capture->frame;
}

// What a file or a compiler may see: no gradient calls, no marks, no foreign
// text.
static tir_status finish_graph(tir_tape *tape, tir_ir_graph *graph,
                               tir_error *error) {
  // As in tir_graph_differentiate: what a rule makes has its node's origin.
  for (uint32_t id = 1; id <= tir_ir_n_nodes(graph); id++)
    graph->nodes.data[id].origin = id;
  tir_pass_ctx ctx = {.context = tape->context, .error = error};
  // Dead are also nodes that were recorded and then used for no output or
  // effect.
  TIR_TRY(tir_pass_run(&ctx, "gradient,eliminate-dead", NULL, graph));
  // Marks of the recording mean nothing in a published graph.
  for (uint32_t id = 1; id <= tir_ir_n_nodes(graph); id++)
    graph->nodes.data[id].flags &= (uint16_t)~TIR_NODE_OF_TAPE;
  for (uint32_t id = 1; id <= tir_ir_n_values(graph); id++)
    graph->values.data[id].flags = 0;
  // The sites point at string literals of the recording code, which may be
  // unloaded before the graph is.
  for (uint32_t id = 1; id <= tir_ir_n_nodes(graph); id++) {
    const char **site = &graph->nodes.data[id].site;
    if (!*site) continue;
    *site = tir_ir_keep_site(graph, *site);
  }
  return TIR_OK;
}

tir_status tir_capture_end(tir_tape *tape, tir_graph **out_graph,
                           tir_error *error) {
  if (out_graph) *out_graph = NULL;
  if (!tape)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "capture_end: tape is NULL");
  if (tape->body)
    return tir_base_fail(error, TIR_ERR_STATE,
                         "capture_end: it has no place in the body of a %s",
                         tape->body->op);
  if (!tape->capture) {
    if (tape->error.status == TIR_OK)
      return tir_base_fail(error, TIR_ERR_STATE,
                           "capture_end: no capture is going on");
    // capture_begin failed: that is the error to report.
    return tir_tape_check(tape, error);
  }
  tir_capture *capture = capture_of(tape);
  if (tape->scopes.count > tape->capture_scopes)
    tir_ir_keep_error(tape, "capture_end", TIR_ERR_STATE,
                      "%zu scopes begun in the capture are still open",
                      tape->scopes.count - tape->capture_scopes);
  if (tape->error.status == TIR_OK) advance_random(tape);
  tir_ir_graph *graph = capture->graph;
  // end_target gives the capture's reference up.
  tir_module *module = tir_ir_module_retain(capture->module);
  tape->capture_scopes = 0;
  end_target(tape);
  tir_status status = tir_tape_check(tape, error);
  if (status == TIR_OK) status = finish_graph(tape, graph, error);
  tir_graph *published = NULL;
  if (status == TIR_OK)
    // Takes the graph over, also when it refuses it.
    status = tir_ir_module_add_graph(module, graph, &published, error);
  else
    tir_ir_graph_destroy(graph);
  if (out_graph) *out_graph = published;
  tir_ir_module_release(module);
  return status;
}

// --- ports -----------------------------------------------------------------

// Keeps an error unless a capture is going on.
static bool in_capture(tir_tape *tape, const char *call) {
  if (!tape || !tir_ir_ready(tape)) return false;
  if (tir_ir_refuse_in_body(tape, call)) return false;
  if (tape->capture) return true;
  tir_ir_keep_error(tape, call, TIR_ERR_STATE,
                    "no capture is going on (tir_capture_begin)");
  return false;
}

// Invalid but owned, so that the place of the call can still be told.
static tir_value failed(tir_tape *tape, const char *call) {
  if (!tape) return (tir_value){0};
  return tir_ir_keep_error(tape, call, TIR_ERR_STATE, "failed");
}

tir_value tir_input_symbolic(tir_tape *tape, const char *name, tir_dtype dtype,
                             const int64_t *dims, const char *const *dim_names,
                             int rank) {
  static const char call[] = "input";
  if (!in_capture(tape, call)) return failed(tape, call);
  if (!name || !name[0])
    return tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT,
                             "an input needs a name");
  if (rank < 0 || rank > TIR_MAX_RANK || (rank && !dims))
    return tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT,
                             "rank %d is not 0 to %d with dims", rank,
                             TIR_MAX_RANK);
  tir_ir_type type = {.dtype = dtype, .rank = rank};
  for (int i = 0; i < rank; i++) {
    type.dims[i] = dims[i];
    const char *symbol = dim_names ? dim_names[i] : NULL;
    if (!symbol) continue;
    if (!tir_base_strings_intern(&tape->graph->strings, symbol, strlen(symbol),
                                 &type.symbols[i]))
      return tir_ir_keep_error(tape, call, TIR_ERR_MEMORY,
                               "out of memory for a dim name");
  }
  return tir_ir_record_declared(tape, TIR_OP_INPUT, NULL, &type, name);
}

tir_value tir_input(tir_tape *tape, const char *name, tir_dtype dtype,
                    const int64_t *dims, int rank) {
  return tir_input_symbolic(tape, name, dtype, dims, NULL, rank);
}

void tir_output(tir_tape *tape, const char *name, tir_value value) {
  static const char call[] = "output";
  if (!in_capture(tape, call)) return;
  const tir_ir_value v = tir_ir_use(tape, value, call, "value");
  if (!v.id) return;
  tir_error error;
  const tir_status status =
      tir_ir_add_output(tape->graph, v, name ? name : "", &error);
  if (status != TIR_OK)
    tir_ir_keep_error(tape, call, status, "%s", error.message);
}

tir_value tir_constant(tir_tape *tape, tir_tensor *tensor) {
  static const char call[] = "constant";
  if (!tape) return (tir_value){0};
  if (!tir_ir_ready(tape)) return failed(tape, call);
  if (tape->body) {
    const tir_ir_outside inside = tir_ir_outside_begin(tape);
    return tir_ir_outside_end(tape, inside, tir_constant(tape, tensor));
  }
  if (!tensor)
    return tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT, "tensor is NULL");
  if (!tape->capture) return tir_value_from_tensor(tape, tensor);
  // The caller may write to the tensor later.
  // The graph is immutable, so it gets its own copy.
  tir_tensor *copy;
  uint32_t index;
  tir_error error;
  tir_status status =
      tir_tensor_from_data(tape->context, tensor->dtype, tensor->dims,
                           tensor->rank, tensor->data, &copy, &error);
  if (status == TIR_OK) {
    status = tir_ir_add_tensor(tape->graph, copy, &index, &error);
    tir_tensor_release(copy);
  }
  if (status != TIR_OK)
    return tir_ir_keep_error(tape, call, status, "%s", error.message);
  tir_ir_type type = {.dtype = tensor->dtype, .rank = tensor->rank};
  memcpy(type.dims, tensor->dims, sizeof type.dims);
  const tir_attrs_constant attrs = {.tensor = (int64_t)index + 1};
  return tir_ir_record_declared(tape, TIR_OP_CONSTANT, &attrs, &type, NULL);
}

// --- parameters ------------------------------------------------------------

// Parameters have no symbolic dims: their storage has a size.
static void type_of_param(const tir_ir_param *param, tir_ir_type *out) {
  *out =
      (tir_ir_type){.dtype = param->tensor->dtype, .rank = param->tensor->rank};
  memcpy(out->dims, param->tensor->dims, sizeof out->dims);
}

// Number of the module in the target, made on first use; −1 without memory.
static int64_t number_of(tir_live_frame *frame, tir_module *module) {
  for (size_t i = 0; i < frame->modules.count; i++)
    if (frame->modules.data[i].module == module) return (int64_t)i;
  const tir_live_module entry = {.module = module};
  if (!TIR_VEC_PUSH(frame->graph->context, &frame->modules, entry)) return -1;
  tir_ir_module_retain(module);
  return (int64_t)frame->modules.count - 1;
}

// In a graph a parameter is a reference by name.
static tir_value capture_param(tir_tape *tape, const tir_ir_param *param,
                               const char *name) {
  tir_ir_type type;
  type_of_param(param, &type);
  const tir_attrs_param attrs = {.kind = param->kind};
  return tir_ir_record_declared(tape, TIR_OP_PARAM, &attrs, &type, name);
}

// On a live tape a parameter is a leaf over the module's own memory.
static tir_value live_param(tir_tape *tape, tir_module *module, size_t index,
                            const tir_ir_param *param, const char *name) {
  tir_live *live = tir_live_of(tape);
  tir_pool_buffer *buffer = tir_pool_wrap(&live->pool, param->tensor, false);
  if (!buffer)
    return tir_ir_keep_error(tape, "param", TIR_ERR_MEMORY,
                             "out of memory for a parameter");
  // The module is borrowed: the frame holds it as long as the tape lives.
  buffer->module = module;
  buffer->param = (uint32_t)index;
  tir_ir_type type;
  type_of_param(param, &type);
  // The leaf takes the buffer over even where it fails.
  return tir_set_name(tape, tir_live_leaf(tape, &type, buffer), name);
}

// One node a parameter and a handle each call. The target knows the present
// version, so that an assign through one handle is seen by all.
static tir_value param_of(tir_tape *tape, tir_module *module, size_t index,
                          const tir_ir_param *param, const char *name) {
  tir_live_frame *frame = tir_live_frame_of(tape);
  const int64_t number = number_of(frame, module);
  bool ok = number >= 0;
  // Numbers are the module's, and most of its parameters may not be used here.
  while (ok && frame->modules.data[number].values.count <= index)
    ok = TIR_VEC_PUSH(tape->context, &frame->modules.data[number].values, 0u);
  // Room for handle and side tables first: a node that is there without them
  // would be followed by a second one when it is asked for again.
  if (!ok || !TIR_VEC_RESERVE(tape->context, &tape->slots, 1) ||
      !tape->reserve_assigns(tape, 1))
    return tir_ir_keep_error(tape, "param", TIR_ERR_MEMORY,
                             "out of memory for a parameter");
  const uint32_t present = frame->modules.data[number].values.data[index];
  if (present) return tir_ir_handle(tape, (tir_ir_value){present});
  const tir_value handle = frame->is_live
                               ? live_param(tape, module, index, param, name)
                               : capture_param(tape, param, name);
  const uint32_t v = tir_ir_peek(tape, handle).id;
  if (!v) return handle;
  tir_live_frame_sync(frame);
  frame->values.data[v].param_module = (uint32_t)number + 1;
  frame->values.data[v].param = (uint32_t)index;
  // The tape holds the present version, so that asking again finds it.
  if (frame->is_live) tir_live_own(tape, v);
  frame->modules.data[number].values.data[index] = v;
  return handle;
}

// In a capture a parameter belongs to all of it, not to a scope inside.
static tir_value keep_in_capture(tir_tape *tape, tir_value handle) {
  while (tir_value_is_valid(tape, handle) &&
         tape->slots.data[handle.slot].scope >= tape->capture_scopes)
    tir_keep(tape, handle);
  return handle;
}

tir_value tir_param(tir_tape *tape, tir_module *module, const char *name) {
  static const char call[] = "param";
  if (!tape) return (tir_value){0};
  if (!tir_ir_ready(tape)) return failed(tape, call);
  if (tape->body) {
    const tir_ir_outside inside = tir_ir_outside_begin(tape);
    return tir_ir_outside_end(tape, inside, tir_param(tape, module, name));
  }
  if (!module || !name)
    return tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT,
                             "module or name is NULL");
  char quoted[TIR_QUOTED_MAX];
  const int64_t index = tir_module_find_param(module, name);
  if (index < 0)
    return tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT,
                             "the module has no parameter %s",
                             tir_base_quote(name, quoted));
  const tir_ir_param *param = &module->params.data[index];
  if (!param->tensor)
    return tir_ir_keep_error(tape, call, TIR_ERR_STATE,
                             "parameter %s has no data",
                             tir_base_quote(name, quoted));
  if (!tape->capture) return param_of(tape, module, (size_t)index, param, name);
  // A graph refers to parameters by name, within its own module.
  if (capture_of(tape)->module != module)
    return tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT,
                             "%s is a parameter of another module than the "
                             "one being captured into",
                             tir_base_quote(name, quoted));
  return keep_in_capture(tape,
                         param_of(tape, module, (size_t)index, param, name));
}
