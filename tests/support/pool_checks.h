// Checks of the pool, for the fast and the gate test: the same ones, with other
// numbers of rounds.
#ifndef TAPEIR_TESTS_SUPPORT_POOL_CHECKS_H
#define TAPEIR_TESTS_SUPPORT_POOL_CHECKS_H

#include <dirent.h>
#include <sched.h>

#include "tests/support/sample_modules.h"
#include "tests/support/thread_runs.h"
#include "tests/support/tir_file.h"

extern "C" {
#include "exec/split.h"
#include "exec/threads.h"
}

struct Lanes {
  std::atomic<int> calls[TIR_MAX_THREADS] = {};
};

inline void CountLane(void *arg, uint32_t lane) {
  static_cast<Lanes *>(arg)->calls[lane]++;
}

// Leaves the others time to come, even on a busy machine.
inline void CountSlowly(void *arg, uint32_t lane) {
  CountLane(arg, lane);
  if (lane == 0) usleep(200);
}

// Keeps the calling thread on one core and all others of the process off it,
// while there are two: a worker that is woken on its caller's core leaves the
// work to it.
class CoresApart {
 public:
  CoresApart() {
    sched_getaffinity(0, sizeof all_, &all_);
    if (CPU_COUNT(&all_) < 2) return;
    cpu_set_t own, rest = all_;
    int first = 0;
    while (!CPU_ISSET(first, &all_)) first++;
    CPU_ZERO(&own);
    CPU_SET(first, &own);
    CPU_CLR(first, &rest);
    SetOthers(rest);
    sched_setaffinity(0, sizeof own, &own);
  }
  ~CoresApart() { sched_setaffinity(0, sizeof all_, &all_); }
  CoresApart(const CoresApart &) = delete;
  CoresApart &operator=(const CoresApart &) = delete;

 private:
  static void SetOthers(const cpu_set_t &cores) {
    DIR *tasks = opendir("/proc/self/task");
    while (const dirent *task = tasks ? readdir(tasks) : nullptr) {
      const pid_t id = atoi(task->d_name);
      if (id > 0 && id != gettid()) sched_setaffinity(id, sizeof cores, &cores);
    }
    if (tasks) closedir(tasks);
  }
  cpu_set_t all_;
};

inline void CheckLanes(int n_rounds) {
  const auto context = MakeContext(4);
  ASSERT_EQ(tir_exec_start_threads(context.get(), nullptr), TIR_OK);
  const CoresApart apart;
  int others = 0;
  // A lane comes when its thread has a core, so not in any one round.
  const int64_t end = NowNs() + INT64_C(20) * 1000000000;
  for (int round = 0; round < n_rounds || (others == 0 && NowNs() < end);
       round++) {
    Lanes lanes;
    ASSERT_TRUE(tir_exec_share(context.get(),
                               round % 10 ? CountLane : CountSlowly, &lanes));
    ASSERT_EQ(lanes.calls[0], 1);
    for (int l = 1; l < TIR_MAX_THREADS; l++) {
      ASSERT_LE(lanes.calls[l], l < 4 ? 1 : 0);
      others += lanes.calls[l];
    }
  }
  if (std::thread::hardware_concurrency() > 1) {
    EXPECT_GT(others, 0);
  }
}

// Pools are made and ended, used and unused, and leave no thread behind.
inline void CheckPools(int n_pools) {
  const int before = ThreadsOfProcess();
  for (int i = 0; i < n_pools; i++) {
    const auto context = MakeContext(3);
    ASSERT_EQ(tir_exec_start_threads(context.get(), nullptr), TIR_OK);
    if (i % 2) continue;
    Lanes lanes;
    tir_exec_share(context.get(), CountLane, &lanes);
    ASSERT_EQ(lanes.calls[0], 1);
  }
  EXPECT_EQ(ThreadsOfProcess(), before);
}

// A graph of small steps, cut finely; `kind` makes different ones.
struct SmallGraph {
  SmallGraph(tir_context *context, int kind) {
    GraphBuilder b(context);
    const tir_value x = b.Input("x", TIR_DTYPE_F32, {kSide, kSide});
    tir_value y = tir_matmul(b.tape(), x, x);
    y = kind % 2 ? tir_tanh(b.tape(), y) : tir_softmax(b.tape(), y, 1);
    b.Output("y", SumOf(b.tape(), tir_square(b.tape(), y)));
    const Owned<tir_graph> graph(b.Publish());
    program = CompileCut(context, graph.get(), 64);
    data.resize(static_cast<size_t>(kSide * kSide));
    for (size_t i = 0; i < data.size(); i++)
      data[i] = std::sin(static_cast<float>(i + size_t(kind)));
    wanted = Run(Instantiate(program));
  }
  float Run(const Owned<tir_instance> &instance) const {
    Bind(instance, 0, data);
    RunOk(instance);
    return Output<float>(instance, 0, 1)[0];
  }
  // Runs on a new thread's own instance; returns how many results differ.
  int CountWrong(int n_runs) const {
    const auto instance = Instantiate(program);
    int wrong = 0;
    for (int i = 0; i < n_runs; i++) {
      const float sum = Run(instance);
      wrong += memcmp(&sum, &wanted, sizeof sum) != 0;
    }
    return wrong;
  }

  static constexpr int64_t kSide = 32;
  Owned<tir_program> program;
  std::vector<float> data;
  float wanted = 0;
};

// Host threads that run programs of one context, each thread one of `n_graphs`.
inline void CheckManyShare(int n_graphs, int n_threads, int n_runs) {
  const auto context = MakeContext(2);
  std::vector<std::unique_ptr<SmallGraph>> graphs;
  for (int i = 0; i < n_graphs; i++)
    graphs.push_back(std::make_unique<SmallGraph>(context.get(), i));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < n_threads; i++)
    threads.emplace_back([&, i] {
      wrong += graphs[static_cast<size_t>(i % n_graphs)]->CountWrong(n_runs);
    });
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// Loads, compiles, runs and frees what is in a file; the output's bytes.
inline std::vector<float> LoadAndRun(tir_context *context, const char *path,
                                     bool map) {
  tir_load_options options = {};
  options.map = map;
  tir_module *loaded = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_module_load(context, path, &options, &loaded, &error), TIR_OK)
      << error.message;
  const Owned<tir_module> module(loaded);
  if (!module) return {};
  const tir_graph *graph = tir_module_graph(module.get(), "f");
  EXPECT_NE(graph, nullptr);
  const auto program = CompileCut(context, graph, 64);
  const auto instance = Instantiate(program, module.get());
  RunOk(instance);
  return Output<float>(instance, 0, 64);
}

// Every thread loads and frees for itself, all of one context and its pool.
inline void CheckLoadAndFree(int n_threads, int n_rounds) {
  const TempDir dir;
  const std::string path = dir.File("m.tir");
  const auto context = MakeContext(2);
  {
    const auto module = MakeModule(context.get());
    std::vector<float> w(64 * 64);
    for (size_t i = 0; i < w.size(); i++)
      w[i] = std::cos(static_cast<float>(i));
    AddParam(module.get(), context.get(), "w", {64, 64}, w);
    GraphBuilder b(context.get(), "f");
    const tir_value x = b.Param("w", TIR_DTYPE_F32, {64, 64});
    const int axis[] = {1};
    b.Output("y",
             tir_sum(b.tape(), tir_matmul(b.tape(), x, x), axis, 1, false));
    ASSERT_NE(b.PublishTo(module.get()), nullptr);
    ASSERT_EQ(tir_module_save(module.get(), path.c_str(), nullptr), TIR_OK);
  }
  const std::vector<float> wanted =
      LoadAndRun(context.get(), path.c_str(), false);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < n_threads; i++)
    threads.emplace_back([&, i] {
      for (int k = 0; k < n_rounds; k++)
        wrong += !SameFloats(
            wanted, LoadAndRun(context.get(), path.c_str(), (i + k) % 2));
    });
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

#endif
