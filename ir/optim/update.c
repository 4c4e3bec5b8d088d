// What the optimiser steps share.
//
// A step is recorded in two phases, so that a mistake in the third variable
// does not leave the first two updated.

#include "ir/optim/update.h"

#include "ir/base/checked.h"
#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

enum { MAX_OPERANDS = 10 };

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

// The gradient of variable i; false with an error kept if it has none.
static bool find_gradient(const tir_ir_update *u, size_t i,
                          tir_value *out_gradient) {
  tir_tape *t = u->tape;
  const tir_value w = u->lists[0][i];
  if (!tir_ir_usable(t, w, u->name, u->list_names[0])) return false;
  if (tir_has_grad(t, w)) {
    *out_gradient = tir_grad_of(t, w);
    return true;
  }
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_keep_error(t, u->name, TIR_ERR_STATE,
                    "%s[%zu] %s has no gradient: attach one first",
                    u->list_names[0], i, tir_ir_value_text(t, w, text));
  return false;
}

// Would an assign be refused? Asked before anything is recorded.
static bool may_assign(const tir_ir_update *u) {
  if (!u->tape->mode.recording) return true;
  for (size_t k = 0; k < u->n_lists; k++)
    for (size_t i = 0; i < u->n; i++)
      if (tir_ir_in_history(u->tape, u->lists[k][i])) {
        char text[TIR_OPERAND_TEXT_MAX];
        tir_ir_keep_error(
            u->tape, u->name, TIR_ERR_STATE,
            "%s[%zu] %s is part of a recorded history: update it outside "
            "recording",
            u->list_names[k], i,
            tir_ir_value_text(u->tape, u->lists[k][i], text));
        return false;
      }
  return true;
}

// Records the step of variable i; what replaces its tensors goes to
// results[0 … n_lists-1].
static bool record_one(const tir_ir_update *u, size_t i, tir_value counted,
                       tir_value *results) {
  tir_value in[MAX_OPERANDS];
  size_t n_in = 0;
  for (size_t k = 0; k < u->n_lists; k++) in[n_in++] = u->lists[k][i];
  // Operands: w, its state, the gradient, the scalars. sgd has no state.
  if (!find_gradient(u, i, &in[n_in++])) return false;
  for (size_t k = 0; k < u->n_scalars; k++) in[n_in++] = u->scalars[k];
  if (counted.owner) in[n_in++] = counted;
  if (u->build) {
    u->build(u, in, results);
    return tir_ir_ready(u->tape);
  }
  const tir_value first = tir_ir_record(u->tape, u->op, in, n_in, NULL);
  for (size_t k = 0; k < u->n_lists; k++)
    results[k] = tir_ir_result(u->tape, first, (uint32_t)k);
  return tir_ir_ready(u->tape);
}

// All assigns or none: room for them comes first, and no run may come between
// them. Gradients are given up last, when nothing can fail any more.
static void assign_all(const tir_ir_update *u, tir_value counted,
                       const tir_value *results) {
  tir_tape *t = u->tape;
  const size_t n = u->n * u->n_lists + (counted.owner ? 1 : 0);
  if (!tir_ir_reserve_assigns(t, u->name, n)) return;
  t->holds_runs = true;
  for (size_t i = 0; i < u->n; i++)
    for (size_t k = 0; k < u->n_lists; k++)
      tir_assign(t, u->lists[k][i], results[i * u->n_lists + k]);
  if (counted.owner) tir_assign(t, u->counter, counted);
  t->holds_runs = false;
  if (t->hooks) t->hooks->caught_up(t);
  if (u->keep_grad || !tir_ir_ready(t)) return;
  for (size_t i = 0; i < u->n; i++)
    tir_set_grad(t, u->lists[0][i], (tir_value){0});
}

// Both phases, in a scope: a handle to anything made on the way would keep its
// data longer than the step.
static void record_and_assign(const tir_ir_update *u, tir_value *results) {
  tir_tape *t = u->tape;
  tir_scope_begin(t);
  if (!tir_ir_ready(t)) return;
  // An update is no part of what is differentiated.
  const bool recording = t->mode.recording;
  t->mode.recording = false;
  tir_value counted = {0};
  if (u->counter.owner) counted = tir_add_scalar(t, u->counter, 1);
  bool good = tir_ir_ready(t);
  for (size_t i = 0; i < u->n && good; i++)
    good = record_one(u, i, counted, results + i * u->n_lists);
  if (good) assign_all(u, counted, results);
  t->mode.recording = recording;
  tir_ir_scope_pop(t);
}

void tir_ir_update_all(const tir_ir_update *u) {
  tir_tape *t = u->tape;
  if (!t || !tir_ir_ready(t) || u->n == 0) return;
  for (size_t k = 0; k < u->n_lists; k++)
    if (!u->lists[k]) {
      tir_ir_keep_error(t, u->name, TIR_ERR_ARGUMENT,
                        "%s is NULL, expected %zu values", u->list_names[k],
                        u->n);
      return;
    }
  if (!may_assign(u)) return;
  size_t bytes = 0;
  tir_value *results = NULL;
  if (tir_base_size_mul(u->n, u->n_lists * sizeof *results, &bytes))
    results = tir_base_alloc(t->context, bytes, _Alignof(tir_value));
  if (!results) {
    tir_ir_keep_error(t, u->name, TIR_ERR_MEMORY,
                      "out of memory for %zu variables", u->n);
    return;
  }
  record_and_assign(u, results);
  tir_base_free(t->context, results, bytes, _Alignof(tir_value));
}
