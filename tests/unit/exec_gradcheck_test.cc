// tir_gradcheck finds wrong gradients and passes right ones.
#include "tests/support/compiled.h"
#include "tests/support/context_fixture.h"

namespace {

class Gradcheck : public testing::Test {
 protected:
  void Add(const std::vector<int64_t> &dims, const std::vector<double> &data) {
    tir_tensor *tensor = nullptr;
    ASSERT_EQ(tir_tensor_from_data(context_.get(), TIR_DTYPE_F64, dims.data(),
                                   static_cast<int>(dims.size()), data.data(),
                                   &tensor, &error_),
              TIR_OK);
    owned_.emplace_back(tensor);
    inputs_.push_back(tensor);
  }
  tir_status Check(tir_gradcheck_fn fn, bool second_order = false) {
    tir_gradcheck_options options = {};
    options.second_order = second_order;
    return tir_gradcheck(context_.get(), fn, nullptr, inputs_.data(),
                         inputs_.size(), &options, &error_);
  }

  Owned<tir_context> context_ = MakeContext();
  std::vector<Owned<tir_tensor>> owned_;
  std::vector<tir_tensor *> inputs_;
  tir_error error_ = {};
};

tir_value Smooth(void *, tir_tape *t, const tir_value *in, size_t) {
  return tir_mul(t, tir_tanh(t, tir_matmul(t, in[0], in[1])), in[2]);
}

TEST_F(Gradcheck, PassesFirstAndSecondOrder) {
  Add({2, 3}, {.1, -.2, .3, .4, -.5, .6});
  Add({3, 2}, {.7, .8, -.9, 1, 1.1, -1.2});
  Add({2, 2}, {1, 2, -3, 40});
  EXPECT_EQ(Check(Smooth), TIR_OK) << error_.message;
  EXPECT_EQ(Check(Smooth, true), TIR_OK) << error_.message;
}

// A step so large that plain central differences are off by 2e-5.
TEST_F(Gradcheck, RichardsonStepRemovesTheLeadingError) {
  Add({2}, {.5, 1});
  tir_gradcheck_options options = {};
  options.step = 0.01;
  const auto exponential = [](void *, tir_tape *t, const tir_value *in,
                              size_t) { return tir_exp(t, in[0]); };
  EXPECT_EQ(tir_gradcheck(context_.get(), exponential, nullptr, inputs_.data(),
                          1, &options, &error_),
            TIR_OK)
      << error_.message;
  options.step = 0.5;
  EXPECT_EQ(tir_gradcheck(context_.get(), exponential, nullptr, inputs_.data(),
                          1, &options, &error_),
            TIR_ERR_VALUE);
}

TEST_F(Gradcheck, FindsAWrongGradient) {
  Add({3}, {.5, 1, 2});
  const auto wrong = [](void *, tir_tape *t, const tir_value *in,
                        size_t) -> tir_value {
    // Half of the dependence is hidden from the gradient.
    return tir_mul(t, in[0], tir_detach(t, in[0]));
  };
  EXPECT_EQ(Check(wrong), TIR_ERR_VALUE);
  EXPECT_TRUE(strstr(error_.message,
                     "gradcheck: gradient of input 0 at element 0 is 0.5, "
                     "central differences give"))
      << error_.message;
}

TEST_F(Gradcheck, FindsAWrongSecondGradient) {
  Add({2}, {.5, 1});
  // First order right: the missing part is zero in value and slope.
  const auto wrong = [](void *, tir_tape *t, const tir_value *in,
                        size_t) -> tir_value {
    const tir_value still = tir_detach(t, in[0]);
    const tir_value zero = tir_sub(t, in[0], still);
    return tir_add(t, tir_exp(t, in[0]), tir_square(t, zero));
  };
  EXPECT_EQ(Check(wrong), TIR_OK) << error_.message;
  EXPECT_EQ(Check(wrong, true), TIR_ERR_VALUE);
  EXPECT_TRUE(strstr(error_.message, "second gradient")) << error_.message;
}

TEST_F(Gradcheck, AnUnusedInputHasZeroGradient) {
  Add({2}, {.5, 1});
  Add({2}, {3, 4});
  const auto first = [](void *, tir_tape *t, const tir_value *in, size_t) {
    return tir_exp(t, in[0]);
  };
  EXPECT_EQ(Check(first), TIR_OK) << error_.message;
}

TEST_F(Gradcheck, NanIsNeverRight) {
  Add({1}, {-1});
  const auto root = [](void *, tir_tape *t, const tir_value *in, size_t) {
    return tir_sqrt(t, in[0]);
  };
  EXPECT_EQ(Check(root), TIR_ERR_VALUE);
}

TEST_F(Gradcheck, ReportsTheFunctionsOwnErrors) {
  Add({2}, {.5, 1});
  Add({3}, {1, 2, 3});
  const auto bad = [](void *, tir_tape *t, const tir_value *in, size_t) {
    return tir_add(t, in[0], in[1]);
  };
  EXPECT_EQ(Check(bad), TIR_ERR_SHAPE);
  const auto nothing = [](void *, tir_tape *, const tir_value *, size_t) {
    return tir_value{};
  };
  EXPECT_EQ(Check(nothing), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "gradcheck: the function returned no value");
}

TEST_F(Gradcheck, RefusesBadArguments) {
  EXPECT_EQ(Check(Smooth), TIR_ERR_ARGUMENT);
  const int64_t dims[] = {1};
  tir_tensor *f32 = nullptr;
  ASSERT_EQ(
      tir_tensor_create(context_.get(), TIR_DTYPE_F32, dims, 1, &f32, &error_),
      TIR_OK);
  owned_.emplace_back(f32);
  inputs_.push_back(f32);
  EXPECT_EQ(Check(Smooth), TIR_ERR_DTYPE);
  EXPECT_STREQ(error_.message, "gradcheck: input 0 is f32, expected f64");
  inputs_[0] = nullptr;
  EXPECT_EQ(Check(Smooth), TIR_ERR_ARGUMENT);
  inputs_.clear();
  Add({1}, {1});
  tir_gradcheck_options options = {};
  options.step = -1;
  EXPECT_EQ(tir_gradcheck(context_.get(), Smooth, nullptr, inputs_.data(), 1,
                          &options, &error_),
            TIR_ERR_ARGUMENT);
  options.step = 0;
  options.reserved[7] = 1;
  EXPECT_EQ(tir_gradcheck(context_.get(), Smooth, nullptr, inputs_.data(), 1,
                          &options, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_gradcheck(context_.get(), nullptr, nullptr, inputs_.data(), 1,
                          nullptr, &error_),
            TIR_ERR_ARGUMENT);
}

TEST(GradcheckFault, EveryFailingAllocationIsClean) {
  uint64_t n = 0;
  ForEachFailingAllocation([&n](FailingAllocator &allocator) -> tir_status {
    allocator.FailAt(0);
    const TestContext context(&allocator);
    const int64_t dims[] = {1};
    const double x = 0.5;
    tir_tensor *input = nullptr;
    EXPECT_EQ(tir_tensor_from_data(context, TIR_DTYPE_F64, dims, 1, &x, &input,
                                   nullptr),
              TIR_OK);
    allocator.FailAt(allocator.n_allocs() + ++n);
    tir_gradcheck_options options = {};
    options.second_order = true;
    tir_error error = {};
    const auto fn = [](void *, tir_tape *t, const tir_value *in, size_t) {
      return tir_tanh(t, in[0]);
    };
    const tir_status status =
        tir_gradcheck(context, fn, nullptr, &input, 1, &options, &error);
    EXPECT_EQ(error.status, status);
    tir_tensor_release(input);
    // A tape may do without some memory (to reclaim nodes); then the check
    // has passed all the same.
    if (status == TIR_OK && allocator.failed()) return TIR_ERR_MEMORY;
    return status;
  });
}

}  // namespace
