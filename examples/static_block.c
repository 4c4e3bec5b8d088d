// A device's program: all memory is static, the heap is never touched.
//
// The file saved by logistic_regression.c is loaded and compiled with every
// byte from one static pool. What runs work in are static arrays of exactly
// the size that `tapeir dump --plan` tells; once they are set up the pool is
// closed too. Then the classifier is trained from zero. Use of the heap at any
// time, or of the closed pool, ends the program.
//
// usage: static_block [MODEL.tir [TABLE.csv [EPOCHS]]]
#include <string.h>

#include "must.h"
#include "no_malloc.h"
#include "penguins.h"
#include "tapeir/tapeir.h"

enum { BATCH = 32 };

// As the file says, for 32 rows.
enum { STEP_BYTES = 5888, FORWARD_BYTES = 2432, POOL_BYTES = 1 << 18 };
static _Alignas(64) unsigned char step_block[STEP_BYTES];
static _Alignas(64) unsigned char forward_block[FORWARD_BYTES];
static _Alignas(64) unsigned char pool[POOL_BYTES];
static size_t pool_used, n_blocks;
static bool pool_closed;

// An allocator that only moves on: what is compiled once needs no more. The
// last block is taken back.
static void *take(void *user, size_t size, size_t align) {
  (void)user;
  const size_t at = (pool_used + align - 1) / align * align;
  if (pool_closed) abort();
  if (at > sizeof pool || size > sizeof pool - at) return NULL;
  pool_used = at + size;
  n_blocks++;
  return pool + at;
}

static void give_back(void *user, void *block, size_t size, size_t align) {
  (void)user;
  (void)align;
  if (pool_closed) abort();
  if ((unsigned char *)block + size == pool + pool_used) pool_used -= size;
  n_blocks--;
}

static tir_context *c;
static tir_module *m;

// A graph, ready to run in `block`.
static tir_instance *prepare(const char *name, int64_t n_rows, void *block,
                             size_t size) {
  const tir_dim_size batch = {"batch", n_rows};
  const tir_compile_options o = {.dim_sizes = &batch, .n_dim_sizes = 1};
  tir_program *program;
  tir_instance *run;
  tir_memory_report memory;
  const tir_graph *graph = tir_module_graph(m, name);
  if (!graph) {
    fprintf(stderr, "the file has no graph %s\n", name);
    exit(1);
  }
  must(tir_compile(c, graph, &o, &program, &error));
  tir_program_memory(program, &memory);
  printf(
      "%-10s %5llu bytes of %zu: values %llu (no plan under %llu), "
      "scratch %llu, outputs %llu, tables %llu\n",
      name, (unsigned long long)memory.block_bytes, size,
      (unsigned long long)memory.arena_bytes,
      (unsigned long long)memory.lower_bound_bytes,
      (unsigned long long)memory.scratch_bytes,
      (unsigned long long)memory.output_bytes,
      (unsigned long long)memory.table_bytes);
  must(tir_instance_create_in(program, m, block, size, &run, &error));
  tir_program_destroy(program);
  return run;
}

int main(int argc, char **argv) {
  static penguins train, test;
  static float x[BATCH][N_MEASURES], lr = 0.1f;
  static int32_t y[BATCH];
  const char *path = argc > 1 ? argv[1] : "penguins.tir";
  const int n_epochs = argc > 3 ? atoi(argv[3]) : 100;
  penguins_read(argc > 2 ? argv[2] : "examples/data/penguins.csv", &train,
                &test);
  static char line[256];
  setvbuf(stdout, line, _IOLBF, sizeof line);  // printf has a heap buffer else
  forbid_malloc(true);
  const tir_context_options own = {.allocator = {take, give_back, NULL}};
  tir_batches *batches;
  const tir_batches_options walk = {
      .n_rows = train.n, .batch = BATCH, .drop_last = true};
  must(tir_context_create(&own, &c, &error));
  must(tir_module_load(c, path, NULL, &m, &error));
  must(tir_batches_create(c, &walk, &batches, &error));
  static const char *const names[] = {"w", "b"};
  for (int i = 0; i < 2; i++) {  // forget what the file has learnt
    tir_tensor *zero;
    must(tir_module_get_param(m, names[i], &zero, &error));
    must(tir_init_constant(zero, 0, &error));
    must(tir_module_set_param(m, names[i], zero, &error));
    tir_tensor_release(zero);
  }
  tir_instance *step = prepare("train_step", BATCH, step_block, STEP_BYTES);
  tir_instance *run = prepare("forward", BATCH, forward_block, FORWARD_BYTES);
  must(tir_instance_bind_input(step, 0, x, sizeof x, &error));
  must(tir_instance_bind_input(step, 1, y, sizeof y, &error));
  must(tir_instance_bind_input(step, 2, &lr, sizeof lr, &error));
  must(tir_instance_bind_input(run, 0, x, sizeof x, &error));
  printf("pool       %5zu bytes of %zu in %zu blocks; no more from here on\n",
         pool_used, sizeof pool, n_blocks);

  pool_closed = true;
  for (int epoch = 0; epoch < n_epochs; epoch++) {
    for (const int64_t *row; tir_batches_next(batches, &row);) {
      tir_gather_rows(x, train.x, sizeof *x, row, BATCH);
      tir_gather_rows(y, train.y, sizeof *y, row, BATCH);
      must(tir_run(step, NULL, &error));
    }
  }
  int n_right = 0, n_seen = 0;
  for (int64_t at = 0; at + BATCH <= test.n; at += BATCH) {
    memcpy(x, test.x[at], sizeof x);
    must(tir_run(run, NULL, &error));
    const int64_t *found = tir_instance_output(run, 0);
    for (int i = 0; i < BATCH; i++, n_seen++)
      n_right += found[i] == test.y[at + i];
  }
  pool_closed = false;

  printf("after %d epochs %d of %d are right, the heap unused\n", n_epochs,
         n_right, n_seen);
  tir_instance_destroy(step);
  tir_instance_destroy(run);
  tir_batches_destroy(batches);
  tir_module_destroy(m);
  tir_context_destroy(c);
  if (n_blocks)
    printf("%zu blocks of the pool were not given back\n", n_blocks);
  return n_blocks || n_right < n_seen * 0.9;
}
