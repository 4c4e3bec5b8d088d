// Fashion-MNIST from Debian's dataset-fashion-mnist, and a progress bar.
#ifndef FASHION_DATA_H
#define FASHION_DATA_H

#include <stddef.h>
#include <stdint.h>

enum { FASHION_PIXELS = 28 * 28, FASHION_CLASSES = 10 };

typedef struct fashion_set {
  size_t n;
  float *images;    // n × 784, 0 to 1
  int32_t *labels;  // n, 0 to 9
} fashion_set;

// Reads "train" or "t10k" from `directory` (idx.gz). Returns 0, or −1 after
// printing what is wrong.
int fashion_load(const char *directory, const char *which, fashion_set *set);
void fashion_free(fashion_set *set);
// The package's directory, or $FASHION_MNIST.
const char *fashion_directory(void);

// Random order of 0 … n−1, the same for the same seed.
void fashion_shuffle(size_t *order, size_t n, uint64_t seed);
// Gathers rows order[first …] of the set.
void fashion_batch(const fashion_set *set, const size_t *order, size_t first,
                   size_t batch, float *images, int32_t *labels);

// One line on stderr, redrawn in place on a terminal, silent elsewhere. The
// accuracy is that of the epoch before, in percent; negative: not known.
void fashion_progress(int epoch, size_t done, size_t total, double loss,
                      double accuracy);

#endif
