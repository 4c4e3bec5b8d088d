// Variables: semantics 4 to 10.
#include "tests/semantics/tape_fixture.h"

using Variables = TapeTest;

TEST_F(Variables, AttachGivesZerosReadableAtOnce) {
  const tir_value x = F32({1, 2, 3, 4}, {2, 2});
  EXPECT_FALSE(tir_has_grad(t, x));
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  EXPECT_TRUE(tir_has_grad(t, x));
  EXPECT_EQ(Grad(x), (Floats{0, 0, 0, 0}));
}

TEST_F(Variables, WriteReplacesAndSumsWithinOneBackward) {
  const tir_value x = Vec({1, 2});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  for (int i = 0; i < 2; i++) {
    tir_record_begin(t, true);
    // x is used three times: the gradients of one backward are summed.
    const tir_value y = tir_add(t, tir_mul(t, x, x), x);
    tir_mode_end(t);
    tir_backward(t, y);
    EXPECT_EQ(Grad(x), (Floats{3, 5}));
  }
}

TEST_F(Variables, AddAccumulatesUntilTheCallerZeroes) {
  const tir_value x = Vec({1, 2});
  tir_attach_grad(t, x, TIR_GRAD_ADD);
  for (float i = 1; i <= 3; i++) {
    tir_record_begin(t, true);
    const tir_value y = tir_mul(t, x, x);
    tir_mode_end(t);
    tir_backward(t, y);
    EXPECT_EQ(Grad(x), (Floats{2 * i, 4 * i}));
  }
  tir_set_grad(t, x, tir_value{});
  EXPECT_EQ(Grad(x), (Floats{0, 0}));
}

TEST_F(Variables, NullIsNeverWritten) {
  const tir_value x = Vec({1, 2}), w = Vec({5, 5});
  tir_attach_grad(t, x, TIR_GRAD_NULL);
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_mul(t, x, w);
  tir_mode_end(t);
  tir_backward(t, y);
  EXPECT_EQ(Grad(x), (Floats{0, 0}));
  EXPECT_EQ(Grad(w), (Floats{1, 2}));
  EXPECT_TRUE(tir_has_grad(t, x));
}

TEST_F(Variables, AttachingAgainMakesANewLeaf) {
  const tir_value x = Vec({1, 2});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value old = tir_mul_scalar(t, x, 3);
  tir_mode_end(t);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  // The older history writes to the old buffer, not to the new one.
  tir_backward(t, old);
  EXPECT_EQ(Grad(x), (Floats{0, 0}));
  tir_record_begin(t, true);
  const tir_value fresh = tir_mul_scalar(t, x, 7);
  tir_mode_end(t);
  tir_backward(t, fresh);
  EXPECT_EQ(Grad(x), (Floats{7, 7}));
}

TEST_F(Variables, AttachingToAnIntermediateCuts) {
  const tir_value x = Vec({1, 2, 3});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_mul_scalar(t, x, 2);
  tir_attach_grad(t, y, TIR_GRAD_WRITE);
  const tir_value z = tir_mul(t, y, y);
  tir_mode_end(t);
  tir_backward(t, z);
  EXPECT_EQ(Grad(y), (Floats{4, 8, 12}));
  EXPECT_EQ(Grad(x), (Floats{0, 0, 0}));
  // As a head, y continues into what made it; grad(y) is left alone.
  const tir_value head = tir_grad_of(t, y);
  tir_backward_ex(t, &y, 1, &head, 1, nullptr);
  EXPECT_EQ(Grad(x), (Floats{8, 16, 24}));
  EXPECT_EQ(Grad(y), (Floats{4, 8, 12}));
}

TEST_F(Variables, TheDumpMarksTheCut) {
  tir_module *m;
  tir_error error;
  char *text = nullptr;
  ASSERT_EQ(tir_module_create(c, &m, &error), TIR_OK);
  for (const bool cuts : {true, false}) {
    const std::string name = cuts ? "cuts" : "retains";
    tir_capture_begin(t, m, name.c_str());
    const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, nullptr, 0);
    tir_attach_grad(t, x, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value y = tir_square(t, x);
    if (cuts)
      tir_attach_grad(t, y, TIR_GRAD_WRITE);
    else
      tir_retain_grad(t, y, TIR_GRAD_WRITE);
    const tir_value z = tir_exp(t, y);
    tir_mode_end(t);
    tir_backward(t, z);
    tir_output(t, "g", tir_grad_of(t, y));
    ASSERT_EQ(tir_capture_end(t, nullptr, &error), TIR_OK) << error.message;
    ASSERT_EQ(
        tir_graph_to_text(tir_module_graph(m, name.c_str()), &text, &error),
        TIR_OK);
    EXPECT_EQ(std::string(text).find("cut %0") != std::string::npos, cuts)
        << text;
    tir_text_free(c, text);
  }
  tir_module_destroy(m);
}

TEST_F(Variables, StopGradientIsTheOpFormOfDetach) {
  const tir_value x = Vec({2});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_mul(t, tir_stop_gradient(t, tir_square(t, x)), x);
  tir_mode_end(t);
  tir_backward(t, y);
  EXPECT_EQ(Read(y), (Floats{8}));
  EXPECT_EQ(Grad(x), (Floats{4}));
}

TEST_F(Variables, RetainGradKeepsWithoutCutting) {
  const tir_value x = Vec({1, 2, 3});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_mul_scalar(t, x, 2);
  tir_retain_grad(t, y, TIR_GRAD_WRITE);
  const tir_value z = tir_mul(t, y, y);
  tir_mode_end(t);
  tir_backward(t, z);
  EXPECT_EQ(Grad(y), (Floats{4, 8, 12}));
  EXPECT_EQ(Grad(x), (Floats{8, 16, 24}));
}

TEST_F(Variables, RetainGradHonoursAdd) {
  const tir_value x = Vec({1});
  tir_attach_grad(t, x, TIR_GRAD_ADD);
  tir_record_begin(t, true);
  const tir_value y = tir_mul_scalar(t, x, 2);
  tir_retain_grad(t, y, TIR_GRAD_ADD);
  const tir_value z = tir_mul_scalar(t, y, 5);
  tir_mode_end(t);
  const tir_backward_options keep = {true, false, false, {0}};
  tir_backward_ex(t, &z, 1, nullptr, 0, &keep);
  tir_backward_ex(t, &z, 1, nullptr, 0, &keep);
  EXPECT_EQ(Grad(y), (Floats{10}));
  EXPECT_EQ(Grad(x), (Floats{20}));
}

TEST_F(Variables, GradOfAnUnmarkedArrayIsNoneAndNoError) {
  const tir_value x = Vec({1});
  EXPECT_FALSE(tir_value_is_valid(t, tir_grad_of(t, x)));
  EXPECT_EQ(Error(), "");
}

TEST_F(Variables, FreshTurnsTrueAndTheCallerResets) {
  const tir_value x = Vec({1}), unused = Vec({1});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_attach_grad(t, unused, TIR_GRAD_WRITE);
  EXPECT_FALSE(tir_grad_is_fresh(t, x));
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, x);
  tir_mode_end(t);
  tir_backward(t, y);
  EXPECT_TRUE(tir_grad_is_fresh(t, x));
  EXPECT_FALSE(tir_grad_is_fresh(t, unused));
  tir_grad_reset_fresh(t, x);
  EXPECT_FALSE(tir_grad_is_fresh(t, x));
  tir_value unreached[2];
  ASSERT_EQ(tir_tape_unreached(t, unreached, 2), 1u);
  EXPECT_EQ(Read(unreached[0]), (Floats{1}));
}

TEST_F(Variables, DetachHasNoHistory) {
  const tir_value x = Vec({2});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_mul(t, tir_detach(t, tir_square(t, x)), x);
  tir_mode_end(t);
  tir_backward(t, y);
  EXPECT_EQ(Grad(x), (Floats{4}));
}

TEST_F(Variables, MarkVariablesTakesListsAndStartingGradients) {
  const tir_value v[] = {Vec({1}), Vec({2})};
  const tir_value start[] = {Vec({10}), tir_value{}};
  const tir_grad_request requests[] = {TIR_GRAD_ADD, TIR_GRAD_WRITE};
  tir_mark_variables(t, v, start, requests, 2);
  EXPECT_EQ(Grad(v[0]), (Floats{10}));
  tir_record_begin(t, true);
  const tir_value y = tir_mul(t, v[0], v[1]);
  tir_mode_end(t);
  tir_backward(t, y);
  EXPECT_EQ(Grad(v[0]), (Floats{12}));
  EXPECT_EQ(Grad(v[1]), (Floats{1}));
}

TEST_F(Variables, AssignOutsideRecordingKeepsTheOldVersionInTheHistory) {
  const tir_value w = Vec({3});
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, w);
  tir_mode_end(t);
  tir_assign(t, w, tir_mul_scalar(t, w, 100));
  EXPECT_EQ(Read(w), (Floats{300}));
  tir_backward(t, y);
  // d(w²)/dw at the recorded 3; the mark is the variable's.
  EXPECT_EQ(Grad(w), (Floats{6}));
  tir_record_begin(t, true);
  const tir_value z = tir_square(t, w);
  tir_mode_end(t);
  tir_backward(t, z);
  EXPECT_EQ(Grad(w), (Floats{600}));
}

TEST_F(Variables, OnlyFloatsHaveGradients) {
  // In parentheses: without the place of the call.
  (tir_attach_grad)(t, tir_arange(t, TIR_DTYPE_I64, 3), TIR_GRAD_WRITE);
  EXPECT_EQ(Error(), "attach_grad: x is i64: only floats have gradients");
}

TEST_F(Variables, TakeLeavesZeros) {
  const tir_value x = Vec({3});
  tir_attach_grad(t, x, TIR_GRAD_ADD);
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, x);
  tir_mode_end(t);
  tir_backward(t, y);
  EXPECT_EQ(Read(tir_take_grad(t, x)), (Floats{6}));
  EXPECT_EQ(Grad(x), (Floats{0}));
}

// Rows taken from a half, and a half that was broadcast: both gradients are
// sums, which halves have none of.
TEST_F(Variables, HalvesThatWereGatheredOrBroadcastHaveGradients) {
  const int64_t dims[] = {3, 2};
  const tir_value x = tir_cast(t, Vec({1, 2}), TIR_DTYPE_BF16);
  const tir_value rows =
      tir_value_from_data(t, TIR_DTYPE_I64, std::vector<int64_t>{3}.data(), 1,
                          std::vector<int64_t>{1, 0, 1}.data());
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value a = tir_cast(t, tir_gather(t, x, rows, 0), TIR_DTYPE_F32);
  const tir_value b =
      tir_cast(t, tir_broadcast_to(t, x, dims, 2), TIR_DTYPE_F32);
  const tir_value y = tir_add(t, tir_sum(t, a, nullptr, 0, false),
                              tir_sum(t, b, nullptr, 0, false));
  tir_mode_end(t);
  tir_backward(t, y);
  EXPECT_EQ(Read(tir_cast(t, tir_grad_of(t, x), TIR_DTYPE_F32)),
            (Floats{1 + 3, 2 + 3}));
}

TEST_F(Variables, HalvesSumInF32AndRoundOnce) {
  const tir_value x = tir_cast(t, Vec({1, 2}), TIR_DTYPE_F16);
  tir_attach_grad(t, x, TIR_GRAD_ADD);
  for (float i = 1; i <= 2; i++) {
    tir_record_begin(t, true);
    const tir_value a = tir_cast(t, x, TIR_DTYPE_F32);
    const tir_value b = tir_cast(t, x, TIR_DTYPE_F32);
    const tir_value y = tir_add(t, tir_mul(t, a, a), tir_mul_scalar(t, b, 3));
    tir_mode_end(t);
    tir_backward(t, y);
    EXPECT_EQ(Read(tir_cast(t, tir_grad_of(t, x), TIR_DTYPE_F32)),
              (Floats{5 * i, 7 * i}));
  }
}
