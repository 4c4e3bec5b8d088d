// The pool: workers that join the calling thread for the length of one job.
//
// A job is open from tir_exec_share's start until its caller has run out of
// work: meanwhile `epoch` is odd. A worker enters by raising `inside` and then
// looks at the epoch; the caller closes the job and then waits until nobody is
// inside.
// So a worker that the system keeps off its core delays nobody unless it is in
// the middle of a piece of work. A caller that lost time to such a worker works
// alone for a while, so that neighbours cost little. Signals are blocked in
// workers, so the host's handlers run on the host's threads.
#define _GNU_SOURCE  // madvise, sched_getaffinity, syscall
#include "exec/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#if defined(__linux__)
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#define TIR_HAS_POOL 1
#else
#define TIR_HAS_POOL 0
#endif

#include "exec/float_control.h"
#include "ir/base/clock.h"

// --- the lock ---------------------------------------------------------------

void tir_exec_lock_take(tir_exec_lock *lock) {
  const int self = (int)getpid();
  for (;;) {
    int holder = 0;
    if (atomic_compare_exchange_strong(&lock->holder, &holder, self)) return;
    // Held by another process: by a thread this one does not have.
    if (holder != self &&
        atomic_compare_exchange_strong(&lock->holder, &holder, self))
      return;
    sched_yield();
  }
}

void tir_exec_lock_give(tir_exec_lock *lock) { atomic_store(&lock->holder, 0); }

void tir_exec_signals_swap(const sigset_t *mask, sigset_t *out_before) {
  pthread_sigmask(SIG_SETMASK, mask, out_before);
}

uintptr_t tir_exec_this_thread(void) { return (uintptr_t)pthread_self(); }

// --- the host's threads -----------------------------------------------------

typedef struct hosted {
  tir_exec_lane_fn body;
  void *arg;
} hosted;

static void run_hosted(void *arg, size_t index, size_t worker) {
  (void)worker;  // lanes are told apart by the index, which is never shared
  const hosted *const job = arg;
  const tir_exec_float_control host = tir_exec_float_enter();
  job->body(job->arg, (uint32_t)index);
  tir_exec_float_leave(&host);
}

static void share_hosted(const tir_runner *runner, tir_exec_lane_fn body,
                         void *arg) {
  hosted job = {body, arg};
  runner->run(runner->user, runner->n_workers, run_hosted, &job);
}

#if TIR_HAS_POOL

enum {
  MAX_PAUSES = 2000,
  STACK_BYTES = 1 << 20,
  // A loss is one part in so many of the time until the next may be risked.
  LOSS_SHARE = 16,
  // Above what it was seen to cost to wake a worker without a core of its own.
  VAIN_WAKE_NS = 20000,
};

typedef struct worker {
  struct pool *pool;
  uint32_t lane;
  pthread_t thread;
} worker;

typedef struct pool {
  tir_base_attachment attachment;  // first: what the context holds
  int max_pauses;
  uint32_t n_workers;
  worker workers[TIR_MAX_THREADS];
  // A page the system clears in a forked child, where the threads are gone.
  atomic_int *alive;
  atomic_bool taken;  // a caller has the workers
  _Atomic(int64_t) alone_until_ns;
  tir_exec_lane_fn body;
  void *arg;
  atomic_int core;                 // the caller's, when its job began
  _Alignas(64) atomic_uint epoch;  // odd: a job is open. Workers sleep on it
  atomic_uint n_asleep;
  atomic_bool quit;
  _Alignas(64) atomic_uint inside;  // the caller sleeps on it
  atomic_bool caller_asleep;
} pool;

// --- waiting ----------------------------------------------------------------

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

// Sleeps unless *word is no longer `seen`. May wake for no reason.
static void sleep_on(atomic_uint *word, unsigned seen) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void wake_all(atomic_uint *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

// --- workers ----------------------------------------------------------------

// A worker there only takes turns with the caller.
static bool is_on_callers_core(const pool *p) {
  const int core = atomic_load_explicit(&p->core, memory_order_relaxed);
  return core >= 0 && sched_getcpu() == core;  // below 0: unknown
}

// For so long that all such losses together are a small part of the time.
static void work_alone(pool *p, int64_t loss_ns) {
  atomic_store_explicit(&p->alone_until_ns,
                        tir_base_now_ns() + LOSS_SHARE * loss_ns,
                        memory_order_relaxed);
}

static void wait_for_change(pool *p, unsigned seen) {
  const int n_pauses = is_on_callers_core(p) ? 0 : p->max_pauses;
  for (int i = 0; i < n_pauses; i++) {
    if (atomic_load_explicit(&p->epoch, memory_order_acquire) != seen) return;
    pause_briefly();
  }
  atomic_fetch_add(&p->n_asleep, 1);
  while (atomic_load(&p->epoch) == seen) sleep_on(&p->epoch, seen);
  atomic_fetch_sub(&p->n_asleep, 1);
}

static void join(pool *p, uint32_t lane) {
  if (is_on_callers_core(p))
    work_alone(p, VAIN_WAKE_NS);
  else
    p->body(p->arg, lane);
}

static void *work(void *arg) {
  const worker *const self = arg;
  pool *const p = self->pool;
  unsigned seen = 0;
  tir_exec_float_enter();
  for (;;) {
    wait_for_change(p, seen);
    atomic_fetch_add(&p->inside, 1);
    // A job open now stays open, or at least waits, while this is inside.
    seen = atomic_load(&p->epoch);
    // After the epoch, whose last change follows that of `quit`.
    if (atomic_load(&p->quit)) return NULL;
    if (seen % 2 == 1) join(p, self->lane);
    if (atomic_fetch_sub(&p->inside, 1) == 1 && atomic_load(&p->caller_asleep))
      wake_all(&p->inside);
  }
}

// --- jobs -------------------------------------------------------------------

// False if that took more than some microseconds.
static bool wait_briefly(const pool *p) {
  for (int i = 0; i <= p->max_pauses; i++) {
    if (atomic_load_explicit(&p->inside, memory_order_acquire) == 0)
      return true;
    pause_briefly();
  }
  return false;
}

static void wait_until_left(pool *p) {
  atomic_store(&p->caller_asleep, true);
  for (unsigned n = atomic_load(&p->inside); n != 0;
       n = atomic_load(&p->inside))
    sleep_on(&p->inside, n);
  atomic_store(&p->caller_asleep, false);
}

// A caller that waited for longer than it worked would have been done sooner
// alone: some worker was kept off its core in the middle of its work.
static void note_loss(pool *p, int64_t start_ns, int64_t worked_ns) {
  const int64_t waited_ns = tir_base_now_ns() - worked_ns;
  if (waited_ns > worked_ns - start_ns) work_alone(p, waited_ns);
}

static bool can_share(pool *p, int64_t now_ns) {
  return atomic_load_explicit(p->alive, memory_order_relaxed) &&
         now_ns >=
             atomic_load_explicit(&p->alone_until_ns, memory_order_relaxed) &&
         !atomic_exchange(&p->taken, true);
}

static bool share_own(pool *p, tir_exec_lane_fn body, void *arg) {
  const int64_t start_ns = tir_base_now_ns();
  if (!can_share(p, start_ns)) {
    body(arg, 0);
    return true;
  }
  p->body = body;
  p->arg = arg;
  atomic_store_explicit(&p->core, sched_getcpu(), memory_order_relaxed);
  atomic_fetch_add(&p->epoch, 1);
  if (atomic_load(&p->n_asleep) > 0) wake_all(&p->epoch);
  body(arg, 0);
  // In a child that a callback of the host made, nobody would ever leave.
  if (!atomic_load_explicit(p->alive, memory_order_relaxed)) return false;
  atomic_fetch_add(&p->epoch, 1);
  const int64_t worked_ns = tir_base_now_ns();
  if (!wait_briefly(p)) {
    wait_until_left(p);
    note_loss(p, start_ns, worked_ns);
  }
  atomic_store(&p->taken, false);
  return true;
}

// --- starting and ending ----------------------------------------------------

static atomic_int *map_alive(void) {
  const size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *const page = mmap(NULL, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return NULL;
  if (madvise(page, size, MADV_WIPEONFORK) != 0) {
    munmap(page, size);
    return NULL;
  }
  atomic_int *const alive = page;
  atomic_store(alive, 1);
  return alive;
}

static void destroy(tir_context *context, tir_base_attachment *attachment) {
  pool *const p = (pool *)(void *)attachment;
  if (p->alive && atomic_load(p->alive)) {
    atomic_store(&p->quit, true);
    atomic_fetch_add(&p->epoch, 2);
    wake_all(&p->epoch);
    for (uint32_t i = 0; i < p->n_workers; i++)
      pthread_join(p->workers[i].thread, NULL);
  }
  if (p->alive) munmap(p->alive, (size_t)sysconf(_SC_PAGESIZE));
  tir_base_free(context, p, sizeof *p, _Alignof(pool));
}

// With more threads than cores a spinning thread keeps a working one out.
static int choose_pauses(uint32_t n_threads) {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0) return 0;
  return (uint32_t)CPU_COUNT(&cores) >= n_threads ? MAX_PAUSES : 0;
}

static void start_workers(pool *p, uint32_t n) {
  pthread_attr_t attributes;
  sigset_t all, before;
  if (pthread_attr_init(&attributes) != 0) return;
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  // A thread inherits the mask of its maker.
  sigfillset(&all);
  tir_exec_signals_swap(&all, &before);
  while (p->n_workers < n) {
    worker *const w = &p->workers[p->n_workers];
    w->pool = p;
    w->lane = p->n_workers + 1;
    if (pthread_create(&w->thread, &attributes, work, w) != 0) break;
    p->n_workers++;
  }
  tir_exec_signals_swap(&before, NULL);
  pthread_attr_destroy(&attributes);
}

tir_status tir_exec_start_threads(tir_context *context, tir_error *error) {
  if (context->n_threads < 2 || context->runner.run) return TIR_OK;
  if (atomic_load(&context->attachment)) return TIR_OK;
  pool *const p = tir_base_alloc_zero(context, sizeof *p, _Alignof(pool));
  if (!p) return tir_base_fail_memory(error, sizeof *p);
  p->attachment.destroy = destroy;
  p->max_pauses = choose_pauses((uint32_t)context->n_threads);
  // Two threads may come here at once: threads are started only by the one
  // whose pool the context takes, and by then jobs may already use it.
  p->alive = map_alive();
  tir_base_attachment *expected = NULL;
  if (!p->alive || !atomic_compare_exchange_strong(&context->attachment,
                                                   &expected, &p->attachment)) {
    destroy(context, &p->attachment);
    return TIR_OK;
  }
  start_workers(p, (uint32_t)context->n_threads - 1);
  return TIR_OK;
}

bool tir_exec_share(tir_context *context, tir_exec_lane_fn body, void *arg) {
  if (context->runner.run) {
    share_hosted(&context->runner, body, arg);
    return true;
  }
  pool *const p = (pool *)(void *)atomic_load_explicit(&context->attachment,
                                                       memory_order_acquire);
  if (p) return share_own(p, body, arg);
  body(arg, 0);
  return true;
}

#else

tir_status tir_exec_start_threads(tir_context *context, tir_error *error) {
  (void)context;
  (void)error;
  return TIR_OK;
}

bool tir_exec_share(tir_context *context, tir_exec_lane_fn body, void *arg) {
  if (context->runner.run)
    share_hosted(&context->runner, body, arg);
  else
    body(arg, 0);
  return true;
}

#endif
