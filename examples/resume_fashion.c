// Goes on training a saved model. Knows the file and its ports, no model: not
// one op function is called here.
#include "fashion_data.h"
#include "must.h"
#include "tapeir/tapeir.h"

static void bind(tir_instance *run, const char *name, const void *data,
                 size_t size) {
  const int64_t input = tir_instance_find_input(run, name);
  must(tir_instance_bind_input(run, (size_t)input, data, size, &error));
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "fashion.tir";
  const char *saved = argc > 2 ? argv[2] : path;
  const size_t max_steps = argc > 3 ? (size_t)atol(argv[3]) : SIZE_MAX;
  fashion_set train;
  if (fashion_load(fashion_directory(), "train", &train)) return 1;

  tir_context *c;
  tir_module *m;
  tir_program *program;
  tir_instance *step;
  must(tir_context_create(NULL, &c, &error));
  must(tir_module_load(c, path, NULL, &m, &error));
  tir_graph *graph = tir_module_graph(m, "train_step");
  if (!graph) {
    fprintf(stderr, "%s holds no train_step\n", path);
    return 1;
  }
  must(tir_compile(c, graph, NULL, &program, &error));
  must(tir_instance_create(program, m, &step, &error));

  tir_port images_port;
  if (tir_program_input(program, 0, &images_port)) return 1;
  const size_t batch = (size_t)images_port.dims[0];
  float *images = malloc(batch * FASHION_PIXELS * sizeof *images);
  int32_t *labels = malloc(batch * sizeof *labels);
  size_t *order = malloc(train.n * sizeof *order);
  const float lr = 0.01f;
  if (!images || !labels || !order) return 1;
  bind(step, "images", images, batch * FASHION_PIXELS * sizeof *images);
  bind(step, "labels", labels, batch * sizeof *labels);
  bind(step, "lr", &lr, sizeof lr);

  const char *epochs = tir_module_get_metadata(m, "epochs");
  const int epoch = (epochs ? atoi(epochs) : 0) + 1;
  fashion_shuffle(order, train.n, (uint64_t)epoch);
  double sum = 0;
  size_t n = 0;
  for (size_t at = 0; at + batch <= train.n && n < max_steps; at += batch) {
    fashion_batch(&train, order, at, batch, images, labels);
    must(tir_run(step, NULL, &error));
    sum += (double)*(const float *)tir_instance_output(step, 0);
    fashion_progress(epoch, at + batch, train.n, sum / (double)++n, -1);
  }
  printf("resumed %s, epoch %d: loss %.4f\n", path, epoch, sum / (double)n);

  char text[16];
  snprintf(text, sizeof text, "%d", epoch);
  must(tir_module_set_metadata(m, "epochs", text, &error));
  must(tir_module_save(m, saved, &error));
  printf("saved %s\n", saved);
  free(images);
  free(labels);
  free(order);
  tir_instance_destroy(step);
  tir_program_destroy(program);
  tir_module_destroy(m);
  tir_context_destroy(c);
  fashion_free(&train);
  return 0;
}
