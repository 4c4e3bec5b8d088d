// tir_compile: sizes, limits, the memory report, and what a program tells.
#include "tests/support/compiled.h"
#include "tests/support/context_fixture.h"
#include "tests/support/graph_builder.h"

namespace {

// y = relu(x . w + b), h = x . w kept as a second output.
Owned<tir_graph> Linear(tir_context *context) {
  GraphBuilder b(context);
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {4, 3}, {"batch", ""});
  const tir_value w = b.Param("w", TIR_DTYPE_F32, {3, 2});
  const tir_value bias = b.Param("b", TIR_DTYPE_F32, {2});
  const tir_value h = tir_set_name(b.tape(), tir_matmul(b.tape(), x, w), "h");
  b.Output("y", tir_relu(b.tape(), tir_add(b.tape(), h, bias)));
  b.Output("h", h);
  return Owned<tir_graph>(b.Publish());
}

Owned<tir_module> LinearModule(tir_context *context) {
  Owned<tir_module> module = MakeModule(context);
  AddParam(module.get(), context, "w", {3, 2}, {1, -1, 2, -2, 3, -3});
  AddParam(module.get(), context, "b", {2}, {0.5f, -0.5f});
  return module;
}

class CompileTest : public testing::Test {
 protected:
  Owned<tir_context> context_ = MakeContext();
  Owned<tir_module> module_ = LinearModule(context_.get());
  Owned<tir_graph> graph_ = Linear(context_.get());
  tir_error error_ = {};

  // Compiles for a batch and checks the numbers.
  void CheckBatch(int64_t batch) {
    const tir_dim_size size = {"batch", batch};
    tir_compile_options options = {};
    options.dim_sizes = &size;
    options.n_dim_sizes = 1;
    const auto program = Compile(context_.get(), graph_.get(), &options);
    const auto instance = Instantiate(program, module_.get());
    std::vector<float> x(static_cast<size_t>(batch) * 3);
    for (size_t i = 0; i < x.size(); i++) x[i] = static_cast<float>(i);
    Bind(instance, 0, x);
    RunOk(instance);
    const size_t n = static_cast<size_t>(batch) * 2;
    const auto y = Output<float>(instance, 0, n);
    const auto h = Output<float>(instance, 1, n);
    for (size_t i = 0; i < static_cast<size_t>(batch); i++) {
      const float sum = x[3 * i] + 2 * x[3 * i + 1] + 3 * x[3 * i + 2];
      EXPECT_EQ(h[2 * i], sum);
      EXPECT_EQ(h[2 * i + 1], -sum);
      EXPECT_EQ(y[2 * i], sum + 0.5f);
      EXPECT_EQ(y[2 * i + 1], 0.0f);
    }
    tir_port port = {};
    ASSERT_EQ(tir_program_input(program.get(), 0, &port), TIR_OK);
    EXPECT_EQ(port.dims[0], batch);
  }
};

TEST_F(CompileTest, RunsAtTheRecordedSize) {
  const auto program = Compile(context_.get(), graph_.get());
  const auto instance = Instantiate(program, module_.get());
  const std::vector<float> x = {1, 0, 0, 0, 1, 0, 0, 0, 1, -1, -1, -1};
  Bind(instance, 0, x);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 0, 8),
            (std::vector<float>{1.5f, 0, 2.5f, 0, 3.5f, 0, 0, 5.5f}));
}

TEST_F(CompileTest, FollowsOtherSizes) {
  CheckBatch(4);
  CheckBatch(7);
  CheckBatch(1);
  CheckBatch(0);
}

TEST_F(CompileTest, RefusesBadArguments) {
  tir_program *program = nullptr;
  EXPECT_EQ(tir_compile(nullptr, graph_.get(), nullptr, &program, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "compile: context is NULL");
  EXPECT_EQ(tir_compile(context_.get(), nullptr, nullptr, &program, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_compile(context_.get(), graph_.get(), nullptr, nullptr, &error_),
      TIR_ERR_ARGUMENT);

  tir_compile_options options = {};
  options.reserved[3] = 1;
  EXPECT_EQ(
      tir_compile(context_.get(), graph_.get(), &options, &program, &error_),
      TIR_ERR_ARGUMENT);
  options = {};
  options.n_dim_sizes = 1;
  EXPECT_EQ(
      tir_compile(context_.get(), graph_.get(), &options, &program, &error_),
      TIR_ERR_ARGUMENT);
  const tir_dim_size sizes[] = {{"width", 4}, {"batch", -1}, {nullptr, 1}};
  for (const tir_dim_size &size : sizes) {
    options.dim_sizes = &size;
    EXPECT_EQ(
        tir_compile(context_.get(), graph_.get(), &options, &program, &error_),
        TIR_ERR_ARGUMENT);
    EXPECT_EQ(program, nullptr);
  }
  options = {};
  options.pipeline = "fastest";
  EXPECT_EQ(
      tir_compile(context_.get(), graph_.get(), &options, &program, &error_),
      TIR_ERR_ARGUMENT);
  tir_program_destroy(nullptr);
}

TEST_F(CompileTest, EveryPipelineGivesTheSameBits) {
  std::vector<float> x(12);
  for (size_t i = 0; i < x.size(); i++) x[i] = 0.1f * static_cast<float>(i);
  std::vector<float> first;
  for (const char *pipeline : {"none", "basic", "full"}) {
    tir_compile_options options = {};
    options.pipeline = pipeline;
    const auto program = Compile(context_.get(), graph_.get(), &options);
    const auto instance = Instantiate(program, module_.get());
    Bind(instance, 0, x);
    RunOk(instance);
    const auto y = Output<float>(instance, 0, 8);
    if (first.empty()) first = y;
    EXPECT_EQ(y, first) << pipeline;
  }
}

// --- the memory report -----------------------------------------------------

uint64_t Round64(uint64_t size) { return (size + 63) / 64 * 64; }

TEST_F(CompileTest, ReportIsExact) {
  const auto program = Compile(context_.get(), graph_.get());
  tir_memory_report report = {};
  tir_program_memory(program.get(), &report);
  EXPECT_EQ(report.block_bytes, report.arena_bytes + report.scratch_bytes +
                                    report.output_bytes + report.table_bytes);
  EXPECT_EQ(report.input_bytes, 4u * 3 * 4);
  EXPECT_EQ(report.param_bytes, 3u * 2 * 4 + 2 * 4);
  EXPECT_EQ(report.output_bytes, 2 * Round64(4 * 2 * 4));
  EXPECT_EQ(report.constant_bytes, 0u);
  EXPECT_GE(report.arena_bytes, report.lower_bound_bytes);
  EXPECT_EQ(report.n_steps, 2u);  // the product; bias and relu
  EXPECT_EQ(report.n_values, tir_program_n_values(program.get()));
  tir_program_memory(nullptr, &report);
  EXPECT_EQ(report.block_bytes, 0u);
  tir_program_memory(program.get(), nullptr);
}

// The allocator sees exactly the block when an instance is made.
TEST(CompileMemory, InstanceTakesExactlyItsBlock) {
  struct Meter {
    size_t total = 0;
    size_t n = 0;
  } meter;
  tir_context_options options = {};
  options.allocator.user = &meter;
  options.allocator.alloc = [](void *user, size_t size, size_t align) {
    auto *m = static_cast<Meter *>(user);
    m->total += size;
    m->n++;
    void *ptr = nullptr;
    return posix_memalign(&ptr, align < 8 ? 8 : align, size) == 0 ? ptr
                                                                  : nullptr;
  };
  options.allocator.free = [](void *, void *ptr, size_t, size_t) { free(ptr); };
  tir_context *made = nullptr;
  ASSERT_EQ(tir_context_create(&options, &made, nullptr), TIR_OK);
  const Owned<tir_context> context(made);
  const auto module = LinearModule(made);
  const auto graph = Linear(made);
  const auto program = Compile(made, graph.get());
  tir_memory_report report = {};
  tir_program_memory(program.get(), &report);
  meter = {};
  const auto instance = Instantiate(program, module.get());
  EXPECT_EQ(meter.n, 1u);
  EXPECT_EQ(meter.total, report.block_bytes);
}

TEST_F(CompileTest, ConstantsAreCountedAndSplatsWrittenOut) {
  GraphBuilder b(context_.get());
  const float data[] = {1, 2, 3};
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {3});
  const tir_value c = b.Constant(TIR_DTYPE_F32, {3}, data);
  const int64_t dims[] = {3};
  const tir_value half = tir_full(b.tape(), TIR_DTYPE_F32, dims, 1, 0.5);
  b.Output("y", tir_mul(b.tape(), tir_add(b.tape(), x, c), half));
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context_.get(), graph.get());
  tir_memory_report report = {};
  tir_program_memory(program.get(), &report);
  EXPECT_EQ(report.constant_bytes, 128u);
  const auto instance = Instantiate(program);
  const std::vector<float> x0 = {1, 2, 3};
  Bind(instance, 0, x0);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 0, 3), (std::vector<float>{1, 2, 3}));
}

TEST_F(CompileTest, RefusesAPlanAboveTheLimit) {
  tir_memory_report report = {};
  {
    const auto program = Compile(context_.get(), graph_.get());
    tir_program_memory(program.get(), &report);
  }
  tir_compile_options options = {};
  options.max_bytes = report.block_bytes + report.constant_bytes;
  Compile(context_.get(), graph_.get(), &options);
  options.max_bytes--;
  tir_program *program = nullptr;
  EXPECT_EQ(
      tir_compile(context_.get(), graph_.get(), &options, &program, &error_),
      TIR_ERR_LIMIT);
  EXPECT_EQ(program, nullptr);
  EXPECT_NE(strstr(error_.message, "the limit is"), nullptr);

  tir_context_options context_options = {};
  context_options.max_bytes = report.block_bytes - 1;
  tir_context *small = nullptr;
  ASSERT_EQ(tir_context_create(&context_options, &small, nullptr), TIR_OK);
  EXPECT_EQ(tir_compile(small, graph_.get(), nullptr, &program, &error_),
            TIR_ERR_LIMIT);
  tir_context_destroy(small);
}

// --- what a program tells --------------------------------------------------

TEST_F(CompileTest, ListsPlannedValues) {
  const auto program = Compile(context_.get(), graph_.get());
  size_t n_places[4] = {};
  bool found_h = false;
  const size_t n = tir_program_n_values(program.get());
  for (size_t i = 0; i < n; i++) {
    tir_planned_value value = {};
    ASSERT_EQ(tir_program_value(program.get(), i, &value), TIR_OK);
    const std::string place = value.place;
    n_places[0] += place == "input";
    n_places[1] += place == "param";
    n_places[2] += place == "output";
    if (place == "arena") {
      EXPECT_EQ(value.offset_bytes % 64, 0u);
      EXPECT_LE(value.first_step, value.last_step);
    }
    if (std::string(value.name) == "h") {
      found_h = true;
      EXPECT_STREQ(value.op, "matmul");
      EXPECT_EQ(value.size_bytes, 32u);
      EXPECT_EQ(value.first_step, 0u);
    }
  }
  EXPECT_TRUE(found_h);
  EXPECT_EQ(n_places[0], 1u);
  EXPECT_EQ(n_places[1], 2u);
  // The sum before relu is nowhere.
  EXPECT_EQ(n_places[2], 2u);
  tir_planned_value value = {};
  EXPECT_EQ(tir_program_value(program.get(), n, &value), TIR_ERR_ARGUMENT);
}

// Numbers in the list are those of the text, whatever names there are.
TEST_F(CompileTest, ListAndTextCallValuesTheSame) {
  GraphBuilder b(context_.get());
  tir_tape *t = b.tape();
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {2});
  const tir_value a = tir_set_name(t, tir_exp(t, x), "same");
  const tir_value c = tir_set_name(t, tir_tanh(t, a), "same");
  const tir_value d = tir_set_name(t, tir_sqrt(t, c), "not a name");
  b.Output("y", tir_log(t, tir_sigmoid(t, d)));
  const Owned<tir_graph> graph(b.Publish());
  tir_compile_options options = {};
  options.pipeline = "none";  // else only y is in memory
  const auto program = Compile(context_.get(), graph.get(), &options);
  char *text = nullptr;
  ASSERT_EQ(tir_program_to_text(program.get(), &text, &error_), TIR_OK);
  int n_numbered = 0;
  for (size_t i = 0; i < tir_program_n_values(program.get()); i++) {
    tir_planned_value value = {};
    ASSERT_EQ(tir_program_value(program.get(), i, &value), TIR_OK);
    if (value.name[0] != '%') continue;
    n_numbered++;
    const std::string line = std::string("  ") + value.name + " = " + value.op;
    EXPECT_NE(strstr(text, line.c_str()), nullptr) << line << "\n" << text;
  }
  EXPECT_EQ(n_numbered, 2);
  tir_text_free(context_.get(), text);
}

TEST_F(CompileTest, TextShowsThePlan) {
  const auto program = Compile(context_.get(), graph_.get());
  char *text = nullptr;
  ASSERT_EQ(tir_program_to_text(program.get(), &text, &error_), TIR_OK);
  EXPECT_NE(strstr(text, "matmul"), nullptr) << text;
  EXPECT_NE(strstr(text, "# output 1 at 0.."), nullptr) << text;
  EXPECT_NE(strstr(text, "# inside step 1\n"), nullptr) << text;
  EXPECT_NE(strstr(text, "# output 0 at 0.."), nullptr) << text;
  EXPECT_NE(strstr(text, " steps 1..2 fused\n"), nullptr) << text;
  EXPECT_NE(strstr(text, "2 steps"), nullptr) << text;
  tir_text_free(context_.get(), text);
}

TEST_F(CompileTest, TellsItsPorts) {
  const auto program = Compile(context_.get(), graph_.get());
  tir_port port = {};
  ASSERT_EQ(tir_program_input(program.get(), 0, &port), TIR_OK);
  EXPECT_STREQ(port.name, "x");
  EXPECT_EQ(port.dtype, TIR_DTYPE_F32);
  EXPECT_EQ(port.rank, 2);
  EXPECT_EQ(port.dims[1], 3);
  ASSERT_EQ(tir_program_output(program.get(), 1, &port), TIR_OK);
  EXPECT_STREQ(port.name, "h");
  EXPECT_EQ(tir_program_input(program.get(), 1, &port), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_program_output(program.get(), 2, &port), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_program_output(program.get(), 0, nullptr), TIR_ERR_ARGUMENT);
}

// --- lifetimes and failing memory ------------------------------------------

TEST_F(CompileTest, InstanceOutlivesEverything) {
  Owned<tir_instance> instance;
  {
    auto program = Compile(context_.get(), graph_.get());
    graph_.reset();
    instance = Instantiate(program, module_.get());
  }
  module_.reset();
  context_.reset();
  const std::vector<float> x(12, 1.0f);
  Bind(instance, 0, x);
  RunOk(instance);
  EXPECT_EQ(Output<float>(instance, 0, 2), (std::vector<float>{6.5f, 0}));
}

TEST(CompileFault, EveryFailingAllocationIsClean) {
  ForEachFailingAllocation([](FailingAllocator &allocator) -> tir_status {
    // Only compile and create are on trial: the rest is made beforehand.
    allocator.FailAt(0);
    const tir_context_options options = allocator.Options();
    tir_context *context = nullptr;
    EXPECT_EQ(tir_context_create(&options, &context, nullptr), TIR_OK);
    tir_status status;
    {
      const Owned<tir_context> owned(context);
      const auto module = LinearModule(context);
      const auto graph = Linear(context);
      static uint64_t n = 0;
      allocator.FailAt(allocator.n_allocs() + ++n);
      tir_program *program = nullptr;
      tir_instance *instance = nullptr;
      tir_error error = {};
      status = tir_compile(context, graph.get(), nullptr, &program, &error);
      EXPECT_EQ(program != nullptr, status == TIR_OK);
      if (status == TIR_OK)
        status = tir_instance_create(program, module.get(), &instance, &error);
      EXPECT_EQ(error.status, status);
      tir_instance_destroy(instance);
      tir_program_destroy(program);
    }
    return status;
  });
}

}  // namespace
