// The pool under many rounds: what the thread sanitizer is run on.
// Labels: threads blas
#include "tests/support/pool_checks.h"

TEST(ThreadsGate, EachLaneComesAtMostOnce) { CheckLanes(2000); }
TEST(ThreadsGate, PoolsComeAndGo) { CheckPools(1000); }
TEST(ThreadsGate, ManyShareOneProgram) { CheckManyShare(1, 8, 1000); }
TEST(ThreadsGate, TwoGraphsShareOnePool) { CheckManyShare(2, 4, 500); }
TEST(ThreadsGate, LoadAndFreeInParallel) { CheckLoadAndFree(4, 50); }
