// Threads: the same bits however many there are, whoever owns them and
// whatever the host does meanwhile.
// Labels: threads blas
#include <fenv.h>
#include <sys/time.h>

#include "tests/support/fork_checks.h"
#include "tests/support/pool_checks.h"
#include "tests/support/threaded_training.h"

namespace {

constexpr int64_t kSide = 280;

Owned<tir_context> ContextOf(const tir_context_options &options) {
  tir_context *context = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_context_create(&options, &context, &error), TIR_OK)
      << error.message;
  return Owned<tir_context>(context);
}

std::vector<float> Train(tir_context *context) {
  return ThreadedTraining(context).Run(2);
}

TEST(Threads, TrainingGivesTheSameBits) {
  const std::vector<float> alone = Train(MakeContext(1).get());
  ASSERT_GT(alone.size(), 1000u);
  for (int n_threads : {2, 5})
    EXPECT_TRUE(SameFloats(alone, Train(MakeContext(n_threads).get())))
        << n_threads;
}

TEST(Threads, LargeStepsAreCut) {
  const auto context = MakeContext(2);
  const Large large(context.get(), kSide);
  const auto program = Compile(context.get(), large.graph.get());
  EXPECT_TRUE(program->is_split);
  for (uint32_t i = 0; i < program->n_steps; i++)
    EXPECT_NE(program->steps[i].split, nullptr) << i;
}

// --- the pool ----------------------------------------------------------------

TEST(Threads, EachLaneComesAtMostOnce) { CheckLanes(200); }
TEST(Threads, PoolsComeAndGo) { CheckPools(50); }
TEST(Threads, ManyShareOneProgram) { CheckManyShare(1, 8, 10); }
TEST(Threads, TwoGraphsShareOnePool) { CheckManyShare(2, 4, 10); }
TEST(Threads, LoadAndFreeInParallel) { CheckLoadAndFree(4, 2); }

TEST(Threads, StartWhenAProgramNeedsThem) {
  const int before = ThreadsOfProcess();
  const auto context = MakeContext(3);
  {
    GraphBuilder b(context.get());
    b.Output("y", tir_neg(b.tape(), b.Input("x", TIR_DTYPE_F32, {10})));
    const Owned<tir_graph> small(b.Publish());
    const auto program = Compile(context.get(), small.get());
    const auto instance = Instantiate(program);
    EXPECT_EQ(ThreadsOfProcess(), before);
  }
  const Large large(context.get(), kSide);
  const auto program = Compile(context.get(), large.graph.get());
  EXPECT_EQ(ThreadsOfProcess(), before);
  const auto instance = Instantiate(program);
  EXPECT_EQ(ThreadsOfProcess(), before + 2);
}

// --- the host's own threads --------------------------------------------------

using Task = void (*)(void *arg, size_t index, size_t worker);

void RunBackwards(void *user, size_t n, Task task, void *arg) {
  ++*static_cast<int *>(user);
  for (size_t i = n; i-- > 0;) task(arg, i, 0);
}

void RunOnThreads(void *user, size_t n, Task task, void *arg) {
  ++*static_cast<int *>(user);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < n; i++) threads.emplace_back(task, arg, i, i);
  for (std::thread &thread : threads) thread.join();
}

// The last of several threads is the caller's own.
void RunOnCaller(void *user, size_t n, Task task, void *arg) {
  ++*static_cast<int *>(user);
  std::vector<std::thread> threads;
  for (size_t i = 0; i + 1 < n; i++) threads.emplace_back(task, arg, i, i);
  task(arg, n - 1, n - 1);
  for (std::thread &thread : threads) thread.join();
}

TEST(Threads, HostMayBringItsOwn) {
  const std::vector<float> alone = Train(MakeContext(1).get());
  for (auto run : {RunBackwards, RunOnThreads}) {
    int n_calls = 0;
    tir_context_options options = {};
    options.runner = {run, &n_calls, 3};
    const int before = ThreadsOfProcess();
    const auto context = ContextOf(options);
    EXPECT_TRUE(SameFloats(alone, Train(context.get())));
    EXPECT_EQ(ThreadsOfProcess(), before);
    EXPECT_GT(n_calls, 0);
  }
}

// Whichever lane comes first on the calling thread looks at the callback.
TEST(Threads, RunsOnHostsThreadsStopWithinAStep) {
  for (auto run : {RunBackwards, RunOnCaller}) {
    int n_calls = 0;
    tir_context_options options = {};
    options.runner = {run, &n_calls, 3};
    const auto context = ContextOf(options);
    const Large large(context.get(), kSide);
    const auto program = CompileCut(context.get(), large.graph.get(), 2048);
    const auto instance = Instantiate(program);
    Bind(instance, 0, large.data);
    int n_asked = 0;
    tir_run_options stop = {};
    stop.cancel = [](void *user) { return ++*static_cast<int *>(user) == 3; };
    stop.cancel_user = &n_asked;
    tir_error error = {};
    EXPECT_EQ(tir_run(instance.get(), &stop, &error), TIR_ERR_CANCELLED);
    EXPECT_NE(strstr(error.message, "cancelled before step 1 of"), nullptr)
        << error.message;
    EXPECT_EQ(n_asked, 3);
  }
}

TEST(Threads, RunnerIsChecked) {
  tir_context *context = nullptr;
  tir_error error = {};
  tir_context_options options = {};
  options.runner.n_workers = 2;
  EXPECT_EQ(tir_context_create(&options, &context, &error), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message, "context_create: runner has no run function");
  options.runner = {RunBackwards, nullptr, 65};
  EXPECT_EQ(tir_context_create(&options, &context, &error), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message,
               "context_create: runner has 65 workers, expected 1 to 64");
  options.runner.n_workers = 2;
  options.n_threads = 2;
  EXPECT_EQ(tir_context_create(&options, &context, &error), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message,
               "context_create: n_threads is 2, expected 0 beside a runner");
  options = {};
  options.n_threads = 65;
  EXPECT_EQ(tir_context_create(&options, &context, &error), TIR_ERR_LIMIT);
  EXPECT_STREQ(error.message,
               "context_create: n_threads is 65, at most 64 are possible");
}

// --- what the host does meanwhile --------------------------------------------

TEST(Threads, RoundingOfTheHostIsItsOwn) {
  const auto context = MakeContext(3);
  const Large large(context.get(), kSide);
  const auto program = Compile(context.get(), large.graph.get());
  const auto instance = Instantiate(program);
  const std::vector<float> wanted = large.Run(instance);
  fesetround(FE_UPWARD);
  const std::vector<float> got = large.Run(instance);
  EXPECT_EQ(fegetround(), FE_UPWARD);
  fesetround(FE_TONEAREST);
  EXPECT_TRUE(SameFloats(wanted, got));
}

pid_t signalled_thread;
std::atomic<int> n_signals;
std::atomic<int> n_elsewhere;

void OnAlarm(int) {
  n_signals++;
  if (gettid() != signalled_thread) n_elsewhere++;
}

TEST(Threads, SignalsStayWithTheHost) {
  const auto context = MakeContext(3);
  const Large large(context.get(), kSide);
  const auto program = Compile(context.get(), large.graph.get());
  const auto instance = Instantiate(program);
  const std::vector<float> wanted = large.Run(instance);
  signalled_thread = gettid();
  n_signals = 0;
  n_elsewhere = 0;
  struct sigaction action = {}, before;
  action.sa_handler = OnAlarm;
  sigaction(SIGALRM, &action, &before);
  const itimerval storm = {{0, 1000}, {0, 1000}}, calm = {};
  setitimer(ITIMER_REAL, &storm, nullptr);
  for (int i = 0; i < 100 && n_signals < 50; i++)
    EXPECT_TRUE(SameFloats(wanted, large.Run(instance)));
  setitimer(ITIMER_REAL, &calm, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  EXPECT_GT(n_signals, 10);
  EXPECT_EQ(n_elsewhere, 0);
}

#if !defined(TIR_UNDER_TSAN)
TEST(Threads, ForkedChildrenGoOn) {
  CheckForksAtRest(2, false);
  CheckForksBesideRuns(2, true);
  CheckForksInRuns(2, false);
}

// What the child is told when its run was in a loop: why, and in which node.
TEST(Threads, AForkInALoopTellsWhatWasLost) {
  const auto context = ForkedContext(1, TIR_CPU_BASELINE);
  GraphBuilder b(context.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {kForkedSide, kForkedSide});
  const tir_value trips = b.Input("trips", TIR_DTYPE_F32, {3});
  tir_value last;
  tir_scan(
      b.tape(),
      [](tir_tape *t, void *, const tir_value *carry, const tir_value *,
         tir_value *next,
         tir_value *) { next[0] = tir_matmul(t, carry[0], carry[0]); },
      nullptr, &x, 1, &trips, 1, 0, nullptr, &last, nullptr);
  b.Output("y", last);
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context.get(), graph.get());
  ASSERT_EQ(program->uses_blas, tir_exec_blas_load());
  const auto instance = Instantiate(program);
  const std::vector<float> zeros(kForkedSide * kForkedSide), each(3);
  Bind(instance, 0, zeros);
  Bind(instance, 1, each);
  // The first call comes before the loop, the others are of its trips.
  for (int call = 1; call < 3; call++) {
    ForkAt at = {call};
    tir_run_options options = {};
    options.cancel = ForkAt::Cancel;
    options.cancel_user = &at;
    tir_error error = {};
    const tir_status status = tir_run(instance.get(), &options, &error);
    if (at.child == 0) {
      const std::string told =
          program->uses_blas
              ? "scan: BLAS was at work in another thread when this process "
                "was forked: compile the program again: node %3"
              : "";
      if (told != error.message)
        fprintf(stderr, "child: %d, %s\n", status, error.message);
      _exit(told == error.message ? 0 : 1);
    }
    EXPECT_EQ(status, TIR_OK) << error.message;
    EXPECT_TRUE(EndsWell(at.child)) << "call " << call;
  }
}
#endif

// --- failures and stopping ---------------------------------------------------

TEST(Threads, TheFirstFaultIsReported) {
  const auto context = MakeContext(4);
  GraphBuilder b(context.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {1000, 16});
  const tir_value at = b.Input("at", TIR_DTYPE_I64, {200000});
  b.Output("y", tir_gather(b.tape(), x, at, 0));
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context.get(), graph.get());
  ASSERT_NE(program->steps[0].split, nullptr);
  const auto instance = Instantiate(program);
  const std::vector<float> data(16000);
  std::vector<int64_t> indices(200000, 5);
  for (size_t i = 70000; i < indices.size(); i += 9973) indices[i] = 1000;
  Bind(instance, 0, data);
  Bind(instance, 1, indices);
  for (int i = 0; i < 10; i++) {
    tir_error error = {};
    ASSERT_EQ(tir_run(instance.get(), nullptr, &error), TIR_ERR_VALUE);
    ASSERT_NE(std::string(error.message)
                  .find("index 1000 at position 70000 is out of range"),
              std::string::npos)
        << error.message;
  }
}

// The callback and the clock are looked at within long steps: at least once in
// so many operations, a few milliseconds of work. How long it takes is measured
// in exec_latency_gate_test.
TEST(Threads, LongStepsAreWatched) {
  constexpr int64_t kLong = 1200;
  constexpr double kFlops = 2.0 * kLong * kLong * kLong;
  for (int n_threads : {1, 2}) {
    const auto context = MakeContext(n_threads);
    GraphBuilder b(context.get());
    tir_value x = b.Input("x", TIR_DTYPE_F32, {kLong, kLong});
    b.Output("y", tir_matmul(b.tape(), x, x));
    const Owned<tir_graph> graph(b.Publish());
    const auto program = Compile(context.get(), graph.get());
    const auto instance = Instantiate(program);
    const std::vector<float> data(kLong * kLong, 0.01f);
    Bind(instance, 0, data);
    int n_asked = 0;
    tir_run_options options = {};
    options.cancel = [](void *user) {
      ++*static_cast<int *>(user);
      return false;
    };
    options.cancel_user = &n_asked;
    ASSERT_EQ(tir_run(instance.get(), &options, nullptr), TIR_OK);
    EXPECT_GE(n_asked * n_threads, kFlops / 0.5e9) << n_threads << " threads";
    options = {};
    options.deadline_ns = NowNs() + 1000000;
    tir_error error = {};
    EXPECT_EQ(tir_run(instance.get(), &options, &error), TIR_ERR_CANCELLED);
    EXPECT_STREQ(error.message, "run: past its deadline before step 1 of 1");
  }
}

}  // namespace
