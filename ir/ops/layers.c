// Layers made of other ops: normalisations with weights, batch_norm with its
// running statistics. Optional operands are all-zero handles.
//
// Builders check their operands before they record anything, so that a message
// speaks of the layer and not of a mul somewhere inside it.

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ir/base/checked.h"
#include "ir/ops/rules.h"

// A weight or the like: usable, and of the type wanted.
static bool check_operand(tir_tape *tape, const char *op, const char *name,
                          tir_value v, const tir_ir_type *wanted) {
  if (!tir_ir_usable(tape, v, op, name)) return false;
  tir_ir_type type;
  tir_ir_value_type(tape, v, &type);
  if (type.dtype == wanted->dtype && tir_ir_same_shape(&type, wanted))
    return true;
  char text[TIR_OPERAND_TEXT_MAX], expected[TIR_TYPE_TEXT_MAX];
  tir_ir_keep_error(
      tape, op, type.dtype != wanted->dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
      "wrong type: %s %s, expected %s", name, tir_ir_value_text(tape, v, text),
      tir_ir_type_text(wanted, expected));
  return false;
}

static bool check_optional(tir_tape *tape, const char *op, const char *name,
                           tir_value v, const tir_ir_type *wanted) {
  return !tir_ir_is_given(v) || check_operand(tape, op, name, v, wanted);
}

// y * weight + bias, as far as they are given. Shapes broadcast from the right,
// so a weight over the last axes needs no reshape.
static tir_value affine(tir_tape *tape, tir_value y, tir_value weight,
                        tir_value bias) {
  if (tir_ir_is_given(weight)) y = tir_mul(tape, y, weight);
  return tir_ir_is_given(bias) ? tir_add(tape, y, bias) : y;
}

// --- layer_norm and rms_norm -------------------------------------------------

// The last n_axes axes of x, and their type, which weights have.
static bool last_axes(tir_tape *tape, const char *op, tir_value x, int n_axes,
                      int axes[TIR_MAX_RANK], tir_ir_type *out_type) {
  if (!tir_ir_usable(tape, x, op, "x")) return false;
  tir_ir_type type;
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_value_type(tape, x, &type);
  if (n_axes < 1 || n_axes > type.rank) {
    tir_ir_keep_error(tape, op, TIR_ERR_SHAPE,
                      "n_axes is %d, expected 1 to the rank of x %s, %d",
                      n_axes, tir_ir_value_text(tape, x, text), type.rank);
    return false;
  }
  *out_type = (tir_ir_type){.dtype = type.dtype, .rank = n_axes};
  for (int i = 0; i < n_axes; i++) {
    axes[i] = type.rank - n_axes + i;
    out_type->dims[i] = type.dims[axes[i]];
  }
  return true;
}

// (x − mean) / sqrt(variance + epsilon) · weight + bias, over the last n_axes
// axes.
tir_value tir_layer_norm(tir_tape *tape, tir_value x, tir_value weight,
                         tir_value bias, int n_axes, double epsilon) {
  const char *op = "layer_norm";
  int axes[TIR_MAX_RANK];
  tir_ir_type type;
  if (!last_axes(tape, op, x, n_axes, axes, &type) ||
      !check_optional(tape, op, "weight", weight, &type) ||
      !check_optional(tape, op, "bias", bias, &type))
    return tir_ir_refused(tape, op);
  const tir_value y = tir_normalize(tape, x, axes, n_axes, epsilon, NULL, NULL);
  return affine(tape, y, weight, bias);
}

// x / sqrt(mean(x²) + epsilon) · weight.
tir_value tir_rms_norm(tir_tape *tape, tir_value x, tir_value weight,
                       int n_axes, double epsilon) {
  const char *op = "rms_norm";
  int axes[TIR_MAX_RANK];
  tir_ir_type type;
  if (!last_axes(tape, op, x, n_axes, axes, &type) ||
      !check_optional(tape, op, "weight", weight, &type))
    return tir_ir_refused(tape, op);
  const tir_value y = tir_rms_normalize(tape, x, axes, n_axes, epsilon);
  return affine(tape, y, weight, (tir_value){0});
}

// --- over channels -----------------------------------------------------------

// x is [n, c, ...]; the type of a value per channel.
static bool channel_type(tir_tape *tape, const char *op, tir_value x,
                         tir_ir_type *out_x, tir_ir_type *out_channel) {
  if (!tir_ir_usable(tape, x, op, "x")) return false;
  char text[TIR_OPERAND_TEXT_MAX];
  tir_ir_value_type(tape, x, out_x);
  if (out_x->rank < 2) {
    tir_ir_keep_error(tape, op, TIR_ERR_SHAPE,
                      "x %s has no channels: rank %d, expected at least 2",
                      tir_ir_value_text(tape, x, text), out_x->rank);
    return false;
  }
  *out_channel =
      (tir_ir_type){.dtype = out_x->dtype, .rank = 1, .dims = {out_x->dims[1]}};
  return true;
}

// A value per channel with new axes behind, so that it broadcasts to x.
static tir_value per_channel(tir_tape *tape, tir_value v, int rank) {
  int axes[TIR_MAX_RANK];
  if (!tir_ir_is_given(v) || rank == 2) return v;
  for (int i = 0; i < rank - 2; i++) axes[i] = 1 + i;
  return tir_expand_dims(tape, v, axes, rank - 2);
}

// [n, c, ...] as [n, groups, rest]: one of n and rest may follow a symbol.
static bool group_dims(tir_tape *tape, tir_value x, const tir_ir_type *type,
                       int64_t n_groups, int64_t dims[3]) {
  const char *op = "group_norm";
  char text[TIR_OPERAND_TEXT_MAX];
  if (n_groups < 1 || type->dims[1] % n_groups != 0 || type->symbols[1]) {
    tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                      "n_groups is %" PRId64
                      ", expected a divisor of the fixed number of channels "
                      "of x %s",
                      n_groups, tir_ir_value_text(tape, x, text));
    return false;
  }
  dims[0] = type->symbols[0] ? -1 : type->dims[0];
  dims[1] = n_groups;
  dims[2] = type->dims[1] / n_groups;
  bool is_symbolic = false;
  for (int i = 2; i < type->rank; i++) {
    is_symbolic = is_symbolic || type->symbols[i];
    // Fits: it is a factor of x's number of elements, unless that is 0.
    if (!tir_base_i64_mul(dims[2], type->dims[i], &dims[2])) dims[2] = 0;
  }
  if (is_symbolic && type->symbols[0]) {
    tir_ir_keep_error(tape, op, TIR_ERR_UNSUPPORTED,
                      "x %s has symbolic dims before and after the channels",
                      tir_ir_value_text(tape, x, text));
    return false;
  }
  if (is_symbolic) dims[2] = -1;
  return true;
}

// Each group of channels is one row of a reshape, normalised by itself.
tir_value tir_group_norm(tir_tape *tape, tir_value x, tir_value weight,
                         tir_value bias, int64_t n_groups, double epsilon) {
  const char *op = "group_norm";
  tir_ir_type type, channel;
  int64_t dims[3];
  if (!channel_type(tape, op, x, &type, &channel) ||
      !check_optional(tape, op, "weight", weight, &channel) ||
      !check_optional(tape, op, "bias", bias, &channel) ||
      !group_dims(tape, x, &type, n_groups, dims))
    return tir_ir_refused(tape, op);
  const int axis = 2;
  const tir_value groups = tir_reshape(tape, x, dims, 3);
  const tir_value y =
      tir_normalize(tape, groups, &axis, 1, epsilon, NULL, NULL);
  return affine(tape, tir_reshape_like(tape, y, x),
                per_channel(tape, weight, type.rank),
                per_channel(tape, bias, type.rank));
}

// --- batch_norm -------------------------------------------------------------

// running = momentum * running + (1 - momentum) * batch.
static void update_running(tir_tape *tape, tir_value running, tir_value batch,
                           double momentum) {
  const tir_value now = tir_reshape_like(tape, batch, running);
  tir_assign(tape, running,
             tir_add(tape, tir_mul_scalar(tape, running, momentum),
                     tir_mul_scalar(tape, now, 1 - momentum)));
}

// Over all axes but the channels. The assigns come last, when y is there;
// recording is paused for them, or a running mean would be part of the history.
static tir_value batch_norm_train(tir_tape *tape, tir_value x, int rank,
                                  const tir_value running[2], double momentum,
                                  double epsilon) {
  int axes[TIR_MAX_RANK] = {0};
  for (int i = 2; i < rank; i++) axes[i - 1] = i;
  tir_value mean, variance;
  const tir_value y =
      tir_normalize(tape, x, axes, rank - 1, epsilon, &mean, &variance);
  if (!tir_ir_ready(tape)) return y;
  // Statistics are no part of what is differentiated.
  const bool recording = tir_set_recording(tape, false);
  update_running(tape, running[0], mean, momentum);
  update_running(tape, running[1], variance, momentum);
  tir_set_recording(tape, recording);
  return y;
}

// Running statistics are constants here: x alone has a gradient.
static tir_value batch_norm_predict(tir_tape *tape, tir_value x, int rank,
                                    const tir_value running[2],
                                    double epsilon) {
  const tir_value mean = per_channel(tape, running[0], rank);
  const tir_value variance = per_channel(tape, running[1], rank);
  const tir_value root =
      tir_rsqrt(tape, tir_add_scalar(tape, variance, epsilon));
  return tir_mul(tape, tir_sub(tape, x, mean), root);
}

// Written so that a NaN is refused too.
static bool check_numbers(tir_tape *tape, double momentum, double epsilon) {
  const char *op = "batch_norm";
  if (!(momentum >= 0 && momentum <= 1)) {
    tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                      "momentum is %s, expected 0 to 1",
                      TIR_NUMBER(momentum, 6));
    return false;
  }
  if (epsilon >= 0) return true;
  tir_ir_keep_error(tape, op, TIR_ERR_ARGUMENT,
                    "epsilon is %s, expected 0 or more",
                    TIR_NUMBER(epsilon, 6));
  return false;
}

tir_value tir_batch_norm(tir_tape *tape, tir_value x, tir_value weight,
                         tir_value bias, tir_value running_mean,
                         tir_value running_variance, double momentum,
                         double epsilon) {
  const char *op = "batch_norm";
  tir_ir_type type, channel;
  if (!channel_type(tape, op, x, &type, &channel) ||
      !check_optional(tape, op, "weight", weight, &channel) ||
      !check_optional(tape, op, "bias", bias, &channel) ||
      !check_operand(tape, op, "running_mean", running_mean, &channel) ||
      !check_operand(tape, op, "running_variance", running_variance,
                     &channel) ||
      !check_numbers(tape, momentum, epsilon))
    return tir_ir_refused(tape, op);
  const tir_value running[] = {running_mean, running_variance};
  const tir_value y =
      tir_is_training(tape)
          ? batch_norm_train(tape, x, type.rank, running, momentum, epsilon)
          : batch_norm_predict(tape, x, type.rank, running, epsilon);
  return affine(tape, y, per_channel(tape, weight, type.rank),
                per_channel(tape, bias, type.rank));
}
