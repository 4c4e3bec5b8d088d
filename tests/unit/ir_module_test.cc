// Modules: parameters, metadata, graphs, leases, life.
// Labels: threads
#include <string>
#include <thread>
#include <vector>

#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

namespace {

class Module : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(tir_module_create(context_, &m_, &error_), TIR_OK);
  }
  void TearDown() override { tir_module_destroy(m_); }

  tir_tensor *Tensor(const std::vector<float> &data) {
    const int64_t n = static_cast<int64_t>(data.size());
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_tensor_from_data(context_, TIR_DTYPE_F32, &n, 1, data.data(),
                                   &tensor, &error_),
              TIR_OK);
    return tensor;
  }
  tir_status AddParam(const std::string &name, const std::vector<float> &data,
                      tir_param_kind kind = TIR_PARAM_TRAINABLE) {
    tir_tensor *tensor = Tensor(data);
    const tir_status status =
        tir_module_add_param(m_, name.c_str(), kind, tensor, &error_);
    tir_tensor_release(tensor);
    return status;
  }
  std::vector<float> Get(const char *name) {
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_module_get_param(m_, name, &tensor, &error_), TIR_OK)
        << error_.message;
    if (!tensor) return {};
    const float *data = static_cast<const float *>(tir_tensor_data(tensor));
    const std::vector<float> result(data, data + tir_tensor_numel(tensor));
    tir_tensor_release(tensor);
    return result;
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_module *m_ = nullptr;
  tir_error error_ = {};
};

TEST_F(Module, NewOneIsEmpty) {
  EXPECT_EQ(tir_module_n_params(m_), 0u);
  EXPECT_EQ(tir_module_n_graphs(m_), 0u);
  EXPECT_EQ(tir_module_n_metadata(m_), 0u);
  EXPECT_EQ(tir_module_param_name(m_, 0), nullptr);
  EXPECT_EQ(tir_module_graph_at(m_, 0), nullptr);
  EXPECT_EQ(tir_module_metadata_key(m_, 0), nullptr);
  EXPECT_EQ(tir_module_graph(m_, "main"), nullptr);
  EXPECT_EQ(tir_module_find_param(m_, "w"), -1);
  EXPECT_EQ(tir_module_get_metadata(m_, "k"), nullptr);
  tir_module_destroy(nullptr);
  tir_graph_destroy(nullptr);
}

TEST_F(Module, Params) {
  ASSERT_EQ(AddParam("w", {1, 2}), TIR_OK);
  ASSERT_EQ(AddParam("größe 値", {3}, TIR_PARAM_STATE), TIR_OK);
  EXPECT_EQ(tir_module_n_params(m_), 2u);
  EXPECT_STREQ(tir_module_param_name(m_, 1), "größe 値");
  EXPECT_EQ(tir_module_param_name(m_, 2), nullptr);
  EXPECT_EQ(tir_module_param_kind(m_, 0), TIR_PARAM_TRAINABLE);
  EXPECT_EQ(tir_module_param_kind(m_, 1), TIR_PARAM_STATE);
  EXPECT_EQ(tir_module_find_param(m_, "größe 値"), 1);
  EXPECT_EQ(tir_module_find_param(m_, "v"), -1);
  EXPECT_EQ(Get("w"), (std::vector<float>{1, 2}));
  ASSERT_NE(tir_ir_module_param(m_, "w"), nullptr);
  EXPECT_EQ(tir_ir_module_param(m_, "v"), nullptr);
}

TEST_F(Module, ParamNamesAreChecked) {
  ASSERT_EQ(AddParam("w", {1}), TIR_OK);
  EXPECT_EQ(AddParam("w", {2}), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "module: there is a param named \"w\" already");
  EXPECT_EQ(AddParam("", {2}), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "module: param name is empty");
  EXPECT_EQ(AddParam(std::string(1024, 'n'), {2}), TIR_OK);
  EXPECT_EQ(AddParam(std::string(1025, 'n'), {2}), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message,
               "module: param name is too long: 1025 bytes, expected at most "
               "1024");
  EXPECT_EQ(AddParam("\xc0\x80", {2}), TIR_ERR_ARGUMENT);
  EXPECT_EQ(AddParam("v", {2}, static_cast<tir_param_kind>(2)),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_module_n_params(m_), 2u);
  EXPECT_EQ(Get("w"), (std::vector<float>{1}));
}

TEST_F(Module, SetParam) {
  ASSERT_EQ(AddParam("w", {1, 2}), TIR_OK);
  tir_tensor *good = Tensor({5, 6});
  EXPECT_EQ(tir_module_set_param(m_, "w", good, &error_), TIR_OK);
  EXPECT_EQ(Get("w"), (std::vector<float>{5, 6}));
  EXPECT_EQ(tir_ir_module_param(m_, "w")->version, 1u);
  EXPECT_EQ(tir_module_set_param(m_, "v", good, &error_), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "module: no param is named \"v\"");
  tir_tensor_release(good);
  tir_tensor *bad = Tensor({1, 2, 3});
  EXPECT_EQ(tir_module_set_param(m_, "w", bad, &error_), TIR_ERR_SHAPE);
  EXPECT_STREQ(error_.message,
               "module: param \"w\" is f32[2], the new value is f32[3]");
  tir_tensor_release(bad);
  const int64_t n = 2;
  tir_tensor *f64 = nullptr;
  ASSERT_EQ(tir_tensor_create(context_, TIR_DTYPE_F64, &n, 1, &f64, &error_),
            TIR_OK);
  EXPECT_EQ(tir_module_set_param(m_, "w", f64, &error_), TIR_ERR_DTYPE);
  tir_tensor_release(f64);
  EXPECT_EQ(Get("w"), (std::vector<float>{5, 6}));
  EXPECT_EQ(tir_ir_module_param(m_, "w")->version, 1u);
  // Its own tensor.
  EXPECT_EQ(tir_module_set_param(m_, "w", tir_ir_module_param(m_, "w")->tensor,
                                 &error_),
            TIR_OK);
  EXPECT_EQ(Get("w"), (std::vector<float>{5, 6}));
}

TEST_F(Module, Metadata) {
  const auto set = [&](const char *key, const char *value) {
    return tir_module_set_metadata(m_, key, value, &error_);
  };
  EXPECT_EQ(set("a", "1"), TIR_OK);
  EXPECT_EQ(set("b", ""), TIR_OK);
  EXPECT_EQ(set("c", "3"), TIR_OK);
  EXPECT_EQ(set("b", "a longer value"), TIR_OK);
  EXPECT_EQ(tir_module_n_metadata(m_), 3u);
  EXPECT_STREQ(tir_module_get_metadata(m_, "b"), "a longer value");
  EXPECT_EQ(set("a", nullptr), TIR_OK);
  EXPECT_EQ(set("a", nullptr), TIR_OK);
  EXPECT_EQ(set("no such key", nullptr), TIR_OK);
  EXPECT_EQ(tir_module_n_metadata(m_), 2u);
  EXPECT_STREQ(tir_module_metadata_key(m_, 0), "b");
  EXPECT_STREQ(tir_module_metadata_key(m_, 1), "c");
  EXPECT_EQ(tir_module_metadata_key(m_, 2), nullptr);
  EXPECT_EQ(tir_module_get_metadata(m_, "a"), nullptr);
  EXPECT_STREQ(tir_module_get_metadata(m_, "c"), "3");
  EXPECT_EQ(set("a", "again"), TIR_OK);
  EXPECT_STREQ(tir_module_metadata_key(m_, 2), "a");
  EXPECT_EQ(set("", "1"), TIR_ERR_ARGUMENT);
  EXPECT_EQ(set("k", "\xff"), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "module: metadata \"k\" is not UTF-8");
  EXPECT_EQ(set("\xff", "v"), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_module_n_metadata(m_), 3u);
}

TEST_F(Module, NamesOfDifferentKindsDoNotMeet) {
  ASSERT_EQ(AddParam("a", {1}), TIR_OK);
  ASSERT_EQ(tir_module_set_metadata(m_, "a", "v", &error_), TIR_OK);
  EXPECT_EQ(tir_module_graph(m_, "a"), nullptr);
  GraphPtr g = ParseGraph(context_, "graph @a() { return }");
  tir_graph *graph = nullptr;
  ASSERT_EQ(tir_ir_module_add_graph(m_, g.release(), &graph, &error_), TIR_OK);
  EXPECT_EQ(tir_module_graph(m_, "a"), graph);
  EXPECT_STREQ(tir_module_get_metadata(m_, "a"), "v");
  EXPECT_EQ(Get("a"), (std::vector<float>{1}));
}

TEST_F(Module, Graphs) {
  tir_graph *first = nullptr, *second = nullptr;
  ASSERT_EQ(tir_ir_module_add_graph(
                m_, ParseGraph(context_, "graph @f() { return }").release(),
                &first, &error_),
            TIR_OK);
  EXPECT_EQ(tir_ir_module_add_graph(
                m_, ParseGraph(context_, "graph @f() { return }").release(),
                &second, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(second, nullptr);
  EXPECT_STREQ(error_.message, "module: there is a graph named \"f\" already");
  EXPECT_EQ(tir_ir_module_add_graph(
                m_, ParseGraph(context_, "graph @\"\"() { return }").release(),
                &second, &error_),
            TIR_ERR_ARGUMENT);
  ASSERT_EQ(tir_ir_module_add_graph(
                m_, ParseGraph(context_, "graph @g() { return }").release(),
                &second, &error_),
            TIR_OK);
  EXPECT_EQ(tir_module_n_graphs(m_), 2u);
  EXPECT_EQ(tir_module_graph_at(m_, 0), first);
  EXPECT_EQ(tir_module_graph_at(m_, 1), second);
  EXPECT_EQ(tir_module_graph_at(m_, 2), nullptr);
  EXPECT_EQ(tir_module_graph(m_, "g"), second);
  EXPECT_STREQ(tir_graph_name(second), "g");
  tir_graph_destroy(first);  // the module's: nothing happens
  EXPECT_EQ(tir_module_graph(m_, "f"), first);
}

TEST_F(Module, TextRoundTrip) {
  const std::string text =
      "metadata \"author\" \"a \\\"b\\\"\\n\"\n"
      "param \"w\" f32[3, 1] {kind = trainable} [1, -0.0, 0x7fc00001]\n"
      "param \"a b\" i64[] {kind = state} [7]\n"
      "\n"
      "graph @loss(%x: f32[batch=4, 3], %w: param f32[3, 1] \"w\") {\n"
      "  %0 = matmul %x, %w : f32[batch=4, 1]\n"
      "  return %0 \"loss\"\n"
      "}\n"
      "\n"
      "graph @count(%0: state i64[] \"a b\", %undeclared: param f32[2] "
      "\"undeclared\") {\n"
      "  return %0\n"
      "}\n";
  const ModulePtr module = ParseModule(context_, text);
  ASSERT_NE(module, nullptr);
  EXPECT_EQ(PrintModule(context_, module.get()), text);
  EXPECT_EQ(tir_module_n_params(module.get()), 2u);
  EXPECT_EQ(tir_module_param_kind(module.get(), 1), TIR_PARAM_STATE);
}

// The word that begins a section may also name a graph, a dim or a body's
// value, while the sections of earlier graphs are looked for behind them.
TEST_F(Module, DataIsAlsoAName) {
  const std::string hex = "  " + std::string(64, '0') + "\n  " +
                          std::string(64, '0') + "\n  " + std::string(32, '0') +
                          "\n";
  const std::string text =
      "graph @first(%x: f32[2], %xs: f32[4]) {\n"
      "  %0 = constant {data = \"big\"} : u8[80]\n"
      "  %1, %2, %3 = scan %x, %xs {body = (%a: f32[2], %b: f32[]) {\n"
      "    %0 = constant {data = \"inner\"} : u8[80]\n"
      "    %1 = cast %0 {dtype = f32} : f32[80]\n"
      "    return %a, %1\n"
      "  }, n_carry = 1, n_xs = 1} : f32[2], f32[4, 80], f32[4, 2]\n"
      "  return %0, %2\n"
      "}\n\n"
      "graph @data(%data: f32[data=4]) {\n"
      "  return %data \"data\"\n"
      "}\n"
      "data \"big\" u8[80] hex\n" +
      hex + "data \"inner\" u8[80] hex\n" + hex;
  const ModulePtr module = ParseModule(context_, text);
  ASSERT_NE(module, nullptr);
  EXPECT_EQ(tir_module_n_graphs(module.get()), 2u);
  EXPECT_NE(tir_module_graph(module.get(), "data"), nullptr);
}

TEST_F(Module, BigParamsAreHex) {
  std::vector<float> data(65, 1.0f);
  ASSERT_EQ(AddParam("w", data), TIR_OK);
  const std::string text = PrintModule(context_, m_);
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "param \"w\" f32[65] {kind = trainable} hex");
  const ModulePtr again = ParseModule(context_, text);
  EXPECT_EQ(PrintModule(context_, again.get()), text);
}

// --- leases ----------------------------------------------------------------

TEST_F(Module, ManyReadersOrOneWriter) {
  ASSERT_EQ(AddParam("w", {1}), TIR_OK);
  ASSERT_EQ(tir_ir_module_acquire(m_, false, &error_), TIR_OK);
  ASSERT_EQ(tir_ir_module_acquire(m_, false, &error_), TIR_OK);
  EXPECT_EQ(tir_ir_module_acquire(m_, true, &error_), TIR_ERR_BUSY);
  EXPECT_EQ(Get("w"), (std::vector<float>{1}));
  EXPECT_EQ(AddParam("v", {1}), TIR_ERR_BUSY);
  tir_ir_module_end_lease(m_);
  EXPECT_EQ(tir_ir_module_acquire(m_, true, &error_), TIR_ERR_BUSY);
  tir_ir_module_end_lease(m_);
  ASSERT_EQ(tir_ir_module_acquire(m_, true, &error_), TIR_OK);
  EXPECT_EQ(tir_ir_module_acquire(m_, true, &error_), TIR_ERR_BUSY);
  EXPECT_EQ(tir_ir_module_acquire(m_, false, &error_), TIR_ERR_BUSY);
  EXPECT_STREQ(error_.message,
               "module: state is in use by another run or save; try again "
               "when it ended");
  tir_tensor *tensor = nullptr;
  EXPECT_EQ(tir_module_get_param(m_, "w", &tensor, &error_), TIR_ERR_BUSY);
  char *text = nullptr;
  EXPECT_EQ(tir_module_to_text(m_, &text, &error_), TIR_ERR_BUSY);
  EXPECT_EQ(tir_module_set_metadata(m_, "k", "v", &error_), TIR_ERR_BUSY);
  EXPECT_EQ(tir_module_set_metadata(m_, "k", nullptr, &error_), TIR_ERR_BUSY);
  tir_ir_module_end_lease(m_);  // a writer that wrote nothing
  ASSERT_EQ(tir_ir_module_acquire(m_, true, &error_), TIR_OK);
  tir_ir_module_end_lease(m_);
  EXPECT_EQ(Get("w"), (std::vector<float>{1}));
}

TEST_F(Module, TornStateIsRefused) {
  ASSERT_EQ(AddParam("w", {1}), TIR_OK);
  ASSERT_EQ(tir_ir_module_acquire(m_, true, &error_), TIR_OK);
  tir_ir_module_set_torn(m_);
  tir_ir_module_end_lease(m_);
  for (int i = 0; i < 3; i++) {
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_module_get_param(m_, "w", &tensor, &error_), TIR_ERR_TORN);
    EXPECT_EQ(tir_ir_module_acquire(m_, true, &error_), TIR_ERR_TORN);
  }
  EXPECT_STREQ(error_.message,
               "module: a failed run left state half written; load the "
               "module again");
}

TEST_F(Module, LeasesAreAtomic) {
  // Writers add one to a plain number; readers see it still.
  int64_t plain = 0, written[4] = {};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; i++) {
        const bool writes = i % 3 == 0;
        if (tir_ir_module_acquire(m_, writes, nullptr) != TIR_OK) continue;
        const int64_t before = plain;
        if (writes) {
          plain = before + 1;
          written[t]++;
        } else {
          EXPECT_EQ(plain, before);
        }
        tir_ir_module_end_lease(m_);
      }
    });
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(plain, written[0] + written[1] + written[2] + written[3]);
  EXPECT_EQ(tir_ir_module_acquire(m_, true, nullptr), TIR_OK);
  tir_ir_module_end_lease(m_);
}

// --- life ------------------------------------------------------------------

TEST(ModuleLife, AnyOrder) {
  FailingAllocator allocator;
  const tir_context_options options = allocator.Options();
  tir_context *context = nullptr;
  tir_error error = {};
  ASSERT_EQ(tir_context_create(&options, &context, &error), TIR_OK);
  tir_module *module = nullptr;
  ASSERT_EQ(tir_module_create(context, &module, &error), TIR_OK);
  // A graph of the caller's that knows the module.
  tir_graph *graph = nullptr;
  ASSERT_EQ(tir_ir_graph_publish(
                ParseGraph(context, "graph @f() { return }").release(), module,
                &graph, &error),
            TIR_OK);
  tir_ir_module_retain(module);
  tir_context_destroy(context);
  tir_module_destroy(module);
  EXPECT_EQ(graph->module, module);
  ASSERT_EQ(tir_module_set_metadata(graph->module, "a", "b", &error), TIR_OK);
  tir_ir_module_release(module);
  tir_graph_destroy(graph);  // the last holder
}

TEST(ModuleLife, UnmapComesAfterTheTensors) {
  FailingAllocator allocator;
  TestContext context(&allocator);
  tir_module *module = nullptr;
  tir_error error = {};
  ASSERT_EQ(tir_module_create(context, &module, &error), TIR_OK);
  std::string order;
  float memory[2] = {1, 2};
  const int64_t n = 2;
  tir_tensor *tensor = nullptr;
  ASSERT_EQ(tir_tensor_wrap(
                context, TIR_DTYPE_F32, &n, 1, memory,
                [](void *user) { *static_cast<std::string *>(user) += "t"; },
                &order, &tensor, &error),
            TIR_OK);
  uint32_t index = 0;
  ASSERT_EQ(tir_ir_module_add_tensor(module, "w", 1, TIR_PARAM_STATE, tensor,
                                     &index, &error),
            TIR_OK);
  module->unmap = [](void *user) { *static_cast<std::string *>(user) += "u"; };
  module->unmap_user = &order;
  tir_module_destroy(module);
  EXPECT_EQ(order, "tu");
}

TEST(ModuleMemory, EveryAllocationMayFail) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    tir_error error;
    tir_module *module = nullptr;
    tir_status status = tir_module_create(context, &module, &error);
    tir_tensor *tensor = nullptr, *copy = nullptr;
    const int64_t n = 2;
    if (status == TIR_OK)
      status =
          tir_tensor_create(context, TIR_DTYPE_F32, &n, 1, &tensor, &error);
    for (int i = 0; status == TIR_OK && i < 20; i++) {
      const std::string name = "p" + std::to_string(i);
      status = tir_module_add_param(module, name.c_str(), TIR_PARAM_STATE,
                                    tensor, &error);
      EXPECT_EQ(tir_module_n_params(module),
                static_cast<size_t>(i + (status == TIR_OK)));
      if (status == TIR_OK)
        status = tir_module_set_metadata(module, name.c_str(), "v", &error);
    }
    if (status == TIR_OK)
      status = tir_module_set_metadata(module, "p1", "another", &error);
    if (status == TIR_OK)
      status = tir_module_get_param(module, "p7", &copy, &error);
    tir_tensor_release(copy);
    tir_tensor_release(tensor);
    tir_module_destroy(module);
    return status;
  });
}

}  // namespace
