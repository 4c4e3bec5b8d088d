// Children of a process with threads go on: thousands of them. Not under the
// address sanitizer: fork shuts the threads of OpenBLAS down, the next run
// starts them again, and a child forked in the middle of that inherits the
// sanitizer's own locks, held by a thread that it does not have.
// Labels: optimised blas
#include "tests/support/fork_checks.h"

class ForkSoak : public testing::TestWithParam<bool> {};

TEST_P(ForkSoak, AtRest) { CheckForksAtRest(1000, GetParam()); }
TEST_P(ForkSoak, OfAnotherThread) {
  CheckForksOfAnotherThread(1000, GetParam());
}
TEST_P(ForkSoak, BesideRuns) { CheckForksBesideRuns(1000, GetParam()); }
TEST_P(ForkSoak, InRuns) { CheckForksInRuns(500, GetParam()); }

INSTANTIATE_TEST_SUITE_P(WithBlas, ForkSoak, testing::Bool());
