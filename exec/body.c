// Running bodies.
// Lays a compiled body out in the scratch memory of its control step, resolves
// its pointers there, and passes a failure inside on as one of the step. What
// its ports are bound to, and how often it runs, is up to kernels/control.c.
#include "exec/body.h"

#include <stdio.h>

#include "ir/base/checked.h"

// A part of count × size bytes, aligned to 64. False if the sum overflows.
static bool add_part(size_t *total, size_t count, size_t size, size_t *out_at) {
  size_t bytes = 0;
  *out_at = *total;
  return tir_base_size_mul(count, size, &bytes) &&
         tir_base_size_align(bytes, 64, &bytes) &&
         tir_base_size_add(*total, bytes, total);
}

bool tir_exec_body_lay_out(const tir_program *program, tir_exec_body *out) {
  tir_exec_body_layout *l = &out->layout;
  size_t ptr = 0, total = 0;
  out->program = program;
  // The pointer table comes first, so its offset is 0 and has no field.
  const bool fits =
      add_part(&total, program->n_pointers, sizeof(void *), &ptr) &&
      add_part(&total, program->n_inputs, sizeof(void *), &l->inputs) &&
      add_part(&total, program->n_outputs, sizeof(void *), &l->outputs) &&
      add_part(&total, program->arena_bytes, 1, &l->arena) &&
      add_part(&total, program->scratch_bytes, 1, &l->scratch);
  l->size = total;
  return fits;
}

void tir_exec_body_begin(const tir_exec_body *body, void *memory,
                         tir_exec_body_run *out_run) {
  char *base = memory;
  const tir_exec_body_layout *l = &body->layout;
  *out_run = (tir_exec_body_run){
      .program = body->program,
      .ptr = memory,
      .inputs = (void **)(void *)(base + l->inputs),
      .outputs = (void **)(void *)(base + l->outputs),
      .arena = base + l->arena,
      .scratch = base + l->scratch,
  };
  // These entries depend on the memory alone and hold for all trips.
  tir_exec_resolve_internal(body->program, out_run->arena, out_run->ptr);
}

// The message is built as that of a run would be, op before and node behind,
// and copied into the fault, which is flat text.
static void tell(const tir_exec_body_run *run, const tir_exec_failure *failure,
                 const char *where, int64_t trip, tir_exec_fault *fault) {
  const tir_ir_graph *graph = run->program->graph;
  tir_error error = {0};
  tir_base_fail(&error, TIR_ERR_VALUE, "%s", failure->fault.message);
  if (failure->node) {
    tir_base_error_prefix(
        &error, tir_ir_desc(graph, (tir_ir_node){failure->node})->name);
    tir_exec_append_node(graph, failure->node, NULL, NULL, &error);
  }
  char number[24] = "";
  if (trip >= 0) snprintf(number, sizeof number, " %lld", (long long)trip);
  // Cut where it gets too long: a fault has a fixed size.
  snprintf(fault->message, sizeof fault->message, "%.24s%s: %.260s", where,
           number, error.message);
}

tir_status tir_exec_body_go(const tir_exec_body_run *run,
                            const tir_exec_call *call, const char *where,
                            int64_t trip) {
  const tir_exec_binding binding = {
      .arena = run->arena,
      .scratch = run->scratch,
      .inputs = run->inputs,
      .outputs = run->outputs,
  };
  // Ports may be bound anew for every trip.
  tir_exec_resolve_external(run->program, &binding, run->ptr);
  tir_exec_failure failure;
  const tir_status status =
      tir_exec_run_body(run->program, run->ptr, run->scratch, call, &failure);
  // Without a message it was the run around it that stopped, when it was asked
  // whether to go on, and that has told why.
  if (status != TIR_OK && failure.fault.message[0] != '\0')
    tell(run, &failure, where, trip, call->fault);
  return status;
}
