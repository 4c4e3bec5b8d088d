// Threads change no bit: fifty graphs and a training, a hundred runs of each
// with each number of threads.
// Labels: optimised blas
#include "tests/support/same_bits.h"

TEST(SameBitsSoak, OnRandomGraphs) {
  SameBitsOptions options;
  options.n_threads = {1, 2, 3, 4, 5, 6, 7, 8, 16};
  CheckSameBits(options);
}

TEST(SameBitsSoak, InTraining) {
  SameBitsOptions options;
  options.n_threads = {1, 2, 3, 4, 5, 6, 7, 8, 16};
  CheckSameTraining(options, 20);
}
