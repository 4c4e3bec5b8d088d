// tir_explain_memory as lines of text.
//
// The report is made twice: for its summary, which is the first line, and for
// its items. The program cannot change in between.
#include <string.h>

#include "exec/program.h"
#include "ir/text.h"
#include "tapeir/inspect.h"

typedef struct printer {
  const tir_program *program;
  // Of the first report.
  tir_memory_summary sum;
  tir_ir_text text;
  // The heading of the kept part is there.
  bool said_kept;
} printer;

// "%3" of a value without a name as it is; the user's names quoted where the
// text form does so.
static void add_name(printer *p, const char *name) {
  const bool is_number =
      name[0] == '%' && name[1] && !name[1 + strspn(name + 1, "0123456789")];
  if (is_number)
    tir_ir_text_word(&p->text, name);
  else
    tir_ir_text_name(&p->text, name);
}

// Sites may come from a file: control characters are escaped.
static void add_site(printer *p, const char *site) {
  if (!site) return;
  tir_ir_text_word(&p->text, " at ");
  tir_ir_text_string(&p->text, site, strlen(site));
}

static void add_value(printer *p, const tir_memory_item *item) {
  char type_text[TIR_TYPE_TEXT_MAX];
  tir_ir_type type;
  // Reports number values from 0, the graph from 1.
  tir_ir_type_of(p->program->graph,
                 (tir_ir_value){(uint32_t)item->value.value + 1}, &type);
  tir_ir_text_add(&p->text, "  %llu bytes in steps %u..%u: %s ",
                  (unsigned long long)item->value.size_bytes,
                  item->value.first_step, item->value.last_step,
                  item->value.op);
  add_name(p, item->value.name);
  tir_ir_text_add(&p->text, ": %s", tir_ir_type_text(&type, type_text));
  add_site(p, item->site);
  tir_ir_text_word(&p->text, "\n");
}

static void add_reader(printer *p, const tir_memory_item *item) {
  tir_ir_text_add(&p->text, "    read by %s at step %llu", item->reader_op,
                  (unsigned long long)item->reader_step);
  if (item->gradient_op)
    tir_ir_text_add(&p->text, ", for the gradient of %s", item->gradient_op);
  if (item->gradient_op && item->gradient_name[0]) {
    tir_ir_text_word(&p->text, " ");
    add_name(p, item->gradient_name);
  }
  add_site(p, item->reader_site);
  tir_ir_text_word(&p->text, "\n");
}

// Once, before the first item that is kept, or at the end if none is: the text
// always says how much it is.
static void begin_kept(printer *p) {
  if (p->said_kept) return;
  p->said_kept = true;
  if (!p->sum.knows_backward)
    tir_ir_text_add(&p->text,
                    "kept for backward: unknown, no node is marked as "
                    "backward\n");
  else
    tir_ir_text_add(&p->text, "kept for backward: %llu bytes in %llu value%s\n",
                    (unsigned long long)p->sum.kept_bytes,
                    (unsigned long long)p->sum.n_kept,
                    p->sum.n_kept == 1 ? "" : "s");
}

// Items come in an order that is that of the lines.
static bool add_item(void *user, const tir_memory_item *item) {
  printer *p = user;
  if (item->role != TIR_MEMORY_LIVE) begin_kept(p);
  if (item->role == TIR_MEMORY_READ)
    add_reader(p, item);
  else
    add_value(p, item);
  return true;
}

tir_status tir_explain_memory_text(const tir_program *program, char **out_text,
                                   tir_error *error) {
  if (out_text) *out_text = NULL;
  if (!program || !out_text)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "explain_memory: %s is NULL",
                         !program ? "program" : "out_text");
  printer p = {.program = program};
  TIR_TRY(tir_explain_memory(program, NULL, NULL, &p.sum, error));
  // The text remembers that memory ran out; finishing it tells.
  tir_ir_text_init(&p.text, program->context);
  tir_ir_text_add(
      &p.text,
      "arena: %llu bytes, at least %llu; peak: %llu bytes in %llu "
      "value%s at step %llu of %llu",
      (unsigned long long)p.sum.arena_bytes,
      (unsigned long long)p.sum.lower_bound_bytes,
      (unsigned long long)p.sum.peak_bytes, (unsigned long long)p.sum.n_live,
      p.sum.n_live == 1 ? "" : "s", (unsigned long long)p.sum.peak_step,
      (unsigned long long)p.sum.n_steps);
  if (p.sum.peak_op[0]) {
    tir_ir_text_add(&p.text, ", %s ", p.sum.peak_op);
    add_name(&p, p.sum.peak_name);
  }
  add_site(&p, p.sum.peak_site);
  tir_ir_text_word(&p.text, "\n");
  const tir_status status =
      tir_explain_memory(program, add_item, &p, NULL, error);
  if (status != TIR_OK) {
    tir_ir_text_free(&p.text);
    return status;
  }
  begin_kept(&p);
  return tir_ir_text_finish(&p.text, out_text, error);
}
