// Recording bodies: the target is the body's graph for a while, and values of
// outside become its inputs when they are first used.
//
// Bodies stand inside each other as their callbacks do; each knows what of its
// own outside it took in. A value two levels up is taken in twice.
//
// Handles of outside stay valid in a body. What they mean there is decided when
// they are used (tir_ir_peek), so a callback needs not say what it takes in.
#include <string.h>

#include "ir/base/hash.h"
#include "ir/body.h"
#include "ir/record.h"
#include "tapeir/tape.h"

// The graph belongs to whoever began the body: it is frozen or freed after the
// end.
bool tir_ir_body_begin(tir_tape *tape, tir_ir_body_recorder *body,
                       const char *op, const char *name) {
  *body = (tir_ir_body_recorder){
      .outer = tape->body,
      .op = op,
      .n_scopes = tape->scopes.count,
      .n_modes = tape->modes.count,
      .depth = tape->body ? tape->body->depth + 1 : 1,
  };
  tir_base_table_init(&body->lifted_table, tape->context);
  // Before anything is made that would have to go.
  if (body->depth > TIR_MAX_BODY_DEPTH) {
    tir_ir_keep_error(tape, op, TIR_ERR_LIMIT,
                      "bodies are nested %u deep, at most %d", body->depth,
                      TIR_MAX_BODY_DEPTH);
    return false;
  }
  tir_error error;
  const tir_status status =
      tir_ir_graph_create(tape->context, name, &body->graph, &error);
  if (status != TIR_OK) {
    tir_ir_keep_error(tape, op, status, "%s", error.message);
    return false;
  }
  body->saved = tir_ir_target_begin(tape, body->graph);
  tape->body = body;
  return true;
}

// Begun and ended by callers' code in between, scopes and modes may not match.
// They are put right whatever was left open, so that the tape goes on.
void tir_ir_body_end(tir_tape *tape) {
  tir_ir_body_recorder *body = tape->body;
  // The first scope is the body's own.
  if (tape->scopes.count > body->n_scopes + 1)
    tir_ir_keep_error(tape, body->op, TIR_ERR_STATE,
                      "%zu scopes begun in a body are still open",
                      tape->scopes.count - body->n_scopes - 1);
  if (tape->modes.count > body->n_modes)
    tir_ir_keep_error(tape, body->op, TIR_ERR_STATE,
                      "%zu modes begun in a body are still on",
                      tape->modes.count - body->n_modes);
  while (tape->scopes.count > body->n_scopes) tir_ir_scope_pop(tape);
  tape->modes.count = body->n_modes;
  body->n_random = tape->n_random;
  tape->body = body->outer;
  tir_ir_target_end(tape, body->saved);
}

void tir_ir_body_free(tir_tape *tape, tir_ir_body_recorder *body) {
  TIR_VEC_FREE(tape->context, &body->lifted);
  tir_base_table_free(&body->lifted_table);
  tir_ir_graph_destroy(body->graph);
  body->graph = NULL;
}

// --- inputs ----------------------------------------------------------------

static tir_status append_input(tir_ir_graph *g, const tir_ir_type *type,
                               uint32_t *out_value, tir_error *error) {
  tir_ir_node node;
  TIR_TRY(tir_ir_append(g, TIR_OP_INPUT, NULL, 0, NULL, type, 1, &node, error));
  *out_value = tir_ir_out(g, node, 0).id;
  return TIR_OK;
}

// Symbols go over by their texts, as the strings of the body are its own.
tir_value tir_ir_body_input(tir_tape *tape, const tir_ir_type *outside) {
  const tir_ir_body_recorder *body = tape->body;
  const tir_ir_graph *from = body->saved.graph;
  tir_ir_type type = *outside;
  tir_error error;
  uint32_t value = 0;
  tir_status status = TIR_OK;
  for (int i = 0; i < type.rank; i++) {
    if (!type.symbols[i]) continue;
    const char *text = tir_base_strings_text(&from->strings, type.symbols[i]);
    if (!tir_base_strings_intern(&body->graph->strings, text, strlen(text),
                                 &type.symbols[i]))
      status = tir_base_fail_memory(&error, strlen(text));
  }
  if (status == TIR_OK)
    status = append_input(body->graph, &type, &value, &error);
  if (status != TIR_OK)
    return tir_ir_keep_error(tape, body->op, status, "%s", error.message);
  return tir_ir_handle(tape, (tir_ir_value){value});
}

// The name helps a reader; inputs of one name are not allowed.
static tir_status name_input(tir_ir_graph *g, uint32_t value, const char *name,
                             tir_error *error) {
  const size_t size = strlen(name);
  if (!size || tir_base_strings_find(&g->strings, name, size)) return TIR_OK;
  return tir_ir_set_value_name(g, (tir_ir_value){value}, name, size, error);
}

static uint64_t hash_of(uint32_t value) {
  return tir_base_hash(&value, sizeof value);
}

// Room for the pair comes first, so that no input is made without being
// remembered; one that only the table lacks ends the body with an error.
static tir_status lift(tir_ir_body_recorder *body, uint32_t outside,
                       uint32_t *out_value, tir_error *error) {
  tir_ir_graph *g = body->graph;
  const tir_ir_graph *from = body->saved.graph;
  tir_ir_type type;
  if (!TIR_VEC_RESERVE(g->context, &body->lifted, 1) ||
      !tir_ir_carry_type(g, from, (tir_ir_value){outside}, &type))
    return tir_base_fail_memory(error, sizeof type);
  TIR_TRY(append_input(g, &type, out_value, error));
  if (!tir_base_table_add(&body->lifted_table, hash_of(outside)))
    return tir_base_fail_memory(error, sizeof outside);
  body->lifted.data[body->lifted.count++] =
      (tir_ir_lifted){outside, *out_value};
  return name_input(g, *out_value,
                    tir_ir_value_name(from, (tir_ir_value){outside}), error);
}

// Callback of the table.
static bool is_same_outside(const void *user, uint32_t number,
                            const void *thing) {
  const tir_ir_body_recorder *body = user;
  const uint32_t *outside = thing;
  return body->lifted.data[number - 1].outside == *outside;
}

uint32_t tir_ir_body_lift(tir_tape *tape, tir_ir_body_recorder *body,
                          uint32_t outside) {
  const uint32_t number = tir_base_table_find(
      &body->lifted_table, hash_of(outside), &outside, is_same_outside, body);
  if (number) return body->lifted.data[number - 1].inside;
  uint32_t value = 0;
  tir_error error;
  const tir_status status = lift(body, outside, &value, &error);
  if (status == TIR_OK) return value;
  tir_ir_keep_error(tape, body->op, status, "%s", error.message);
  return 0;
}

uint32_t tir_ir_body_find(tir_tape *tape, const tir_ir_slot *slot) {
  // The body whose outside the value belongs to, then inwards again.
  tir_ir_body_recorder *path[TIR_MAX_BODY_DEPTH];
  uint32_t n = 0, value = slot->value;
  bool found = false;
  for (tir_ir_body_recorder *b = tape->body; b && !found; b = b->outer) {
    path[n++] = b;
    found = b->saved.target == slot->target;
  }
  if (!found) return 0;
  while (n > 0 && value) value = tir_ir_body_lift(tape, path[--n], value);
  return value;
}

bool tir_ir_refuse_in_body(tir_tape *tape, const char *call) {
  if (!tape->body) return false;
  tir_ir_keep_error(tape, call, TIR_ERR_STATE,
                    "it has no place in the body of a %s", tape->body->op);
  return true;
}

// --- outside ---------------------------------------------------------------

static tir_ir_body_recorder *outermost(tir_ir_body_recorder *body) {
  while (body->outer) body = body->outer;
  return body;
}

// Runs are held meanwhile: an eager tape would run the node before it has a
// handle that outlives the body.
tir_ir_outside tir_ir_outside_begin(tir_tape *tape) {
  const tir_ir_outside inside = {
      .body = tape->body,
      .graph = tape->graph,
      .target = tape->target,
      .n_stamped = tape->n_stamped,
      .held_runs = tape->holds_runs,
  };
  const tir_ir_target *saved = &outermost(tape->body)->saved;
  tape->body = NULL;
  tape->graph = saved->graph;
  tape->target = saved->target;
  tape->hooks = saved->hooks;
  tape->n_stamped = saved->n_stamped;
  tape->holds_runs = true;
  return inside;
}

// The handle was made in the innermost scope of the body; it moves out scope by
// scope until it belongs to one that was open before all bodies.
tir_value tir_ir_outside_end(tir_tape *tape, tir_ir_outside inside,
                             tir_value value) {
  const size_t n_scopes = outermost(inside.body)->n_scopes;
  while (tape->error.status == TIR_OK && tir_value_is_valid(tape, value) &&
         tape->slots.data[value.slot].scope >= n_scopes)
    tir_keep(tape, value);
  tape->body = inside.body;
  tape->graph = inside.graph;
  tape->target = inside.target;
  // Inside a body there are none.
  tape->hooks = NULL;
  tape->n_stamped = inside.n_stamped;
  tape->holds_runs = inside.held_runs;
  return value;
}
