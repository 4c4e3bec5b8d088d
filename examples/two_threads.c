// Two threads serving one model.
//
// Module and program are shared: neither is written by a run that only reads.
// Each thread has an instance of its own, which is all the state of a run, so
// nothing is locked, and the answers are those of one thread to the last bit.
//
// usage: two_threads [MODEL.tir [REQUESTS]], with the file that
// train_fashion.c saves; a request is one image.
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "fashion_data.h"
#include "must.h"
#include "tapeir/tapeir.h"

typedef struct answer {
  int64_t class;
  float logits[FASHION_CLASSES];
} answer;

// What one thread works on: requests first, first + stride …
typedef struct server {
  tir_instance *run;
  const fashion_set *images;
  size_t first, stride, n_requests;
  answer *answers;
  bool failed;
  tir_error error;
} server;

static void *serve(void *argument) {
  server *s = argument;
  for (size_t i = s->first; i < s->n_requests; i += s->stride) {
    // No copy: the run reads the image where it is.
    const float *image = s->images->images + i % s->images->n * FASHION_PIXELS;
    if (tir_instance_bind_input(s->run, 0, image,
                                FASHION_PIXELS * sizeof *image, &s->error) ||
        tir_run(s->run, NULL, &s->error)) {
      s->failed = true;
      return NULL;
    }
    answer *a = &s->answers[i];
    a->class = *(const int64_t *)tir_instance_output(s->run, 0);
    memcpy(a->logits, tir_instance_output(s->run, 1), sizeof a->logits);
  }
  return NULL;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

// Serves all requests by n threads, the caller's being one of them.
static double serve_all(tir_program *program, tir_module *m,
                        const fashion_set *images, size_t n_requests,
                        size_t n_threads, answer *answers) {
  enum { MOST = 8 };
  pthread_t threads[MOST];
  server servers[MOST];
  for (size_t i = 0; i < n_threads; i++) {
    servers[i] = (server){.images = images,
                          .first = i,
                          .stride = n_threads,
                          .n_requests = n_requests,
                          .answers = answers};
    must(tir_instance_create(program, m, &servers[i].run, &error));
  }
  const double start = seconds();
  for (size_t i = 1; i < n_threads; i++) {
    if (pthread_create(&threads[i], NULL, serve, &servers[i])) {
      fprintf(stderr, "no thread can be started\n");
      exit(1);
    }
  }
  serve(&servers[0]);
  for (size_t i = 1; i < n_threads; i++) pthread_join(threads[i], NULL);
  const double took = seconds() - start;
  for (size_t i = 0; i < n_threads; i++) {
    error = servers[i].error;
    must(servers[i].failed ? error.status : TIR_OK);
    tir_instance_destroy(servers[i].run);
  }
  return took;
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "fashion.tir";
  const size_t n = argc > 2 ? (size_t)atol(argv[2]) : 20000;
  fashion_set test;
  if (fashion_load(fashion_directory(), "t10k", &test)) return 1;
  tir_context *c;
  tir_module *m;
  tir_program *program;
  must(tir_context_create(NULL, &c, &error));
  must(tir_module_load(c, path, NULL, &m, &error));
  const tir_dim_size one = {"batch", 1};
  const tir_compile_options options = {.dim_sizes = &one, .n_dim_sizes = 1};
  must(tir_compile(c, tir_module_graph(m, "forward"), &options, &program,
                   &error));
  answer *alone = calloc(n, sizeof *alone);
  answer *together = calloc(n, sizeof *together);
  if (!alone || !together) return 1;

  const double serial = serve_all(program, m, &test, n, 1, alone);
  const double threaded = serve_all(program, m, &test, n, 2, together);
  const bool equal = memcmp(alone, together, n * sizeof *alone) == 0;
  size_t n_right = 0;
  for (size_t i = 0; i < n; i++)
    n_right += together[i].class == test.labels[i % test.n];
  printf("one thread:  %.0f requests/s\n", (double)n / serial);
  printf("two threads: %.0f requests/s, %s\n", (double)n / threaded,
         equal ? "equal bits" : "OTHER BITS");
  printf("right: %.2f %%\n", 100 * (double)n_right / (double)n);
  free(alone);
  free(together);
  tir_program_destroy(program);
  tir_module_destroy(m);
  tir_context_destroy(c);
  fashion_free(&test);
  return !equal;
}
