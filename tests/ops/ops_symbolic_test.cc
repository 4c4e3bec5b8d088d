// Graphs with a symbolic batch: inferred again at another size, value and
// gradients are the graph that would have been captured there.

#include "tests/ops/harness.h"

namespace tapeir_test {
namespace {

bool HasBatch(const OpCase &c) {
  for (const Operand &operand : c.in)
    for (int64_t d : operand.dims)
      if (d == B) return true;
  return false;
}

// Halves cannot be summed to the scalar head, so casts to them have no second
// gradient here.
bool IsHalf(CaseGraph *graph) {
  tir_ir_type type;
  tir_ir_type_of(graph->ir(), {graph->Id(graph->out()[0])}, &type);
  return type.dtype == TIR_DTYPE_F16 || type.dtype == TIR_DTYPE_BF16;
}

void Build(CaseGraph *graph, bool gradients) {
  graph->OutputAll();
  graph->UseScalarHeads();
  if (gradients && graph->AddGradient()) {
    graph->OutputGradients();
    if (!IsHalf(graph)) {
      graph->AddSecondGradient();
      graph->OutputSecondGradients();
    }
  }
  ASSERT_EQ(graph->Expand(), TIR_OK);
}

// Why no row of an op has a symbolic batch; nullptr where one must.
const char *NoBatch(tir_op op) {
  return op == TIR_OP_ARANGE ? "its size is an attribute, no operand" : nullptr;
}

class OpSymbolic : public OpTest {};

TEST_P(OpSymbolic, FollowsTheBatch) {
  int n_rows = 0, n_with_gradient = 0;
  ForEachCase(info(), [&](const OpCase &c, size_t, tir_dtype dtype) {
    if (!HasBatch(c)) return;
    const bool gradients = desc().vjp && tir_ir_dtype_is_compute_float(dtype);
    n_rows++;
    n_with_gradient += gradients;
    for (int64_t batch : {7, 1}) {
      SCOPED_TRACE(batch);
      CaseGraph there(context(), c, dtype, batch);
      ASSERT_TRUE(there.good()) << there.message();
      Build(&there, gradients);
      CaseGraph here(context(), c, dtype, kBatch);
      Build(&here, gradients);
      tir_error error = {};
      ASSERT_EQ(tir_ir_set_symbol(here.ir(), "batch", batch, &error), TIR_OK)
          << error.message;
      ASSERT_EQ(tir_ir_infer_graph(here.ir(), &error), TIR_OK)
          << error.message << "\n"
          << Text(here.ir());
      EXPECT_EQ(Text(here.ir()), Text(there.ir()));
    }
  });
  EXPECT_EQ(n_rows > 0, !NoBatch(info().op)) << "add rows with B";
  EXPECT_EQ(n_with_gradient > 0, desc().vjp && n_rows > 0)
      << "add float rows with B";
}

TAPEIR_FOR_ALL_OPS(OpSymbolic);

}  // namespace
}  // namespace tapeir_test
