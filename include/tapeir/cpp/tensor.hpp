/// @file
/// C++: tensors.
#ifndef TAPEIR_CPP_TENSOR_HPP
#define TAPEIR_CPP_TENSOR_HPP

#include <vector>

#include "tapeir/cpp/base.hpp"

TIR_CPP_BEGIN

/// tir_tensor: one reference to dense data. Copies share the data.
class Tensor : public detail::Handle<tir_tensor, tir_tensor_release> {
 public:
  /// Takes over a reference that a C function returned.
  using Handle::Handle;
  Tensor() = default;
  Tensor(Tensor &&) = default;
  Tensor &operator=(Tensor &&) = default;
  Tensor(const Tensor &other) : Handle(tir_tensor_retain(other.get())) {}
  Tensor &operator=(const Tensor &other) {
    reset(tir_tensor_retain(other.get()));
    return *this;
  }

  /// Zeros.
  static Expected<Tensor> create(const Context &context, tir_dtype dtype,
                                 Dims dims) {
    tir_tensor *tensor = nullptr;
    tir_error error;
    const tir_status status =
        tir_tensor_create(context.get(), dtype, dims.data(),
                          detail::length(dims), &tensor, &error);
    return detail::finish(status, error, Tensor(tensor));
  }
  /// A copy of `data`, which must have as many elements as the shape.
  template <class T>
  static Expected<Tensor> from(const Context &context, Dims dims,
                               Span<const T> data) {
    tir_tensor *tensor = nullptr;
    tir_error error;
    tir_status status = check_size(dims, data.size(), &error);
    if (status == TIR_OK)
      status = tir_tensor_from_data(context.get(), dtype_of<T>, dims.data(),
                                    detail::length(dims), data.data(), &tensor,
                                    &error);
    return detail::finish(status, error, Tensor(tensor));
  }
  /// The caller's memory, which must outlive every reference.
  template <class T>
  static Expected<Tensor> wrap(const Context &context, Dims dims,
                               Span<T> data) {
    tir_tensor *tensor = nullptr;
    tir_error error;
    tir_status status = check_size(dims, data.size(), &error);
    if (status == TIR_OK)
      status = tir_tensor_wrap(context.get(), dtype_of<T>, dims.data(),
                               detail::length(dims), data.data(), nullptr,
                               nullptr, &tensor, &error);
    return detail::finish(status, error, Tensor(tensor));
  }

  tir_dtype dtype() const { return tir_tensor_dtype(get()); }
  int rank() const { return tir_tensor_rank(get()); }
  std::int64_t dim(int axis) const { return tir_tensor_dim(get(), axis); }
  /// Borrowed from the tensor.
  Dims dims() const {
    return {tir_tensor_dims(get()), static_cast<std::size_t>(rank())};
  }
  std::size_t numel() const {
    return static_cast<std::size_t>(tir_tensor_numel(get()));
  }
  std::size_t size_bytes() const { return tir_tensor_size_bytes(get()); }

  /// The elements, borrowed. Errors: DTYPE when they are no T.
  template <class T>
  Expected<Span<const T>> data() const {
    tir_error error;
    const tir_status status = check_dtype(dtype_of<T>, &error);
    return detail::finish(
        status, error,
        Span<const T>(static_cast<const T *>(tir_tensor_data(get())),
                      status == TIR_OK ? numel() : 0));
  }
  /// The elements for writing, until write_end. Errors: STATE while a tape or
  /// a run reads the tensor, DTYPE.
  template <class T>
  Expected<Span<T>> write_begin() {
    tir_error error;
    void *data = nullptr;
    tir_status status = check_dtype(dtype_of<T>, &error);
    if (status == TIR_OK) status = tir_tensor_write_begin(get(), &data, &error);
    return detail::finish(status, error,
                          Span<T>(static_cast<T *>(data), data ? numel() : 0));
  }
  void write_end() { tir_tensor_write_end(get()); }

 private:
  friend class Tape;

  static tir_status check_size(Dims dims, std::size_t n, tir_error *error) {
    if (dims.size() <= TIR_MAX_RANK && detail::numel(dims) != n)
      *error = detail::make_error(
          TIR_ERR_SHAPE, "tensor: the data has another size than the shape");
    else
      return TIR_OK;
    return error->status;
  }
  tir_status check_dtype(tir_dtype expected, tir_error *error) const {
    if (dtype() == expected) return TIR_OK;
    *error = detail::make_error(TIR_ERR_DTYPE,
                                "tensor: its elements are of another type");
    return error->status;
  }
};

TIR_CPP_END
#endif
