// The recorder's first error, failed calls, and recording places.
//
// Only the first error is kept: those after it are mostly its consequences.
// Each failed call gets a serial number all the same, so that a use of its
// result later can say which call that was. The place of a call is known only
// after it returned, when the macros of sites.h hand it in.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ir/base/utf8.h"
#include "ir/record.h"

#define TIR_NO_SITES
#include "tapeir/sites.h"

bool tir_ir_ready(tir_tape *tape) { return tape->error.status == TIR_OK; }

const char *tir_ir_name_text(const tir_ir_graph *graph, tir_ir_value value,
                             char buffer[TIR_QUOTED_MAX + 1]) {
  const char *name = tir_ir_value_name(graph, value);
  buffer[0] = '\0';
  if (!name[0]) return buffer;
  buffer[0] = ' ';
  tir_base_quote(name, buffer + 1);
  return buffer;
}

const char *tir_ir_place_text(const tir_ir_graph *graph, tir_ir_value value,
                              char buffer[TIR_PLACE_MAX]) {
  const char *site = tir_ir_node_at(graph, tir_ir_producer(graph, value))->site;
  buffer[0] = '\0';
  if (!site) return buffer;
  // The end of a long path says more than its beginning.
  const char *tail = tir_base_utf8_tail(site, TIR_PLACE_MAX - 8);
  snprintf(buffer, TIR_PLACE_MAX, " (%s%s)", tail == site ? "" : "…", tail);
  return buffer;
}

// Remembers the call, so that a use of its result can name it. A ring: the
// oldest call is forgotten, and then a message is less precise.
static tir_value failed_call(tir_tape *tape, const char *op) {
  const uint32_t serial = ++tape->n_failed;
  tape->failed[serial % TIR_N_FAILED_CALLS] = (tir_ir_failed_call){
      .op = op ? op : "an op",
      .serial = serial,
  };
  return (tir_value){tape, 0, serial};
}

// The op's name before the colon of a message, as a descriptor's own string
// (messages of infer begin with it).
static const char *op_of_message(const char *message) {
  const size_t n = strcspn(message, ":");
  const tir_op op = tir_ir_op_find(message, n);
  return op ? tir_ir_op_desc(op)->name : NULL;
}

tir_value tir_ir_keep_error(tir_tape *tape, const char *op, tir_status status,
                            const char *format, ...) {
  // Only the first: what comes later mostly follows from it.
  if (!tape) return (tir_value){0};
  if (tape->error.status == TIR_OK) {
    va_list args;
    va_start(args, format);
    tir_base_fail_v(&tape->error, status, format, args);
    va_end(args);
    if (op)
      tir_base_error_prefix(&tape->error, op);
    else
      op = op_of_message(tape->error.message);
    tape->error_wants_site = true;
    tir_base_diagnose(tape->context, status, tape->error.message);
  }
  return failed_call(tape, op);
}

// The tape can be used again afterwards; handles of failed calls stay invalid.
tir_status tir_tape_check(tir_tape *tape, tir_error *error) {
  if (!tape)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "tape_check: tape is NULL");
  const tir_status status = tape->error.status;
  if (status != TIR_OK && error) *error = tape->error;
  tape->error.status = TIR_OK;
  tape->error_wants_site = false;
  return status;
}

tir_status tir_tape_status(const tir_tape *tape) {
  return tape ? tape->error.status : TIR_ERR_ARGUMENT;
}

// Adds the place to a pending error and to the failed call.
static void site_of_failure(tir_tape *tape, uint32_t serial, const char *site) {
  tir_ir_failed_call *call = &tape->failed[serial % TIR_N_FAILED_CALLS];
  if (call->serial == serial && !call->site) call->site = site;
  if (!tape->error_wants_site) return;
  tir_base_error_append(&tape->error, " (%s)", site);
  tape->error_wants_site = false;
}

// Places of the nodes made since the last stamp: one call may make several.
static void stamp(tir_tape *tape, const char *site) {
  const uint32_t n = tir_ir_n_nodes(tape->graph);
  for (uint32_t id = tape->n_stamped + 1; id <= n; id++) {
    tir_ir_node_data *node = &tape->graph->nodes.data[id];
    if (!node->site) node->site = site;
  }
  tape->n_stamped = n;
}

tir_value tir_site(tir_value value, const char *site) {
  tir_tape *tape = value.owner;
  if (!tape) return value;
  if (value.slot)
    stamp(tape, site);
  else
    site_of_failure(tape, value.generation, site);
  return value;
}

// Calls that give no value: the newest failure, if there was one, is theirs.
void tir_site_void(tir_tape *tape, const char *site) {
  if (!tape) return;
  stamp(tape, site);
  site_of_failure(tape, tape->n_failed, site);
}
