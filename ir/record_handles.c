// Handles: slots with generations, lists of slots by scope, scopes and modes.
//
// A slot's generation is odd while in use; giving it up makes it even, so a
// stale handle never matches. A scope's slots form a doubly linked list: ending
// a scope, keeping and releasing cost O(1) per value.
//
// A handle holds no pointer to a value but a slot and the generation it had, so
// that any use of one that has ended is found out, whatever happened to the
// slot since.
#include "ir/record.h"
#include "tapeir/tape.h"

// At the front, so that a scope's list has the last bound first: what was bound
// since some moment is the beginning of it.
static void link_slot(tir_tape *tape, uint32_t id, uint32_t scope) {
  tir_ir_slot *slot = &tape->slots.data[id];
  uint32_t *first = &tape->scopes.data[scope].first_slot;
  slot->scope = scope;
  slot->bound = ++tape->n_bound;
  slot->previous = 0;
  slot->next = *first;
  if (*first) tape->slots.data[*first].previous = id;
  *first = id;
}

static void unlink_slot(tir_tape *tape, uint32_t id) {
  const tir_ir_slot *slot = &tape->slots.data[id];
  if (slot->previous)
    tape->slots.data[slot->previous].next = slot->next;
  else
    tape->scopes.data[slot->scope].first_slot = slot->next;
  if (slot->next) tape->slots.data[slot->next].previous = slot->previous;
}

// A slot may own two values: what it means as operand and as head.
static void disown_slot(tir_tape *tape, const tir_ir_slot *slot) {
  // Values are counted by the live graph alone, target 1, also while something
  // else is recorded; those of captures and bodies end with their graph.
  const tir_ir_hooks *const hooks = tape->live_hooks;
  if (!hooks || slot->target != 1) return;
  if (slot->head != slot->value) hooks->disown(tape, slot->head);
  hooks->disown(tape, slot->value);
}

// Freed slots form a list through `next`; the last one freed is taken first.
static void free_slot(tir_tape *tape, uint32_t id) {
  tir_ir_slot *slot = &tape->slots.data[id];
  disown_slot(tape, slot);
  slot->generation++;
  slot->next = tape->free_slot;
  tape->free_slot = id;
}

// A fresh slot begins with an even generation, so it is free until it is used.
tir_value tir_ir_handle(tir_tape *tape, tir_ir_value value) {
  uint32_t id = tape->free_slot;
  if (id) {
    tape->free_slot = tape->slots.data[id].next;
  } else {
    const tir_ir_slot fresh = {.generation = tape->generation & ~1u};
    if (tape->slots.count >= UINT32_MAX ||
        !TIR_VEC_PUSH(tape->context, &tape->slots, fresh))
      return tir_ir_keep_error(tape, "value", TIR_ERR_MEMORY,
                               "out of memory for %zu handles",
                               tape->slots.count + 1);
    id = (uint32_t)tape->slots.count - 1;
  }
  tir_ir_slot *slot = &tape->slots.data[id];
  slot->generation++;
  slot->value = slot->head = value.id;
  slot->target = tape->target;
  link_slot(tape, id, (uint32_t)tape->scopes.count - 1);
  if (tape->hooks) tape->hooks->own(tape, value.id);
  return (tir_value){tape, id, tape->slots.data[id].generation};
}

// All a handle says is checked: it may be of another tape, ended, or made up.
static const tir_ir_slot *find_slot(const tir_tape *tape, tir_value value) {
  if (value.owner != tape || !value.slot) return NULL;
  if (value.slot >= tape->slots.count) return NULL;
  const tir_ir_slot *slot = &tape->slots.data[value.slot];
  if (slot->generation != value.generation) return NULL;
  return slot;
}

// A value of outside has another target; a body that is being recorded may take
// it in, a capture never does.
tir_ir_value tir_ir_peek(tir_tape *tape, tir_value value) {
  const tir_ir_slot *slot = find_slot(tape, value);
  if (!slot) return (tir_ir_value){0};
  if (slot->target == tape->target) return (tir_ir_value){slot->value};
  return (tir_ir_value){tape->body ? tir_ir_body_find(tape, slot) : 0};
}

// A target that can be reached from the present one.
static bool is_target(const tir_tape *tape, uint32_t target) {
  if (target == tape->target) return true;
  for (const tir_ir_body_recorder *b = tape->body; b; b = b->outer)
    if (b->saved.target == target) return true;
  return false;
}

bool tir_value_is_valid(const tir_tape *tape, tir_value value) {
  const tir_ir_slot *slot = tape ? find_slot(tape, value) : NULL;
  return slot && is_target(tape, slot->target);
}

// Says why a handle cannot be used. From what the handle says itself to what
// only the tape knows: each case relies on the ones before it being ruled out.
static void explain(tir_tape *tape, tir_value value, const char *op,
                    const char *operand) {
  if (!value.owner) {
    tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                      "%s is not a value: an all-zero handle", operand);
  } else if (value.owner != tape) {
    tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT, "%s belongs to another tape",
                      operand);
  } else if (!value.slot) {
    const tir_ir_failed_call *call =
        &tape->failed[value.generation % TIR_N_FAILED_CALLS];
    const bool known = call->serial == value.generation;
    tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                      "%s is the result of a failed call%s%s%s%s%s", operand,
                      known ? " of " : "", known ? call->op : "",
                      known && call->site ? " (" : "",
                      known && call->site ? call->site : "",
                      known && call->site ? ")" : "");
  } else if (!find_slot(tape, value)) {
    tir_ir_keep_error(tape, op, TIR_ERR_STATE,
                      "%s is stale: its scope ended or it was released",
                      operand);
  } else if (tape->body) {
    tir_ir_keep_error(tape, op, TIR_ERR_STATE, "%s is a value of another body",
                      operand);
  } else {
    const tir_ir_slot *slot = find_slot(tape, value);
    char name[TIR_QUOTED_MAX + 1], place[TIR_PLACE_MAX];
    if (tape->capture && slot->target == 1)
      tir_ir_keep_error(tape, op, TIR_ERR_STATE,
                        "%s%s is a value of the live tape%s: in a capture use "
                        "tir_input, tir_param or tir_constant",
                        operand,
                        tir_ir_name_text(tape->first_graph,
                                         (tir_ir_value){slot->value}, name),
                        tir_ir_place_text(tape->first_graph,
                                          (tir_ir_value){slot->value}, place));
    else
      tir_ir_keep_error(tape, op, TIR_ERR_STATE,
                        "%s belongs to another capture", operand);
  }
}

tir_ir_value tir_ir_use(tir_tape *tape, tir_value value, const char *op,
                        const char *operand) {
  const tir_ir_value v = tir_ir_peek(tape, value);
  if (!v.id) explain(tape, value, op, operand);
  return v;
}

// Only calls that are refused in bodies ask for heads, so the slot is one of
// the present target.
tir_ir_value tir_ir_use_head(tir_tape *tape, tir_value value, const char *op,
                             const char *operand) {
  if (!tir_ir_use(tape, value, op, operand).id) return (tir_ir_value){0};
  return (tir_ir_value){find_slot(tape, value)->head};
}

void tir_ir_rebind(tir_tape *tape, tir_value handle, tir_ir_value value,
                   tir_ir_value head) {
  if (!find_slot(tape, handle)) return;
  tir_ir_slot *slot = &tape->slots.data[handle.slot];
  const tir_ir_slot old = *slot;
  slot->value = value.id;
  slot->head = head.id;
  unlink_slot(tape, handle.slot);
  link_slot(tape, handle.slot, old.scope);
  // Own the new values before the old ones go: one may be both.
  if (tape->hooks) {
    tape->hooks->own(tape, value.id);
    if (head.id != value.id) tape->hooks->own(tape, head.id);
  }
  disown_slot(tape, &old);
}

// --- scopes ----------------------------------------------------------------

// Remembers where nodes and dims stood, so that the end of the scope knows what
// was made in it.
static void begin_scope(tir_tape *tape, bool is_step) {
  if (!tape) return;
  const tir_ir_scope scope = {
      .first_node = tir_ir_n_nodes(tape->graph) + 1,
      .first_dim = tape->graph->dims.count,
      .n_bound = tape->n_bound,
      .is_step = is_step,
  };
  if (!TIR_VEC_PUSH(tape->context, &tape->scopes, scope))
    tir_ir_keep_error(tape, "scope_begin", TIR_ERR_MEMORY,
                      "out of memory for %zu scopes", tape->scopes.count + 1);
}

void tir_scope_begin(tir_tape *tape) { begin_scope(tape, false); }

void tir_step_begin(tir_tape *tape) {
  if (!tape || tir_ir_refuse_in_body(tape, "step_begin")) return;
  begin_scope(tape, true);
  // Random nodes of a step draw by their ordinal in it.
  if (!tape->capture) tape->n_random = 0;
}

void tir_ir_scope_pop(tir_tape *tape) {
  const tir_ir_scope scope = tape->scopes.data[tape->scopes.count - 1];
  for (uint32_t id = scope.first_slot; id;) {
    // Read before the slot goes: freeing reuses the field.
    const uint32_t next = tape->slots.data[id].next;
    free_slot(tape, id);
    id = next;
  }
  tape->scopes.count--;
  if (tape->hooks) tape->hooks->scope_ended(tape, &scope);
}

// Scopes that a capture or a body found open are not its own to end.
bool tir_ir_scope_may_end(tir_tape *tape, const char *call, bool is_step) {
  const size_t depth = tape->scopes.count;
  if (depth < 2 || (tape->capture && depth <= tape->capture_scopes) ||
      (tape->body && depth <= tape->body->n_scopes + 1)) {
    tir_ir_keep_error(tape, call, TIR_ERR_STATE, "no scope is open");
    return false;
  }
  if (tape->scopes.data[depth - 1].is_step != is_step) {
    tir_ir_keep_error(tape, call, TIR_ERR_STATE,
                      is_step ? "the innermost scope is not a step"
                              : "the innermost scope is a step: end it with "
                                "tir_step_end");
    return false;
  }
  return true;
}

void tir_scope_end(tir_tape *tape) {
  if (tape && tir_ir_scope_may_end(tape, "scope_end", false))
    tir_ir_scope_pop(tape);
}

// One level up, whatever scope is open now. The root has no parent.
tir_value tir_keep(tir_tape *tape, tir_value value) {
  if (!tape) return value;
  // While an error stands the values are invalid anyway.
  if (tape->error.status != TIR_OK) return value;
  if (!tir_ir_use(tape, value, "keep", "value").id) return value;
  const uint32_t scope = tape->slots.data[value.slot].scope;
  if (scope == 0) return value;
  unlink_slot(tape, value.slot);
  link_slot(tape, value.slot, scope - 1);
  return value;
}

tir_value tir_scope_end_keep(tir_tape *tape, tir_value value) {
  if (!tape) return value;
  // Only a value of the ending scope moves; an outer one is kept already.
  if (tir_ir_peek(tape, value).id &&
      tape->slots.data[value.slot].scope == tape->scopes.count - 1)
    tir_keep(tape, value);
  tir_scope_end(tape);
  return value;
}

void tir_value_release(tir_tape *tape, tir_value value) {
  if (!tape || !find_slot(tape, value)) return;
  // Its owner is not at hand: the graph outside counts it.
  if (tape->slots.data[value.slot].target != tape->target &&
      tir_ir_refuse_in_body(tape, "value_release"))
    return;
  unlink_slot(tape, value.slot);
  free_slot(tape, value.slot);
}

// --- modes -----------------------------------------------------------------

// Modes form a stack of their own, apart from scopes: either may be begun and
// ended inside the other.
static void begin_mode(tir_tape *tape, tir_ir_mode mode) {
  if (!tape) return;
  if (!TIR_VEC_PUSH(tape->context, &tape->modes, tape->mode)) {
    tir_ir_keep_error(tape, "mode_begin", TIR_ERR_MEMORY,
                      "out of memory for %zu modes", tape->modes.count + 1);
    return;
  }
  tape->mode = mode;
}

void tir_record_begin(tir_tape *tape, bool train) {
  begin_mode(tape, (tir_ir_mode){.recording = true, .training = train});
}

void tir_pause_begin(tir_tape *tape, bool train) {
  begin_mode(tape, (tir_ir_mode){.recording = false, .training = train});
}

void tir_train_begin(tir_tape *tape) {
  if (!tape) return;
  begin_mode(tape, (tir_ir_mode){tape->mode.recording, true});
}

void tir_predict_begin(tir_tape *tape) {
  if (!tape) return;
  begin_mode(tape, (tir_ir_mode){tape->mode.recording, false});
}

void tir_mode_end(tir_tape *tape) {
  if (!tape) return;
  // A body must not end the modes of outside.
  if (tape->modes.count == (tape->body ? tape->body->n_modes : 0)) {
    tir_ir_keep_error(tape, "mode_end", TIR_ERR_STATE, "no mode is open");
    return;
  }
  tape->mode = tape->modes.data[--tape->modes.count];
}

bool tir_is_recording(const tir_tape *tape) {
  return tape && tape->mode.recording;
}

bool tir_is_training(const tir_tape *tape) {
  return tape && tape->mode.training;
}

bool tir_set_recording(tir_tape *tape, bool on) {
  if (!tape) return false;
  const bool former = tape->mode.recording;
  tape->mode.recording = on;
  return former;
}

bool tir_set_training(tir_tape *tape, bool on) {
  if (!tape) return false;
  const bool former = tape->mode.training;
  tape->mode.training = on;
  return former;
}
