// Twenty steps of training a small classifier on a live tape: large enough
// that products, losses and updates are cut for several threads.
#ifndef TAPEIR_TESTS_SUPPORT_THREADED_TRAINING_H
#define TAPEIR_TESTS_SUPPORT_THREADED_TRAINING_H

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tapeir/tapeir.h"
#include "tests/support/random.h"

class ThreadedTraining {
 public:
  explicit ThreadedTraining(tir_context *context) {
    tir_error error = {};
    EXPECT_EQ(tir_tape_create(context, nullptr, &t_, &error), TIR_OK)
        << error.message;
    TestRandom random(5);
    w_.push_back(Uniform(&random, {kIn, kHidden}));
    w_.push_back(Uniform(&random, {kHidden}));
    w_.push_back(Uniform(&random, {kHidden, kClasses}));
    for (tir_value w : w_) tir_attach_grad(t_, w, TIR_GRAD_WRITE);
    x_ = Uniform(&random, {kBatch, kIn});
    std::vector<int32_t> targets;
    for (int64_t i = 0; i < kBatch; i++)
      targets.push_back(static_cast<int32_t>(random.Below(kClasses)));
    const int64_t n = kBatch;
    targets_ = tir_value_from_data(t_, TIR_DTYPE_I32, &n, 1, targets.data());
  }
  ~ThreadedTraining() { tir_tape_destroy(t_); }
  ThreadedTraining(const ThreadedTraining &) = delete;
  ThreadedTraining &operator=(const ThreadedTraining &) = delete;

  // Loss after each step, then every weight.
  std::vector<float> Run(int n_steps) {
    std::vector<float> numbers;
    for (int i = 0; i < n_steps; i++) numbers.push_back(Step());
    for (tir_value w : w_) {
      tir_tensor *tensor = nullptr;
      tir_error error = {};
      EXPECT_EQ(tir_read(t_, w, &tensor, &error), TIR_OK) << error.message;
      if (!tensor) break;
      const auto *data = static_cast<const float *>(tir_tensor_data(tensor));
      numbers.insert(numbers.end(), data, data + tir_tensor_numel(tensor));
      tir_tensor_release(tensor);
    }
    return numbers;
  }

 private:
  static constexpr int64_t kBatch = 192, kIn = 256, kHidden = 256,
                           kClasses = 10;

  tir_value Uniform(TestRandom *random, const std::vector<int64_t> &dims) {
    size_t n = 1;
    for (int64_t d : dims) n *= static_cast<size_t>(d);
    std::vector<float> data(n);
    for (float &x : data) x = static_cast<float>(random->Between(-0.1, 0.1));
    return tir_value_from_data(t_, TIR_DTYPE_F32, dims.data(),
                               static_cast<int>(dims.size()), data.data());
  }

  float Step() {
    tir_step_begin(t_);
    tir_record_begin(t_, true);
    tir_value h = tir_add(t_, tir_matmul(t_, x_, w_[0]), w_[1]);
    h = tir_dropout(t_, tir_tanh(t_, h), 0.1);
    const tir_value logits = tir_matmul(t_, h, w_[2]);
    const tir_value losses = tir_cross_entropy(t_, logits, targets_);
    const tir_value loss = tir_mean(t_, losses, nullptr, 0, false);
    tir_mode_end(t_);
    tir_backward(t_, loss);
    tir_sgd(t_, w_.data(), w_.size(), tir_scalar(t_, TIR_DTYPE_F32, 0.5),
            false);
    tir_error error = {};
    EXPECT_EQ(tir_step_end(t_, &loss, 1, &error), TIR_OK) << error.message;
    const float value = static_cast<float>(tir_read_scalar(t_, loss));
    tir_value_release(t_, loss);
    return value;
  }

  tir_tape *t_ = nullptr;
  std::vector<tir_value> w_;
  tir_value x_ = {}, targets_ = {};
};

#endif
