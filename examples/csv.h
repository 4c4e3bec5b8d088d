// Numbers of a .csv file.
#ifndef CSV_H
#define CSV_H

#include <stddef.h>

// Reads at most `max_rows` rows of `n_columns` numbers each; the first line is
// a heading. Returns how many there are, or stops after printing what is wrong.
size_t csv_read(const char *path, size_t n_columns, size_t max_rows,
                double *out);

#endif
