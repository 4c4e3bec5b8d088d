// What tests of threads share: work that is worth cutting, clocks, children.
#ifndef TAPEIR_TESTS_SUPPORT_THREAD_RUNS_H
#define TAPEIR_TESTS_SUPPORT_THREAD_RUNS_H

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

#include "tests/support/compiled.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random.h"

#if defined(__SANITIZE_THREAD__)
#define TIR_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TIR_UNDER_TSAN 1
#endif
#endif

inline bool SameFloats(const std::vector<float> &a,
                       const std::vector<float> &b) {
  return a.size() == b.size() &&
         memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

inline int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

inline int ThreadsNow() {
  FILE *file = fopen("/proc/self/status", "r");
  char line[256];
  int n = 0;
  while (file && fgets(line, sizeof line, file))
    sscanf(line, "Threads: %d", &n);
  if (file) fclose(file);
  return n;
}

// A thread that was joined may still be counted for a moment.
inline int ThreadsOfProcess() {
  int n = ThreadsNow();
  for (int n_same = 0; n_same < 20; usleep(2000)) {
    const int now = ThreadsNow();
    n_same = now == n ? n_same + 1 : 0;
    n = now;
  }
  return n;
}

// True if the child ends well within a minute: one that hangs never would, one
// that only computes is slow under the sanitizers on a busy machine.
inline bool EndsWell(pid_t child) {
  for (int i = 0; i < 60000; i++) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    usleep(1000);
  }
  fprintf(stderr, "the child does not end\n");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return false;
}

inline tir_value SumOf(tir_tape *tape, tir_value x) {
  return tir_sum(tape, x, nullptr, 0, false);
}

// A program with a finer cut than its shapes deserve, so that lanes are used.
inline Owned<tir_program> CompileCut(tir_context *context,
                                     const tir_graph *graph, double grain) {
  tir_ir_graph *copy = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_ir_graph_copy(graph->ir, &copy, &error), TIR_OK);
  tir_exec_compile_options options = {};
  options.grain = grain;
  tir_program *made = nullptr;
  EXPECT_EQ(tir_exec_compile(context, copy, &options, &made, &error), TIR_OK)
      << error.message;
  return Owned<tir_program>(made);
}

// A graph of side² elements, a sum and a product; from a side of about 300 on
// all its steps are cut.
struct Large {
  explicit Large(tir_context *context, int64_t side) {
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
  std::vector<float> Results(const Owned<tir_instance> &instance) const {
    std::vector<float> out = Output<float>(instance, 0, data.size());
    out.push_back(Output<float>(instance, 1, 1)[0]);
    return out;
  }
  std::vector<float> Run(const Owned<tir_instance> &instance) const {
    Bind(instance, 0, data);
    RunOk(instance);
    return Results(instance);
  }
  Owned<tir_graph> graph;
  std::vector<float> data;
};

#endif
