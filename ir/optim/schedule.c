// Learning rates by step: as a C function and as a graph over a counter.
//
// Both do the same sums in the same order in f64, with + − × ÷ only, so that
// they agree to the last bit: no function of libm or of a kernel takes part.
// A power is a product over the bits of its exponent, a cosine a polynomial.

#include <inttypes.h>
#include <math.h>

#include "ir/ops/rules.h"
#include "tapeir/graph.h"
#include "tapeir/train.h"

enum { N_BITS = 32, N_SINE = 11 };

#define MAX_STEP (INT64_C(1) << 32)

// sin(πx) = x · (c0 + c1·x² + c2·x⁴ …), the series of the sine: beyond the last
// term there is nothing left of it for |x| ≤ 1/2. The highest power first.
static const double sine[N_SINE] = {
    5.392664662608129e-10,   -2.2948428997269873e-08, 7.952054001475513e-07,
    -2.1915353447830217e-05, 4.6630280576761255e-04,  -7.3704309457143504e-03,
    8.214588661112823e-02,   -5.992645293207921e-01,  2.5501640398773455,
    -5.16771278004997,       3.141592653589793};

// NULL if the schedule makes sense; only the fields its kind uses are looked
// at.
static const char *why_not(const tir_schedule *s) {
  const bool by_steps = s->kind == TIR_SCHEDULE_STEP ||
                        s->kind == TIR_SCHEDULE_COSINE ||
                        s->kind == TIR_SCHEDULE_LINEAR;
  const bool by_factor =
      s->kind == TIR_SCHEDULE_STEP || s->kind == TIR_SCHEDULE_EXPONENTIAL;
  if ((unsigned)s->kind > TIR_SCHEDULE_LINEAR) return "no such kind";
  if (!isfinite(s->rate) || !isfinite(s->last)) return "a rate is not finite";
  if (s->warmup < 0 || s->warmup > MAX_STEP) return "warmup is out of range";
  if (by_steps && (s->steps < 1 || s->steps > MAX_STEP))
    return "steps is out of range";
  if (by_factor && !(s->factor >= 0 && isfinite(s->factor)))
    return "factor is not a number from 0";
  for (size_t i = 0; i < 8; i++)
    if (s->reserved[i]) return "a reserved word is not 0";
  return NULL;
}

// factor^(2^i); the squares of a small one end in 0, of a large one in ∞.
static void powers_of(double factor, double powers[N_BITS]) {
  powers[0] = factor;
  for (int i = 1; i < N_BITS; i++) powers[i] = powers[i - 1] * powers[i - 1];
}

// --- in C ------------------------------------------------------------------

// factor^n for n below 2^32: powers whose bit is not set count as 1, and the
// list is multiplied half by half.
static double power(double factor, int64_t n) {
  double powers[N_BITS];
  powers_of(factor, powers);
  for (int i = 0; i < N_BITS; i++)
    if (!(n >> i & 1)) powers[i] = 1;
  for (int half = N_BITS / 2; half; half /= 2)
    for (int i = 0; i < half; i++) powers[i] = powers[i] * powers[i + half];
  return powers[0];
}

// (1 + cos(πx)) / 2 = (1 − sin(π(x − 1/2))) / 2
// For x in [0, 1] the argument is within ±1/2, where the series holds. Horner's
// rule, from the highest power.
static double half_cosine(double x) {
  const double at = x - 0.5, square = at * at;
  double sum = sine[0];
  for (int i = 1; i < N_SINE; i++) sum = sum * square + sine[i];
  return 0.5 - 0.5 * (at * sum);
}

static double part_of(const tir_schedule *s, int64_t step) {
  return (double)step / (double)s->steps;
}

static double after_warmup(const tir_schedule *s, int64_t step) {
  switch (s->kind) {
    case TIR_SCHEDULE_STEP:
      return s->rate * power(s->factor, step / s->steps);
    case TIR_SCHEDULE_EXPONENTIAL:
      return s->rate * power(s->factor, step);
    case TIR_SCHEDULE_COSINE:
      if (step >= s->steps) return s->last;
      return s->last + (s->rate - s->last) * half_cosine(part_of(s, step));
    case TIR_SCHEDULE_LINEAR:
      if (step >= s->steps) return s->last;
      return s->rate + (s->last - s->rate) * part_of(s, step);
    case TIR_SCHEDULE_CONSTANT:
      break;
  }
  return s->rate;
}

// NaN for no schedule. During the warm-up the rate climbs to the full one at
// step warmup − 1, and the schedule counts from the step behind it.
double tir_schedule_at(const tir_schedule *schedule, int64_t step) {
  if (!schedule || why_not(schedule)) return NAN;
  if (step < 0) step = 0;
  if (step >= MAX_STEP) step = MAX_STEP - 1;
  if (step < schedule->warmup)
    return schedule->rate * ((double)(step + 1) / (double)schedule->warmup);
  return after_warmup(schedule, step - schedule->warmup);
}

// --- in a graph ------------------------------------------------------------

static tir_value as_f64(tir_tape *t, tir_value x) {
  return tir_cast(t, x, TIR_DTYPE_F64);
}

static tir_value i64(tir_tape *t, int64_t x) {
  return tir_scalar(t, TIR_DTYPE_I64, (double)x);
}

// The bits of n choose factors; halves of the list are multiplied until one
// number is left, in the order of power(). A bit of n is set where n / 2^i is
// odd: integers divide without a remainder.
static tir_value power_value(tir_tape *t, double factor, tir_value n) {
  const int64_t dims[] = {N_BITS};
  double powers[N_BITS];
  int64_t bits[N_BITS];
  powers_of(factor, powers);
  for (int i = 0; i < N_BITS; i++) bits[i] = INT64_C(1) << i;
  const tir_value units = tir_value_from_data(t, TIR_DTYPE_I64, dims, 1, bits);
  const tir_value list = tir_value_from_data(t, TIR_DTYPE_F64, dims, 1, powers);
  const tir_value shifted = tir_div(t, n, units);
  const tir_value even = tir_mul_scalar(t, tir_div_scalar(t, shifted, 2), 2);
  tir_value product = tir_where(t, tir_equal(t, shifted, even),
                                tir_scalar(t, TIR_DTYPE_F64, 1), list);
  for (int64_t half = N_BITS / 2; half; half /= 2) {
    const int64_t zero = 0, end = 2 * half;
    product = tir_mul(t, tir_slice(t, product, &zero, &half, NULL, 1),
                      tir_slice(t, product, &half, &end, NULL, 1));
  }
  return tir_reshape(t, product, NULL, 0);
}

static tir_value half_cosine_value(tir_tape *t, tir_value x) {
  const tir_value at = tir_sub_scalar(t, x, 0.5);
  const tir_value square = tir_mul(t, at, at);
  tir_value sum = tir_scalar(t, TIR_DTYPE_F64, sine[0]);
  for (int i = 1; i < N_SINE; i++)
    sum = tir_add_scalar(t, tir_mul(t, sum, square), sine[i]);
  const tir_value half = tir_mul_scalar(t, tir_mul(t, at, sum), 0.5);
  return tir_rsub_scalar(t, half, 0.5);
}

// from + (to − from) · part, and `last` from step `steps` on.
static tir_value between(tir_tape *t, const tir_schedule *s, tir_value step,
                         double from, double to, tir_value part) {
  const tir_value rate =
      tir_add_scalar(t, tir_mul_scalar(t, part, to - from), from);
  return tir_where(t, tir_less(t, step, i64(t, s->steps)), rate,
                   tir_scalar(t, TIR_DTYPE_F64, s->last));
}

static tir_value part_value(tir_tape *t, const tir_schedule *s,
                            tir_value step) {
  return tir_div_scalar(t, as_f64(t, step), (double)s->steps);
}

static tir_value after_warmup_value(tir_tape *t, const tir_schedule *s,
                                    tir_value step) {
  switch (s->kind) {
    case TIR_SCHEDULE_STEP:
      return tir_mul_scalar(
          t, power_value(t, s->factor, tir_div(t, step, i64(t, s->steps))),
          s->rate);
    case TIR_SCHEDULE_EXPONENTIAL:
      return tir_mul_scalar(t, power_value(t, s->factor, step), s->rate);
    case TIR_SCHEDULE_COSINE:
      return between(t, s, step, s->last, s->rate,
                     half_cosine_value(t, part_value(t, s, step)));
    case TIR_SCHEDULE_LINEAR:
      return between(t, s, step, s->rate, s->last, part_value(t, s, step));
    case TIR_SCHEDULE_CONSTANT:
      break;
  }
  return tir_scalar(t, TIR_DTYPE_F64, s->rate);
}

// The step is kept within the bounds of the C function; both read the same
// there.
static tir_value rate_value(tir_tape *t, const tir_schedule *s,
                            tir_value step) {
  const tir_value most = i64(t, MAX_STEP - 1);
  step = tir_maximum(t, step, i64(t, 0));
  step = tir_where(t, tir_less(t, step, most), step, most);
  // Below 0 in the warm-up, where what comes of it is not chosen.
  const tir_value rest =
      tir_maximum(t, tir_sub(t, step, i64(t, s->warmup)), i64(t, 0));
  const tir_value after = after_warmup_value(t, s, rest);
  if (s->warmup == 0) return after;
  const tir_value part = tir_div_scalar(
      t, as_f64(t, tir_add_scalar(t, step, 1)), (double)s->warmup);
  return tir_where(t, tir_less(t, step, i64(t, s->warmup)),
                   tir_mul_scalar(t, part, s->rate), after);
}

tir_value tir_schedule_rate(tir_tape *tape, const tir_schedule *schedule,
                            tir_value step, tir_dtype dtype) {
  static const char call[] = "schedule_rate";
  if (!tir_ir_usable(tape, step, call, "step") || !tir_ir_ready(tape))
    return tir_ir_refused(tape, call);
  const char *why = schedule ? why_not(schedule) : "it is NULL";
  if (why)
    return tir_ir_keep_error(tape, call, TIR_ERR_ARGUMENT, "not a schedule: %s",
                             why);
  tir_ir_type type;
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_value_type(tape, step, &type);
  if (type.dtype != TIR_DTYPE_I64 || type.rank != 0)
    return tir_ir_keep_error(tape, call, TIR_ERR_DTYPE,
                             "step is %s, expected i64[]",
                             tir_ir_value_text(tape, step, text));
  if (!tir_ir_dtype_is_compute_float(dtype))
    return tir_ir_keep_error(tape, call, TIR_ERR_DTYPE,
                             "dtype is %s, expected f32 or f64",
                             tir_dtype_name(dtype));
  const bool recording = tape->mode.recording;
  tape->mode.recording = false;
  tir_scope_begin(tape);
  tir_value rate = {0};
  if (tir_ir_ready(tape)) {
    rate = rate_value(tape, schedule, step);
    if (dtype != TIR_DTYPE_F64) rate = tir_cast(tape, rate, dtype);
    // Only the rate leaves the scope; the numbers it was made from end with it.
    rate = tir_ir_ready(tape) ? tir_keep(tape, rate) : rate;
    tir_ir_scope_pop(tape);
  }
  tape->mode.recording = recording;
  return tir_ir_ready(tape) ? rate : tir_ir_refused(tape, call);
}
