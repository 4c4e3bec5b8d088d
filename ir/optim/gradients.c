// Tools that change the gradients of a list of variables.
//
// Everything is recorded before the first slot changes, so that a mistake
// leaves every slot as it was.

#include "ir/ops/rules.h"
#include "ir/optim/update.h"
#include "tapeir/train.h"

// One number made from all gradients: join(… join(of(x0), of(x1)) …, of(xn)).
typedef struct grad_fold {
  tir_value (*of)(tir_tape *tape, tir_value x);
  tir_value (*join)(tir_tape *tape, tir_value a, tir_value b);
} grad_fold;

// One call of a tool: `rule` makes the new gradient of w from the old one, and
// may read the scalar `operand` and what the fold made.
typedef struct grad_change {
  tir_tape *tape;
  const char *call;
  const tir_value *w;
  size_t n;
  tir_value operand;
  const char *operand_name;
  tir_value (*rule)(const struct grad_change *c, tir_value w, tir_value g);
  const grad_fold *before;  // of the gradients that were, for the rule
  const grad_fold *after;   // of the new ones
  tir_value folded;         // either
} grad_change;

// n is 1 or more.
static tir_value fold(tir_tape *t, const grad_fold *f, const tir_value *x,
                      size_t n) {
  tir_value all = f->of(t, x[0]);
  for (size_t i = 1; i < n && tir_ir_ready(t); i++)
    all = f->join(t, all, f->of(t, x[i]));
  return all;
}

// The gradients, then what becomes of them.
static bool record_changes(grad_change *c, tir_value *list) {
  tir_tape *t = c->tape;
  for (size_t i = 0; i < c->n; i++)
    if (!tir_ir_gradient_of(t, c->call, "w", c->w, i, &list[i])) return false;
  if (c->before) c->folded = fold(t, c->before, list, c->n);
  for (size_t i = 0; i < c->n && tir_ir_ready(t); i++)
    list[i] = c->rule(c, c->w[i], list[i]);
  if (c->after) c->folded = fold(t, c->after, list, c->n);
  return tir_ir_ready(t);
}

// A scope takes in all handles made on the way; what is folded moves out of it.
static void change_in_scope(grad_change *c, tir_value *list) {
  tir_tape *t = c->tape;
  tir_scope_begin(t);
  if (!tir_ir_ready(t)) return;
  if (record_changes(c, list)) {
    if (c->folded.owner) tir_keep(t, c->folded);
    for (size_t i = 0; i < c->n; i++) tir_set_grad(t, c->w[i], list[i]);
  }
  tir_ir_scope_pop(t);
}

// Returns the folded value, or the invalid value of a call that failed.
// Recording is off meanwhile: what is done to gradients is not differentiated.
static tir_value change_grads(grad_change c) {
  tir_tape *t = c.tape;
  if (!t || !tir_ir_ready(t)) return tir_ir_refused(t, c.call);
  if (c.n == 0) return (tir_value){0};
  if (!c.w)
    return tir_ir_keep_error(t, c.call, TIR_ERR_ARGUMENT,
                             "w is NULL, expected %zu values", c.n);
  // Anything else might broadcast.
  if (!tir_ir_is_scalar(t, c.call, c.operand_name, c.operand))
    return tir_ir_refused(t, c.call);
  size_t bytes;
  tir_value *list = tir_ir_step_list(t, c.call, c.n, sizeof *list, &bytes);
  if (!list) return tir_ir_refused(t, c.call);
  const bool recording = t->mode.recording;
  t->mode.recording = false;
  change_in_scope(&c, list);
  t->mode.recording = recording;
  tir_base_free(t->context, list, bytes, _Alignof(tir_value));
  return tir_ir_ready(t) ? c.folded : tir_ir_refused(t, c.call);
}

// --- decay and clipping ----------------------------------------------------

// g + decay · w, the gradient of a penalty decay / 2 · |w|².
static tir_value decayed(const grad_change *c, tir_value w, tir_value g) {
  return tir_add(c->tape, g, tir_mul(c->tape, c->operand, w));
}

void tir_decay_grads(tir_tape *tape, const tir_value *w, size_t n,
                     tir_value decay) {
  change_grads((grad_change){.tape = tape,
                             .call = "decay_grads",
                             .w = w,
                             .n = n,
                             .operand = decay,
                             .operand_name = "decay",
                             .rule = decayed});
}

// Comparisons with NaN are false, so NaN stays.
static tir_value clamped(const grad_change *c, tir_value w, tir_value g) {
  tir_tape *t = c->tape;
  (void)w;
  const tir_value high = c->operand, low = tir_neg(t, high);
  const tir_value below = tir_where(t, tir_greater(t, g, high), high, g);
  return tir_where(t, tir_less(t, g, low), low, below);
}

void tir_clip_grads_by_value(tir_tape *tape, const tir_value *w, size_t n,
                             tir_value limit) {
  change_grads((grad_change){.tape = tape,
                             .call = "clip_grads_by_value",
                             .w = w,
                             .n = n,
                             .operand = limit,
                             .operand_name = "limit",
                             .rule = clamped});
}

static tir_value norm_of(tir_tape *t, tir_value g) {
  return tir_norm(t, g, NULL, 0, false);
}

// g · (norm <= limit ? 1 : limit / norm): an infinite limit and a norm of 0 are
// no division. A NaN norm makes all of it NaN.
static tir_value scaled_down(tir_tape *t, tir_value g, tir_value norm,
                             tir_value limit) {
  const tir_value is_within = tir_less_equal(t, norm, limit);
  const tir_value one = tir_scalar(t, tir_value_dtype(t, g), 1);
  return tir_mul(t, g, tir_where(t, is_within, one, tir_div(t, limit, norm)));
}

static tir_value clipped(const grad_change *c, tir_value w, tir_value g) {
  (void)w;
  return scaled_down(c->tape, g, norm_of(c->tape, g), c->operand);
}

void tir_clip_grads_by_norm(tir_tape *tape, const tir_value *w, size_t n,
                            tir_value limit) {
  change_grads((grad_change){.tape = tape,
                             .call = "clip_grads_by_norm",
                             .w = w,
                             .n = n,
                             .operand = limit,
                             .operand_name = "limit",
                             .rule = clipped});
}

// Norm of two norms, which does not overflow as the sum of squares would.
static tir_value join_norms(tir_tape *t, tir_value a, tir_value b) {
  const int first = 0;
  const tir_value both[] = {tir_expand_dims(t, a, &first, 1),
                            tir_expand_dims(t, b, &first, 1)};
  return tir_norm(t, tir_concat(t, both, 2, 0), NULL, 0, false);
}

// One factor for all, so that the direction of the whole gradient stays.
static tir_value clipped_alike(const grad_change *c, tir_value w, tir_value g) {
  (void)w;
  return scaled_down(c->tape, g, c->folded, c->operand);
}

tir_value tir_clip_grads_by_global_norm(tir_tape *tape, const tir_value *w,
                                        size_t n, tir_value limit) {
  static const grad_fold norm = {norm_of, join_norms};
  return change_grads((grad_change){.tape = tape,
                                    .call = "clip_grads_by_global_norm",
                                    .w = w,
                                    .n = n,
                                    .operand = limit,
                                    .operand_name = "limit",
                                    .rule = clipped_alike,
                                    .before = &norm});
}

// --- unscaling -------------------------------------------------------------

// A bool: every element is finite. x · 0 is 0, or NaN, and so is the sum.
static tir_value all_finite(tir_tape *t, tir_value x) {
  const tir_value zeros = tir_mul(t, x, tir_ir_zero(t, x));
  const tir_value sum = tir_sum(t, zeros, NULL, 0, false);
  return tir_equal(t, sum, tir_ir_zero(t, x));
}

static tir_value join_bools(tir_tape *t, tir_value a, tir_value b) {
  return tir_where(t, a, b, a);
}

static tir_value unscaled(const grad_change *c, tir_value w, tir_value g) {
  (void)w;
  return tir_div(c->tape, g, c->operand);
}

tir_value tir_unscale_grads(tir_tape *tape, const tir_value *w, size_t n,
                            tir_value scale) {
  static const grad_fold finite = {all_finite, join_bools};
  static const char call[] = "unscale_grads";
  if (n == 0)
    return tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT,
                             "n is 0, expected 1 or more");
  return change_grads((grad_change){.tape = tape,
                                    .call = call,
                                    .w = w,
                                    .n = n,
                                    .operand = scale,
                                    .operand_name = "scale",
                                    .rule = unscaled,
                                    .after = &finite});
}
