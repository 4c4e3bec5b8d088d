// Control: the loops around compiled bodies.
//
// A carry goes from trip to trip through memory, never by a copy: a body writes
// its result where the next trip reads it. That is the next row of the stacked
// carries where these are wanted, else one of two buffers in turn, and after
// the last trip the result itself. Rows of xs and ys are read and written in
// place.
//
// Scratch memory of the step holds that of its bodies, then the buffers. How a
// body is bound and run is exec/body.h's business.
#include <string.h>

#include "exec/body.h"
#include "ir/base/checked.h"

// An output of the body that is not wanted, or not yet, has its own memory.
typedef struct control_params {
  tir_exec_body bodies[2];
  size_t offsets[2];  // of the bodies' memory, in scratch
  size_t flag;        // in scratch: result of the condition
  uint32_t n_in;      // operands of the node
  uint32_t n_carry, n_xs, n_ys;
  uint32_t n_out;   // of a cond
  int64_t n_trips;  // most
  bool reverse;
  bool stacks;      // some stacked carry is wanted
  size_t *buffers;  // by carry: two in turn, 64-byte aligned; by y or
                    // result: one
} control_params;

static char *operand(const tir_exec_call *call, size_t i) {
  return call->ptr[call->arg[i]];
}

static char *output(const tir_exec_call *call, const control_params *p,
                    size_t i) {
  return call->ptr[call->arg[p->n_in + i]];
}

// --- preparing -------------------------------------------------------------

static tir_status too_large(const tir_exec_prepare *q) {
  return tir_base_fail(q->error, TIR_ERR_LIMIT,
                       "%s: its memory exceeds the address space",
                       q->desc->name);
}

// The next `bytes` of scratch memory; false when they do not fit.
static bool take(size_t *total, size_t bytes, size_t *out_at) {
  *out_at = *total;
  return tir_base_size_align(bytes, 64, &bytes) &&
         tir_base_size_add(*total, bytes, total);
}

// With room for the offsets of n_buffers buffers. One more is asked for, so
// that there is memory to point to when there are none.
static control_params *make_params(tir_exec_prepare *q, size_t n_buffers) {
  control_params *p =
      tir_base_arena_alloc(q->arena, sizeof *p, _Alignof(control_params));
  size_t *buffers = tir_base_arena_alloc(
      q->arena, (n_buffers + 1) * sizeof *buffers, _Alignof(size_t));
  if (!p || !buffers) {
    tir_base_fail_memory(q->error, sizeof *p);
    return NULL;
  }
  *p = (control_params){.n_in = (uint32_t)q->n_in, .buffers = buffers};
  q->params = p;
  return p;
}

// What a body needs of the run, its step needs too.
static void note_program(tir_exec_prepare *q, const tir_program *body) {
  q->uses_blas |= body->uses_blas;
  q->is_split |= body->is_split;
}

// Two buffers per carry, one after the other: a trip reads one while it writes
// the other.
static bool take_carries(size_t *total, const tir_program *body,
                         control_params *p) {
  for (uint32_t i = 0; i < p->n_carry; i++) {
    size_t at = 0;
    if (!take(total, body->output_bytes[i], &p->buffers[i]) ||
        !take(total, body->output_bytes[i], &at))
      return false;
  }
  return true;
}

static bool any_used(const tir_exec_prepare *q, size_t first, size_t n) {
  for (size_t i = first; i < first + n; i++)
    if (q->out_used[i]) return true;
  return false;
}

// --- loops -----------------------------------------------------------------

typedef struct loop {
  const control_params *p;
  const tir_exec_call *call;
  tir_exec_body_run body;
  char *scratch;
  size_t stack;  // output of the first stacked carry
} loop;

// Row t of stacked carry i; NULL if nobody reads it.
static char *stack_row(const loop *l, uint32_t i, int64_t t) {
  char *base = l->p->stacks ? output(l->call, l->p, l->stack + i) : NULL;
  return base ? base + (size_t)t * l->body.program->output_bytes[i] : NULL;
}

// The buffer of carry i that trip k writes.
static char *buffer(const loop *l, uint32_t i, int64_t k) {
  size_t size = l->body.program->output_bytes[i];
  tir_base_size_align(size, 64, &size);  // was checked
  return l->scratch + l->p->buffers[i] + (size_t)(k & 1) * size;
}

static void copy(void *to, const void *from, size_t size) {
  if (to && to != from && size) memcpy(to, from, size);
}

// Carries before the first trip, which is on row t.
static void begin_carries(loop *l, bool any_trip, int64_t t) {
  for (uint32_t i = 0; i < l->p->n_carry; i++) {
    l->body.inputs[i] = operand(l->call, i);
    char *row = any_trip ? stack_row(l, i, t) : NULL;
    if (!row) continue;
    copy(row, l->body.inputs[i], l->body.program->output_bytes[i]);
    l->body.inputs[i] = row;
  }
}

// Trip k's results become the carries of the next.
static void next_carries(loop *l) {
  for (uint32_t i = 0; i < l->p->n_carry; i++)
    l->body.inputs[i] = l->body.outputs[i];
}

// Operands that stay the same in all trips, from number `first` on.
static void begin_rest(loop *l, uint32_t first) {
  for (uint32_t i = first; i < l->p->n_in; i++)
    l->body.inputs[i] = operand(l->call, i);
}

// --- scan ------------------------------------------------------------------

// Row t of xs and ys. A y that nobody reads goes to the same place every time.
static void place_rows(loop *l, int64_t t) {
  const control_params *p = l->p;
  const tir_program *body = l->body.program;
  for (uint32_t i = p->n_carry; i < p->n_carry + p->n_xs; i++)
    l->body.inputs[i] = operand(l->call, i) + (size_t)t * body->input_bytes[i];
  for (uint32_t i = p->n_carry; i < p->n_carry + p->n_ys; i++) {
    char *y = output(l->call, p, i);
    l->body.outputs[i] =
        y ? y + (size_t)t * body->output_bytes[i] : l->scratch + p->buffers[i];
  }
}

// The row of trip k.
static int64_t row_of(const control_params *p, int64_t k) {
  return p->reverse ? p->n_trips - 1 - k : k;
}

// Where trip k writes its carries, as the comment above the file has it.
static void place_results(loop *l, int64_t k) {
  const control_params *p = l->p;
  const bool is_last = k + 1 == p->n_trips;
  for (uint32_t i = 0; i < p->n_carry; i++) {
    char *to =
        is_last ? output(l->call, p, i) : stack_row(l, i, row_of(p, k + 1));
    l->body.outputs[i] = to ? to : buffer(l, i, k);
  }
}

static tir_status run_scan(const tir_exec_call *call) {
  const control_params *p = call->params;
  loop l = {.p = p,
            .call = call,
            .scratch = call->scratch,
            .stack = p->n_carry + p->n_ys};
  tir_exec_body_begin(&p->bodies[0], call->scratch, &l.body);
  begin_carries(&l, p->n_trips > 0, row_of(p, 0));
  begin_rest(&l, p->n_carry + p->n_xs);
  for (int64_t k = 0; k < p->n_trips; k++) {
    const int64_t t = row_of(p, k);
    place_rows(&l, t);
    place_results(&l, k);
    TIR_TRY(tir_exec_body_go(&l.body, call, "row", t));
    next_carries(&l);
  }
  // Without a trip the results are the initial carries.
  if (p->n_trips > 0) return TIR_OK;
  for (uint32_t i = 0; i < p->n_carry; i++)
    copy(output(call, p, i), operand(call, i), l.body.program->output_bytes[i]);
  return TIR_OK;
}

static tir_status prepare_scan(tir_exec_prepare *q) {
  const tir_attrs_loop *a = q->attrs;
  const tir_program *body = q->bodies[0];
  control_params *p = make_params(q, body->n_outputs);
  if (!p) return TIR_ERR_MEMORY;
  p->n_carry = (uint32_t)a->n_carry;
  p->n_xs = (uint32_t)a->n_xs;
  p->n_ys = body->n_outputs - p->n_carry;
  // Rows of the first x, which has as many as all others.
  p->n_trips = a->n_xs ? q->in[a->n_carry].dims[0] : a->length;
  p->reverse = a->reverse;
  p->stacks = any_used(q, (size_t)p->n_carry + p->n_ys, p->n_carry);
  note_program(q, body);
  if (!tir_exec_body_lay_out(body, &p->bodies[0])) return too_large(q);
  size_t total = p->bodies[0].layout.size;
  bool fits = take_carries(&total, body, p);
  for (uint32_t i = p->n_carry; i < body->n_outputs; i++)
    fits = fits && (q->out_used[i] ||
                    take(&total, body->output_bytes[i], &p->buffers[i]));
  if (!fits) return too_large(q);
  q->scratch_bytes = total;
  q->run = run_scan;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_scan = {.prepare = prepare_scan};

// --- cond ------------------------------------------------------------------

static tir_status run_cond(const tir_exec_call *call) {
  const control_params *p = call->params;
  const bool holds = *(const uint8_t *)operand(call, 0) != 0;
  tir_exec_body_run body;
  tir_exec_body_begin(&p->bodies[holds ? 0 : 1], call->scratch, &body);
  // Operand 0 is the condition, which no branch sees.
  for (uint32_t i = 1; i < p->n_in; i++) body.inputs[i - 1] = operand(call, i);
  for (uint32_t i = 0; i < p->n_out; i++) {
    char *to = output(call, p, i);
    body.outputs[i] = to ? to : (char *)call->scratch + p->buffers[i];
  }
  return tir_exec_body_go(&body, call, holds ? "then" : "else", -1);
}

// The branches' memory overlaps: one of them runs.
static tir_status prepare_cond(tir_exec_prepare *q) {
  control_params *p = make_params(q, q->n_out);
  if (!p) return TIR_ERR_MEMORY;
  size_t total = 0;
  for (int i = 0; i < 2; i++) {
    note_program(q, q->bodies[i]);
    if (!tir_exec_body_lay_out(q->bodies[i], &p->bodies[i]))
      return too_large(q);
    if (p->bodies[i].layout.size > total) total = p->bodies[i].layout.size;
  }
  p->n_out = (uint32_t)q->n_out;
  for (size_t i = 0; i < q->n_out; i++)
    if (!q->out_used[i] &&
        !take(&total, q->bodies[0]->output_bytes[i], &p->buffers[i]))
      return too_large(q);
  q->scratch_bytes = total;
  q->run = run_cond;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_cond = {.prepare = prepare_cond};

// --- while -----------------------------------------------------------------

// Runs the condition on the present carries, before trip k.
static tir_status ask(const loop *l, tir_exec_body_run *condition, int64_t k,
                      bool *out_holds) {
  const control_params *p = l->p;
  uint8_t *flag = (uint8_t *)l->scratch + p->flag;
  for (uint32_t i = 0; i < p->n_in; i++)
    condition->inputs[i] = l->body.inputs[i];
  condition->outputs[0] = flag;
  TIR_TRY(tir_exec_body_go(condition, l->call, "condition of trip", k));
  *out_holds = *flag != 0;
  return TIR_OK;
}

// 0 trips at most means that nothing bounds them.
static tir_status run_trips(loop *l, tir_exec_body_run *condition,
                            int64_t *out_trips) {
  const control_params *p = l->p;
  int64_t k = 0;
  for (; p->n_trips == 0 || k < p->n_trips; k++) {
    bool holds = false;
    TIR_TRY(ask(l, condition, k, &holds));
    if (!holds) break;
    for (uint32_t i = 0; i < p->n_carry; i++) {
      // The stack has n_trips rows, of carries before each trip: the last
      // result has no row of its own.
      char *row = k + 1 < p->n_trips ? stack_row(l, i, k + 1) : NULL;
      l->body.outputs[i] = row ? row : buffer(l, i, k);
    }
    TIR_TRY(tir_exec_body_go(&l->body, l->call, "trip", k));
    next_carries(l);
  }
  *out_trips = k;
  return TIR_OK;
}

// Which trip is the last shows only after it: its results are copied, and
// what it left in the rows behind is cleared.
static void finish_while(const loop *l, int64_t trips) {
  const control_params *p = l->p;
  for (uint32_t i = 0; i < p->n_carry; i++) {
    const size_t size = l->body.program->output_bytes[i];
    // Before the rows are cleared: the last result may stand in one of them.
    copy(output(l->call, p, i), l->body.inputs[i], size);
    char *row = p->stacks ? stack_row(l, i, trips) : NULL;
    if (row && size) memset(row, 0, (size_t)(p->n_trips - trips) * size);
  }
  int64_t *to = (int64_t *)(void *)output(l->call, p, p->n_carry);
  if (to) *to = trips;
}

static tir_status run_while(const tir_exec_call *call) {
  const control_params *p = call->params;
  loop l = {.p = p,
            .call = call,
            .scratch = call->scratch,
            .stack = (size_t)p->n_carry + 1};
  tir_exec_body_run condition;
  tir_exec_body_begin(&p->bodies[0], l.scratch, &condition);
  tir_exec_body_begin(&p->bodies[1], l.scratch + p->offsets[1], &l.body);
  begin_carries(&l, p->n_trips > 0, 0);
  begin_rest(&l, p->n_carry);
  int64_t trips = 0;
  TIR_TRY(run_trips(&l, &condition, &trips));
  finish_while(&l, trips);
  return TIR_OK;
}

static tir_status prepare_while(tir_exec_prepare *q) {
  const tir_attrs_while *a = q->attrs;
  const tir_program *condition = q->bodies[0], *body = q->bodies[1];
  control_params *p = make_params(q, (size_t)a->n_carry);
  if (!p) return TIR_ERR_MEMORY;
  p->n_carry = (uint32_t)a->n_carry;
  p->n_trips = a->max_trips;
  p->stacks = a->max_trips && any_used(q, (size_t)p->n_carry + 1, p->n_carry);
  note_program(q, condition);
  note_program(q, body);
  if (!tir_exec_body_lay_out(condition, &p->bodies[0]) ||
      !tir_exec_body_lay_out(body, &p->bodies[1]))
    return too_large(q);
  size_t total = p->bodies[0].layout.size;
  if (!take(&total, p->bodies[1].layout.size, &p->offsets[1]) ||
      !take(&total, 1, &p->flag) || !take_carries(&total, body, p))
    return too_large(q);
  q->scratch_bytes = total;
  q->run = run_while;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_while = {.prepare = prepare_while};
