// tapeir train: runs a file's train_step over .npy data.
//
// Every --data array is cut along its first axis into the batches the graph
// was captured for; every --set gives a scalar input. The first float scalar
// output is the loss that is shown.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

typedef struct feed {
  tir_tensor *data;    // whole array, NULL for a scalar
  void *scalar;
  size_t batch_bytes;
  size_t n_rows, batch;
} feed;

typedef struct training {
  tool *t;
  tir_program *program;
  tir_instance *step;
  feed *feeds;
  size_t n_feeds;
  size_t n_batches;
  int64_t loss;  // output number, −1: none
} training;

static const char *find(const tool_list *list, const char *name) {
  for (size_t i = 0; i < list->n; i++) {
    const char *value = tool_value_of(list->items[i], name);
    if (value) return value;
  }
  return NULL;
}

static int set_scalar(feed *f, const tir_port *port, const char *text) {
  char *end;
  const double x = strtod(text, &end);
  if (*end || !*text || port->rank != 0)
    return tool_fail("--set %s: not a number for a scalar",
                     tool_name(port->name));
  f->scalar = calloc(1, 8);
  if (!f->scalar) return tool_fail("out of memory");
  switch (port->dtype) {
    case TIR_DTYPE_F32: *(float *)f->scalar = (float)x; return TOOL_OK;
    case TIR_DTYPE_F64: *(double *)f->scalar = x; return TOOL_OK;
    case TIR_DTYPE_I32: *(int32_t *)f->scalar = (int32_t)x; return TOOL_OK;
    case TIR_DTYPE_I64: *(int64_t *)f->scalar = (int64_t)x; return TOOL_OK;
    default:
      return tool_fail("--set %s: a scalar of %s is not supported",
                       tool_name(port->name), tir_dtype_name(port->dtype));
  }
}

static int load_data(tool *t, feed *f, const tir_port *port,
                     const char *file) {
  tir_error error;
  if (tir_npy_load(t->context, file, &f->data, &error))
    return tool_fail_error(tool_name(file), &error);
  bool fits = tir_tensor_dtype(f->data) == port->dtype && port->rank > 0 &&
              tir_tensor_rank(f->data) == port->rank;
  for (int i = 1; fits && i < port->rank; i++)
    fits = tir_tensor_dim(f->data, i) == port->dims[i];
  if (!fits || port->dims[0] < 1) {
    char type[256];
    return tool_fail("%s does not hold rows for input %s, %s",
                     tool_name(file), tool_name(port->name),
                     tool_type(port, type, sizeof type));
  }
  f->batch = (size_t)port->dims[0];
  f->n_rows = (size_t)tir_tensor_dim(f->data, 0);
  f->batch_bytes = f->n_rows ? tir_tensor_size_bytes(f->data) / f->n_rows *
                                   f->batch
                             : 0;
  return TOOL_OK;
}

static int make_feeds(training *g) {
  tool *t = g->t;
  g->n_batches = SIZE_MAX;
  for (size_t i = 0; i < g->n_feeds; i++) {
    tir_port port;
    tir_program_input(g->program, i, &port);
    const char *file = find(&t->options.data, port.name);
    const char *number = find(&t->options.sets, port.name);
    feed *f = &g->feeds[i];
    int status = TOOL_OK;
    if (file)
      status = load_data(t, f, &port, file);
    else if (number)
      status = set_scalar(f, &port, number);
    else
      status = tool_fail("input %s: give --data or --set",
                         tool_name(port.name));
    if (status != TOOL_OK) return status;
    if (f->data && f->n_rows / f->batch < g->n_batches)
      g->n_batches = f->n_rows / f->batch;
  }
  if (g->n_batches == SIZE_MAX) g->n_batches = 1;
  return g->n_batches ? TOOL_OK : tool_fail("less than one batch of data");
}

static int prepare(training *g) {
  tool *t = g->t;
  tir_error error;
  if (tir_compile(t->context, t->graph, NULL, &g->program, &error) ||
      tir_instance_create(g->program, t->module, &g->step, &error))
    return tool_fail_error("compile", &error);
  g->n_feeds = tir_graph_n_inputs(t->graph);
  g->feeds = calloc(g->n_feeds + 1, sizeof *g->feeds);
  if (!g->feeds) return tool_fail("out of memory");
  g->loss = -1;
  for (size_t i = tir_graph_n_outputs(t->graph); i-- > 0;) {
    tir_port port;
    tir_program_output(g->program, i, &port);
    if (port.rank == 0 && port.dtype == TIR_DTYPE_F32) g->loss = (int64_t)i;
  }
  return make_feeds(g);
}

static tir_status run_batch(training *g, size_t batch, tir_error *error) {
  tir_status status = TIR_OK;
  for (size_t i = 0; i < g->n_feeds && status == TIR_OK; i++) {
    const feed *f = &g->feeds[i];
    tir_port port;
    tir_program_input(g->program, i, &port);
    status =
        f->data
            ? tir_instance_bind_input(
                  g->step, i,
                  (const char *)tir_tensor_data(f->data) +
                      batch * f->batch_bytes,
                  f->batch_bytes, error)
            : tir_instance_bind_input(g->step, i, f->scalar,
                                      tir_dtype_size(port.dtype), error);
  }
  return status == TIR_OK ? tir_run(g->step, NULL, error) : status;
}

static void show(long epoch, size_t done, size_t total, double loss) {
  if (!isatty(2)) return;
  fprintf(stderr, "\repoch %ld %zu/%zu loss %.4f%s", epoch, done, total, loss,
          done == total ? "\n" : "");
}

static int train(training *g) {
  const tool_options *o = &g->t->options;
  tir_error error;
  size_t n_steps = 0;
  for (long epoch = 1; epoch <= o->epochs; epoch++) {
    double sum = 0;
    for (size_t batch = 0; batch < g->n_batches; batch++) {
      if (run_batch(g, batch, &error))
        return tool_fail_error("train_step", &error);
      if (g->loss >= 0)
        sum += *(const float *)tir_instance_output(g->step, (size_t)g->loss);
      show(epoch, batch + 1, g->n_batches, sum / (double)(batch + 1));
      if (o->checkpoint && ++n_steps % (size_t)o->checkpoint == 0 &&
          tir_module_save(g->t->module, o->save_as, &error))
        return tool_fail_error("checkpoint", &error);
    }
    printf("epoch %ld loss %.6g\n", epoch, sum / (double)g->n_batches);
  }
  if (tir_module_save(g->t->module, o->save_as, &error))
    return tool_fail_error("save", &error);
  return TOOL_OK;
}

int tool_train(tool *t) {
  if (!t->options.save_as) return tool_usage(t, "--save-as is missing");
  if (!t->options.force && access(t->options.save_as, F_OK) == 0)
    return tool_fail("%s exists (--force overwrites)",
                     tool_name(t->options.save_as));
  training g = {.t = t};
  if (!t->options.graph) t->options.graph = "train_step";
  int status = tool_load_graph(t);
  if (status == TOOL_OK) status = prepare(&g);
  if (status == TOOL_OK) status = train(&g);
  for (size_t i = 0; i < g.n_feeds && g.feeds; i++) {
    tir_tensor_release(g.feeds[i].data);
    free(g.feeds[i].scalar);
  }
  free(g.feeds);
  tir_instance_destroy(g.step);
  tir_program_destroy(g.program);
  return status;
}
