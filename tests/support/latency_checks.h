// How long a run takes to stop, and whether a second thread makes it slower:
// times, so only of optimised builds, and with nothing beside it.
#ifndef TAPEIR_TESTS_SUPPORT_LATENCY_CHECKS_H
#define TAPEIR_TESTS_SUPPORT_LATENCY_CHECKS_H

#include <dirent.h>

#include <algorithm>
#include <functional>

#include "tests/support/same_bits.h"

namespace {

// --- stopping ----------------------------------------------------------------

// 200 nodes, small and large ones mixed, a good fraction of a second.
Owned<tir_graph> TwoHundredNodes(tir_context *context, int64_t side) {
  GraphBuilder b(context);
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {side, side});
  tir_value y = x;
  const int axis[] = {0};
  for (int i = 0; i < 40; i++) {
    y = tir_tanh(b.tape(), tir_matmul(b.tape(), y, x));
    const tir_value sums = tir_sum(b.tape(), y, axis, 1, true);
    y = tir_add(b.tape(), tir_exp(b.tape(), y), sums);
  }
  b.Output("y", y);
  return Owned<tir_graph>(b.Publish());
}

// Nanoseconds, sorted; what the histogram is made of.
using Times = std::vector<int64_t>;

double Quantile(const Times &times, double q) {
  const double at = std::ceil(q * static_cast<double>(times.size())) - 1;
  return 1e-6 * static_cast<double>(times[static_cast<size_t>(at)]);
}

void Show(const char *what, int n_threads, const Times &times) {
  printf("%s, %d threads, ms: median %.2f, p90 %.2f, p99 %.2f, max %.2f |",
         what, n_threads, Quantile(times, .5), Quantile(times, .9),
         Quantile(times, .99), Quantile(times, 1));
  size_t at = 0;
  for (double edge : {.1, .3, 1., 3., 10., 20., 1e9}) {
    size_t n = 0;
    for (; at < times.size() && 1e-6 * double(times[at]) <= edge; at++) n++;
    if (edge < 1e9)
      printf(" <=%g: %zu", edge, n);
    else
      printf(" more: %zu", n);
  }
  printf("\n");
}

// How long the threads of this process have waited for a core while they
// could run, all together; 0 where the system does not tell.
int64_t WaitedNs() {
  int64_t sum = 0;
  DIR *tasks = opendir("/proc/self/task");
  while (const dirent *task = tasks ? readdir(tasks) : nullptr) {
    const std::string path =
        std::string("/proc/self/task/") + task->d_name + "/schedstat";
    FILE *file = fopen(path.c_str(), "r");
    long long ran = 0, waited = 0;
    if (file && fscanf(file, "%lld %lld", &ran, &waited) == 2) sum += waited;
    if (file) fclose(file);
  }
  if (tasks) closedir(tasks);
  return sum;
}

// Work of all threads of this process.
int64_t WorkedNs() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec;
}

struct Stopper {
  std::atomic<bool> is_set{false};
  static bool IsSet(void *user) { return static_cast<Stopper *>(user)->is_set; }
};

// What a run takes to end after another thread asked for it, or its deadline
// passed, `delay_ns` from its start. What neighbours do is left out as far as
// the system tells: the time that threads waited for a core, and all beyond the
// work that was done since.
int64_t Latency(const Owned<tir_instance> &instance, bool cancels,
                int64_t delay_ns) {
  Stopper stopper;
  std::atomic<int64_t> waited{INT64_MAX}, worked{0};
  tir_run_options options = {};
  const int64_t at = NowNs() + delay_ns;
  int64_t since = at;
  std::thread other([&] {
    while (NowNs() < at) usleep(200);
    waited = WaitedNs();
    worked = WorkedNs();
    if (!cancels) return;
    since = NowNs();
    stopper.is_set = true;
  });
  if (cancels) {
    options.cancel = Stopper::IsSet;
    options.cancel_user = &stopper;
  } else {
    options.deadline_ns = at;
  }
  const tir_status status = tir_run(instance.get(), &options, nullptr);
  const int64_t end = NowNs(), work = WorkedNs() - worked;
  const int64_t lost = std::max<int64_t>(0, WaitedNs() - waited);
  other.join();
  // A run may have been faster than the other thread.
  if (status != TIR_ERR_CANCELLED) return 0;
  return std::max<int64_t>(0, std::min(work, end - since - lost));
}

// At moments spread over the run.
Times Measure(const Owned<tir_instance> &instance, int64_t run_ns, int64_t n,
              bool cancels) {
  Times times;
  for (int64_t i = 0; i < n; i++)
    times.push_back(Latency(instance, cancels, run_ns * (i + 1) / (n + n / 8)));
  std::sort(times.begin(), times.end());
  return times;
}

// A thread that waits for another without a core is not seen as waiting, nor is
// a core that a virtual machine was not given: the best of a few attempts tells
// what this code does.
void ExpectQuick(const char *what, int n_threads, double quantile,
                 const std::function<Times()> &measure) {
  double best = 1e9;
  for (int attempt = 0; attempt < 3 && best > 20; attempt++) {
    const Times times = measure();
    Show(what, n_threads, times);
    best = std::min(best, Quantile(times, quantile));
  }
  EXPECT_LE(best, 20) << what << ", ms, quantile " << quantile << ", "
                      << n_threads << " threads";
}

inline void CheckStopping(double quantile) {
  for (int n_threads : {1, 2}) {
    const auto context = MakeContext(n_threads);
    const auto graph = TwoHundredNodes(context.get(), 200);
    const auto program = Compile(context.get(), graph.get());
    const auto instance = Instantiate(program);
    const std::vector<float> x(200 * 200, 1e-3f);
    Bind(instance, 0, x);
    RunOk(instance);
    const int64_t start = NowNs();
    RunOk(instance);
    const int64_t run_ns = NowNs() - start;
    for (bool cancels : {true, false})
      ExpectQuick(cancels ? "cancel" : "deadline", n_threads, quantile,
                  [&] { return Measure(instance, run_ns, 100, cancels); });
  }
}

// Steps that alone take longer than the bound, from 50 ms to half a second.
inline void CheckLongSteps(double quantile, int64_t side) {
  for (int n_threads : {1, 2}) {
    const auto context = MakeContext(n_threads);
    GraphBuilder b(context.get());
    const tir_value x = b.Input("x", TIR_DTYPE_F32, {side, side});
    b.Output("y",
             tir_cumsum(b.tape(), tir_matmul(b.tape(), x, x), 1, false, false));
    const Owned<tir_graph> graph(b.Publish());
    const auto program = Compile(context.get(), graph.get());
    const auto instance = Instantiate(program);
    const std::vector<float> data(size_t(side * side), 1e-3f);
    Bind(instance, 0, data);
    RunOk(instance);
    const int64_t start = NowNs();
    RunOk(instance);
    const int64_t run_ns = NowNs() - start;
    ExpectQuick("long steps", n_threads, quantile,
                [&] { return Measure(instance, run_ns, 100, true); });
  }
}

// --- neighbours --------------------------------------------------------------

struct Rival {
  Rival(int n_threads, int64_t side)
      : context(MakeContext(n_threads)),
        large(context.get(), side),
        program(Compile(context.get(), large.graph.get())),
        instance(Instantiate(program)) {
    Bind(instance, 0, large.data);
    RunOk(instance);
  }
  double Seconds(int n_runs) const {
    const int64_t start = NowNs();
    for (int i = 0; i < n_runs; i++) RunOk(instance);
    return 1e-9 * static_cast<double>(NowNs() - start);
  }
  Owned<tir_context> context;
  Large large;
  Owned<tir_program> program;
  Owned<tir_instance> instance;
};

double Median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + v.size() / 2, v.end());
  return v[v.size() / 2];
}

// Time with two threads over time with one, runs taking turns.
double RatioOfTwo(int64_t side, int n_runs) {
  const Rival one(1, side), two(2, side);
  std::vector<double> ratios;
  for (int i = 0; i < 11; i++) {
    const double alone = one.Seconds(n_runs);
    ratios.push_back(two.Seconds(n_runs) / alone);
  }
  return Median(ratios);
}

// Of steps below, just above and far above the size from which they are cut.
// `beside`: the limit beside neighbours.
inline void CheckNeighbours(double beside) {
  const int64_t sides[] = {100, 300, 700};
  const int runs[] = {100, 20, 1};
  for (int n_neighbours : {0, 1, 2}) {
    std::vector<std::unique_ptr<NoisyNeighbour>> neighbours;
    for (int i = 0; i < n_neighbours; i++)
      neighbours.push_back(std::make_unique<NoisyNeighbour>());
    const double limit = n_neighbours == 0 ? 1.1 : beside;
    for (int k = 0; k < 3; k++) {
      double best = 1e9;
      for (int attempt = 0; attempt < 4 && best > limit; attempt++)
        best = std::min(best, RatioOfTwo(sides[k], runs[k]));
      printf("side %d, %d neighbours: two threads take %.2f of one\n",
             static_cast<int>(sides[k]), n_neighbours, best);
      EXPECT_LE(best, limit)
          << "side " << sides[k] << ", " << n_neighbours << " neighbours";
    }
  }
}

}  // namespace

#endif
