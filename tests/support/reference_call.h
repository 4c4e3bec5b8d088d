// One call of a reference function without a graph: for tests of its values.
#ifndef TAPEIR_TESTS_SUPPORT_REFERENCE_CALL_H
#define TAPEIR_TESTS_SUPPORT_REFERENCE_CALL_H

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <vector>

#include "tests/support/internal.h"

extern "C" {
#include "ir/reference/reference.h"
}

namespace tapeir_test {

inline tir_ir_type MakeType(tir_dtype dtype, std::vector<int64_t> dims) {
  tir_ir_type type = {};
  type.dtype = dtype;
  type.rank = static_cast<int>(dims.size());
  for (size_t a = 0; a < dims.size(); a++) type.dims[a] = dims[a];
  return type;
}

inline tir_ir_ints Ints(std::initializer_list<int64_t> values) {
  tir_ir_ints ints = {};
  for (int64_t v : values) ints.v[ints.n++] = v;
  return ints;
}

class ReferenceCall {
 public:
  // Operand with data given as doubles; integers above 2^53 use InI64.
  ReferenceCall &In(tir_dtype dtype, std::vector<int64_t> dims,
                    const std::vector<double> &data) {
    auto &bytes = AddIn(dtype, dims, data.size());
    for (size_t i = 0; i < data.size(); i++)
      tir_ir_store_f64(dtype, &bytes[i * tir_dtype_size(dtype)], data[i]);
    return *this;
  }
  ReferenceCall &InI64(std::vector<int64_t> dims,
                       const std::vector<int64_t> &data) {
    auto &bytes = AddIn(TIR_DTYPE_I64, dims, data.size());
    for (size_t i = 0; i < data.size(); i++)
      tir_ir_store_i64(TIR_DTYPE_I64, &bytes[i * 8], data[i]);
    return *this;
  }
  // Operand of which only the shape may be looked at.
  ReferenceCall &Shape(tir_dtype dtype, std::vector<int64_t> dims) {
    types_.push_back(MakeType(dtype, dims));
    in_.push_back(nullptr);
    return *this;
  }
  // Output, filled with 0xA5 bytes and followed by a guard.
  ReferenceCall &Out(tir_dtype dtype, std::vector<int64_t> dims) {
    const tir_ir_type type = MakeType(dtype, dims);
    const size_t n = static_cast<size_t>(tir_ir_type_numel(&type));
    out_types_.push_back(type);
    out_.push_back(std::make_unique<Bytes>(n * tir_dtype_size(dtype) + kGuard,
                                           uint8_t{0xA5}));
    return *this;
  }
  tir_status Run(tir_reference_fn fn, const void *attrs = nullptr) {
    std::vector<const void *> in;
    for (const auto &b : in_) in.push_back(b ? b->data() : nullptr);
    std::vector<void *> out;
    for (const auto &b : out_) out.push_back(b->data());
    tir_reference_call call = {};
    call.attrs = attrs;
    call.in = types_.data();
    call.in_data = in.data();
    call.n_in = types_.size();
    call.out = out_types_.data();
    call.out_data = out.data();
    call.n_out = out_types_.size();
    call.error = &error_;
    error_ = {};
    const tir_status status = fn(&call);
    for (const auto &b : out_)
      for (size_t i = b->size() - kGuard; i < b->size(); i++)
        EXPECT_EQ((*b)[i], 0xA5) << "wrote past the end";
    return status;
  }
  std::vector<double> F64(size_t i = 0) const {
    std::vector<double> result;
    for (size_t e = 0; e < Count(i); e++)
      result.push_back(tir_ir_load_f64(out_types_[i].dtype, At(i, e)));
    return result;
  }
  std::vector<int64_t> I64(size_t i = 0) const {
    std::vector<int64_t> result;
    for (size_t e = 0; e < Count(i); e++)
      result.push_back(tir_ir_load_i64(out_types_[i].dtype, At(i, e)));
    return result;
  }
  std::string Message() const { return error_.message; }

 private:
  using Bytes = std::vector<uint8_t>;
  static constexpr size_t kGuard = 16;

  Bytes &AddIn(tir_dtype dtype, const std::vector<int64_t> &dims, size_t n) {
    types_.push_back(MakeType(dtype, dims));
    EXPECT_EQ(static_cast<size_t>(tir_ir_type_numel(&types_.back())), n);
    // One spare byte, so that an empty operand has an address.
    in_.push_back(
        std::make_unique<Bytes>(n * tir_dtype_size(dtype) + 1, uint8_t{0}));
    return *in_.back();
  }
  size_t Count(size_t i) const {
    return static_cast<size_t>(tir_ir_type_numel(&out_types_[i]));
  }
  const void *At(size_t i, size_t e) const {
    return out_[i]->data() + e * tir_dtype_size(out_types_[i].dtype);
  }

  std::vector<tir_ir_type> types_, out_types_;
  std::vector<std::unique_ptr<Bytes>> in_, out_;
  tir_error error_ = {};
};

}  // namespace tapeir_test

#endif
