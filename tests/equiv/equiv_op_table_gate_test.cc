#include "tests/equiv/op_table_checks.h"

namespace {

TEST(EquivOpTable, SameBits) {
  const std::set<std::string> ops = CheckOpTableGraphs(10001, 3000);
  if (HasFailure()) return;
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    const uint32_t never = TIR_TRAIT_DECLARED | TIR_TRAIT_INTERNAL;
    if ((desc->traits & never) || tir_ir_has_bodies(desc) ||
        op == TIR_OP_ASSIGN)
      continue;
    EXPECT_TRUE(ops.count(desc->name)) << "never generated: " << desc->name;
  }
}

}  // namespace
