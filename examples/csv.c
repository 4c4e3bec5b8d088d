#include "csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t csv_read(const char *path, size_t n_columns, size_t max_rows,
                double *out) {
  char line[512];
  FILE *file = fopen(path, "r");
  if (!file || !fgets(line, sizeof line, file)) {
    fprintf(stderr, "cannot read %s\n", path);
    exit(1);
  }
  size_t n = 0;
  for (; n < max_rows && fgets(line, sizeof line, file); n++) {
    char *at = line;
    for (size_t i = 0; i < n_columns; i++) {
      char *end;
      *out++ = strtod(at, &end);
      if (end == at || !strchr(i + 1 < n_columns ? "," : "\r\n", *end)) {
        fprintf(stderr, "%s:%zu: %zu numbers wanted\n", path, n + 2, n_columns);
        exit(1);
      }
      at = end + 1;
    }
  }
  fclose(file);
  return n;
}
