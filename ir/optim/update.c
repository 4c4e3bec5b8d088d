// What the optimiser steps share.
//
// A step is recorded in two phases, so that a mistake in the third variable
// does not leave the first two updated. Room for all assigns comes before the
// first of them, and no run may come between.
//
// A step is one op per variable where it works element by element; a builder
// records ordinary ops where it does not (lamb). Either way nothing is computed
// here.

#include "ir/optim/update.h"

#include "ir/base/checked.h"
#include "ir/ops/checks.h"
#include "ir/ops/rules.h"
#include "tapeir/train.h"

enum { MAX_OPERANDS = 10 };

// Tensors first, scalars behind: every step has its operands in this order.
tir_status tir_ir_infer_update(const tir_ir_infer_query *q, size_t n_tensors,
                               size_t n_scalars) {
  TIR_TRY(tir_ir_check_float(q, 0));
  for (size_t i = 1; i < n_tensors; i++)
    TIR_TRY(tir_ir_check_same_type(q, 0, i));
  for (size_t i = 0; i < n_scalars; i++)
    TIR_TRY(tir_ir_check_scalar(q, n_tensors + i, q->in[0].dtype));
  for (size_t i = 0; i < q->n_out; i++) q->out[i] = q->in[i];
  return TIR_OK;
}

bool tir_ir_gradient_of(tir_tape *t, const char *call, const char *list,
                        const tir_value *values, size_t i,
                        tir_value *out_gradient) {
  const tir_value w = values[i];
  if (!tir_ir_usable(t, w, call, list)) return false;
  if (tir_has_grad(t, w)) {
    *out_gradient = tir_grad_of(t, w);
    return tir_ir_ready(t);
  }
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_keep_error(t, call, TIR_ERR_STATE,
                    "%s[%zu] %s has no gradient: attach one first", list, i,
                    tir_ir_value_text(t, w, text));
  return false;
}

// While recording, a history may still read what the assign would replace.
bool tir_ir_may_assign(tir_tape *t, const char *call, const char *list,
                       const tir_value *values, size_t n) {
  if (!values) {
    tir_ir_keep_error(t, call, TIR_ERR_ARGUMENT,
                      "%s is NULL, expected %zu values", list, n);
    return false;
  }
  for (size_t i = 0; t->mode.recording && i < n; i++)
    if (tir_ir_in_history(t, values[i])) {
      char text[TIR_OPERAND_TEXT_MAX];
      tir_ir_keep_error(
          t, call, TIR_ERR_STATE,
          "%s[%zu] %s is part of a recorded history: update it outside "
          "recording",
          list, i, tir_ir_value_text(t, values[i], text));
      return false;
    }
  return true;
}

// Freed with tir_base_free by the caller, with the size given here.
void *tir_ir_step_list(tir_tape *t, const char *call, size_t n, size_t each,
                       size_t *out_bytes) {
  void *list = NULL;
  if (tir_base_size_mul(n, each, out_bytes))
    list = tir_base_alloc(t->context, *out_bytes, _Alignof(tir_value));
  if (!list)
    tir_ir_keep_error(t, call, TIR_ERR_MEMORY,
                      "out of memory for %zu variables", n);
  return list;
}

// --- assigning -------------------------------------------------------------

// Where the tape's condition does not hold, everything stays as it is.
static void apply_condition(tir_tape *t, tir_ir_assignment *list, size_t n) {
  if (!t->step_condition.owner) return;
  for (size_t i = 0; i < n; i++)
    list[i].value =
        tir_where(t, t->step_condition, list[i].value, list[i].target);
}

bool tir_ir_is_scalar(tir_tape *t, const char *call, const char *name,
                      tir_value value) {
  if (!tir_ir_usable(t, value, call, name)) return false;
  tir_ir_type type;
  tir_ir_value_type(t, value, &type);
  if (type.rank == 0) return true;
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_keep_error(t, call, TIR_ERR_SHAPE, "%s %s is not a scalar", name,
                    tir_ir_value_text(t, value, text));
  return false;
}

bool tir_ir_same_types(tir_tape *t, const char *call, const char *a_name,
                       tir_value a, const char *b_name, tir_value b) {
  if (!tir_ir_usable(t, a, call, a_name) || !tir_ir_usable(t, b, call, b_name))
    return false;
  tir_ir_type a_type, b_type;
  tir_ir_value_type(t, a, &a_type);
  tir_ir_value_type(t, b, &b_type);
  if (a_type.dtype == b_type.dtype && tir_ir_same_shape(&a_type, &b_type))
    return true;
  char a_text[TIR_OPERAND_TEXT_MAX], b_text[TIR_OPERAND_TEXT_MAX];
  tir_ir_keep_error(
      t, call, a_type.dtype != b_type.dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
      "types differ: %s %s, %s %s", a_name, tir_ir_value_text(t, a, a_text),
      b_name, tir_ir_value_text(t, b, b_text));
  return false;
}

static uint8_t *flags_of(tir_tape *t, tir_value value) {
  return &tir_ir_value_at(t->graph, tir_ir_peek(t, value))->flags;
}

// Two steps of one variable would start from the same value, and one be lost.
static bool are_distinct(tir_tape *t, const char *call,
                         const tir_ir_assignment *list, size_t n) {
  size_t i = 0;
  while (i < n && !(*flags_of(t, list[i].target) & TIR_VALUE_MARKED))
    *flags_of(t, list[i++].target) |= TIR_VALUE_MARKED;
  for (size_t k = 0; k < i; k++)
    *flags_of(t, list[k].target) &= (uint8_t)~TIR_VALUE_MARKED;
  if (i == n) return true;
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_keep_error(t, call, TIR_ERR_ARGUMENT,
                    "%s is given twice: a step changes each once",
                    tir_ir_value_text(t, list[i].target, text));
  return false;
}

bool tir_ir_assign_all(tir_tape *t, const char *call, tir_ir_assignment *list,
                       size_t n) {
  apply_condition(t, list, n);
  for (size_t i = 0; i < n; i++)
    if (!tir_ir_same_types(t, call, "state", list[i].target, "its new value",
                           list[i].value))
      return false;
  if (!tir_ir_ready(t) || !are_distinct(t, call, list, n)) return false;
  if (!tir_ir_reserve_assigns(t, call, n)) return false;
  // An eager tape would run the first assign before the second is there.
  t->holds_runs = true;
  for (size_t i = 0; i < n; i++) tir_assign(t, list[i].target, list[i].value);
  t->holds_runs = false;
  if (t->hooks) t->hooks->caught_up(t);
  return tir_ir_ready(t);
}

// Kept as a handle: it must outlive the steps it is for.
tir_value tir_set_step_condition(tir_tape *tape, tir_value condition) {
  static const char call[] = "set_step_condition";
  if (!tape) return (tir_value){0};
  const tir_value former = tape->step_condition;
  if (condition.owner) {
    if (!tir_ir_usable(tape, condition, call, "condition")) return former;
    tir_ir_type type;
    char text[TIR_OPERAND_TEXT_MAX];
    tir_ir_value_type(tape, condition, &type);
    if (type.dtype != TIR_DTYPE_BOOL || type.rank != 0) {
      tir_ir_keep_error(tape, call, TIR_ERR_DTYPE,
                        "condition is %s, expected bool[]",
                        tir_ir_value_text(tape, condition, text));
      return former;
    }
  }
  tape->step_condition = condition;
  return former;
}

// --- steps -----------------------------------------------------------------

// Records the step of variable i; what replaces its tensors goes to
// list[0 … n_lists-1].
static bool record_one(const tir_ir_update *u, size_t i, tir_value counted,
                       tir_ir_assignment *list) {
  tir_value in[MAX_OPERANDS], results[TIR_MAX_UPDATED];
  size_t n_in = 0;
  for (size_t k = 0; k < u->n_lists; k++) in[n_in++] = u->lists[k][i];
  // Operands: w, its state, the gradient, the scalars. sgd has no state.
  if (!tir_ir_gradient_of(u->tape, u->name, u->list_names[0], u->lists[0], i,
                          &in[n_in++]))
    return false;
  for (size_t k = 0; k < u->n_scalars; k++) in[n_in++] = u->scalars[k];
  if (counted.owner) in[n_in++] = counted;
  if (u->build) {
    u->build(u, in, results);
    if (!tir_ir_ready(u->tape)) return false;
  } else {
    const tir_value first = tir_ir_record(u->tape, u->op, in, n_in, NULL);
    for (size_t k = 0; k < u->n_lists; k++)
      results[k] = tir_ir_result(u->tape, first, (uint32_t)k);
  }
  for (size_t k = 0; k < u->n_lists; k++)
    list[k] = (tir_ir_assignment){u->lists[k][i], results[k]};
  return tir_ir_ready(u->tape);
}

// In a scope: a handle to anything made on the way would keep its data longer
// than the step. Gradients are given up last, when nothing can fail any more.
static void record_and_assign(const tir_ir_update *u, tir_ir_assignment *list) {
  tir_tape *t = u->tape;
  tir_scope_begin(t);
  if (!tir_ir_ready(t)) return;
  // An update is no part of what is differentiated.
  const bool recording = t->mode.recording;
  t->mode.recording = false;
  size_t n = u->n * u->n_lists;
  tir_value counted = {0};
  if (u->counter.owner) {
    // The counter is state like the others and counts in the same batch of
    // assigns.
    counted = tir_add_scalar(t, u->counter, 1);
    list[n++] = (tir_ir_assignment){u->counter, counted};
  }
  bool good = tir_ir_ready(t);
  for (size_t i = 0; i < u->n && good; i++)
    good = record_one(u, i, counted, list + i * u->n_lists);
  good = good && tir_ir_assign_all(t, u->name, list, n);
  for (size_t i = 0; i < u->n && good && !u->keep_grad; i++)
    tir_set_grad(t, u->lists[0][i], (tir_value){0});
  t->mode.recording = recording;
  tir_ir_scope_pop(t);
}

void tir_ir_update_all(const tir_ir_update *u) {
  tir_tape *t = u->tape;
  if (!t || !tir_ir_ready(t) || u->n == 0) return;
  for (size_t k = 0; k < u->n_lists; k++)
    if (!tir_ir_may_assign(t, u->name, u->list_names[k], u->lists[k], u->n))
      return;
  size_t bytes;
  // One more for the counter: n_lists + 1 each has room for it.
  tir_ir_assignment *list = tir_ir_step_list(
      t, u->name, u->n, (u->n_lists + 1) * sizeof *list, &bytes);
  if (!list) return;
  record_and_assign(u, list);
  tir_base_free(t->context, list, bytes, _Alignof(tir_value));
}

void tir_ir_update_with_state(tir_tape *tape, tir_op op, const tir_value *w,
                              const tir_value *state, const char *state_name,
                              size_t n, const tir_value *scalars,
                              size_t n_scalars, bool keep_grad) {
  const tir_ir_update update = {
      .tape = tape,
      .name = tir_ir_op_desc(op)->name,
      .op = op,
      .n = n,
      .lists = {w, state},
      .list_names = {"w", state_name},
      .n_lists = 2,
      .scalars = scalars,
      .n_scalars = n_scalars,
      .keep_grad = keep_grad,
  };
  tir_ir_update_all(&update);
}
