// What a program tells about itself: its graph, and the plan by its values.
#include "tests/support/compiled.h"
#include "tests/support/graph_builder.h"

namespace {

class ProgramTest : public testing::Test {
 protected:
  Owned<tir_context> context_ = MakeContext();
  tir_error error_ = {};
};

TEST_F(ProgramTest, PlannedValuesNumberTheValuesOfTheGraph) {
  GraphBuilder b(context_.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {4});
  const tir_value h = tir_set_name(b.tape(), tir_exp(b.tape(), x), "hidden");
  b.Output("y", tir_softmax(b.tape(), h, 0));
  const Owned<tir_graph> graph(b.Publish());
  const auto program = Compile(context_.get(), graph.get());
  tir_graph *raw = nullptr;
  ASSERT_EQ(tir_program_graph(program.get(), &raw, &error_), TIR_OK);
  const Owned<tir_graph> run(raw);
  ASSERT_EQ(tir_program_n_values(program.get()), 3u);
  for (size_t i = 0; i < 3; i++) {
    tir_planned_value planned;
    tir_port port;
    ASSERT_EQ(tir_program_value(program.get(), i, &planned), TIR_OK);
    ASSERT_EQ(tir_graph_value(run.get(), planned.value, &port), TIR_OK);
    if (port.name[0]) {
      EXPECT_STREQ(port.name, planned.name);
    }
    for (size_t n = 0; n < tir_graph_n_nodes(run.get()); n++) {
      tir_node_info node;
      ASSERT_EQ(tir_graph_node(run.get(), n, &node), TIR_OK);
      if (node.first_output == planned.value) {
        EXPECT_STREQ(node.op, planned.op);
      }
    }
  }
  EXPECT_EQ(tir_program_graph(nullptr, &raw, &error_), TIR_ERR_ARGUMENT);
  EXPECT_EQ(raw, nullptr);
}

TEST_F(ProgramTest, BackwardNodesHaveTheOriginOfTheirForwardNode) {
  GraphBuilder b(context_.get());
  const tir_value x = b.Input("x", TIR_DTYPE_F32, {4});
  b.Output("y", tir_tanh(b.tape(), x));
  const Owned<tir_graph> graph(b.Publish());
  tir_graph *raw = nullptr;
  ASSERT_EQ(
      tir_graph_differentiate(graph.get(), nullptr, 0, true, &raw, &error_),
      TIR_OK);
  const Owned<tir_graph> gradient(raw);
  uint32_t origin = 0;
  int n_backward = 0;
  for (size_t i = 0; i < tir_graph_n_nodes(gradient.get()); i++) {
    tir_node_info node;
    ASSERT_EQ(tir_graph_node(gradient.get(), i, &node), TIR_OK);
    if (std::string(node.op) == "tanh") {
      EXPECT_FALSE(node.backward);
      origin = node.origin;
    } else if (node.backward) {
      EXPECT_EQ(node.origin, origin) << node.op;
      n_backward++;
    }
  }
  EXPECT_NE(origin, 0u);
  EXPECT_GT(n_backward, 0);
}

}  // namespace
