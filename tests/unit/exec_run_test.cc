// Runs: errors with their place, cancelling, deadlines, NaN checks, the
// floating-point environment, state.
#include <fenv.h>
#include <time.h>

#include <cmath>
#include <limits>

#include "tests/support/compiled.h"
#include "tests/support/graph_builder.h"
#include "tests/support/tir_file.h"

namespace {

class RunTest : public testing::Test {
 protected:
  Owned<tir_context> context_ = MakeContext();
  Owned<tir_module> module_ = MakeModule(context_.get());
  tir_error error_ = {};
};

// --- errors of data --------------------------------------------------------

TEST_F(RunTest, BadIndexNamesNodePlaceAndValue) {
  GraphBuilder b(context_.get());
  const tir_value table = b.Input("table", TIR_DTYPE_F32, {5, 2});
  const tir_value ids = b.Input("ids", TIR_DTYPE_I64, {4});
  const tir_value rows =
      tir_set_name(b.tape(), tir_gather(b.tape(), table, ids, 0), "emb");
  b.Site("model.c:41");
  b.Output("y", rows);
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context_.get(), graph.get());
  const auto instance = Instantiate(program);
  const std::vector<float> data(10, 1);
  Bind(instance, 0, data);
  const std::vector<int64_t> bad = {0, 1, -5, 7};
  Bind(instance, 1, bad);
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error_), TIR_ERR_VALUE);
  EXPECT_STREQ(error_.message,
               "gather: index 7 at position 3 is out of range for size 5: "
               "node %3 \"emb\" (model.c:41)");
  EXPECT_EQ(error_.node, 3u);
  EXPECT_EQ(tir_run(instance.get(), nullptr, nullptr), TIR_ERR_VALUE);
  const std::vector<int64_t> good = {0, 1, -5, 4};
  Bind(instance, 1, good);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 0, 8), std::vector<float>(8, 1));
}

// --- watching --------------------------------------------------------------

// Every node a step of its own.
tir_compile_options Unfused() {
  tir_compile_options options = {};
  options.pipeline = "none";
  return options;
}

TEST_F(RunTest, MonitorSeesEveryStepOnceInOrder) {
  GraphBuilder b(context_.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {4});
  const tir_value h = tir_set_name(b.tape(), tir_exp(b.tape(), x), "hidden");
  b.Output("y", tir_tanh(b.tape(), h));
  const Owned<tir_graph> graph(b.Publish());
  const tir_compile_options unfused = Unfused();
  const auto program = Compile(context_.get(), graph.get(), &unfused);
  const auto instance = Instantiate(program);
  const std::vector<float> data(4, 0.5f);
  Bind(instance, 0, data);
  std::vector<tir_step_report> seen;
  tir_run_options options = {};
  options.monitor = [](void *user, const tir_step_report *report) {
    static_cast<std::vector<tir_step_report> *>(user)->push_back(*report);
  };
  options.monitor_user = &seen;
  ASSERT_EQ(tir_run(instance.get(), &options, &error_), TIR_OK);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].step, 0u);
  EXPECT_STREQ(seen[0].op, "exp");
  EXPECT_STREQ(seen[0].name, "hidden");
  EXPECT_FALSE(seen[0].backward);
  EXPECT_EQ(seen[1].step, 1u);
  EXPECT_STREQ(seen[1].op, "tanh");
  EXPECT_GE(seen[0].duration_ns, 0);
  EXPECT_GE(seen[1].start_ns, seen[0].start_ns + seen[0].duration_ns);
  const std::vector<float> watched = Output<float>(instance, 0, 4);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 0, 4), watched);
  seen.clear();
  options.reserved[5] = 1;
  EXPECT_EQ(tir_run(instance.get(), &options, &error_), TIR_ERR_ARGUMENT);
  EXPECT_TRUE(seen.empty());
}

TEST_F(RunTest, MonitorNamesTheOpsOfAFusedStep) {
  GraphBuilder b(context_.get());
  tir_value y = b.Input("x", TIR_DTYPE_F32, {4});
  for (int i = 0; i < 6; i++) y = tir_tanh(b.tape(), tir_exp(b.tape(), y));
  b.Output("y", tir_set_name(b.tape(), y, "last"));
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context_.get(), graph.get());
  const auto instance = Instantiate(program);
  const std::vector<float> data(4, 0.5f);
  Bind(instance, 0, data);
  std::vector<tir_step_report> seen;
  tir_run_options options = {};
  options.monitor = [](void *user, const tir_step_report *report) {
    static_cast<std::vector<tir_step_report> *>(user)->push_back(*report);
  };
  options.monitor_user = &seen;
  ASSERT_EQ(tir_run(instance.get(), &options, &error_), TIR_OK);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_STREQ(seen[0].op,
               "fused(exp, tanh, exp, tanh, exp, tanh, exp, tanh, 4 more)");
  EXPECT_STREQ(seen[0].name, "last");
}

// --- cancelling ------------------------------------------------------------

// A chain of `n` ops that no pass shortens.
Owned<tir_graph> Chain(tir_context *context, int n) {
  GraphBuilder b(context);
  tir_value y = b.Input("x", TIR_DTYPE_F32, {8});
  for (int i = 0; i < n; i++)
    y = i % 2 ? tir_tanh(b.tape(), y) : tir_exp(b.tape(), y);
  b.Output("y", y);
  return Owned<tir_graph>(b.Publish());
}

struct CancelAt {
  int left;
  static bool Poll(void *user) {
    return static_cast<CancelAt *>(user)->left-- == 0;
  }
};

TEST_F(RunTest, CancelAtEveryStepLeavesTheInstanceUsable) {
  const int n = 200;
  const auto graph = Chain(context_.get(), n);
  const tir_compile_options unfused = Unfused();
  const auto program = Compile(context_.get(), graph.get(), &unfused);
  tir_memory_report report = {};
  tir_program_memory(program.get(), &report);
  ASSERT_EQ(report.n_steps, static_cast<uint64_t>(n));
  const auto instance = Instantiate(program);
  const std::vector<float> x = {-3, -2, -1, -0.f, 0, 1, 2, 3};
  Bind(instance, 0, x);
  RunOk(instance);
  const auto expected = Output<float>(instance, 0, 8);
  for (int at = 0; at <= n; at++) {
    CancelAt cancel = {at};
    tir_run_options options = {};
    options.cancel = CancelAt::Poll;
    options.cancel_user = &cancel;
    ASSERT_EQ(tir_run(instance.get(), &options, &error_), TIR_ERR_CANCELLED)
        << at;
    EXPECT_EQ(error_.message, "run: cancelled before step " +
                                  std::to_string(at + 1) + " of 200");
    RunOk(instance);
    ASSERT_EQ(Output<float>(instance, 0, 8), expected) << at;
  }
  CancelAt never = {n + 1};
  tir_run_options options = {};
  options.cancel = CancelAt::Poll;
  options.cancel_user = &never;
  EXPECT_EQ(tir_run(instance.get(), &options, &error_), TIR_OK);
  EXPECT_EQ(never.left, 0);
}

int64_t NowNs() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

TEST_F(RunTest, DeadlineStopsARun) {
  const auto graph = Chain(context_.get(), 20);
  const tir_compile_options unfused = Unfused();
  const auto program = Compile(context_.get(), graph.get(), &unfused);
  const auto instance = Instantiate(program);
  const std::vector<float> x(8, 0.5f);
  Bind(instance, 0, x);
  tir_run_options options = {};
  options.deadline_ns = NowNs() - 1;
  EXPECT_EQ(tir_run(instance.get(), &options, &error_), TIR_ERR_CANCELLED);
  EXPECT_STREQ(error_.message, "run: past its deadline before step 1 of 20");
  options.deadline_ns = NowNs() + INT64_C(60000000000);
  EXPECT_EQ(tir_run(instance.get(), &options, &error_), TIR_OK);
  // Passing while a run is on its way: the callback waits for it.
  struct Late {
    int64_t until;
    static bool Poll(void *user) {
      while (NowNs() < static_cast<Late *>(user)->until) {
      }
      return false;
    }
  } late = {NowNs() + 2000000};
  options.deadline_ns = late.until;
  options.cancel = Late::Poll;
  options.cancel_user = &late;
  EXPECT_EQ(tir_run(instance.get(), &options, &error_), TIR_ERR_CANCELLED);
}

// --- the floating-point environment ----------------------------------------

// Bits of everything fegetenv tells.
std::vector<uint8_t> Environment() {
  fenv_t env;
  memset(&env, 0, sizeof env);
  fegetenv(&env);
  const auto *bytes = reinterpret_cast<const uint8_t *>(&env);
  return std::vector<uint8_t>(bytes, bytes + sizeof env);
}

TEST_F(RunTest, TheHostsFloatEnvironmentIsItsOwn) {
  GraphBuilder b(context_.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {2});
  const tir_value y = b.Input("y", TIR_DTYPE_F32, {2});
  b.Output("sum", tir_add(b.tape(), x, y));
  b.Output("ratio", tir_div(b.tape(), x, tir_sub(b.tape(), y, y)));
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context_.get(), graph.get());
  const auto instance = Instantiate(program);
  const std::vector<float> a = {1, 2}, tiny = {1e-20f, 1e-20f};
  Bind(instance, 0, a);
  Bind(instance, 1, tiny);

  fesetround(FE_UPWARD);
  feclearexcept(FE_ALL_EXCEPT);
  const auto before = Environment();
  const tir_status status = tir_run(instance.get(), nullptr, nullptr);
  const auto after = Environment();
  // Polls run under the host's environment and may change it.
  int seen = -1;
  tir_run_options options = {};
  options.cancel_user = &seen;
  options.cancel = [](void *user) {
    *static_cast<int *>(user) = fegetround();
    fesetround(FE_DOWNWARD);
    return false;
  };
  tir_run(instance.get(), &options, nullptr);
  const int left = fegetround();
  fesetround(FE_TONEAREST);
  feclearexcept(FE_ALL_EXCEPT);

  EXPECT_EQ(status, TIR_OK);
  EXPECT_EQ(before, after);
  EXPECT_EQ(left, FE_DOWNWARD);
  EXPECT_NE(seen, FE_TONEAREST);
  // Rounded to nearest all the same; upward would be above 1.
  EXPECT_EQ(Output<float>(instance, 0, 2), (std::vector<float>{1, 2}));
  EXPECT_TRUE(std::isinf(Output<float>(instance, 1, 1)[0]));
}

// --- looking for NaN -------------------------------------------------------

TEST_F(RunTest, NanCheckNamesTheFirst) {
  GraphBuilder b(context_.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {3});
  const tir_value root = tir_set_name(b.tape(), tir_sqrt(b.tape(), x), "root");
  b.Site("model.c:7");
  b.Output("y", tir_exp(b.tape(), root));
  const Owned<tir_graph> graph(b.Publish());
  tir_compile_options compile = {};
  compile.check_nan = true;
  const auto program = Compile(context_.get(), graph.get(), &compile);
  const auto instance = Instantiate(program);
  const std::vector<float> good = {1, 4, INFINITY}, bad = {1, -1, 4};
  Bind(instance, 0, good);
  RunOk(instance);
  Bind(instance, 0, bad);
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error_), TIR_ERR_VALUE);
  EXPECT_STREQ(error_.message,
               "sqrt: NaN at position 1 of its result in the forward "
               "direction: node %2 \"root\" (model.c:7)");
  // Without the check a NaN is a number like any other.
  const auto plain = Compile(context_.get(), graph.get());
  const auto other = Instantiate(plain);
  Bind(other, 0, bad);
  RunOk(other);
  EXPECT_TRUE(std::isnan(Output<float>(other, 0, 2)[1]));
}

TEST_F(RunTest, NanCheckTellsTheDirection) {
  GraphBuilder b(context_.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F64, {1});
  b.Output("y", tir_mul(b.tape(), tir_log(b.tape(), x), x));
  const Owned<tir_graph> graph(b.Publish());
  tir_graph *made = nullptr;
  ASSERT_EQ(
      tir_graph_differentiate(graph.get(), nullptr, 0, true, &made, &error_),
      TIR_OK)
      << error_.message;
  const Owned<tir_graph> gradient(made);
  tir_compile_options compile = {};
  compile.check_nan = true;
  const auto program = Compile(context_.get(), gradient.get(), &compile);
  const auto instance = Instantiate(program);
  // log is fine there; its gradient times 0 is not: 0 · inf.
  const std::vector<double> x0 = {0};
  Bind(instance, 0, x0);
  const tir_status status = tir_run(instance.get(), nullptr, &error_);
  EXPECT_EQ(status, TIR_ERR_VALUE);
  EXPECT_TRUE(strstr(error_.message, "direction")) << error_.message;
}

// --- state -----------------------------------------------------------------

// w <- w - lr * x as written by hand; returns the new w and the old sum.
Owned<tir_graph> Update(tir_context *context, bool fallible) {
  GraphBuilder b(context);
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {4});
  const tir_value ids = b.Input("ids", TIR_DTYPE_I64, {4});
  const tir_value w = b.Param("w", TIR_DTYPE_F32, {4});
  const tir_value old = tir_sum(b.tape(), w, nullptr, 0, false);
  tir_value g = tir_mul_scalar(b.tape(), x, 0.5);
  if (fallible) g = tir_gather(b.tape(), g, ids, 0);
  const tir_value handle = w;
  const tir_value now = tir_assign(b.tape(), handle, tir_sub(b.tape(), w, g));
  b.Output("old", old);
  b.Output("w", now);
  return Owned<tir_graph>(b.Publish());
}

TEST_F(RunTest, AssignsChangeTheModule) {
  AddParam(module_.get(), context_.get(), "w", {4}, {1, 2, 3, 4});
  const auto graph = Update(context_.get(), false);
  const auto program = Compile(context_.get(), graph.get());
  const auto instance = Instantiate(program, module_.get());
  const std::vector<float> x = {2, 2, 2, 2};
  Bind(instance, 0, x);
  const std::vector<int64_t> ids = {0, 1, 2, 3};
  Bind(instance, 1, ids);
  const uint64_t version = module_->params.data[0].version;
  RunOk(instance);
  EXPECT_EQ(GetParam(module_.get(), "w"), (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(Output<float>(instance, 0, 1), (std::vector<float>{10}));
  EXPECT_EQ(Output<float>(instance, 1, 4), (std::vector<float>{0, 1, 2, 3}));
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 0, 1), (std::vector<float>{6}));
  EXPECT_EQ(module_->params.data[0].version, version + 2);
}

TEST_F(RunTest, AFailedOrCancelledRunLeavesStateWhole) {
  AddParam(module_.get(), context_.get(), "w", {4}, {1, 2, 3, 4});
  const auto graph = Update(context_.get(), true);
  const auto program = Compile(context_.get(), graph.get());
  const auto instance = Instantiate(program, module_.get());
  const std::vector<float> x = {2, 2, 2, 2};
  Bind(instance, 0, x);
  const std::vector<int64_t> bad = {0, 1, 2, 9}, good = {0, 1, 2, 3};
  Bind(instance, 1, bad);
  const std::vector<float> start = {1, 2, 3, 4};
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error_), TIR_ERR_VALUE);
  EXPECT_EQ(GetParam(module_.get(), "w"), start);

  Bind(instance, 1, good);
  tir_memory_report report = {};
  tir_program_memory(program.get(), &report);
  int n_cancelled = 0;
  for (int at = 0;; at++) {
    CancelAt cancel = {at};
    tir_run_options options = {};
    options.cancel = CancelAt::Poll;
    options.cancel_user = &cancel;
    const tir_status status = tir_run(instance.get(), &options, &error_);
    if (status == TIR_OK) break;
    ASSERT_EQ(status, TIR_ERR_CANCELLED);
    ASSERT_EQ(GetParam(module_.get(), "w"), start) << at;
    n_cancelled++;
  }
  EXPECT_GE(n_cancelled, 2);
  EXPECT_EQ(GetParam(module_.get(), "w"), (std::vector<float>{0, 1, 2, 3}));
}

TEST_F(RunTest, ParametersMayBeExchanged) {
  AddParam(module_.get(), context_.get(), "a", {2}, {1, 2});
  AddParam(module_.get(), context_.get(), "b", {2}, {3, 4});
  GraphBuilder g(context_.get());
  const tir_value a = g.Param("a", TIR_DTYPE_F32, {2});
  const tir_value b = g.Param("b", TIR_DTYPE_F32, {2});
  // Second handles, because assign makes the first mean the new version.
  const tir_value old_a = tir_ir_handle(g.tape(), tir_ir_peek(g.tape(), a));
  const tir_value old_b = tir_ir_handle(g.tape(), tir_ir_peek(g.tape(), b));
  tir_assign(g.tape(), a, old_b);
  tir_assign(g.tape(), b, old_a);
  g.Output("old_a", old_a);
  const Owned<tir_graph> graph(g.Publish());
  const auto program = Compile(context_.get(), graph.get());
  const auto instance = Instantiate(program, module_.get());
  RunOk(instance);
  EXPECT_EQ(GetParam(module_.get(), "a"), (std::vector<float>{3, 4}));
  EXPECT_EQ(GetParam(module_.get(), "b"), (std::vector<float>{1, 2}));
  EXPECT_EQ(Output<float>(instance, 0, 2), (std::vector<float>{1, 2}));
}

// Parameters that are written by a copy after all steps.
TEST_F(RunTest, AFailedRunCopiesNothing) {
  AddParam(module_.get(), context_.get(), "w", {2}, {1, 2});
  GraphBuilder b(context_.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {2});
  const tir_value ids = b.Input("ids", TIR_DTYPE_I64, {2});
  const tir_value w = b.Param("w", TIR_DTYPE_F32, {2});
  b.Output("picked", tir_gather(b.tape(), x, ids, 0));
  tir_assign(b.tape(), w, x);
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context_.get(), graph.get());
  EXPECT_EQ(program->commit, program->n_steps);
  const auto instance = Instantiate(program, module_.get());
  const std::vector<float> x0 = {3, 4}, before = {1, 2};
  const std::vector<int64_t> bad = {0, 2}, good = {0, 1};
  Bind(instance, 0, x0);
  Bind(instance, 1, bad);
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error_), TIR_ERR_VALUE);
  EXPECT_EQ(GetParam(module_.get(), "w"), before);
  Bind(instance, 1, good);
  // Cancelled after the last step, before the copy.
  CancelAt cancel = {1};
  tir_run_options options = {};
  options.cancel = CancelAt::Poll;
  options.cancel_user = &cancel;
  EXPECT_EQ(tir_run(instance.get(), &options, &error_), TIR_ERR_CANCELLED);
  EXPECT_EQ(GetParam(module_.get(), "w"), before);
  RunOk(instance);
  EXPECT_EQ(GetParam(module_.get(), "w"), x0);
}

// A NaN in a step after the first overwrite cannot be undone.
TEST_F(RunTest, AFailureAfterTheFirstOverwriteTears) {
  const std::vector<float> x(4, INFINITY);
  AddParam(module_.get(), context_.get(), "w", {4}, x);
  const auto graph = Update(context_.get(), false);
  tir_compile_options compile = {};
  compile.check_nan = true;
  const auto program = Compile(context_.get(), graph.get(), &compile);
  ASSERT_LT(program->commit, program->n_steps) << "w is not updated in place";
  const auto instance = Instantiate(program, module_.get());
  const TempDir dir;
  const std::string path = dir.File("before.tir");
  ASSERT_EQ(tir_module_save(module_.get(), path.c_str(), &error_), TIR_OK);
  // inf - inf, only in the step that writes w.
  Bind(instance, 0, x);
  const std::vector<int64_t> ids = {0, 1, 2, 3};
  Bind(instance, 1, ids);
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error_), TIR_ERR_VALUE);
  EXPECT_TRUE(strstr(error_.message, "state is half written"))
      << error_.message;
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error_), TIR_ERR_TORN);
  tir_tensor *tensor = nullptr;
  EXPECT_EQ(tir_module_get_param(module_.get(), "w", &tensor, &error_),
            TIR_ERR_TORN);
  // Nor does it reach a file: the old one stays, and is the way out.
  EXPECT_EQ(tir_module_save(module_.get(), path.c_str(), &error_),
            TIR_ERR_TORN);
  EXPECT_TRUE(strstr(error_.message, "load the module again"))
      << error_.message;
  tir_module *loaded = nullptr;
  ASSERT_EQ(
      tir_module_load(context_.get(), path.c_str(), nullptr, &loaded, &error_),
      TIR_OK)
      << error_.message;
  EXPECT_EQ(GetParam(loaded, "w"), x);
  tir_module_destroy(loaded);
}

}  // namespace
