// What every random graph must satisfy; for the fast and the gate test.
#ifndef TAPEIR_TESTS_SUPPORT_RANDOM_GRAPH_CHECKS_H
#define TAPEIR_TESTS_SUPPORT_RANDOM_GRAPH_CHECKS_H

#include "tests/support/graph_runs.h"
#include "tests/support/random_graph.h"

// Runs one graph every way: class E pipelines, reuse of memory and what the
// arena held before, and lanes, change no bit; R pipelines and the reference
// stay near.
inline void CheckEveryWay(tir_context *context, const tir_graph *graph,
                          tir_dtype dtype, uint64_t seed) {
  const GraphRuns runs(context, graph, seed);
  const RunResult plain = runs.Compiled("none", true, 0x00);
  EXPECT_EQ(DifferentBits(plain, runs.Compiled("none", false, 0xff)), "")
      << "reuse, seed " << seed;
  EXPECT_EQ(DifferentBits(plain, runs.Compiled("basic", true, 0xa5)), "")
      << "basic, seed " << seed;
  EXPECT_EQ(DifferentBits(plain, runs.Compiled("basic", false, 0x7f)), "")
      << "basic with reuse, seed " << seed;
  EXPECT_EQ(DifferentBits(plain, runs.Compiled("none", false, 0x3c, 1e-6)), "")
      << "cut, seed " << seed;
  const double tolerance = dtype == TIR_DTYPE_F32 ? 1e-3 : 1e-10;
  EXPECT_EQ(FarApart(plain, runs.Compiled("full", false, 0xff), tolerance), "")
      << "full, seed " << seed;
  EXPECT_EQ(FarApart(plain, runs.Reference(), tolerance), "")
      << "reference, seed " << seed;
}

inline void CheckRandomGraphs(uint64_t first_seed, int n,
                              const RandomGraphOptions &options) {
  const auto context = MakeContext(3);
  for (uint64_t seed = first_seed; seed < first_seed + uint64_t(n); seed++) {
    RandomGraph random(context.get(), seed, options);
    const Owned<tir_graph> graph(random.Publish());
    ASSERT_NE(graph, nullptr) << "seed " << seed;
    CheckEveryWay(context.get(), graph.get(), random.dtype(), seed);
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
}

// The same for the graphs of their gradients. Kinks and roots near zero make
// gradients huge, so the comparison with the reference needs no luck: only
// smoothness is asked for, through small graphs.
inline void CheckRandomGradients(uint64_t first_seed, int n,
                                 const RandomGraphOptions &options) {
  const auto context = MakeContext(3);
  int n_checked = 0;
  for (uint64_t seed = first_seed; seed < first_seed + uint64_t(n); seed++) {
    RandomGraph random(context.get(), seed, options);
    const Owned<tir_graph> graph(random.Publish());
    ASSERT_NE(graph, nullptr) << "seed " << seed;
    tir_graph *made = nullptr;
    tir_error error = {};
    const tir_status status = tir_graph_differentiate(
        graph.get(), nullptr, 0, seed % 2 == 0, &made, &error);
    // No output may depend on a variable; nothing else may go wrong.
    if (status == TIR_ERR_ARGUMENT) continue;
    ASSERT_EQ(status, TIR_OK) << error.message << ", seed " << seed;
    const Owned<tir_graph> gradient(made);
    CheckEveryWay(context.get(), gradient.get(), random.dtype(), seed);
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
    n_checked++;
  }
  EXPECT_GT(n_checked, n / 2);
}

#endif
