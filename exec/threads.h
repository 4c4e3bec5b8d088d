// Threads: the one place that knows them.
//
// A pool belongs to a context and is started when the first program that can
// use it gets an instance. Handing work over costs well under a microsecond
// while workers still spin; after about 2,000 pauses they sleep.
#ifndef TAPEIR_EXEC_THREADS_H
#define TAPEIR_EXEC_THREADS_H

#include <signal.h>

#include "ir/base/context.h"

// Lanes work may be spread over: the caller's own and one per other thread.
static inline uint32_t tir_exec_n_lanes(const tir_context *context) {
  return (uint32_t)context->n_threads;
}

// Starts the context's threads unless they run or it needs none. When the
// system refuses some, those that were started do the work.
// Errors  MEMORY.
tir_status tir_exec_start_threads(tir_context *context, tir_error *error);

// Work of one lane. Lane 0 is the caller's own thread; with a host's runner
// lanes may run on any thread, one after the other or side by side.
typedef void (*tir_exec_lane_fn)(void *arg, uint32_t lane);

// Calls body(arg, 0) and, while that runs, body(arg, lane) for other lanes, at
// most once each; not all of them need to come. Returns when every call made
// has returned. In a forked child, or while another run of the context has the
// threads, only lane 0 runs. False if `body` itself forked and this is the
// child: what other lanes had begun is lost. Allocates nothing.
bool tir_exec_share(tir_context *context, tir_exec_lane_fn body, void *arg);

// A lock that never outlives a fork: a child takes over what a thread of its
// parent held. All-zero is unlocked. For short sections only: waiting yields.
typedef struct tir_exec_lock {
  atomic_int holder;  // process id
} tir_exec_lock;
void tir_exec_lock_take(tir_exec_lock *lock);
void tir_exec_lock_give(tir_exec_lock *lock);

// Tells threads that run at the same time apart.
uintptr_t tir_exec_this_thread(void);

// Sets the calling thread's mask of blocked signals, which threads it starts
// inherit.
void tir_exec_signals_swap(const sigset_t *mask, sigset_t *out_before);

#endif
