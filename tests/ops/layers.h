// What the tests of layers share: gradient checks of any function, and a tape
// whose results are compared within a tolerance.
#ifndef TAPEIR_TESTS_OPS_LAYERS_H
#define TAPEIR_TESTS_OPS_LAYERS_H

// Messages are compared whole, so they shall not name a line of a test.
#define TIR_NO_SITES

#include <functional>
#include <limits>

#include "tests/semantics/tape_fixture.h"
#include "tests/support/compiled.h"

inline const tir_value kNone = {};
inline const float kInf = std::numeric_limits<float>::infinity();

using Values = const tir_value *;
using Layer = std::function<tir_value(tir_tape *, Values)>;

inline tir_value CallLayer(void *user, tir_tape *tape, Values in, size_t) {
  return (*static_cast<const Layer *>(user))(tape, in);
}

// Numbers without a pattern, −1.5 … 1.5.
inline double Number(size_t i) {
  const double turn = 0.7548776662466927 * static_cast<double>(i + 1);
  return 3 * (turn - std::floor(turn)) - 1.5;
}

inline void ExpectGradients(const std::vector<std::vector<int64_t>> &shapes,
                            Layer layer) {
  const auto context = MakeContext();
  std::vector<Owned<tir_tensor>> owned;
  std::vector<tir_tensor *> inputs;
  size_t n_numbers = 0;
  tir_error error = {};
  for (const auto &dims : shapes) {
    size_t n = 1;
    for (int64_t d : dims) n *= static_cast<size_t>(d);
    std::vector<double> data;
    for (size_t i = 0; i < n; i++) data.push_back(Number(n_numbers++));
    tir_tensor *tensor = nullptr;
    ASSERT_EQ(tir_tensor_from_data(context.get(), TIR_DTYPE_F64, dims.data(),
                                   static_cast<int>(dims.size()), data.data(),
                                   &tensor, &error),
              TIR_OK);
    owned.emplace_back(tensor);
    inputs.push_back(tensor);
  }
  for (bool second_order : {false, true}) {
    tir_gradcheck_options options = {};
    options.second_order = second_order;
    EXPECT_EQ(tir_gradcheck(context.get(), CallLayer, &layer, inputs.data(),
                            inputs.size(), &options, &error),
              TIR_OK)
        << (second_order ? "second order: " : "") << error.message;
  }
}

class LayersTest : public TapeTest {
 protected:
  void ExpectClose(const Floats &got, const Floats &wanted,
                   float tolerance = 1e-6f) {
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < got.size(); i++)
      EXPECT_NEAR(got[i], wanted[i], tolerance * (1 + std::fabs(wanted[i])))
          << i;
  }
};

#endif
