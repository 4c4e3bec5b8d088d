/// @file
/// C++: op functions and operators; `tapeir/ops.h` says what each does.
///
/// The tape is that of the operands, so only functions without operands take
/// one. To stamp the place of a call: `tapeir::Value y = tir_site(a + b,
/// TIR_SITE);` with `tapeir/sites.h`.
#ifndef TAPEIR_CPP_OPS_HPP
#define TAPEIR_CPP_OPS_HPP

#include "tapeir/cpp/tape.hpp"

TIR_CPP_BEGIN

namespace detail {

// An invalid operand, left by an earlier error, may have no tape.
inline tir_tape *owner(Value a, Value b) {
  return a.owner() ? a.owner() : b.owner();
}
inline tir_tape *owner(Values values) {
  for (const Value &value : values)
    if (value.owner()) return value.owner();
  return nullptr;
}

}  // namespace detail

// Names in parentheses: not the macros of tapeir/sites.h.

#define TIR_CPP_UNARY(name) \
  inline Value name(Value x) { return (tir_##name)(x.owner(), x); }
#define TIR_CPP_BINARY(name)                        \
  inline Value name(Value a, Value b) {             \
    return (tir_##name)(detail::owner(a, b), a, b); \
  }
// With a number on either side or on the right alone.
#define TIR_CPP_SCALAR(name)                       \
  inline Value name(Value a, double b) {           \
    return (tir_##name##_scalar)(a.owner(), a, b); \
  }
#define TIR_CPP_REDUCE(name)                                             \
  inline Value name(Value x, Axes axes = {}, bool keep_dims = false) {   \
    return (tir_##name)(x.owner(), x, axes.data(), detail::length(axes), \
                        keep_dims);                                      \
  }
#define TIR_CPP_AXIS(name)                   \
  inline Value name(Value x, int axis) {     \
    return (tir_##name)(x.owner(), x, axis); \
  }
#define TIR_CPP_FILL(name)                                                     \
  inline Value name(const Tape &tape, tir_dtype dtype, Dims dims) {            \
    return (tir_##name)(tape.get(), dtype, dims.data(), detail::length(dims)); \
  }
#define TIR_CPP_RANDOM(name)                                                  \
  inline Value name(const Tape &tape, tir_dtype dtype, Dims dims, double a,   \
                    double b) {                                               \
    return (tir_##name)(tape.get(), dtype, dims.data(), detail::length(dims), \
                        a, b);                                                \
  }

TIR_CPP_UNARY(abs)
TIR_CPP_UNARY(cos)
TIR_CPP_UNARY(erf)
TIR_CPP_UNARY(exp)
TIR_CPP_UNARY(expm1)
TIR_CPP_UNARY(gelu)
TIR_CPP_UNARY(gelu_tanh)
TIR_CPP_UNARY(log)
TIR_CPP_UNARY(log1p)
TIR_CPP_UNARY(neg)
TIR_CPP_UNARY(ones_like)
TIR_CPP_UNARY(relu)
TIR_CPP_UNARY(rsqrt)
TIR_CPP_UNARY(sigmoid)
TIR_CPP_UNARY(silu)
TIR_CPP_UNARY(sin)
TIR_CPP_UNARY(softplus)
TIR_CPP_UNARY(sqrt)
TIR_CPP_UNARY(square)
TIR_CPP_UNARY(stop_gradient)
TIR_CPP_UNARY(tanh)
TIR_CPP_UNARY(zeros_like)

TIR_CPP_BINARY(add)
TIR_CPP_BINARY(assign)
TIR_CPP_BINARY(bce_with_logits)
TIR_CPP_BINARY(broadcast_like)
TIR_CPP_BINARY(cross_entropy)
TIR_CPP_BINARY(div)
TIR_CPP_BINARY(dot)
TIR_CPP_BINARY(embedding)
TIR_CPP_BINARY(equal)
TIR_CPP_BINARY(greater)
TIR_CPP_BINARY(greater_equal)
TIR_CPP_BINARY(less)
TIR_CPP_BINARY(less_equal)
TIR_CPP_BINARY(matmul)
TIR_CPP_BINARY(maximum)
TIR_CPP_BINARY(minimum)
TIR_CPP_BINARY(mse)
TIR_CPP_BINARY(mul)
TIR_CPP_BINARY(not_equal)
TIR_CPP_BINARY(pow)
TIR_CPP_BINARY(reduce_to)
TIR_CPP_BINARY(reshape_like)
TIR_CPP_BINARY(sub)

TIR_CPP_SCALAR(add)
TIR_CPP_SCALAR(div)
TIR_CPP_SCALAR(maximum)
TIR_CPP_SCALAR(minimum)
TIR_CPP_SCALAR(mul)
TIR_CPP_SCALAR(pow)
TIR_CPP_SCALAR(rdiv)
TIR_CPP_SCALAR(rsub)
TIR_CPP_SCALAR(sub)

TIR_CPP_REDUCE(logsumexp)
TIR_CPP_REDUCE(max)
TIR_CPP_REDUCE(mean)
TIR_CPP_REDUCE(min)
TIR_CPP_REDUCE(norm)
TIR_CPP_REDUCE(prod)
TIR_CPP_REDUCE(sum)

TIR_CPP_AXIS(log_softmax)
TIR_CPP_AXIS(softmax)

TIR_CPP_FILL(ones)
TIR_CPP_FILL(zeros)

TIR_CPP_RANDOM(normal)
TIR_CPP_RANDOM(uniform)

#undef TIR_CPP_UNARY
#undef TIR_CPP_BINARY
#undef TIR_CPP_SCALAR
#undef TIR_CPP_REDUCE
#undef TIR_CPP_AXIS
#undef TIR_CPP_FILL
#undef TIR_CPP_RANDOM

// --- the others ------------------------------------------------------------

inline Value full(const Tape &tape, tir_dtype dtype, Dims dims, double number) {
  return (tir_full)(tape.get(), dtype, dims.data(), detail::length(dims),
                    number);
}
inline Value full_like(Value x, double number) {
  return (tir_full_like)(x.owner(), x, number);
}
inline Value arange(const Tape &tape, tir_dtype dtype, std::int64_t n) {
  return (tir_arange)(tape.get(), dtype, n);
}
inline Value cast(Value x, tir_dtype dtype) {
  return (tir_cast)(x.owner(), x, dtype);
}
inline Value dropout(Value x, double p) {
  return (tir_dropout)(x.owner(), x, p);
}
inline Value where(Value condition, Value a, Value b) {
  return (tir_where)(detail::owner({condition, a, b}), condition, a, b);
}
inline Value matmul_t(Value a, Value b, bool transpose_a, bool transpose_b) {
  return (tir_matmul_t)(detail::owner(a, b), a, b, transpose_a, transpose_b);
}
inline Value leaky_relu(Value x, double slope) {
  return (tir_leaky_relu)(x.owner(), x, slope);
}
inline Value clip(Value x, Value low, Value high) {
  return (tir_clip)(detail::owner({x, low, high}), x, low, high);
}
inline Value clip(Value x, double low, double high) {
  return (tir_clip_scalar)(x.owner(), x, low, high);
}
inline Value cumsum(Value x, int axis, bool exclusive = false,
                    bool reverse = false) {
  return (tir_cumsum)(x.owner(), x, axis, exclusive, reverse);
}
inline Value argmin(Value x, int axis, bool keep_dims = false) {
  return (tir_argmin)(x.owner(), x, axis, keep_dims);
}
inline Value argmax(Value x, int axis, bool keep_dims = false) {
  return (tir_argmax)(x.owner(), x, axis, keep_dims);
}
inline Value reshape(Value x, Dims dims) {
  return (tir_reshape)(x.owner(), x, dims.data(), detail::length(dims));
}
inline Value broadcast_to(Value x, Dims dims) {
  return (tir_broadcast_to)(x.owner(), x, dims.data(), detail::length(dims));
}
inline Value expand_dims(Value x, Axes axes) {
  return (tir_expand_dims)(x.owner(), x, axes.data(), detail::length(axes));
}
/// No axes: their order is reversed.
inline Value transpose(Value x, Axes axes = {}) {
  return (tir_transpose)(x.owner(), x, axes.data(), detail::length(axes));
}
inline Value concat(Values values, int axis) {
  return (tir_concat)(detail::owner(values), handles(values), values.size(),
                      axis);
}
inline Value stack(Values values, int axis) {
  return (tir_stack)(detail::owner(values), handles(values), values.size(),
                     axis);
}
/// The first `n_out` results of a custom op; the tape is for an op without
/// operands.
inline std::vector<Value> custom(const Tape &tape, const char *name,
                                 Values values, size_t n_out = 1,
                                 const tir_custom_attrs *attrs = nullptr) {
  std::vector<Value> out(n_out);
  (tir_custom)(tape.get(), name, attrs, handles(values), values.size(),
               reinterpret_cast<tir_value *>(out.data()), n_out);
  return out;
}
/// Parts of these sizes.
inline std::vector<Value> split(Value x, Dims sizes, int axis) {
  std::vector<Value> out(sizes.size());
  (tir_split)(x.owner(), x, sizes.data(), sizes.size(), axis,
              reinterpret_cast<tir_value *>(out.data()));
  return out;
}
inline Value flip(Value x, Axes axes = {}) {
  return (tir_flip)(x.owner(), x, axes.data(), detail::length(axes));
}
inline Value tril(Value x, std::int64_t diagonal = 0) {
  return (tir_tril)(x.owner(), x, diagonal);
}
inline Value triu(Value x, std::int64_t diagonal = 0) {
  return (tir_triu)(x.owner(), x, diagonal);
}
/// Both lists have one entry per axis, or the call is refused.
inline Value pad(Value x, Dims before, Dims after, double number = 0) {
  return (tir_pad)(x.owner(), x, before.data(), after.data(),
                   before.size() == after.size() ? detail::length(before) : -1,
                   number);
}
/// The three have one entry per axis; no steps means ones. Lists of different
/// lengths are refused like a wrong number of axes.
inline Value slice(Value x, Dims starts, Dims stops, Dims steps = {}) {
  const bool same = starts.size() == stops.size() &&
                    (steps.empty() || steps.size() == starts.size());
  return (tir_slice)(x.owner(), x, starts.data(), stops.data(), steps.data(),
                     same ? detail::length(starts) : -1);
}
inline Value gather(Value x, Value indices, int axis) {
  return (tir_gather)(detail::owner(x, indices), x, indices, axis);
}
inline Value scatter_add(Value base, Value indices, Value updates, int axis) {
  return (tir_scatter_add)(detail::owner({base, indices, updates}), base,
                           indices, updates, axis);
}
inline Value slice_at(Value x, Value start, int axis, std::int64_t size) {
  return (tir_slice_at)(detail::owner(x, start), x, start, axis, size);
}
inline Value update_slice(Value base, Value value, Value start, int axis) {
  return (tir_update_slice)(detail::owner({base, value, start}), base, value,
                            start, axis);
}
inline Value assign_slice(Value target, Value value, Value start, int axis) {
  return (tir_assign_slice)(detail::owner({target, value, start}), target,
                            value, start, axis);
}
inline Value one_hot(Value indices, std::int64_t depth, tir_dtype dtype) {
  return (tir_one_hot)(indices.owner(), indices, depth, dtype);
}

// --- normalising -----------------------------------------------------------
// Weights, biases and masks are left out by Value().

inline Value normalize(Value x, Axes axes, double epsilon,
                       Value *out_mean = nullptr,
                       Value *out_variance = nullptr) {
  return (tir_normalize)(x.owner(), x, axes.data(), detail::length(axes),
                         epsilon, reinterpret_cast<tir_value *>(out_mean),
                         reinterpret_cast<tir_value *>(out_variance));
}
inline Value rms_normalize(Value x, Axes axes, double epsilon) {
  return (tir_rms_normalize)(x.owner(), x, axes.data(), detail::length(axes),
                             epsilon);
}
inline Value layer_norm(Value x, Value weight, Value bias, int n_axes,
                        double epsilon) {
  return (tir_layer_norm)(detail::owner({x, weight, bias}), x, weight, bias,
                          n_axes, epsilon);
}
inline Value rms_norm(Value x, Value weight, int n_axes, double epsilon) {
  return (tir_rms_norm)(detail::owner(x, weight), x, weight, n_axes, epsilon);
}
inline Value group_norm(Value x, Value weight, Value bias,
                        std::int64_t n_groups, double epsilon) {
  return (tir_group_norm)(detail::owner({x, weight, bias}), x, weight, bias,
                          n_groups, epsilon);
}
inline Value batch_norm(Value x, Value weight, Value bias, Value running_mean,
                        Value running_variance, double momentum,
                        double epsilon) {
  return (tir_batch_norm)(detail::owner({x, weight, bias, running_mean,
                                         running_variance}),
                          x, weight, bias, running_mean, running_variance,
                          momentum, epsilon);
}
/// A scale of 0 means 1 / sqrt(d).
inline Value attention(Value q, Value k, Value v, Value mask = Value(),
                       bool causal = false, double scale = 0) {
  return (tir_attention)(detail::owner({q, k, v, mask}), q, k, v, mask, causal,
                         scale);
}

/// Only the first `length` positions are seen; causal: q is the last of them.
inline Value attention_prefix(Value q, Value k, Value v, Value length,
                              Value mask = Value(), bool causal = false,
                              double scale = 0) {
  return (tir_attention_prefix)(detail::owner({q, k, v, length, mask}), q, k, v,
                                length, mask, causal, scale);
}

// --- loops and branches ----------------------------------------------------

// Callables are called while recording, with C between them and the caller:
// they may not throw, which op functions do not.

/// Results of scan.
struct Scanned {
  std::vector<Value> carry;
  std::vector<Value> ys;
};
/// body(Values carry, Values x, Span<Value> out_carry, Span<Value> out_ys).
template <class Body>
Scanned scan(const Tape &tape, Values carry, Values xs, std::size_t n_ys,
             Body body, const tir_scan_options &options = {}) {
  struct Call {
    Body *body;
    std::size_t n_carry, n_xs, n_ys;
  } call = {&body, carry.size(), xs.size(), n_ys};
  Scanned out = {std::vector<Value>(carry.size()), std::vector<Value>(n_ys)};
  const auto trip = [](tir_tape *, void *user, const tir_value *c,
                       const tir_value *x, tir_value *out_c,
                       tir_value *out_y) noexcept {
    const Call *k = static_cast<const Call *>(user);
    (*k->body)(Values(reinterpret_cast<const Value *>(c), k->n_carry),
               Values(reinterpret_cast<const Value *>(x), k->n_xs),
               Span<Value>(reinterpret_cast<Value *>(out_c), k->n_carry),
               Span<Value>(reinterpret_cast<Value *>(out_y), k->n_ys));
  };
  (tir_scan)(tape.get(), trip, &call, handles(carry), carry.size(), handles(xs),
             xs.size(), n_ys, &options,
             reinterpret_cast<tir_value *>(out.carry.data()),
             reinterpret_cast<tir_value *>(out.ys.data()));
  return out;
}
/// Each branch: branch(Values operands, Span<Value> out).
template <class Then, class Else>
std::vector<Value> cond(Value pred, Then then_branch, Else else_branch,
                        Values operands, std::size_t n_out) {
  struct Call {
    Then *then_branch;
    Else *else_branch;
    std::size_t n_in, n_out;
  } call = {&then_branch, &else_branch, operands.size(), n_out};
  std::vector<Value> out(n_out);
  const auto run_then = [](tir_tape *, void *user, const tir_value *x,
                           tir_value *y) noexcept {
    const Call *k = static_cast<const Call *>(user);
    (*k->then_branch)(Values(reinterpret_cast<const Value *>(x), k->n_in),
                      Span<Value>(reinterpret_cast<Value *>(y), k->n_out));
  };
  const auto run_else = [](tir_tape *, void *user, const tir_value *x,
                           tir_value *y) noexcept {
    const Call *k = static_cast<const Call *>(user);
    (*k->else_branch)(Values(reinterpret_cast<const Value *>(x), k->n_in),
                      Span<Value>(reinterpret_cast<Value *>(y), k->n_out));
  };
  (tir_cond)(pred.owner(), pred, run_then, run_else, &call, handles(operands),
             operands.size(), reinterpret_cast<tir_value *>(out.data()), n_out);
  return out;
}
/// condition(Values carry) gives a Value; body(Values carry, Span<Value> out).
/// The last carries; the number of trips to *out_trips.
template <class Condition, class Body>
std::vector<Value> while_loop(Values carry, Condition condition, Body body,
                              std::int64_t max_trips = 0,
                              Value *out_trips = nullptr) {
  struct Call {
    Condition *condition;
    Body *body;
    std::size_t n;
  } call = {&condition, &body, carry.size()};
  std::vector<Value> out(carry.size());
  const auto ask = [](tir_tape *, void *user,
                      const tir_value *c) noexcept -> tir_value {
    const Call *k = static_cast<const Call *>(user);
    return Value(
        (*k->condition)(Values(reinterpret_cast<const Value *>(c), k->n)));
  };
  const auto trip = [](tir_tape *, void *user, const tir_value *c,
                       tir_value *next) noexcept {
    const Call *k = static_cast<const Call *>(user);
    (*k->body)(Values(reinterpret_cast<const Value *>(c), k->n),
               Span<Value>(reinterpret_cast<Value *>(next), k->n));
  };
  const Value trips = (tir_while)(detail::owner(carry), ask, trip, &call,
                                  handles(carry), carry.size(), max_trips,
                                  reinterpret_cast<tir_value *>(out.data()));
  if (out_trips) *out_trips = trips;
  return out;
}

// --- operators -------------------------------------------------------------

inline Value operator-(Value x) { return neg(x); }
inline Value operator+(Value a, Value b) { return add(a, b); }
inline Value operator-(Value a, Value b) { return sub(a, b); }
inline Value operator*(Value a, Value b) { return mul(a, b); }
inline Value operator/(Value a, Value b) { return div(a, b); }
inline Value operator+(Value a, double b) { return add(a, b); }
inline Value operator-(Value a, double b) { return sub(a, b); }
inline Value operator*(Value a, double b) { return mul(a, b); }
inline Value operator/(Value a, double b) { return div(a, b); }
inline Value operator+(double a, Value b) { return add(b, a); }
inline Value operator-(double a, Value b) { return rsub(b, a); }
inline Value operator*(double a, Value b) { return mul(b, a); }
inline Value operator/(double a, Value b) { return rdiv(b, a); }
// These name a new value; the one named before is as it was.
inline Value &operator+=(Value &a, Value b) { return a = add(a, b); }
inline Value &operator-=(Value &a, Value b) { return a = sub(a, b); }
inline Value &operator*=(Value &a, Value b) { return a = mul(a, b); }
inline Value &operator/=(Value &a, Value b) { return a = div(a, b); }
inline Value &operator+=(Value &a, double b) { return a = add(a, b); }
inline Value &operator-=(Value &a, double b) { return a = sub(a, b); }
inline Value &operator*=(Value &a, double b) { return a = mul(a, b); }
inline Value &operator/=(Value &a, double b) { return a = div(a, b); }

TIR_CPP_END
#endif
