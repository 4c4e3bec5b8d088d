// Gradients of loops against differences in f64, of both orders.
#ifndef TAPEIR_TESTS_CONTROL_CHECKED_H
#define TAPEIR_TESTS_CONTROL_CHECKED_H

#include "loops.h"

// The inputs are vectors of noise.
class Checked : public TapeTest {
 protected:
  void Check(tir_gradcheck_fn fn, std::vector<size_t> sizes, void *user) {
    std::vector<tir_tensor *> inputs;
    for (size_t i = 0; i < sizes.size(); i++) {
      const int64_t dims[] = {static_cast<int64_t>(sizes[i])};
      const auto data = NoiseF64(sizes[i], static_cast<int>(i));
      tir_tensor *x = nullptr;
      ASSERT_EQ(tir_tensor_from_data(c, TIR_DTYPE_F64, dims, 1, data.data(), &x,
                                     nullptr),
                TIR_OK);
      inputs.push_back(x);
    }
    tir_gradcheck_options options = {};
    options.second_order = true;
    options.absolute_tolerance = 1e-6;
    tir_error error = {};
    EXPECT_EQ(tir_gradcheck(c, fn, user, inputs.data(), inputs.size(), &options,
                            &error),
              TIR_OK)
        << error.message;
    for (tir_tensor *x : inputs) tir_tensor_release(x);
  }
};

#endif
