// State that follows the variables or their gradients: averages of weights,
// sums of gradients over several calls, the scale of the loss.
//
// All of it is state in the graph, updated by assigns: a program that trains
// keeps it without the host. Checks come before the first node, assigns after
// the last, so that a mistake changes nothing.

#include <inttypes.h>

#include "ir/ops/rules.h"
#include "ir/optim/update.h"
#include "tapeir/train.h"

// --- averages --------------------------------------------------------------

// decay·a + (1 − decay)·w, in the dtype of the weights, which `decay` has too.
static tir_value averaged(tir_tape *t, tir_value a, tir_value w,
                          tir_value decay) {
  const tir_value rest = tir_sub(t, tir_ir_scalar_like(t, decay, 1), decay);
  return tir_add(t, tir_mul(t, decay, a), tir_mul(t, rest, w));
}

static const char average_name[] = "average_weights";

// The new averages, in a list for tir_ir_assign_all.
static bool record_averages(tir_tape *t, const tir_value *average,
                            const tir_value *w, size_t n, tir_value decay,
                            tir_ir_assignment *list) {
  for (size_t i = 0; i < n; i++) {
    if (!tir_ir_same_types(t, average_name, "average", average[i], "w", w[i]))
      return false;
    list[i] =
        (tir_ir_assignment){average[i], averaged(t, average[i], w[i], decay)};
  }
  return tir_ir_ready(t);
}

// Within a step condition the averages stay where it does not hold, as weights
// do.
void tir_average_weights(tir_tape *tape, const tir_value *average,
                         const tir_value *w, size_t n, tir_value decay) {
  const char *const call = average_name;
  if (!tape || !tir_ir_ready(tape) || n == 0) return;
  if (!w)
    tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT,
                      "w is NULL, expected %zu values", n);
  if (!w || !tir_ir_may_assign(tape, call, "average", average, n)) return;
  if (!tir_ir_is_scalar(tape, call, "decay", decay)) return;
  size_t bytes;
  tir_ir_assignment *list =
      tir_ir_step_list(tape, call, n, sizeof *list, &bytes);
  if (!list) return;
  const bool recording = tape->mode.recording;
  tape->mode.recording = false;
  tir_scope_begin(tape);
  if (tir_ir_ready(tape)) {
    if (record_averages(tape, average, w, n, decay, list))
      tir_ir_assign_all(tape, average_name, list, n);
    tir_ir_scope_pop(tape);
  }
  tape->mode.recording = recording;
  tir_base_free(tape->context, list, bytes, _Alignof(tir_value));
}

// --- sums ------------------------------------------------------------------

// One call of tir_accumulate_grads. `due` is the bool it returns: this call
// completes a round of `every`.
typedef struct gather_call {
  tir_tape *tape;
  const tir_value *w, *sums;
  size_t n;
  tir_value count, due;
  int64_t every;
} gather_call;

static const char gather_name[] = "accumulate_grads";

// Sums and count after this call; where it is the last, zeros. The gradients
// become the means of the round; they are of use only where it is due.
static bool record_sums(const gather_call *c, tir_ir_assignment *list,
                        tir_value *means) {
  tir_tape *t = c->tape;
  for (size_t i = 0; i < c->n; i++) {
    tir_value g;
    if (!tir_ir_gradient_of(t, gather_name, "w", c->w, i, &g) ||
        !tir_ir_same_types(t, gather_name, "sum", c->sums[i], "w", c->w[i]))
      return false;
    const tir_value sum = tir_add(t, c->sums[i], g);
    means[i] = tir_div_scalar(t, sum, (double)c->every);
    list[i] = (tir_ir_assignment){
        c->sums[i], tir_where(t, c->due, tir_ir_zero(t, sum), sum)};
  }
  const tir_value next = tir_add_scalar(t, c->count, 1);
  list[c->n] = (tir_ir_assignment){
      c->count, tir_where(t, c->due, tir_ir_zero(t, next), next)};
  return tir_ir_ready(t);
}

// Sums grow whatever a condition says about steps.
static void gather(const gather_call *c, tir_ir_assignment *list,
                   tir_value *means) {
  tir_tape *t = c->tape;
  if (!record_sums(c, list, means)) return;
  const tir_value condition = t->step_condition;
  t->step_condition = (tir_value){0};
  if (tir_ir_assign_all(t, gather_name, list, c->n + 1))
    for (size_t i = 0; i < c->n; i++) tir_set_grad(t, c->w[i], means[i]);
  t->step_condition = condition;
}

static void gather_in_scope(gather_call *c) {
  tir_tape *t = c->tape;
  size_t bytes, mean_bytes;
  tir_ir_assignment *list =
      tir_ir_step_list(t, gather_name, c->n + 1, sizeof *list, &bytes);
  if (!list) return;
  tir_value *means =
      tir_ir_step_list(t, gather_name, c->n, sizeof *means, &mean_bytes);
  if (means) {
    // Made outside the scope, since it is handed to the caller. The count is
    // that of the calls before this one.
    c->due = tir_greater_equal(
        t, c->count, tir_ir_scalar_like(t, c->count, (double)(c->every - 1)));
    tir_scope_begin(t);
    if (tir_ir_ready(t)) {
      gather(c, list, means);
      tir_ir_scope_pop(t);
    }
    tir_base_free(t->context, means, mean_bytes, _Alignof(tir_value));
  }
  tir_base_free(t->context, list, bytes, _Alignof(tir_value));
}

tir_value tir_accumulate_grads(tir_tape *tape, const tir_value *w,
                               const tir_value *sums, size_t n, tir_value count,
                               int64_t every) {
  if (!tir_ir_usable(tape, count, gather_name, "count") || !tir_ir_ready(tape))
    return tir_ir_refused(tape, gather_name);
  // Above 2^53 the number in the comparison would not be the one given.
  if (every < 1 || every > INT64_C(1) << 53 || n == 0 || n == SIZE_MAX || !w)
    return tir_ir_keep_error(tape, gather_name, TIR_ERR_ARGUMENT,
                             "every is %" PRId64
                             ", with %zu variables, expected 1 or more of both",
                             every, w ? n : 0);
  if (!tir_ir_may_assign(tape, gather_name, "sums", sums, n))
    return tir_ir_refused(tape, gather_name);
  gather_call call = {tape, w, sums, n, count, {0}, every};
  const bool recording = tape->mode.recording;
  tape->mode.recording = false;
  gather_in_scope(&call);
  tape->mode.recording = recording;
  return tir_ir_ready(tape) ? call.due : tir_ir_refused(tape, gather_name);
}

// --- the scale of the loss -------------------------------------------------

// A good step counts up, and after `interval` of them the scale grows and the
// count starts again; a bad one shrinks the scale. It follows from `good`
// alone, not from the step condition, which is off for these two assigns.
static void record_scale(tir_tape *t, tir_value scale, tir_value n_good,
                         tir_value good, double growth, double backoff,
                         int64_t interval) {
  const tir_value next = tir_add_scalar(t, n_good, 1);
  const tir_value grows =
      tir_greater_equal(t, next, tir_ir_scalar_like(t, next, (double)interval));
  const tir_value zero = tir_ir_zero(t, next);
  const tir_value grown = tir_mul_scalar(t, scale, growth);
  // grown − grown is 0 but for an infinity.
  const tir_value finite =
      tir_equal(t, tir_sub(t, grown, grown), tir_ir_zero(t, scale));
  const tir_value more =
      tir_where(t, grows, tir_where(t, finite, grown, scale), scale);
  const tir_value less = tir_mul_scalar(t, scale, backoff);
  tir_ir_assignment list[] = {
      {scale, tir_where(t, good, more, less)},
      {n_good, tir_where(t, good, tir_where(t, grows, zero, next), zero)},
  };
  const tir_value condition = t->step_condition;
  t->step_condition = (tir_value){0};
  tir_ir_assign_all(t, "update_loss_scale", list, 2);
  t->step_condition = condition;
}

void tir_update_loss_scale(tir_tape *tape, tir_value scale, tir_value n_good,
                           tir_value good, double growth, double backoff,
                           int64_t interval) {
  static const char call[] = "update_loss_scale";
  if (!tir_ir_usable(tape, scale, call, "scale") ||
      !tir_ir_usable(tape, n_good, call, "n_good") ||
      !tir_ir_usable(tape, good, call, "good") || !tir_ir_ready(tape))
    return;
  if (!(growth > 1) || !(backoff > 0 && backoff < 1) || interval < 1 ||
      interval > INT64_C(1) << 53) {
    tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT,
                      "growth is %s, backoff %s, interval %" PRId64
                      ", expected above 1, between 0 and 1, 1 or more",
                      TIR_NUMBER(growth, 6), TIR_NUMBER(backoff, 6), interval);
    return;
  }
  if (!tir_ir_may_assign(tape, call, "scale", &scale, 1)) return;
  const bool recording = tape->mode.recording;
  tape->mode.recording = false;
  tir_scope_begin(tape);
  if (tir_ir_ready(tape)) {
    record_scale(tape, scale, n_good, good, growth, backoff, interval);
    tir_ir_scope_pop(tape);
  }
  tape->mode.recording = recording;
}
