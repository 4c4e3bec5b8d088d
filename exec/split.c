// Sharing the units of one step among lanes.
//
// Each lane starts with a range of its own, the same one in every step, so
// that what a lane wrote in one step is in its cache in the next. It takes
// half of what is left of it at a time; with nothing left it takes from the
// back of the others' ranges. A range is one 64-bit word, changed by compare
// and exchange only.
#include "exec/split.h"

#include <stdio.h>

#include "exec/blas.h"
#include "exec/threads.h"

typedef struct range {
  _Alignas(64) _Atomic(uint64_t) word;  // first unit in the low half, end
} range;

typedef struct job {
  const tir_program *program;
  const tir_exec_step *step;
  const tir_exec_call *call;
  const tir_exec_poll *poll;
  uint32_t n_lanes;
  uintptr_t caller;  // thread
  atomic_bool stop;
  tir_status stopped;  // by the caller's thread only
  // The failure of the lowest unit so far.
  _Atomic(uint32_t) failed_unit;
  tir_exec_lock lock;
  tir_status status;
  range ranges[TIR_MAX_THREADS];
} job;

static uint64_t pack(uint32_t first, uint32_t end) {
  return (uint64_t)end << 32 | first;
}

// Takes units of lane `from` for `lane`: half of what is there, or one when
// the run is polled. False when nothing is left.
static bool take(job *j, uint32_t from, bool own, uint32_t *first,
                 uint32_t *end) {
  uint64_t word = atomic_load(&j->ranges[from].word);
  for (;;) {
    const uint32_t low = (uint32_t)word;
    const uint32_t high = (uint32_t)(word >> 32);
    if (low >= high) return false;
    const uint32_t n = j->poll ? 1 : (high - low + 1) / 2;
    const uint64_t rest = own ? pack(low + n, high) : pack(low, high - n);
    if (!atomic_compare_exchange_weak(&j->ranges[from].word, &word, rest))
      continue;
    *first = own ? low : high - n;
    *end = *first + n;
    return true;
  }
}

// Ranges of units never overlap and a kernel stops at the first unit that
// fails, so the failure kept is that of the lowest unit however the lanes went
// about it.
static void note_failure(job *j, uint32_t unit, tir_status status,
                         const tir_exec_fault *fault) {
  tir_exec_lock_take(&j->lock);
  if (unit < atomic_load(&j->failed_unit)) {
    atomic_store(&j->failed_unit, unit);
    j->status = status;
    *j->call->fault = *fault;
  }
  tir_exec_lock_give(&j->lock);
}

// Every lane stops soon after one saw the flag: between units, or where a long
// one asks.
static bool should_stop(job *j) {
  const bool stopped = atomic_load_explicit(&j->stop, memory_order_relaxed);
  if (!stopped && j->poll && tir_exec_this_thread() == j->caller) {
    const tir_status status = j->poll->ask(j->poll->user);
    if (status != TIR_OK) {
      j->stopped = status;
      atomic_store(&j->stop, true);
    }
  }
  return atomic_load_explicit(&j->stop, memory_order_relaxed);
}

// What kernels on any lane ask inside a unit.
static tir_status ask_inside(void *user) {
  return should_stop(user) ? TIR_ERR_CANCELLED : TIR_OK;
}

static void run_units(job *j, tir_exec_call *call, uint32_t from, bool own) {
  uint32_t first = 0, end = 0;
  while (!should_stop(j) && take(j, from, own, &first, &end)) {
    // Only what could change the failure reported is still of interest.
    if (first >= atomic_load_explicit(&j->failed_unit, memory_order_relaxed))
      continue;
    call->first = first;
    call->end = end;
    const tir_status status = j->step->run(call);
    // A unit that was stopped has not failed: the caller's thread knows why.
    if (status == TIR_ERR_CANCELLED) return;
    if (status != TIR_OK) note_failure(j, first, status, call->fault);
  }
}

static void run_lane(void *arg, uint32_t lane) {
  job *const j = arg;
  tir_exec_fault fault;
  tir_exec_call call = *j->call;
  call.fault = &fault;
  const tir_exec_poll inside = {ask_inside, j};
  call.poll = j->poll ? &inside : NULL;
  // What all share comes first, then a part for each lane (lower.c).
  call.scratch = (char *)call.shared + j->step->split->shared_bytes +
                 lane * j->step->split->scratch_bytes;
  tir_exec_blas_guard guard;
  if (j->program->uses_blas) tir_exec_blas_begin_lane(&guard);
  // Its own range from the front, then the others' from the back, beginning
  // with its neighbour so that lanes do not all crowd on one.
  run_units(j, &call, lane, true);
  for (uint32_t i = 1; i < j->n_lanes; i++)
    run_units(j, &call, (lane + i) % j->n_lanes, false);
  if (j->program->uses_blas) tir_exec_blas_end_lane(&guard);
}

// One lane and nobody to ask: all units in one call.
static tir_status run_whole(const tir_exec_step *step,
                            const tir_exec_call *call) {
  tir_exec_call whole = *call;
  whole.scratch = (char *)call->shared + step->split->shared_bytes;
  whole.first = 0;
  whole.end = step->split->n_units;
  return step->run(&whole);
}

static tir_status run_shared(const tir_program *program,
                             const tir_exec_step *step,
                             const tir_exec_call *call,
                             const tir_exec_poll *poll) {
  const uint32_t n_units = step->split->n_units;
  const uint32_t n_lanes = tir_exec_n_lanes(program->context);
  job j;
  j.program = program;
  j.step = step;
  j.call = call;
  j.poll = poll;
  j.n_lanes = n_lanes;
  j.caller = tir_exec_this_thread();
  j.stopped = TIR_OK;
  j.status = TIR_OK;
  atomic_init(&j.stop, false);
  atomic_init(&j.failed_unit, UINT32_MAX);
  atomic_init(&j.lock.holder, 0);
  for (uint32_t i = 0; i < n_lanes; i++) {
    // Ranges differ by one unit at most; 64 bits hold the product.
    const uint64_t first = (uint64_t)n_units * i / n_lanes;
    const uint64_t end = (uint64_t)n_units * (i + 1) / n_lanes;
    atomic_init(&j.ranges[i].word, pack((uint32_t)first, (uint32_t)end));
  }
  const bool whole = tir_exec_share(program->context, run_lane, &j);
  if (j.stopped != TIR_OK) return j.stopped;
  if (whole) return j.status;
  snprintf(call->fault->message, sizeof call->fault->message,
           "this process was forked in the middle of it");
  return TIR_ERR_STATE;
}

tir_status tir_exec_run_split(const tir_program *program,
                              const tir_exec_step *step,
                              const tir_exec_call *call,
                              const tir_exec_poll *poll) {
  const bool alone = tir_exec_n_lanes(program->context) == 1 && !poll;
  TIR_TRY(alone ? run_whole(step, call)
                : run_shared(program, step, call, poll));
  // On the calling thread: what combines the units is a fixed order of its own.
  return step->split->finish ? step->split->finish(call) : TIR_OK;
}
