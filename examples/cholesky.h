// Small symmetric systems; a program of yours has LAPACK.
#ifndef CHOLESKY_H
#define CHOLESKY_H

#include <stdbool.h>

enum { CHOLESKY_MAX = 8 };

// Solves a·x = b for a row-major n × n matrix, n up to CHOLESKY_MAX. False if
// it is not positive definite; x may be b.
bool cholesky_solve(int n, const double *a, const double *b, double *x);

#endif
