/// @file
/// C++: tapes, values, scopes.
#ifndef TAPEIR_CPP_TAPE_HPP
#define TAPEIR_CPP_TAPE_HPP

#include <string>
#include <vector>

#include "tapeir/cpp/tensor.hpp"

TIR_CPP_BEGIN

namespace detail {

// The error standing on a tape, taken from it.
inline Expected<void> check(tir_tape *tape) {
  tir_error error;
  const tir_status status = tir_tape_check(tape, &error);
  return finish(status, error);
}

template <class T>
Expected<T> check(tir_tape *tape, T &&value) {
  tir_error error;
  const tir_status status =
      tir_tape_status(tape) == TIR_OK ? TIR_OK : tir_tape_check(tape, &error);
  return finish(status, error, std::move(value));
}

}  // namespace detail

/// tir_value: a handle, passed by value; ends with the scope it was made in.
/// Converts from and to the C type.
class Value {
 public:
  Value() = default;
  Value(tir_value value) : value_(value) {}
  operator tir_value() const { return value_; }
  tir_tape *owner() const { return value_.owner; }

  bool valid() const { return tir_value_is_valid(owner(), value_); }
  tir_dtype dtype() const { return tir_value_dtype(owner(), value_); }
  int rank() const { return tir_value_rank(owner(), value_); }
  /// Negative axes count from the end.
  std::int64_t dim(int axis) const {
    return tir_value_dim(owner(), value_, axis);
  }
  std::vector<std::int64_t> dims() const {
    std::vector<std::int64_t> out;
    for (int i = 0; i < rank(); i++) out.push_back(dim(i));
    return out;
  }
  /// For messages, dumps and graph outputs.
  Value named(const char *name) const {
    return tir_set_name(owner(), value_, name);
  }

  // Reading runs what is needed; errors are those of the run or the one
  // standing on the tape.

  Expected<Tensor> read() const {
    tir_tensor *tensor = nullptr;
    tir_error error;
    const tir_status status = tir_read(owner(), value_, &tensor, &error);
    return detail::finish(status, error, Tensor(tensor));
  }
  /// Errors  also DTYPE when the elements are no T.
  template <class T>
  Expected<std::vector<T>> to_vector() const {
    static_assert(!std::is_same_v<T, bool>,
                  "vector<bool> has no memory to read into: use read()");
    std::vector<T> out;
    tir_error error;
    tir_tensor *tensor = nullptr;
    tir_status status = tir_read(owner(), value_, &tensor, &error);
    const Tensor held(tensor);
    if (status == TIR_OK && held.dtype() != dtype_of<T>) {
      error = detail::make_error(TIR_ERR_DTYPE,
                                 "read: the elements are of another type");
      status = error.status;
    }
    if (status == TIR_OK) {
      const T *data = static_cast<const T *>(tir_tensor_data(tensor));
      out.assign(data, data + held.numel());
    }
    return detail::finish(status, error, std::move(out));
  }
  /// Into memory of exactly the value's size.
  template <class T>
  Expected<void> read_into(Span<T> out) const {
    tir_error error;
    const tir_status status =
        tir_read_into(owner(), value_, out.data(), out.size_bytes(), &error);
    return detail::finish(status, error);
  }
  /// Of a value of one element.
  Expected<double> scalar() const {
    return detail::check(owner(), tir_read_scalar(owner(), value_));
  }
  Expected<bool> truth() const {
    return detail::check(owner(), tir_read_bool(owner(), value_));
  }
  /// NumPy-like: [[0.] [1.]].
  Expected<std::string> text() const {
    char shown[256];
    const std::size_t size =
        tir_format_value(owner(), value_, shown, sizeof shown);
    if (size < sizeof shown)
      return detail::check(owner(), std::string(shown, size));
    std::string out(size + 1, '\0');
    tir_format_value(owner(), value_, &out[0], out.size());
    out.resize(size);
    return detail::check(owner(), std::move(out));
  }

  // Gradients; errors are kept by the tape.

  void attach_grad(tir_grad_request request = TIR_GRAD_WRITE) const {
    tir_attach_grad(owner(), value_, request);
  }
  void retain_grad(tir_grad_request request = TIR_GRAD_WRITE) const {
    tir_retain_grad(owner(), value_, request);
  }
  bool has_grad() const { return tir_has_grad(owner(), value_); }
  /// Invalid if there is none.
  Value grad() const { return tir_grad_of(owner(), value_); }
  Value take_grad() const { return tir_take_grad(owner(), value_); }
  void set_grad(Value gradient) const {
    tir_set_grad(owner(), value_, gradient);
  }
  void backward() const { tir_backward(owner(), value_); }
  /// With a gradient of the head (`{}`: ones) and options.
  void backward(Value head_gradient,
                const tir_backward_options &options = {}) const {
    const bool given = head_gradient.owner() != nullptr;
    tir_backward_ex(owner(), &value_, 1,
                    given ? &head_gradient.value_ : nullptr, given ? 1 : 0,
                    &options);
  }
  Value detach() const { return (tir_detach)(owner(), value_); }

  /// Moves it to the parent scope.
  Value keep() const { return tir_keep(owner(), value_); }
  /// Ends it now.
  void end() const { tir_value_release(owner(), value_); }

 private:
  tir_value value_ = {};
};
static_assert(sizeof(Value) == sizeof(tir_value), "an array of one is one");

using Values = Span<const Value>;

/// Values as C functions take them: they are laid out as the handles they hold.
inline const tir_value *handles(Values values) {
  return reinterpret_cast<const tir_value *>(values.data());
}

/// Begins something on a tape and ends it with its block.
template <void (*end)(tir_tape *)>
class [[nodiscard]] Guard {
 public:
  explicit Guard(tir_tape *tape) : tape_(tape) {}
  ~Guard() { end(tape_); }
  Guard(const Guard &) = delete;
  Guard &operator=(const Guard &) = delete;

 protected:
  tir_tape *tape_;
};

/// Recording or training switched on or off.
using Mode = Guard<tir_mode_end>;
/// Values made in it end with it, unless Value::keep moved them out.
using Scope = Guard<tir_scope_end>;

/// A step of a loop; see tir_step_begin. Without end() the step ends with its
/// block, and an error of its run is lost.
class [[nodiscard]] Step {
 public:
  explicit Step(tir_tape *tape) : tape_(tape) { tir_step_begin(tape); }
  ~Step() {
    if (tape_) tir_step_end(tape_, nullptr, 0, nullptr);
  }
  Step(const Step &) = delete;
  Step &operator=(const Step &) = delete;

  /// Runs the step; `keep` live on in the parent scope.
  Expected<void> end(Values keep = {}) {
    tir_error error;
    const tir_status status = tir_step_end(std::exchange(tape_, nullptr),
                                           handles(keep), keep.size(), &error);
    return detail::finish(status, error);
  }

 private:
  tir_tape *tape_;
};

/// tir_tape.
class Tape : public detail::Handle<tir_tape, tir_tape_destroy> {
 public:
  using Handle::Handle;
  static Expected<Tape> create(const Context &context,
                               const tir_tape_options *options = nullptr) {
    tir_tape *tape = nullptr;
    tir_error error;
    const tir_status status =
        tir_tape_create(context.get(), options, &tape, &error);
    return detail::finish(status, error, Tape(tape));
  }

  /// Reports and clears the first error since the last check.
  Expected<void> check() const { return detail::check(get()); }
  tir_status status() const { return tir_tape_status(get()); }
  /// Runs everything that is still wanted.
  Expected<void> flush() const {
    tir_error error;
    const tir_status status = tir_tape_flush(get(), &error);
    return detail::finish(status, error);
  }

  // Modes and scopes, each until the end of the block it stands in.

  Mode record(bool train = true) const {
    tir_record_begin(get(), train);
    return Mode(get());
  }
  Mode pause(bool train = false) const {
    tir_pause_begin(get(), train);
    return Mode(get());
  }
  Mode train() const {
    tir_train_begin(get());
    return Mode(get());
  }
  Mode predict() const {
    tir_predict_begin(get());
    return Mode(get());
  }
  Scope scope() const {
    tir_scope_begin(get());
    return Scope(get());
  }
  Step step() const { return Step(get()); }
  bool is_recording() const { return tir_is_recording(get()); }
  bool is_training() const { return tir_is_training(get()); }

  // Values.

  /// A copy of `data`. Errors: SHAPE when the shape has another size.
  template <class T>
  Expected<Value> value(Dims dims, Span<const T> data) const {
    tir_error error;
    const tir_status status = Tensor::check_size(dims, data.size(), &error);
    Value made;
    if (status == TIR_OK)
      made = (tir_value_from_data)(get(), dtype_of<T>, dims.data(),
                                   detail::length(dims), data.data());
    return detail::finish(status, error, std::move(made));
  }
  /// By reference.
  Value value(const Tensor &tensor) const {
    return (tir_value_from_tensor)(get(), tensor.get());
  }
  template <class T>
  Value scalar(T number) const {
    return (tir_scalar)(get(), dtype_of<T>, static_cast<double>(number));
  }

  // Autograd over several values; one head is Value::backward.

  void backward(Values heads, Values head_gradients = {},
                const tir_backward_options &options = {}) const {
    tir_backward_ex(get(), handles(heads), heads.size(),
                    handles(head_gradients), head_gradients.size(), &options);
  }
  std::vector<Value> grad(Values heads, Values wrt, Values head_gradients = {},
                          const tir_backward_options &options = {}) const {
    std::vector<Value> out(wrt.size());
    tir_grad(get(), handles(heads), heads.size(), handles(head_gradients),
             head_gradients.size(), handles(wrt), wrt.size(), &options,
             reinterpret_cast<tir_value *>(out.data()));
    return out;
  }

  tir_tape_statistics stats() const {
    tir_tape_statistics out;
    tir_tape_stats(get(), &out);
    return out;
  }
};

TIR_CPP_END
#endif
