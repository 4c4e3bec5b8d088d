// Threads: the same bits however many there are, whoever owns them and
// whatever the host does meanwhile.
// Labels: threads blas
#include <fenv.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/support/compiled.h"
#include "tests/support/graph_builder.h"
#include "tests/support/threaded_training.h"

extern "C" {
#include "exec/split.h"
#include "exec/threads.h"
}

#if defined(__SANITIZE_THREAD__)
#define TIR_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TIR_UNDER_TSAN 1
#endif
#endif

namespace {

Owned<tir_context> ContextOf(const tir_context_options &options) {
  tir_context *context = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_context_create(&options, &context, &error), TIR_OK)
      << error.message;
  return Owned<tir_context>(context);
}

tir_value SumOf(tir_tape *tape, tir_value x) {
  return tir_sum(tape, x, nullptr, 0, false);
}

std::vector<float> Train(tir_context *context) {
  return ThreadedTraining(context).Run(4);
}

bool SameFloats(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() &&
         memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// A graph whose steps are all cut: side² elements, a sum, a product.
struct Large {
  explicit Large(tir_context *context, int64_t side = 1000) {
    GraphBuilder b(context);
    const tir_value x = b.Input("x", TIR_DTYPE_F32, {side, side});
    const tir_value y = tir_tanh(b.tape(), tir_matmul(b.tape(), x, x));
    b.Output("y", y);
    b.Output("sum", SumOf(b.tape(), tir_mul(b.tape(), y, x)));
    graph.reset(b.Publish());
    TestRandom random(3);
    data.resize(static_cast<size_t>(side * side));
    for (float &v : data) v = static_cast<float>(random.Between(-0.1, 0.1));
  }
  std::vector<float> Run(const Owned<tir_instance> &instance) const {
    Bind(instance, 0, data);
    RunOk(instance);
    std::vector<float> out = Output<float>(instance, 0, data.size());
    out.push_back(Output<float>(instance, 1, 1)[0]);
    return out;
  }
  Owned<tir_graph> graph;
  std::vector<float> data;
};

TEST(Threads, TrainingGivesTheSameBits) {
  const std::vector<float> alone = Train(MakeContext(1).get());
  ASSERT_GT(alone.size(), 1000u);
  for (int n_threads : {2, 3, 5, 8})
    EXPECT_TRUE(SameFloats(alone, Train(MakeContext(n_threads).get())))
        << n_threads;
}

TEST(Threads, LargeStepsAreCut) {
  const auto context = MakeContext(2);
  const Large large(context.get());
  const auto program = Compile(context.get(), large.graph.get());
  EXPECT_TRUE(program->is_split);
  for (uint32_t i = 0; i < program->n_steps; i++)
    EXPECT_NE(program->steps[i].split, nullptr) << i;
}

// --- the pool ----------------------------------------------------------------

struct Lanes {
  std::atomic<int> calls[TIR_MAX_THREADS] = {};
};

void CountLane(void *arg, uint32_t lane) {
  static_cast<Lanes *>(arg)->calls[lane]++;
}

// Leaves the others time to come, even on a busy machine.
void CountSlowly(void *arg, uint32_t lane) {
  CountLane(arg, lane);
  if (lane == 0) usleep(200);
}

TEST(Threads, EachLaneComesAtMostOnce) {
  const auto context = MakeContext(4);
  ASSERT_EQ(tir_exec_start_threads(context.get(), nullptr), TIR_OK);
  int others = 0;
  for (int round = 0; round < 2000; round++) {
    Lanes lanes;
    tir_exec_share(context.get(), round % 10 ? CountLane : CountSlowly, &lanes);
    ASSERT_EQ(lanes.calls[0], 1);
    for (int l = 1; l < TIR_MAX_THREADS; l++) {
      ASSERT_LE(lanes.calls[l], l < 4 ? 1 : 0);
      others += lanes.calls[l];
    }
  }
  EXPECT_GT(others, 0);
}

TEST(Threads, PoolsComeAndGo) {
  for (int i = 0; i < 1000; i++) {
    const auto context = MakeContext(3);
    ASSERT_EQ(tir_exec_start_threads(context.get(), nullptr), TIR_OK);
    if (i % 2) continue;
    Lanes lanes;
    tir_exec_share(context.get(), CountLane, &lanes);
    ASSERT_EQ(lanes.calls[0], 1);
  }
}

int ThreadsOfProcess() {
  FILE *file = fopen("/proc/self/status", "r");
  char line[256];
  int n = 0;
  while (file && fgets(line, sizeof line, file))
    sscanf(line, "Threads: %d", &n);
  if (file) fclose(file);
  return n;
}

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
  const Large large(context.get());
  const auto program = Compile(context.get(), large.graph.get());
  EXPECT_EQ(ThreadsOfProcess(), before);
  const auto instance = Instantiate(program);
  EXPECT_EQ(ThreadsOfProcess(), before + 2);
}

TEST(Threads, ManyShareOneProgram) {
#if defined(TIR_UNDER_TSAN)
  constexpr int kRuns = 100;
#else
  constexpr int kRuns = 1000;
#endif
  const auto context = MakeContext(2);
  GraphBuilder b(context.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {64, 64});
  const tir_value y = tir_softmax(b.tape(), tir_matmul(b.tape(), x, x), 1);
  b.Output("y", SumOf(b.tape(), tir_square(b.tape(), y)));
  const Owned<tir_graph> graph(b.Publish());
  tir_ir_graph *copy = nullptr;
  ASSERT_EQ(tir_ir_graph_copy(graph->ir, &copy, nullptr), TIR_OK);
  tir_exec_compile_options options = {};
  options.grain = 64;  // so that lanes are used
  tir_program *made = nullptr;
  ASSERT_EQ(tir_exec_compile(context.get(), copy, &options, &made, nullptr),
            TIR_OK);
  const Owned<tir_program> program(made);
  std::vector<float> data(64 * 64);
  for (size_t i = 0; i < data.size(); i++)
    data[i] = std::sin(static_cast<float>(i));
  const auto first = Instantiate(program);
  Bind(first, 0, data);
  RunOk(first);
  const float wanted = Output<float>(first, 0, 1)[0];
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; i++)
    threads.emplace_back([&] {
      const auto instance = Instantiate(program);
      Bind(instance, 0, data);
      for (int k = 0; k < kRuns; k++) {
        RunOk(instance);
        const float sum = Output<float>(instance, 0, 1)[0];
        wrong += memcmp(&sum, &wanted, sizeof sum) != 0;
      }
    });
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
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
  const Large large(context.get());
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
  const Large large(context.get());
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

#if !defined(TIR_UNDER_TSAN)  // which does not follow forks of threads
// True if the child ends well within a minute: one that hangs never would, one
// that only computes is slow under the sanitizers on a busy machine.
bool EndsWell(pid_t child) {
  for (int i = 0; i < 60000; i++) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    usleep(1000);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return false;
}

// What a child can do: run what its parent compiled, unless BLAS was at work
// when it was forked, and all that it makes itself.
bool ChildGoesOn(const Large &large, const Owned<tir_instance> &instance,
                 const std::vector<float> &wanted) {
  tir_error error = {};
  Bind(instance, 0, large.data);
  const tir_status status = tir_run(instance.get(), nullptr, &error);
  if (status == TIR_OK) {
    if (!SameFloats(wanted, large.Run(instance))) return false;
  } else if (status != TIR_ERR_STATE ||
             !strstr(error.message, "when this process was forked")) {
    return false;
  }
  const auto context = MakeContext(2);
  const Large again(context.get(), 240);
  const auto program = Compile(context.get(), again.graph.get());
  const std::vector<float> got = again.Run(Instantiate(program));
  return std::abs(got.back() - wanted.back()) <= 1e-3f * std::abs(got.back());
}

TEST(Threads, ForkedChildrenGoOn) {
  const auto context = MakeContext(3);
  const Large large(context.get(), 240);
  const auto program = Compile(context.get(), large.graph.get());
  const auto instance = Instantiate(program);
  const std::vector<float> wanted = large.Run(instance);
  // Another thread is in the middle of runs whenever a fork happens; before
  // the first one it is done allocating, because the address sanitizer's
  // allocator leaves its locks as they are in a child.
  std::atomic<bool> stop{false}, runs{false};
  std::thread busy([&] {
    const auto mine = Instantiate(program);
    Bind(mine, 0, large.data);
    while (!stop) {
      RunOk(mine);
      runs = true;
    }
  });
  while (!runs) std::this_thread::yield();
  for (int i = 0; i < 20; i++) {
    const pid_t child = fork();
    if (child == 0) {
      const bool good = ChildGoesOn(large, instance, wanted);
      _exit(good ? 0 : 1);
    }
    ASSERT_GT(child, 0);
    const bool good = EndsWell(child);
    EXPECT_TRUE(good) << "child " << i;
    if (!good) break;  // the others would take as long to fail
  }
  stop = true;
  busy.join();
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
  for (int i = 0; i < 50; i++) {
    tir_error error = {};
    ASSERT_EQ(tir_run(instance.get(), nullptr, &error), TIR_ERR_VALUE);
    ASSERT_NE(std::string(error.message)
                  .find("index 1000 at position 70000 is out of range"),
              std::string::npos)
        << error.message;
  }
}

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

// Past deadlines are noticed inside of long steps too.
TEST(Threads, DeadlinesAreKeptWithinLongSteps) {
  for (int n_threads : {1, 2}) {
    const auto context = MakeContext(n_threads);
    GraphBuilder b(context.get());
    tir_value x = b.Input("x", TIR_DTYPE_F32, {3000, 3000});
    b.Output("y", tir_tanh(b.tape(), tir_matmul(b.tape(), x, x)));
    const Owned<tir_graph> graph(b.Publish());
    const auto program = Compile(context.get(), graph.get());
    const auto instance = Instantiate(program);
    const std::vector<float> data(9000000, 0.01f);
    Bind(instance, 0, data);
    std::vector<double> late;
    for (int i = 0; i < 20; i++) {
      tir_run_options options = {};
      options.deadline_ns = NowNs() + 1000000 * (1 + i);
      tir_error error = {};
      ASSERT_EQ(tir_run(instance.get(), &options, &error), TIR_ERR_CANCELLED);
      late.push_back(1e-6 * static_cast<double>(NowNs() - options.deadline_ns));
    }
    // The least of them, because the machine may be busy: the step alone takes
    // hundreds.
    EXPECT_LT(*std::min_element(late.begin(), late.end()), 20)
        << n_threads << " threads";
    RunOk(instance);
  }
}

}  // namespace
