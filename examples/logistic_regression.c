// Logistic regression on real measurements: which of three species a penguin
// is, from beak, flipper and mass.
//
// Raw numbers go in: the module holds mean and deviation of the training rows
// as state, so whoever loads the file needs no preparation. It also holds the
// whole training step, so the command can train it from the same table:
//
//   tapeir train penguins.tir --graph train_step --lr 0.1 --epochs 100
//     --data x=penguins.csv:1-4 --data y=penguins.csv:5 --save-as more.tir
//
// usage: logistic_regression [TABLE.csv [OUT.tir [EPOCHS]]]
#include "must.h"
#include "penguins.h"
#include "tapeir/sites.h"

enum { BATCH = 32 };

static tir_context *c;
static tir_tape *t;
static tir_module *m;

static void add_param(const char *name, tir_param_kind kind, tir_value start) {
  tir_tensor *tensor;
  must(tir_read(t, start, &tensor, &error));
  must(tir_module_add_param(m, name, kind, tensor, &error));
  tir_tensor_release(tensor);
}

static void add_params(const penguins *rows) {
  const int64_t dims[] = {rows->n, N_MEASURES}, w[] = {N_MEASURES, N_SPECIES};
  const tir_value x = tir_value_from_data(t, TIR_DTYPE_F32, dims, 2, rows->x);
  const tir_value mean = tir_mean(t, x, (int[]){0}, 1, false);
  const tir_value square = tir_square(t, tir_sub(t, x, mean));
  add_param("mean", TIR_PARAM_STATE, mean);
  add_param("deviation", TIR_PARAM_STATE,
            tir_sqrt(t, tir_mean(t, square, (int[]){0}, 1, false)));
  add_param("w", TIR_PARAM_TRAINABLE, tir_zeros(t, TIR_DTYPE_F32, w, 2));
  add_param("b", TIR_PARAM_TRAINABLE, tir_zeros(t, TIR_DTYPE_F32, w + 1, 1));
}

// What is captured runs for any number of rows: the first dim has a name.
static const int64_t dims[] = {BATCH, N_MEASURES};
static const char *const symbols[] = {"batch", NULL};

static tir_value logits(void) {
  tir_value x = tir_input_symbolic(t, "x", TIR_DTYPE_F32, dims, symbols, 2);
  x = tir_sub(t, x, tir_param(t, m, "mean"));
  x = tir_div(t, x, tir_param(t, m, "deviation"));
  x = tir_matmul(t, x, tir_param(t, m, "w"));
  return tir_add(t, x, tir_param(t, m, "b"));
}

static void capture(void) {
  tir_value w[2];
  tir_capture_begin(t, m, "train_step");
  tir_module_variables(t, m, "", w, 2);
  tir_record_begin(t, true);
  const tir_value found = logits();
  const tir_value y =
      tir_input_symbolic(t, "y", TIR_DTYPE_I32, dims, symbols, 1);
  const tir_value loss = tir_cross_entropy(t, found, y);
  tir_mode_end(t);
  tir_backward(t, loss);
  tir_sgd(t, w, 2, tir_input(t, "lr", TIR_DTYPE_F32, NULL, 0), false);
  tir_output(t, "loss", loss);
  must(tir_capture_end(t, NULL, &error));
  tir_capture_begin(t, m, "forward");
  tir_output(t, "species", tir_argmax(t, logits(), -1, false));
  must(tir_capture_end(t, NULL, &error));
}

static tir_instance *prepare(const char *graph, int64_t n_rows, const void *x) {
  tir_program *program;
  tir_instance *run;
  const tir_dim_size size = {"batch", n_rows};
  const tir_compile_options sizes = {.dim_sizes = &size, .n_dim_sizes = 1};
  must(tir_compile(c, tir_module_graph(m, graph), &sizes, &program, &error));
  must(tir_instance_create(program, m, &run, &error));
  must(tir_instance_bind_input(run, 0, x, (size_t)n_rows * sizeof(float[4]),
                               &error));
  tir_program_destroy(program);
  return run;
}

static void train(const penguins *rows, int n_epochs) {
  float x[BATCH][N_MEASURES], lr = 0.1f;
  int32_t y[BATCH];
  tir_batches *batches;
  const tir_batches_options o = {
      .n_rows = rows->n, .batch = BATCH, .drop_last = true};
  must(tir_batches_create(c, &o, &batches, &error));
  tir_instance *step = prepare("train_step", BATCH, x);
  must(tir_instance_bind_input(step, 1, y, sizeof y, &error));
  must(tir_instance_bind_input(step, 2, &lr, sizeof lr, &error));
  for (int epoch = 1; epoch <= n_epochs; epoch++) {
    for (const int64_t *row; tir_batches_next(batches, &row);) {
      tir_gather_rows(x, rows->x, sizeof *x, row, BATCH);
      tir_gather_rows(y, rows->y, sizeof *y, row, BATCH);
      must(tir_run(step, NULL, &error));
    }
    if (epoch % 10 == 0)
      printf("epoch %3d: loss %.4f\n", epoch,
             *(const float *)tir_instance_output(step, 0));
  }
  tir_instance_destroy(step);
  tir_batches_destroy(batches);
}

static double test(const penguins *rows) {
  static const char *const names[] = {"Adelie", "Chinstrap", "Gentoo"};
  int64_t counts[N_SPECIES * N_SPECIES] = {0};
  tir_instance *run = prepare("forward", rows->n, rows->x);
  must(tir_run(run, NULL, &error));
  must(tir_confusion_add(counts, N_SPECIES, rows->y, TIR_DTYPE_I32,
                         tir_instance_output(run, 0), TIR_DTYPE_I64, rows->n,
                         &error));
  tir_instance_destroy(run);
  printf("\nfound to be    Adelie Chinstrap Gentoo  precision recall\n");
  for (int i = 0; i < N_SPECIES; i++)
    printf("%-10s %10d %9d %6d %10.3f %6.3f\n", names[i], (int)counts[3 * i],
           (int)counts[3 * i + 1], (int)counts[3 * i + 2],
           tir_confusion_precision(counts, N_SPECIES, i),
           tir_confusion_recall(counts, N_SPECIES, i));
  return tir_confusion_accuracy(counts, N_SPECIES);
}

int main(int argc, char **argv) {
  static penguins train_rows, test_rows;
  const char *path = argc > 2 ? argv[2] : "penguins.tir";
  const int n_epochs = argc > 3 ? atoi(argv[3]) : 100;
  penguins_read(argc > 1 ? argv[1] : "examples/data/penguins.csv", &train_rows,
                &test_rows);
  must(tir_context_create(NULL, &c, &error));
  must(tir_tape_create(c, NULL, &t, &error));
  must(tir_module_create(c, &m, &error));
  add_params(&train_rows);
  capture();
  train(&train_rows, n_epochs);
  const double accuracy = test(&test_rows);
  printf("accuracy on %d rows kept back: %.1f %%\n", (int)test_rows.n,
         100 * accuracy);
  must(tir_module_save(m, path, &error));
  printf("saved %s\n", path);
  tir_tape_destroy(t);
  tir_module_destroy(m);
  tir_context_destroy(c);
  return accuracy < 0.95;
}
