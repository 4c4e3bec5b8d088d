// Optimiser builders on a live tape: the numbers of each step, what happens to
// gradients and state, and that a mistake updates nothing.
#include <cmath>

#define TIR_NO_SITES  // the messages below are exact
#include "tests/semantics/tape_fixture.h"

namespace {

class Optimisers : public TapeTest {
 protected:
  // A variable whose gradient is `g` for each element.
  tir_value Variable(Floats data, float g) {
    const tir_value w = Vec(data);
    tir_attach_grad(t, w, TIR_GRAD_WRITE);
    SetGradient(w, g);
    return w;
  }
  void SetGradient(tir_value w, float g) {
    tir_record_begin(t, true);
    const tir_value y = tir_mul_scalar(t, w, g);
    tir_mode_end(t);
    tir_backward(t, y);
  }
  tir_value Zeros(int64_t n) { return tir_zeros(t, TIR_DTYPE_F32, &n, 1); }
};

TEST_F(Optimisers, SgdStepsAgainstTheGradient) {
  const tir_value w[] = {Variable({1, 2}, 3), Variable({5}, -2)};
  tir_sgd(t, w, 2, Scalar(.5f), false);
  EXPECT_EQ(Read(w[0]), (Floats{1 - 1.5f, 2 - 1.5f}));
  EXPECT_EQ(Read(w[1]), (Floats{6}));
  EXPECT_EQ(Grad(w[0]), (Floats{0, 0})) << "taken";
  EXPECT_TRUE(tir_has_grad(t, w[0])) << "still a variable";
}

TEST_F(Optimisers, KeepTheGradientIfAsked) {
  const tir_value w = Variable({1}, 3);
  tir_sgd(t, &w, 1, Scalar(1), true);
  EXPECT_EQ(Read(w), (Floats{-2}));
  EXPECT_EQ(Grad(w), (Floats{3}));
}

TEST_F(Optimisers, StepAgainAndAgain) {
  const tir_value w = Variable({1}, 1);
  for (int step = 1; step <= 5; step++) {
    tir_sgd(t, &w, 1, Scalar(.25f), false);
    EXPECT_EQ(Read(w), (Floats{1 - .25f * static_cast<float>(step)}));
    SetGradient(w, 1);
  }
}

TEST_F(Optimisers, AnUnreachedVariableStaysAsItIs) {
  const tir_value w = Vec({1, 2});
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_sgd(t, &w, 1, Scalar(1), false);
  EXPECT_EQ(Read(w), (Floats{1, 2}));
}

TEST_F(Optimisers, MomentumGathersSpeed) {
  const tir_value w = Variable({1}, 2), v = Zeros(1);
  float speed = 0, place = 1;
  for (int step = 0; step < 4; step++) {
    tir_momentum(t, &w, &v, 1, Scalar(.5f), Scalar(.25f), false);
    speed = .25f * speed + 2;
    place = place - .5f * speed;
    EXPECT_EQ(Read(w), (Floats{place}));
    EXPECT_EQ(Read(v), (Floats{speed}));
    SetGradient(w, 2);
  }
}

TEST_F(Optimisers, AdamFollowsAlgorithmOne) {
  const float g = .5f;
  const tir_value w = Variable({1, -1}, g), m = Zeros(2), v = Zeros(2);
  const int64_t zero = 0;
  tir_adam_values values = {
      Scalar(.1f), Scalar(.9f), Scalar(.999f), Scalar(1e-8f),
      tir_value_from_data(t, TIR_DTYPE_I64, nullptr, 0, &zero)};
  double place = 1, first = 0, second = 0;
  for (int step = 1; step <= 4; step++) {
    tir_adam(t, &w, &m, &v, 1, values, false);
    first = .9 * first + .1 * g;
    second = .999 * second + .001 * g * g;
    place -= .1 * (first / (1 - std::pow(.9, step))) /
             (std::sqrt(second / (1 - std::pow(.999, step))) + 1e-8);
    EXPECT_NEAR(Read(w)[0], place, 2e-6);
    EXPECT_NEAR(Read(w)[1], place - 2, 2e-6);
    EXPECT_NEAR(Read(m)[0], first, 1e-6);
    EXPECT_NEAR(Read(v)[0], second, 1e-7);
    EXPECT_EQ(tir_read_scalar(t, values.step), step);
    SetGradient(w, g);
  }
}

TEST_F(Optimisers, CountAdamsStepOncePerCall) {
  const tir_value w[] = {Variable({1}, 1), Variable({1}, 1)};
  const tir_value m[] = {Zeros(1), Zeros(1)}, v[] = {Zeros(1), Zeros(1)};
  const int64_t start = 6;
  tir_adam_values values = {
      Scalar(.1f), Scalar(.9f), Scalar(.99f), Scalar(1e-8f),
      tir_value_from_data(t, TIR_DTYPE_I64, nullptr, 0, &start)};
  tir_adam(t, w, m, v, 2, values, false);
  EXPECT_EQ(tir_read_scalar(t, values.step), 7);
  EXPECT_EQ(Read(w[0]), Read(w[1]));
}

// Runs wait until all of the step is recorded, and then do not wait longer.
TEST_F(Optimisers, RunWithTheCallOnAnEagerTape) {
  tir_tape_options options = {};
  options.flags = TIR_TAPE_EAGER;
  Make(options);
  const tir_value w[] = {Variable({1}, 2), Variable({4}, -1)};
  const tir_value v[] = {Zeros(1), Zeros(1)};
  for (int step = 1; step <= 3; step++) {
    tir_momentum(t, w, v, 2, Scalar(.5f), Scalar(0), true);
    EXPECT_EQ(Stats().n_pending, 0u);
    EXPECT_EQ(Read(w[0]), (Floats{1 - 1.f * static_cast<float>(step)}));
    EXPECT_EQ(Read(w[1]), (Floats{4 + .5f * static_cast<float>(step)}));
  }
}

TEST_F(Optimisers, RunWhenTooManyNodesWait) {
  tir_tape_options options = {};
  options.max_pending = 3;
  Make(options);
  const tir_value w[] = {Variable({1}, 2), Variable({4}, -1), Variable({0}, 1)};
  const uint64_t before = Stats().n_runs;
  tir_sgd(t, w, 3, Scalar(.5f), false);
  EXPECT_GT(Stats().n_runs, before);
  EXPECT_EQ(Read(w[0]), (Floats{0}));
  EXPECT_EQ(Read(w[1]), (Floats{4.5f}));
  EXPECT_EQ(Read(w[2]), (Floats{-.5f}));
}

TEST_F(Optimisers, UpdateAllOrNothing) {
  const tir_value w[] = {Variable({1}, 3), Vec({1})};
  tir_set_name(t, w[1], "bias");
  tir_sgd(t, w, 2, Scalar(1), false);
  EXPECT_EQ(Error(),
            "sgd: w[1] \"bias\" f32[1] has no gradient: attach one first");
  EXPECT_EQ(Read(w[0]), (Floats{1})) << "not updated";
  EXPECT_EQ(Grad(w[0]), (Floats{3})) << "not taken";
}

TEST_F(Optimisers, RefuseAWrongRateForAnyVariable) {
  const tir_value w = Variable({1, 2}, 3);
  tir_sgd(t, &w, 1, Vec({1, 1}), false);
  EXPECT_EQ(Error(), "sgd: lr f32[2] is not a scalar");
  tir_sgd(t, &w, 1, tir_scalar(t, TIR_DTYPE_F64, 1), false);
  EXPECT_EQ(Error(), "sgd: wrong dtype: lr f64[], expected f32");
  EXPECT_EQ(Read(w), (Floats{1, 2}));
  EXPECT_EQ(Grad(w), (Floats{3, 3}));
}

TEST_F(Optimisers, RefuseStateOfAnotherShape) {
  const tir_value w[] = {Variable({1, 2}, 3), Variable({1, 2}, 3)};
  const tir_value v[] = {Zeros(2), Zeros(3)};
  tir_momentum(t, w, v, 2, Scalar(1), Scalar(1), false);
  EXPECT_EQ(Error(), "momentum: shapes differ: w f32[2], v f32[3]");
  EXPECT_EQ(Read(w[0]), (Floats{1, 2}));
  EXPECT_EQ(Read(v[0]), (Floats{0, 0}));
}

TEST_F(Optimisers, AMistakeLeavesAdamsStepAlone) {
  const tir_value w = Variable({1}, 1), m = Zeros(1), v = Zeros(2);
  const int64_t start = 6;
  tir_adam_values values = {
      Scalar(.1f), Scalar(.9f), Scalar(.99f), Scalar(1e-8f),
      tir_value_from_data(t, TIR_DTYPE_I64, nullptr, 0, &start)};
  tir_adam(t, &w, &m, &v, 1, values, false);
  EXPECT_EQ(Error(), "adam: shapes differ: w f32[1], v f32[2]");
  EXPECT_EQ(tir_read_scalar(t, values.step), 6);
  EXPECT_EQ(Read(w), (Floats{1}));
}

TEST_F(Optimisers, RefuseToUpdateWhatARecordingUses) {
  const tir_value w = Variable({2}, 1);
  tir_set_name(t, w, "w0");
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, w);
  tir_sgd(t, &w, 1, Scalar(1), false);
  EXPECT_EQ(Error(),
            "sgd: w[0] \"w0\" f32[1] is part of a recorded history: update it "
            "outside recording");
  tir_mode_end(t);
  tir_backward(t, y);
  EXPECT_EQ(Grad(w), (Floats{4}));
  tir_sgd(t, &w, 1, Scalar(1), false);
  EXPECT_EQ(Read(w), (Floats{-2}));
}

TEST_F(Optimisers, RefuseMissingLists) {
  const tir_value w = Variable({1}, 1);
  tir_sgd(t, nullptr, 2, Scalar(1), false);
  EXPECT_EQ(Error(), "sgd: w is NULL, expected 2 values");
  tir_momentum(t, &w, nullptr, 1, Scalar(1), Scalar(1), false);
  EXPECT_EQ(Error(), "momentum: v is NULL, expected 1 values");
  tir_sgd(t, nullptr, 0, Scalar(1), false);
  EXPECT_EQ(Error(), "");
  tir_sgd(t, &w, SIZE_MAX, Scalar(1), false);
  EXPECT_EQ(Error(), "sgd: out of memory for 18446744073709551615 variables");
}

TEST_F(Optimisers, NameAnInvalidOperand) {
  const tir_value w = Variable({1}, 1), none = {};
  tir_sgd(t, &none, 1, Scalar(1), false);
  EXPECT_EQ(Error(), "sgd: w is not a value: an all-zero handle");
  tir_sgd(t, &w, 1, none, false);
  EXPECT_EQ(Error(), "sgd: lr is not a value: an all-zero handle");
  EXPECT_EQ(Read(w), (Floats{1}));
}

}  // namespace
