// Checks of fork: from a process whose threads are at rest, while another
// thread runs, from a thread that is not the first, and from inside of a run.
// Not under the thread sanitizer, which does not follow forks of threads.
#ifndef TAPEIR_TESTS_SUPPORT_FORK_CHECKS_H
#define TAPEIR_TESTS_SUPPORT_FORK_CHECKS_H

#include "tests/support/thread_runs.h"

extern "C" {
#include "exec/blas.h"
}

// Large enough that the product is cut, and goes to BLAS at the lowest level.
constexpr int64_t kForkedSide = 160;

inline Owned<tir_context> ForkedContext(int n_threads, int cpu_level) {
  tir_context_options options = {};
  options.n_threads = n_threads;
  options.cpu_level = cpu_level;
  tir_context *context = nullptr;
  EXPECT_EQ(tir_context_create(&options, &context, nullptr), TIR_OK);
  return Owned<tir_context>(context);
}

// A context with three threads, a program and an instance that has run.
struct Forker {
  explicit Forker(bool with_blas)
      : cpu_level(with_blas ? TIR_CPU_BASELINE : 0),
        context(ForkedContext(3, cpu_level)),
        large(context.get(), kForkedSide),
        program(CompileCut(context.get(), large.graph.get(), 2048)),
        instance(Instantiate(program)),
        wanted(large.Run(instance)) {
    EXPECT_EQ(program->uses_blas, with_blas && tir_exec_blas_load());
  }
  int cpu_level;
  Owned<tir_context> context;
  Large large;
  Owned<tir_program> program;
  Owned<tir_instance> instance;
  std::vector<float> wanted;
};

// True for success with the right bits, or the error that says BLAS is lost.
inline bool IsRightOrLost(const Forker &f, tir_status status,
                          const tir_error &error) {
  if (status == TIR_OK)
    return SameFloats(f.wanted, f.large.Results(f.instance));
  return status == TIR_ERR_STATE &&
         strstr(error.message, "when this process was forked");
}

// What a child can do: run what its parent compiled, unless BLAS was at work
// when it was forked, and all that it makes itself.
inline bool ChildGoesOn(const Forker &f) {
  tir_error error = {};
  Bind(f.instance, 0, f.large.data);
  const tir_status status = tir_run(f.instance.get(), nullptr, &error);
  if (!IsRightOrLost(f, status, error)) return false;
  const auto context = ForkedContext(2, f.cpu_level);
  const Large again(context.get(), kForkedSide);
  const auto program = Compile(context.get(), again.graph.get());
  const std::vector<float> got = again.Run(Instantiate(program));
  return std::abs(got.back() - f.wanted.back()) <= 1e-3f * std::abs(got.back());
}

// A child that has a child: the second one, too, is without threads.
inline bool ChildForksAgain(const Forker &f) {
  const pid_t child = fork();
  if (child == 0) _exit(ChildGoesOn(f) ? 0 : 1);
  return child > 0 && ChildGoesOn(f) && EndsWell(child);
}

inline void ForkOnce(const Forker &f, bool again, int number) {
  const pid_t child = fork();
  if (child == 0) {
    const bool good = again ? ChildForksAgain(f) : ChildGoesOn(f);
    _exit(good ? 0 : 1);
  }
  ASSERT_GT(child, 0);
  ASSERT_TRUE(EndsWell(child)) << "child " << number;
}

// The threads of the pool spin or sleep.
inline void CheckForksAtRest(int n_forks, bool with_blas) {
  const Forker f(with_blas);
  for (int i = 0; i < n_forks; i++) {
    ForkOnce(f, i % 10 == 0, i);
    if (testing::Test::HasFatalFailure()) return;
    if (i % 3 == 0) f.large.Run(f.instance);  // fork while they still spin
  }
}

inline void CheckForksOfAnotherThread(int n_forks, bool with_blas) {
  const Forker f(with_blas);
  std::thread other([&] {
    for (int i = 0; i < n_forks && !testing::Test::HasFailure(); i++)
      ForkOnce(f, false, i);
  });
  other.join();
}

// Another thread is in the middle of runs whenever a fork happens; before the
// first one it is done allocating, because the address sanitizer's allocator
// leaves its locks as they are in a child.
inline void CheckForksBesideRuns(int n_forks, bool with_blas) {
  const Forker f(with_blas);
  std::atomic<bool> stop{false}, runs{false};
  std::thread busy([&] {
    const auto mine = Instantiate(f.program);
    Bind(mine, 0, f.large.data);
    while (!stop) {
      RunOk(mine);
      runs = true;
    }
  });
  while (!runs) std::this_thread::yield();
  for (int i = 0; i < n_forks && !testing::Test::HasFailure(); i++)
    ForkOnce(f, false, i);
  stop = true;
  busy.join();
}

// --- forks inside of a run ---------------------------------------------------

// Forks at the given call of the callback.
struct ForkAt {
  int left;
  pid_t child = -1;  // 0 in the child itself
  void Count() {
    if (left-- == 0) child = fork();
  }
  static bool Cancel(void *user) {
    static_cast<ForkAt *>(user)->Count();
    return false;
  }
  static void Monitor(void *user, const tir_step_report *) {
    static_cast<ForkAt *>(user)->Count();
  }
};

// The parent's run ends as if nothing had happened. In the child it ends too:
// with the right bits, or because what other threads were at is lost; and then
// the next one is right.
inline bool SideGoesOn(const Forker &f, const ForkAt &at, tir_status status,
                       const tir_error &error) {
  const bool is_right =
      status == TIR_OK && SameFloats(f.wanted, f.large.Results(f.instance));
  if (at.child != 0) return is_right;
  const bool is_lost =
      status == TIR_ERR_STATE &&
      (strstr(error.message, "this process was forked in the middle of it") ||
       strstr(error.message, "when this process was forked"));
  return (is_right || is_lost) && ChildGoesOn(f);
}

// False when the run has no such call.
inline bool ForkInRun(const Forker &f, bool monitored, int call) {
  ForkAt at = {call};
  tir_run_options options = {};
  if (monitored) {
    options.monitor = ForkAt::Monitor;
    options.monitor_user = &at;
  } else {
    options.cancel = ForkAt::Cancel;
    options.cancel_user = &at;
  }
  tir_error error = {};
  Bind(f.instance, 0, f.large.data);
  const tir_status status = tir_run(f.instance.get(), &options, &error);
  const bool good = SideGoesOn(f, at, status, error);
  if (at.child == 0) _exit(good ? 0 : 1);
  EXPECT_TRUE(good) << error.message;
  if (at.child < 0) return false;
  EXPECT_TRUE(EndsWell(at.child)) << "call " << call;
  return true;
}

inline void CheckForksInRuns(int n_forks, bool with_blas) {
  const Forker f(with_blas);
  for (bool monitored : {false, true}) {
    int call = 0, n_inside = 0;
    for (int i = 0; i < n_forks && !testing::Test::HasFailure(); i++) {
      const bool inside = ForkInRun(f, monitored, call);
      n_inside += inside;
      call = inside ? call + 1 + i % 4 : 0;
    }
    EXPECT_GT(n_inside, 0);
  }
}

#endif
