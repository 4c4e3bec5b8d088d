// Values of compiled programs against the reference, for every row, dtype and
// pipeline.

#include "tests/ops/harness.h"

namespace tapeir_test {
namespace {

class OpValue : public OpTest {};

TEST_P(OpValue, IsThatOfTheReference) {
  ForEachCase(info(), [&](const OpCase &c, size_t, tir_dtype dtype) {
    CaseGraph graph(context(), c, dtype);
    ASSERT_TRUE(graph.good()) << graph.message();
    graph.OutputAll();
    const std::vector<Data> inputs = MakeInputs(c, dtype);
    const std::vector<Data> expected = RunReference(graph.ir(), inputs);
    for (const char *pipeline : {"none", "full"}) {
      SCOPED_TRACE(pipeline);
      RunOptions options;
      options.pipeline = pipeline;
      const auto actual = RunCompiled(graph.ir(), inputs, options);
      ExpectAccurate(info(), c, inputs, expected, actual);
    }
  });
}

// The loops of a level this machine does not choose, as far as it has it.
TEST_P(OpValue, IsThatOfTheReferenceAtEveryLevel) {
  for (int level : {TIR_CPU_BASELINE, TIR_CPU_AVX2, TIR_CPU_AVX512}) {
    if (level == context()->cpu_level) continue;  // tested above
    tir_context_options options = {};
    options.cpu_level = level;
    tir_context *raw = nullptr;
    if (tir_context_create(&options, &raw, nullptr) != TIR_OK) continue;
    const Owned<tir_context> other(raw);
    if (other->cpu_level != level) continue;
    SCOPED_TRACE(level);
    ForEachCase(info(), [&](const OpCase &c, size_t, tir_dtype dtype) {
      CaseGraph graph(other.get(), c, dtype);
      graph.OutputAll();
      const std::vector<Data> inputs = MakeInputs(c, dtype);
      RunOptions run;
      run.pipeline = "none";
      ExpectAccurate(info(), c, inputs, RunReference(graph.ir(), inputs),
                     RunCompiled(graph.ir(), inputs, run));
    });
  }
}

TAPEIR_FOR_ALL_OPS(OpValue);

// Gradients run other kernels than values do: compare those as well.
class OpCompiledGradient : public OpTest {};

TEST_P(OpCompiledGradient, IsThatOfTheReference) {
  if (!desc().vjp) return;
  ForEachCase(info(), [&](const OpCase &c, size_t, tir_dtype dtype) {
    if ((c.flags & kValueOnly) || !tir_ir_dtype_is_compute_float(dtype)) return;
    CaseGraph graph(context(), c, dtype);
    ASSERT_TRUE(graph.good()) << graph.message();
    if (!graph.AddGradient()) return;
    graph.AddSecondGradient();
    graph.OutputGradients();
    graph.OutputSecondGradients();
    ASSERT_EQ(graph.Expand(), TIR_OK);
    std::vector<Data> inputs = MakeInputs(c, dtype);
    AddRandomInputs(graph.ir(), &inputs);
    const auto expected = RunReference(graph.ir(), inputs);
    const auto actual = RunCompiled(graph.ir(), inputs, {});
    const bool is_f64 = dtype == TIR_DTYPE_F64;
    ExpectNear(expected, actual, is_f64 ? 1e-11 : 2e-4, is_f64 ? 1e-12 : 5e-5);
  });
}

TAPEIR_FOR_ALL_OPS(OpCompiledGradient);

}  // namespace
}  // namespace tapeir_test
