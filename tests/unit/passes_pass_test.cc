// The driver, and what holds for every pass.
#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

extern "C" {
#include "passes/pass.h"
#include "tapeir/graph.h"
}

namespace {

const char kText[] = R"(
graph @main(%x: f32[4, 3], %y: f32[5, 3], %b: param f32[3] "b") {
  %0 = constant {value = 2} : f32[]
  %1 = neg %0 : f32[]
  %2 = broadcast_like %1, %x : f32[4, 3]
  %3 = mul %x, %2 : f32[4, 3]
  %4 = broadcast_like %b, %3 : f32[4, 3]
  %5 = add %3, %4 : f32[4, 3]
  %6 = transpose %y {perm = [1, 0]} : f32[3, 5]
  %7 = transpose %6 {perm = [1, 0]} : f32[5, 3]
  %8 = transpose %7 {perm = [1, 0]} : f32[3, 5]
  %9 = matmul %5, %8 : f32[4, 5]
  %10 = arange {dtype = f32, n = 5} : f32[5]
  %11 = concat %10, %10 {axis = 0} : f32[10]
  %12 = slice %11 {starts = [5], stops = [10]} : f32[5]
  %13 = add %9, %12 : f32[4, 5]
  %14 = add %12, %9 : f32[4, 5]
  %15 = sub %13, %14 : f32[4, 5]
  %16 = add %b, %b : f32[3]
  %17 = assign %b, %16 : f32[3]
  return %15
})";

class Pass : public testing::Test {
 protected:
  tir_status Run(tir_ir_graph *graph, const char *list,
                 const tir_pass_watch *watch = nullptr) {
    tir_pass_ctx ctx = {};
    ctx.context = context_;
    ctx.error = &error_;
    return tir_pass_run(&ctx, list, watch, graph);
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_error error_ = {};
};

TEST_F(Pass, FoundByName) {
  for (size_t i = 0; tir_pass_at(i); i++) {
    const tir_pass_desc *pass = tir_pass_at(i);
    EXPECT_EQ(tir_pass_find(pass->name, strlen(pass->name)), pass);
    EXPECT_EQ(std::string(pass->summary).back(), '.') << pass->name;
  }
  EXPECT_EQ(tir_pass_find("infer ", 6), nullptr);
  EXPECT_EQ(tir_pass_find("infe", 4), nullptr);
  EXPECT_EQ(tir_pass_find("full", 4), nullptr) << "a pipeline is no pass";
}

TEST_F(Pass, UnknownNameIsAnError) {
  const GraphPtr graph = ParseGraph(context_, kText);
  EXPECT_EQ(Run(graph.get(), "infer,fold"), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "passes: no pass or pipeline is named \"fold\"");
  EXPECT_EQ(Run(graph.get(), nullptr), TIR_ERR_ARGUMENT);
  const std::string longest(5000, 'a');
  EXPECT_EQ(Run(graph.get(), longest.c_str()), TIR_ERR_ARGUMENT);
}

TEST_F(Pass, ListsMayHaveSpacesAndGaps) {
  const GraphPtr graph = ParseGraph(context_, kText);
  EXPECT_EQ(Run(graph.get(), ""), TIR_OK);
  EXPECT_EQ(Run(graph.get(), " , ,"), TIR_OK);
  EXPECT_EQ(Run(graph.get(), " infer , basic,verify "), TIR_OK)
      << error_.message;
}

TEST_F(Pass, WatchSeesEveryPass) {
  struct Seen {
    std::string names;
    uint64_t rewrites = 0;
    int open = 0;
  } seen;
  tir_pass_watch watch = {};
  watch.user = &seen;
  watch.before = [](void *user, const tir_pass_desc *, const tir_ir_graph *) {
    static_cast<Seen *>(user)->open++;
  };
  watch.after = [](void *user, const tir_pass_desc *pass, const tir_ir_graph *,
                   uint64_t rewrites, uint64_t) {
    auto *s = static_cast<Seen *>(user);
    s->open--;
    s->names += std::string(pass->name) + " ";
    s->rewrites += rewrites;
  };
  const GraphPtr graph = ParseGraph(context_, kText);
  ASSERT_EQ(Run(graph.get(), "infer,eliminate-dead,full", &watch), TIR_OK);
  EXPECT_EQ(seen.names,
            "infer eliminate-dead gradient simplify-algebra fold-constants "
            "simplify-algebra merge-transpose eliminate-common "
            "eliminate-dead ");
  EXPECT_EQ(seen.open, 0);
  EXPECT_GT(seen.rewrites, 10u);
}

TEST_F(Pass, ClassEPipelineHasOnlyClassE) {
  std::vector<const tir_pass_desc *> met;
  tir_pass_watch watch = {};
  watch.user = &met;
  watch.before = [](void *user, const tir_pass_desc *pass,
                    const tir_ir_graph *) {
    static_cast<std::vector<const tir_pass_desc *> *>(user)->push_back(pass);
  };
  const GraphPtr graph = ParseGraph(context_, kText);
  ASSERT_EQ(Run(graph.get(), "none,basic", &watch), TIR_OK);
  for (const tir_pass_desc *pass : met)
    EXPECT_EQ(pass->rewrite_class, TIR_PASS_E) << pass->name;
}

// Nothing is left to do for the same pipeline.
TEST_F(Pass, PipelinesAreIdempotent) {
  for (const char *pipeline : {"basic", "full"}) {
    const GraphPtr graph = ParseGraph(context_, kText);
    ASSERT_EQ(Run(graph.get(), pipeline), TIR_OK) << error_.message;
    const std::string once = PrintGraph(graph.get());
    ASSERT_EQ(Run(graph.get(), pipeline), TIR_OK) << error_.message;
    EXPECT_EQ(PrintGraph(graph.get()), once);
  }
}

// Each allocation of each pipeline fails once: a clean error and no leak.
TEST_F(Pass, EveryAllocationMayFail) {
  for (const char *pipeline : {"basic", "full", "infer,verify"}) {
    for (uint64_t n = 1;; n++) {
      ASSERT_LT(n, 2000u);
      const GraphPtr graph = ParseGraph(context_, kText);
      allocator_.FailAt(allocator_.n_allocs() + n);
      const tir_status status = Run(graph.get(), pipeline);
      const bool failed = allocator_.failed();
      allocator_.FailAt(0);
      EXPECT_EQ(status, failed ? TIR_ERR_MEMORY : TIR_OK)
          << pipeline << ": " << error_.message;
      if (!failed) break;
    }
  }
}

// The call differentiates only what was recorded, so a recorded node and one
// made while recording was paused are not the same.
TEST_F(Pass, HistoryKeepsEqualNodesApart) {
  for (const bool with_call : {false, true}) {
    const GraphPtr graph = ParseGraph(context_, R"(
graph @main(%x: f32[3], %g: f32[3]) {
  %0 = exp %x : f32[3]
  %1 = exp %x : f32[3]
  return %0, %1
})");
    const uint32_t first = graph->outputs.data[0].value.id;
    const uint32_t second = graph->outputs.data[1].value.id;
    // What is parsed is recorded.
    graph->nodes.data[graph->values.data[first].node].flags &=
        static_cast<uint16_t>(~TIR_NODE_HISTORY);
    if (with_call) {
      const uint32_t operands[] = {second, graph->inputs.data[1].id,
                                   graph->inputs.data[0].id};
      const tir_attrs_gradient attrs = {1, 0};
      tir_ir_node node;
      ASSERT_EQ(tir_ir_append_checked(graph.get(), TIR_OP_GRADIENT, operands, 3,
                                      &attrs, nullptr, 1, &node, &error_),
                TIR_OK)
          << error_.message;
    }
    ASSERT_EQ(Run(graph.get(), "eliminate-common"), TIR_OK);
    EXPECT_EQ(tir_ir_resolve(graph.get(), {second}).id,
              with_call ? second : first);
  }
}

// --- folding ---------------------------------------------------------------

class Folding : public Pass {
 protected:
  void Fold(tir_ir_graph *graph, size_t budget) {
    tir_pass_ctx ctx = {};
    ctx.context = context_;
    ctx.error = &error_;
    ctx.max_folded_bytes = budget;
    ASSERT_EQ(
        tir_pass_run(&ctx, "fold-constants,eliminate-dead", nullptr, graph),
        TIR_OK)
        << error_.message;
  }
  static size_t HeldBytes(const tir_ir_graph *graph) {
    size_t bytes = 0;
    for (size_t i = 0; i < graph->tensors.count; i++)
      if (graph->tensors.data[i]) bytes += graph->tensors.data[i]->size_bytes;
    return bytes;
  }
};

// A chain that doubles 30 times: folded while it is small, then left.
TEST_F(Folding, GrowthStopsAtTheBudget) {
  std::string text =
      "graph @main() {\n  %0 = constant {data = [1, 2]} : "
      "f32[2]\n";
  int64_t n = 2;
  for (int i = 1; i <= 30; i++) {
    n *= 2;
    text += "  %" + std::to_string(i) + " = concat %" + std::to_string(i - 1) +
            ", %" + std::to_string(i - 1) + " {axis = 0} : f32[" +
            std::to_string(n) + "]\n";
  }
  const GraphPtr graph = ParseGraph(context_, text + "  return %30\n}\n");
  Fold(graph.get(), 1 << 20);
  EXPECT_LE(HeldBytes(graph.get()), (size_t{1} << 20) + (64 << 10));
  EXPECT_GT(tir_ir_n_nodes(graph.get()), 10u);
  EXPECT_LT(tir_ir_n_nodes(graph.get()), 20u);
}

// Many results, each small: together they are within the budget.
TEST_F(Folding, AllResultsTogetherAreBounded) {
  std::string text =
                  "graph @main() {\n  %0 = arange {dtype = f32, n = 8192} : "
                  "f32[8192]\n",
              outputs;
  for (int i = 1; i <= 100; i++) {
    text += "  %" + std::to_string(i) +
            " = arange {dtype = f32, n = " + std::to_string(8192 + i) +
            "} : f32[" + std::to_string(8192 + i) + "]\n";
    outputs += (i > 1 ? ", %" : "%") + std::to_string(i);
  }
  const GraphPtr graph =
      ParseGraph(context_, text + "  return " + outputs + "\n}\n");
  Fold(graph.get(), 1 << 20);
  EXPECT_LE(HeldBytes(graph.get()), size_t{1} << 20);
  EXPECT_GE(HeldBytes(graph.get()), size_t{1} << 19);
}

// A long chain holds one result at a time.
TEST_F(Folding, ChainsGiveTheirMemoryBack) {
  std::string text =
      "graph @main() {\n  %0 = arange {dtype = f32, n = 16384} "
      ": f32[16384]\n";
  for (int i = 1; i <= 40; i++)
    text += "  %" + std::to_string(i) + " = neg %" + std::to_string(i - 1) +
            " : f32[16384]\n";
  const GraphPtr graph = ParseGraph(context_, text + "  return %40\n}\n");
  Fold(graph.get(), 1 << 20);
  EXPECT_EQ(tir_ir_n_nodes(graph.get()), 1u);
}

// The same, longer: time is bounded too.
TEST_F(Folding, WorkIsBounded) {
  std::string text =
      "graph @main() {\n  %0 = arange {dtype = f32, n = 16384} "
      ": f32[16384]\n";
  for (int i = 1; i <= 40; i++)
    text += "  %" + std::to_string(i) + " = neg %" + std::to_string(i - 1) +
            " : f32[16384]\n";
  const GraphPtr graph = ParseGraph(context_, text + "  return %40\n}\n");
  Fold(graph.get(), 1 << 18);
  EXPECT_EQ(tir_ir_n_nodes(graph.get()), 41u - 15u)
      << "16 results of 64 KiB are four budgets";
}

TEST_F(Folding, RefusesWhatNoMemoryHolds) {
  const GraphPtr graph = ParseGraph(context_, R"(
graph @main() {
  %0 = constant {data = [1, 2]} : f32[2]
  %1 = broadcast_to %0 {dims = [1099511627776, 2]} : f32[1099511627776, 2]
  %2 = constant {value = 1} : f32[1099511627776]
  %3 = constant {data = [1]} : i64[1]
  %4 = gather %2, %3 {axis = 0} : f32[1]
  %5 = arange {dtype = i64, n = 1099511627776} : i64[1099511627776]
  return %1, %4, %5
})");
  Fold(graph.get(), 0);
  EXPECT_LT(HeldBytes(graph.get()), 1000u);
}

// --- optimize --------------------------------------------------------------

TEST_F(Pass, OptimizeLeavesTheOriginal) {
  const ModulePtr module = ParseModule(context_, kText);
  tir_graph *graph = tir_module_graph(module.get(), "main"), *made = nullptr;
  const size_t n = tir_graph_n_nodes(graph);
  ASSERT_EQ(tir_graph_optimize(graph, "full", &made, &error_), TIR_OK)
      << error_.message;
  EXPECT_EQ(tir_graph_n_nodes(graph), n);
  EXPECT_LT(tir_graph_n_nodes(made), n);
  EXPECT_EQ(tir_graph_n_inputs(made), 2u);
  EXPECT_EQ(tir_graph_n_params(made), 1u);
  tir_graph_destroy(made);

  EXPECT_EQ(tir_graph_optimize(graph, "fast", &made, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(made, nullptr);
}

TEST_F(Pass, OptimizeWithoutEliminateDead) {
  const ModulePtr module = ParseModule(context_, kText);
  tir_graph *made = nullptr;
  ASSERT_EQ(tir_graph_optimize(tir_module_graph(module.get(), "main"),
                               "simplify-algebra", &made, &error_),
            TIR_OK)
      << error_.message;
  EXPECT_EQ(made->ir->forward.count, 0u);
  tir_graph_destroy(made);
}

}  // namespace
