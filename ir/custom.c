// The custom ops of a context: a list that only grows. An entry is made whole
// before it is put in front, and never changes or leaves before the context
// ends, so looking one up takes no lock.
//
// Here is the registry alone. Calling the functions is in custom_call.c, the
// two ops that stand for all custom ops in a graph are in ops/custom.c.
#include "ir/custom.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ir/attr.h"
#include "ir/base/context.h"

typedef struct entry {
  tir_base_attachment base;  // first: the list holds these
  // The one older; set before the entry is published.
  struct entry *next;
  tir_custom_op op;
  tir_ir_label name;
} entry;

static entry *newest(const tir_context *context) {
  // C11 atomics load through a pointer to non-const.
  tir_context *c = (tir_context *)(uintptr_t)context;
  return (entry *)(void *)atomic_load_explicit(&c->custom_ops,
                                               memory_order_acquire);
}

// Version 0 is no version, so it matches no entry and asks for the highest
// number, which need not be the one registered last.
static const entry *find_in(const entry *list, const char *name,
                            int64_t version) {
  const entry *best = NULL;
  for (const entry *e = list; e; e = e->next) {
    if (strcmp(e->name.text, name) != 0) continue;
    if (e->op.version == version) return e;
    if (version == 0 && (!best || e->op.version > best->op.version)) best = e;
  }
  return best;
}

const tir_custom_op *tir_ir_custom_find(const tir_context *context,
                                        const char *name, int64_t version) {
  const entry *found = context ? find_in(newest(context), name, version) : NULL;
  return found ? &found->op : NULL;
}

// A node always names its version: what it computes must not change when a
// newer one is registered.
const tir_custom_op *tir_ir_custom_of(const tir_context *context,
                                      const tir_attrs_custom *attrs) {
  if (!attrs || attrs->version < 1) return NULL;
  return tir_ir_custom_find(context, attrs->op.text, attrs->version);
}

// A version that is there helps most: the file and the registering code were
// built at different times.
void tir_ir_custom_missing(const tir_context *context, const char *name,
                           int64_t version, char text[TIR_CUSTOM_TEXT_MAX]) {
  char quoted[TIR_QUOTED_MAX], of[40] = "", has[48] = "";
  if (version != 0) snprintf(of, sizeof of, " of version %" PRId64, version);
  const tir_custom_op *other = tir_ir_custom_find(context, name, 0);
  if (other)
    snprintf(has, sizeof has, ": the newest is version %" PRId64,
             other->version);
  snprintf(text, TIR_CUSTOM_TEXT_MAX,
           "no op %s%s is registered with the context%s",
           tir_base_quote(name, quoted), of, has);
}

// --- registering -----------------------------------------------------------

// The first entry stands for the whole list: the context knows only the newest
// attachment.
static void destroy_all(tir_context *context, tir_base_attachment *first) {
  entry *e = (entry *)(void *)first;
  while (e) {
    entry *next = e->next;
    if (e->op.release) e->op.release(e->op.user);
    tir_base_free(context, e, sizeof *e, _Alignof(entry));
    e = next;
  }
}

static tir_status bad_number(const char *field, int64_t is, int64_t low,
                             int64_t high, tir_error *error) {
  return tir_base_fail(error, TIR_ERR_ARGUMENT,
                       "context_register_op: %s is %" PRId64
                       ", expected %" PRId64 " to %" PRId64,
                       field, is, low, high);
}

static tir_status check_counts(const tir_custom_op *op, tir_error *error) {
  const struct {
    const char *name;
    int64_t is, low, high;
  } fields[] = {
      {"version", op->version, 1, INT64_MAX},
      {"n_inputs", op->n_inputs, 0, TIR_CUSTOM_MAX_VALUES},
      {"n_outputs", op->n_outputs, 1, TIR_CUSTOM_MAX_VALUES},
      {"n_ints", op->n_ints, 0, TIR_CUSTOM_MAX_NUMBERS},
      {"n_floats", op->n_floats, 0, TIR_CUSTOM_MAX_NUMBERS},
  };
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    if (fields[i].is < fields[i].low || fields[i].is > fields[i].high)
      return bad_number(fields[i].name, fields[i].is, fields[i].low,
                        fields[i].high, error);
  return TIR_OK;
}

// Fills `name`, which the entry keeps; the caller's text may go away.
static tir_status check_op(const tir_custom_op *op, tir_ir_label *name,
                           tir_error *error) {
  char quoted[TIR_QUOTED_MAX];
  const char *text = op->name ? op->name : "";
  // One byte more than fits is enough to see that a name is too long.
  const size_t size = strnlen(text, sizeof name->text);
  if (size == 0 || !tir_ir_label_set(name, text, size))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "context_register_op: name %s, expected 1 to %d "
                         "letters, digits and _ . - /",
                         tir_base_quote(text, quoted), TIR_CUSTOM_MAX_NAME);
  TIR_TRY(check_counts(op, error));
  if (!op->infer || !op->run)
    // The two an op cannot do without.
    return tir_base_fail(
        error, TIR_ERR_ARGUMENT, "context_register_op: %s of %s is NULL",
        op->infer ? "run" : "infer", tir_base_quote(text, quoted));
  for (size_t i = 0; i < 8; i++)
    if (op->reserved[i] != 0)
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "context_register_op: reserved word %zu is %" PRIu64
                           ", not 0 (built for a newer header?)",
                           i, op->reserved[i]);
  return TIR_OK;
}

// Puts the entry in front unless its name and version are taken by then.
static bool publish(tir_context *context, entry *e) {
  tir_base_attachment *first =
      atomic_load_explicit(&context->custom_ops, memory_order_acquire);
  do {
    e->next = (entry *)(void *)first;
    // Looked for again after each failed exchange: another thread may have
    // registered the same name in between.
    if (find_in(e->next, e->name.text, e->op.version)) return false;
  } while (!atomic_compare_exchange_weak_explicit(
      &context->custom_ops, &first, &e->base, memory_order_acq_rel,
      memory_order_acquire));
  return true;
}

// On an error nothing of `op` is taken, and its `release` is not called.
tir_status tir_context_register_op(tir_context *context,
                                   const tir_custom_op *op, tir_error *error) {
  if (!context || !op)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "context_register_op: %s is NULL",
                         context ? "op" : "context");
  tir_ir_label name;
  TIR_TRY(check_op(op, &name, error));
  entry *e = tir_base_alloc(context, sizeof *e, _Alignof(entry));
  if (!e) return tir_base_fail_memory(error, sizeof *e);
  *e = (entry){.base = {.destroy = destroy_all}, .op = *op, .name = name};
  e->op.name = e->name.text;
  if (publish(context, e)) return TIR_OK;
  tir_base_free(context, e, sizeof *e, _Alignof(entry));
  char quoted[TIR_QUOTED_MAX];
  return tir_base_fail(error, TIR_ERR_ARGUMENT,
                       "context_register_op: %s of version %" PRId64
                       " is registered already",
                       tir_base_quote(name.text, quoted), op->version);
}
