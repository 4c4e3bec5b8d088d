// backward and grad: check the request, record one gradient call, update the
// gradient slots. The call is expanded by passes/gradient.c when it is run
// (live tape) or when the capture ends.
//
// Every misuse is refused here, before anything is run or written.
#include <stdio.h>
#include <string.h>

#include "exec/live.h"
#include "ir/attr.h"
#include "ir/base/list.h"
#include "tapeir/ops.h"

typedef struct request {
  tir_tape *tape;
  tir_live_frame *frame;
  const char *call;  // "backward" or "grad"
  size_t n_heads;
  // One result of the call for each.
  size_t n_wrt;
  // Operands of the call: heads, head gradients, wrt.
  TIR_VEC(uint32_t) operands;
  // retain: the histories stay usable. create: the gradients have a history
  // themselves, which implies retain.
  bool retain, create;
} request;

// Always false, so that callers can return it.
static bool no_memory(request *r) {
  tir_ir_keep_error(r->tape, r->call, TIR_ERR_MEMORY,
                    "out of memory for a gradient call");
  return false;
}

static bool push(request *r, uint32_t value) {
  return TIR_VEC_PUSH(r->tape->context, &r->operands, value) || no_memory(r);
}

static const char *name_of(const tir_tape *tape, uint32_t value,
                           char buffer[TIR_QUOTED_MAX + 1]) {
  return tir_ir_name_text(tape->graph, (tir_ir_value){value}, buffer);
}

enum { NODE_TEXT_MAX = 200 };

// "matmul (net.c:41)" of a node.
static const char *node_text(const tir_tape *tape, uint32_t id,
                             char buffer[NODE_TEXT_MAX]) {
  const tir_ir_node_data *node = &tape->graph->nodes.data[id];
  const tir_op_desc *desc = tir_ir_op_desc((tir_op)node->op);
  char label[sizeof(tir_ir_label) + 1];
  tir_ir_attrs_label(desc, tir_ir_attrs(tape->graph, (tir_ir_node){id}), label);
  if (node->site)
    snprintf(buffer, NODE_TEXT_MAX, "%s%s (%.90s)", desc->name, label,
             node->site);
  else
    snprintf(buffer, NODE_TEXT_MAX, "%s%s", desc->name, label);
  return buffer;
}

// Is the handle good? Its text for the message is only made when it is not.
static bool usable(request *r, tir_value value, const char *what, size_t i) {
  if (tir_ir_peek(r->tape, value).id) return true;
  char operand[48];
  snprintf(operand, sizeof operand, "%s %zu", what, i);
  tir_ir_use(r->tape, value, r->call, operand);
  return false;
}

// --- heads -----------------------------------------------------------------

// What head i of the call is; 0 and an error if its handle is no good.
static uint32_t head_of(request *r, tir_value value, size_t i) {
  if (!usable(r, value, "head", i)) return 0;
  return tir_ir_use_head(r->tape, value, r->call, "head").id;
}

// What the tape noted when it recorded the head's node.
static const char *why_text(const request *r, uint32_t head) {
  switch (r->frame->values.data[head].why) {
    case TIR_WHY_LEAF:
      return "it is a leaf without attach_grad";
    case TIR_WHY_PAUSED:
      return "it was recorded while recording was paused";
    case TIR_WHY_DETACHED:
      return "it was detached";
    case TIR_WHY_CONSTANT:
      return "nothing it was computed from has a gradient attached";
    case TIR_WHY_RELEASED:
      return "its history was released by an earlier backward without "
             "retain_graph";
    default:
      return "it was computed outside tir_record_begin";
  }
}

// A variable is a head of its own: its gradient is the head gradient.
static bool has_history(const request *r, uint32_t value) {
  const tir_ir_graph *g = r->frame->graph;
  if (r->frame->values.data[value].variable) return true;
  return g->nodes.data[g->values.data[value].node].flags & TIR_NODE_HISTORY;
}

static bool add_heads(request *r, const tir_value *heads) {
  for (size_t i = 0; i < r->n_heads; i++) {
    char name[TIR_QUOTED_MAX + 1];
    const uint32_t head = head_of(r, heads[i], i);
    if (!head) return false;
    if (!has_history(r, head)) {
      tir_ir_keep_error(r->tape, r->call, TIR_ERR_STATE,
                        "head %zu%s has no history: %s", i,
                        name_of(r->tape, head, name), why_text(r, head));
      return false;
    }
    if (!push(r, head)) return false;
  }
  return true;
}

static bool add_head_gradients(request *r, const tir_value *gradients) {
  const tir_ir_graph *g = r->tape->graph;
  for (size_t i = 0; i < r->n_heads; i++) {
    const uint32_t head = r->operands.data[i];
    tir_value gradient = gradients ? gradients[i] : (tir_value){0};
    // An all-zero handle in the list asks for ones as well.
    if (!gradient.owner)
      gradient = tir_ir_fill_like(r->tape, (tir_ir_value){head}, 1);
    char name[TIR_QUOTED_MAX + 1];
    if (!usable(r, gradient, "head gradient", i)) return false;
    const tir_ir_value v = tir_ir_peek(r->tape, gradient);
    if (!tir_ir_same_type(g, v, (tir_ir_value){head})) {
      tir_ir_type want, got;
      char want_text[TIR_TYPE_TEXT_MAX], got_text[TIR_TYPE_TEXT_MAX];
      tir_ir_type_of(g, (tir_ir_value){head}, &want);
      tir_ir_type_of(g, v, &got);
      tir_ir_keep_error(r->tape, r->call,
                        want.dtype != got.dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
                        "head gradient %zu is %s, head%s is %s", i,
                        tir_ir_type_text(&got, got_text),
                        name_of(r->tape, head, name),
                        tir_ir_type_text(&want, want_text));
      return false;
    }
    if (!push(r, v.id)) return false;
  }
  // In a capture no hook has made room for the ones recorded here, and the walk
  // looks values up in the side tables.
  return tir_live_frame_sync(r->frame) || no_memory(r);
}

// --- the history between ---------------------------------------------------

// Collects the nodes and variables that the heads reach. A history that an
// earlier call gave up is refused, because its residuals may be gone.
static bool walk(request *r) {
  uint32_t released;
  tir_error error;
  const tir_status status = tir_live_walk_history(
      r->frame, r->operands.data, r->n_heads, &released, &error);
  if (status != TIR_OK) {
    tir_ir_keep_error(r->tape, r->call, status, "%s", error.message);
    return false;
  }
  if (!released) return true;
  char text[NODE_TEXT_MAX], name[TIR_QUOTED_MAX + 1];
  // Name the head if its own node is gone, else the op in which it meets the
  // earlier call.
  for (size_t i = 0; i < r->n_heads; i++) {
    const uint32_t head = r->operands.data[i];
    if (r->frame->graph->values.data[head].node != released) continue;
    tir_ir_keep_error(r->tape, r->call, TIR_ERR_STATE,
                      "the graph of head %zu%s was released by an earlier "
                      "backward: pass retain_graph to the first one",
                      i, name_of(r->tape, head, name));
    return false;
  }
  tir_ir_keep_error(r->tape, r->call, TIR_ERR_STATE,
                    "the heads share %s with an earlier backward that "
                    "released it: pass retain_graph to the first one",
                    node_text(r->tape, released, text));
  return false;
}

// Marks the nodes between wrt and heads and lists those without a rule.
static bool check_rules(request *r) {
  tir_live_frame *frame = r->frame;
  const tir_ir_graph *g = frame->graph;
  for (size_t i = 2 * r->n_heads; i < r->operands.count; i++)
    frame->values.data[r->operands.data[i]].wrt_epoch = frame->epoch;
  // The walk lists nodes in the order of a stack. Going through their range of
  // ids instead is topological, so `cone` (depends on a wrt) of an operand's
  // node is known before its consumers ask.
  uint32_t low = UINT32_MAX, high = 0;
  for (size_t i = 0; i < frame->reached.count; i++) {
    const uint32_t id = frame->reached.data[i];
    if (id < low) low = id;
    if (id > high) high = id;
  }
  tir_base_list list;
  tir_base_list_begin(&list, g->context, TIR_ERR_UNSUPPORTED);
  for (uint32_t id = low; id <= high; id++) {
    const tir_ir_node n = {id};
    if (frame->nodes.data[id].mark != frame->epoch) continue;
    bool depends = false;
    for (uint32_t i = 0; i < tir_ir_n_in(g, n) && !depends; i++) {
      const uint32_t v = tir_ir_in(g, n, i).id;
      depends =
          tir_live_wants(frame, n, i) &&
          (frame->values.data[v].wrt_epoch == frame->epoch ||
           frame->nodes.data[g->values.data[v].node].cone == frame->epoch);
    }
    if (!depends) continue;
    frame->nodes.data[id].cone = frame->epoch;
    // An earlier call becomes ordinary nodes, each with its own rule.
    if (tir_ir_op(g, n) == TIR_OP_GRADIENT) continue;
    const char *why = tir_ir_op_no_gradient(tir_ir_desc(g, n), g->context,
                                            tir_ir_attrs(g, n));
    if (!why) continue;
    char text[NODE_TEXT_MAX];
    node_text(r->tape, id, text);
    tir_base_list_add(&list, text, "%s: %s has no gradient: %s", r->call, text,
                      why);
  }
  if (!list.n) return true;
  tir_ir_keep_error(r->tape, r->call, list.status,
                    "%zu op%s on the way without a gradient: %s", list.n,
                    list.n == 1 ? "" : "s", tir_base_list_text(&list));
  r->tape->error.n_more = tir_base_list_n_more(&list);
  return false;
}

// --- the call node ---------------------------------------------------------

static bool operand_needs_grad(const request *r) {
  const tir_ir_graph *g = r->tape->graph;
  for (size_t i = 0; i < r->operands.count; i++)
    if (g->values.data[r->operands.data[i]].flags & TIR_VALUE_NEEDS_GRAD)
      return true;
  return false;
}

// Histories are marked released before the node is recorded: an eager tape
// runs it at once.
static void release_history(request *r, uint32_t call) {
  if (r->retain) return;
  tir_live *live = tir_live_of(r->tape);
  for (size_t i = 0; i < r->frame->reached.count; i++) {
    const uint32_t id = r->frame->reached.data[i];
    r->frame->nodes.data[id].released_by = call;
    if (r->frame->is_live && id < live->lowest_released)
      live->lowest_released = id;
  }
}

// Records the call; the value id of its first output, 0 on an error.
static uint32_t record_call(request *r) {
  tir_tape *tape = r->tape;
  tir_ir_graph *g = tape->graph;
  // Every result has the type of its variable.
  const size_t bytes = r->n_wrt * sizeof(tir_ir_type);
  tir_ir_type *types =
      tir_base_alloc(tape->context, bytes, _Alignof(tir_ir_type));
  if (!types) {
    no_memory(r);
    return 0;
  }
  for (size_t i = 0; i < r->n_wrt; i++)
    tir_ir_type_of(g, (tir_ir_value){r->operands.data[2 * r->n_heads + i]},
                   &types[i]);
  const tir_attrs_gradient attrs = {.n_heads = (int64_t)r->n_heads,
                                    .create_graph = r->create};
  tir_ir_node node;
  tir_error error;
  const tir_status status =
      tir_ir_append(g, TIR_OP_GRADIENT, r->operands.data, r->operands.count,
                    &attrs, types, r->n_wrt, &node, &error);
  tir_base_free(tape->context, types, bytes, _Alignof(tir_ir_type));
  if (status != TIR_OK) {
    tir_ir_keep_error(tape, r->call, status, "%s", error.message);
    return 0;
  }
  tir_ir_node_data *data = tir_ir_node_at(g, node);
  data->flags |= tir_ir_mode_flags(tape);
  // Only a call through which a second derivative can flow is history.
  if (r->create && operand_needs_grad(r)) {
    data->flags |= TIR_NODE_HISTORY;
    for (uint32_t i = 0; i < data->n_out; i++)
      g->values.data[data->out_first + i].flags |= TIR_VALUE_NEEDS_GRAD;
  }
  const uint32_t first = data->out_first;
  release_history(r, node.id);
  // From here on the live tape counts the operands, and may run the node.
  if (tape->hooks) tape->hooks->recorded(tape, node);
  if (!tir_live_frame_sync(r->frame)) no_memory(r);
  return tape->error.status == TIR_OK ? first : 0;
}

// What backward and grad share: arguments, heads, their gradients, the walk.
// When it refuses, ones for the heads are all that was recorded.
static bool begin(request *r, const tir_value *heads,
                  const tir_value *gradients, size_t n_gradients,
                  const tir_backward_options *options) {
  if (!tir_ir_ready(r->tape)) return false;
  if (tir_ir_refuse_in_body(r->tape, r->call)) return false;
  if (!r->n_heads || !heads) {
    tir_ir_keep_error(r->tape, r->call, TIR_ERR_ARGUMENT, "no heads");
    return false;
  }
  const size_t n_given = gradients ? n_gradients : 0;
  if ((gradients || n_gradients) && n_given != r->n_heads) {
    tir_ir_keep_error(r->tape, r->call, TIR_ERR_ARGUMENT,
                      "%zu heads but %zu head gradients", r->n_heads, n_given);
    return false;
  }
  for (size_t i = 0; options && i < 8; i++)
    if (options->reserved[i]) {
      tir_ir_keep_error(r->tape, r->call, TIR_ERR_ARGUMENT,
                        "reserved word %zu is not 0: built for a newer "
                        "header",
                        i);
      return false;
    }
  r->create = options && options->create_graph;
  r->retain = r->create || (options && options->retain_graph);
  if (!tir_live_frame_sync(r->frame)) return no_memory(r);
  return add_heads(r, heads) && add_head_gradients(r, gradients) && walk(r);
}

// --- backward --------------------------------------------------------------

// Every head and every marked variable goes to the diagnostics; the message
// names the variables.
static void refuse_unreached(request *r) {
  char name[TIR_QUOTED_MAX + 1], item[TIR_QUOTED_MAX + 32];
  tir_base_list heads, list;
  tir_base_list_begin(&heads, r->tape->context, TIR_ERR_STATE);
  for (size_t i = 0; i < r->n_heads; i++) {
    snprintf(item, sizeof item, "%zu%s", i,
             name_of(r->tape, r->operands.data[i], name));
    tir_base_list_add(&heads, item,
                      "%s: head %s reaches no variable with attach_grad",
                      r->call, item);
  }
  tir_base_list_begin(&list, r->tape->context, TIR_ERR_STATE);
  for (uint32_t i = 0; i < r->frame->variables.count; i++) {
    const tir_live_variable *variable = &r->frame->variables.data[i];
    if (!variable->value) continue;
    snprintf(item, sizeof item, "%u%s", i,
             name_of(r->tape, variable->value, name));
    tir_base_list_add(&list, item, "%s: variable %s is %s", r->call, item,
                      variable->request == TIR_GRAD_NULL
                          ? "marked to get no gradient"
                          : "not reached");
  }
  tir_ir_keep_error(r->tape, r->call, TIR_ERR_STATE,
                    "no variable with attach_grad is reached from head 0%s%s"
                    "%s%s",
                    name_of(r->tape, r->operands.data[0], name),
                    r->n_heads > 1 ? " and the others" : "",
                    list.n ? "; left out: " : "", tir_base_list_text(&list));
  r->tape->error.n_more = tir_base_list_n_more(&list);
}

// The walk left pairs of variable and version met; the versions are the
// operands.
static bool add_variables(request *r) {
  const tir_live_frame *frame = r->frame;
  for (size_t i = 0; i < frame->wrt.count; i += 2)
    if (!push(r, frame->wrt.data[i + 1])) return false;
  r->n_wrt = frame->wrt.count / 2;
  if (!r->n_wrt) refuse_unreached(r);
  return r->n_wrt != 0;
}

// Halves are for storage: they are added in f32 and rounded once.
static tir_value add_gradients(tir_tape *tape, tir_value a, tir_value b) {
  tir_ir_type type;
  tir_ir_value_type(tape, a, &type);
  if (tir_ir_dtype_is_compute_float(type.dtype)) return tir_add(tape, a, b);
  const tir_value sum = tir_add(tape, tir_cast(tape, a, TIR_DTYPE_F32),
                                tir_cast(tape, b, TIR_DTYPE_F32));
  return tir_cast(tape, sum, type.dtype);
}

// Adds to a slot that holds something, else fills it. `first`: the first
// gradient this backward gives the variable.
static void update_slot(request *r, uint32_t number, uint32_t gradient,
                        bool first) {
  tir_tape *tape = r->tape;
  tir_live_variable *variable = &r->frame->variables.data[number];
  const bool adds = !first || variable->request == TIR_GRAD_ADD;
  if (adds && variable->grad) {
    const tir_value old = tir_ir_handle(tape, (tir_ir_value){variable->grad});
    const tir_value add = tir_ir_handle(tape, (tir_ir_value){gradient});
    const tir_value sum = add_gradients(tape, old, add);
    gradient = tir_ir_peek(tape, sum).id;
    if (!gradient) return;
    // The variables may have moved while recording.
    variable = &r->frame->variables.data[number];
    tir_live_set_grad(tape, variable, gradient);
    tir_value_release(tape, old);
    tir_value_release(tape, add);
    tir_value_release(tape, sum);
  } else {
    tir_live_set_grad(tape, variable, gradient);
  }
  variable->fresh = true;
}

static void update_slots(request *r, uint32_t first_output) {
  const tir_ir_mode mode = r->tape->mode;
  // Adding to a slot may run what is pending, this call included: its results
  // must have an owner before the slots take them.
  for (size_t i = 0; i < r->n_wrt && r->frame->is_live; i++)
    tir_live_own(r->tape, first_output + (uint32_t)i);
  // The sums are part of a history only for a higher derivative.
  r->tape->mode.recording = r->create;
  tir_live_frame *frame = r->frame;
  frame->n_backwards++;
  for (size_t i = 0; i < r->n_wrt; i++) {
    const uint32_t number = frame->wrt.data[2 * i];
    // Two versions of one variable may have been met: the second one adds.
    uint32_t *updated_by = &frame->variables.data[number].updated_by;
    const bool first = *updated_by != frame->n_backwards;
    *updated_by = frame->n_backwards;
    update_slot(r, number, first_output + (uint32_t)i, first);
  }
  for (size_t i = 0; i < r->n_wrt && r->frame->is_live; i++)
    tir_live_disown(r->tape, first_output + (uint32_t)i);
  r->tape->mode = mode;
}

void tir_backward_ex(tir_tape *tape, const tir_value *heads, size_t n_heads,
                     const tir_value *head_gradients, size_t n_head_gradients,
                     const tir_backward_options *options) {
  if (!tape) return;
  request r = {.tape = tape,
               .frame = tir_live_frame_of(tape),
               .call = "backward",
               .n_heads = n_heads};
  // Internal handles end here; values live on through slots and history.
  if (begin(&r, heads, head_gradients, n_head_gradients, options) &&
      add_variables(&r) && check_rules(&r)) {
    const uint32_t first = record_call(&r);
    if (first) update_slots(&r, first);
  }
  TIR_VEC_FREE(tape->context, &r.operands);
}

void tir_backward(tir_tape *tape, tir_value head) {
  tir_backward_ex(tape, &head, 1, NULL, 0, NULL);
}

// --- grad ------------------------------------------------------------------

// Lists all that are not reached before it refuses them together.
static bool add_wrt(request *r, const tir_value *wrt, bool allow_unused) {
  char operand[TIR_QUOTED_MAX + 32], name[TIR_QUOTED_MAX + 1];
  tir_base_list list;
  tir_base_list_begin(&list, r->tape->context, TIR_ERR_STATE);
  for (size_t i = 0; i < r->n_wrt; i++) {
    snprintf(operand, sizeof operand, "wrt %zu", i);
    const uint32_t v = tir_ir_use(r->tape, wrt[i], r->call, operand).id;
    if (!v || !push(r, v)) return false;
    // The walk marked every value that it met with its epoch.
    if (r->frame->values.data[v].visit_epoch == r->frame->epoch || allow_unused)
      continue;
    snprintf(operand, sizeof operand, "%zu%s", i, name_of(r->tape, v, name));
    tir_base_list_add(&list, operand,
                      "%s: wrt %s is not reached from the heads", r->call,
                      operand);
  }
  if (!list.n) return true;
  tir_ir_keep_error(r->tape, r->call, TIR_ERR_STATE,
                    "wrt %s %s not reached from the heads (allow_unused gives "
                    "zeros)",
                    tir_base_list_text(&list), list.n == 1 ? "is" : "are");
  r->tape->error.n_more = tir_base_list_n_more(&list);
  return false;
}

void tir_grad(tir_tape *tape, const tir_value *heads, size_t n_heads,
              const tir_value *head_gradients, size_t n_head_gradients,
              const tir_value *wrt, size_t n_wrt,
              const tir_backward_options *options, tir_value *out_grads) {
  if (!tape || !out_grads) return;
  request r = {.tape = tape,
               .frame = tir_live_frame_of(tape),
               .call = "grad",
               .n_heads = n_heads,
               .n_wrt = n_wrt};
  uint32_t first = 0;
  if (tir_ir_ready(tape) && (!n_wrt || !wrt))
    tir_ir_keep_error(tape, r.call, TIR_ERR_ARGUMENT, "no wrt values");
  if (begin(&r, heads, head_gradients, n_head_gradients, options) &&
      add_wrt(&r, wrt, options && options->allow_unused) && check_rules(&r))
    first = record_call(&r);
  // Filled in any case: a failure leaves handles that name this call.
  for (size_t i = 0; i < n_wrt; i++)
    out_grads[i] =
        first ? tir_ir_handle(tape, (tir_ir_value){first + (uint32_t)i})
              : tir_ir_keep_error(tape, r.call, TIR_ERR_STATE, "failed");
  TIR_VEC_FREE(tape->context, &r.operands);
}
