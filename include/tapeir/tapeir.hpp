/// @file
/// Tapeir for C++17: thin classes over the C interface, in headers alone.
///
/// @code{.cpp}
///   #include <tapeir/tapeir.hpp>
///
///   tapeir::Context context = tapeir::Context::create();
///   tapeir::Tape tape = tapeir::Tape::create(context);
///   tapeir::Value x = tape.value<float>({4, 1}, {0, 1, 2, 3});
///   x.attach_grad();
///   tapeir::Value y;
///   {
///     auto recording = tape.record();
///     y = 2 * dot(transpose(x), x);
///   }
///   y.backward();
///   std::puts(x.grad().text().c_str());  // [[0.] [4.] [8.] [12.]]
/// @endcode
///
/// Every class is a pointer or a `tir_value` and adds nothing to a call but
/// the check of its status. `get()` gives what the C functions take, so the
/// two can be mixed; what is not wrapped is called in C.
///
/// Errors are thrown as tapeir::Error. With TAPEIR_NO_EXCEPTIONS defined (or
/// without exceptions in the compiler) functions that can fail return
/// Result<T> or Status instead; Expected<T> names what they return in either
/// case. As in C, op functions never fail: the tape keeps the first error until
/// a value is read, a step or capture ends, or Tape::check is called.
#ifndef TAPEIR_TAPEIR_HPP
#define TAPEIR_TAPEIR_HPP

#include "tapeir/cpp/base.hpp"
#include "tapeir/cpp/graph.hpp"
#include "tapeir/cpp/ops.hpp"
#include "tapeir/cpp/program.hpp"
#include "tapeir/cpp/tape.hpp"
#include "tapeir/cpp/tensor.hpp"

#endif
