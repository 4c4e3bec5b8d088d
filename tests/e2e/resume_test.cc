// A module goes on training from its file as if it had never stopped: same
// bits as the uninterrupted run, dropout and momentum and Adam's count
// included.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "tapeir/tapeir.h"

namespace {

constexpr int64_t kBatch = 16, kIn = 8, kHidden = 32;

class Resume : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(tir_context_create(nullptr, &c, &error), TIR_OK);
    char name[] = "/tmp/tapeir-resume-XXXXXX";
    const int fd = mkstemp(name);
    ASSERT_GE(fd, 0);
    close(fd);
    path = std::string(name);
  }
  void TearDown() override {
    unlink(path.c_str());
    tir_context_destroy(c);
  }

  void Check(tir_status status) { ASSERT_EQ(status, TIR_OK) << error.message; }

  void Param(tir_module *m, const char *name, tir_param_kind kind,
             std::vector<int64_t> dims, tir_dtype dtype, float scale) {
    tir_tensor *tensor;
    Check(tir_tensor_create(c, dtype, dims.data(),
                            static_cast<int>(dims.size()), &tensor, &error));
    if (dtype == TIR_DTYPE_F32 && scale != 0) {
      void *data;
      Check(tir_tensor_write_begin(tensor, &data, &error));
      for (int64_t i = 0; i < tir_tensor_numel(tensor); i++)
        static_cast<float *>(data)[i] =
            scale * std::sin(static_cast<float>(i) * 12.9898f + 1);
      tir_tensor_write_end(tensor);
    }
    Check(tir_module_add_param(m, name, kind, tensor, &error));
    tir_tensor_release(tensor);
  }

  // An MLP with dropout and Adam.
  tir_module *Build() {
    tir_module *m;
    tir_tape *t;
    EXPECT_EQ(tir_module_create(c, &m, &error), TIR_OK);
    EXPECT_EQ(tir_tape_create(c, nullptr, &t, &error), TIR_OK);
    const char *const names[] = {"w1", "w2"};
    const std::vector<int64_t> dims[] = {{kIn, kHidden}, {kHidden, 1}};
    for (int i = 0; i < 2; i++) {
      Param(m, names[i], TIR_PARAM_TRAINABLE, dims[i], TIR_DTYPE_F32, 0.3f);
      Param(m, (std::string(names[i]) + ".m").c_str(), TIR_PARAM_STATE, dims[i],
            TIR_DTYPE_F32, 0);
      Param(m, (std::string(names[i]) + ".v").c_str(), TIR_PARAM_STATE, dims[i],
            TIR_DTYPE_F32, 0);
    }
    Param(m, "step", TIR_PARAM_STATE, {}, TIR_DTYPE_I64, 0);
    tir_capture_begin(t, m, "train_step");
    const int64_t x_dims[] = {kBatch, kIn}, y_dims[] = {kBatch, 1};
    const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, x_dims, 2);
    const tir_value y = tir_input(t, "y", TIR_DTYPE_F32, y_dims, 2);
    const tir_value lr = tir_input(t, "lr", TIR_DTYPE_F32, nullptr, 0);
    tir_value w[2], mean[2], square[2];
    for (int i = 0; i < 2; i++) {
      w[i] = tir_param(t, m, names[i]);
      mean[i] = tir_param(t, m, (std::string(names[i]) + ".m").c_str());
      square[i] = tir_param(t, m, (std::string(names[i]) + ".v").c_str());
      tir_attach_grad(t, w[i], TIR_GRAD_WRITE);
    }
    tir_record_begin(t, true);
    const tir_value h =
        tir_dropout(t, tir_tanh(t, tir_matmul(t, x, w[0])), 0.25);
    const tir_value loss = tir_mse(t, tir_matmul(t, h, w[1]), y);
    tir_mode_end(t);
    tir_backward(t, loss);
    tir_adam_values values = {};
    values.lr = lr;
    values.beta1 = tir_scalar(t, TIR_DTYPE_F32, 0.9);
    values.beta2 = tir_scalar(t, TIR_DTYPE_F32, 0.999);
    values.epsilon = tir_scalar(t, TIR_DTYPE_F32, 1e-8);
    values.step = tir_param(t, m, "step");
    tir_adam(t, w, mean, square, 2, values, false);
    tir_output(t, "loss", loss);
    EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_OK) << error.message;
    tir_tape_destroy(t);
    return m;
  }

  // Runs steps [first, last) and appends their losses.
  void Train(tir_module *m, int first, int last, std::vector<float> *losses) {
    tir_program *program;
    tir_instance *run;
    Check(tir_compile(c, tir_module_graph(m, "train_step"), nullptr, &program,
                      &error));
    Check(tir_instance_create(program, m, &run, &error));
    std::vector<float> x(kBatch * kIn), y(kBatch);
    for (int s = first; s < last; s++) {
      for (size_t i = 0; i < x.size(); i++)
        x[i] = std::cos(static_cast<float>(s * 1000 + static_cast<int>(i)));
      for (size_t i = 0; i < y.size(); i++) y[i] = x[i * kIn] * x[i * kIn + 1];
      const float lr = 0.02f / (1 + 0.01f * static_cast<float>(s));
      Check(tir_instance_bind_input(run, 0, x.data(), x.size() * 4, &error));
      Check(tir_instance_bind_input(run, 1, y.data(), y.size() * 4, &error));
      Check(tir_instance_bind_input(run, 2, &lr, 4, &error));
      Check(tir_run(run, nullptr, &error));
      losses->push_back(
          *static_cast<const float *>(tir_instance_output(run, 0)));
    }
    tir_instance_destroy(run);
    tir_program_destroy(program);
  }

  tir_context *c = nullptr;
  tir_error error;
  std::string path;
};

TEST_F(Resume, SameBitsAsAnUninterruptedRun) {
  std::vector<float> whole, parts;
  tir_module *m = Build();
  Train(m, 0, 60, &whole);
  tir_tensor *expected;
  Check(tir_module_get_param(m, "w1", &expected, &error));
  tir_module_destroy(m);

  m = Build();
  for (int at = 0; at < 60; at += 20) {
    Train(m, at, at + 20, &parts);
    Check(tir_module_save(m, path.c_str(), &error));
    tir_module_destroy(m);
    Check(tir_module_load(c, path.c_str(), nullptr, &m, &error));
  }
  EXPECT_EQ(parts, whole);
  tir_tensor *got;
  Check(tir_module_get_param(m, "w1", &got, &error));
  EXPECT_EQ(memcmp(tir_tensor_data(got), tir_tensor_data(expected),
                   tir_tensor_size_bytes(got)),
            0);
  tir_tensor_release(got);
  tir_tensor_release(expected);
  tir_module_destroy(m);
  // And it learnt something.
  float early = 0, late = 0;
  for (int i = 0; i < 15; i++) {
    early += whole[static_cast<size_t>(i)];
    late += whole[whole.size() - 1 - static_cast<size_t>(i)];
  }
  EXPECT_LT(late, early);
}

TEST_F(Resume, RandomStateAndStepCountAreInTheFile) {
  tir_module *m = Build();
  std::vector<float> losses;
  Train(m, 0, 3, &losses);
  tir_tensor *tensor;
  Check(tir_module_get_param(m, "step", &tensor, &error));
  EXPECT_EQ(*static_cast<const int64_t *>(tir_tensor_data(tensor)), 3);
  tir_tensor_release(tensor);
  Check(tir_module_get_param(m, "tapeir.random", &tensor, &error));
  EXPECT_EQ(static_cast<const int64_t *>(tir_tensor_data(tensor))[1], 3);
  tir_tensor_release(tensor);
  tir_module_destroy(m);
}

}  // namespace
