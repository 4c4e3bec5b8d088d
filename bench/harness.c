// Sampling, statistics, JSON lines.
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MIN_SAMPLES = 20, MAX_SAMPLES = 4000 };

double bench_now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool bench_wants(const bench *b, const char *workload) {
  if (!b->only) return true;
  for (const char *at = b->only; *at;) {
    const size_t n = strcspn(at, ",");
    if (n && strncmp(at, workload, n) == 0 &&
        (workload[n] == '\0' || workload[n] == '_' ||
         (workload[n] >= 'a' && workload[n] <= 'z')))
      return true;
    at += n + (at[n] == ',');
  }
  return false;
}

void bench_emit(const bench *b, const char *workload, const char *unit,
                double median, double minimum) {
  fprintf(b->out,
          "{\"peer\": \"tapeir\", \"version\": \"%s\", \"workload\": \"%s\", "
          "\"threads\": %d, \"median\": %.4g, \"min\": %.4g, "
          "\"unit\": \"%s\"}\n",
          tir_version(), workload, b->n_threads, median, minimum, unit);
  fflush(b->out);
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void bench_time(const bench *b, const char *workload, const char *unit,
                double per, void (*call)(void *user), void *user) {
  static double samples[MAX_SAMPLES];
  for (int i = 0; i < 3; i++) call(user);
  // As many calls a sample as last 2 ms, guessed twice: the first is slow.
  int inner = 1;
  for (int guess = 0; guess < 2; guess++) {
    const double start = bench_now_s();
    for (int i = 0; i < inner; i++) call(user);
    const double one = (bench_now_s() - start) / inner;
    inner = one > 0.002 ? 1 : (int)(0.002 / (one > 1e-9 ? one : 1e-9)) + 1;
  }
  const double begin = bench_now_s();
  int n = 0;
  while (n < MAX_SAMPLES && (n < MIN_SAMPLES || bench_now_s() - begin < 0.5)) {
    const double start = bench_now_s();
    for (int i = 0; i < inner; i++) call(user);
    samples[n++] = (bench_now_s() - start) / inner;
  }
  qsort(samples, (size_t)n, sizeof *samples, by_value);
  const double scale = (strcmp(unit, "us") == 0   ? 1e6
                        : strcmp(unit, "ms") == 0 ? 1e3
                                                  : 1e9) /
                       per;
  bench_emit(b, workload, unit, samples[n / 2] * scale, samples[0] * scale);
}

void bench_check(tir_status status, const tir_error *error, const char *where) {
  if (status == TIR_OK) return;
  fprintf(stderr, "%s: %s\n", where, error->message);
  exit(1);
}

double bench_status_kib(const char *field) {
  FILE *file = fopen("/proc/self/status", "r");
  char line[256];
  double kib = 0;
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, field, strlen(field)) == 0)
      kib = atof(line + strlen(field) + 1);
  if (file) fclose(file);
  return kib;
}

void bench_reset_peak(void) {
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (!file) return;
  fputs("5", file);
  fclose(file);
}
