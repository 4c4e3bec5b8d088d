// What inference says about common mistakes, word for word: the op, what is
// wrong, the operands with their types, what is expected. At least two
// mistakes for every op.
#include "tests/ops/mistakes.h"

namespace {

TEST(OpMessages, AreAsWritten) {
  std::vector<int> n_mistakes(TIR_N_OPS);
  for (const auto &table :
       {MistakesOfStructure, MistakesOfCustom, MistakesOfUnary,
        MistakesOfBinary, MistakesOfReductions, MistakesOfLimits,
        MistakesOfNormalizing, MistakesOfMovement, MistakesOfWindows,
        MistakesOfIndexing, MistakesOfOptimisers})
    for (const Mistake &mistake : table()) {
      CallGraph graph;
      EXPECT_EQ(graph.Infer(mistake.call), mistake.message);
      n_mistakes[mistake.call.op]++;
    }
  // Those of ops with bodies are in tests/control/.
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    if (!tir_ir_has_bodies(desc)) {
      EXPECT_GE(n_mistakes[op], 2) << desc->name;
    }
  }
}

TEST(OpMessages, NameTheUsersValues) {
  CallGraph graph;
  EXPECT_EQ(
      graph.Infer(Call(TIR_OP_MATMUL, {F32({4, 3}), F32({2, 1})}), {"x", "w"}),
      "matmul: inner sizes differ: a \"x\" f32[4, 3] has k=3, b \"w\" "
      "f32[2, 1] has k=2");
  EXPECT_EQ(graph.Infer(Call(TIR_OP_CONCAT, {F32({2}), F64({2})}, Axis(0)),
                        {nullptr, "y"}),
            "concat: dtypes differ: x[0] f32[2], x[1] \"y\" f64[2]");
}

// Long names are cut, so that both operands are always seen whole.
TEST(OpMessages, ShowBothOperandsOfLongNames) {
  const CallType big = F32({INT64_C(1) << 50, 0, 1, 1, 1, 1, 1, 7});
  const std::string name(300, 'x');
  CallGraph graph;
  const std::string message = graph.Infer(Call(TIR_OP_ADD, {big, F32({2, 3})}),
                                          {name.c_str(), name.c_str()});
  EXPECT_NE(message.find("f32[1125899906842624, 0, 1, 1, 1, 1, 1, 7], b"),
            std::string::npos)
      << message;
  EXPECT_EQ(message.substr(message.size() - 10), " f32[2, 3]") << message;
}

}  // namespace
