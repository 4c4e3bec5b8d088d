// Initial values. Every element is a function of the seed, the stream and its
// number, so that nothing depends on the order in which they are made. All is
// computed in double and rounded to the tensor's dtype at the end.
#include "tapeir/init.h"

#include <inttypes.h>
#include <math.h>

#include "ir/base/checked.h"
#include "ir/base/tensor.h"
#include "ir/dtype.h"
#include "ir/training/philox.h"

// Draws of a truncated normal before it is given up and cut; that many fail
// about once in 10^85 elements.
enum { MAX_DRAWS = 64 };

// What fills a tensor: element e becomes offset + scale · draw(e).
typedef struct fill {
  const char *call;
  double offset, scale;  // of the element that `draw` makes
  uint64_t seed, stream;
  double (*draw)(const struct fill *f, int64_t e);
} fill;

// In [0, 1), 53 bits.
static double uniform(const fill *f, int64_t e) {
  const tir_ir_philox p = tir_ir_philox_open(f->seed, f->stream, 0);
  return tir_ir_philox_uniform(&p, e);
}

static double normal(const fill *f, int64_t e) {
  const tir_ir_philox p = tir_ir_philox_open(f->seed, f->stream, 0);
  return tir_ir_philox_normal(&p, e);
}

// Draw number k is that of step k. Cut at two deviations: a draw outside is
// drawn again.
static double truncated(const fill *f, int64_t e) {
  double x = 0;
  for (uint64_t k = 0; k < MAX_DRAWS; k++) {
    const tir_ir_philox p = tir_ir_philox_open(f->seed, f->stream, k);
    x = tir_ir_philox_normal(&p, e);
    if (fabs(x) <= 2) return x;
  }
  return copysign(2, x);
}

static double nothing(const fill *f, int64_t e) {
  (void)f;
  (void)e;
  return 0;
}

// `call` names the caller's function in messages.
static tir_status check_float(const char *call, const tir_tensor *tensor,
                              tir_error *error) {
  if (!tensor)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "%s: tensor is NULL", call);
  if (tir_ir_dtype_is_float(tensor->dtype)) return TIR_OK;
  return tir_base_fail(error, TIR_ERR_DTYPE, "%s: tensor is %s, not a float",
                       call, tir_dtype_name(tensor->dtype));
}

// The numbers were judged by the caller. A frozen tensor is refused as a whole.
static tir_status run(const fill *f, tir_tensor *tensor, tir_error *error) {
  void *data = NULL;
  TIR_TRY(tir_tensor_write_begin(tensor, &data, error));
  const size_t size = tir_dtype_size(tensor->dtype);
  for (int64_t e = 0; e < tensor->numel; e++)
    tir_ir_store_f64(tensor->dtype, (char *)data + (size_t)e * size,
                     f->offset + f->scale * f->draw(f, e));
  tir_tensor_write_end(tensor);
  return TIR_OK;
}

tir_status tir_init_constant(tir_tensor *tensor, double value,
                             tir_error *error) {
  const fill f = {.call = "init_constant", .offset = value, .draw = nothing};
  return run(&f, tensor, error);
}

tir_status tir_init_uniform(tir_tensor *tensor, double low, double high,
                            uint64_t seed, uint64_t stream, tir_error *error) {
  const fill f = {"init_uniform", low, high - low, seed, stream, uniform};
  TIR_TRY(check_float(f.call, tensor, error));
  if (!isfinite(f.scale) || low > high)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "%s: the bounds are %s and %s, expected finite ones "
                         "in order",
                         f.call, TIR_NUMBER(low, 6), TIR_NUMBER(high, 6));
  return run(&f, tensor, error);
}

// A deviation of 0 gives the mean everywhere.
static tir_status fill_normal(const fill *f, tir_tensor *tensor,
                              tir_error *error) {
  TIR_TRY(check_float(f->call, tensor, error));
  if (!isfinite(f->offset) || !isfinite(f->scale) || f->scale < 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "%s: mean is %s, standard deviation %s, expected "
                         "finite ones, 0 or more",
                         f->call, TIR_NUMBER(f->offset, 6),
                         TIR_NUMBER(f->scale, 6));
  return run(f, tensor, error);
}

tir_status tir_init_normal(tir_tensor *tensor, double mean,
                           double standard_deviation, uint64_t seed,
                           uint64_t stream, tir_error *error) {
  const fill f = {"init_normal", mean,   standard_deviation,
                  seed,          stream, normal};
  return fill_normal(&f, tensor, error);
}

tir_status tir_init_truncated_normal(tir_tensor *tensor, double mean,
                                     double standard_deviation, uint64_t seed,
                                     uint64_t stream, tir_error *error) {
  const fill f = {"init_truncated_normal",
                  mean,
                  standard_deviation,
                  seed,
                  stream,
                  truncated};
  return fill_normal(&f, tensor, error);
}

// --- by fans ---------------------------------------------------------------

static tir_status check_matrix(const char *call, const tir_tensor *tensor,
                               tir_error *error) {
  TIR_TRY(check_float(call, tensor, error));
  if (tensor->rank >= 2) return TIR_OK;
  return tir_base_fail(error, TIR_ERR_SHAPE,
                       "%s: rank is %d, expected 2 or more", call,
                       tensor->rank);
}

// In doubles, where no product overflows. A matrix is [in, out]; above rank 2
// it is [out, in, window …].
static void fans(const tir_tensor *tensor, double *out_in, double *out_out) {
  double window = 1;
  for (int i = 2; i < tensor->rank; i++) window *= (double)tensor->dims[i];
  const bool is_matrix = tensor->rank == 2;
  *out_in = window * (double)tensor->dims[is_matrix ? 0 : 1];
  *out_out = window * (double)tensor->dims[is_matrix ? 1 : 0];
}

// Elements of `draw` with the deviation gain·√(2 / fan). A uniform draw in
// ±√3·σ has the deviation σ.
static tir_status by_fan(fill f, tir_tensor *tensor, double gain, double fan,
                         tir_error *error) {
  if (!isfinite(gain) || gain < 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "%s: gain is %s, expected 0 or more", f.call,
                         TIR_NUMBER(gain, 6));
  // No element, no deviation.
  const double deviation = fan > 0 ? gain * sqrt(2 / fan) : 0;
  f.scale = deviation;
  if (f.draw == uniform) {
    f.offset = -sqrt(3) * deviation;
    f.scale = 2 * sqrt(3) * deviation;
  }
  return run(&f, tensor, error);
}

// fan is the sum of both, so that σ² = 2 / (in + out).
static tir_status xavier(fill f, tir_tensor *tensor, double gain,
                         tir_error *error) {
  double in, out;
  TIR_TRY(check_matrix(f.call, tensor, error));
  fans(tensor, &in, &out);
  return by_fan(f, tensor, gain, in + out, error);
}

// σ² = 2 / in: a relu lets half of the variance through.
static tir_status he(fill f, tir_tensor *tensor, tir_error *error) {
  double in, out;
  TIR_TRY(check_matrix(f.call, tensor, error));
  fans(tensor, &in, &out);
  return by_fan(f, tensor, 1, in, error);
}

tir_status tir_init_xavier_uniform(tir_tensor *tensor, double gain,
                                   uint64_t seed, uint64_t stream,
                                   tir_error *error) {
  const fill f = {"init_xavier_uniform", 0, 0, seed, stream, uniform};
  return xavier(f, tensor, gain, error);
}

tir_status tir_init_xavier_normal(tir_tensor *tensor, double gain,
                                  uint64_t seed, uint64_t stream,
                                  tir_error *error) {
  const fill f = {"init_xavier_normal", 0, 0, seed, stream, normal};
  return xavier(f, tensor, gain, error);
}

tir_status tir_init_he_uniform(tir_tensor *tensor, uint64_t seed,
                               uint64_t stream, tir_error *error) {
  const fill f = {"init_he_uniform", 0, 0, seed, stream, uniform};
  return he(f, tensor, error);
}

tir_status tir_init_he_normal(tir_tensor *tensor, uint64_t seed,
                              uint64_t stream, tir_error *error) {
  const fill f = {"init_he_normal", 0, 0, seed, stream, normal};
  return he(f, tensor, error);
}

// --- orthogonal ------------------------------------------------------------

static double dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

// Gram and Schmidt, twice, which is enough: `count` vectors of n elements, one
// after the other. Of normal numbers the directions are uniform. The second
// pass removes what rounding left of the first.
static void orthonormalise(double *vectors, size_t count, size_t n) {
  for (size_t k = 0; k < count; k++) {
    double *v = vectors + k * n;
    for (int pass = 0; pass < 2; pass++)
      for (size_t j = 0; j < k; j++) {
        const double *u = vectors + j * n;
        const double part = dot(u, v, n);
        for (size_t i = 0; i < n; i++) v[i] -= part * u[i];
      }
    const double length = sqrt(dot(v, v, n));
    for (size_t i = 0; i < n; i++) v[i] /= length;
  }
}

// The tensor as a matrix of dims[0] rows: its rows, or its columns if they are
// fewer, are orthonormal, times gain. Columns are worked on transposed, so that
// each vector lies in one piece.
tir_status tir_init_orthogonal(tir_tensor *tensor, double gain, uint64_t seed,
                               uint64_t stream, tir_error *error) {
  const fill f = {"init_orthogonal", 0, 1, seed, stream, normal};
  TIR_TRY(check_matrix(f.call, tensor, error));
  if (!isfinite(gain))
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "%s: gain is %s", f.call,
                         TIR_NUMBER(gain, 6));
  if (tensor->numel == 0) return TIR_OK;
  const size_t numel = (size_t)tensor->numel;
  const size_t rows = (size_t)tensor->dims[0], columns = numel / rows;
  const bool by_rows = rows <= columns;
  void *data = NULL;
  TIR_TRY(tir_tensor_write_begin(tensor, &data, error));
  size_t bytes = SIZE_MAX;
  double *q = NULL;
  if (tir_base_size_mul(numel, sizeof *q, &bytes))
    q = tir_base_alloc(tensor->context, bytes, _Alignof(double));
  if (!q) return tir_base_fail_memory(error, bytes);
  for (size_t e = 0; e < numel; e++) q[e] = normal(&f, (int64_t)e);
  orthonormalise(q, by_rows ? rows : columns, by_rows ? columns : rows);
  for (size_t e = 0; e < numel; e++) {
    const size_t from = by_rows ? e : e % columns * rows + e / columns;
    tir_ir_store_f64(tensor->dtype,
                     (char *)data + e * tir_dtype_size(tensor->dtype),
                     gain * q[from]);
  }
  tir_base_free(tensor->context, q, bytes, _Alignof(double));
  tir_tensor_write_end(tensor);
  return TIR_OK;
}
