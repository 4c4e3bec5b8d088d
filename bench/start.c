// W8: wall time and peak resident memory of whole processes.
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

enum { N_RUNS = 41 };

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void bench_start(const bench *b, const char *program) {
  if (!bench_wants(b, "W8")) return;
  double wall[N_RUNS], peak[N_RUNS];
  for (int i = 0; i < N_RUNS; i++) {
    const double start = bench_now_s();
    const pid_t pid = fork();
    if (pid == 0) {
      execl(program, program, (char *)NULL);
      _exit(127);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
      fprintf(stderr, "W8: cannot run %s\n", program);
      exit(1);
    }
    wall[i] = (bench_now_s() - start) * 1e3;
    // The largest child so far: all run the same program.
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    peak[i] = (double)usage.ru_maxrss / 1024;
  }
  qsort(wall, N_RUNS, sizeof *wall, by_value);
  qsort(peak, N_RUNS, sizeof *peak, by_value);
  bench_emit(b, "W8_wall", "ms", wall[N_RUNS / 2], wall[0]);
  bench_emit(b, "W8_rss", "MiB", peak[N_RUNS / 2], peak[0]);
}
