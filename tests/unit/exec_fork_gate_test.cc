// Children of a process with threads go on: a hundred of them.
// Labels: blas
#include "tests/support/fork_checks.h"

TEST(ForkGate, AtRest) { CheckForksAtRest(30); }
TEST(ForkGate, OfAnotherThread) { CheckForksOfAnotherThread(20); }
TEST(ForkGate, BesideRuns) { CheckForksBesideRuns(40); }
TEST(ForkGate, InRuns) { CheckForksInRuns(15); }
