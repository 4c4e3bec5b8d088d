// The Palmer penguins: four measurements each, and which species it is.
#ifndef PENGUINS_H
#define PENGUINS_H

#include <stdint.h>

enum { N_MEASURES = 4, N_SPECIES = 3, MAX_PENGUINS = 400 };

typedef struct penguins {
  int64_t n;
  float x[MAX_PENGUINS][N_MEASURES];  // mm, mm, mm, g
  int32_t y[MAX_PENGUINS];            // 0 Adelie, 1 Chinstrap, 2 Gentoo
} penguins;

// Reads a table; every third row is kept for the test. Stops after printing
// what is wrong.
void penguins_read(const char *path, penguins *train, penguins *test);

#endif
