// Compiling some outputs of a graph, or a graph without its assigns; inputs and
// outputs in the caller's memory.
#include <cmath>
#include <cstring>

#include "tests/support/compiled.h"
#include "tests/support/graph_builder.h"

namespace {

class Select : public testing::Test {
 protected:
  Select() {
    GraphBuilder b(context_.get());
    tir_tape *t = b.tape();
    const tir_value x = b.Input("x", TIR_DTYPE_F32, {4});
    const tir_value z = b.Input("z", TIR_DTYPE_F32, {4});
    const tir_value s = b.Param("s", TIR_DTYPE_F32, {4}, TIR_PARAM_STATE);
    const tir_value twice = tir_add(t, x, x);
    b.Output("twice", twice);
    b.Output("exp", tir_exp(t, z));
    b.Output("next", tir_assign(t, s, tir_add(t, s, x)));
    graph_.reset(b.Publish());
    AddParam(module_.get(), context_.get(), "s", {4}, {1, 2, 3, 4},
             TIR_PARAM_STATE);
  }
  Owned<tir_program> With(std::vector<const char *> names,
                          bool without_effects = false) {
    tir_compile_options options = {};
    options.outputs = names.data();
    options.n_outputs = names.size();
    options.without_effects = without_effects;
    tir_program *program = nullptr;
    error_ = {};
    tir_compile(context_.get(), graph_.get(), &options, &program, &error_);
    return Owned<tir_program>(program);
  }
  std::string OutputNames(const tir_program *program) {
    std::string names;
    tir_port port;
    for (size_t i = 0; tir_program_output(program, i, &port) == TIR_OK; i++)
      names += std::string(port.name) + " ";
    return names;
  }
  std::vector<float> State() {
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_module_get_param(module_.get(), "s", &tensor, nullptr),
              TIR_OK);
    const float *data = static_cast<const float *>(tir_tensor_data(tensor));
    const std::vector<float> out(data, data + 4);
    tir_tensor_release(tensor);
    return out;
  }
  uint64_t Steps(const Owned<tir_program> &program) {
    tir_memory_report report;
    tir_program_memory(program.get(), &report);
    return report.n_steps;
  }

  Owned<tir_context> context_ = MakeContext();
  Owned<tir_module> module_ = MakeModule(context_.get());
  Owned<tir_graph> graph_;
  tir_error error_ = {};
  const std::vector<float> x_ = {1, 1, 1, 1}, z_ = {0, 0, 0, 0};
};

using Floats = std::vector<float>;

TEST_F(Select, ComputesWhatTheNamedOutputsAndAssignsNeed) {
  const auto all = Compile(context_.get(), graph_.get());
  EXPECT_EQ(Steps(all), 3u);
  const auto some = With({"next", "twice"});
  ASSERT_NE(some, nullptr) << error_.message;
  EXPECT_EQ(OutputNames(some.get()), "next twice ");
  EXPECT_EQ(Steps(some), 2u);
  const auto instance = Instantiate(some, module_.get());
  Bind(instance, 0, x_);
  RunOk(instance);  // z is read by nobody, so it need not be bound
  EXPECT_EQ(Output<float>(instance, 0, 4), (Floats{2, 3, 4, 5}));
  EXPECT_EQ(Output<float>(instance, 1, 4), (Floats{2, 2, 2, 2}));
  EXPECT_EQ(State(), (Floats{2, 3, 4, 5}));
}

TEST_F(Select, NoOutputLeavesTheEffects) {
  tir_compile_options options = {};
  const char *none = nullptr;
  options.outputs = &none;
  const auto program = Compile(context_.get(), graph_.get(), &options);
  EXPECT_EQ(Steps(program), 1u);
  const auto instance = Instantiate(program, module_.get());
  Bind(instance, 0, x_);
  RunOk(instance);
  EXPECT_EQ(State(), (Floats{2, 3, 4, 5}));
}

TEST_F(Select, WithoutEffectsNothingIsAssigned) {
  const auto program = With({"next"}, true);
  ASSERT_NE(program, nullptr) << error_.message;
  const auto instance = Instantiate(program, module_.get());
  Bind(instance, 0, x_);
  for (int i = 0; i < 2; i++) {
    RunOk(instance);
    EXPECT_EQ(Output<float>(instance, 0, 4), (Floats{2, 3, 4, 5}));
    EXPECT_EQ(State(), (Floats{1, 2, 3, 4}));
  }
  EXPECT_EQ(Steps(With({"exp"}, true)), 1u);
  EXPECT_EQ(Steps(With({"exp"})), 2u);
}

TEST_F(Select, SaysWhichNameIsWrong) {
  EXPECT_EQ(With({"exp", "no"}), nullptr);
  EXPECT_STREQ(error_.message, "compile: the graph has no output \"no\"");
  EXPECT_EQ(With({"exp", "twice", "exp"}), nullptr);
  EXPECT_STREQ(error_.message, "compile: output \"exp\" is listed twice");
  EXPECT_EQ(With({"exp", "twice", "next", "exp", "exp"}), nullptr);
  EXPECT_STREQ(error_.message, "compile: output \"exp\" is listed twice");
  EXPECT_EQ(With({nullptr}), nullptr);
  EXPECT_STREQ(error_.message, "compile: output 0 has no name");
  tir_compile_options options = {};
  options.n_outputs = 2;
  tir_program *program = nullptr;
  EXPECT_EQ(
      tir_compile(context_.get(), graph_.get(), &options, &program, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "compile: n_outputs is 2 but outputs is NULL");
}

// --- the caller's memory -----------------------------------------------------

// Data at `shift` elements from a boundary, between elements that must stay.
class Shifted {
 public:
  Shifted(size_t n, size_t shift) : bytes_(n + 32, -7) {
    const auto at = reinterpret_cast<uintptr_t>(bytes_.data()) / sizeof(float);
    data_ = bytes_.data() + (16 - at % 16) % 16 + shift;
    n_ = n;
  }
  float *data() { return data_; }
  bool OnlyDataChanged() const {
    for (const float *p = bytes_.data(); p < bytes_.data() + bytes_.size(); p++)
      if ((p < data_ || p >= data_ + n_) && *p != -7) return false;
    return true;
  }

 private:
  std::vector<float> bytes_;
  float *data_;
  size_t n_;
};

// Products, sums, exponentials and attention, whose kernels care for lanes.
Owned<tir_graph> Network(tir_context *context) {
  GraphBuilder b(context);
  tir_tape *t = b.tape();
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {19, 13});
  const tir_value w = b.Input("w", TIR_DTYPE_F32, {13, 11});
  const tir_value h = tir_tanh(t, tir_matmul(t, x, w));
  b.Output("attention", tir_attention(t, h, h, x, {}, true, 0));
  const int last = -1;
  b.Output("sum",
           tir_sum(t, tir_softmax(t, tir_add(t, h, h), 0), &last, 1, false));
  return Owned<tir_graph>(b.Publish());
}

TEST_F(Select, BoundMemoryIsUsedInPlaceAtAnyAddress) {
  const auto graph = Network(context_.get());
  const auto program = Compile(context_.get(), graph.get());
  const size_t sizes[] = {19 * 13, 13 * 11, 19 * 13, 19};
  std::vector<float> expected[2];
  for (size_t shift : {0, 1, 2, 3, 5, 7, 9, 15}) {
    std::vector<Shifted> data;
    for (size_t size : sizes) data.emplace_back(size, shift);
    const auto instance = Instantiate(program);
    for (size_t i = 0; i < 2; i++) {
      ASSERT_EQ(tir_instance_bind_input(instance.get(), i, data[i].data(),
                                        sizes[i] * sizeof(float), &error_),
                TIR_OK);
      ASSERT_EQ(tir_instance_bind_output(instance.get(), i, data[2 + i].data(),
                                         sizes[2 + i] * sizeof(float), &error_),
                TIR_OK);
    }
    // Written behind the binding: the run reads the caller's memory itself.
    for (size_t i = 0; i < 2; i++)
      for (size_t e = 0; e < sizes[i]; e++)
        data[i].data()[e] = std::sin(static_cast<float>(7 * i + e));
    RunOk(instance);
    for (size_t i = 0; i < 2; i++) {
      const float *out = data[2 + i].data();
      EXPECT_EQ(tir_instance_output(instance.get(), i), out);
      const std::vector<float> got(out, out + sizes[2 + i]);
      if (shift == 0) expected[i] = got;
      EXPECT_EQ(memcmp(got.data(), expected[i].data(), got.size() * 4), 0)
          << shift;
    }
    for (const Shifted &d : data) EXPECT_TRUE(d.OnlyDataChanged()) << shift;
  }
}

}  // namespace
