// Graphs for fixed sizes, and copies of graphs in other modules.
#include <string>

#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

namespace {

constexpr char kText[] =
    "param \"w\" f32[3] {kind = trainable} [1, 2, 3]\n"
    "graph @f(%x: f32[batch=2, 3], %y: f32[rest=4, 3], "
    "%w: param f32[3] \"w\") {\n"
    "  %0 = mul %x, %w : f32[batch=2, 3]\n"
    "  %1 = transpose %0 {perm = [1, 0]} : f32[3, batch=2]\n"
    "  return %1 \"out\", %y \"same\"\n}\n";

class GraphSizes : public testing::Test {
 protected:
  const tir_graph *graph() { return tir_module_graph_at(module_.get(), 0); }
  std::string Fixed(std::vector<tir_dim_size> sizes) {
    tir_graph *out = nullptr;
    if (tir_graph_fix_dims(graph(), sizes.data(), sizes.size(), &out,
                           &error_) != TIR_OK) {
      EXPECT_EQ(out, nullptr);
      return error_.message;
    }
    char *text = nullptr;
    EXPECT_EQ(tir_graph_to_text(out, &text, &error_), TIR_OK);
    const std::string result = text;
    tir_text_free(context_, text);
    tir_graph_destroy(out);
    return result;
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  ModulePtr module_ = ParseModule(context_, kText);
  tir_error error_ = {};
};

TEST_F(GraphSizes, TypesFollowAndLoseTheirNames) {
  const std::string one = Fixed({{"batch", 7}});
  EXPECT_NE(one.find("%x: f32[7, 3]"), std::string::npos) << one;
  EXPECT_NE(one.find(": f32[3, 7]\n"), std::string::npos);
  EXPECT_NE(one.find("%y: f32[rest=4, 3]"), std::string::npos);
  EXPECT_EQ(one.find("batch"), std::string::npos);
  const std::string both = Fixed({{"batch", 0}, {"rest", 1}});
  EXPECT_NE(both.find("%x: f32[0, 3]"), std::string::npos) << both;
  EXPECT_NE(both.find("%y: f32[1, 3]"), std::string::npos);
  const std::string none = Fixed({});
  EXPECT_NE(none.find("%x: f32[batch=2, 3]"), std::string::npos) << none;
}

TEST_F(GraphSizes, SaysWhatIsWrong) {
  EXPECT_EQ(Fixed({{"depth", 7}}), "no input has a dim named \"depth\"");
  EXPECT_EQ(Fixed({{"batch", -1}}), "dim \"batch\" is -1, expected 0 or more");
  EXPECT_EQ(Fixed({{nullptr, 1}}), "fix_dims: the name of size 0 is NULL");
  Fixed({{"batch", INT64_MAX}});
  EXPECT_EQ(error_.status, TIR_ERR_LIMIT) << error_.message;
  EXPECT_EQ(tir_graph_fix_dims(nullptr, nullptr, 0, nullptr, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "fix_dims: graph is NULL");
}

TEST_F(GraphSizes, AModuleTakesACopy) {
  const ModulePtr other = ParseModule(
      context_, "param \"w\" f32[3] {kind = trainable} [4, 5, 6]\n");
  tir_graph *added = nullptr;
  ASSERT_EQ(
      tir_module_add_graph(other.get(), graph(), nullptr, &added, &error_),
      TIR_OK)
      << error_.message;
  EXPECT_STREQ(tir_graph_name(added), "f");
  EXPECT_NE(added, graph());
  EXPECT_EQ(tir_module_graph(other.get(), "f"), added);
  ASSERT_EQ(tir_module_add_graph(other.get(), graph(), "g", nullptr, &error_),
            TIR_OK);
  module_.reset();  // the copies do not need it
  const std::string text = PrintModule(context_, other.get());
  EXPECT_NE(text.find("graph @g("), std::string::npos) << text;
  EXPECT_EQ(PrintModule(context_, ParseModule(context_, text).get()), text);
}

TEST_F(GraphSizes, AModuleRefusesWhatDoesNotFit) {
  const auto add = [this](const std::string &params, const char *name) {
    const ModulePtr other = ParseModule(context_, params);
    EXPECT_NE(
        tir_module_add_graph(other.get(), graph(), name, nullptr, &error_),
        TIR_OK);
    EXPECT_EQ(tir_module_n_graphs(other.get()), 0u);
    return std::string(error_.message);
  };
  const std::string good = "param \"w\" f32[3] {kind = trainable} [4, 5, 6]";
  EXPECT_EQ(add("", nullptr),
            "module: the graph uses \"w\", which the module does not have");
  EXPECT_EQ(add("param \"w\" f32[2] {kind = trainable} [4, 5]", nullptr),
            "param: \"w\" is f32[3] in the graph, f32[2] in the module");
  EXPECT_EQ(add(good, ""), "module: graph name is empty");
  EXPECT_NE(
      tir_module_add_graph(module_.get(), graph(), nullptr, nullptr, &error_),
      TIR_OK);
  EXPECT_STREQ(error_.message, "module: there is a graph named \"f\" already");
  EXPECT_EQ(tir_module_add_graph(module_.get(), nullptr, "g", nullptr, &error_),
            TIR_ERR_ARGUMENT);
}

TEST(GraphSizesMemory, EveryAllocationMayFail) {
  ForEachFailingAllocation([&](FailingAllocator &allocator) {
    TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    tir_error error;
    tir_module *module = nullptr;
    tir_graph *graph = nullptr;
    const tir_dim_size size = {"batch", 5};
    tir_status status =
        tir_module_from_text(context, kText, sizeof kText - 1, &module, &error);
    if (status == TIR_OK)
      status = tir_graph_fix_dims(tir_module_graph_at(module, 0), &size, 1,
                                  &graph, &error);
    if (status == TIR_OK)
      status = tir_module_add_graph(module, graph, "g", nullptr, &error);
    tir_graph_destroy(graph);
    tir_module_destroy(module);
    return status;
  });
}

}  // namespace
