// tir_reference_run and, below it, whole graphs in the reference: bindings,
// symbolic sizes, state, errors, memory.

#include "tapeir/program.h"
#include "tests/support/compiled.h"
#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

extern "C" {
#include "ir/reference/reference.h"
}

namespace {

using Floats = std::vector<float>;

Owned<tir_tensor> Tensor(tir_context *context, const std::vector<int64_t> &dims,
                         const Floats &data) {
  tir_tensor *tensor = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_tensor_from_data(context, TIR_DTYPE_F32, dims.data(),
                                 static_cast<int>(dims.size()), data.data(),
                                 &tensor, &error),
            TIR_OK)
      << error.message;
  return Owned<tir_tensor>(tensor);
}

Floats FloatsOf(const tir_tensor *tensor) {
  const float *data = static_cast<const float *>(tir_tensor_data(tensor));
  return Floats(data, data + tir_tensor_numel(tensor));
}

class ReferenceRun : public testing::Test {
 protected:
  // Runs graph "main" of the text.
  tir_status Run(const std::vector<const tir_tensor *> &inputs,
                 size_t n_outputs) {
    std::vector<tir_tensor *> in;
    for (const tir_tensor *t : inputs)
      in.push_back(const_cast<tir_tensor *>(t));
    std::vector<tir_tensor *> out(n_outputs + 1);
    const tir_graph *graph = tir_module_graph(module_.get(), "main");
    error_ = {};
    const tir_status status =
        tir_reference_run(graph, module_.get(), in.data(), in.size(),
                          out.data(), n_outputs, &error_);
    outputs_.clear();
    for (size_t i = 0; i < n_outputs; i++) outputs_.emplace_back(out[i]);
    return status;
  }
  void Parse(const std::string &text) {
    module_ = ParseModule(context_.get(), text);
    ASSERT_TRUE(module_);
  }
  Owned<tir_tensor> Make(const std::vector<int64_t> &dims, const Floats &data) {
    return Tensor(context_.get(), dims, data);
  }
  Floats Out(size_t i) { return FloatsOf(outputs_[i].get()); }
  Floats Param(const char *name) {
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_module_get_param(module_.get(), name, &tensor, &error_),
              TIR_OK);
    return FloatsOf(Owned<tir_tensor>(tensor).get());
  }

  Owned<tir_context> context_ = MakeContext();
  ModulePtr module_;
  std::vector<Owned<tir_tensor>> outputs_;
  tir_error error_ = {};
};

constexpr char kSquare[] = R"(
graph @main(%x: f32[n=2]) {
  %0 = square %x : f32[n=2]
  return %0 "y"
}
)";

TEST_F(ReferenceRun, FollowsTheSizesOfTheInputs) {
  Parse(kSquare);
  ASSERT_EQ(Run({Make({2}, {2, 3}).get()}, 1), TIR_OK) << error_.message;
  EXPECT_EQ(Out(0), (Floats{4, 9}));
  ASSERT_EQ(Run({Make({3}, {1, 2, 3}).get()}, 1), TIR_OK) << error_.message;
  EXPECT_EQ(Out(0), (Floats{1, 4, 9}));
  ASSERT_EQ(Run({Make({0}, {}).get()}, 1), TIR_OK) << error_.message;
  EXPECT_EQ(Out(0), Floats{});
  // The graph itself did not change.
  ASSERT_EQ(Run({Make({2}, {2, 3}).get()}, 1), TIR_OK) << error_.message;
}

TEST_F(ReferenceRun, OneNameMeansOneSize) {
  Parse(R"(
graph @main(%x: f32[n=2], %y: f32[n=2]) {
  %0 = add %x, %y : f32[n=2]
  return %0
}
)");
  ASSERT_EQ(Run({Make({3}, {1, 2, 3}).get(), Make({3}, {1, 1, 1}).get()}, 1),
            TIR_OK)
      << error_.message;
  EXPECT_EQ(Out(0), (Floats{2, 3, 4}));
  EXPECT_EQ(Run({Make({3}, {1, 2, 3}).get(), Make({4}, {1, 1, 1, 1}).get()}, 1),
            TIR_ERR_SHAPE);
}

TEST_F(ReferenceRun, RefusesWrongInputs) {
  Parse(R"(
graph @main(%x: f32[2]) {
  %0 = neg %x : f32[2]
  return %0
}
)");
  EXPECT_EQ(Run({Make({3}, {1, 2, 3}).get()}, 1), TIR_ERR_SHAPE);
  EXPECT_STREQ(error_.message,
               "reference run: input \"x\" has another type: it is f32[3], "
               "expected f32[2]");
  tir_tensor *wrong = nullptr;
  const int64_t dims[] = {2};
  ASSERT_EQ(tir_tensor_create(context_.get(), TIR_DTYPE_F64, dims, 1, &wrong,
                              &error_),
            TIR_OK);
  const Owned<tir_tensor> owned(wrong);
  EXPECT_EQ(Run({wrong}, 1), TIR_ERR_DTYPE);
  EXPECT_EQ(Run({}, 1), TIR_ERR_ARGUMENT);
  EXPECT_EQ(Run({nullptr}, 1), TIR_ERR_ARGUMENT);
  EXPECT_EQ(Run({Make({2}, {1, 2}).get()}, 2), TIR_ERR_ARGUMENT);
  EXPECT_EQ(outputs_[0], nullptr);
  EXPECT_EQ(
      tir_reference_run(nullptr, nullptr, nullptr, 0, nullptr, 0, &error_),
      TIR_ERR_ARGUMENT);
}

constexpr char kCounter[] = R"(
param "count" f32[1] {kind = state} [5]
graph @main(%count: state f32[1] "count", %by: f32[1]) {
  %0 = add %count, %by : f32[1]
  %1 = assign %count, %0 : f32[1]
  %2 = mul %1, %by : f32[1]
  return %count "before", %1 "after", %2 "product", %by "same", %1 "again"
}
)";

TEST_F(ReferenceRun, AssignsReplaceTheState) {
  Parse(kCounter);
  const auto two = Make({1}, {2});
  ASSERT_EQ(Run({two.get()}, 5), TIR_OK) << error_.message;
  EXPECT_EQ(Out(0), Floats{5});
  EXPECT_EQ(Out(1), Floats{7});
  EXPECT_EQ(Out(2), Floats{14});
  EXPECT_EQ(Out(3), Floats{2});
  EXPECT_EQ(Out(4), Floats{7});
  EXPECT_EQ(Param("count"), Floats{7});
  EXPECT_EQ(tir_ir_module_param(module_.get(), "count")->version, 1u);
  ASSERT_EQ(Run({two.get()}, 5), TIR_OK) << error_.message;
  EXPECT_EQ(Out(0), Floats{7});
  EXPECT_EQ(Param("count"), Floats{9});
}

TEST_F(ReferenceRun, OutputsAreNewTensors) {
  Parse(kCounter);
  const auto two = Make({1}, {2});
  ASSERT_EQ(Run({two.get()}, 5), TIR_OK) << error_.message;
  for (size_t i = 0; i < 5; i++) {
    EXPECT_NE(tir_tensor_data(outputs_[i].get()), tir_tensor_data(two.get()));
    for (size_t j = 0; j < i; j++)
      EXPECT_NE(tir_tensor_data(outputs_[i].get()),
                tir_tensor_data(outputs_[j].get()));
  }
}

TEST_F(ReferenceRun, TakesALease) {
  Parse(kCounter);
  const auto two = Make({1}, {2});
  ASSERT_EQ(tir_ir_module_acquire(module_.get(), false, &error_), TIR_OK);
  EXPECT_EQ(Run({two.get()}, 5), TIR_ERR_BUSY);
  tir_ir_module_end_lease(module_.get());
  EXPECT_EQ(Run({two.get()}, 5), TIR_OK) << error_.message;
  // And gave its own back.
  EXPECT_EQ(tir_ir_module_acquire(module_.get(), true, &error_), TIR_OK);
  tir_ir_module_end_lease(module_.get());
}

TEST_F(ReferenceRun, NeedsTheParameters) {
  Parse(kCounter);
  const tir_graph *graph = tir_module_graph(module_.get(), "main");
  const auto two = Make({1}, {2});
  tir_tensor *in[] = {two.get()};
  tir_tensor *out[5];
  EXPECT_EQ(tir_reference_run(graph, nullptr, in, 1, out, 5, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message,
               "reference run: the module has no parameter \"count\"");
  const Owned<tir_module> other = MakeModule(context_.get());
  const auto wide = Make({2}, {0, 0});
  ASSERT_EQ(tir_module_add_param(other.get(), "count", TIR_PARAM_STATE,
                                 wide.get(), &error_),
            TIR_OK);
  EXPECT_EQ(tir_reference_run(graph, other.get(), in, 1, out, 5, &error_),
            TIR_ERR_SHAPE);
}

TEST_F(ReferenceRun, ErrorsNameTheNode) {
  Parse(R"(
param "count" f32[3] {kind = state} [1, 2, 3]
graph @main(%count: state f32[3] "count", %x: f32[3]) {
  %0 = assign %count, %x : f32[3]
  %1 = cast %x {dtype = i64} : i64[3]
  %row = gather %x, %1 {axis = 0} : f32[3]
  return %row
}
)");
  EXPECT_EQ(Run({Make({3}, {0, 7, 1}).get()}, 1), TIR_ERR_VALUE);
  EXPECT_STREQ(error_.message,
               "gather: index 7 at position 1 is out of range for size 3: "
               "node %5 \"row\"");
  EXPECT_EQ(error_.node, 5u);
  EXPECT_EQ(outputs_[0], nullptr);
  // Nothing was assigned.
  EXPECT_EQ(Param("count"), (Floats{1, 2, 3}));
}

TEST_F(ReferenceRun, ConstantsOfBothKinds) {
  Parse(R"(
graph @main(%x: f32[2]) {
  %0 = constant {value = 3} : f32[2]
  %1 = constant {data = [1, -1]} : f32[2]
  %2 = mul %x, %0 : f32[2]
  %3 = mul %2, %1 : f32[2]
  return %3, %1
}
)");
  ASSERT_EQ(Run({Make({2}, {1, 2}).get()}, 2), TIR_OK) << error_.message;
  EXPECT_EQ(Out(0), (Floats{3, -6}));
  EXPECT_EQ(Out(1), (Floats{1, -1}));
}

TEST_F(ReferenceRun, UnexpandedGradientIsRefused) {
  const GraphPtr graph = ParseGraph(context_.get(), R"(
graph @main(%x: f32[]) {
  %0 = square %x : f32[]
  return %0
}
)");
  const uint32_t y = graph->outputs.data[0].value.id;
  const uint32_t x = graph->inputs.data[0].id;
  const uint32_t operands[] = {y, y, x};
  const tir_attrs_gradient attrs = {1, 0};
  tir_ir_node node = {};
  ASSERT_EQ(tir_ir_append_checked(graph.get(), TIR_OP_GRADIENT, operands, 3,
                                  &attrs, nullptr, 1, &node, &error_),
            TIR_OK)
      << error_.message;
  const auto input = Make({}, {2});
  tir_tensor *in[] = {input.get()};
  tir_tensor *out[1];
  EXPECT_EQ(tir_reference_graph(graph.get(), in, nullptr, out, &error_),
            TIR_ERR_STATE);
  EXPECT_EQ(out[0], nullptr);
}

// Values go when their last reader has run: a long chain needs no more memory
// than a short one, beside the tables.
TEST_F(ReferenceRun, FreesDeadValues) {
  FailingAllocator allocator;
  {
    TestContext context(&allocator);
    std::string text = "graph @main(%x: f32[64]) {\n";
    std::string last = "%x";
    for (int i = 0; i < 200; i++) {
      text += "  %" + std::to_string(i) + " = neg " + last + " : f32[64]\n";
      last = "%" + std::to_string(i);
    }
    text += "  return " + last + "\n}\n";
    const GraphPtr graph = ParseGraph(context, text);
    const auto x = Tensor(context, {64}, Floats(64, 1));
    tir_tensor *in[] = {x.get()};
    tir_tensor *out[1] = {};
    const size_t before = allocator.n_held();
    ASSERT_EQ(tir_reference_graph(graph.get(), in, nullptr, out, &error_),
              TIR_OK)
        << error_.message;
    EXPECT_LE(allocator.max_held(), before + 16);
    EXPECT_EQ(FloatsOf(out[0]), Floats(64, 1));
    tir_tensor_release(out[0]);
    EXPECT_EQ(allocator.n_held(), before);
  }
}

// Both graphs in turn with allocation number n after the setting up failing.
tir_status RunWithFailure(FailingAllocator *allocator, uint64_t n) {
  TestContext context(allocator);
  const ModulePtr module = ParseModule(context, kCounter);
  const ModulePtr square = ParseModule(context, kSquare);
  const auto two = Tensor(context, {1}, {2});
  const auto three = Tensor(context, {3}, {1, 2, 3});
  tir_tensor *in[] = {two.get()};
  tir_tensor *in_square[] = {three.get()};
  tir_tensor *out[5] = {};
  tir_error error = {};
  allocator->FailAt(allocator->n_allocs() + n);
  tir_status status = tir_reference_run(tir_module_graph(module.get(), "main"),
                                        module.get(), in, 1, out, 5, &error);
  for (tir_tensor *&t : out) {
    EXPECT_EQ(t != nullptr, status == TIR_OK);
    tir_tensor_release(t);
  }
  // A symbolic size makes a private copy of the graph.
  if (status == TIR_OK) {
    status = tir_reference_run(tir_module_graph(square.get(), "main"),
                               square.get(), in_square, 1, out, 1, &error);
    if (status == TIR_OK) tir_tensor_release(out[0]);
  }
  EXPECT_EQ(status, error.status);
  return status;
}

TEST_F(ReferenceRun, SurvivesEveryFailingAllocation) {
  for (uint64_t n = 1; n < 1000; n++) {
    FailingAllocator allocator;
    const tir_status status = RunWithFailure(&allocator, n);
    if (!allocator.failed()) {
      EXPECT_EQ(status, TIR_OK);
      EXPECT_GT(n, 20u);
      return;
    }
    EXPECT_EQ(status, TIR_ERR_MEMORY) << "allocation " << n;
    if (HasFailure()) return;
  }
  FAIL() << "still allocating";
}

}  // namespace
