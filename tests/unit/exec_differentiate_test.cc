// tir_graph_differentiate: names, heads, variables, and the numbers.
#include "tests/support/compiled.h"
#include "tests/support/context_fixture.h"
#include "tests/support/graph_builder.h"

namespace {

class Differentiate : public testing::Test {
 protected:
  // y = x^2 w, s = sum(y); n = argmax-like integer output.
  void SetUp() override {
    GraphBuilder b(context_.get());
    tir_tape *t = b.tape();
    const tir_value x = b.Input("x", TIR_DTYPE_F32, {2}, {"batch"});
    b.Input("ids", TIR_DTYPE_I64, {2});
    const tir_value w = b.Param("w", TIR_DTYPE_F32, {});
    const tir_value y = tir_mul(t, tir_square(t, x), w);
    b.Output("y", y);
    b.Output("best", tir_argmax(t, y, 0, false));
    graph_.reset(b.Publish());
    AddParam(module_.get(), context_.get(), "w", {}, {3});
  }

  Owned<tir_graph> Gradient(std::vector<const char *> wrt, bool default_heads) {
    tir_graph *graph = nullptr;
    EXPECT_EQ(tir_graph_differentiate(graph_.get(), wrt.data(), wrt.size(),
                                      default_heads, &graph, &error_),
              TIR_OK)
        << error_.message;
    return Owned<tir_graph>(graph);
  }
  tir_status Fails(std::vector<const char *> wrt) {
    tir_graph *graph = nullptr;
    const tir_status status = tir_graph_differentiate(
        graph_.get(), wrt.data(), wrt.size(), true, &graph, &error_);
    EXPECT_EQ(graph, nullptr);
    return status;
  }

  Owned<tir_context> context_ = MakeContext();
  Owned<tir_module> module_ = MakeModule(context_.get());
  Owned<tir_graph> graph_;
  tir_error error_ = {};
};

std::vector<std::string> OutputNames(const tir_graph *graph) {
  std::vector<std::string> names;
  for (size_t i = 0; i < tir_graph_n_outputs(graph); i++) {
    tir_port port = {};
    EXPECT_EQ(tir_graph_output(graph, i, &port), TIR_OK);
    names.push_back(port.name);
  }
  return names;
}

TEST_F(Differentiate, ByEveryFloatVariable) {
  const auto gradient = Gradient({}, true);
  EXPECT_EQ(OutputNames(gradient.get()),
            (std::vector<std::string>{"y", "best", "x.grad", "w.grad"}));
  EXPECT_EQ(tir_graph_n_inputs(gradient.get()), 2u);
  const auto program = Compile(context_.get(), gradient.get());
  const auto instance = Instantiate(program, module_.get());
  const std::vector<float> x = {1, 2};
  const std::vector<int64_t> ids = {0, 0};
  Bind(instance, 0, x);
  Bind(instance, 1, ids);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 2, 2), (std::vector<float>{6, 12}));
  EXPECT_EQ(Output<float>(instance, 3, 1), (std::vector<float>{5}));
}

TEST_F(Differentiate, FollowsOtherSizes) {
  const auto gradient = Gradient({"x"}, true);
  const tir_dim_size size = {"batch", 3};
  tir_compile_options options = {};
  options.dim_sizes = &size;
  options.n_dim_sizes = 1;
  const auto program = Compile(context_.get(), gradient.get(), &options);
  const auto instance = Instantiate(program, module_.get());
  const std::vector<float> x = {1, 2, 3};
  const std::vector<int64_t> ids = {0, 0};
  Bind(instance, 0, x);
  Bind(instance, 1, ids);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 2, 3), (std::vector<float>{6, 12, 18}));
}

TEST_F(Differentiate, HeadsAsInputs) {
  const auto gradient = Gradient({"w"}, false);
  EXPECT_EQ(OutputNames(gradient.get()),
            (std::vector<std::string>{"y", "best", "w.grad"}));
  ASSERT_EQ(tir_graph_n_inputs(gradient.get()), 3u);
  tir_port port = {};
  ASSERT_EQ(tir_graph_input(gradient.get(), 2, &port), TIR_OK);
  EXPECT_STREQ(port.name, "y.head");
  const auto program = Compile(context_.get(), gradient.get());
  const auto instance = Instantiate(program, module_.get());
  const std::vector<float> x = {1, 2}, head = {10, 0.5f};
  const std::vector<int64_t> ids = {0, 0};
  Bind(instance, 0, x);
  Bind(instance, 1, ids);
  Bind(instance, 2, head);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 2, 1), (std::vector<float>{12}));
}

// The result is a graph like any other: its gradient is the second one.
TEST_F(Differentiate, Twice) {
  const auto first = Gradient({"x"}, true);
  graph_.reset();
  tir_graph *made = nullptr;
  const char *wrt[] = {"w"};
  ASSERT_EQ(tir_graph_differentiate(first.get(), wrt, 1, true, &made, &error_),
            TIR_OK)
      << error_.message;
  const Owned<tir_graph> second(made);
  const auto program = Compile(context_.get(), second.get());
  const auto instance = Instantiate(program, module_.get());
  const std::vector<float> x = {1, 2};
  const std::vector<int64_t> ids = {0, 0};
  Bind(instance, 0, x);
  Bind(instance, 1, ids);
  RunOk(instance);
  // Heads y and x.grad: sum(x^2) + sum(2x).
  EXPECT_EQ(Output<float>(instance, 3, 1), (std::vector<float>{11}));
}

TEST_F(Differentiate, StopGradientAndUnreachedVariables) {
  GraphBuilder b(context_.get());
  tir_tape *t = b.tape();
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {2});
  const tir_value z = b.Input("z", TIR_DTYPE_F32, {2});
  b.Output("y", tir_add(t, x, tir_stop_gradient(t, tir_mul(t, x, z))));
  graph_.reset(b.Publish());
  const auto gradient = Gradient({}, true);
  const auto program = Compile(context_.get(), gradient.get());
  const auto instance = Instantiate(program);
  const std::vector<float> x0 = {1, 2}, z0 = {5, NAN};
  Bind(instance, 0, x0);
  Bind(instance, 1, z0);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 1, 2), (std::vector<float>{1, 1}));
  EXPECT_EQ(Output<float>(instance, 2, 2), (std::vector<float>{0, 0}));
}

TEST_F(Differentiate, RefusesWhatHasNoGradient) {
  EXPECT_EQ(Fails({"v"}), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message,
               "differentiate: the graph has no input or parameter \"v\"");
  EXPECT_EQ(Fails({"ids"}), TIR_ERR_DTYPE);
  EXPECT_STREQ(error_.message,
               "differentiate: \"ids\" is i64, only floats have a gradient");
  EXPECT_EQ(Fails({nullptr}), TIR_ERR_ARGUMENT);
  tir_graph *made = nullptr;
  EXPECT_EQ(tir_graph_differentiate(nullptr, nullptr, 0, true, &made, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_graph_differentiate(graph_.get(), nullptr, 1, true, &made, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_graph_differentiate(graph_.get(), nullptr, 0, true, nullptr, &error_),
      TIR_ERR_ARGUMENT);
  GraphBuilder b(context_.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {2});
  b.Output("best", tir_argmax(b.tape(), x, 0, false));
  graph_.reset(b.Publish());
  EXPECT_EQ(Fails({"x"}), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message,
               "differentiate: no output depends on a variable");
  GraphBuilder stopped(context_.get());
  const tir_value z = stopped.Input("x", TIR_DTYPE_F32, {2});
  stopped.Output("y", tir_stop_gradient(stopped.tape(), z));
  graph_.reset(stopped.Publish());
  EXPECT_EQ(Fails({"x"}), TIR_ERR_ARGUMENT);
}

TEST(DifferentiateFault, EveryFailingAllocationIsClean) {
  uint64_t n = 0;
  ForEachFailingAllocation([&n](FailingAllocator &allocator) -> tir_status {
    // Only the call is on trial.
    allocator.FailAt(0);
    const TestContext context(&allocator);
    GraphBuilder b(context);
    tir_tape *t = b.tape();
    const tir_value x = b.Input("x", TIR_DTYPE_F32, {2, 3});
    const tir_value w = b.Param("w", TIR_DTYPE_F32, {3, 2});
    b.Output("y", tir_softmax(t, tir_matmul(t, x, w), 1));
    const Owned<tir_graph> graph(b.Publish());
    allocator.FailAt(allocator.n_allocs() + ++n);
    tir_graph *made = nullptr;
    tir_error error = {};
    const tir_status status =
        tir_graph_differentiate(graph.get(), nullptr, 0, false, &made, &error);
    EXPECT_EQ(error.status, status);
    EXPECT_EQ(made != nullptr, status == TIR_OK);
    tir_graph_destroy(made);
    return status;
  });
}

}  // namespace
