// Inference of calls, and of whole graphs at other sizes.
#include <string>

#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

namespace {

class Infer : public testing::Test {
 protected:
  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_error error_ = {};
};

TEST_F(Infer, FollowsAnotherSize) {
  const GraphPtr g = ParseGraph(
      context_,
      "graph @g(%x: f32[batch=4, 3], %t: i64[batch=4], %w: param f32[3, 2] "
      "\"w\") {\n"
      "  %0 = matmul %x, %w : f32[4, 2]\n"
      "  %1, %2 = cross_entropy %0, %t : f32[4], f32[4, 2]\n"
      "  %3 = reduce_mean %1 : f32[]\n"
      "  %4 = broadcast_like %3, %x : f32[4, 3]\n"
      "  return %3, %4\n}");
  for (int64_t size : {7, 1, 0, 4}) {
    ASSERT_EQ(tir_ir_set_symbol(g.get(), "batch", size, &error_), TIR_OK);
    ASSERT_EQ(tir_ir_infer_graph(g.get(), &error_), TIR_OK) << error_.message;
    EXPECT_EQ(tir_ir_verify(g.get(), &error_), TIR_OK) << error_.message;
    const std::string n = std::to_string(size);
    EXPECT_EQ(PrintGraph(g.get()),
              "graph @g(%x: f32[batch=" + n + ", 3], %t: i64[batch=" + n +
                  "], %w: param f32[3, 2] \"w\") {\n"
                  "  %0 = matmul %x, %w : f32[batch=" +
                  n +
                  ", 2]\n"
                  "  %1, %2 = cross_entropy %0, %t : f32[batch=" +
                  n + "], f32[batch=" + n +
                  ", 2]\n"
                  "  %3 = reduce_mean %1 : f32[]\n"
                  "  %4 = broadcast_like %3, %x : f32[batch=" +
                  n +
                  ", 3]\n"
                  "  return %3, %4\n"
                  "}\n");
  }
}

TEST_F(Infer, NamesTheNodeThatCannotFollow) {
  const GraphPtr g = ParseGraph(context_,
                                "graph @g(%x: f32[batch=4]) {\n"
                                "  %c = constant {value = 1} : f32[4]\n"
                                "  %y = add %x, %c : f32[4]\n"
                                "  return %y\n}");
  tir_ir_node_at(g.get(), {3})->site = "model.c:41";
  ASSERT_EQ(tir_ir_set_symbol(g.get(), "batch", 7, &error_), TIR_OK);
  EXPECT_EQ(tir_ir_infer_graph(g.get(), &error_), TIR_ERR_SHAPE);
  EXPECT_STREQ(error_.message,
               "add: shapes do not broadcast: a \"x\" f32[7], b \"c\" f32[4] "
               "(node 3 \"y\", model.c:41)");
  EXPECT_EQ(error_.node, 3u);
}

TEST_F(Infer, SymbolsThatAreNotThere) {
  const GraphPtr g =
      ParseGraph(context_, "graph @g(%x: f32[batch=4, 3]) { return %x }");
  EXPECT_EQ(tir_ir_set_symbol(g.get(), "n", 7, &error_), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "no input has a dim named \"n\"");
  // A string of the graph, but no dim.
  EXPECT_EQ(tir_ir_set_symbol(g.get(), "x", 7, &error_), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_ir_set_symbol(g.get(), "", 7, &error_), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_ir_set_symbol(g.get(), "batch", -1, &error_), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "dim \"batch\" is -1, expected 0 or more");
  EXPECT_EQ(tir_ir_set_symbol(g.get(), "batch", INT64_MAX, &error_),
            TIR_ERR_LIMIT);
}

TEST_F(Infer, CompactsPendingReplacements) {
  const GraphPtr g = ParseGraph(context_,
                                "graph @g(%x: f32[n=4]) {\n"
                                "  %0 = neg %x : f32[4]\n"
                                "  %1 = tanh %0 : f32[4]\n"
                                "  return %1\n}");
  const uint32_t x = 1;
  tir_ir_node late;
  ASSERT_EQ(tir_ir_append_checked(g.get(), TIR_OP_EXP, &x, 1, nullptr, nullptr,
                                  1, &late, &error_),
            TIR_OK);
  ASSERT_EQ(
      tir_ir_replace_uses(g.get(), {2}, tir_ir_out(g.get(), late, 0), &error_),
      TIR_OK);
  tir_ir_remove(g.get(), {2});
  ASSERT_EQ(tir_ir_set_symbol(g.get(), "n", 9, &error_), TIR_OK);
  ASSERT_EQ(tir_ir_infer_graph(g.get(), &error_), TIR_OK) << error_.message;
  EXPECT_EQ(PrintGraph(g.get()),
            "graph @g(%x: f32[n=9]) {\n"
            "  %0 = exp %x : f32[n=9]\n"
            "  %1 = tanh %0 : f32[n=9]\n"
            "  return %1\n"
            "}\n");
}

TEST_F(Infer, AgainWithoutChangeAddsNothing) {
  const GraphPtr g =
      ParseGraph(context_,
                 "graph @g(%x: f32[n=4, 3]) {\n"
                 "  %0 = reduce_sum %x {axes = [1]} : f32[4]\n  return %0\n}");
  const size_t stored = g->dims.count;
  for (int i = 0; i < 10; i++)
    ASSERT_EQ(tir_ir_infer_graph(g.get(), &error_), TIR_OK);
  EXPECT_EQ(g->dims.count, stored);
}

}  // namespace
