// Publishing, and what a frozen graph tells.
#include <string>
#include <vector>

#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

namespace {

class Publish : public testing::Test {
 protected:
  ~Publish() override { tir_graph_destroy(graph_); }
  tir_status Do(GraphPtr g, tir_module *module = nullptr) {
    return tir_ir_graph_publish(g.release(), module, &graph_, &error_);
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_error error_ = {};
  tir_graph *graph_ = nullptr;
};

TEST_F(Publish, Ports) {
  ASSERT_EQ(
      Do(ParseGraph(context_,
                    "graph @loss(%x: f32[batch=4, 3], %w: param f32[3] \"w\","
                    " %0: i64[], %n: state i64[2] \"n\") {\n"
                    "  %1 = mul %x, %w : f32[4, 3]\n"
                    "  return %1 \"out\", %0\n}")),
      TIR_OK)
      << error_.message;
  EXPECT_STREQ(tir_graph_name(graph_), "loss");
  EXPECT_EQ(tir_graph_n_inputs(graph_), 2u);
  EXPECT_EQ(tir_graph_n_outputs(graph_), 2u);
  EXPECT_EQ(tir_graph_n_params(graph_), 2u);
  EXPECT_EQ(tir_graph_n_nodes(graph_), 5u);
  tir_port port;
  ASSERT_EQ(tir_graph_input(graph_, 0, &port), TIR_OK);
  EXPECT_STREQ(port.name, "x");
  EXPECT_EQ(port.dtype, TIR_DTYPE_F32);
  ASSERT_EQ(port.rank, 2);
  EXPECT_EQ(port.dims[0], 4);
  EXPECT_EQ(port.dims[1], 3);
  EXPECT_STREQ(port.dim_names[0], "batch");
  EXPECT_EQ(port.dim_names[1], nullptr);
  ASSERT_EQ(tir_graph_input(graph_, 1, &port), TIR_OK);
  EXPECT_STREQ(port.name, "");
  EXPECT_EQ(port.rank, 0);
  ASSERT_EQ(tir_graph_output(graph_, 0, &port), TIR_OK);
  EXPECT_STREQ(port.name, "out");
  EXPECT_STREQ(port.dim_names[0], "batch");
  ASSERT_EQ(tir_graph_param(graph_, 1, &port), TIR_OK);
  EXPECT_STREQ(port.name, "n");
  EXPECT_EQ(port.dtype, TIR_DTYPE_I64);
  EXPECT_EQ(tir_graph_input(graph_, 2, &port), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_graph_output(graph_, 2, &port), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_graph_param(graph_, 2, &port), TIR_ERR_ARGUMENT);
}

TEST_F(Publish, OpCounts) {
  ASSERT_EQ(Do(ParseGraph(context_,
                          "graph @f(%x: f32[2]) {\n"
                          "  %0 = neg %x : f32[2]\n"
                          "  %1 = tanh %0 : f32[2]\n"
                          "  %2 = tanh %1 : f32[2]\n"
                          "  %3 = add %2, %2 : f32[2]\n"
                          "  return %3\n}")),
            TIR_OK);
  const char *names[8];
  size_t counts[8];
  ASSERT_EQ(tir_graph_op_counts(graph_, names, counts, 8), 4u);
  EXPECT_STREQ(names[0], "tanh");
  EXPECT_EQ(counts[0], 2u);
  EXPECT_STREQ(names[1], "input");  // equal counts in roster order
  EXPECT_STREQ(names[2], "neg");
  EXPECT_STREQ(names[3], "add");
  names[1] = nullptr;
  EXPECT_EQ(tir_graph_op_counts(graph_, names, counts, 1), 4u);
  EXPECT_EQ(names[1], nullptr);
  EXPECT_EQ(tir_graph_op_counts(graph_, nullptr, nullptr, 0), 4u);
}

TEST_F(Publish, CompactsFirst) {
  GraphPtr g = ParseGraph(context_,
                          "graph @f(%x: f32[2]) {\n"
                          "  %0 = neg %x : f32[2]\n"
                          "  %1 = neg %0 : f32[2]\n"
                          "  return %1\n}");
  ASSERT_EQ(tir_ir_replace_uses(g.get(), {3}, {1}, &error_), TIR_OK);
  tir_ir_remove(g.get(), {2});
  tir_ir_remove(g.get(), {3});
  ASSERT_EQ(Do(std::move(g)), TIR_OK) << error_.message;
  EXPECT_EQ(tir_graph_n_nodes(graph_), 1u);
  char *text = nullptr;
  ASSERT_EQ(tir_graph_to_text(graph_, &text, &error_), TIR_OK);
  EXPECT_STREQ(text, "graph @f(%x: f32[2]) {\n  return %x\n}\n");
  tir_text_free(context_, text);
}

TEST_F(Publish, RefusesABrokenGraph) {
  GraphPtr g = ParseGraph(context_,
                          "graph @f(%x: f32[2]) {\n"
                          "  %0 = neg %x : f32[2]\n  return %0\n}");
  tir_ir_value_at(g.get(), {2})->dtype = TIR_DTYPE_F64;
  EXPECT_EQ(Do(std::move(g)), TIR_ERR_ARGUMENT);
  EXPECT_EQ(graph_, nullptr);
}

TEST_F(Publish, ParamsMustFitTheModule) {
  const ModulePtr module =
      ParseModule(context_, "param \"w\" f32[2] {kind = state} [1, 2]");
  EXPECT_EQ(
      Do(ParseGraph(context_, "graph @f(%w: state f32[2] \"w\") { return %w }"),
         module.get()),
      TIR_OK);
  tir_graph_destroy(graph_);
  graph_ = nullptr;
  EXPECT_EQ(
      Do(ParseGraph(context_, "graph @f(%w: state f32[3] \"w\") { return %w }"),
         module.get()),
      TIR_ERR_SHAPE);
  EXPECT_EQ(graph_, nullptr);
  EXPECT_STREQ(error_.message,
               "param: \"w\" is f32[3] in the graph, f32[2] in the module");
}

TEST_F(Publish, PlacesOutliveTheirText) {
  GraphPtr g = ParseGraph(context_, "graph @f(%x: f32[2]) { return %x }");
  {
    const std::string place = "plugin.c:7";
    tir_ir_node_at(g.get(), {1})->site = place.c_str();
    ASSERT_EQ(Do(std::move(g)), TIR_OK);
  }
  EXPECT_STREQ(tir_ir_node_at(graph_->ir, {1})->site, "plugin.c:7");
}

TEST(PublishMemory, EveryAllocationMayFail) {
  const std::string text =
      "graph @f(%x: f32[2], %w: param f32[2] \"w\") {\n"
      "  %0 = add %x, %w : f32[2]\n"
      "  %1 = neg %0 : f32[2]\n"
      "  return %1\n}";
  ForEachFailingAllocation([&](FailingAllocator &allocator) {
    TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    tir_error error;
    tir_module *module = nullptr;
    tir_ir_graph *g = nullptr;
    tir_graph *graph = nullptr;
    tir_status status = tir_module_create(context, &module, &error);
    if (status == TIR_OK)
      status =
          tir_ir_parse_graph(context, text.data(), text.size(), &g, &error);
    if (status == TIR_OK) {
      tir_ir_node_at(g, {3})->site = "a.c:1";
      status = tir_ir_replace_uses(g, {4}, {3}, &error);
    }
    if (status == TIR_OK)
      status = tir_ir_module_add_graph(module, g, &graph, &error);
    else
      tir_ir_graph_destroy(g);
    EXPECT_EQ(graph != nullptr, status == TIR_OK);
    tir_module_destroy(module);
    return status;
  });
}

}  // namespace
