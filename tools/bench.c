// tapeir bench: how long a graph takes, and which steps.
//
// Whole runs are timed without a monitor, steps in runs of their own with
// one: reading the clock around every step costs more than small steps do.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

enum {
  // A median of fewer says little.
  MIN_RUNS = 5,
  MAX_RUNS = 100000,
  // Every step keeps that many samples.
  MAX_MONITORED = 31,
  MAX_SHOWN = 30,
};
// For whole runs, and again for steps.
static const int64_t time_budget_ns = 500000000;

typedef struct step_times {
  const char *op, *site;
  bool backward;
  int64_t samples[MAX_MONITORED];
  int n;
  // start_ns and last_ns are of the last monitored run.
  int64_t median_ns, start_ns, last_ns;
} step_times;

typedef struct benching {
  tool *t;
  tool_plan plan;
  tir_program *program;
  tir_instance *instance;
  int64_t *runs;  // durations, sorted in the end
  size_t n_runs;
  step_times *steps;
  size_t *order;  // steps by falling time
  int64_t steps_ns;
} benching;

static int by_time(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

// --- measuring -------------------------------------------------------------

static int run(benching *b, const tir_run_options *options) {
  tir_error error;
  if (tir_run(b->instance, options, &error))
    return tool_fail_error("bench", &error);
  return TOOL_OK;
}

// With --runs just so many. Else MIN_RUNS at least, and on until the time is
// up.
static int time_runs(benching *b) {
  const size_t wanted = (size_t)b->t->options.runs;
  const size_t most = wanted ? wanted : MAX_RUNS;
  b->runs = calloc(most, sizeof *b->runs);
  if (!b->runs) return tool_fail("out of memory");
  // The first run touches memory and opens BLAS.
  if (run(b, NULL) != TOOL_OK) return TOOL_FAILED;
  const int64_t begin_ns = tool_now_ns();
  while (b->n_runs < most && (wanted || b->n_runs < MIN_RUNS ||
                              tool_now_ns() - begin_ns < time_budget_ns)) {
    const int64_t start_ns = tool_now_ns();
    if (run(b, NULL) != TOOL_OK) return TOOL_FAILED;
    b->runs[b->n_runs++] = tool_now_ns() - start_ns;
  }
  // Sorted for the median and the minimum.
  qsort(b->runs, b->n_runs, sizeof *b->runs, by_time);
  return TOOL_OK;
}

// Told after each step of a monitored run.
static void note_step(void *user, const tir_step_report *report) {
  benching *b = user;
  step_times *s = &b->steps[report->step];
  s->op = report->op;
  s->site = report->site;
  s->backward = report->backward;
  s->start_ns = report->start_ns;
  s->last_ns = report->duration_ns;
  if (s->n < MAX_MONITORED) s->samples[s->n++] = report->duration_ns;
}

// The comparison reads it only while the one qsort below runs.
static const benching *sorting;  // for qsort, which takes no context

static int by_median(const void *a, const void *b) {
  const size_t i = *(const size_t *)a, k = *(const size_t *)b;
  // Falling, and equal times in the order of the steps, so that the same times
  // always give the same table.
  const int64_t x = sorting->steps[i].median_ns;
  const int64_t y = sorting->steps[k].median_ns;
  if (x != y) return x < y ? 1 : -1;
  return (i > k) - (i < k);
}

static int time_steps(benching *b) {
  const size_t n = b->plan.n_steps;
  b->steps = calloc(n + 1, sizeof *b->steps);
  b->order = calloc(n + 1, sizeof *b->order);
  if (!b->steps || !b->order) return tool_fail("out of memory");
  const tir_run_options options = {.monitor = note_step, .monitor_user = b};
  const int64_t begin_ns = tool_now_ns();
  // Three runs at least, so that a median means something.
  for (int i = 0; i < MAX_MONITORED; i++) {
    if (run(b, &options) != TOOL_OK) return TOOL_FAILED;
    if (i >= 2 && tool_now_ns() - begin_ns > time_budget_ns) break;
  }
  for (size_t i = 0; i < n; i++) {
    step_times *s = &b->steps[i];
    qsort(s->samples, (size_t)s->n, sizeof *s->samples, by_time);
    s->median_ns = s->n ? s->samples[s->n / 2] : 0;
    b->steps_ns += s->median_ns;
    b->order[i] = i;
  }
  sorting = b;
  qsort(b->order, n, sizeof *b->order, by_median);
  return TOOL_OK;
}

// --- telling ---------------------------------------------------------------

// Part of the sum of medians, which is not the median of the sum.
static double share(const benching *b, size_t step) {
  return b->steps_ns
             ? 100.0 * (double)b->steps[step].median_ns / (double)b->steps_ns
             : 0;
}

// Units change late, so that rows below each other can be compared.
static const char *duration(int64_t ns, char buffer[32]) {
  if (ns < 10000)
    snprintf(buffer, 32, "%" PRId64 " ns", ns);
  else if (ns < 10000000)
    snprintf(buffer, 32, "%.1f µs", (double)ns / 1e3);
  else
    snprintf(buffer, 32, "%.1f ms", (double)ns / 1e6);
  return buffer;
}

// Printf counts bytes, and µ has two.
static int width(const char *text, int columns) {
  return columns + (strstr(text, "µ") != NULL);
}

static void print_table(const benching *b) {
  char median[32], least[32];
  printf("%s%s%s: median %s, min %s of %zu runs, %zu steps\n",
         tool_bold(stdout), tool_name(tir_graph_name(b->t->graph)),
         tool_plain(stdout), duration(b->runs[b->n_runs / 2], median),
         duration(b->runs[0], least), b->n_runs, b->plan.n_steps);
  printf("%s%10s %6s %5s  %-16s %s%s\n", tool_dim(stdout), "time", "share",
         "step", "op", "value", tool_plain(stdout));
  for (size_t i = 0; i < b->plan.n_steps && i < MAX_SHOWN; i++) {
    const size_t at = b->order[i];
    const step_times *s = &b->steps[at];
    char time[32];
    duration(s->median_ns, time);
    printf("%*s %5.1f%% %5zu  %-16s %s%s%s%s%s%s\n", width(time, 10), time,
           share(b, at), at, s->op ? s->op : "",
           tool_name(tool_plan_step_name(&b->plan, at)),
           s->site ? tool_dim(stdout) : "", s->site ? " " : "",
           s->site ? tool_name(s->site) : "", s->site ? tool_plain(stdout) : "",
           s->backward ? " backward" : "");
  }
  if (b->plan.n_steps > MAX_SHOWN)
    printf("and %zu more (--json has all)\n", b->plan.n_steps - MAX_SHOWN);
}

// Steps by falling time, in whole nanoseconds: `tapeir view --profile` reads
// this back.
static int print_json(const benching *b) {
  json_t *steps = json_array();
  for (size_t i = 0; i < b->plan.n_steps; i++) {
    const size_t at = b->order[i];
    const step_times *s = &b->steps[at];
    json_t *row =
        json_pack("{s:I, s:s, s:s, s:I, s:f, s:b}", "step", (json_int_t)at,
                  "name", tool_plan_step_name(&b->plan, at), "op",
                  s->op ? s->op : "", "median_ns", (json_int_t)s->median_ns,
                  "share", share(b, at) / 100, "backward", s->backward);
    if (s->site) json_object_set_new(row, "site", json_string(s->site));
    json_array_append_new(steps, row);
  }
  const char *pipeline = b->t->options.pipeline;
  return tool_print_json(
      json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "graph",
                tir_graph_name(b->t->graph), "pipeline",
                pipeline ? pipeline : "full", "runs", (json_int_t)b->n_runs,
                "median_ns", (json_int_t)b->runs[b->n_runs / 2], "min_ns",
                (json_int_t)b->runs[0], "threads",
                (json_int_t)(b->t->options.threads ? b->t->options.threads : 1),
                "n_steps", (json_int_t)b->plan.n_steps, "steps", steps));
}

// The last run that was monitored, as complete events in microseconds.
static int write_trace(const benching *b) {
  const char *path = b->t->options.trace;
  json_t *events = json_array();
  for (size_t i = 0; i < b->plan.n_steps; i++) {
    const step_times *s = &b->steps[i];
    const char *name = tool_plan_step_name(&b->plan, i);
    // Op and value; a long name is cut.
    char label[512];
    snprintf(label, sizeof label, "%s%s%s", s->op ? s->op : "",
             *name ? " " : "", tool_name(name));
    tool_cut(label);
    // Relative: where the clock begins means nothing.
    json_array_append_new(
        events,
        json_pack("{s:s, s:s, s:s, s:f, s:f, s:i, s:i, s:{s:I, s:s}}", "name",
                  label, "cat", s->backward ? "backward" : "forward", "ph", "X",
                  "ts", (double)(s->start_ns - b->steps[0].start_ns) / 1e3,
                  "dur", (double)s->last_ns / 1e3, "pid", 1, "tid", 1, "args",
                  "step", (json_int_t)i, "site", s->site ? s->site : ""));
  }
  return tool_write_json(
      b->t, path,
      json_pack("{s:o, s:s}", "traceEvents", events, "displayTimeUnit", "ns"));
}

int tool_bench(tool *t) {
  benching b = {.t = t};
  tool_tensors v = {0};
  tir_error error;
  // Asked first: a refusal after all the measuring would be late.
  int status = t->options.trace ? tool_may_write(t, t->options.trace) : TOOL_OK;
  if (status == TOOL_OK) status = tool_load_graph(t);
  if (status == TOOL_OK) status = tool_make_room(t->graph, &v);
  if (status == TOOL_OK) status = tool_some_inputs(t, t->graph, v.in);
  if (status == TOOL_OK)
    status = tool_compile(t, t->graph, t->options.pipeline, v.in, &b.program);
  if (status == TOOL_OK) status = tool_plan_of_program(b.program, &b.plan);
  if (status == TOOL_OK &&
      tir_instance_create(b.program, t->module, &b.instance, &error))
    status = tool_fail_error("bench", &error);
  // Read where they stand, so they outlive the instance.
  for (size_t i = 0; i < v.n_in && status == TOOL_OK; i++)
    if (tir_instance_bind_input(b.instance, i, tir_tensor_data(v.in[i]),
                                tir_tensor_size_bytes(v.in[i]), &error))
      status = tool_fail_error("bench", &error);
  if (status == TOOL_OK) status = time_runs(&b);
  if (status == TOOL_OK) status = time_steps(&b);
  if (status == TOOL_OK && t->options.trace) status = write_trace(&b);
  if (status == TOOL_OK && t->options.json)
    status = print_json(&b);
  else if (status == TOOL_OK)
    print_table(&b);
  tir_instance_destroy(b.instance);
  tool_plan_free(&b.plan);
  tir_program_destroy(b.program);
  tool_free_tensors(&v);
  free(b.runs);
  free(b.steps);
  free(b.order);
  return status;
}
