// Copies of graphs and nodes.
#include <string>

#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

namespace {

const char kText[] =
    "graph @g(%x: f32[batch=4, 3], %w: param f32[3] \"w\") {\n"
    "  %c = constant {data = [1, 2, 3]} : f32[3]\n"
    "  %0 = add %x, %c : f32[batch=4, 3]\n"
    "  %1 = reduce_sum %0 {axes = [1], keep_dims = true} : f32[batch=4, 1] "
    "\"a sum\"\n"
    "  return %1 \"out\", %0\n"
    "}\n";

class GraphCopy : public testing::Test {
 protected:
  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_error error_ = {};
};

TEST_F(GraphCopy, IsEqualAndIndependent) {
  GraphPtr g = ParseGraph(context_, kText);
  {
    const std::string place = "a.c:1";
    tir_ir_node_at(g.get(), {4})->site =
        tir_ir_keep_site(g.get(), place.c_str());
  }
  tir_ir_graph *copied = nullptr;
  ASSERT_EQ(tir_ir_graph_copy(g.get(), &copied, &error_), TIR_OK);
  const GraphPtr copy(copied);
  g.reset();
  EXPECT_EQ(PrintGraph(copied), kText);
  EXPECT_STREQ(tir_ir_node_at(copied, {4})->site, "a.c:1");
  EXPECT_EQ(tir_ir_verify(copied, &error_), TIR_OK) << error_.message;
}

TEST_F(GraphCopy, OfPendingReplacements) {
  GraphPtr g = ParseGraph(context_, kText);
  const tir_ir_value x = g->inputs.data[0];
  const tir_ir_value sum = {4};
  ASSERT_EQ(tir_ir_replace_uses(g.get(), sum, x, &error_), TIR_OK);
  tir_ir_graph *copied = nullptr;
  ASSERT_EQ(tir_ir_graph_copy(g.get(), &copied, &error_), TIR_OK);
  const GraphPtr copy(copied);
  EXPECT_EQ(PrintGraph(copied), PrintGraph(g.get()));
  EXPECT_EQ(tir_ir_resolve(copied, sum).id, x.id);
}

TEST_F(GraphCopy, NodeByNodeIntoAnotherGraph) {
  GraphPtr from = ParseGraph(context_, kText);
  tir_ir_node_at(from.get(), {4})->site = "a.c:1";
  tir_ir_node_at(from.get(), {4})->flags |= TIR_NODE_RECORDED;
  tir_ir_node_at(from.get(), {4})->origin = 77;
  tir_ir_graph *made = nullptr;
  ASSERT_EQ(tir_ir_graph_create(context_, "g", &made, &error_), TIR_OK);
  const GraphPtr to(made);
  // Strings and tensors get other numbers there.
  Symbol(made, "another");
  for (tir_ir_node n = tir_ir_first(from.get()); n.id;
       n = tir_ir_next(from.get(), n)) {
    uint32_t operands[8];
    for (uint32_t i = 0; i < tir_ir_n_in(from.get(), n); i++)
      operands[i] = tir_ir_in(from.get(), n, i).id;
    tir_ir_node copy;
    ASSERT_EQ(tir_ir_copy_node(made, from.get(), n, operands, &copy, &error_),
              TIR_OK);
    EXPECT_EQ(copy.id, n.id);
  }
  for (size_t i = 0; i < from->outputs.count; i++)
    ASSERT_EQ(tir_ir_add_output(made, from->outputs.data[i].value,
                                tir_base_strings_text(
                                    &from->strings, from->outputs.data[i].name),
                                &error_),
              TIR_OK);
  EXPECT_EQ(tir_ir_node_at(made, {4})->flags,
            tir_ir_node_at(from.get(), {4})->flags);
  EXPECT_EQ(tir_ir_node_at(made, {4})->origin, 77u);
  EXPECT_NE(tir_ir_node_at(made, {4})->site, nullptr);
  from.reset();
  EXPECT_EQ(PrintGraph(made), kText);
  EXPECT_STREQ(tir_ir_node_at(made, {4})->site, "a.c:1");
  EXPECT_EQ(tir_ir_verify(made, &error_), TIR_OK) << error_.message;
}

TEST_F(GraphCopy, NodeIntoTheSameGraph) {
  const GraphPtr g = ParseGraph(context_, kText);
  const uint32_t operand = tir_ir_in(g.get(), {5}, 0).id;
  for (int i = 0; i < 100; i++) {
    tir_ir_node copy;
    ASSERT_EQ(tir_ir_copy_node(g.get(), g.get(), {5}, &operand, &copy, &error_),
              TIR_OK);
    ASSERT_TRUE(tir_ir_same_type(g.get(), tir_ir_out(g.get(), copy, 0),
                                 tir_ir_out(g.get(), {5}, 0)));
    // A constant's tensor is shared within a graph.
    ASSERT_EQ(tir_ir_copy_node(g.get(), g.get(), {3}, nullptr, &copy, &error_),
              TIR_OK);
  }
  EXPECT_EQ(g->tensors.count, 1u);
  EXPECT_EQ(tir_ir_verify(g.get(), &error_), TIR_OK) << error_.message;
}

TEST(GraphCopyMemory, EveryAllocationMayFail) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    tir_error error;
    tir_ir_graph *from = nullptr, *to = nullptr, *copy = nullptr;
    tir_status status =
        tir_ir_parse_graph(context, kText, sizeof kText - 1, &from, &error);
    if (status == TIR_OK) {
      tir_ir_node_at(from, {1})->site = "a.c:1";
      status = tir_ir_graph_copy(from, &copy, &error);
    }
    if (status == TIR_OK)
      status = tir_ir_graph_create(context, "t", &to, &error);
    for (uint32_t id = 1; status == TIR_OK && id <= 3; id++) {
      tir_ir_node n;
      status = tir_ir_copy_node(to, from, {id}, nullptr, &n, &error);
    }
    tir_ir_graph_destroy(from);
    tir_ir_graph_destroy(to);
    tir_ir_graph_destroy(copy);
    return status;
  });
}

}  // namespace
