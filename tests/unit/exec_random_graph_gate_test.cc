// Random graphs, many more of them.
#include "tests/support/random_graph_checks.h"

namespace {

TEST(ExecRandomGraphGate, EveryWayAgrees) {
  RandomGraphOptions options;
  options.assigns = true;
  CheckRandomGraphs(1000001, 10000, options);
  options.n_ops = 60;
  CheckRandomGraphs(2000001, 2000, options);
}

TEST(ExecRandomGraphGate, EveryWayAgreesOnGradients) {
  RandomGraphOptions options;
  options.n_ops = 12;
  CheckRandomGradients(3000001, 5000, options);
}

}  // namespace
