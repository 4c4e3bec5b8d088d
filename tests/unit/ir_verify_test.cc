// The verifier: a good graph passes, and each kind of damage is named.
#include <functional>
#include <string>

#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

namespace {

const char kText[] =
    "graph @g(%x: f32[batch=4, 3], %w: state f32[3] \"w\", %t: i64[4]) {\n"
    "  %c = constant {data = [1, 2, 3]} : f32[3]\n"                // node 4
    "  %y = add %x, %c : f32[batch=4, 3]\n"                        // 5
    "  %s = reduce_sum %y {axes = [0]} : f32[3]\n"                 // 6
    "  %l, %g = cross_entropy %y, %t : f32[batch=4], f32[4, 3]\n"  // 7
    "  %a = assign %w, %s : f32[3]\n"                              // 8
    "  return %l \"loss\", %s\n"
    "}\n";

class Verify : public testing::Test {
 protected:
  void SetUp() override {
    g_ = ParseGraph(context_, kText);
    ASSERT_NE(g_, nullptr);
    ASSERT_EQ(tir_ir_verify(g_.get(), &error_), TIR_OK) << error_.message;
  }
  tir_ir_node_data *Node(uint32_t id) { return tir_ir_node_at(g_.get(), {id}); }
  tir_ir_value_data *Value(uint32_t id) {
    return tir_ir_value_at(g_.get(), {id});
  }
  void Refuses(const std::string &message, uint32_t node = 0,
               tir_status status = TIR_ERR_ARGUMENT) {
    EXPECT_EQ(tir_ir_verify(g_.get(), &error_), status);
    EXPECT_EQ(error_.message, message);
    EXPECT_EQ(error_.node, node);
    EXPECT_EQ(tir_ir_verify(g_.get(), nullptr), status);
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_error error_ = {};
  GraphPtr g_;
};

TEST_F(Verify, OpNumber) {
  Node(5)->op = 9999;
  Refuses("graph: node 5: no op has number 9999", 5);
  Node(5)->op = TIR_OP_NONE;
  Refuses("graph: node 5: no op has number 0", 5);
}

TEST_F(Verify, OperandRange) {
  const tir_ir_node_data good = *Node(5);
  Node(5)->in_first = UINT32_MAX;
  Refuses("add: operand list is out of range", 5);
  *Node(5) = good;
  Node(5)->n_in = 1000;
  Refuses("add: operand list is out of range", 5);
}

TEST_F(Verify, OperandIds) {
  uint32_t *operand = &g_->operands.data[Node(6)->in_first];
  *operand = 0;
  Refuses("reduce_sum: operand 0 is no value of the graph: id 0", 6);
  *operand = 4000000000u;
  Refuses("reduce_sum: operand 0 is no value of the graph: id 4000000000", 6);
}

TEST_F(Verify, TopologicalOrder) {
  g_->operands.data[Node(5)->in_first] = 6;  // %s, made by node 6
  Refuses("add: operand 0 is made later: node 6, used by node 5", 5);
  g_->operands.data[Node(5)->in_first] = 5;
  Refuses("add: operand 0 is made later: node 5, used by node 5", 5);
}

TEST_F(Verify, OperandCount) {
  Node(5)->n_in = 1;
  Refuses("add: wrong number of operands: 1, expected 2 (node 5 \"y\")", 5);
}

TEST_F(Verify, RemovedOperand) {
  tir_ir_remove(g_.get(), {6});
  Refuses("assign: operand 1 was removed: node 6", 8);
}

TEST_F(Verify, RemovedOutput) {
  tir_ir_remove(g_.get(), {7});
  Refuses("graph: output 0 was removed: node 7");
}

TEST_F(Verify, Results) {
  const tir_ir_node_data good = *Node(6);
  Node(6)->out_first = 0;
  Refuses("reduce_sum: result list is out of range", 6);
  *Node(6) = good;
  Node(6)->n_out = 0;
  Refuses("reduce_sum: result list is out of range", 6);
  *Node(6) = good;
  Node(6)->out_first = 5;  // those of node 5
  Refuses("reduce_sum: result 5 says that node 5 makes it", 6);
  *Node(6) = good;
  Value(6)->node = 77;
  Refuses("graph: value 6 is made by no node: id 77");
}

TEST_F(Verify, Shapes) {
  Value(6)->rank = 9;
  Refuses("reduce_sum: shape of result 6 is out of range: rank 9", 6);
  Value(6)->rank = 1;
  Value(6)->dims = 1000000;
  Refuses("reduce_sum: shape of result 6 is out of range: rank 1", 6);
}

TEST_F(Verify, TypesAreWhatInferGives) {
  Value(6)->dtype = TIR_DTYPE_F64;
  Refuses("reduce_sum: result 0 has another type: f64[3], expected f32[3]", 6);
  Value(6)->dtype = TIR_DTYPE_F32;
  Value(5)->has_symbols = 0;
  Refuses(
      "add: result 0 has another type: f32[4, 3], expected f32[4, 3] "
      "with other dim names",
      5);
}

TEST_F(Verify, DeclaredTypes) {
  Value(1)->dtype = 77;
  Refuses("input: dtype 77 does not exist (node 1 \"x\")", 1);
  Value(1)->dtype = TIR_DTYPE_F32;
  g_->dims.data[Value(1)->dims] = -4;
  Refuses("input: dim 0 is -4, expected 0 or more (node 1 \"x\")", 1);
}

TEST_F(Verify, ConstantsFitTheirTensors) {
  Value(4)->dtype = TIR_DTYPE_I32;
  Refuses(
      "constant: tensor 1 is not of the declared type i32[3] "
      "(node 4 \"c\")",
      4, TIR_ERR_SHAPE);
  Value(4)->dtype = TIR_DTYPE_F32;
  g_->attrs.data[Node(4)->attrs + 1] = 9;
  Refuses("constant: tensor is 9, the graph has 1 (node 4 \"c\")", 4);
}

TEST_F(Verify, Attributes) {
  const tir_ir_node_data good = *Node(6);
  Node(6)->attrs = static_cast<uint32_t>(g_->attrs.count);
  Refuses("reduce_sum: attributes are out of range", 6);
  *Node(6) = good;
  g_->attrs.data[Node(6)->attrs] = 100;  // length of axes
  Refuses(
      "reduce_sum: axes has 100 entries, expected 0 to 8 "
      "(node 6 \"s\")",
      6);
}

TEST_F(Verify, PlaceIsNamed) {
  Node(5)->n_in = 1;
  Node(5)->site = "model.c:41";
  Refuses(
      "add: wrong number of operands: 1, expected 2 "
      "(node 5 \"y\", model.c:41)",
      5);
}

TEST_F(Verify, Names) {
  Value(5)->name = 100000;
  EXPECT_EQ(tir_ir_verify(g_.get(), &error_), TIR_ERR_ARGUMENT);
  EXPECT_EQ(error_.node, 5u);
  Value(5)->name = 0;
  Value(2)->name = 0;
  Refuses("param: it has no name", 2);
  Value(2)->name = Symbol(g_.get(), "\xff");
  Refuses("param: name is not UTF-8: \"\\xff\"", 2);
  Value(2)->name = Symbol(g_.get(), std::string(1025, 'n'));
  Refuses("param: name is too long: 1025 bytes, expected at most 1024", 2);
  Value(2)->name = 0;
  Value(2)->name = Symbol(g_.get(), "x");  // an input may have it too
  EXPECT_EQ(tir_ir_verify(g_.get(), &error_), TIR_OK) << error_.message;
  Value(3)->name = Value(1)->name;
  Refuses("input: two inputs are named \"x\"", 3);
}

TEST_F(Verify, ListOfInputs) {
  tir_ir_value *inputs = g_->inputs.data;
  std::swap(inputs[0], inputs[1]);
  Refuses("input: the list of inputs does not have it at 1", 1);
  std::swap(inputs[0], inputs[1]);
  inputs[1].id = 0;
  Refuses("input: the list of inputs does not have it at 2", 3);
  inputs[1].id = 3;
  g_->inputs.count = 1;
  Refuses("input: the list of inputs does not have it at 1", 3);
  ASSERT_TRUE(TIR_VEC_RESERVE(context_, &g_->inputs, 3));
  g_->inputs.count = 3;
  g_->inputs.data[1].id = 3;
  g_->inputs.data[2].id = 5;
  Refuses("graph: input 2 is made by no input node");
}

TEST_F(Verify, Outputs) {
  g_->outputs.data[0].value.id = 0;
  Refuses("graph: output 0 is no value: id 0");
  g_->outputs.data[0].value.id = 99;
  Refuses("graph: output 0 is no value: id 99");
}

TEST_F(Verify, DimNamesUnify) {
  tir_ir_type type = MakeType(TIR_DTYPE_I64, {5});
  type.symbols[0] = Symbol(g_.get(), "batch");
  ASSERT_EQ(tir_ir_set_type(g_.get(), {3}, &type, &error_), TIR_OK);
  Refuses("input: dim \"batch\" has two sizes: 4 and 5", 3);
}

TEST_F(Verify, MiddleOfAPass) {
  // %s is replaced by a later node; compact will move it.
  const uint32_t c = 4;
  tir_ir_node n;
  ASSERT_EQ(tir_ir_append_checked(g_.get(), TIR_OP_NEG, &c, 1, nullptr, nullptr,
                                  1, &n, &error_),
            TIR_OK);
  ASSERT_EQ(
      tir_ir_replace_uses(g_.get(), {6}, tir_ir_out(g_.get(), n, 0), &error_),
      TIR_OK);
  tir_ir_remove(g_.get(), {6});
  EXPECT_EQ(tir_ir_verify(g_.get(), &error_), TIR_OK) << error_.message;
  // A removed input waits in the list too.
  ASSERT_EQ(tir_ir_compact(g_.get(), nullptr, &error_), TIR_OK);
  EXPECT_EQ(tir_ir_verify(g_.get(), &error_), TIR_OK) << error_.message;
}

TEST_F(Verify, RemovedInputsWaitInTheList) {
  const GraphPtr g = ParseGraph(
      context_, "graph @g(%a: f32[1], %b: f32[1], %c: f32[1]) { return %b }");
  tir_ir_remove(g.get(), {1});
  tir_ir_remove(g.get(), {3});
  EXPECT_EQ(tir_ir_verify(g.get(), &error_), TIR_OK) << error_.message;
}

TEST_F(Verify, AnyDamageIsSurvived) {
  // Every 32-bit field of every node and value, with numbers that hurt. The
  // verifier may accept what happens to be right; it must not read outside.
  const uint32_t numbers[] = {0, 1,  2,   3,          7,           8,
                              9, 15, 255, 0x7fffffff, 0x80000000u, UINT32_MAX};
  const auto damage = [&](void *data, size_t bytes) {
    for (size_t at = 0; at + 4 <= bytes; at += 4)
      for (uint32_t number : numbers) {
        uint32_t saved;
        memcpy(&saved, static_cast<char *>(data) + at, 4);
        memcpy(static_cast<char *>(data) + at, &number, 4);
        (void)tir_ir_verify(g_.get(), &error_);
        memcpy(static_cast<char *>(data) + at, &saved, 4);
      }
  };
  for (uint32_t id = 1; id <= tir_ir_n_nodes(g_.get()); id++)
    damage(Node(id), offsetof(tir_ir_node_data, site));
  for (uint32_t id = 1; id <= tir_ir_n_values(g_.get()); id++)
    damage(Value(id), sizeof(tir_ir_value_data));
  damage(g_->dims.data, g_->dims.count * sizeof(int64_t));
  damage(g_->attrs.data + TIR_N_ZERO_WORDS,
         (g_->attrs.count - TIR_N_ZERO_WORDS) * sizeof(uint64_t));
  damage(g_->operands.data, g_->operands.count * sizeof(uint32_t));
  damage(g_->outputs.data, g_->outputs.count * sizeof(tir_ir_output));
  damage(g_->inputs.data, g_->inputs.count * sizeof(tir_ir_value));
  EXPECT_EQ(tir_ir_verify(g_.get(), &error_), TIR_OK) << error_.message;
}

TEST(VerifyMemory, EveryAllocationMayFail) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    tir_ir_graph *g = nullptr;
    tir_error error;
    tir_status status =
        tir_ir_parse_graph(context, kText, sizeof kText - 1, &g, &error);
    if (status == TIR_OK) status = tir_ir_verify(g, &error);
    tir_ir_graph_destroy(g);
    return status;
  });
}

}  // namespace
