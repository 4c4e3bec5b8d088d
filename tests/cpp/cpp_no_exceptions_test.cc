// The wrapper returning errors instead of throwing them.
#define TAPEIR_NO_EXCEPTIONS
#include <gtest/gtest.h>

#include "tapeir/tapeir.hpp"

namespace {

TEST(CppNoExceptions, ResultsAndStatuses) {
  auto context = tapeir::Context::create();
  ASSERT_TRUE(context.ok());
  auto tape = tapeir::Tape::create(*context);
  ASSERT_TRUE(tape) << tape.message();
  const tapeir::Value x = *tape->value<float>({2, 1}, {3, 4});
  EXPECT_EQ(*norm(x).scalar(), 5);
  EXPECT_EQ(*(x + 1).to_vector<float>(), (std::vector<float>{4, 5}));
  EXPECT_EQ(*x.text(), "[[3.] [4.]]");
  EXPECT_TRUE(tape->check().ok());
}

TEST(CppNoExceptions, ErrorsAreReturned) {
  auto context = tapeir::Context::create();
  auto tape = tapeir::Tape::create(*context);
  const tapeir::Value a = *tape->value<float>({2}, {1, 2});
  const tapeir::Value b = *tape->value<float>({3}, {1, 2, 3});
  const auto bad = (a + b).scalar();
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.status(), TIR_ERR_SHAPE);
  EXPECT_EQ(std::string(bad.message()).substr(0, 4), "add:");
  EXPECT_TRUE(tape->check().ok()) << "taken by scalar()";
  EXPECT_FALSE(tape->value<float>({3}, {1}).ok());

  auto module = tapeir::Module::load(*context, "/none");
  EXPECT_FALSE(module.ok());
  EXPECT_EQ(module.status(), TIR_ERR_IO);
  auto made = tapeir::Module::create(*context);
  tapeir::Capture capture(*tape, *made, "f");
  capture.output("y", capture.input("x", TIR_DTYPE_F32, {1}) + 1);
  auto graph = capture.end();
  ASSERT_TRUE(graph.ok());
  auto program = tapeir::Program::compile(*context, *graph);
  ASSERT_TRUE(program.ok());
  auto instance = tapeir::Instance::create(*program);
  ASSERT_TRUE(instance.ok());
  EXPECT_EQ(instance->run().status(), TIR_ERR_STATE);
  const float two = 2;
  EXPECT_TRUE(instance->bind_input<float>(0, {&two, 1}).ok());
  EXPECT_TRUE(instance->run().ok());
  EXPECT_EQ((*instance->output<float>(0))[0], 3);
  EXPECT_EQ(instance->output<double>(0).status(), TIR_ERR_DTYPE);
}

TEST(CppNoExceptions, ResultsMove) {
  tapeir::Tape tape = *tapeir::Tape::create(*tapeir::Context::create());
  EXPECT_TRUE(tape);
  EXPECT_EQ(*tape.scalar(2.5).scalar(), 2.5);
}

}  // namespace
