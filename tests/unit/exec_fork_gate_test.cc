// Children of a process with threads go on: a hundred of them.
// Labels: blas
#include "tests/support/fork_checks.h"

class ForkGate : public testing::TestWithParam<bool> {};

TEST_P(ForkGate, AtRest) { CheckForksAtRest(20, GetParam()); }
TEST_P(ForkGate, OfAnotherThread) { CheckForksOfAnotherThread(10, GetParam()); }
TEST_P(ForkGate, BesideRuns) { CheckForksBesideRuns(20, GetParam()); }
TEST_P(ForkGate, InRuns) { CheckForksInRuns(10, GetParam()); }

INSTANTIATE_TEST_SUITE_P(WithBlas, ForkGate, testing::Bool());
