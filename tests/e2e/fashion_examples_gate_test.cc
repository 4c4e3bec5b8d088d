// The examples on Fashion-MNIST, on small budgets: they learn, save, go on,
// and serve.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "tests/support/program_output.h"

namespace {

using tapeir_test::NumberAfter;
using tapeir_test::Output;

const std::string kExamples = TAPEIR_BINARY_DIR "/examples/";

// Forty steps; the whole training reaches 89.5 %.
TEST(Examples, AdamWLearnsOnASmallBudget) {
  int status;
  const std::string text =
      Output(kExamples + "train_fashion_adamw 2 20", &status);
  ASSERT_EQ(status, 0) << text;
  double losses[2] = {}, accuracy = 0;
  ASSERT_EQ(sscanf(text.c_str(),
                   "epoch 1: loss %lf epoch 2: loss %lf test accuracy: %lf",
                   &losses[0], &losses[1], &accuracy),
            3)
      << text;
  EXPECT_LT(losses[1], 0.8 * losses[0]) << text;
  EXPECT_GT(accuracy, 65) << text;
}

TEST(Examples, GradientPenaltyFlattensTheLoss) {
  int status;
  const std::string text =
      Output(kExamples + "gradient_penalty 30 200", &status);
  ASSERT_EQ(status, 0) << text;
  const size_t second = text.find('\n') + 1;
  const double plain = NumberAfter(text, "gradient ");
  const double calm = NumberAfter(text.substr(second), "gradient ");
  EXPECT_GT(calm, 0) << text;
  EXPECT_LT(calm, 0.85 * plain) << text;
}

TEST(Examples, TrainSavesAndResumeGoesOn) {
  int status;
  const std::string file = TAPEIR_BINARY_DIR "/examples_test.tir";
  std::string text =
      Output(kExamples + "train_fashion " + file + " 0", &status);
  if (text.find("install dataset-fashion-mnist") != std::string::npos)
    FAIL() << text;
  ASSERT_EQ(status, 0) << text;
  text = Output(kExamples + "resume_fashion " + file + " " + file + " 30",
                &status);
  ASSERT_EQ(status, 0) << text;
  EXPECT_NE(text.find("epoch 1: loss "), std::string::npos) << text;
  text = Output(kExamples + "resume_fashion " + file + " " + file + " 30",
                &status);
  EXPECT_NE(text.find("epoch 2: loss "), std::string::npos) << text;
  text = Output(kExamples + "two_threads " + file + " 200", &status);
  ASSERT_EQ(status, 0) << text;
  EXPECT_NE(text.find("equal bits"), std::string::npos) << text;
  EXPECT_GT(NumberAfter(text, "right: "), 50) << text;
  remove(file.c_str());
}

}  // namespace
