// The promise: 99 of 100 runs stop within 20 ms, and two threads are never
// slower than one. Needs a machine that does nothing else.
// Labels: optimised
#include "tests/support/latency_checks.h"

TEST(LatencySoak, OfStopping) { CheckStopping(.99); }

TEST(LatencySoak, OfStoppingWithinLongSteps) {
  for (int64_t side : {900, 2000}) CheckLongSteps(.99, side);
}

TEST(NeighbourSoak, TwoThreadsAreNeverSlowerThanOne) { CheckNeighbours(1.1); }
