// Physical parameters fitted through an ODE solver written as a C loop.
//
// One box of climate: the sea's upper 90 m, of heat capacity C, take up what
// CO2 holds back and lose λ for every kelvin that they are warmer,
//
//   C·da/dt = 5.35·ln(co2/278) − λ·(a − b)            (W/m², a in K)
//
// with the anomaly a measured from an unknown zero b. Runge-Kutta steps over
// sixty years of measurements are recorded anew for every trial, all under one
// plan; the Jacobian comes from one tir_grad. (λ stands for all else that grew
// with the CO2: a lesson in fitting, no forecast.)
//
// usage: ode_fit [TABLE.csv [MOST STEPS]]
#include <math.h>
#include <string.h>

#include "cholesky.h"
#include "csv.h"
#include "must.h"
#include "tapeir/sites.h"

enum { N = 3, MAX_YEARS = 100 };
static const char *const names[N] = {"lambda, W/m2/K", "b, K", "a(0), K"};
static const double capacity = 8;  // W yr/m²/K

typedef struct series {
  size_t n;
  double forcing[MAX_YEARS], anomaly[MAX_YEARS];
} series;

static tir_value slope(tir_tape *t, const tir_value *p, tir_value a,
                       double forcing) {
  tir_value loss = tir_mul(t, p[0], tir_sub(t, a, p[1]));
  return tir_div_scalar(t, tir_rsub_scalar(t, loss, forcing), capacity);
}

// One year: the classical four slopes, the forcing between being the mean.
static tir_value year(tir_tape *t, const tir_value *p, tir_value a, double from,
                      double to) {
  const double mid = (from + to) / 2;
  tir_value k1 = slope(t, p, a, from);
  tir_value k2 = slope(t, p, tir_add(t, a, tir_mul_scalar(t, k1, 0.5)), mid);
  tir_value k3 = slope(t, p, tir_add(t, a, tir_mul_scalar(t, k2, 0.5)), mid);
  tir_value k4 = slope(t, p, tir_add(t, a, k3), to);
  tir_value sum = tir_mul_scalar(t, tir_add(t, k2, k3), 2);
  sum = tir_add(t, sum, tir_add(t, k1, k4));
  return tir_add(t, a, tir_mul_scalar(t, sum, 1.0 / 6));
}

// Residuals of all years, as tir_gradcheck wants a function. Every parameter
// is a vector, a copy for each year, and year i is looked at in copy i alone:
// so the gradients of their sum are the columns of the Jacobian.
static tir_value residuals(void *user, tir_tape *t, const tir_value *p,
                           size_t n) {
  const series *s = user;
  const int64_t dims[] = {(int64_t)s->n};
  tir_value a = p[n - 1], sum = tir_zeros(t, TIR_DTYPE_F64, dims, 1);
  for (size_t i = 0; i < s->n; i++) {
    double copy[MAX_YEARS] = {0};
    copy[i] = 1;
    tir_value r = tir_sub_scalar(t, a, s->anomaly[i]);
    r = tir_mul(t, r, tir_value_from_data(t, TIR_DTYPE_F64, dims, 1, copy));
    sum = tir_add(t, sum, r);
    if (i + 1 < s->n) a = year(t, p, a, s->forcing[i], s->forcing[i + 1]);
  }
  return sum;
}

// Half the squares at x; their gradient and JᵀJ.
static double evaluate(tir_tape *t, series *s, const double *x, double *g,
                       double jj[N][N]) {
  double r[MAX_YEARS], j[N][MAX_YEARS], half = 0;
  const int64_t dims[] = {(int64_t)s->n};
  tir_value p[N], gradients[N];
  tir_scope_begin(t);
  for (int i = 0; i < N; i++) {
    p[i] = tir_broadcast_to(t, tir_scalar(t, TIR_DTYPE_F64, x[i]), dims, 1);
    tir_attach_grad(t, p[i], TIR_GRAD_WRITE);
  }
  tir_record_begin(t, false);
  const tir_value all = residuals(s, t, p, N);
  tir_mode_end(t);
  tir_grad(t, &all, 1, NULL, 0, p, N, NULL, gradients);
  must(tir_read_into(t, all, r, s->n * sizeof *r, &error));
  for (int i = 0; i < N; i++)
    must(tir_read_into(t, gradients[i], j[i], s->n * sizeof *r, &error));
  tir_scope_end(t);
  memset(g, 0, N * sizeof *g);
  memset(jj, 0, N * sizeof *jj);
  for (size_t y = 0; y < s->n; y++) {
    half += r[y] * r[y] / 2;
    for (int i = 0; i < N; i++) {
      g[i] += j[i][y] * r[y];
      for (int k = 0; k < N; k++) jj[i][k] += j[i][y] * j[k][y];
    }
  }
  return half;
}

// The gradient of the first ten years against differences.
static void check_gradient(tir_context *c, series s, const double *x) {
  tir_tensor *inputs[N];
  s.n = s.n < 10 ? s.n : 10;
  const int64_t dims[] = {(int64_t)s.n};
  for (int i = 0; i < N; i++) {
    must(tir_tensor_create(c, TIR_DTYPE_F64, dims, 1, &inputs[i], &error));
    must(tir_init_constant(inputs[i], x[i], &error));
  }
  must(tir_gradcheck(c, residuals, &s, inputs, N, NULL, &error));
  for (int i = 0; i < N; i++) tir_tensor_release(inputs[i]);
}

int main(int argc, char **argv) {
  static double cells[MAX_YEARS][3];
  const int n_most = argc > 2 ? atoi(argv[2]) : 20;
  series s = {.n = csv_read(argc > 1 ? argv[1] : "examples/data/climate.csv", 3,
                            MAX_YEARS, cells[0])};
  for (size_t i = 0; i < s.n; i++) {
    s.forcing[i] = 5.35 * log(cells[i][1] / 278);
    s.anomaly[i] = cells[i][2];
  }
  tir_context *c;
  tir_tape *t;
  must(tir_context_create(NULL, &c, &error));
  must(tir_tape_create(c, NULL, &t, &error));
  double x[N] = {2, 0, 0}, g[N], jj[N][N], rms = INFINITY, last;
  check_gradient(c, s, x);
  for (int step = 0; step <= n_most; step++) {  // Gauss and Newton's
    last = rms;
    rms = sqrt(2 * evaluate(t, &s, x, g, jj) / (double)s.n);
    printf("step %d: rms residual %.6f K\n", step, rms);
    if (fabs(last - rms) < 1e-9 || !cholesky_solve(N, jj[0], g, g)) break;
    for (int i = 0; i < N; i++) x[i] -= g[i];
  }
  for (int i = 0; i < N; i++) {
    double unit[N] = {0};
    unit[i] = 1;
    cholesky_solve(N, jj[0], unit, unit);
    printf("%-15s %7.3f +- %.3f\n", names[i], x[i],
           rms * sqrt(unit[i] * (double)s.n / (double)(s.n - N)));
  }
  tir_tape_statistics stats;
  tir_tape_stats(t, &stats);
  printf("%llu runs, %llu plans\n", (unsigned long long)stats.n_runs,
         (unsigned long long)stats.n_plan_misses);
  printf("twice the CO2: %.1f K warmer in the end\n", 5.35 * log(2) / x[0]);
  tir_tape_destroy(t);
  tir_context_destroy(c);
  return !(rms < 0.09);
}
