// Where cores come and go, as in a virtual machine, a gate can hold the p90 of
// stopping, and that two threads do not lose half beside neighbours.
// exec_latency_soak_test.cc holds what is promised on a machine of its own.
// Labels: optimised
#include "tests/support/latency_checks.h"

TEST(LatencyGate, OfStopping) { CheckStopping(.9); }

TEST(LatencyGate, OfStoppingWithinLongSteps) { CheckLongSteps(.9, 900); }

TEST(NeighbourGate, TwoThreadsDoNotLoseToOne) { CheckNeighbours(1.5); }
