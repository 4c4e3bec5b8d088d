// Misuse: refused before anything runs, with op, names, shapes and place.
#include "tests/semantics/tape_fixture.h"
#include "tests/support/comma_locale.h"
#include "tests/support/internal.h"

extern "C" {
#include "ir/record.h"
}

class Misuse : public TapeTest {
 protected:
  tir_value Leaf(Floats data, const char *name) {
    const tir_value x = tir_set_name(t, Vec(data), name);
    tir_attach_grad(t, x, TIR_GRAD_WRITE);
    return x;
  }
  // The error holds `text`, and nothing has been run.
  void Expect(const std::string &text) {
    const std::string error = Error();
    EXPECT_NE(error.find(text), std::string::npos) << error;
    EXPECT_EQ(Stats().n_runs, 0u);
  }
};

TEST_F(Misuse, NoHistoryLeaf) {
  tir_backward(t, tir_set_name(t, Vec({1}), "x"));
  Expect("backward: head 0 \"x\" has no history: it is a leaf without");
}

TEST_F(Misuse, CallsWithoutAResultNameTheirPlace) {
  const auto expect_line = [this](int line) {
    Expect("misuse_test.cc:" + std::to_string(line) + ")");
  };
  const tir_value x = Vec({1});
  tir_backward(t, x);
  expect_line(__LINE__ - 1);
  tir_sgd(t, &x, 1, tir_scalar(t, TIR_DTYPE_F32, 0.1), false);
  expect_line(__LINE__ - 1);
  tir_attach_grad(t, tir_value{}, TIR_GRAD_WRITE);
  expect_line(__LINE__ - 1);
  tir_value out = {};
  tir_grad(t, &x, 1, nullptr, 0, &x, 1, nullptr, &out);
  expect_line(__LINE__ - 1);
}

TEST_F(Misuse, NoHistoryOutsideRecord) {
  const tir_value x = Leaf({1}, "x");
  tir_backward(t, tir_square(t, x));
  Expect("it was computed outside tir_record_begin");
}

TEST_F(Misuse, NoHistoryPaused) {
  const tir_value x = Leaf({1}, "x");
  tir_record_begin(t, true);
  tir_pause_begin(t, true);
  const tir_value y = tir_square(t, x);
  tir_mode_end(t);
  tir_mode_end(t);
  tir_backward(t, y);
  Expect("it was recorded while recording was paused");
}

TEST_F(Misuse, NoHistoryDetached) {
  const tir_value x = Leaf({1}, "x");
  tir_record_begin(t, true);
  const tir_value y = tir_detach(t, tir_square(t, x));
  tir_mode_end(t);
  tir_backward(t, y);
  Expect("it was detached");
}

TEST_F(Misuse, EveryResultOfANodeKnowsWhyItHasNoHistory) {
  const tir_value wrt[] = {Leaf({1}, "x"), Leaf({2}, "w")};
  tir_value grads[2];
  tir_record_begin(t, true);
  const tir_value y = tir_mul(t, wrt[0], wrt[1]);
  tir_pause_begin(t, true);
  tir_grad(t, &y, 1, nullptr, 0, wrt, 2, nullptr, grads);
  tir_mode_end(t);
  tir_mode_end(t);
  for (const tir_value grad : grads) {
    tir_backward(t, grad);
    Expect("it was recorded while recording was paused");
  }
}

TEST_F(Misuse, ACaptureKnowsWhyThereIsNoHistory) {
  tir_module *module;
  tir_error error;
  ASSERT_EQ(tir_module_create(c, &module, &error), TIR_OK);
  const struct {
    const char *name, *text;
  } cases[] = {
      {"leaf", "it is a leaf without attach_grad"},
      {"outside", "it was computed outside tir_record_begin"},
      {"paused", "it was recorded while recording was paused"},
      {"detached", "it was detached"},
      {"constant", "nothing it was computed from has a gradient attached"},
      {"gradient", "it was computed outside tir_record_begin"},
  };
  for (const auto &which : cases) {
    const std::string name = which.name;
    tir_capture_begin(t, module, "g");
    const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, nullptr, 0);
    const tir_value other = tir_input(t, "other", TIR_DTYPE_F32, nullptr, 0);
    tir_attach_grad(t, x, TIR_GRAD_WRITE);
    tir_value y = other;
    if (name == "outside") y = tir_square(t, x);
    tir_record_begin(t, true);
    if (name == "paused") {
      tir_pause_begin(t, true);
      y = tir_square(t, x);
      tir_mode_end(t);
    }
    if (name == "detached") y = tir_detach(t, tir_square(t, x));
    if (name == "constant") y = tir_square(t, other);
    const tir_value z = tir_square(t, x);
    tir_mode_end(t);
    if (name == "gradient") {
      tir_backward(t, z);
      y = tir_grad_of(t, x);
    }
    tir_backward(t, y);
    EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_ERR_STATE);
    EXPECT_NE(std::string(error.message).find(which.text), std::string::npos)
        << name << ": " << error.message;
  }
  tir_module_destroy(module);
}

TEST_F(Misuse, SecondBackwardWithoutRetain) {
  const tir_value x = Leaf({1}, "x");
  tir_record_begin(t, true);
  const tir_value y = tir_set_name(t, tir_square(t, x), "y");
  tir_mode_end(t);
  tir_backward(t, y);
  tir_backward(t, y);
  Expect("the graph of head 0 \"y\" was released by an earlier backward");
}

TEST_F(Misuse, SecondBackwardWithoutRetainAfterARun) {
  const tir_value x = Leaf({1}, "x");
  tir_step_begin(t);
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, x);
  tir_mode_end(t);
  tir_backward(t, y);
  tir_error error;
  ASSERT_EQ(tir_step_end(t, &y, 1, &error), TIR_OK) << error.message;
  EXPECT_EQ(Grad(x), (Floats{2}));
  tir_backward(t, y);
  EXPECT_NE(Error().find("released by an earlier backward"), std::string::npos);
}

TEST_F(Misuse, HeadsThatShareHistory) {
  const tir_value x = Leaf({1}, "x");
  tir_record_begin(t, true);
  const tir_value shared = tir_square(t, x);
  const tir_value a = tir_neg(t, shared), b = tir_exp(t, shared);
  tir_mode_end(t);
  tir_backward(t, a);
  tir_backward(t, b);
  Expect("the heads share square (");
}

TEST_F(Misuse, AssignToARecordedArrayWhileRecording) {
  const tir_value x = Leaf({1}, "x");
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, x);
  tir_assign(t, x, Vec({5}));
  tir_mode_end(t);
  Expect("assign: target \"x\" f32[1] is part of a recorded history");
  EXPECT_EQ(Read(x), (Floats{1}));
  EXPECT_EQ(Read(y), (Floats{1}));
}

TEST_F(Misuse, StaleHandleNamesOpAndArgument) {
  tir_scope_begin(t);
  const tir_value x = Vec({1});
  tir_scope_end(t);
  tir_add(t, Vec({1}), x);
  Expect("add: b is stale");
}

TEST_F(Misuse, ForeignHandle) {
  tir_tape *other;
  tir_error error;
  ASSERT_EQ(tir_tape_create(c, nullptr, &other, &error), TIR_OK);
  const float one = 1;
  const tir_value x =
      tir_value_from_data(other, TIR_DTYPE_F32, nullptr, 0, &one);
  tir_neg(t, x);
  Expect("neg: x belongs to another tape");
  tir_tape_destroy(other);
}

TEST_F(Misuse, AllZeroHandle) {
  tir_neg(t, tir_value{});
  Expect("neg: x is not a value");
}

TEST_F(Misuse, ResultOfAFailedCallNamesThatCall) {
  const tir_value bad = tir_add(t, Vec({1, 2}), Vec({1, 2, 3}));
  EXPECT_NE(Error().find("add: "), std::string::npos);
  tir_neg(t, bad);
  Expect("neg: x is the result of a failed call of add (");
}

TEST_F(Misuse, FirstErrorStaysAndNothingRuns) {
  const tir_value x = Vec({1, 2});
  tir_add(t, x, Vec({1, 2, 3}));
  tir_matmul(t, x, x);
  tir_error error;
  tir_tensor *tensor = nullptr;
  EXPECT_EQ(tir_read(t, x, &tensor, &error), TIR_ERR_SHAPE);
  EXPECT_EQ(tensor, nullptr);
  EXPECT_EQ(tir_tape_status(t), TIR_ERR_SHAPE);
  Expect("add: ");
  EXPECT_EQ(tir_tape_status(t), TIR_OK);
}

TEST_F(Misuse, ShapeMismatchNamesValuesShapesAndPlace) {
  const tir_value a = tir_set_name(t, F32({1, 2, 3, 4, 5, 6}, {2, 3}), "x");
  const tir_value b = tir_set_name(t, F32({1, 2}, {2, 1}), "w");
  tir_matmul(t, a, b);
  const std::string error = Error();
  EXPECT_EQ(error.find("matmul: "), 0u) << error;
  EXPECT_NE(error.find("\"x\""), std::string::npos) << error;
  EXPECT_NE(error.find("\"w\""), std::string::npos) << error;
  EXPECT_NE(error.find("misuse_test.cc:"), std::string::npos) << error;
}

TEST_F(Misuse, LiveValueInACapture) {
  tir_module *m;
  tir_error error;
  ASSERT_EQ(tir_module_create(c, &m, &error), TIR_OK);
  const tir_value x = Vec({1});
  tir_capture_begin(t, m, "g");
  tir_neg(t, x);
  EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_ERR_STATE);
  EXPECT_NE(
      std::string(error.message).find("neg: x is a value of the live tape"),
      std::string::npos)
      << error.message;
  EXPECT_EQ(tir_module_n_graphs(m), 0u);
  // Which value, and where it comes from.
  const tir_value one = tir_scalar(t, TIR_DTYPE_F32, 1);
  const std::string place =
      "misuse_test.cc:" + std::to_string(__LINE__ - 2) + ")";
  const tir_value named = tir_set_name(t, one, "weights");
  tir_capture_begin(t, m, "g");
  tir_add(t, tir_input(t, "x", TIR_DTYPE_F32, nullptr, 0), named);
  EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_ERR_STATE);
  const std::string message = error.message;
  EXPECT_EQ(message.find("add: b \"weights\" is a value of the live tape ("),
            0u)
      << message;
  EXPECT_NE(message.find(place), std::string::npos) << message;
  // A long path loses its beginning, never half a character.
  static const std::vector<std::string> paths = [] {
    std::vector<std::string> all = {"", "x", "xx", "xxx"};
    for (std::string &path : all) {
      for (int i = 0; i < 100; i++) path += "\xe2\x82\xac";
      path += "/net.c:41";
    }
    return all;
  }();
  for (const std::string &path : paths) {
    const tir_value far =
        tir_site((tir_scalar)(t, TIR_DTYPE_F32, 1), path.c_str());
    tir_capture_begin(t, m, "g");
    tir_neg(t, far);
    EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_ERR_STATE);
    const std::string text = error.message;
    EXPECT_NE(text.find(" (…\xe2\x82\xac"), std::string::npos) << text;
    EXPECT_NE(text.find("\xac/net.c:41)"), std::string::npos) << text;
  }
  // The tape is live again.
  EXPECT_EQ(Read(x), (Floats{1}));
  tir_module_destroy(m);
}

// A handle of the live tape may go while a capture is recorded, as those of a
// C++ program do whenever their block ends.
TEST_F(Misuse, LiveHandleReleasedInACapture) {
  tir_module *m;
  tir_error error;
  ASSERT_EQ(tir_module_create(c, &m, &error), TIR_OK);
  const tir_value x = F32(Floats(100000, 1), {100000});
  const tir_value y = tir_neg(t, x);
  EXPECT_EQ(Read(y).size(), 100000u);
  const uint64_t before = Stats().survivor_bytes;
  tir_capture_begin(t, m, "g");
  tir_output(t, "y", tir_neg(t, tir_input(t, "x", TIR_DTYPE_F32, nullptr, 0)));
  tir_value_release(t, y);
  EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_OK) << error.message;
  EXPECT_LE(Stats().survivor_bytes + 400000, before);
  EXPECT_EQ(Read(tir_neg(t, x))[0], -1);
  tir_module_destroy(m);
}

// A step that nobody ended goes with its capture or tape.
TEST_F(Misuse, CaptureEndsWithAStepOpen) {
  tir_module *m;
  tir_error error;
  ASSERT_EQ(tir_module_create(c, &m, &error), TIR_OK);
  tir_capture_begin(t, m, "g");
  tir_step_begin(t);
  tir_output(t, "y", tir_neg(t, tir_input(t, "x", TIR_DTYPE_F32, nullptr, 0)));
  EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_ERR_STATE);
  EXPECT_STREQ(error.message,
               "capture_end: 1 scopes begun in the capture are still open");
  EXPECT_EQ(Read(tir_neg(t, Vec({1}))), (Floats{-1}));
  tir_tape *other;
  ASSERT_EQ(tir_tape_create(c, nullptr, &other, &error), TIR_OK);
  tir_capture_begin(other, m, "h");
  tir_step_begin(other);
  tir_tape_destroy(other);
  tir_module_destroy(m);
}

// A size that became a C number is fixed from then on, and its values are
// like those that never had a symbol.
TEST_F(Misuse, ASymbolReadAsANumberIsAFixedSize) {
  tir_module *m;
  tir_error error;
  ASSERT_EQ(tir_module_create(c, &m, &error), TIR_OK);
  const int64_t dims[] = {3};
  const char *const names[] = {"batch"};
  tir_capture_begin(t, m, "g");
  const tir_value x = tir_input_symbolic(t, "x", TIR_DTYPE_F32, dims, names, 1);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, x);
  tir_mode_end(t);
  EXPECT_EQ(tir_value_dim(t, y, 0), 3);
  tir_backward(t, y);
  tir_output(t, "g", tir_grad_of(t, x));
  EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_OK) << error.message;
  tir_module_destroy(m);
}

TEST_F(Misuse, ReadingInACapture) {
  tir_module *m;
  tir_error error;
  ASSERT_EQ(tir_module_create(c, &m, &error), TIR_OK);
  tir_capture_begin(t, m, "g");
  const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, nullptr, 0);
  EXPECT_TRUE(std::isnan(tir_read_scalar(t, x)));
  EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_ERR_STATE);
  const std::string message = error.message;
  EXPECT_EQ(message.find("read_scalar: value \"x\" ("), 0u) << message;
  EXPECT_NE(message.find("misuse_test.cc:" + std::to_string(__LINE__ - 5)),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("a live tape re-traces"), std::string::npos)
      << message;
  tir_module_destroy(m);
}

TEST_F(Misuse, NoMarkedVariableReachable) {
  const tir_value x = Leaf({1}, "x");
  tir_record_begin(t, true);
  const tir_value y = tir_set_name(t, tir_square(t, x), "y");
  tir_mode_end(t);
  // The mark stays but nothing may be written: no variable is left.
  tir_attach_grad(t, x, TIR_GRAD_NULL);
  tir_value g;
  const tir_value other = Leaf({1}, "other");
  tir_grad(t, &y, 1, nullptr, 0, &other, 1, nullptr, &g);
  Expect("grad: wrt 0 \"other\" is not reached");
}

TEST_F(Misuse, NullRequestsLeaveNoVariable) {
  const tir_value x = tir_set_name(t, Vec({1}), "x");
  tir_attach_grad(t, x, TIR_GRAD_NULL);
  tir_record_begin(t, true);
  const tir_value y = tir_set_name(t, tir_square(t, x), "y");
  tir_mode_end(t);
  tir_backward(t, y);
  Expect("no variable with attach_grad is reached from head 0 \"y\"");
}

TEST_F(Misuse, OpsWithoutARuleAreListedAllAtOnce) {
  // Of all ops with float results only optimiser steps have no rule, and the
  // public functions never record them: go through the recorder.
  const tir_value w = Leaf({2}, "w"), lr = Scalar(0.5f);
  tir_record_begin(t, true);
  tir_value in[] = {w, w, lr};
  const tir_value once = tir_ir_record(t, TIR_OP_SGD, in, 3, nullptr);
  in[0] = once;
  const tir_value y = tir_ir_record(t, TIR_OP_SGD, in, 3, nullptr);
  tir_mode_end(t);
  tir_backward(t, y);
  Expect("backward: 2 ops on the way without a gradient: sgd, sgd");
}

TEST_F(Misuse, AnUpdateIsNotRecorded) {
  const tir_value x = Leaf({1}, "x"), lr = Scalar(0.1f);
  const tir_value w = Leaf({2}, "w");
  tir_record_begin(t, true);
  const tir_value y = tir_mul(t, w, x);
  tir_backward(t, y);
  tir_sgd(t, &w, 1, lr, false);
  EXPECT_TRUE(tir_is_recording(t));
  const tir_value z = tir_mul(t, w, x);
  tir_mode_end(t);
  tir_backward(t, z);
  EXPECT_EQ(Grad(x), (Floats{1.9f}));
}

TEST_F(Misuse, HeadGradientOfAnotherShapeOrDtype) {
  const tir_value x = Leaf({1, 2}, "x");
  tir_record_begin(t, true);
  const tir_value y = tir_set_name(t, tir_square(t, x), "y");
  tir_mode_end(t);
  const tir_value bad = Vec({1, 2, 3});
  tir_backward_ex(t, &y, 1, &bad, 1, nullptr);
  Expect("head gradient 0 is f32[3], head \"y\" is f32[2]");
  const int64_t two = 2;
  const tir_value wide = tir_ones(t, TIR_DTYPE_F64, &two, 1);
  tir_backward_ex(t, &y, 1, &wide, 1, nullptr);
  Expect("head gradient 0 is f64[2], head \"y\" is f32[2]");
}

TEST_F(Misuse, GradientOfAnotherShapeOrDtype) {
  const tir_value x = Leaf({1, 2}, "x");
  tir_set_grad(t, x, Vec({1, 2, 3}));
  EXPECT_EQ(tir_tape_status(t), TIR_ERR_SHAPE);
  Expect("set_grad: gradient is f32[3], x is f32[2] (");
  const int64_t two = 2;
  tir_set_grad(t, x, tir_ones(t, TIR_DTYPE_F64, &two, 1));
  EXPECT_EQ(tir_tape_status(t), TIR_ERR_DTYPE);
  Expect("set_grad: gradient is f64[2], x is f32[2] (");
  EXPECT_EQ(Grad(x), (Floats{0, 0}));
}

// What the library writes has points, whatever the host's numbers look like.
TEST_F(Misuse, MessagesFollowNoLocale) {
  const CommaLocale comma;
  const int64_t dims[] = {2};
  tir_uniform(t, TIR_DTYPE_F32, dims, 1, 1.5, -0.25);
  EXPECT_EQ(Error().substr(0, 49),
            "uniform: low is 1.5, expected at most high, -0.25");
  tir_dropout(t, Vec({1}), 1.5);
  EXPECT_EQ(Error().substr(0, 47),
            "dropout: p is 1.5, expected 0 or more and below");
  char text[64];
  tir_format_value(t, Vec({1.5f, 2, 1e-9f, -INFINITY}), text, sizeof text);
  EXPECT_STREQ(text, "[1.5 2. 1e-09 -inf]");
}

TEST_F(Misuse, CountsMustAgree) {
  const tir_value x = Leaf({1}, "x");
  tir_record_begin(t, true);
  const tir_value heads[] = {tir_square(t, x), tir_neg(t, x)};
  tir_mode_end(t);
  tir_backward_ex(t, heads, 2, heads, 1, nullptr);
  Expect("backward: 2 heads but 1 head gradients");
  tir_mark_variables(t, nullptr, nullptr, nullptr, 1);
  Expect("mark_variables: values is NULL");
  tir_value g;
  tir_grad(t, heads, 2, nullptr, 0, nullptr, 0, nullptr, &g);
  Expect("grad: no wrt values");
  tir_backward_ex(t, nullptr, 0, nullptr, 0, nullptr);
  Expect("backward: no heads");
}

TEST_F(Misuse, TruthOfSeveralElements) {
  EXPECT_FALSE(tir_read_bool(t, F32({1, 2}, {2})));
  Expect("read_bool: a value of shape [2] has no single element");
}

TEST_F(Misuse, RunErrorNamesThePlaceOfThePresentTrace) {
  const tir_value table = F32({1, 2, 3}, {3});
  const int32_t good[] = {0, 2}, bad[] = {0, 7};
  const int64_t dims[] = {2};
  const tir_value i = tir_value_from_data(t, TIR_DTYPE_I32, dims, 1, good);
  EXPECT_EQ(Read(tir_gather(t, table, i, 0)), (Floats{1, 3}));
  const tir_value j = tir_value_from_data(t, TIR_DTYPE_I32, dims, 1, bad);
  const tir_value y = tir_gather(t, table, j, 0);
  const std::string place = "misuse_test.cc:" + std::to_string(__LINE__ - 1);
  tir_tensor *tensor;
  tir_error error;
  EXPECT_EQ(tir_read(t, y, &tensor, &error), TIR_ERR_VALUE);
  const std::string message = error.message;
  EXPECT_NE(message.find("gather: index 7 at position 1 is out of range for "
                         "size 3"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find(place), std::string::npos) << message;
  // The plan was the cached one; the tape goes on.
  EXPECT_EQ(Stats().n_plan_hits, 1u);
  EXPECT_EQ(Error(), "");
  EXPECT_EQ(Read(table), (Floats{1, 2, 3}));
}

// A tensor given by reference is frozen, recorded or not.
TEST_F(Misuse, WritingIntoATensorTheTapeReads) {
  const float data[] = {1, 2};
  const int64_t two = 2;
  tir_tensor *tensor;
  tir_error error;
  void *memory = nullptr;
  ASSERT_EQ(
      tir_tensor_from_data(c, TIR_DTYPE_F32, &two, 1, data, &tensor, &error),
      TIR_OK);
  const tir_value x = tir_value_from_tensor(t, tensor);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  EXPECT_EQ(tir_tensor_write_begin(tensor, &memory, &error), TIR_ERR_STATE);
  EXPECT_EQ(memory, nullptr);
  EXPECT_NE(std::string(error.message).find("read by reference"),
            std::string::npos)
      << error.message;
  EXPECT_EQ(Read(x), (Floats{1, 2}));
  tir_tensor_release(tensor);
}

TEST_F(Misuse, DivisionByZeroNamesValueAndPlaceOfThePresentTrace) {
  const int64_t dims[] = {3};
  const int32_t a[] = {6, INT32_MIN, 7}, good[] = {4, -1, -2},
                bad[] = {4, -1, 0};
  const auto quotient = [&](const int32_t *b, const char *name) {
    const tir_value x = tir_value_from_data(t, TIR_DTYPE_I32, dims, 1, a);
    const tir_value y = tir_value_from_data(t, TIR_DTYPE_I32, dims, 1, b);
    return tir_set_name(t, tir_div(t, x, y), name);
  };
  const std::string place =
      "misuse_test.cc:" + std::to_string(__LINE__ - 3) + ")";
  tir_tensor *tensor;
  tir_error error;
  ASSERT_EQ(tir_read(t, quotient(good, "first"), &tensor, &error), TIR_OK);
  const auto *data = static_cast<const int32_t *>(tir_tensor_data(tensor));
  EXPECT_EQ(data[0], 1);
  EXPECT_EQ(data[1], INT32_MAX) << "saturates";
  EXPECT_EQ(data[2], -3) << "toward zero";
  tir_tensor_release(tensor);
  EXPECT_EQ(tir_read(t, quotient(bad, "second"), &tensor, &error),
            TIR_ERR_VALUE);
  const std::string message = error.message;
  EXPECT_EQ(message.find("div: integer division by zero at position 2"), 0u)
      << message;
  EXPECT_NE(message.find("\"second\" ("), std::string::npos) << message;
  EXPECT_NE(message.find(place), std::string::npos) << message;
  EXPECT_EQ(Stats().n_plan_hits, 1u);
}

TEST_F(Misuse, FailedRunDropsItsEffectsAsAWhole) {
  const tir_value w = Vec({1}), table = Vec({1, 2});
  const int32_t bad = 9;
  const tir_value i = tir_value_from_data(t, TIR_DTYPE_I32, nullptr, 0, &bad);
  tir_assign(t, w, tir_add_scalar(t, w, 1));
  tir_tensor *tensor;
  tir_error error;
  EXPECT_EQ(tir_read(t, tir_gather(t, table, i, 0), &tensor, &error),
            TIR_ERR_VALUE);
  EXPECT_EQ(Read(w), (Floats{1}));
}
