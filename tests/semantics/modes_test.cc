// Modes and scopes: semantics 1 to 3.
#include "tests/semantics/tape_fixture.h"

using Modes = TapeTest;

TEST_F(Modes, BothFlagsAreFalseAtStart) {
  EXPECT_FALSE(tir_is_recording(t));
  EXPECT_FALSE(tir_is_training(t));
}

TEST_F(Modes, RecordSetsBothAndRestores) {
  tir_record_begin(t, true);
  EXPECT_TRUE(tir_is_recording(t));
  EXPECT_TRUE(tir_is_training(t));
  tir_pause_begin(t, false);
  EXPECT_FALSE(tir_is_recording(t));
  EXPECT_FALSE(tir_is_training(t));
  tir_mode_end(t);
  EXPECT_TRUE(tir_is_recording(t));
  EXPECT_TRUE(tir_is_training(t));
  tir_mode_end(t);
  EXPECT_FALSE(tir_is_recording(t));
  EXPECT_FALSE(tir_is_training(t));
}

TEST_F(Modes, RecordInPredictMode) {
  tir_record_begin(t, false);
  EXPECT_TRUE(tir_is_recording(t));
  EXPECT_FALSE(tir_is_training(t));
  tir_mode_end(t);
}

TEST_F(Modes, TrainAndPredictLeaveRecordingAlone) {
  tir_train_begin(t);
  EXPECT_FALSE(tir_is_recording(t));
  EXPECT_TRUE(tir_is_training(t));
  tir_predict_begin(t);
  EXPECT_FALSE(tir_is_training(t));
  tir_mode_end(t);
  EXPECT_TRUE(tir_is_training(t));
  tir_mode_end(t);
}

TEST_F(Modes, RestoredOnErrorPathsToo) {
  tir_record_begin(t, true);
  tir_add(t, Vec({1, 2}), Vec({1, 2, 3}));
  tir_mode_end(t);
  EXPECT_FALSE(tir_is_recording(t));
  EXPECT_NE(Error(), "");
}

TEST_F(Modes, SettersReturnTheFormerValue) {
  EXPECT_FALSE(tir_set_recording(t, true));
  EXPECT_TRUE(tir_set_recording(t, false));
  EXPECT_FALSE(tir_set_training(t, true));
  EXPECT_TRUE(tir_set_training(t, false));
}

TEST_F(Modes, EndWithoutBeginIsAnError) {
  tir_mode_end(t);
  EXPECT_EQ(Error(), "mode_end: no mode is open");
}

TEST_F(Modes, DropoutFollowsTrainingOnly) {
  const tir_value x = tir_ones(t, TIR_DTYPE_F32, nullptr, 0);
  const int64_t dims[] = {4096};
  const tir_value wide = tir_broadcast_to(t, x, dims, 1);
  tir_record_begin(t, false);
  EXPECT_EQ(Read(tir_dropout(t, wide, 0.5)), Floats(4096, 1.0f));
  tir_mode_end(t);
  tir_train_begin(t);
  const Floats dropped = Read(tir_dropout(t, wide, 0.5));
  tir_mode_end(t);
  size_t zeros = 0;
  for (float v : dropped) {
    EXPECT_TRUE(v == 0.0f || v == 2.0f);
    zeros += v == 0.0f;
  }
  EXPECT_NEAR(static_cast<double>(zeros), 2048, 5 * 32);
}

TEST_F(Modes, BackwardUsesTheModeOfTheForward) {
  const tir_value x = F32(Floats(256, 1.0f), {256});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_dropout(t, x, 0.5);
  tir_mode_end(t);
  tir_predict_begin(t);
  tir_backward(t, y);
  tir_mode_end(t);
  const Floats forward = Read(y);
  EXPECT_EQ(Grad(x), forward);
}

TEST_F(Modes, HistoryHoldsOnlyWhatNeedsAGradient) {
  const tir_value x = Vec({1, 2}), other = Vec({3, 4});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_mul(t, other, other);
  tir_mode_end(t);
  tir_backward(t, y);
  EXPECT_EQ(Error().substr(0, 64),
            "backward: head 0 has no history: nothing it was computed from ha");
  EXPECT_FALSE(tir_has_grad(t, other));
}

using Scopes = TapeTest;

TEST_F(Scopes, ValuesEndWithTheirScope) {
  tir_scope_begin(t);
  const tir_value x = Vec({1, 2});
  tir_scope_end(t);
  EXPECT_FALSE(tir_value_is_valid(t, x));
  tir_neg(t, x);
  EXPECT_NE(Error().find("neg: x is stale: its scope ended"),
            std::string::npos);
}

TEST_F(Scopes, KeepMovesToTheParent) {
  tir_scope_begin(t);
  tir_scope_begin(t);
  const tir_value x = Vec({1, 2});
  const tir_value y = tir_scope_end_keep(t, tir_mul_scalar(t, x, 3));
  EXPECT_TRUE(tir_value_is_valid(t, y));
  EXPECT_FALSE(tir_value_is_valid(t, x));
  EXPECT_EQ(Read(y), (Floats{3, 6}));
  tir_scope_end(t);
  EXPECT_FALSE(tir_value_is_valid(t, y));
}

TEST_F(Scopes, HistoryOutlivesTheScopeOfItsNodes) {
  const tir_value x = Vec({1, 2, 3});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_scope_begin(t);
  tir_scope_begin(t);
  const tir_value inner = tir_mul(t, x, x);
  const tir_value y = tir_scope_end_keep(t, tir_mul(t, inner, x));
  const tir_value z = tir_scope_end_keep(t, y);
  tir_mode_end(t);
  tir_backward(t, z);
  EXPECT_EQ(Grad(x), (Floats{3, 12, 27}));
}

TEST_F(Scopes, StepRunsEffectsAndWhatOutlivesIt) {
  const tir_value w = Vec({1, 1});
  tir_step_begin(t);
  tir_assign(t, w, tir_add_scalar(t, w, 1));
  const tir_value y = tir_mul_scalar(t, w, 10);
  tir_error error;
  ASSERT_EQ(tir_step_end(t, &y, 1, &error), TIR_OK) << error.message;
  EXPECT_EQ(Stats().n_runs, 1u);
  EXPECT_EQ(Stats().n_pending, 0u);
  EXPECT_EQ(Read(w), (Floats{2, 2}));
  EXPECT_EQ(Read(y), (Floats{20, 20}));
  EXPECT_EQ(Stats().n_runs, 1u);
}

TEST_F(Scopes, EndWithoutBeginIsAnError) {
  tir_scope_end(t);
  EXPECT_EQ(Error(), "scope_end: no scope is open");
  tir_step_begin(t);
  tir_scope_end(t);
  EXPECT_NE(Error().find("scope_end: the innermost scope is a step"),
            std::string::npos);
  tir_error error;
  EXPECT_EQ(tir_step_end(t, nullptr, 0, &error), TIR_OK);
}

TEST_F(Scopes, ReleaseInAnyOrder) {
  const tir_value a = Vec({1}), b = Vec({2}), sum = tir_add(t, a, b);
  tir_value_release(t, a);
  EXPECT_FALSE(tir_value_is_valid(t, a));
  EXPECT_TRUE(tir_value_is_valid(t, b));
  EXPECT_EQ(Read(sum), (Floats{3}));
  tir_value_release(t, a);
  EXPECT_EQ(Error(), "");
}
