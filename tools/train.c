// tapeir train: runs a file's train_step over data.
//
// --data arrays are cut along their first axis into batches, --set gives
// scalar inputs. The first float scalar output is the loss. Where training
// stands is kept as metadata of the module: the order of the rows follows from
// seed and epoch alone, so a file saved at any step goes on with the same bits
// as a run that was never interrupted.
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data.h"
#include "plot.h"

typedef struct feed {
  tir_port port;
  tool_rows rows;  // empty for a scalar
  char *batch;     // what is bound
  size_t batch_bytes;
} feed;

typedef struct training {
  tool *t;
  tir_program *program;
  tir_instance *step;
  feed *feeds;
  size_t n_feeds;
  size_t batch, n_rows, n_batches;
  bool has_rows;  // n_rows and batch are decided
  size_t *order;
  uint64_t seed;
  size_t first_step, n_steps, end_step;  // steps done in all
  int64_t loss;                          // output number, −1: none
  double *losses;                        // of the steps of this run
  double epoch_sum;
  size_t epoch_steps;
  json_t *epochs;
  int64_t start_ns, shown_ns;
  size_t saved_step;  // the checkpoint written last
  char saved[4096];   // its path, "": none
} training;

// All that a handler may touch.
static volatile sig_atomic_t interrupted;

static void interrupt(int number) {
  (void)number;
  interrupted = 1;
}

// --- where training stands -------------------------------------------------

static const char *const step_key = "train.step";
static const char *const order_key = "train.order";

// What the order of the rows depends on, besides the epoch.
static void order_text(const training *g, char *out, size_t size) {
  snprintf(out, size, "seed %" PRIu64 ", %zu rows, batch %zu", g->seed,
           g->n_rows, g->batch);
}

static int find_position(training *g) {
  tool *t = g->t;
  const char *step = tir_module_get_metadata(t->module, step_key);
  const char *order = tir_module_get_metadata(t->module, order_key);
  char now[128];
  g->seed = tool_seed(t);
  if (!step || !order || t->options.restart) return TOOL_OK;
  // Without --seed the order of the file goes on.
  if (t->options.seed < 0) sscanf(order, "seed %" SCNu64, &g->seed);
  order_text(g, now, sizeof now);
  if (strcmp(order, now) != 0)
    return tool_fail(
        "training stopped in another order (%s; now %s): give "
        "the same, or --restart",
        tool_name(order), now);
  char *end;
  g->first_step = strtoul(step, &end, 10);
  if (*end || !*step)
    return tool_fail("metadata %s is no step: %s", step_key, tool_name(step));
  return TOOL_OK;
}

// State and position in one file, so that they cannot part.
static int save(training *g, const char *path) {
  char step[32], order[128];
  tir_error error;
  snprintf(step, sizeof step, "%zu", g->n_steps);
  order_text(g, order, sizeof order);
  if (tir_module_set_metadata(g->t->module, step_key, step, &error) ||
      tir_module_set_metadata(g->t->module, order_key, order, &error) ||
      tir_module_save(g->t->module, path, &error))
    return tool_fail_error(tool_name(path), &error);
  return TOOL_OK;
}

static int save_at(training *g, const char *path) {
  if (save(g, path) != TOOL_OK) return TOOL_FAILED;
  // Only for messages.
  snprintf(g->saved, sizeof g->saved, "%s", path);
  g->saved_step = g->n_steps;
  return TOOL_OK;
}

static int save_checkpoint(training *g) {
  const char *pattern = g->t->options.checkpoint_as;
  // Without a pattern each replaces the one before.
  if (!pattern) return save_at(g, g->t->options.save_as);
  const char *mark = strstr(pattern, "%d");
  if (!mark) return save_at(g, pattern);
  char path[4096];
  // The pattern is the user's, so it is no format.
  if (snprintf(path, sizeof path, "%.*s%zu%s", (int)(mark - pattern), pattern,
               g->n_steps, mark + 2) >= (int)sizeof path)
    return tool_fail("the path is too long");
  if (tool_may_write(g->t, path) != TOOL_OK) return TOOL_FAILED;
  return save_at(g, path);
}

// --- data ------------------------------------------------------------------

static int set_scalar(feed *f, const char *text) {
  char *end;
  const double x = strtod(text, &end);
  // Room for an element of any dtype.
  f->batch = calloc(1, 8);
  if (!f->batch) return tool_fail("out of memory");
  if (*end || !*text || f->port.rank != 0 ||
      !tool_store(f->port.dtype, f->batch, x)) {
    char type[256];
    return tool_fail("--set %s: %s is no %s", tool_name(f->port.name),
                     tool_name(text), tool_type(&f->port, type, sizeof type));
  }
  f->batch_bytes = tir_dtype_size(f->port.dtype);
  return TOOL_OK;
}

// --set goes before --data. The first input with data decides rows and batch,
// the others must agree.
static int fill_feed(training *g, feed *f) {
  const tool_options *o = &g->t->options;
  const char *name = f->port.name;
  const char *file = tool_item_of(&o->data, g->t->graph, name);
  const char *number = tool_item_of(&o->sets, g->t->graph, name);
  if (!number && strcmp(name, "lr") == 0) number = o->lr;
  if (number) return set_scalar(f, number);
  if (!file)
    return tool_fail("input %s: give --data or --set", tool_name(name));
  if (tool_read_rows(g->t, &f->port, file, &f->rows) != TOOL_OK)
    return TOOL_FAILED;
  if (!f->rows.n_rows) return tool_fail("%s has no rows", tool_name(file));
  if (g->has_rows && g->n_rows != f->rows.n_rows)
    return tool_fail("%s has %zu rows, the data before it %zu", tool_name(file),
                     f->rows.n_rows, g->n_rows);
  if (!g->has_rows)
    g->batch = o->batch ? (size_t)o->batch : (size_t)f->port.dims[0];
  g->n_rows = f->rows.n_rows;
  g->has_rows = true;
  if ((size_t)f->port.dims[0] != g->batch && !f->port.dim_names[0])
    return tool_fail("input %s is captured for batches of %lld",
                     tool_name(name), (long long)f->port.dims[0]);
  f->batch_bytes = f->rows.row_bytes * g->batch;
  f->batch = malloc(f->batch_bytes + 1);
  return f->batch ? TOOL_OK : tool_fail("out of memory");
}

// Every option must be of use.
static int check_names(training *g) {
  const tool_list *lists[] = {&g->t->options.data, &g->t->options.sets};
  for (int l = 0; l < 2; l++) {
    for (size_t i = 0; i < lists[l]->n; i++) {
      if (tool_input_of(g->t->graph, lists[l]->items[i]) < 0)
        return tool_fail("the graph has no input for %s",
                         tool_name(lists[l]->items[i]));
    }
  }
  return TOOL_OK;
}

static int make_feeds(training *g) {
  g->n_feeds = tir_graph_n_inputs(g->t->graph);
  g->feeds = calloc(g->n_feeds + 1, sizeof *g->feeds);
  if (!g->feeds) return tool_fail("out of memory");
  for (size_t i = 0; i < g->n_feeds; i++)
    tir_graph_input(g->t->graph, i, &g->feeds[i].port);
  if (check_names(g) != TOOL_OK) return TOOL_FAILED;
  for (size_t i = 0; i < g->n_feeds; i++)
    if (fill_feed(g, &g->feeds[i]) != TOOL_OK) return TOOL_FAILED;
  // Rows that do not fill a batch are left out of the epoch. Without data a
  // step is a step.
  g->n_batches = g->batch ? g->n_rows / g->batch : 1;
  if (!g->n_batches)
    return tool_fail("%zu rows are less than a batch of %zu", g->n_rows,
                     g->batch);
  g->order = calloc(g->n_rows + 1, sizeof *g->order);
  return g->order ? TOOL_OK : tool_fail("out of memory");
}

// --- preparing -------------------------------------------------------------

// First axes named by a symbol get the batch; other symbols keep their size.
static int compile(training *g) {
  enum { MAX_SYMBOLS = 64 };
  tir_dim_size sizes[MAX_SYMBOLS];
  tir_compile_options options = {.dim_sizes = sizes};
  for (size_t i = 0; i < g->n_feeds; i++) {
    const tir_port *port = &g->feeds[i].port;
    if (!g->feeds[i].rows.bytes || !port->dim_names[0]) continue;
    bool known = false;
    for (size_t k = 0; k < options.n_dim_sizes; k++)
      known |= strcmp(sizes[k].name, port->dim_names[0]) == 0;
    if (!known && options.n_dim_sizes < MAX_SYMBOLS)
      sizes[options.n_dim_sizes++] =
          (tir_dim_size){port->dim_names[0], (int64_t)g->batch};
  }
  tir_error error;
  if (tir_compile(g->t->context, g->t->graph, &options, &g->program, &error) ||
      tir_instance_create(g->program, g->t->module, &g->step, &error))
    return tool_fail_error("compile", &error);
  for (size_t i = 0; i < g->n_feeds; i++)
    if (tir_instance_bind_input(g->step, i, g->feeds[i].batch,
                                g->feeds[i].batch_bytes, &error))
      return tool_fail_error("train", &error);
  return TOOL_OK;
}

static int prepare(training *g) {
  const tool_options *o = &g->t->options;
  // Feeds first: the position is told with rows and batch.
  if (make_feeds(g) != TOOL_OK || find_position(g) != TOOL_OK ||
      compile(g) != TOOL_OK)
    return TOOL_FAILED;
  g->loss = -1;
  // From the last to the first: the first scalar float is the loss.
  for (size_t i = tir_graph_n_outputs(g->t->graph); i-- > 0;) {
    tir_port port;
    tir_program_output(g->program, i, &port);
    if (port.rank == 0 && tool_is_float(port.dtype)) g->loss = (int64_t)i;
  }
  // Leaves room for the losses, a double each.
  if ((size_t)o->epochs > SIZE_MAX / 16 / g->n_batches)
    return tool_fail("too many epochs");
  g->end_step = (size_t)o->epochs * g->n_batches;
  if (o->steps && (size_t)o->steps < g->end_step)
    g->end_step = (size_t)o->steps;
  g->n_steps = g->first_step;
  if (g->first_step >= g->end_step)
    return tool_fail(
        "the file has made %zu steps already, of %zu: give more "
        "--epochs or --steps, or --restart",
        g->first_step, g->end_step);
  g->losses = calloc(g->end_step - g->first_step, sizeof *g->losses);
  g->epochs = json_array();
  return g->losses && g->epochs ? TOOL_OK : tool_fail("out of memory");
}

// --- running ---------------------------------------------------------------

// The order of an epoch: Fisher-Yates with splitmix64.
static void shuffle(training *g, size_t epoch) {
  // A state per epoch, so that any epoch can begin without those before.
  uint64_t state = g->seed * 0x9e3779b97f4a7c15u + epoch;
  for (size_t i = 0; i < g->n_rows; i++) g->order[i] = i;
  for (size_t i = g->n_rows; i > 1; i--) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    // The bias of the remainder is nothing: i is small against 2^64.
    const size_t k = (size_t)(z % i), hold = g->order[i - 1];
    g->order[i - 1] = g->order[k];
    g->order[k] = hold;
  }
}

// Copies the rows of a batch side by side, for every input with data.
static void gather(const training *g, size_t batch) {
  for (size_t i = 0; i < g->n_feeds; i++) {
    const feed *f = &g->feeds[i];
    const size_t bytes = f->rows.row_bytes;
    for (size_t k = 0; f->rows.bytes && k < g->batch; k++)
      memcpy(f->batch + k * bytes,
             f->rows.bytes + g->order[batch * g->batch + k] * bytes, bytes);
  }
}

// Read from the instance, where the run left it.
static double loss_of(const training *g) {
  if (g->loss < 0) return 0;
  tir_port port;
  tir_program_output(g->program, (size_t)g->loss, &port);
  const void *y = tir_instance_output(g->step, (size_t)g->loss);
  return port.dtype == TIR_DTYPE_F32 ? (double)*(const float *)y
                                     : *(const double *)y;
}

// A bar on a terminal, ten times a second.
static void show(training *g, size_t epoch, size_t batch) {
  enum { CELLS = 24 };
  const bool last = batch == g->n_batches || g->n_steps == g->end_step;
  const int64_t now = tool_now_ns();
  if (!isatty(2) || (!last && now - g->shown_ns < 100000000)) return;
  g->shown_ns = now;
  char bar[CELLS + 1];
  const size_t full = batch * CELLS / g->n_batches;
  for (size_t i = 0; i < CELLS; i++) bar[i] = i < full ? '#' : '.';
  bar[CELLS] = '\0';
  const double seconds = (double)(now - g->start_ns) / 1e9;
  fprintf(stderr, "\repoch %zu/%ld %s %zu/%zu  loss %.4f  %.0f steps/s\033[K%s",
          epoch, g->t->options.epochs, bar, batch, g->n_batches,
          g->epoch_sum / (double)g->epoch_steps,
          (double)(g->n_steps - g->first_step) / seconds, last ? "\n" : "");
}

static void end_epoch(training *g, size_t epoch) {
  // Of the steps made here: a run may begin or end within an epoch.
  const double loss = g->epoch_sum / (double)g->epoch_steps;
  if (g->loss >= 0 && !g->t->options.json) {
    printf("epoch %zu loss %.6g", epoch, loss);
    if (g->epoch_steps < g->n_batches)
      printf(" over %zu of %zu steps", g->epoch_steps, g->n_batches);
    printf("\n");
  }
  // Kept for --json, which prints all epochs at the end.
  json_array_append_new(g->epochs,
                        json_pack("{s:I, s:I, s:o}", "epoch", (json_int_t)epoch,
                                  "steps", (json_int_t)g->epoch_steps, "loss",
                                  g->loss < 0 ? json_null() : json_real(loss)));
  g->epoch_sum = 0;
  g->epoch_steps = 0;
}

static int make_step(training *g) {
  const size_t batch = g->n_steps % g->n_batches;
  const size_t epoch = g->n_steps / g->n_batches;
  tir_error error;
  // Also for a run that begins within an epoch.
  if (batch == 0 || g->n_steps == g->first_step) shuffle(g, epoch);
  gather(g, batch);
  if (tir_run(g->step, NULL, &error))
    return tool_fail_error("train_step", &error);
  const double loss = loss_of(g);
  g->losses[g->n_steps++ - g->first_step] = loss;
  g->epoch_sum += loss;
  g->epoch_steps++;
  // A file saved from here on would be of no use.
  if (!isfinite(loss) && *g->saved)
    return tool_fail("the loss is %g at step %zu: %s was saved at step %zu",
                     loss, g->n_steps, tool_name(g->saved), g->saved_step);
  if (!isfinite(loss))
    return tool_fail("the loss is %g at step %zu: nothing was saved", loss,
                     g->n_steps);
  show(g, epoch + 1, batch + 1);
  if (batch + 1 == g->n_batches || g->n_steps == g->end_step)
    end_epoch(g, epoch + 1);
  const long every = g->t->options.checkpoint;
  // The last step is saved by --save-as in any case.
  if (every && g->n_steps % (size_t)every == 0 && g->n_steps < g->end_step)
    return save_checkpoint(g);
  return TOOL_OK;
}

// Of the steps of this run; earlier ones are not in the file.
static int draw_curve(const training *g) {
  const char *path = g->t->options.plot;
  char *text =
      tool_plot(g->losses, g->n_steps - g->first_step, g->first_step, "loss");
  if (!text) return tool_fail("out of memory");
  const int status = tool_write_text(g->t, path, text, strlen(text));
  free(text);
  return status;
}

static int train(training *g) {
  const tool_options *o = &g->t->options;
  // Not signal(), whose handler may last for one signal only.
  const struct sigaction action = {.sa_handler = interrupt};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  g->start_ns = tool_now_ns();
  while (g->n_steps < g->end_step && !interrupted)
    if (make_step(g) != TOOL_OK) return TOOL_FAILED;
  // An interrupted run too: it goes on from there.
  if (save(g, o->save_as) != TOOL_OK) return TOOL_FAILED;
  if (o->plot && draw_curve(g) != TOOL_OK) return TOOL_FAILED;
  if (interrupted)
    return tool_fail(
        "interrupted at step %zu of %zu: saved %s, from where "
        "training goes on",
        g->n_steps, g->end_step, tool_name(o->save_as));
  if (!o->json) return TOOL_OK;
  return tool_print_json(json_pack(
      "{s:s, s:I, s:I, s:f, s:O}", "graph", tir_graph_name(g->t->graph),
      "first_step", (json_int_t)g->first_step, "steps", (json_int_t)g->n_steps,
      "seconds", (double)(tool_now_ns() - g->start_ns) / 1e9, "epochs",
      g->epochs));
}

// --- the verb --------------------------------------------------------------

static int check_paths(tool *t) {
  const tool_options *o = &t->options;
  // Asked before hours of training.
  if (!o->save_as) return tool_usage(t, "--save-as is missing");
  if (o->checkpoint_as && !o->checkpoint)
    return tool_usage(t, "--checkpoint-as needs --checkpoint");
  if (tool_may_write(t, o->save_as) != TOOL_OK) return TOOL_FAILED;
  if (o->checkpoint_as && tool_may_write(t, o->checkpoint_as) != TOOL_OK)
    return TOOL_FAILED;
  return o->plot ? tool_may_write(t, o->plot) : TOOL_OK;
}

int tool_train(tool *t) {
  int status = check_paths(t);
  if (status != TOOL_OK) return status;
  training g = {.t = t};
  if (!t->options.graph) t->options.graph = "train_step";
  status = tool_load_graph(t);
  if (status == TOOL_OK) status = prepare(&g);
  if (status == TOOL_OK) status = train(&g);
  for (size_t i = 0; g.feeds && i < g.n_feeds; i++) {
    tool_free_rows(&g.feeds[i].rows);
    free(g.feeds[i].batch);
  }
  free(g.feeds);
  free(g.order);
  free(g.losses);
  json_decref(g.epochs);
  tir_instance_destroy(g.step);
  tir_program_destroy(g.program);
  return status;
}
