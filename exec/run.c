// Running: walk the steps of a program over a pointer table.
//
// A run allocates nothing and looks nothing up. Cancelling is polled between
// steps, and between the units of long ones, up to the commit point, the first
// step that overwrites state; from there on a run goes to its end, so that
// state is never half written. All steps that can fail on data stand before it.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exec/blas.h"
#include "exec/float_control.h"
#include "exec/program.h"
#include "exec/split.h"
#include "ir/base/clock.h"

// What the loops share.
typedef struct run {
  const tir_program *program;
  tir_exec_call call;
  const tir_run_options *options;
  tir_exec_float_control host;
  tir_exec_failure *failure;
  uint32_t at;    // position of the step running
  pid_t process;  // that began the run
} run;

void tir_exec_resolve_internal(const tir_program *program, void *arena,
                               void **ptr) {
  uint8_t *base = arena;
  ptr[0] = NULL;
  for (uint32_t i = 1; i < program->first_external; i++) {
    const tir_exec_pointer *pointer = &program->pointers[i];
    ptr[i] = pointer->kind == TIR_PLACE_ARENA
                 ? base + pointer->offset
                 : (uint8_t *)program->constants[pointer->index]->data +
                       pointer->offset;
  }
}

// Only of external entries, whose kinds are these three.
static void *base_of(const tir_exec_binding *binding,
                     const tir_exec_pointer *pointer) {
  switch (pointer->kind) {
    case TIR_PLACE_INPUT:
      return binding->inputs[pointer->index];
    case TIR_PLACE_PARAM:
      return binding->params[pointer->index];
    default:
      return binding->outputs[pointer->index];
  }
}

void tir_exec_resolve_external(const tir_program *program,
                               const tir_exec_binding *binding, void **ptr) {
  void **out = ptr + program->first_external;
  for (uint32_t i = 0; i < program->n_inputs; i++) *out++ = binding->inputs[i];
  for (uint32_t i = 0; i < program->n_params; i++) *out++ = binding->params[i];
  for (uint32_t i = 0; i < program->n_outputs; i++)
    *out++ = binding->outputs[i];
  for (uint32_t i = program->first_offset; i < program->n_pointers; i++) {
    // An input that is read for its shape alone may be unbound.
    uint8_t *base = base_of(binding, &program->pointers[i]);
    ptr[i] = base ? base + program->pointers[i].offset : NULL;
  }
}

// --- looking for NaN -------------------------------------------------------

// Position of the first NaN, −1 if there is none. Only a NaN differs from
// itself.
static int64_t first_nan_f32(const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (x[i] != x[i]) return i;
  return -1;
}

static int64_t first_nan_f64(const double *x, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (x[i] != x[i]) return i;
  return -1;
}

// `infinity` is the bit pattern of +Inf: what is above it is NaN.
static int64_t first_nan_16(const uint16_t *x, int64_t n, uint16_t infinity) {
  for (int64_t i = 0; i < n; i++)
    if ((x[i] & 0x7fffu) > infinity) return i;
  return -1;
}

static int64_t first_nan(const tir_ir_type *type, const void *data) {
  const int64_t n = tir_ir_type_numel(type);
  switch (type->dtype) {
    case TIR_DTYPE_F32:
      return first_nan_f32(data, n);
    case TIR_DTYPE_F64:
      return first_nan_f64(data, n);
    case TIR_DTYPE_F16:
      return first_nan_16(data, n, 0x7c00);
    case TIR_DTYPE_BF16:
      return first_nan_16(data, n, 0x7f80);
    default:
      return -1;
  }
}

// Did the step just made leave a NaN in one of its outputs?
static tir_status check_nan(run *r, const tir_exec_step *step) {
  const tir_ir_graph *graph = r->program->graph;
  const tir_ir_node node = {step->node};
  const uint32_t n_in = tir_ir_n_in(graph, node);
  for (uint32_t i = 0; i < tir_ir_n_out(graph, node); i++) {
    // A result that nobody reads has no memory. Programs that look for NaN are
    // not fused: the step is this one node.
    const void *data = r->call.ptr[r->call.arg[n_in + i]];
    if (!data) continue;
    tir_ir_type type;
    tir_ir_type_of(graph, tir_ir_out(graph, node, i), &type);
    const int64_t at = first_nan(&type, data);
    if (at < 0) continue;
    const bool backward =
        tir_ir_node_at(graph, node)->flags & TIR_NODE_BACKWARD;
    snprintf(r->call.fault->message, sizeof r->call.fault->message,
             "NaN at position %lld of its result in the %s direction",
             (long long)at, backward ? "backward" : "forward");
    return TIR_ERR_VALUE;
  }
  return TIR_OK;
}

// --- stopping --------------------------------------------------------------

static tir_status fail_blas(tir_exec_failure *failure) {
  snprintf(failure->fault.message, sizeof failure->fault.message,
           "BLAS was at work in another thread when this process was forked: "
           "compile the program again");
  return TIR_ERR_STATE;
}

// After a callback, which may have forked: the child must not go on with BLAS.
static tir_status check_fork(run *r) {
  if (!r->program->uses_blas || getpid() == r->process) return TIR_OK;
  return fail_blas(r->failure);
}

static tir_status poll(void *arg) {
  run *const r = arg;
  const tir_run_options *options = r->options;
  const char *why = NULL;
  if (options->cancel) {
    // The callback is the host's code: it runs under the host's environment.
    tir_exec_float_leave(&r->host);
    if (options->cancel(options->cancel_user)) why = "cancelled";
    r->host = tir_exec_float_enter();
    if (!why) TIR_TRY(check_fork(r));
  }
  if (!why && options->deadline_ns != 0 &&
      tir_base_now_ns() >= options->deadline_ns)
    why = "past its deadline";
  if (!why) return TIR_OK;
  snprintf(r->failure->fault.message, sizeof r->failure->fault.message,
           "%s before step %u of %u", why, r->at + 1, r->program->n_steps);
  return TIR_ERR_CANCELLED;
}

// --- the loops -------------------------------------------------------------

// Notes where it failed. From the commit point on a failure leaves state half
// written; steps that can fail on data stand before it, so that takes a fork in
// a callback or a NaN that is looked for.
static tir_status fail_step(run *r, const tir_exec_step *step,
                            tir_status status) {
  if (status == TIR_ERR_CANCELLED) return status;  // not the step's failure
  r->at = (uint32_t)(step - r->program->steps);
  r->failure->node = step->node;
  r->failure->torn = r->at >= r->program->commit && r->program->writes_state;
  return status;
}

// Steps first … end − 1 and nothing else between them.
static tir_status run_plain(run *r, uint32_t first, uint32_t end,
                            const tir_exec_poll *poll) {
  const tir_program *program = r->program;
  const uint32_t *args = program->args;
  const tir_exec_step *last = program->steps + end;
  for (const tir_exec_step *step = program->steps + first; step < last;
       step++) {
    r->call.arg = args + step->arg;
    r->call.params = step->params;
    r->call.poll = poll;
    const tir_status status =
        step->split ? tir_exec_run_split(program, step, &r->call, poll)
                    : step->run(&r->call);
    if (__builtin_expect(status != TIR_OK, 0))
      return fail_step(r, step, status);
  }
  return TIR_OK;
}

// One step, its time told to the monitor.
static tir_status run_monitored(run *r, const tir_exec_poll *inside) {
  const int64_t start_ns = tir_base_now_ns();
  TIR_TRY(run_plain(r, r->at, r->at + 1, inside));
  const int64_t end_ns = tir_base_now_ns();
  const tir_ir_graph *graph = r->program->graph;
  const tir_ir_node node = {r->program->steps[r->at].node};
  const tir_ir_node_data *data = tir_ir_node_at(graph, node);
  const tir_step_report report = {
      .step = r->at,
      .name = tir_ir_n_out(graph, node) > 0
                  ? tir_ir_value_name(graph, tir_ir_out(graph, node, 0))
                  : "",
      .op = tir_exec_step_op(r->program, &r->program->steps[r->at]),
      .site = data->site,
      .backward = data->flags & TIR_NODE_BACKWARD,
      .start_ns = start_ns,
      .duration_ns = end_ns - start_ns,
  };
  tir_exec_float_leave(&r->host);
  r->options->monitor(r->options->monitor_user, &report);
  r->host = tir_exec_float_enter();
  const tir_status status = check_fork(r);
  if (status == TIR_OK) return status;
  return fail_step(r, &r->program->steps[r->at], status);
}

// The loop with everything a caller may want between steps; run_plain is the
// one without.
static tir_status run_watched(run *r, uint32_t first, uint32_t end,
                              bool polled) {
  const bool monitored = r->options && r->options->monitor;
  const tir_exec_poll asked = {poll, r};
  const tir_exec_poll *const inside = polled ? &asked : NULL;
  for (r->at = first; r->at < end; r->at++) {
    if (polled) TIR_TRY(poll(r));
    TIR_TRY(monitored ? run_monitored(r, inside)
                      : run_plain(r, r->at, r->at + 1, inside));
    if (!r->program->check_nan) continue;
    const tir_exec_step *step = &r->program->steps[r->at];
    const tir_status status = check_nan(r, step);
    if (status != TIR_OK) return fail_step(r, step, status);
  }
  return TIR_OK;
}

static tir_status run_steps(run *r) {
  const tir_program *program = r->program;
  const bool polled =
      r->options && (r->options->cancel || r->options->deadline_ns != 0);
  const uint32_t commit = program->commit;
  // Nobody looks: one loop over all steps, without a branch for it in between.
  if (!polled && !program->check_nan && !(r->options && r->options->monitor))
    return run_plain(r, 0, program->n_steps, NULL);
  TIR_TRY(run_watched(r, 0, commit, polled));
  // Also once before the first overwrite, be it by a step or by a copy.
  if (polled) TIR_TRY(poll(r));
  return run_watched(r, commit, program->n_steps, false);
}

// After all steps: outputs and params may be read until then. A caller who
// bound an output over its source has the copy already.
static void make_copies(const tir_program *program, void *const *ptr) {
  for (uint32_t i = 0; i < program->n_copies; i++) {
    const tir_exec_copy *copy = &program->copies[i];
    if (ptr[copy->to] != ptr[copy->from])
      memcpy(ptr[copy->to], ptr[copy->from], copy->size_bytes);
  }
}

tir_status tir_exec_run_steps(const tir_program *program, void *const *ptr,
                              void *scratch, const tir_run_options *options,
                              tir_exec_failure *failure) {
  failure->node = 0;
  failure->torn = false;
  failure->fault.message[0] = '\0';
  run r = {
      .program = program,
      .call = {.ptr = ptr,
               .scratch = scratch,
               .shared = scratch,
               .fault = &failure->fault},
      .options = options,
      .host = tir_exec_float_enter(),
      .failure = failure,
      // Looked at after callbacks only, which come with options.
      .process = options ? getpid() : 0,
  };
  tir_exec_blas_guard guard;
  tir_status status = TIR_OK;
  if (program->uses_blas && !tir_exec_blas_begin(&guard))
    status = fail_blas(failure);
  if (status == TIR_OK) status = run_steps(&r);
  if (status == TIR_OK) make_copies(program, ptr);
  // A guard that was refused undoes nothing.
  if (program->uses_blas) tir_exec_blas_end(&guard);
  tir_exec_float_leave(&r.host);
  return status;
}

// --- bodies ----------------------------------------------------------------

// No guards and no environment: those of the run around it are in force. A
// monitor sees the control step as one.
tir_status tir_exec_run_body(const tir_program *body, void *const *ptr,
                             void *scratch, const tir_exec_call *call,
                             tir_exec_failure *failure) {
  failure->node = 0;
  failure->torn = false;
  failure->fault.message[0] = '\0';
  run r = {
      .program = body,
      .call = {.ptr = ptr,
               .scratch = scratch,
               .shared = scratch,
               .fault = &failure->fault},
      .failure = failure,
  };
  if (!call->poll && !body->check_nan) {
    TIR_TRY(run_plain(&r, 0, body->n_steps, NULL));
  } else {
    // Bodies hold no state: nothing in them is past a commit point, so they may
    // be stopped anywhere.
    for (uint32_t at = 0; at < body->n_steps; at++) {
      if (call->poll) TIR_TRY(call->poll->ask(call->poll->user));
      TIR_TRY(run_plain(&r, at, at + 1, call->poll));
      if (!body->check_nan) continue;
      const tir_status status = check_nan(&r, &body->steps[at]);
      if (status != TIR_OK) return fail_step(&r, &body->steps[at], status);
    }
  }
  make_copies(body, ptr);
  return TIR_OK;
}

// --- telling what failed ---------------------------------------------------

const char *tir_exec_node_name(const tir_ir_graph *graph, uint32_t node) {
  const tir_ir_node_data *data = &graph->nodes.data[node];
  const char *name = "";
  for (uint32_t i = 0; i < data->n_out && name[0] == '\0'; i++)
    name = tir_ir_value_name(graph, (tir_ir_value){data->out_first + i});
  return name;
}

void tir_exec_append_node(const tir_ir_graph *graph, uint32_t node,
                          const char *name, const char *site,
                          tir_error *error) {
  if (!error || node == 0) return;
  if (!name) name = tir_exec_node_name(graph, node);
  char quoted[TIR_QUOTED_MAX];
  tir_base_error_append(error, ": node %%%u", node);
  if (name[0] != '\0')
    tir_base_error_append(error, " %s", tir_base_quote(name, quoted));
  if (!site) site = graph->nodes.data[node].site;
  if (site) tir_base_error_append(error, " (%s)", site);
  error->node = node;
}

tir_status tir_exec_report_failure(const tir_program *program,
                                   tir_status status,
                                   const tir_exec_failure *failure,
                                   const char *name, const char *site,
                                   tir_error *error) {
  if (failure->node == 0)
    return tir_base_fail(error, status, "run: %s", failure->fault.message);
  const tir_ir_node node = {failure->node};
  tir_base_fail(error, status, "%s: %s",
                tir_ir_desc(program->graph, node)->name,
                failure->fault.message);
  tir_exec_append_node(program->graph, node.id, name, site, error);
  if (failure->torn)
    tir_base_error_append(error,
                          "; state is half written, load the module again");
  return status;
}
