// First and second gradients against central differences of the reference in
// f64, with one Richardson step.

#include <algorithm>
#include <cmath>

#include "tests/ops/harness.h"

namespace tapeir_test {
namespace {

constexpr double kRelative = 1e-6;
constexpr double kAbsolute = 1e-8;

// Σ weights·outputs.
double WeightedSum(const tir_ir_graph *function,
                   const std::vector<Data> &inputs,
                   const std::vector<Data> &weights) {
  const std::vector<Data> out = RunReference(function, inputs);
  EXPECT_EQ(out.size(), weights.size());
  double sum = 0;
  for (size_t i = 0; i < out.size(); i++)
    for (int64_t e = 0; e < out[i].numel(); e++)
      sum += weights[i].F64(e) * out[i].F64(e);
  return sum;
}

// Difference quotient with respect to element e of input `at`.
double Slope(const tir_ir_graph *function, std::vector<Data> inputs,
             const std::vector<Data> &weights, size_t at, int64_t e) {
  const double x = inputs[at].F64(e);
  const double step = 2e-4 * std::max(1.0, std::fabs(x));
  const auto quotient = [&](double h) {
    inputs[at].Set(e, x + h);
    const double above = WeightedSum(function, inputs, weights);
    inputs[at].Set(e, x - h);
    const double below = WeightedSum(function, inputs, weights);
    return (above - below) / ((x + h) - (x - h));
  };
  return (4 * quotient(step / 2) - quotient(step)) / 3;
}

void ExpectSlopes(const tir_ir_graph *function, const std::vector<Data> &inputs,
                  const std::vector<Data> &weights, size_t at,
                  const Data &gradient) {
  ASSERT_TRUE(tir_ir_same_shape(&gradient.type, &inputs[at].type));
  for (int64_t e = 0; e < gradient.numel(); e++) {
    const double expected = Slope(function, inputs, weights, at, e);
    const double actual = gradient.F64(e);
    const double allowed = kAbsolute + kRelative * std::max(std::fabs(expected),
                                                            std::fabs(actual));
    // Written so that a NaN fails.
    if (std::fabs(expected - actual) <= allowed) continue;
    ADD_FAILURE() << "input " << at << ", element " << e
                  << ": central difference " << expected << ", gradient "
                  << actual;
    return;
  }
}

bool AllAreF64(const std::vector<Data> &data) {
  for (const Data &d : data)
    if (d.type.dtype != TIR_DTYPE_F64) return false;
  return true;
}

// The derivative through a narrower float is that of a staircase.
bool HeadsAreF64(CaseGraph *graph) {
  const std::vector<tir_ir_type> types = InputTypes(graph->ir());
  for (size_t i = graph->in().size(); i < types.size(); i++)
    if (types[i].dtype != TIR_DTYPE_F64) return false;
  return true;
}

class OpGradient : public OpTest {
 protected:
  // Calls `test` for each row that has a gradient in f64.
  template <typename Test>
  void ForEachGradient(Test test) {
    if (!desc().vjp) return;
    ForEachCase(info(), [&](const OpCase &c, size_t, tir_dtype dtype) {
      if ((c.flags & kValueOnly) || dtype != TIR_DTYPE_F64) return;
      CaseGraph graph(context(), c, dtype);
      ASSERT_TRUE(graph.good()) << graph.message();
      if (!graph.AddGradient() || !HeadsAreF64(&graph)) return;
      n_checked_++;
      test(c, &graph);
    });
  }
  size_t n_checked() const { return n_checked_; }

 private:
  size_t n_checked_ = 0;
};

TEST_P(OpGradient, IsTheSlope) {
  ForEachGradient([&](const OpCase &c, CaseGraph *graph) {
    graph->OutputGradients();
    ASSERT_EQ(graph->Expand(), TIR_OK);
    std::vector<Data> inputs = MakeInputs(c, TIR_DTYPE_F64);
    AddRandomInputs(graph->ir(), &inputs);
    const std::vector<Data> gradients = RunReference(graph->ir(), inputs);
    ASSERT_EQ(gradients.size(), graph->variables().size());
    ASSERT_TRUE(AllAreF64(gradients));
    if (info().zero_gradient) {
      for (const Data &g : gradients)
        for (int64_t e = 0; e < g.numel(); e++) EXPECT_EQ(g.F64(e), 0);
      return;
    }
    CaseGraph function(context(), c, TIR_DTYPE_F64);
    function.AddGradient();
    function.OutputHeads();
    ASSERT_EQ(function.Expand(), TIR_OK);
    const std::vector<Data> weights(inputs.begin() + c.in.size(), inputs.end());
    for (size_t i = 0; i < gradients.size(); i++)
      ExpectSlopes(function.ir(), inputs, weights, graph->variables()[i],
                   gradients[i]);
  });
  // An op whose float result depends on a float operand was checked.
  if (desc().vjp && info().dtypes & Bit(TIR_DTYPE_F64)) {
    CaseGraph graph(context(), info().cases[1], TIR_DTYPE_F64);
    if (graph.AddGradient()) {
      EXPECT_GE(n_checked(), 3u);
    }
  }
}

TEST_P(OpGradient, OfTheGradientIsItsSlope) {
  if (info().zero_gradient) return;
  ForEachGradient([&](const OpCase &c, CaseGraph *graph) {
    ASSERT_TRUE(graph->AddSecondGradient());
    graph->OutputSecondGradients();
    ASSERT_EQ(graph->Expand(), TIR_OK);
    std::vector<Data> inputs = MakeInputs(c, TIR_DTYPE_F64);
    AddRandomInputs(graph->ir(), &inputs);
    const std::vector<Data> second = RunReference(graph->ir(), inputs);

    // The first gradient as a function of operands and heads.
    CaseGraph function(context(), c, TIR_DTYPE_F64);
    function.AddGradient();
    function.AddSecondGradient();
    function.OutputGradients();
    ASSERT_EQ(function.Expand(), TIR_OK);
    const size_t n_first = c.in.size() + graph->n_heads();
    const std::vector<Data> weights(inputs.begin() + n_first, inputs.end());
    ASSERT_EQ(second.size(), graph->variables().size() + graph->n_heads());
    for (size_t i = 0; i < second.size(); i++) {
      const size_t n_variables = graph->variables().size();
      const size_t at = i < n_variables ? graph->variables()[i]
                                        : c.in.size() + i - n_variables;
      ExpectSlopes(function.ir(), inputs, weights, at, second[i]);
    }
  });
}

TAPEIR_FOR_ALL_OPS(OpGradient);

}  // namespace
}  // namespace tapeir_test
