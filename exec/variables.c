// Variables: marks on values and the gradient slots behind them.
//
// A slot is a value: 0 stands for zeros that nobody has read yet. A variable
// does not keep its value alive; it goes when the value goes.
#include "exec/live.h"
#include "tapeir/ops.h"

// Only values of the live graph are counted: a capture's live until it ends.
static void own(tir_tape *tape, uint32_t value) {
  if (tir_live_frame_of(tape)->is_live && value) tir_live_own(tape, value);
}

static void disown(tir_tape *tape, uint32_t value) {
  if (tir_live_frame_of(tape)->is_live && value) tir_live_disown(tape, value);
}

tir_live_variable *tir_live_variable_of(tir_live_frame *frame, uint32_t value) {
  if (!value || value >= frame->values.count) return NULL;
  const uint32_t variable = frame->values.data[value].variable;
  return variable ? &frame->variables.data[variable - 1] : NULL;
}

void tir_live_set_grad(tir_tape *tape, tir_live_variable *variable,
                       uint32_t grad) {
  // Owned before the old one goes: they may be the same.
  own(tape, grad);
  disown(tape, variable->grad);
  variable->grad = grad;
}

void tir_live_forget_variable(tir_live *live, uint32_t value) {
  tir_live_variable *variable = tir_live_variable_of(&live->root, value);
  if (!variable) return;
  live->root.values.data[value].variable = 0;
  if (variable->value != value) return;  // an older version only
  const size_t number = (size_t)(variable - live->root.variables.data);
  if (number < live->root.first_free_variable)
    live->root.first_free_variable = number;
  if (variable->grad) tir_live_disown(live->tape, variable->grad);
  *variable = (tir_live_variable){0};
}

// A free entry or a new one; 0 when memory ran out, else number + 1.
static uint32_t new_variable(tir_live_frame *frame) {
  const tir_live_variable none = {0};
  for (size_t i = frame->first_free_variable; i < frame->variables.count; i++) {
    if (frame->variables.data[i].value) continue;
    frame->first_free_variable = i + 1;
    return (uint32_t)i + 1;
  }
  frame->first_free_variable = frame->variables.count;
  if (!TIR_VEC_PUSH(frame->graph->context, &frame->variables, none)) return 0;
  return (uint32_t)frame->variables.count;
}

// The value becomes a variable with a gradient of zeros.
static bool mark(tir_tape *tape, const char *call, uint32_t value,
                 tir_grad_request request) {
  tir_live_frame *frame = tir_live_frame_of(tape);
  const uint32_t number = new_variable(frame);
  if (!number) {
    tir_ir_keep_error(tape, call, TIR_ERR_MEMORY,
                      "out of memory for a variable");
    return false;
  }
  frame->variables.data[number - 1] =
      (tir_live_variable){.value = value, .request = (uint8_t)request};
  frame->values.data[value].variable = number;
  frame->graph->values.data[value].flags |= TIR_VALUE_NEEDS_GRAD;
  return true;
}

// The value behind x if it may carry a gradient, else id 0 and an error.
static tir_ir_value markable(tir_tape *tape, tir_value x, const char *call,
                             tir_grad_request request) {
  const tir_ir_value none = {0};
  if (!tape || !tir_ir_ready(tape)) return none;
  if (tir_ir_refuse_in_body(tape, call)) return none;
  const tir_ir_value v = tir_ir_use(tape, x, call, "x");
  if (!v.id) return none;
  if (!tir_live_frame_sync(tir_live_frame_of(tape))) {
    tir_ir_keep_error(tape, call, TIR_ERR_MEMORY,
                      "out of memory for a variable");
    return none;
  }
  const tir_dtype dtype = tir_ir_dtype_of(tape->graph, v);
  if (!tir_ir_dtype_is_float(dtype)) {
    tir_ir_keep_error(tape, call, TIR_ERR_DTYPE,
                      "x is %s: only floats have gradients",
                      tir_dtype_name(dtype));
    return none;
  }
  if ((unsigned)request > TIR_GRAD_NULL) {
    tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT, "no request has number %d",
                      (int)request);
    return none;
  }
  return v;
}

static bool has_history(tir_tape *tape, tir_ir_value v) {
  const tir_ir_node n = tir_ir_producer(tape->graph, v);
  return tir_ir_node_at(tape->graph, n)->flags & TIR_NODE_HISTORY;
}

// All handles of a module's parameter mean its present version. Owners that are
// left may be handles; in a capture they are not counted.
static void move_handles(tir_tape *tape, uint32_t target, uint32_t value) {
  const tir_live_frame *frame = tir_live_frame_of(tape);
  for (size_t i = 1; i < tape->slots.count; i++) {
    if (frame->is_live && !frame->values.data[target].owners) return;
    tir_ir_slot *slot = &tape->slots.data[i];
    if (!(slot->generation & 1) || slot->target != tape->target ||
        slot->value != target)
      continue;
    const tir_value handle = {tape, (uint32_t)i, slot->generation};
    const uint32_t head = slot->head == target ? value : slot->head;
    tir_ir_rebind(tape, handle, (tir_ir_value){value}, (tir_ir_value){head});
  }
}

// The value takes the place of a parameter's present version, for the tape
// and for every handle of it.
static void move_param(tir_tape *tape, uint32_t target, uint32_t value) {
  const tir_live_frame *frame = tir_live_frame_of(tape);
  const uint32_t module = frame->values.data[target].param_module;
  if (!module) return;
  uint32_t *current = &frame->modules.data[module - 1]
                           .values.data[frame->values.data[target].param];
  // An old version was written to, which is not what the module holds.
  if (*current != target) return;
  own(tape, value);
  *current = value;
  disown(tape, target);
  move_handles(tape, target, value);
}

// A fresh leaf with the data of v, which the handle x means from now on. As a
// head x still means what a recorded v was made from.
static tir_ir_value cut(tir_tape *tape, tir_value x, tir_ir_value v) {
  const tir_value leaf = tir_ir_record(tape, TIR_OP_CUT, &x, 1, NULL);
  const tir_ir_value to = tir_ir_peek(tape, leaf);
  if (!to.id) return to;
  tir_live_frame *frame = tir_live_frame_of(tape);
  if (!tir_live_frame_sync(frame)) {
    tir_ir_keep_error(tape, "attach_grad", TIR_ERR_MEMORY,
                      "out of memory for a variable");
    return (tir_ir_value){0};
  }
  const tir_ir_value head =
      has_history(tape, v) ? tir_ir_use_head(tape, x, "attach_grad", "x") : to;
  tir_ir_value_at(tape->graph, to)->name =
      tir_ir_value_at(tape->graph, v)->name;
  frame->values.data[to.id].param_module =
      frame->values.data[v.id].param_module;
  frame->values.data[to.id].param = frame->values.data[v.id].param;
  // From here on x as an operand is the leaf; the value it was stays for its
  // head.
  tir_ir_rebind(tape, x, to, head);
  // Data that is there is shared, not copied, and the node never runs.
  if (frame->is_live)
    tir_live_alias(tir_live_of(tape), tir_ir_producer(tape->graph, to));
  // Attaching again to a parameter: asking for it must find the new leaf.
  move_param(tape, v.id, to.id);
  tir_value_release(tape, leaf);
  return to;
}

void tir_attach_grad(tir_tape *tape, tir_value x, tir_grad_request request) {
  static const char call[] = "attach_grad";
  tir_ir_value v = markable(tape, x, call, request);
  if (!v.id) return;
  // A fresh leaf: the history of x must not go on through the new variable, and
  // a variable that exists keeps its mark and gradient for what was recorded.
  if (has_history(tape, v) ||
      tir_live_variable_of(tir_live_frame_of(tape), v.id))
    v = cut(tape, x, v);
  if (v.id) mark(tape, call, v.id, request);
}

void tir_retain_grad(tir_tape *tape, tir_value y, tir_grad_request request) {
  static const char call[] = "retain_grad";
  const tir_ir_value v = markable(tape, y, call, request);
  if (!v.id) return;
  tir_live_variable *there =
      tir_live_variable_of(tir_live_frame_of(tape), v.id);
  if (there) {
    // Asked for again: only how backward writes changes.
    there->request = (uint8_t)request;
    return;
  }
  if (!has_history(tape, v)) {
    tir_ir_keep_error(tape, call, TIR_ERR_STATE,
                      "y has no history: use attach_grad on a leaf");
    return;
  }
  mark(tape, call, v.id, request);
}

void tir_mark_variables(tir_tape *tape, const tir_value *values,
                        const tir_value *gradients,
                        const tir_grad_request *requests, size_t n) {
  if (tape && n && !values) {
    tir_ir_keep_error(tape, "mark_variables", TIR_ERR_ARGUMENT,
                      "values is NULL");
    return;
  }
  // The first error ends it: what is marked by then stays marked.
  for (size_t i = 0; i < n && tape && tir_ir_ready(tape); i++) {
    tir_attach_grad(tape, values[i], requests ? requests[i] : TIR_GRAD_WRITE);
    if (gradients && gradients[i].owner)
      tir_set_grad(tape, values[i], gradients[i]);
  }
}

// The variable of a handle, NULL if it has none.
static tir_live_variable *find(tir_tape *tape, tir_value x, const char *call) {
  if (!tape || !tir_ir_ready(tape)) return NULL;
  if (tir_ir_refuse_in_body(tape, call)) return NULL;
  const tir_ir_value v = tir_ir_use(tape, x, call, "x");
  return tir_live_variable_of(tir_live_frame_of(tape), v.id);
}

// As find, but having none is an error.
static tir_live_variable *require(tir_tape *tape, tir_value x,
                                  const char *call) {
  tir_live_variable *variable = find(tape, x, call);
  if (!variable && tape && tir_ir_ready(tape))
    tir_ir_keep_error(tape, call, TIR_ERR_STATE,
                      "x has no gradient: attach_grad was not called on it");
  return variable;
}

bool tir_has_grad(tir_tape *tape, tir_value x) {
  return find(tape, x, "has_grad") != NULL;
}

// A slot of zeros is written out only when somebody asks.
tir_value tir_grad_of(tir_tape *tape, tir_value x) {
  const tir_live_variable *variable = find(tape, x, "grad_of");
  if (!variable) return (tir_value){0};
  if (!variable->grad) return tir_ir_fill_like(tape, tir_ir_peek(tape, x), 0);
  return tir_ir_handle(tape, (tir_ir_value){variable->grad});
}

tir_value tir_take_grad(tir_tape *tape, tir_value x) {
  tir_live_variable *variable = require(tape, x, "take_grad");
  if (!variable)
    return tape ? tir_ir_keep_error(tape, "take_grad", TIR_ERR_STATE, "skipped")
                : (tir_value){0};
  const tir_value grad = tir_grad_of(tape, x);
  // Recording zeros does not move variables, but look again all the same.
  variable = find(tape, x, "take_grad");
  if (variable) tir_live_set_grad(tape, variable, 0);
  return grad;
}

void tir_set_grad(tir_tape *tape, tir_value x, tir_value gradient) {
  static const char call[] = "set_grad";
  tir_live_variable *variable = require(tape, x, call);
  if (!variable) return;
  // All-zero: back to zeros that nobody has read.
  if (!gradient.owner) {
    tir_live_set_grad(tape, variable, 0);
    return;
  }
  const tir_ir_value g = tir_ir_use(tape, gradient, call, "gradient");
  if (!g.id) return;
  const tir_ir_value v = tir_ir_peek(tape, x);
  if (!tir_ir_same_type(tape->graph, g, v)) {
    tir_ir_type want, got;
    char want_text[TIR_TYPE_TEXT_MAX], got_text[TIR_TYPE_TEXT_MAX];
    tir_ir_type_of(tape->graph, v, &want);
    tir_ir_type_of(tape->graph, g, &got);
    tir_ir_keep_error(
        tape, call, want.dtype != got.dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
        "gradient is %s, x is %s", tir_ir_type_text(&got, got_text),
        tir_ir_type_text(&want, want_text));
    return;
  }
  tir_live_set_grad(tape, variable, g.id);
}

bool tir_grad_is_fresh(tir_tape *tape, tir_value x) {
  const tir_live_variable *variable = find(tape, x, "grad_is_fresh");
  return variable && variable->fresh;
}

void tir_grad_reset_fresh(tir_tape *tape, tir_value x) {
  tir_live_variable *variable = find(tape, x, "grad_reset_fresh");
  if (variable) variable->fresh = false;
}

// Counts all of them, so that a second call can have room for them.
size_t tir_tape_unreached(tir_tape *tape, tir_value *out_values, size_t n_max) {
  if (!out_values) n_max = 0;
  if (!tape || !tir_ir_ready(tape)) return 0;
  const tir_live_frame *frame = tir_live_frame_of(tape);
  size_t n = 0;
  for (size_t i = 0; i < frame->variables.count; i++) {
    const tir_live_variable *v = &frame->variables.data[i];
    if (!v->value || v->reached || v->request == TIR_GRAD_NULL) continue;
    if (n < n_max)
      out_values[n] = tir_ir_handle(tape, (tir_ir_value){v->value});
    n++;
  }
  return n;
}

void tir_live_assigned(tir_tape *tape, uint32_t target, uint32_t value) {
  tir_live_frame *frame = tir_live_frame_of(tape);
  if (!tir_live_frame_sync(frame)) return;
  const tir_live_value old = frame->values.data[target];
  tir_live_value *new = &frame->values.data[value];
  new->param_module = old.param_module;
  new->param = old.param;
  frame->graph->values.data[value].name =
      frame->graph->values.data[target].name;
  if (old.variable) {
    // The mark belongs to the variable: it moves on to the new version, while
    // a history built on the old one still finds it.
    new->variable = old.variable;
    frame->variables.data[old.variable - 1].value = value;
    frame->graph->values.data[value].flags |= TIR_VALUE_NEEDS_GRAD;
  }
  move_param(tape, target, value);
}

// Looks through everything recorded after the value. Only an assign while
// recording asks, which is rare.
bool tir_live_in_history(tir_tape *tape, uint32_t value) {
  tir_live_frame *frame = tir_live_frame_of(tape);
  if (!tir_live_frame_sync(frame)) return false;
  const tir_ir_graph *g = frame->graph;
  const uint32_t n = tir_ir_n_nodes(g);
  for (uint32_t id = g->values.data[value].node + 1; id <= n; id++) {
    const tir_live_node *node = &frame->nodes.data[id];
    if (!node->history || node->released_by) continue;
    for (uint32_t i = 0; i < g->nodes.data[id].n_in; i++)
      if (tir_ir_in(g, (tir_ir_node){id}, i).id == value) return true;
  }
  return false;
}
