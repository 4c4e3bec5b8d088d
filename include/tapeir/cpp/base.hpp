/// @file
/// C++: errors, spans, owned handles, contexts.
#ifndef TAPEIR_CPP_BASE_HPP
#define TAPEIR_CPP_BASE_HPP

#if __cplusplus < 201703L
#error "tapeir.hpp needs C++17: pass -std=c++17"
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "tapeir/tapeir.h"

#if !defined(__cpp_exceptions) && !defined(TAPEIR_NO_EXCEPTIONS)
#define TAPEIR_NO_EXCEPTIONS
#endif

#ifndef TAPEIR_NO_EXCEPTIONS
#include <stdexcept>
#endif

// The two ways of reporting errors are different functions, so that files
// compiled with one and with the other can be linked.
#ifdef TAPEIR_NO_EXCEPTIONS
#define TIR_CPP_BEGIN \
  namespace tapeir {  \
  inline namespace returning_errors {
#else
#define TIR_CPP_BEGIN \
  namespace tapeir {  \
  inline namespace throwing_errors {
#endif
#define TIR_CPP_END \
  }                 \
  }

TIR_CPP_BEGIN

// --- errors ----------------------------------------------------------------

#ifdef TAPEIR_NO_EXCEPTIONS

/// Outcome of a call without a result.
class [[nodiscard]] Status {
 public:
  Status() = default;
  explicit Status(const tir_error &details) : error_(details) {}
  bool ok() const { return error_.status == TIR_OK; }
  explicit operator bool() const { return ok(); }
  tir_status status() const { return error_.status; }
  const char *message() const { return error_.message; }
  const tir_error &details() const { return error_; }

 private:
  tir_error error_ = {};
};

/// A result, or why there is none; `*result` may be used only when ok().
template <class T>
class [[nodiscard]] Result : public Status {
 public:
  Result(T &&value) : value_(std::move(value)) {}
  explicit Result(const tir_error &details) : Status(details) {}
  T &operator*() & { return value_; }
  T &&operator*() && { return std::move(value_); }
  T *operator->() { return &value_; }

 private:
  T value_ = {};
};

namespace detail {
template <class T>
struct ExpectedOf {
  using type = Result<T>;
};
template <>
struct ExpectedOf<void> {
  using type = Status;
};
}  // namespace detail

#else

/// What a call that failed throws; what() is the message.
class Error : public std::runtime_error {
 public:
  explicit Error(const tir_error &details)
      : std::runtime_error(details.message), error_(details) {}
  tir_status status() const { return error_.status; }
  const tir_error &details() const { return error_; }

 private:
  tir_error error_;
};

namespace detail {
template <class T>
struct ExpectedOf {
  using type = T;
};
}  // namespace detail

#endif

/// What a function that makes a T and can fail returns.
template <class T>
using Expected = typename detail::ExpectedOf<T>::type;

namespace detail {

// Ends a call: reports the error, or hands the result over.
inline Expected<void> finish(tir_status status, const tir_error &error) {
#ifdef TAPEIR_NO_EXCEPTIONS
  return status == TIR_OK ? Status() : Status(error);
#else
  if (status != TIR_OK) throw Error(error);
#endif
}

template <class T>
Expected<T> finish(tir_status status, const tir_error &error, T &&value) {
#ifdef TAPEIR_NO_EXCEPTIONS
  if (status != TIR_OK) return Result<T>(error);
#else
  if (status != TIR_OK) throw Error(error);
#endif
  return std::move(value);
}

// An error of the wrapper itself.
inline tir_error make_error(tir_status status, const char *message) {
  tir_error error = {};
  error.status = status;
  error.byte_offset = UINT64_MAX;
  std::strncpy(error.message, message, sizeof error.message - 1);
  return error;
}

// A pointer that ends with its holder.
template <class T, void (*end)(T *)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T *ptr) : ptr_(ptr) {}
  Handle(Handle &&other) noexcept : ptr_(other.release()) {}
  Handle &operator=(Handle &&other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  Handle(const Handle &) = delete;
  Handle &operator=(const Handle &) = delete;
  ~Handle() { end(ptr_); }

  /// For C functions; stays owned here.
  T *get() const { return ptr_; }
  /// Takes another object over; the one held ends.
  void reset(T *ptr = nullptr) {
    T *old = ptr_;
    ptr_ = ptr;
    end(old);
  }
  /// Gives ownership to the caller.
  T *release() { return std::exchange(ptr_, nullptr); }
  explicit operator bool() const { return ptr_ != nullptr; }

 private:
  T *ptr_ = nullptr;
};

}  // namespace detail

// --- spans -----------------------------------------------------------------

/// Elements that live elsewhere: std::span for C++17. As a parameter it takes
/// braces, arrays, vectors, whatever has data() and size().
template <class T>
class Span {
 public:
  constexpr Span() = default;
  constexpr Span(T *data, std::size_t size) : data_(data), size_(size) {}
  template <std::size_t n>
  constexpr Span(T (&array)[n]) : data_(array), size_(n) {}
  template <class Container,
            class = std::enable_if_t<std::is_convertible_v<
                decltype(std::declval<Container &>().data()), T *>>>
  constexpr Span(Container &container)
      : data_(container.data()), size_(container.size()) {}
  /// Temporaries end with the call they are passed to.
  template <class Container,
            class = std::enable_if_t<
                std::is_const_v<T> &&
                std::is_convertible_v<
                    decltype(std::declval<const Container &>().data()), T *>>,
            class = void>
  constexpr Span(const Container &container)
      : data_(container.data()), size_(container.size()) {}
  template <class U = T, class = std::enable_if_t<std::is_const_v<U>>>
  constexpr Span(std::initializer_list<std::remove_const_t<U>> list)
      : size_(list.size()) {
    data_ = list.begin();  // that it borrows is the purpose
  }

  constexpr T *data() const { return data_; }
  constexpr std::size_t size() const { return size_; }
  constexpr std::size_t size_bytes() const { return size_ * sizeof(T); }
  constexpr bool empty() const { return size_ == 0; }
  constexpr T *begin() const { return data_; }
  constexpr T *end() const { return data_ + size_; }
  constexpr T &operator[](std::size_t i) const { return data_[i]; }

 private:
  T *data_ = nullptr;
  std::size_t size_ = 0;
};

/// A shape: `{4, 1}`, a vector of int64_t, `{}` for a scalar.
using Dims = Span<const std::int64_t>;
/// Axes of a reduction or permutation; `{}` means all, as in C.
using Axes = Span<const int>;

namespace detail {

// A length for C, which takes an int. One that does not fit is wrong in any
// case; the C function says so.
template <class T>
int length(Span<T> span) {
  return span.size() > TIR_MAX_RANK ? TIR_MAX_RANK + 1
                                    : static_cast<int>(span.size());
}

template <class T>
constexpr tir_dtype find_dtype() {
  using U = std::remove_const_t<T>;
  if (std::is_same_v<U, float>) return TIR_DTYPE_F32;
  if (std::is_same_v<U, double>) return TIR_DTYPE_F64;
  if (std::is_same_v<U, bool>) return TIR_DTYPE_BOOL;
  if (std::is_same_v<U, std::int8_t>) return TIR_DTYPE_I8;
  if (std::is_same_v<U, std::uint8_t>) return TIR_DTYPE_U8;
  if (std::is_same_v<U, std::int16_t>) return TIR_DTYPE_I16;
  if (std::is_same_v<U, std::int32_t>) return TIR_DTYPE_I32;
  if (std::is_same_v<U, std::int64_t>) return TIR_DTYPE_I64;
  return TIR_DTYPE_INVALID;
}

inline std::size_t numel(Dims dims) {
  std::size_t n = 1;
  for (const std::int64_t dim : dims) n *= static_cast<std::size_t>(dim);
  return n;
}

}  // namespace detail

/// The dtype of a C++ type. f16 and bf16 have none: use the C functions.
template <class T>
inline constexpr tir_dtype dtype_of = [] {
  static_assert(detail::find_dtype<T>() != TIR_DTYPE_INVALID,
                "no dtype holds this type");
  return detail::find_dtype<T>();
}();

// --- context ---------------------------------------------------------------

/// tir_context. What is made from it keeps it alive.
class Context : public detail::Handle<tir_context, tir_context_destroy> {
 public:
  using Handle::Handle;
  static Expected<Context> create(
      const tir_context_options *options = nullptr) {
    tir_context *context = nullptr;
    tir_error error;
    const tir_status status = tir_context_create(options, &context, &error);
    return detail::finish(status, error, Context(context));
  }
  /// tir_context_register_op.
  Expected<void> register_op(const tir_custom_op &op) {
    tir_error error;
    const tir_status status = tir_context_register_op(get(), &op, &error);
    return detail::finish(status, error);
  }
};

TIR_CPP_END
#endif
