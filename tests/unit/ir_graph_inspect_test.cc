// Nodes of a frozen graph as tools see them.
#include <string>

#include "tests/support/compiled.h"

namespace {

class InspectTest : public testing::Test {
 protected:
  void Parse(const std::string &text) {
    tir_module *module = nullptr;
    ASSERT_EQ(tir_module_from_text(context_.get(), text.data(), text.size(),
                                   &module, &error_),
              TIR_OK)
        << error_.message;
    module_.reset(module);
    graph_ = tir_module_graph_at(module, 0);
  }
  std::string NodeText(size_t node) {
    char *text = nullptr;
    EXPECT_EQ(tir_graph_node_text(graph_, node, &text, &error_), TIR_OK);
    const std::string out = text ? text : "";
    tir_text_free(context_.get(), text);
    return out;
  }

  Owned<tir_context> context_ = MakeContext();
  Owned<tir_module> module_;
  tir_graph *graph_ = nullptr;
  tir_error error_ = {};
};

TEST_F(InspectTest, NodeTextIsWhatTheTextFormSays) {
  Parse(R"(graph @g(%x: f32[2, 3]) {
  %0 = constant {value = 0.5} : f32[3]
  %1 = constant {data = [1, 2, 3]} : f32[3]
  %2 = add %x, %0 : f32[2, 3]
  %3 = mul %2, %1 : f32[2, 3]
  %4 = reduce_sum %3 {axes = [1]} : f32[2]
  return %4
}
)");
  EXPECT_EQ(NodeText(0), "");
  EXPECT_EQ(NodeText(1), "{value = 0.5}");
  EXPECT_EQ(NodeText(2), "{data = [1, 2, 3]}");
  EXPECT_EQ(NodeText(3), "");
  EXPECT_EQ(NodeText(5), "{axes = [1]}");
  char *text = nullptr;
  EXPECT_EQ(tir_graph_node_text(graph_, 6, &text, &error_), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "graph: no node 6: there are 6");
  EXPECT_EQ(text, nullptr);
  EXPECT_EQ(tir_graph_output_value(graph_, 0), 5u);
  EXPECT_EQ(tir_graph_output_value(graph_, 1), SIZE_MAX);
}

TEST_F(InspectTest, LargeConstantsAreToldByTheirHash) {
  const auto with = [](const char *last) {
    std::string list;
    for (int i = 0; i < 99; i++) list += std::to_string(i) + ", ";
    return "data \"g.c0\" f32[100] [" + list + last +
           "]\ngraph @g() {\n  %0 = constant {data = \"g.c0\"} : f32[100]\n"
           "  return %0\n}\n";
  };
  Parse(with("1"));
  const std::string one = NodeText(0);
  EXPECT_EQ(one.find("{data = 100 elements, hash "), 0u) << one;
  Parse(with("1"));
  EXPECT_EQ(NodeText(0), one);
  Parse(with("2"));
  EXPECT_NE(NodeText(0), one);
}

}  // namespace
