#include "cholesky.h"

#include <math.h>

bool cholesky_solve(int n, const double *a, const double *b, double *x) {
  double l[CHOLESKY_MAX][CHOLESKY_MAX];
  for (int i = 0; i < n; i++) {
    for (int k = 0; k <= i; k++) {
      double sum = a[i * n + k];
      for (int j = 0; j < k; j++) sum -= l[i][j] * l[k][j];
      if (i == k && !(sum > 0)) return false;
      l[i][k] = i == k ? sqrt(sum) : sum / l[k][k];
    }
  }
  for (int i = 0; i < n; i++) {
    x[i] = b[i];
    for (int k = 0; k < i; k++) x[i] -= l[i][k] * x[k];
    x[i] /= l[i][i];
  }
  for (int i = n; i-- > 0; x[i] /= l[i][i])
    for (int k = i + 1; k < n; k++) x[i] -= l[k][i] * x[k];
  return true;
}
