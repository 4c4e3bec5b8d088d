// Steps that depend on a value: gradients gathered over several calls, steps
// skipped after an overflow; averages of weights; mixed precision.
#include "tests/training/training_fixture.h"

namespace {

class ConditionalSteps : public TrainingTest {
 protected:
  tir_value Number(double x) { return tir_scalar(t, TIR_DTYPE_F32, x); }
  tir_value Param(const Owned<tir_module> &m, const char *name) {
    return tir_param(t, m.get(), name);
  }
};

// --- the condition ---------------------------------------------------------

TEST_F(ConditionalSteps, WhereItIsFalseNothingChanges) {
  const Owned<tir_module> m = MakeModule(c);
  Add(m.get(), "w", TIR_DTYPE_F32, {2}, {1, 2}, TIR_PARAM_TRAINABLE);
  for (const char *name : {"m", "v"})
    Add(m.get(), name, TIR_DTYPE_F32, {2}, {0, 0});
  Add(m.get(), "average", TIR_DTYPE_F32, {2}, {8, 8});
  Add(m.get(), "step", TIR_DTYPE_I64, {}, {0});
  const int64_t dims[] = {2};
  tir_capture_begin(t, m.get(), "train");
  const tir_value g = tir_input(t, "g", TIR_DTYPE_F32, dims, 1);
  const tir_value take = tir_input(t, "take", TIR_DTYPE_BOOL, nullptr, 0);
  const tir_value w = Param(m, "w"), first = Param(m, "m"),
                  second = Param(m, "v"), average = Param(m, "average");
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_set_grad(t, w, g);
  EXPECT_EQ(tir_set_step_condition(t, take).owner, nullptr);
  tir_adam(t, &w, &first, &second, 1,
           {Number(.5), Number(.5), Number(.5), Number(0), Param(m, "step")},
           false);
  tir_average_weights(t, &average, &w, 1, Number(.5));
  EXPECT_EQ(tir_set_step_condition(t, tir_value{}).slot, take.slot);
  Check(tir_capture_end(t, nullptr, &error));

  GraphRunner run(c, m.get(), "train");
  const auto before = Bytes(m.get());
  run.Run({{std::nan(""), 1}, {0}});
  EXPECT_EQ(Bytes(m.get()), before) << "bits, beside a gradient of NaN";
  run.Run({{1, -1}, {1}});
  EXPECT_EQ(Get(m.get(), "w"), (Doubles{.5, 2.5}));
  EXPECT_EQ(Get(m.get(), "average"), (Doubles{4.25, 5.25}));
  EXPECT_EQ(Get(m.get(), "step"), (Doubles{1}));
  const auto after = Bytes(m.get());
  run.Run({{5, 5}, {0}});
  EXPECT_EQ(Bytes(m.get()), after);
}

TEST_F(ConditionalSteps, RefuseAConditionThatIsNone) {
  tir_set_step_condition(t, Vec({1}));
  EXPECT_EQ(Error(),
            "set_step_condition: condition is f32[1], expected bool[]");
  tir_value gone = {};
  tir_scope_begin(t);
  gone = tir_less(t, Number(0), Number(1));
  tir_set_step_condition(t, gone);
  tir_scope_end(t);
  const tir_value w = Vec({1});
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_sgd(t, &w, 1, Number(1), false);
  EXPECT_EQ(Error(),
            "where: condition is stale: its scope ended or it was released");
  tir_set_step_condition(t, tir_value{});
  tir_sgd(t, &w, 1, Number(1), false);
}

// --- gathering gradients ---------------------------------------------------

class Accumulate : public ConditionalSteps {
 protected:
  // `graph` does one call over input g; every third takes a step.
  Owned<tir_module> Make() {
    Owned<tir_module> m = MakeModule(c);
    Add(m.get(), "w", TIR_DTYPE_F32, {2}, {1, 2}, TIR_PARAM_TRAINABLE);
    Add(m.get(), "sum", TIR_DTYPE_F32, {2}, {0, 0});
    Add(m.get(), "v", TIR_DTYPE_F32, {2}, {0, 0});
    Add(m.get(), "count", TIR_DTYPE_I64, {}, {0});
    const int64_t dims[] = {2};
    tir_capture_begin(t, m.get(), "train");
    const tir_value g = tir_input(t, "g", TIR_DTYPE_F32, dims, 1);
    const tir_value w = Param(m, "w"), sum = Param(m, "sum"), v = Param(m, "v");
    tir_attach_grad(t, w, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value y = tir_mul(t, w, g);
    tir_mode_end(t);
    tir_backward(t, y);
    const tir_value due =
        tir_accumulate_grads(t, &w, &sum, 1, Param(m, "count"), 3);
    const tir_value was = tir_set_step_condition(t, due);
    tir_momentum(t, &w, &v, 1, Number(.25), Number(.5), false);
    tir_set_step_condition(t, was);
    tir_output(t, "due", tir_cast(t, due, TIR_DTYPE_F32));
    Check(tir_capture_end(t, nullptr, &error));
    return m;
  }
};

TEST_F(Accumulate, TakesEveryThirdStepWithTheMean) {
  Owned<tir_module> m = Make();
  double w = 1, v = 0;
  for (int call = 0; call < 12; call++) {
    if (call == 5 || call == 6) m = Reload(m.get());  // in and between rounds
    GraphRunner run(c, m.get(), "train");
    run.Run({{3. * call, -1}});
    const bool due = call % 3 == 2;
    EXPECT_EQ(run.Scalar(0), due);
    if (due) {
      v = .5 * v + 3. * (call - 1);  // mean of three in a row
      w -= .25 * v;
    }
    EXPECT_EQ(Get(m.get(), "w")[0], w) << call;
    EXPECT_EQ(Get(m.get(), "v")[0], v) << call;
    EXPECT_EQ(Get(m.get(), "count")[0], (call + 1) % 3);
    if (due) {
      EXPECT_EQ(Get(m.get(), "sum"), (Doubles{0, 0}));
    }
  }
}

TEST_F(Accumulate, LiveStepsGiveTheSameBits) {
  const Owned<tir_module> captured = Make(), live = Make();
  GraphRunner run(c, captured.get(), "train");
  for (int call = 0; call < 12; call++) {
    const Doubles data = {std::sin(call), std::cos(3. * call)};
    run.Run({data});
    tir_step_begin(t);
    const tir_value w = Param(live, "w"), sum = Param(live, "sum"),
                    v = Param(live, "v");
    if (!tir_has_grad(t, w)) tir_attach_grad(t, w, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value y = tir_mul(t, w, Vec(data));
    tir_mode_end(t);
    tir_backward(t, y);
    const tir_value due =
        tir_accumulate_grads(t, &w, &sum, 1, Param(live, "count"), 3);
    const tir_value was = tir_set_step_condition(t, due);
    tir_momentum(t, &w, &v, 1, Number(.25), Number(.5), false);
    tir_set_step_condition(t, was);
    Check(tir_step_end(t, nullptr, 0, &error));
    EXPECT_EQ(Bytes(live.get()), Bytes(captured.get())) << call;
  }
}

TEST_F(Accumulate, SaysWhatIsWrong) {
  const tir_value w = Vec({1}), sum = Vec({0});
  const tir_value count = tir_scalar(t, TIR_DTYPE_I64, 0);
  tir_accumulate_grads(t, &w, &sum, 1, count, 0);
  EXPECT_EQ(Error(),
            "accumulate_grads: every is 0, with 1 variables, expected "
            "1 or more of both");
  tir_accumulate_grads(t, &w, nullptr, 1, count, 2);
  EXPECT_EQ(Error(), "accumulate_grads: sums is NULL, expected 1 values");
  tir_accumulate_grads(t, &w, &sum, 1, count, 2);
  EXPECT_EQ(Error(),
            "accumulate_grads: w[0] f32[1] has no gradient: attach one first");
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  const tir_value wide = Vec({0, 0});
  tir_accumulate_grads(t, &w, &wide, 1, count, 2);
  EXPECT_EQ(Error(), "accumulate_grads: types differ: sum f32[2], w f32[1]");
  EXPECT_EQ(Read(wide), (Doubles{0, 0}));
  EXPECT_EQ(tir_read_scalar(t, count), 0) << "nothing was counted";
  tir_average_weights(t, &wide, &w, 1, Number(.5));
  EXPECT_EQ(Error(), "average_weights: types differ: average f32[2], w f32[1]");
  tir_average_weights(t, nullptr, &w, 1, Number(.5));
  EXPECT_EQ(Error(), "average_weights: average is NULL, expected 1 values");
  tir_average_weights(t, &sum, nullptr, 1, Number(.5));
  EXPECT_EQ(Error(), "average_weights: w is NULL, expected 1 values");
}

TEST_F(ConditionalSteps, AveragesFollowTheWeights) {
  const tir_value w[] = {Vec({1, 2}), Vec({-3})};
  const tir_value average[] = {Vec({1, 2}), Vec({-3})};
  double expected = 1;
  for (int step = 0; step < 20; step++) {
    const double now = std::ldexp(std::round(64 * std::sin(step)), -6);
    tir_assign(t, w[0], Vec({now, 2}));
    tir_average_weights(t, average, w, 2, Number(.875));
    expected = .875 * expected + .125 * now;
    EXPECT_NEAR(Read(average[0])[0], expected, 1e-6);
    EXPECT_EQ(Read(average[0])[1], 2);
    EXPECT_EQ(Read(average[1])[0], -3);
  }
}

// --- the scale of the loss -------------------------------------------------

TEST_F(ConditionalSteps, TheScaleGrowsAndBacksOff) {
  const Owned<tir_module> m = MakeModule(c);
  Add(m.get(), "scale", TIR_DTYPE_F32, {}, {16});
  Add(m.get(), "n_good", TIR_DTYPE_I64, {}, {0});
  tir_capture_begin(t, m.get(), "train");
  const tir_value good = tir_input(t, "good", TIR_DTYPE_BOOL, nullptr, 0);
  tir_update_loss_scale(t, Param(m, "scale"), Param(m, "n_good"), good, 2, .5,
                        3);
  Check(tir_capture_end(t, nullptr, &error));
  GraphRunner run(c, m.get(), "train");
  const struct {
    double good, scale, n_good;
  } rows[] = {{1, 16, 1}, {1, 16, 2}, {1, 32, 0}, {1, 32, 1},
              {0, 16, 0}, {0, 8, 0},  {1, 8, 1},  {1, 8, 2},
              {0, 4, 0},  {1, 4, 1},  {1, 4, 2},  {1, 8, 0}};
  for (const auto &row : rows) {
    run.Run({{row.good}});
    EXPECT_EQ(Get(m.get(), "scale")[0], row.scale);
    EXPECT_EQ(Get(m.get(), "n_good")[0], row.n_good);
  }
  Check(tir_module_set_param(m.get(), "scale",
                             Tensor(TIR_DTYPE_F32, {}, {3e38}).get(), &error));
  for (int i = 0; i < 3; i++) run.Run({{1}});
  EXPECT_NEAR(Get(m.get(), "scale")[0] / 3e38, 1, 1e-6) << "never infinite";
}

TEST_F(ConditionalSteps, RefuseAScaleThatDoesNotGrow) {
  const tir_value scale = Number(1), n = tir_scalar(t, TIR_DTYPE_I64, 0);
  const tir_value good = tir_less(t, Number(0), Number(1));
  for (const auto &[growth, backoff, interval] :
       std::vector<std::tuple<double, double, int64_t>>{
           {1, .5, 1},
           {2, 1, 1},
           {2, 0, 1},
           {2, .5, 0},
           {std::nan(""), .5, 1}}) {
    tir_update_loss_scale(t, scale, n, good, growth, backoff, interval);
    EXPECT_NE(Error(), "");
  }
  const tir_value pair = tir_less(t, Vec({0, 1}), Vec({1, 0}));
  tir_update_loss_scale(t, scale, n, pair, 2, .5, 1);
  EXPECT_EQ(Error(),
            "update_loss_scale: types differ: state f32[], its new "
            "value f32[2]");
  EXPECT_EQ(Read(scale), (Doubles{1}));
}

// --- mixed precision -------------------------------------------------------

class MixedPrecision : public ConditionalSteps,
                       public testing::WithParamInterface<tir_dtype> {
 protected:
  // y = x · w with a weight stored in the half dtype beside its f32 master.
  Owned<tir_module> Make(double scale) {
    const tir_dtype half = GetParam();
    Owned<tir_module> m = MakeModule(c);
    Add(m.get(), "w", TIR_DTYPE_F32, {4}, {1, 1, 1, 1}, TIR_PARAM_TRAINABLE);
    Add(m.get(), "w.half", half, {4}, {1, 1, 1, 1});
    Add(m.get(), "scale", TIR_DTYPE_F32, {}, {scale});
    Add(m.get(), "n_good", TIR_DTYPE_I64, {}, {0});
    const int64_t dims[] = {4};
    tir_capture_begin(t, m.get(), "train");
    const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, dims, 1);
    const tir_value w = Param(m, "w"), stored = Param(m, "w.half");
    tir_attach_grad(t, w, TIR_GRAD_WRITE);
    tir_attach_grad(t, stored, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value y = tir_mul(t, tir_cast(t, stored, TIR_DTYPE_F32), x);
    const tir_value loss = tir_sum(t, y, nullptr, 0, false);
    const tir_value scaled = tir_mul(t, loss, Param(m, "scale"));
    tir_mode_end(t);
    tir_backward(t, scaled);
    // The gradient is of the half dtype; sums go on in f32.
    tir_set_grad(t, w, tir_cast(t, tir_take_grad(t, stored), TIR_DTYPE_F32));
    const tir_value good = tir_unscale_grads(t, &w, 1, Param(m, "scale"));
    const tir_value was = tir_set_step_condition(t, good);
    tir_sgd(t, &w, 1, Number(1), false);
    tir_set_step_condition(t, was);
    tir_assign(t, stored, tir_cast(t, w, half));
    tir_update_loss_scale(t, Param(m, "scale"), Param(m, "n_good"), good, 2, .5,
                          1000);
    Check(tir_capture_end(t, nullptr, &error));
    return m;
  }
};

// Steps too small for the half dtype add up in the master.
TEST_P(MixedPrecision, TheMasterGathersWhatHalvesWouldLose) {
  const Owned<tir_module> m = Make(1);
  GraphRunner run(c, m.get(), "train");
  const double small = std::ldexp(1, -14);  // 1 − 2^-14 is 1 in both
  for (int i = 0; i < 512; i++) run.Run({{small, 0, -small, small}});
  EXPECT_EQ(Get(m.get(), "w"),
            (Doubles{1 - 512 * small, 1, 1 + 512 * small, 1 - 512 * small}));
  EXPECT_EQ(Get(m.get(), "w.half"), Get(m.get(), "w"));
}

// f16 overflows above 65,504, bf16 does not: with the scale of 2^16 a gradient
// of 1 skips steps until the scale is back.
TEST_P(MixedPrecision, AnOverflowSkipsTheStep) {
  const Owned<tir_module> m = Make(65536);
  GraphRunner run(c, m.get(), "train");
  run.Run({{1, 0, 0, 0}});
  const bool overflows = GetParam() == TIR_DTYPE_F16;
  EXPECT_EQ(Get(m.get(), "w")[0], overflows ? 1 : 0);
  EXPECT_EQ(Get(m.get(), "scale")[0], overflows ? 32768 : 65536);
  run.Run({{1, 0, 0, 0}});
  EXPECT_EQ(Get(m.get(), "w")[0], overflows ? 0 : -1);
}

// Below 2^-25 an f16 gradient is 0 without a scale, and is kept with one.
TEST_P(MixedPrecision, TheScaleKeepsSmallGradients) {
  const double tiny = std::ldexp(1, -26);
  const Owned<tir_module> plain = Make(1), scaled = Make(4096);
  GraphRunner(c, plain.get(), "train").Run({{tiny, 0, 0, 0}});
  GraphRunner(c, scaled.get(), "train").Run({{0, tiny, 0, 0}});
  // The master itself rounds 1 − 2^-26: look from zero.
  for (tir_module *m : {plain.get(), scaled.get()}) {
    Check(tir_module_set_param(
        m, "w", Tensor(TIR_DTYPE_F32, {4}, {0, 0, 0, 0}).get(), &error));
    GraphRunner(c, m, "train").Run({{tiny, 0, 0, 0}});
  }
  const bool lost = GetParam() == TIR_DTYPE_F16;
  EXPECT_EQ(Get(plain.get(), "w")[0], lost ? 0 : -tiny);
  EXPECT_EQ(Get(scaled.get(), "w")[0], -tiny);
}

INSTANTIATE_TEST_SUITE_P(Halves, MixedPrecision,
                         testing::Values(TIR_DTYPE_F16, TIR_DTYPE_BF16),
                         [](const testing::TestParamInfo<tir_dtype> &one) {
                           return std::string(tir_dtype_name(one.param));
                         });

}  // namespace
