// The examples hold what they promise, and resume_fashion knows no model: it
// calls no op function. Those that train on Fashion-MNIST are in
// fashion_examples_gate_test.cc.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>

#include "tests/support/program_output.h"

namespace {

using tapeir_test::NumberAfter;
using tapeir_test::Output;

const std::string kExamples = TAPEIR_BINARY_DIR "/examples/";
const std::string kData = TAPEIR_SOURCE_DIR "/examples/data/";
const std::string kTapeir = TAPEIR_BINARY_DIR "/tools/tapeir";

TEST(Examples, AutogradChapterHolds) {
  int status;
  const std::string text = Output("cd " + std::string(TAPEIR_BINARY_DIR) +
                                      " && " + kExamples + "autograd_chapter",
                                  &status);
  EXPECT_EQ(status, 0) << text;
  EXPECT_NE(text.find("all results hold"), std::string::npos) << text;
}

TEST(Examples, ControlFlowHolds) {
  int status;
  const std::string text = Output(kExamples + "control_flow", &status);
  EXPECT_EQ(status, 0) << text;
}

TEST(Examples, CppQuickstartHolds) {
  int status;
  const std::string text = Output("cd " + std::string(TAPEIR_BINARY_DIR) +
                                      " && " + kExamples + "cpp_quickstart",
                                  &status);
  EXPECT_EQ(status, 0) << text;
  EXPECT_NE(text.find("line(10) = 28.000"), std::string::npos) << text;
}

TEST(Examples, ResumeCallsNoOpFunction) {
  int status;
  const std::string symbols =
      Output("nm -u " + kExamples + "resume_fashion", &status);
  ASSERT_EQ(status, 0) << symbols;
  ASSERT_NE(symbols.find("tir_module_load"), std::string::npos);
  // What it may call: loading, compiling, running, saving, and asking.
  const std::set<std::string> families = {
      "context", "module", "compile", "instance", "run", "program", "graph"};
  size_t at = 0;
  while ((at = symbols.find(" tir_", at)) != std::string::npos) {
    const size_t begin = at + 5;
    const size_t end = symbols.find_first_of("_@\n", begin);
    const std::string family = symbols.substr(begin, end - begin);
    EXPECT_TRUE(families.count(family)) << "tir_" << family;
    at = end;
  }
}

// Six steps; the whole training has 3,000.
TEST(Examples, CharTransformerLearnsAndWrites) {
  int status;
  const std::string text = Output(kExamples + "char_transformer 6", &status);
  EXPECT_EQ(status, 0) << text;
  EXPECT_NE(text.find("step 6: loss "), std::string::npos) << text;
  EXPECT_NE(text.find("cached logits differ by "), std::string::npos) << text;
}

TEST(Examples, CustomOpTrainsAndComesBack) {
  int status;
  const std::string file = TAPEIR_BINARY_DIR "/examples_custom_op.tir";
  const std::string text = Output(kExamples + "custom_op " + file, &status);
  EXPECT_EQ(status, 0) << text;
  EXPECT_NE(text.find("no op \"example.huber\" of version 1 is registered"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("equal bits from"), std::string::npos) << text;
  remove(file.c_str());
}

// A loop in the graph and a loop in C train to the same bits.
TEST(Examples, LstmByScanAndByLoopAgree) {
  int status;
  const std::string text = Output(kExamples + "lstm_scan 6", &status);
  EXPECT_EQ(status, 0) << text;
  EXPECT_NE(text.find("equal bits"), std::string::npos) << text;
}

// Trained by the example, and from the same table by the command.
TEST(Examples, LogisticRegressionTellsPenguinsApart) {
  int status;
  const std::string table = kData + "penguins.csv";
  const std::string file = TAPEIR_BINARY_DIR "/examples_test_penguins.tir";
  const std::string more = TAPEIR_BINARY_DIR "/examples_test_more.tir";
  std::string text = Output(
      kExamples + "logistic_regression " + table + " " + file + " 40", &status);
  ASSERT_EQ(status, 0) << text;
  EXPECT_GE(NumberAfter(text, "114 rows kept back: "), 97) << text;
  text = Output(kTapeir + " train " + file + " --graph train_step --lr 0.1 " +
                    "--epochs 60 --data x=" + table + ":1-4 --data y=" + table +
                    ":5 --save-as " + more + " --force",
                &status);
  ASSERT_EQ(status, 0) << text;
  const double first = NumberAfter(text, "epoch 1 loss ");
  const double last = NumberAfter(text, "epoch 60 loss ");
  EXPECT_GT(last, 0) << text;
  EXPECT_LT(last, 0.7 * first) << text;
  remove(file.c_str());
  remove(more.c_str());
}

TEST(Examples, StaticBlockNeedsNoHeap) {
  int status;
  const std::string table = kData + "penguins.csv";
  const std::string file = TAPEIR_BINARY_DIR "/examples_test_static.tir";
  std::string text = Output(
      kExamples + "logistic_regression " + table + " " + file + " 5", &status);
  text =
      Output(kExamples + "static_block " + file + " " + table + " 20", &status);
  ASSERT_EQ(status, 0) << text;
  const double bytes = NumberAfter(text, "train_step ");
  EXPECT_GT(bytes, 0) << text;
  EXPECT_GE(NumberAfter(text, "bytes of "), bytes) << text;
  EXPECT_GE(NumberAfter(text, "after 20 epochs "), 90) << text;
  EXPECT_NE(text.find("the heap unused"), std::string::npos) << text;
  remove(file.c_str());
}

TEST(Examples, OdeFitFindsTheParameters) {
  int status;
  const std::string text =
      Output(kExamples + "ode_fit " + kData + "climate.csv", &status);
  ASSERT_EQ(status, 0) << text;
  // The least squares, found with differences by another program.
  EXPECT_NEAR(NumberAfter(text, "lambda, W/m2/K"), 1.212, 0.0015) << text;
  EXPECT_NEAR(NumberAfter(text, "b, K "), -0.635, 0.0015) << text;
  EXPECT_NE(text.find(" 2 plans"), std::string::npos) << text;
  Output(kExamples + "ode_fit " + kData + "climate.csv 0", &status);
  EXPECT_NE(status, 0) << "a fit that has not begun passes";
}

}  // namespace
