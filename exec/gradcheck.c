// tir_gradcheck: gradients against central differences in f64.
//
//   D(h) = (f(x + h) - f(x - h)) / 2h,   d = (4 D(h/2) - D(h)) / 3
//
// D(h) = f' + h^2 f'''/6 + O(h^4), and this one Richardson step cancels the h^2
// term, so the error falls with h^4. Everything goes through a live tape,
// recorded anew for each evaluation: what users run is what is checked. The
// second order checks the function (sum of c_i * grad_i) in the same way, with
// fixed weights c_i that hide no sign.
#include <float.h>
#include <math.h>
#include <string.h>

#include "ir/base/checked.h"
#include "ir/base/tensor.h"
#include "ir/record.h"
#include "tapeir/tapeir.h"

typedef struct gradcheck {
  tir_context *context;
  tir_gradcheck_fn fn;
  void *user;
  bool of_gradient;  // second order: fn is differentiated first
  tir_tensor *const *inputs;
  size_t n_inputs;
  double step, relative, absolute;
  tir_tape *tape;
  tir_tensor **points;  // copies of the inputs, which the check may move
  // Of the recording at hand; `grads` is the second half of their block.
  tir_value *values;
  tir_value *grads;
  tir_status failed;  // of weights, while recording
  tir_error *error;
} gradcheck;

// --- recording -------------------------------------------------------------

// Central differences need a scalar; a sum hides no element.
static tir_value total(tir_tape *tape, tir_value x) {
  return tir_value_rank(tape, x) == 0 ? x : tir_sum(tape, x, NULL, 0, false);
}

// Weights in [0.5, 1.5), different for every element, the same every time.
static tir_value weighted(gradcheck *c, size_t input, tir_value grad) {
  const tir_tensor *like = c->points[input];
  tir_tensor *weights = NULL;
  c->failed = tir_tensor_create(c->context, TIR_DTYPE_F64, like->dims,
                                like->rank, &weights, c->error);
  if (c->failed != TIR_OK) return (tir_value){0};
  double *w = weights->data;
  for (int64_t i = 0; i < weights->numel; i++) {
    // Multiples of the golden ratio, modulo 1, spread evenly over [0, 1).
    const double turn =
        0.6180339887498949 * (double)(i + 1) + 0.37 * (double)input;
    w[i] = 0.5 + (turn - floor(turn));
  }
  const tir_value value = tir_value_from_tensor(c->tape, weights);
  tir_tensor_release(weights);
  return total(c->tape, tir_mul(c->tape, grad, value));
}

// Sum of the weighted gradients of fn at c->values.
// An input that fn does not use adds zeros.
static tir_value gradient_sum(gradcheck *c, tir_value head) {
  const tir_backward_options options = {
      .create_graph = true,
      .allow_unused = true,
  };
  tir_value sum = {0};
  tir_grad(c->tape, &head, 1, NULL, 0, c->values, c->n_inputs, &options,
           c->grads);
  for (size_t i = 0; i < c->n_inputs && c->failed == TIR_OK; i++) {
    const tir_value term = weighted(c, i, c->grads[i]);
    sum = i == 0 ? term : tir_add(c->tape, sum, term);
  }
  return sum;
}

// Records the function at the present points, as a scalar. All of it is one
// step, and draws begin anew each time: the function draws the same numbers.
static tir_value record(gradcheck *c) {
  c->tape->n_random = 0;
  for (size_t i = 0; i < c->n_inputs; i++) {
    const tir_tensor *point = c->points[i];
    c->values[i] = tir_value_from_data(c->tape, TIR_DTYPE_F64, point->dims,
                                       point->rank, point->data);
    tir_attach_grad(c->tape, c->values[i], TIR_GRAD_WRITE);
  }
  tir_record_begin(c->tape, false);
  const tir_value y = c->fn(c->user, c->tape, c->values, c->n_inputs);
  tir_value scalar = y;
  // Without a value there is nothing to sum: check_head says so.
  if (tir_tape_status(c->tape) == TIR_OK && tir_value_is_valid(c->tape, y)) {
    scalar = total(c->tape, y);
    if (c->of_gradient) scalar = gradient_sum(c, scalar);
  }
  tir_mode_end(c->tape);
  return scalar;
}

// Errors of the function itself come out as they are.
static tir_status check_head(gradcheck *c, tir_value y) {
  if (c->failed != TIR_OK) return c->failed;
  TIR_TRY(tir_tape_check(c->tape, c->error));
  if (!tir_value_is_valid(c->tape, y))
    return tir_base_fail(c->error, TIR_ERR_ARGUMENT,
                         "gradcheck: the function returned no value");
  const tir_dtype dtype = tir_value_dtype(c->tape, y);
  if (dtype == TIR_DTYPE_F64) return TIR_OK;
  return tir_base_fail(c->error, TIR_ERR_DTYPE,
                       "gradcheck: the function returned %s, expected f64",
                       tir_dtype_name(dtype));
}

// f at the present points.
static tir_status evaluate(gradcheck *c, double *out_y) {
  tir_scope_begin(c->tape);
  const tir_value y = record(c);
  tir_status status = check_head(c, y);
  if (status == TIR_OK)
    status = tir_read_into(c->tape, y, out_y, sizeof *out_y, c->error);
  tir_scope_end(c->tape);
  return status;
}

// Gradients of f at the inputs as new tensors in `out`.
static tir_status differentiate(gradcheck *c, tir_tensor **out) {
  const tir_backward_options options = {.allow_unused = true};
  tir_scope_begin(c->tape);
  const tir_value y = record(c);
  tir_status status = check_head(c, y);
  if (status == TIR_OK) {
    tir_grad(c->tape, &y, 1, NULL, 0, c->values, c->n_inputs, &options,
             c->grads);
    status = tir_tape_check(c->tape, c->error);
  }
  for (size_t i = 0; i < c->n_inputs && status == TIR_OK; i++)
    status = tir_read(c->tape, c->grads[i], &out[i], c->error);
  tir_scope_end(c->tape);
  return status;
}

// --- differences -----------------------------------------------------------

// The point is put back exactly, whatever happened.
static tir_status central(gradcheck *c, double *x, double h, double *out_d) {
  const double middle = *x;
  double above = 0, below = 0;
  *x = middle + h;
  const double upper = *x;
  tir_status status = evaluate(c, &above);
  *x = middle - h;
  const double lower = *x;
  if (status == TIR_OK) status = evaluate(c, &below);
  *x = middle;
  // The step really taken, which differs from 2h by rounding.
  *out_d = (above - below) / (upper - lower);
  return status;
}

// h balances truncation, which falls with h, against rounding, which grows.
static tir_status difference(gradcheck *c, double *x, double *out_d) {
  const double scale = fabs(*x) > 1 ? fabs(*x) : 1;
  // Of a central difference they are about h^2 and eps / h, which meet at
  // eps^(1/3).
  const double h = c->step > 0 ? c->step : cbrt(DBL_EPSILON) * scale;
  double whole = 0, half = 0;
  TIR_TRY(central(c, x, h, &whole));
  TIR_TRY(central(c, x, h / 2, &half));
  *out_d = (4 * half - whole) / 3;
  return TIR_OK;
}

// Relative to the larger of the two, and an absolute floor for zeros.
static tir_status compare(gradcheck *c, size_t input, double gradient,
                          int64_t element) {
  double *x = (double *)c->points[input]->data + element;
  double expected = 0;
  TIR_TRY(difference(c, x, &expected));
  const double size = fmax(fabs(gradient), fabs(expected));
  const double off = fabs(gradient - expected);
  // Written so that a NaN on either side fails.
  if (off <= c->absolute + c->relative * size) return TIR_OK;
  return tir_base_fail(
      c->error, TIR_ERR_VALUE,
      "gradcheck: %s of input %zu at element %lld is %s, central "
      "differences give %s",
      c->of_gradient ? "second gradient" : "gradient", input,
      (long long)element, TIR_NUMBER(gradient, 17), TIR_NUMBER(expected, 17));
}

// Four evaluations for each element, until the first one that is off.
static tir_status check_all(gradcheck *c, tir_tensor **gradients) {
  TIR_TRY(differentiate(c, gradients));
  for (size_t i = 0; i < c->n_inputs; i++) {
    const double *g = gradients[i]->data;
    for (int64_t k = 0; k < c->points[i]->numel; k++)
      TIR_TRY(compare(c, i, g[k], k));
  }
  return TIR_OK;
}

// --- one order -------------------------------------------------------------

static tir_status copy_points(gradcheck *c) {
  for (size_t i = 0; i < c->n_inputs; i++) {
    const tir_tensor *input = c->inputs[i];
    TIR_TRY(tir_tensor_from_data(c->context, input->dtype, input->dims,
                                 input->rank, input->data, &c->points[i],
                                 c->error));
  }
  return TIR_OK;
}

static void release_all(tir_tensor **tensors, size_t n) {
  for (size_t i = 0; i < n; i++) {
    tir_tensor_release(tensors[i]);
    tensors[i] = NULL;
  }
}

// A tape of its own per order: what one recorded cannot help the other.
static tir_status check_order(gradcheck *c, bool of_gradient) {
  const size_t bytes = c->n_inputs * sizeof(tir_tensor *);
  tir_tensor **gradients =
      tir_base_alloc_zero(c->context, bytes, _Alignof(tir_tensor *));
  if (!gradients) return tir_base_fail_memory(c->error, bytes);
  c->of_gradient = of_gradient;
  tir_status status = copy_points(c);
  if (status == TIR_OK)
    status = tir_tape_create(c->context, NULL, &c->tape, c->error);
  if (status == TIR_OK) status = check_all(c, gradients);
  tir_tape_destroy(c->tape);
  c->tape = NULL;
  release_all(c->points, c->n_inputs);
  release_all(gradients, c->n_inputs);
  tir_base_free(c->context, gradients, bytes, _Alignof(tir_tensor *));
  return status;
}

// --- public ----------------------------------------------------------------

static tir_status check_arguments(const gradcheck *c,
                                  const tir_gradcheck_options *options) {
  if (!c->context || !c->fn || (c->n_inputs > 0 && !c->inputs))
    return tir_base_fail(c->error, TIR_ERR_ARGUMENT, "gradcheck: %s is NULL",
                         !c->context ? "context"
                         : !c->fn    ? "fn"
                                     : "inputs");
  if (c->n_inputs == 0)
    return tir_base_fail(c->error, TIR_ERR_ARGUMENT,
                         "gradcheck: there are no inputs");
  for (size_t i = 0; i < c->n_inputs; i++) {
    if (!c->inputs[i])
      return tir_base_fail(c->error, TIR_ERR_ARGUMENT,
                           "gradcheck: input %zu is NULL", i);
    if (c->inputs[i]->dtype != TIR_DTYPE_F64)
      return tir_base_fail(c->error, TIR_ERR_DTYPE,
                           "gradcheck: input %zu is %s, expected f64", i,
                           tir_dtype_name(c->inputs[i]->dtype));
  }
  for (size_t i = 0; i < 8; i++)
    if (options->reserved[i] != 0)
      return tir_base_fail(c->error, TIR_ERR_ARGUMENT,
                           "gradcheck: a reserved option is set: built for a "
                           "newer header");
  if (!(options->step >= 0) || !(options->relative_tolerance >= 0) ||
      !(options->absolute_tolerance >= 0))
    return tir_base_fail(c->error, TIR_ERR_ARGUMENT,
                         "gradcheck: step and tolerances must not be negative");
  return TIR_OK;
}

tir_status tir_gradcheck(tir_context *context, tir_gradcheck_fn fn, void *user,
                         tir_tensor *const *inputs, size_t n_inputs,
                         const tir_gradcheck_options *options,
                         tir_error *error) {
  const tir_gradcheck_options defaults = {0};
  if (!options) options = &defaults;
  gradcheck c = {
      .context = context,
      .fn = fn,
      .user = user,
      .inputs = inputs,
      .n_inputs = n_inputs,
      .step = options->step,
      .error = error,
  };
  TIR_TRY(check_arguments(&c, options));
  c.relative = options->relative_tolerance;
  c.absolute = options->absolute_tolerance;
  if (c.relative == 0) c.relative = 1e-6;
  if (c.absolute == 0) c.absolute = 1e-8;

  size_t values_bytes = 0, points_bytes = 0;
  if (!tir_base_size_mul(n_inputs, 2 * sizeof(tir_value), &values_bytes) ||
      !tir_base_size_mul(n_inputs, sizeof(tir_tensor *), &points_bytes))
    return tir_base_fail_memory(error, SIZE_MAX);
  c.values = tir_base_alloc_zero(context, values_bytes, _Alignof(tir_value));
  c.points = tir_base_alloc_zero(context, points_bytes, _Alignof(tir_tensor *));
  tir_status status = TIR_OK;
  if (c.values && c.points) {
    c.grads = c.values + n_inputs;
    status = check_order(&c, false);
    if (status == TIR_OK && options->second_order)
      status = check_order(&c, true);
  } else {
    status = tir_base_fail_memory(error, values_bytes + points_bytes);
  }
  tir_base_free(context, c.values, values_bytes, _Alignof(tir_value));
  tir_base_free(context, c.points, points_bytes, _Alignof(tir_tensor *));
  return status;
}
