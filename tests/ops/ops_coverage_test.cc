// The table of cases is complete: every op has rows, every dtype an op takes
// is run, no dtype is run that it refuses.

#include <set>

#include "tests/ops/harness.h"

namespace tapeir_test {
namespace {

constexpr size_t kMinRows = 5;

TEST(OpCoverage, EveryOpHasCases) {
  std::set<int> seen;
  for (const OpInfo &info : AllOps()) {
    EXPECT_TRUE(seen.insert(info.op).second)
        << tir_ir_op_desc(info.op)->name << " is listed twice";
    EXPECT_GE(info.cases.size(), kMinRows)
        << tir_ir_op_desc(info.op)->name << " has too few rows";
    for (const OpCase &c : info.cases) EXPECT_EQ(c.op, info.op);
  }
  for (int op = 1; op < TIR_N_OPS; op++)
    EXPECT_NE(seen.count(op), IsStructure(static_cast<tir_op>(op)))
        << tir_ir_op_desc(static_cast<tir_op>(op))->name
        << ": add rows to tests/ops/cases*.cc";
}

TEST(OpCoverage, EveryOpHasGradientOrReason) {
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    EXPECT_NE(desc->vjp != nullptr, desc->no_gradient != nullptr) << desc->name;
  }
}

bool HasShape(const OpCase &c, bool (*is)(const std::vector<int64_t> &)) {
  for (const Operand &operand : c.in)
    if (is(operand.dims)) return true;
  return false;
}

// Scalars and empty operands are where loops go wrong. matmul has no rank 0.
TEST(OpCoverage, RowsHaveScalarsAndEmptyOperands) {
  for (const OpInfo &info : AllOps()) {
    bool scalar = info.cases[0].in.empty(), empty = scalar;
    for (const OpCase &c : info.cases) {
      scalar |= HasShape(
          c, [](const std::vector<int64_t> &dims) { return dims.empty(); });
      empty |= HasShape(c, [](const std::vector<int64_t> &dims) {
        for (int64_t d : dims)
          if (d == 0) return true;
        return false;
      });
    }
    const char *name = tir_ir_op_desc(info.op)->name;
    // These need an axis.
    const bool needs_axis =
        info.op == TIR_OP_MATMUL || info.op == TIR_OP_ARGMAX ||
        info.op == TIR_OP_ARGMIN || info.op == TIR_OP_LOGSUMEXP ||
        info.op == TIR_OP_SOFTMAX || info.op == TIR_OP_LOG_SOFTMAX ||
        info.op == TIR_OP_CONCAT || info.op == TIR_OP_CONCAT_PART ||
        info.op == TIR_OP_UNSLICE || info.op == TIR_OP_CUMSUM ||
        info.op == TIR_OP_TRIL || info.op == TIR_OP_TRIU;
    EXPECT_TRUE(scalar || needs_axis) << name << " has no scalar row";
    // The shape of random values is an attribute.
    const bool from_attribute =
        info.op == TIR_OP_RANDOM_UNIFORM || info.op == TIR_OP_RANDOM_NORMAL;
    EXPECT_TRUE(empty || from_attribute) << name << " has no empty row";
  }
}

class OpDtypes : public OpTest {};

TEST_P(OpDtypes, AreThoseThatInferAccepts) {
  for (int d = TIR_DTYPE_F32; d <= TIR_DTYPE_BOOL; d++) {
    const tir_dtype dtype = static_cast<tir_dtype>(d);
    const OpCase &c = info().cases[0];
    CaseGraph graph(context(), c, dtype);
    EXPECT_EQ(graph.good(), (info().dtypes & Bit(dtype)) != 0)
        << c.Label(0, dtype) << ": " << graph.message();
    if (!graph.good()) {
      EXPECT_EQ(graph.message().find(desc().name), 0u) << graph.message();
    }
  }
}

TAPEIR_FOR_ALL_OPS(OpDtypes);

}  // namespace
}  // namespace tapeir_test
