// Random graphs: every way to run one agrees.
#include "tests/support/random_graph_checks.h"

namespace {

TEST(ExecRandomGraph, EveryWayAgrees) {
  RandomGraphOptions options;
  CheckRandomGraphs(1, 300, options);
}

TEST(ExecRandomGraph, EveryWayAgreesOnState) {
  RandomGraphOptions options;
  options.assigns = true;
  CheckRandomGraphs(100001, 300, options);
}

TEST(ExecRandomGraph, EveryWayAgreesOnGradients) {
  RandomGraphOptions options;
  options.n_ops = 10;
  CheckRandomGradients(200001, 200, options);
}

}  // namespace
