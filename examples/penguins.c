#include "penguins.h"

#include "csv.h"

void penguins_read(const char *path, penguins *train, penguins *test) {
  static double cells[MAX_PENGUINS][N_MEASURES + 1];
  const size_t n = csv_read(path, N_MEASURES + 1, MAX_PENGUINS, cells[0]);
  train->n = test->n = 0;
  for (size_t i = 0; i < n; i++) {
    penguins *to = i % 3 == 2 ? test : train;
    for (int k = 0; k < N_MEASURES; k++) to->x[to->n][k] = (float)cells[i][k];
    to->y[to->n++] = (int32_t)cells[i][N_MEASURES];
  }
}
