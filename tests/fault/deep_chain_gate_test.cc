// A chain of a million nodes is captured, differentiated, saved, loaded,
// printed, compiled, run and freed on a thread with a small stack: nothing
// recurses by the size of a graph, and nothing is slower than nearly linear.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include <string>
#include <vector>

#include "tests/support/compiled.h"
#include "tests/support/tir_file.h"

namespace {

constexpr size_t kStackBytes = 64 << 10;
constexpr uint32_t kNodes = 1000000, kFewer = 100000;

struct Stage {
  std::string name;
  double seconds;
};

struct Work {
  void (*run)(Work *work);
  uint32_t n_nodes;
  std::string path;
  std::string failed;  // the stage that failed, and why
  std::vector<Stage> stages;
};

double Now() {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

class Clock {
 public:
  explicit Clock(Work *work) : work_(work), start_(Now()) {}
  // Ends a stage; false if it failed.
  bool Ends(const char *name, tir_status status, const tir_error &error) {
    const double now = Now();
    work_->stages.push_back({name, now - start_});
    if (status != TIR_OK)
      work_->failed = std::string(name) + ": " + error.message;
    start_ = Now();
    return status == TIR_OK;
  }

 private:
  Work *work_;
  double start_;
};

tir_status CaptureChain(tir_context *context, tir_module *module, uint32_t n,
                        tir_error *error) {
  tir_tape *t = nullptr;
  TIR_TRY(tir_tape_create(context, nullptr, &t, error));
  tir_capture_begin(t, module, "chain");
  const int64_t dims[] = {2};
  tir_value y = tir_input(t, "x", TIR_DTYPE_F32, dims, 1);
  for (uint32_t i = 0; i < n; i++) {
    const tir_value next = tir_tanh(t, y);
    tir_value_release(t, y);
    y = next;
  }
  tir_output(t, "y", y);
  const tir_status status = tir_capture_end(t, nullptr, error);
  tir_tape_destroy(t);
  return status;
}

tir_status CompileAndRun(tir_context *context, const tir_graph *graph,
                         float *result, tir_error *error) {
  tir_program *program = nullptr;
  TIR_TRY(tir_compile(context, graph, nullptr, &program, error));
  tir_instance *instance = nullptr;
  tir_status status = tir_instance_create(program, nullptr, &instance, error);
  const float x[] = {1, -1};
  if (status == TIR_OK)
    status = tir_instance_bind_input(instance, 0, x, sizeof x, error);
  if (status == TIR_OK) status = tir_run(instance, nullptr, error);
  if (status == TIR_OK)
    *result = *static_cast<const float *>(tir_instance_output(instance, 0));
  tir_instance_destroy(instance);
  tir_program_destroy(program);
  return status;
}

// On the small stack: no test macros here.
void RunCaptured(Work *work) {
  tir_error error = {};
  Clock clock(work);
  tir_context *context = nullptr;
  tir_module *module = nullptr, *loaded = nullptr;
  tir_graph *gradient = nullptr;
  char *text = nullptr;
  float result = 0;
  if (!clock.Ends("context", tir_context_create(nullptr, &context, &error),
                  error))
    return;
  if (!clock.Ends("module", tir_module_create(context, &module, &error), error))
    return;
  if (!clock.Ends("capture",
                  CaptureChain(context, module, work->n_nodes, &error), error))
    return;
  if (!clock.Ends("differentiate",
                  tir_graph_differentiate(tir_module_graph(module, "chain"),
                                          nullptr, 0, true, &gradient, &error),
                  error))
    return;
  if (!clock.Ends("save", tir_module_save(module, work->path.c_str(), &error),
                  error))
    return;
  if (!clock.Ends("load",
                  tir_module_load(context, work->path.c_str(), nullptr, &loaded,
                                  &error),
                  error))
    return;
  if (!clock.Ends("print", tir_module_to_text(loaded, &text, &error), error))
    return;
  if (!clock.Ends("run the loaded graph",
                  CompileAndRun(context, tir_module_graph(loaded, "chain"),
                                &result, &error),
                  error))
    return;
  tir_text_free(context, text);
  tir_graph_destroy(gradient);
  tir_module_destroy(module);
  tir_module_destroy(loaded);
  tir_context_destroy(context);
  clock.Ends("free", TIR_OK, error);
  if (!(result > 0 && result < 1)) work->failed = "the result";
}

// The same on a live tape: recorded, differentiated and read as one run.
void RunLive(Work *work) {
  tir_error error = {};
  Clock clock(work);
  tir_context *context = nullptr;
  tir_tape *t = nullptr;
  tir_tape_options options = {};
  options.max_pending = 4 * static_cast<uint64_t>(work->n_nodes);
  if (!clock.Ends("context", tir_context_create(nullptr, &context, &error),
                  error) ||
      !clock.Ends("tape", tir_tape_create(context, &options, &t, &error),
                  error))
    return;
  const float data[] = {1, -1};
  const int64_t dims[] = {2};
  const tir_value x = tir_value_from_data(t, TIR_DTYPE_F32, dims, 1, data);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_value y = tir_sin(t, x);
  for (uint32_t i = 1; i < work->n_nodes; i++) {
    const tir_value next = tir_sin(t, y);
    tir_value_release(t, y);
    y = next;
  }
  tir_mode_end(t);
  if (!clock.Ends("record", tir_tape_status(t), error)) return;
  tir_backward(t, y);
  if (!clock.Ends("backward", tir_tape_status(t), error)) return;
  float gradient[2] = {};
  if (!clock.Ends("read",
                  tir_read_into(t, tir_grad_of(t, x), gradient, sizeof gradient,
                                &error),
                  error))
    return;
  tir_tape_destroy(t);
  tir_context_destroy(context);
  clock.Ends("free", TIR_OK, error);
  // Products of cosines, each below 1; sin is odd, so the two are equal.
  if (!(gradient[0] > 0 && gradient[0] < 1 && gradient[0] == gradient[1]))
    work->failed = "the gradient";
}

void *RunThread(void *work) {
  static_cast<Work *>(work)->run(static_cast<Work *>(work));
  return nullptr;
}

// Runs on a stack of its own, painted so that its use shows afterwards.
size_t RunOnSmallStack(Work *work) {
  void *stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(stack, MAP_FAILED);
  memset(stack, 0xa5, kStackBytes);
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  EXPECT_EQ(pthread_attr_setstack(&attr, stack, kStackBytes), 0);
  pthread_t thread;
  EXPECT_EQ(pthread_create(&thread, &attr, RunThread, work), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attr);
  size_t untouched = 0;
  const auto *bytes = static_cast<const uint8_t *>(stack);
  while (untouched < kStackBytes && bytes[untouched] == 0xa5) untouched++;
  munmap(stack, kStackBytes);
  return kStackBytes - untouched;
}

}  // namespace

TEST(DeepChainGate, AMillionNodesOnASmallStack) {
  const TempDir dir;
  Work fewer = {RunCaptured, kFewer, dir.File("fewer.tir"), "", {}};
  Work all = {RunCaptured, kNodes, dir.File("all.tir"), "", {}};
  RunOnSmallStack(&fewer);
  ASSERT_EQ(fewer.failed, "");
  const size_t used = RunOnSmallStack(&all);
  ASSERT_EQ(all.failed, "");
  for (size_t i = 0; i < all.stages.size(); i++) {
    printf("%-22s %8.3f s, %8.3f s for a tenth\n", all.stages[i].name.c_str(),
           all.stages[i].seconds, fewer.stages[i].seconds);
    // Ten times the nodes: ten times the time and, where a tenth fits a cache
    // that all does not, two or three times that. Were any stage quadratic, it
    // would take a hundred times as long.
    EXPECT_LE(all.stages[i].seconds, 40 * fewer.stages[i].seconds + 0.05)
        << all.stages[i].name;
  }
  printf("%zu bytes of stack used\n", used);
  EXPECT_LE(used, kStackBytes / 2);
}

TEST(DeepChainGate, ALiveTapeOnASmallStack) {
  Work work = {RunLive, 2 * kFewer, "", "", {}};
  const size_t used = RunOnSmallStack(&work);
  EXPECT_EQ(work.failed, "");
  for (const Stage &stage : work.stages)
    printf("%-22s %8.3f s\n", stage.name.c_str(), stage.seconds);
  printf("%zu bytes of stack used\n", used);
  EXPECT_LE(used, kStackBytes / 2);
}
