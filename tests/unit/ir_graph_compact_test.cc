// compact: what is dropped, what keeps its order, what stays when it fails.
#include <string>
#include <vector>

#include "tests/support/context_fixture.h"
#include "tests/support/random.h"
#include "tests/support/text_graph.h"

namespace {

class GraphCompact : public testing::Test {
 protected:
  void Parse(const std::string &text) { g_ = ParseGraph(context_, text); }
  tir_ir_value Value(const std::string &name) {
    for (uint32_t v = 1; v <= tir_ir_n_values(g_.get()); v++)
      if (name == tir_ir_value_name(g_.get(), {v})) return {v};
    ADD_FAILURE() << "no value " << name;
    return {0};
  }
  void Remove(const std::string &name) {
    tir_ir_remove(g_.get(), tir_ir_producer(g_.get(), Value(name)));
  }
  void Replace(const std::string &value, const std::string &by) {
    ASSERT_EQ(tir_ir_replace_uses(g_.get(), Value(value), Value(by), &error_),
              TIR_OK);
  }
  void Compact() {
    ASSERT_EQ(tir_ir_compact(g_.get(), nullptr, &error_), TIR_OK)
        << error_.message;
    EXPECT_EQ(tir_ir_verify(g_.get(), &error_), TIR_OK) << error_.message;
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_error error_ = {};
  GraphPtr g_;
};

TEST_F(GraphCompact, NothingToDoChangesNothing) {
  const std::string text =
      "graph @g(%x: f32[batch=4, 3], %i: i64[]) {\n"
      "  %c = constant {data = [1, 2, 3]} : f32[3]\n"
      "  %y = reduce_sum %x {axes = [0]} : f32[3]\n"
      "  %z = add %y, %c : f32[3]\n"
      "  return %z, %x\n"
      "}\n";
  Parse(text);
  uint32_t *map = nullptr;
  const size_t n = tir_ir_n_values(g_.get()) + 1;
  ASSERT_EQ(tir_ir_compact(g_.get(), &map, &error_), TIR_OK);
  for (uint32_t v = 0; v < n; v++) EXPECT_EQ(map[v], v);
  tir_base_free(context_, map, n * 4, 4);
  EXPECT_EQ(PrintGraph(g_.get()), text);
}

TEST_F(GraphCompact, DropsAndRenumbers) {
  Parse(
      "graph @g(%x: f32[2], %unused: f32[2], %y: f32[2]) {\n"
      "  %a = neg %x : f32[2]\n"
      "  %b = neg %y : f32[2]\n"
      "  %c = add %a, %b : f32[2]\n"
      "  %d = constant {data = [1, 2]} : f32[2]\n"
      "  %e = constant {data = [3, 4]} : f32[2]\n"
      "  %f = add %b, %e : f32[2]\n"
      "  return %f\n"
      "}\n");
  for (const char *name : {"unused", "a", "c", "d"}) Remove(name);
  const size_t n = tir_ir_n_values(g_.get()) + 1;
  const tir_ir_value a = Value("a"), f = Value("f");
  uint32_t *map = nullptr;
  ASSERT_EQ(tir_ir_compact(g_.get(), &map, &error_), TIR_OK);
  EXPECT_EQ(map[a.id], 0u);
  EXPECT_EQ(map[f.id], Value("f").id);
  tir_base_free(context_, map, n * 4, 4);
  EXPECT_EQ(tir_ir_verify(g_.get(), &error_), TIR_OK) << error_.message;
  EXPECT_EQ(PrintGraph(g_.get()),
            "graph @g(%x: f32[2], %y: f32[2]) {\n"
            "  %b = neg %y : f32[2]\n"
            "  %e = constant {data = [3, 4]} : f32[2]\n"
            "  %f = add %b, %e : f32[2]\n"
            "  return %f\n"
            "}\n");
  EXPECT_EQ(g_->tensors.count, 1u);
}

TEST_F(GraphCompact, ReplacementsBecomePermanent) {
  Parse(
      "graph @g(%x: f32[2]) {\n"
      "  %a = neg %x : f32[2]\n"
      "  %b = neg %a : f32[2]\n"
      "  %c = neg %b : f32[2]\n"
      "  %d = add %c, %b : f32[2]\n"
      "  return %c, %d, %b\n"
      "}\n");
  // A chain of replacements, the last one first.
  Replace("c", "b");
  Replace("b", "a");
  Replace("a", "a");  // nothing
  EXPECT_EQ(tir_ir_resolve(g_.get(), Value("c")).id, Value("a").id);
  const size_t n = tir_ir_n_values(g_.get()) + 1;
  const tir_ir_value b = Value("b");
  uint32_t *map = nullptr;
  ASSERT_EQ(tir_ir_compact(g_.get(), &map, &error_), TIR_OK);
  EXPECT_EQ(map[b.id], Value("a").id);
  tir_base_free(context_, map, n * 4, 4);
  EXPECT_EQ(g_->forward.count, 0u);
  Remove("b");
  Remove("c");
  Compact();
  EXPECT_EQ(PrintGraph(g_.get()),
            "graph @g(%x: f32[2]) {\n"
            "  %a = neg %x : f32[2]\n"
            "  %d = add %a, %a : f32[2]\n"
            "  return %a, %d, %a\n"
            "}\n");
}

TEST_F(GraphCompact, ReplacedInputsStayInputs) {
  Parse(
      "graph @g(%x: f32[2], %y: f32[2]) {\n"
      "  %a = neg %x : f32[2]\n"
      "  return %a\n"
      "}\n");
  Replace("x", "y");
  Compact();
  EXPECT_EQ(PrintGraph(g_.get()),
            "graph @g(%x: f32[2], %y: f32[2]) {\n"
            "  %a = neg %y : f32[2]\n"
            "  return %a\n"
            "}\n");
}

TEST_F(GraphCompact, AppendedOperandsMoveBeforeTheirUsers) {
  Parse(
      "graph @g(%x: f32[2], %y: f32[2]) {\n"
      "  %a = neg %x : f32[2]\n"
      "  %b = add %a, %y : f32[2]\n"
      "  return %b\n"
      "}\n");
  // a → tanh(exp(y)), made behind everything.
  tir_ir_node n;
  const uint32_t y = Value("y").id;
  ASSERT_EQ(tir_ir_append_checked(g_.get(), TIR_OP_EXP, &y, 1, nullptr, nullptr,
                                  1, &n, &error_),
            TIR_OK);
  const uint32_t e = tir_ir_out(g_.get(), n, 0).id;
  ASSERT_EQ(tir_ir_append_checked(g_.get(), TIR_OP_TANH, &e, 1, nullptr,
                                  nullptr, 1, &n, &error_),
            TIR_OK);
  ASSERT_EQ(tir_ir_replace_uses(g_.get(), Value("a"),
                                tir_ir_out(g_.get(), n, 0), &error_),
            TIR_OK);
  Remove("a");
  Compact();
  EXPECT_EQ(PrintGraph(g_.get()),
            "graph @g(%x: f32[2], %y: f32[2]) {\n"
            "  %0 = exp %y : f32[2]\n"
            "  %1 = tanh %0 : f32[2]\n"
            "  %b = add %1, %y : f32[2]\n"
            "  return %b\n"
            "}\n");
}

TEST_F(GraphCompact, InputsKeepTheirOrderWhenSorted) {
  Parse(
      "graph @g(%x: f32[2]) {\n"
      "  %a = neg %x : f32[2]\n"
      "  return %a\n"
      "}\n");
  const tir_ir_type type = MakeType(TIR_DTYPE_F32, {2});
  tir_ir_node n;
  for (const char *name : {"y", "z"}) {
    ASSERT_EQ(tir_ir_append_checked(g_.get(), TIR_OP_INPUT, nullptr, 0, nullptr,
                                    &type, 1, &n, &error_),
              TIR_OK);
    ASSERT_EQ(tir_ir_set_value_name(g_.get(), tir_ir_out(g_.get(), n, 0), name,
                                    1, &error_),
              TIR_OK);
  }
  Replace("x", "z");  // the last one is needed first
  Compact();
  EXPECT_EQ(PrintGraph(g_.get()),
            "graph @g(%x: f32[2], %y: f32[2], %z: f32[2]) {\n"
            "  %a = neg %z : f32[2]\n"
            "  return %a\n"
            "}\n");
}

TEST_F(GraphCompact, RemovedButUsedIsAnErrorAndChangesNothing) {
  const std::string text =
      "graph @g(%x: f32[2]) {\n"
      "  %a = neg %x : f32[2]\n"
      "  %b = neg %a : f32[2]\n"
      "  return %b\n"
      "}\n";
  Parse(text);
  Remove("a");
  EXPECT_EQ(tir_ir_compact(g_.get(), nullptr, &error_), TIR_ERR_STATE);
  EXPECT_STREQ(error_.message, "compact: an operand of node 3 was removed");
  EXPECT_EQ(error_.node, 3u);
  tir_ir_node_at(g_.get(), {2})->flags &=
      static_cast<uint16_t>(~TIR_NODE_REMOVED);
  EXPECT_EQ(PrintGraph(g_.get()), text);
  Remove("b");
  EXPECT_EQ(tir_ir_compact(g_.get(), nullptr, &error_), TIR_ERR_STATE);
  EXPECT_STREQ(error_.message, "compact: output 0 was removed");
}

TEST_F(GraphCompact, CycleIsAnError) {
  Parse(
      "graph @g(%x: f32[2]) {\n"
      "  %a = neg %x : f32[2]\n"
      "  %b = neg %a : f32[2]\n"
      "  return %b\n"
      "}\n");
  Replace("a", "b");  // b = neg b
  EXPECT_EQ(tir_ir_compact(g_.get(), nullptr, &error_), TIR_ERR_STATE);
  EXPECT_STREQ(error_.message, "compact: node 3 depends on itself");
}

TEST_F(GraphCompact, SizesComeDownAgain) {
  Parse(
      "graph @g(%x: f32[4, 3]) {\n"
      "  %0 = reduce_sum %x {axes = [0]} : f32[3]\n"
      "  return %0\n"
      "}\n");
  const tir_attrs_reduce attrs = {{1, {1}}, 1};
  const uint32_t x = 1;
  size_t bytes = 0;
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 1000; i++) {
      tir_ir_node n;
      ASSERT_EQ(tir_ir_append_checked(g_.get(), TIR_OP_REDUCE_SUM, &x, 1,
                                      &attrs, nullptr, 1, &n, &error_),
                TIR_OK);
      tir_ir_remove(g_.get(), n);
    }
    Compact();
    if (round == 1) bytes = tir_ir_graph_bytes(g_.get());
    if (round > 1) {
      EXPECT_EQ(tir_ir_graph_bytes(g_.get()), bytes);
    }
  }
  EXPECT_EQ(tir_ir_n_nodes(g_.get()), 2u);
  EXPECT_LE(g_->dims.count, 16u);
}

// Random graphs with random removals: what is left computes what it did,
// checked by printing the cone of the outputs before and after.
TEST_F(GraphCompact, RandomGraphs) {
  for (uint64_t seed = 0; seed < 50; seed++) {
    TestRandom random(seed);
    tir_ir_graph *g = nullptr;
    ASSERT_EQ(tir_ir_graph_create(context_, "g", &g, &error_), TIR_OK);
    g_.reset(g);
    const tir_ir_type type = MakeType(TIR_DTYPE_F32, {2});
    for (int i = 0; i < 60; i++) {
      const uint32_t n = tir_ir_n_values(g);
      tir_ir_node node;
      if (i < 3) {
        ASSERT_EQ(tir_ir_append_checked(g, TIR_OP_INPUT, nullptr, 0, nullptr,
                                        &type, 1, &node, &error_),
                  TIR_OK);
      } else {
        const uint32_t in[2] = {static_cast<uint32_t>(1 + random.Below(n)),
                                static_cast<uint32_t>(1 + random.Below(n))};
        ASSERT_EQ(
            tir_ir_append_checked(g, random.Below(2) ? TIR_OP_ADD : TIR_OP_MUL,
                                  in, 2, nullptr, nullptr, 1, &node, &error_),
            TIR_OK);
      }
    }
    // Replace some values by later ones that do not depend on them: inputs.
    for (int i = 0; i < 5; i++) {
      const tir_ir_value v = {static_cast<uint32_t>(4 + random.Below(50))};
      const tir_ir_value by = {static_cast<uint32_t>(1 + random.Below(3))};
      ASSERT_EQ(tir_ir_replace_uses(g, v, by, &error_), TIR_OK);
    }
    ASSERT_EQ(tir_ir_add_output(g, {60}, "out", &error_), TIR_OK);
    std::vector<bool> used(61, false);
    used[tir_ir_resolve(g, {60}).id] = true;
    for (uint32_t id = 60; id > 3; id--) {
      if (!used[id]) {
        tir_ir_remove(g, {id});
        continue;
      }
      for (uint32_t i = 0; i < 2; i++) used[tir_ir_in(g, {id}, i).id] = true;
    }
    const std::string before = PrintGraph(g);
    Compact();
    EXPECT_EQ(PrintGraph(g), before) << seed;
  }
}

TEST(GraphCompactMemory, FailureLeavesTheGraphAsItWas) {
  const std::string text =
      "graph @g(%x: f32[2], %y: f32[2]) {\n"
      "  %c = constant {data = [1, 2]} : f32[2]\n"
      "  %a = neg %x : f32[2]\n"
      "  %b = add %a, %c : f32[2]\n"
      "  return %b\n"
      "}\n";
  ForEachFailingAllocation([&](FailingAllocator &allocator) {
    TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    tir_ir_graph *g = nullptr;
    tir_error error;
    tir_status status =
        tir_ir_parse_graph(context, text.data(), text.size(), &g, &error);
    if (status != TIR_OK) return status;
    const GraphPtr owner(g);
    // Sorting is needed: a new node replaces an early value.
    const uint32_t y = 2;
    tir_ir_node n;
    status = tir_ir_append_checked(g, TIR_OP_EXP, &y, 1, nullptr, nullptr, 1,
                                   &n, &error);
    if (status == TIR_OK)
      status = tir_ir_replace_uses(g, {4}, tir_ir_out(g, n, 0), &error);
    if (status != TIR_OK) return status;
    tir_ir_remove(g, {4});
    const size_t n_nodes = g->nodes.count;
    status = tir_ir_compact(g, nullptr, &error);
    if (status != TIR_OK) {
      EXPECT_EQ(g->nodes.count, n_nodes);
      EXPECT_EQ(tir_ir_in(g, {5}, 0).id, tir_ir_out(g, n, 0).id);
    }
    return status;
  });
}

}  // namespace
