// tapeir_bench [--json FILE] [--threads 1,2] [--only W1,W3]
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static int usage(void) {
  fprintf(stderr,
          "usage: tapeir_bench [--json FILE] [--threads 1,2] [--only W1,W3]\n");
  return 2;
}

// Every workload in a context with that many threads.
static void run_all(bench *b) {
  tir_error error;
  const tir_context_options options = {.n_threads = b->n_threads};
  bench_check(tir_context_create(&options, &b->context, &error), &error,
              "context");
  bench_mlp(b);
  bench_tiny(b);
  bench_chain(b);
  bench_attention(b);
  bench_recording(b);
  bench_compile(b);
  tir_context_destroy(b->context);
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"json", required_argument, NULL, 'j'},
      {"threads", required_argument, NULL, 't'},
      {"only", required_argument, NULL, 'o'},
      {NULL, 0, NULL, 0},
  };
  bench b = {.out = stdout, .n_threads = 1};
  const char *threads = "1";
  for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    switch (c) {
      case 'j':
        b.out = fopen(optarg, "w");
        break;
      case 't':
        threads = optarg;
        break;
      case 'o':
        b.only = optarg;
        break;
      default:
        return usage();
    }
  }
  if (!b.out || optind != argc) return usage();
  // Before anything is resident here: a fork copies page tables.
  char first_gradient[4096];
  const char *slash = strrchr(argv[0], '/');
  snprintf(first_gradient, sizeof first_gradient, "%.*sfirst_gradient",
           slash ? (int)(slash - argv[0] + 1) : 0, argv[0]);
  bench_start(&b, first_gradient);
  for (const char *at = threads; *at;) {
    char *end = NULL;
    b.n_threads = (int)strtol(at, &end, 10);
    if (end == at || b.n_threads < 1) return usage();
    run_all(&b);
    at = end + (*end == ',');
  }
  return 0;
}
