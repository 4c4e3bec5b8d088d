// tapeir_bench [--json FILE] [--threads N] [--only W1,W3]
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static int usage(void) {
  fprintf(stderr,
          "usage: tapeir_bench [--json FILE] [--threads N] [--only W1,W3]\n");
  return 2;
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"json", required_argument, NULL, 'j'},
      {"threads", required_argument, NULL, 't'},
      {"only", required_argument, NULL, 'o'},
      {NULL, 0, NULL, 0},
  };
  bench b = {.out = stdout, .n_threads = 1};
  for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    switch (c) {
      case 'j': b.out = fopen(optarg, "w"); break;
      case 't': b.n_threads = atoi(optarg); break;
      case 'o': b.only = optarg; break;
      default: return usage();
    }
  }
  if (!b.out || optind != argc) return usage();
  if (b.n_threads != 1) {
    fprintf(stderr, "only one thread is supported so far\n");
    return 2;
  }
  // Before anything is resident here: a fork copies page tables.
  char first_gradient[4096];
  const char *slash = strrchr(argv[0], '/');
  snprintf(first_gradient, sizeof first_gradient, "%.*sfirst_gradient",
           slash ? (int)(slash - argv[0] + 1) : 0, argv[0]);
  bench_start(&b, first_gradient);
  tir_error error;
  bench_check(tir_context_create(NULL, &b.context, &error), &error,
              "context");
  bench_mlp(&b);
  bench_tiny(&b);
  bench_recording(&b);
  bench_compile(&b);
  tir_context_destroy(b.context);
  return 0;
}
