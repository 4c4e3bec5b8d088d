// tapeir check: gradients against central differences.
//
//   D(h) = (S(x + h) - S(x - h)) / 2h,   d = (4 D(h/2) - D(h)) / 3
//
// S is the sum of all float outputs. The differentiated graph is widened to
// f64, where rounding leaves room for small steps, and one program gives
// outputs and gradients. Large values are checked at coordinates drawn from
// the seed. At a kink the slopes from both sides differ and any gradient
// between them is right; kinks are counted.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

typedef struct slope {
  checking *c;
  const tir_graph *graph;  // not differentiated
  tir_graph *wide;
  tir_module *module;  // parameters in f64
  tir_program *program;
  tir_instance *instance;
  tir_tensor **inputs;  // as bound
  size_t n_inputs;
  size_t n_outputs;  // of the graph that is not differentiated
  double **base;     // float outputs at the point itself, else NULL
  double magnitude;  // sum of their absolute values
  uint64_t random;
} slope;

// The value whose coordinates are moved.
typedef struct variable {
  const char *name;
  tir_tensor *tensor;  // f64
  bool is_param;
  double *gradient;
} variable;

// --- preparing -------------------------------------------------------------

// The tensor in f64; other dtypes than floats just get one more reference.
static int widen(tool *t, tir_tensor *from, tir_tensor **out) {
  tir_error error;
  void *data;
  *out = NULL;
  if (!tool_is_float(tir_tensor_dtype(from))) {
    *out = tir_tensor_retain(from);
    return TOOL_OK;
  }
  if (tir_tensor_create(t->context, TIR_DTYPE_F64, tir_tensor_dims(from),
                        tir_tensor_rank(from), out, &error) ||
      tir_tensor_write_begin(*out, &data, &error))
    return tool_fail_error("check", &error);
  const size_t n = (size_t)tir_tensor_numel(from);
  for (size_t i = 0; i < n; i++) ((double *)data)[i] = tool_element(from, i);
  tir_tensor_write_end(*out);
  return TOOL_OK;
}

// Parameters of the file in f64, in a module for the widened graph.
static int widen_params(slope *s) {
  tool *t = s->c->t;
  tir_error error;
  if (tir_module_create(t->context, &s->module, &error))
    return tool_fail_error("check", &error);
  for (size_t i = 0; i < tir_graph_n_params(s->wide); i++) {
    tir_port port;
    tir_tensor *from = NULL, *to = NULL;
    tir_graph_param(s->wide, i, &port);
    const int64_t at = tir_module_find_param(t->module, port.name);
    tir_status failed =
        tir_module_get_param(t->module, port.name, &from, &error);
    int status = failed ? tool_fail_error("check", &error) : TOOL_OK;
    if (status == TOOL_OK) status = widen(t, from, &to);
    if (status == TOOL_OK &&
        tir_module_add_param(s->module, port.name,
                             tir_module_param_kind(t->module, (size_t)at), to,
                             &error))
      status = tool_fail_error("check", &error);
    tir_tensor_release(from);
    tir_tensor_release(to);
    if (status != TOOL_OK) return status;
  }
  return TOOL_OK;
}

// Drawn in the dtypes of the graph and widened then: the same point as where
// values were checked.
static int widen_inputs(slope *s) {
  tool *t = s->c->t;
  tir_error error;
  tool_tensors v = {0};
  int status = tool_make_room(s->graph, &v);
  if (status == TOOL_OK) status = tool_some_inputs(t, s->graph, v.in);
  for (size_t i = 0; i < v.n_in && status == TOOL_OK; i++)
    status = widen(t, v.in[i], &s->inputs[i]);
  tool_free_tensors(&v);
  if (status == TOOL_OK)
    status = tool_compile(t, s->wide, "full", s->inputs, &s->program);
  if (status == TOOL_OK &&
      tir_instance_create(s->program, s->module, &s->instance, &error))
    status = tool_fail_error("check", &error);
  for (size_t i = 0; i < s->n_inputs && status == TOOL_OK; i++)
    if (tir_instance_bind_input(s->instance, i, tir_tensor_data(s->inputs[i]),
                                tir_tensor_size_bytes(s->inputs[i]), &error))
      status = tool_fail_error("check", &error);
  return status;
}

// --- evaluating ------------------------------------------------------------

static size_t numel(const tir_port *port) {
  size_t n = 1;
  for (int i = 0; i < port->rank; i++) n *= (size_t)port->dims[i];
  return n;
}

static int run(slope *s) {
  tir_error error;
  if (tir_run(s->instance, NULL, &error))
    return tool_fail_error("check", &error);
  return TOOL_OK;
}

// The magnitudes say how well S itself is known.
static int keep_base(slope *s) {
  if (run(s) != TOOL_OK) return TOOL_FAILED;
  for (size_t i = 0; i < s->n_outputs; i++) {
    tir_port port;
    tir_program_output(s->program, i, &port);
    if (port.dtype != TIR_DTYPE_F64) continue;
    const size_t n = numel(&port);
    s->base[i] = malloc((n + 1) * sizeof(double));
    if (!s->base[i]) return tool_fail("out of memory");
    const double *y = tir_instance_output(s->instance, i);
    if (n) memcpy(s->base[i], y, n * sizeof *y);
    for (size_t k = 0; k < n; k++) s->magnitude += fabs(y[k]);
  }
  return TOOL_OK;
}

// S here minus S at the point, summed up in an order that loses little.
static int rise(slope *s, double *out) {
  *out = 0;
  if (run(s) != TOOL_OK) return TOOL_FAILED;
  for (size_t i = 0; i < s->n_outputs; i++) {
    if (!s->base[i]) continue;
    tir_port port;
    tir_program_output(s->program, i, &port);
    const double *y = tir_instance_output(s->instance, i);
    const size_t n = numel(&port);
    // Not the difference of equal ones: ∞ − ∞ would be NaN.
    for (size_t k = 0; k < n; k++)
      if (y[k] != s->base[i][k]) *out += y[k] - s->base[i][k];
  }
  return TOOL_OK;
}

// An input is read where it stands; a parameter is copied into the module.
static int put(slope *s, const variable *x, size_t at, double value) {
  tir_error error;
  void *data;
  if (tir_tensor_write_begin(x->tensor, &data, &error))
    return tool_fail_error("check", &error);
  ((double *)data)[at] = value;
  tir_tensor_write_end(x->tensor);
  if (x->is_param &&
      tir_module_set_param(s->module, x->name, x->tensor, &error))
    return tool_fail_error("check", &error);
  return TOOL_OK;
}

// --- one coordinate --------------------------------------------------------

typedef struct sides {
  double central, left, right;
} sides;

static int look_aside(slope *s, const variable *x, size_t at, double h,
                      sides *out) {
  const double middle = tool_element(x->tensor, at);
  double above, below;
  // Back to the very same number at the end.
  if (put(s, x, at, middle + h) != TOOL_OK || rise(s, &above) != TOOL_OK ||
      put(s, x, at, middle - h) != TOOL_OK || rise(s, &below) != TOOL_OK ||
      put(s, x, at, middle) != TOOL_OK)
    return TOOL_FAILED;
  // The steps really taken, which differ from h by rounding.
  const double up = (middle + h) - middle, down = middle - (middle - h);
  *out = (sides){(above - below) / (up + down), -below / down, above / up};
  return TOOL_OK;
}

typedef struct verdict {
  bool good, kink;
  double gradient, expected, off;
} verdict;

static int judge(slope *s, const variable *x, size_t at, verdict *out) {
  const double size = fmax(1, fabs(tool_element(x->tensor, at)));
  // About ε^(1/3): there the error of the formula, h², meets that of rounding,
  // ε/h.
  const double h = cbrt(DBL_EPSILON) * size;
  sides whole, half;
  if (look_aside(s, x, at, h, &whole) != TOOL_OK ||
      look_aside(s, x, at, h / 2, &half) != TOOL_OK)
    return TOOL_FAILED;
  const double g = x->gradient[at];
  // Extrapolated: the terms in h² cancel.
  const double d = (4 * half.central - whole.central) / 3;
  // Relative where slopes are large, else what rounding of S leaves.
  const double room =
      1e-5 * fmax(fabs(g), fabs(d)) + 1e-8 * fmax(1, s->magnitude);
  *out = (verdict){.gradient = g, .expected = d, .off = fabs(g - d)};
  // Written so that a NaN on either side fails.
  out->good = out->off <= room;
  if (out->good) return TOOL_OK;
  const double low = fmin(half.left, half.right) - room;
  const double high = fmax(half.left, half.right) + room;
  // At a kink the slope of either side stays when the step is halved; what is
  // only steep changes.
  const double jump = fabs(half.right - half.left);
  const double change =
      fmax(fabs(half.right - whole.right), fabs(half.left - whole.left));
  out->kink = g >= low && g <= high && jump > room && change < 0.1 * jump;
  out->good = out->kink;
  return TOOL_OK;
}

// --- one value -------------------------------------------------------------

// With replacement: a coordinate may come twice.
static size_t draw(slope *s, size_t n) {
  s->random = s->random * 6364136223846793005u + 1442695040888963407u;
  return (size_t)(s->random >> 33) % n;
}

static int check_variable(slope *s, const variable *x) {
  const size_t n = (size_t)tir_tensor_numel(x->tensor);
  const size_t most = (size_t)s->c->t->options.samples;
  const size_t n_samples = n < most ? n : most;
  verdict worst = {.good = true, .off = -1};
  size_t worst_at = 0, n_kinks = 0;
  for (size_t i = 0; i < n_samples; i++) {
    verdict v = {0};
    // All of them where there are few.
    const size_t at = n == n_samples ? i : draw(s, n);
    if (judge(s, x, at, &v) != TOOL_OK) return TOOL_FAILED;
    n_kinks += v.kink;
    // A failure is worse than any success, a NaN than any number.
    const bool worse =
        worst.good != v.good ? worst.good : !(v.off <= worst.off);
    if (v.kink || !worse) continue;
    worst = v;
    worst_at = at;
  }
  char at[128], text[384];
  check_coordinate(x->tensor, worst_at, at, sizeof at);
  const bool any = worst.off >= 0 || isnan(worst.off);
  size_t k = (size_t)snprintf(text, sizeof text, "%zu of %zu coordinates",
                              n_samples, n);
  if (n_kinks)
    k +=
        (size_t)snprintf(text + k, sizeof text - k, ", %zu at a kink", n_kinks);
  if (worst.good && any)
    snprintf(text + k, sizeof text - k, ", off by at most %.3g", worst.off);
  else if (any)
    snprintf(text + k, sizeof text - k,
             ", worst at %s: the gradient is %.12g, differences give %.12g", at,
             worst.gradient, worst.expected);
  check_report(s->c, s->graph, "slope", x->name, worst.good,
               json_pack("{s:I, s:I, s:I, s:s, s:o, s:o, s:o}", "coordinates",
                         (json_int_t)n_samples, "elements", (json_int_t)n,
                         "kinks", (json_int_t)n_kinks, "worst", at, "gradient",
                         tool_json_number(worst.gradient), "expected",
                         tool_json_number(worst.expected), "difference",
                         tool_json_number(any ? worst.off : 0)),
               text);
  return TOOL_OK;
}

// The gradient output of `name`, copied; NULL if it has none.
static int find_gradient(slope *s, variable *x) {
  // Names have 1024 bytes at most.
  char wanted[1100];
  snprintf(wanted, sizeof wanted, "%s.grad", x->name);
  x->gradient = NULL;
  for (size_t i = s->n_outputs; i < tir_graph_n_outputs(s->wide); i++) {
    tir_port port;
    tir_program_output(s->program, i, &port);
    if (strcmp(port.name, wanted) != 0) continue;
    const size_t n = numel(&port);
    x->gradient = malloc((n + 1) * sizeof(double));
    if (!x->gradient) return tool_fail("out of memory");
    if (n)
      memcpy(x->gradient, tir_instance_output(s->instance, i),
             n * sizeof(double));
    return TOOL_OK;
  }
  return TOOL_OK;
}

static int check_one(slope *s, variable *x) {
  if (tir_tensor_dtype(x->tensor) != TIR_DTYPE_F64) return TOOL_OK;
  // The last run may have been at a moved point.
  int status = run(s);
  if (status == TOOL_OK) status = find_gradient(s, x);
  if (status == TOOL_OK && x->gradient) status = check_variable(s, x);
  free(x->gradient);
  return status;
}

static int check_all(slope *s) {
  int status = keep_base(s);
  for (size_t i = 0; i < s->n_inputs && status == TOOL_OK; i++) {
    tir_port port;
    tir_graph_input(s->wide, i, &port);
    variable x = {.name = port.name, .tensor = s->inputs[i]};
    status = check_one(s, &x);
  }
  for (size_t i = 0; i < tir_graph_n_params(s->wide) && status == TOOL_OK;
       i++) {
    tir_port port;
    tir_error error;
    variable x = {.is_param = true};
    tir_graph_param(s->wide, i, &port);
    x.name = port.name;
    if (tir_module_get_param(s->module, x.name, &x.tensor, &error))
      return tool_fail_error("check", &error);
    status = check_one(s, &x);
    tir_tensor_release(x.tensor);
  }
  return status;
}

int check_slope(checking *c, const tir_graph *graph,
                const tir_graph *gradient) {
  slope s = {
      .c = c,
      .graph = graph,
      .n_inputs = tir_graph_n_inputs(graph),
      .n_outputs = tir_graph_n_outputs(graph),
      .random = tool_seed(c->t) * 2 + 1,
  };
  tir_error error;
  if (tir_graph_optimize(gradient, "widen-floats", &s.wide, &error)) {
    // Not every op has an f64 form for every dtype it takes.
    check_skip(c, graph, "slope", error.message);
    return TOOL_OK;
  }
  s.inputs = calloc(s.n_inputs + 1, sizeof(tir_tensor *));
  s.base = calloc(s.n_outputs + 1, sizeof(double *));
  int status = s.inputs && s.base ? TOOL_OK : tool_fail("out of memory");
  if (status == TOOL_OK) status = widen_params(&s);
  if (status == TOOL_OK) status = widen_inputs(&s);
  if (status == TOOL_OK) status = check_all(&s);
  tir_instance_destroy(s.instance);
  tir_program_destroy(s.program);
  for (size_t i = 0; s.base && i < s.n_outputs; i++) free(s.base[i]);
  free(s.base);
  if (s.inputs) tool_release(s.inputs, s.n_inputs);
  free(s.inputs);
  tir_module_destroy(s.module);
  tir_graph_destroy(s.wide);
  return status;
}
