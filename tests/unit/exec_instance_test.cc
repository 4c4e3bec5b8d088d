// Instances: the caller's block, binding of inputs, outputs and parameters.
#include "tests/support/compiled.h"
#include "tests/support/context_fixture.h"
#include "tests/support/graph_builder.h"

namespace {

constexpr size_t kGuard = 256;

// A 64-byte-aligned block between two guards of a known pattern.
class GuardedBlock {
 public:
  explicit GuardedBlock(size_t size)
      : size_(size), bytes_(size + 2 * kGuard + 64, 0xC3) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(bytes_.data()) + kGuard;
    begin_ = bytes_.data() + kGuard + (64 - at % 64) % 64;
  }
  uint8_t *data() { return begin_; }
  bool GuardsIntact() const {
    for (const uint8_t *p = bytes_.data(); p < begin_; p++)
      if (*p != 0xC3) return false;
    for (const uint8_t *p = begin_ + size_; p < &*bytes_.end(); p++)
      if (*p != 0xC3) return false;
    return true;
  }
  bool Untouched() const {
    for (uint8_t byte : bytes_)
      if (byte != 0xC3) return false;
    return true;
  }

 private:
  size_t size_;
  std::vector<uint8_t> bytes_;
  uint8_t *begin_;
};

class Instance : public testing::Test {
 protected:
  void SetUp() override {
    GraphBuilder b(context_.get());
    const tir_value x = b.Input("x", TIR_DTYPE_F32, {4, 3});
    const tir_value w = b.Param("w", TIR_DTYPE_F32, {3, 2});
    const tir_value h = tir_tanh(b.tape(), tir_matmul(b.tape(), x, w));
    b.Output("y", tir_mul(b.tape(), h, tir_exp(b.tape(), h)));
    graph_.reset(b.Publish());
    program_ = Compile(context_.get(), graph_.get());
    AddParam(module_.get(), context_.get(), "w", {3, 2},
             {.1f, .2f, .3f, .4f, .5f, .6f});
    for (size_t i = 0; i < 12; i++) x_.push_back(0.25f * float(i) - 1);
    tir_program_memory(program_.get(), &report_);
    const auto instance = Instantiate(program_, module_.get());
    Bind(instance, 0, x_);
    RunOk(instance);
    expected_ = Output<float>(instance, 0, 8);
  }

  // The status of creating an instance with a module whose "w" is like this.
  tir_status CreateWith(tir_dtype dtype, std::vector<int64_t> dims,
                        const char *name = "w",
                        tir_param_kind kind = TIR_PARAM_TRAINABLE) {
    const auto module = MakeModule(context_.get());
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_tensor_create(context_.get(), dtype, dims.data(),
                                int(dims.size()), &tensor, &error_),
              TIR_OK);
    EXPECT_EQ(tir_module_add_param(module.get(), name, kind, tensor, &error_),
              TIR_OK);
    tir_tensor_release(tensor);
    tir_instance *instance = nullptr;
    const tir_status status =
        tir_instance_create(program_.get(), module.get(), &instance, &error_);
    EXPECT_EQ(instance != nullptr, status == TIR_OK);
    tir_instance_destroy(instance);
    return status;
  }

  Owned<tir_context> context_ = MakeContext();
  Owned<tir_module> module_ = MakeModule(context_.get());
  Owned<tir_graph> graph_;
  Owned<tir_program> program_;
  tir_memory_report report_ = {};
  std::vector<float> x_, expected_;
  tir_error error_ = {};
};

// --- blocks ----------------------------------------------------------------

TEST_F(Instance, RunsInABlockOfExactlyTheReportedSize) {
  GuardedBlock block(report_.block_bytes);
  tir_instance *made = nullptr;
  ASSERT_EQ(tir_instance_create_in(program_.get(), module_.get(), block.data(),
                                   report_.block_bytes, &made, &error_),
            TIR_OK);
  Owned<tir_instance> instance(made);
  Bind(instance, 0, x_);
  for (int i = 0; i < 3; i++) RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 0, 8), expected_);
  const auto *y = static_cast<const uint8_t *>(tir_instance_output(made, 0));
  EXPECT_GE(y, block.data());
  EXPECT_LE(y + 32, block.data() + report_.block_bytes);
  instance.reset();
  EXPECT_TRUE(block.GuardsIntact());
}

TEST_F(Instance, RefusesASmallerOrUnalignedBlock) {
  GuardedBlock block(report_.block_bytes + 64);
  tir_instance *made = nullptr;
  EXPECT_EQ(tir_instance_create_in(program_.get(), module_.get(), block.data(),
                                   report_.block_bytes - 1, &made, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(made, nullptr);
  EXPECT_EQ(
      tir_instance_create_in(program_.get(), module_.get(), block.data() + 32,
                             report_.block_bytes, &made, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_instance_create_in(program_.get(), module_.get(), nullptr,
                                   report_.block_bytes, &made, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_instance_create_in(nullptr, module_.get(), block.data(),
                                   report_.block_bytes, &made, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_TRUE(block.Untouched());
}

// What the arena holds before a run never shows in a result.
TEST_F(Instance, ArenaContentsDoNotMatter) {
  const float snan = [] {
    const uint32_t bits = 0x7fa00000u;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
  }();
  uint32_t snan_bits;
  memcpy(&snan_bits, &snan, sizeof snan_bits);
  for (const uint32_t pattern : {0x00000000u, 0xffffffffu, snan_bits}) {
    GuardedBlock block(report_.block_bytes);
    tir_instance *made = nullptr;
    ASSERT_EQ(
        tir_instance_create_in(program_.get(), module_.get(), block.data(),
                               report_.block_bytes, &made, &error_),
        TIR_OK);
    const Owned<tir_instance> instance(made);
    const size_t n =
        (report_.arena_bytes + report_.scratch_bytes + report_.output_bytes) /
        4;
    for (size_t i = 0; i < n; i++)
      memcpy(block.data() + 4 * i, &pattern, sizeof pattern);
    Bind(instance, 0, x_);
    RunOk(instance);
    EXPECT_EQ(memcmp(tir_instance_output(made, 0), expected_.data(), 32), 0);
  }
}

// --- inputs ----------------------------------------------------------------

TEST_F(Instance, RunNeedsItsInputs) {
  const auto instance = Instantiate(program_, module_.get());
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error_), TIR_ERR_STATE);
  EXPECT_STREQ(error_.message, "run: input 0 \"x\" is not bound");
  EXPECT_EQ(tir_run(nullptr, nullptr, &error_), TIR_ERR_ARGUMENT);
  Bind(instance, 0, x_);
  RunOk(instance);
  tir_run_options options = {};
  options.reserved[0] = 1;
  EXPECT_EQ(tir_run(instance.get(), &options, &error_), TIR_ERR_ARGUMENT);
}

TEST_F(Instance, RefusesBadInputs) {
  const auto instance = Instantiate(program_, module_.get());
  tir_instance *i = instance.get();
  EXPECT_EQ(tir_instance_bind_input(i, 0, x_.data(), 44, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "bind: input 0 \"x\" has 48 bytes, given 44");
  EXPECT_EQ(tir_instance_bind_input(i, 0, nullptr, 48, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_instance_bind_input(i, 1, x_.data(), 48, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_instance_bind_input(nullptr, 0, x_.data(), 48, &error_),
            TIR_ERR_ARGUMENT);
  const char *odd = reinterpret_cast<const char *>(x_.data()) + 2;
  EXPECT_EQ(tir_instance_bind_input(i, 0, odd, 48, &error_), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(
      error_.message,
      "bind: input 0 \"x\" is f32: its address must be a multiple of 4");
  EXPECT_EQ(tir_run(i, nullptr, &error_), TIR_ERR_STATE);
}

// Memory may start anywhere an element may: the bits are the same.
TEST_F(Instance, EveryAlignmentGivesTheSameBits) {
  const auto instance = Instantiate(program_, module_.get());
  alignas(64) float in[64], out[64];
  for (size_t shift = 0; shift < 16; shift++) {
    memcpy(in + shift, x_.data(), 48);
    ASSERT_EQ(
        tir_instance_bind_input(instance.get(), 0, in + shift, 48, &error_),
        TIR_OK);
    ASSERT_EQ(tir_instance_bind_output(instance.get(), 0,
                                       out + (shift * 7) % 16, 32, &error_),
              TIR_OK);
    RunOk(instance);
    EXPECT_EQ(memcmp(out + (shift * 7) % 16, expected_.data(), 32), 0) << shift;
  }
}

TEST_F(Instance, FindsPortsByName) {
  const auto instance = Instantiate(program_, module_.get());
  EXPECT_EQ(tir_instance_find_input(instance.get(), "x"), 0);
  EXPECT_EQ(tir_instance_find_input(instance.get(), "w"), -1);
  EXPECT_EQ(tir_instance_find_output(instance.get(), "y"), 0);
  EXPECT_EQ(tir_instance_find_output(instance.get(), "x"), -1);
  EXPECT_EQ(tir_instance_find_output(instance.get(), nullptr), -1);
  EXPECT_EQ(tir_instance_find_input(nullptr, "x"), -1);
}

TEST_F(Instance, AShapeOnlyInputMayStayUnbound) {
  GraphBuilder b(context_.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {3});
  const tir_value like = b.Input("like", TIR_DTYPE_F32, {2, 3});
  b.Output("y", tir_broadcast_like(b.tape(), x, like));
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context_.get(), graph.get());
  const auto instance = Instantiate(program);
  const std::vector<float> x0 = {1, 2, 3};
  Bind(instance, 0, x0);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 0, 6),
            (std::vector<float>{1, 2, 3, 1, 2, 3}));
}

TEST_F(Instance, AnEmptyInputNeedsNoMemory) {
  GraphBuilder b(context_.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {0, 3});
  b.Output("y", tir_exp(b.tape(), x));
  b.Output("sum", tir_sum(b.tape(), x, nullptr, 0, false));
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context_.get(), graph.get());
  const auto instance = Instantiate(program);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 1, 1), (std::vector<float>{0}));
  EXPECT_NE(tir_instance_output(instance.get(), 0), nullptr);
  EXPECT_EQ(tir_instance_bind_input(instance.get(), 0, nullptr, 0, &error_),
            TIR_OK);
  RunOk(instance);
}

// --- outputs ---------------------------------------------------------------

TEST_F(Instance, WritesToBoundOutputsAndBack) {
  const auto instance = Instantiate(program_, module_.get());
  Bind(instance, 0, x_);
  const void *own = tir_instance_output(instance.get(), 0);
  std::vector<float> y(8, -7);
  EXPECT_EQ(tir_instance_bind_output(instance.get(), 0, y.data(), 31, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_instance_bind_output(instance.get(), 1, y.data(), 32, &error_),
            TIR_ERR_ARGUMENT);
  ASSERT_EQ(tir_instance_bind_output(instance.get(), 0, y.data(), 32, &error_),
            TIR_OK);
  EXPECT_EQ(tir_instance_output(instance.get(), 0), y.data());
  RunOk(instance);
  EXPECT_EQ(y, expected_);
  y.assign(8, -7);
  ASSERT_EQ(tir_instance_bind_output(instance.get(), 0, nullptr, 0, &error_),
            TIR_OK);
  EXPECT_EQ(tir_instance_output(instance.get(), 0), own);
  RunOk(instance);
  EXPECT_EQ(y, std::vector<float>(8, -7));
  EXPECT_EQ(Output<float>(instance, 0, 8), expected_);
  EXPECT_EQ(tir_instance_output(instance.get(), 1), nullptr);
  EXPECT_EQ(tir_instance_output(nullptr, 0), nullptr);
}

// Outputs that are inputs, constants, views or listed twice are copied.
TEST_F(Instance, OutputsThatNothingComputes) {
  GraphBuilder b(context_.get());
  const float data[] = {7, 8};
  const int64_t column[] = {2, 1};
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {2});
  const tir_value y = tir_exp(b.tape(), x);
  b.Output("same", x);
  b.Output("constant", b.Constant(TIR_DTYPE_F32, {2}, data));
  b.Output("y", y);
  b.Output("again", y);
  b.Output("column", tir_reshape(b.tape(), x, column, 2));
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context_.get(), graph.get());
  const auto instance = Instantiate(program);
  const std::vector<float> zero = {0, 0}, one = {1, 1};
  Bind(instance, 0, zero);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 0, 2), zero);
  EXPECT_EQ(Output<float>(instance, 1, 2), (std::vector<float>{7, 8}));
  EXPECT_EQ(Output<float>(instance, 2, 2), one);
  EXPECT_EQ(Output<float>(instance, 3, 2), one);
  EXPECT_EQ(Output<float>(instance, 4, 2), zero);
}

// --- parameters ------------------------------------------------------------

TEST_F(Instance, ParametersMustMatch) {
  tir_instance *made = nullptr;
  EXPECT_EQ(tir_instance_create(program_.get(), nullptr, &made, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message,
               "instance: the graph has parameter \"w\" but module is NULL");
  EXPECT_EQ(CreateWith(TIR_DTYPE_F32, {3, 2}), TIR_OK);
  EXPECT_EQ(CreateWith(TIR_DTYPE_F32, {3, 2}, "v"), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "instance: the module has no parameter \"w\"");
  EXPECT_EQ(CreateWith(TIR_DTYPE_F64, {3, 2}), TIR_ERR_DTYPE);
  EXPECT_EQ(CreateWith(TIR_DTYPE_F32, {2, 3}), TIR_ERR_SHAPE);
  EXPECT_STREQ(error_.message,
               "instance: parameter \"w\" is f32[3, 2] in the graph, "
               "f32[2, 3] in the module");
  EXPECT_EQ(CreateWith(TIR_DTYPE_F32, {3, 2}, "w", TIR_PARAM_STATE),
            TIR_ERR_ARGUMENT);
}

// A create that fails half way gives back the parameters it had bound.
TEST(InstanceFault, AFailedCreateHoldsNothing) {
  FailingAllocator allocator;
  TestContext context(&allocator);
  GraphBuilder b(context);
  const tir_value v = b.Param("v", TIR_DTYPE_F32, {2});
  const tir_value w = b.Param("w", TIR_DTYPE_F32, {2});
  b.Output("y", tir_add(b.tape(), v, w));
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context, graph.get());
  const auto module = MakeModule(context);
  AddParam(module.get(), context, "v", {2}, {1, 2});
  const size_t held = allocator.n_held();
  tir_instance *made = nullptr;
  EXPECT_EQ(tir_instance_create(program.get(), module.get(), &made, nullptr),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(allocator.n_held(), held);
  EXPECT_EQ(module->params.data[0].tensor->n_refs, 1u);
}

TEST_F(Instance, SeesParametersAsTheyChange) {
  const auto instance = Instantiate(program_, module_.get());
  Bind(instance, 0, x_);
  const int64_t dims[] = {3, 2};
  tir_tensor *zeros = nullptr;
  ASSERT_EQ(tir_tensor_create(context_.get(), TIR_DTYPE_F32, dims, 2, &zeros,
                              &error_),
            TIR_OK);
  ASSERT_EQ(tir_module_set_param(module_.get(), "w", zeros, &error_), TIR_OK);
  tir_tensor_release(zeros);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 0, 8), std::vector<float>(8, 0));
  tir_instance_destroy(nullptr);
}

}  // namespace
