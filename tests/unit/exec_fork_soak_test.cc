// Children of a process with threads go on: thousands of them.
// Labels: blas
#include "tests/support/fork_checks.h"

TEST(ForkSoak, AtRest) { CheckForksAtRest(1000); }
TEST(ForkSoak, OfAnotherThread) { CheckForksOfAnotherThread(1000); }
TEST(ForkSoak, BesideRuns) { CheckForksBesideRuns(1000); }
TEST(ForkSoak, InRuns) { CheckForksInRuns(500); }
