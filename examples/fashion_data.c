// Reading gzipped idx files with zlib; shuffling; the progress bar.
#include "fashion_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

const char *fashion_directory(void) {
  const char *given = getenv("FASHION_MNIST");
  return given ? given : "/usr/share/datasets/fashion-mnist";
}

static uint32_t big_endian(const unsigned char *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
         b[3];
}

// The bytes of an idx file of `rank` axes; *n is its first dim.
static unsigned char *read_idx(const char *directory, const char *name,
                               int rank, size_t item_bytes, size_t *n) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  gzFile file = gzopen(path, "rb");
  unsigned char header[16];
  const unsigned header_bytes = 4 + 4 * (unsigned)rank;
  unsigned char *bytes = NULL;
  if (file && gzread(file, header, header_bytes) == (int)header_bytes &&
      header[2] == 8 && header[3] == rank) {
    *n = big_endian(header + 4);
    const size_t total = *n * item_bytes;
    bytes = *n <= 1000000 ? malloc(total) : NULL;
    if (bytes && gzread(file, bytes, (unsigned)total) != (int)total) {
      free(bytes);
      bytes = NULL;
    }
  }
  if (file) gzclose(file);
  if (!bytes)
    fprintf(stderr,
            "cannot read %s (install dataset-fashion-mnist, or name its "
            "directory in FASHION_MNIST)\n",
            path);
  return bytes;
}

int fashion_load(const char *directory, const char *which, fashion_set *set) {
  char name[64];
  size_t n_labels = 0;
  memset(set, 0, sizeof *set);
  snprintf(name, sizeof name, "%s-images-idx3-ubyte.gz", which);
  unsigned char *pixels = read_idx(directory, name, 3, FASHION_PIXELS, &set->n);
  snprintf(name, sizeof name, "%s-labels-idx1-ubyte.gz", which);
  unsigned char *labels = read_idx(directory, name, 1, 1, &n_labels);
  int result = -1;
  if (pixels && labels && n_labels == set->n) {
    set->images = malloc(set->n * FASHION_PIXELS * sizeof *set->images);
    set->labels = malloc(set->n * sizeof *set->labels);
    if (set->images && set->labels) {
      for (size_t i = 0; i < set->n * FASHION_PIXELS; i++)
        set->images[i] = (float)pixels[i] / 255.0f;
      for (size_t i = 0; i < set->n; i++) set->labels[i] = labels[i];
      result = 0;
    }
  }
  free(pixels);
  free(labels);
  if (result) fashion_free(set);
  return result;
}

void fashion_free(fashion_set *set) {
  free(set->images);
  free(set->labels);
  memset(set, 0, sizeof *set);
}

void fashion_shuffle(size_t *order, size_t n, uint64_t seed) {
  for (size_t i = 0; i < n; i++) order[i] = i;
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (size_t i = n; i > 1; i--) {
    // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    const size_t k = (size_t)((state * 0x2545F4914F6CDD1Du) >> 33) % i;
    const size_t hold = order[i - 1];
    order[i - 1] = order[k];
    order[k] = hold;
  }
}

void fashion_batch(const fashion_set *set, const size_t *order, size_t first,
                   size_t batch, float *images, int32_t *labels) {
  for (size_t i = 0; i < batch; i++) {
    const size_t row = order ? order[first + i] : first + i;
    memcpy(images + i * FASHION_PIXELS, set->images + row * FASHION_PIXELS,
           FASHION_PIXELS * sizeof *images);
    labels[i] = set->labels[row];
  }
}

void fashion_progress(int epoch, size_t done, size_t total, double loss,
                      double accuracy) {
  if (!isatty(2)) return;
  enum { WIDTH = 30 };
  char bar[WIDTH + 1];
  const size_t full = done * WIDTH / total;
  for (size_t i = 0; i < WIDTH; i++) bar[i] = i < full ? '#' : '.';
  bar[WIDTH] = '\0';
  fprintf(stderr, "\repoch %d [%s] %zu/%zu loss %.4f", epoch, bar, done, total,
          loss);
  if (accuracy >= 0) fprintf(stderr, " accuracy %.2f %%", accuracy);
  if (done == total) fputc('\n', stderr);
}
