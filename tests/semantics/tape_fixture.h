// A live tape in a fixture, with short ways to make and read values.
#ifndef TAPEIR_TESTS_SEMANTICS_TAPE_FIXTURE_H
#define TAPEIR_TESTS_SEMANTICS_TAPE_FIXTURE_H

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tapeir/sites.h"
#include "tapeir/tapeir.h"

class TapeTest : public testing::Test {
 protected:
  void SetUp() override { Make({}); }

  void Make(const tir_tape_options &options) {
    Drop();
    tir_error error;
    ASSERT_EQ(tir_context_create(nullptr, &c, &error), TIR_OK);
    ASSERT_EQ(tir_tape_create(c, &options, &t, &error), TIR_OK)
        << error.message;
  }

  void TearDown() override {
    if (t) {
      tir_error error;
      EXPECT_EQ(tir_tape_check(t, &error), TIR_OK) << error.message;
    }
    Drop();
  }

  void Drop() {
    tir_tape_destroy(t);
    tir_context_destroy(c);
    t = nullptr;
    c = nullptr;
  }

  tir_value F32(std::vector<float> data, std::vector<int64_t> dims) {
    return tir_value_from_data(t, TIR_DTYPE_F32, dims.data(),
                               static_cast<int>(dims.size()), data.data());
  }
  tir_value Vec(std::vector<float> data) {
    const int64_t n = static_cast<int64_t>(data.size());
    return F32(data, {n});
  }
  tir_value Scalar(float x) { return F32({x}, {}); }

  std::vector<float> Read(tir_value v) {
    tir_tensor *tensor = nullptr;
    tir_error error;
    EXPECT_EQ(tir_read(t, v, &tensor, &error), TIR_OK) << error.message;
    if (!tensor) return {};
    const float *data = static_cast<const float *>(tir_tensor_data(tensor));
    std::vector<float> out(data, data + tir_tensor_numel(tensor));
    tir_tensor_release(tensor);
    return out;
  }
  std::vector<float> Grad(tir_value x) { return Read(tir_grad_of(t, x)); }

  // The standing error's message, cleared; "" if there is none.
  std::string Error() {
    tir_error error;
    return tir_tape_check(t, &error) == TIR_OK ? "" : error.message;
  }

  tir_tape_statistics Stats() {
    tir_tape_statistics stats;
    tir_tape_stats(t, &stats);
    return stats;
  }

  tir_context *c = nullptr;
  tir_tape *t = nullptr;
};

using Floats = std::vector<float>;

#endif
