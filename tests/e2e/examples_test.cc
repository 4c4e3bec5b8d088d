// The examples hold what they promise, and resume_fashion knows no model: it
// calls no op function.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>

namespace {

std::string Output(const std::string &command, int *status) {
  std::string text;
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return "";
  char buffer[512];
  while (fgets(buffer, sizeof buffer, pipe)) text += buffer;
  *status = pclose(pipe);
  return text;
}

const std::string kExamples = TAPEIR_BINARY_DIR "/examples/";

TEST(Examples, AutogradChapterHolds) {
  int status;
  const std::string text =
      Output("cd " + std::string(TAPEIR_BINARY_DIR) + " && " + kExamples +
                 "autograd_chapter",
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
  const std::string text =
      Output("cd " + std::string(TAPEIR_BINARY_DIR) + " && " + kExamples +
                 "cpp_quickstart",
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
  const std::set<std::string> families = {"context", "module", "compile",
                                          "instance", "run", "program",
                                          "graph"};
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

TEST(Examples, TrainSavesAndResumeGoesOn) {
  int status;
  const std::string file = TAPEIR_BINARY_DIR "/examples_test.tir";
  std::string text = Output(
      kExamples + "train_fashion " + file + " 0", &status);
  if (text.find("install dataset-fashion-mnist") != std::string::npos)
    FAIL() << text;
  ASSERT_EQ(status, 0) << text;
  text = Output(kExamples + "resume_fashion " + file + " " + file + " 60",
                &status);
  ASSERT_EQ(status, 0) << text;
  EXPECT_NE(text.find("epoch 1: loss "), std::string::npos) << text;
  text = Output(kExamples + "resume_fashion " + file + " " + file + " 60",
                &status);
  EXPECT_NE(text.find("epoch 2: loss "), std::string::npos) << text;
  remove(file.c_str());
}

}  // namespace
