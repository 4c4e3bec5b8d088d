// Threads change no bit: fifty graphs and a training, some runs of each.
// Labels: blas
#include "tests/support/same_bits.h"

TEST(SameBitsGate, OnRandomGraphs) {
  SameBitsOptions options;
  options.n_threads = {2, 3, 4, 5, 7, 8, 16};
  options.n_runs = 16;  // as many as there are places for the inputs
  CheckSameBits(options);
}

TEST(SameBitsGate, InTraining) {
  SameBitsOptions options;
  options.n_threads = {2, 3, 8};
  options.n_runs = 1;
  CheckSameTraining(options, 20);
}
