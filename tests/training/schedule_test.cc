// Learning rates: the C function against formulas of libm, the graph against
// the C function to the last bit.
#include <cstdint>

#include "tests/training/training_fixture.h"

namespace {

constexpr double kPi = 3.14159265358979323846;

struct Named {
  const char *name;
  tir_schedule schedule;
  double (*formula)(double s);  // after the warm-up
};

const Named kSchedules[] = {
    {"constant",
     {TIR_SCHEDULE_CONSTANT, 0.1, 0, 0, 0, 0, {}},
     [](double) { return 0.1; }},
    {"step",
     {TIR_SCHEDULE_STEP, 0.3, 0, 0.7, 0, 30, {}},
     [](double s) { return 0.3 * std::pow(0.7, std::floor(s / 30)); }},
    {"exponential",
     {TIR_SCHEDULE_EXPONENTIAL, 0.3, 0, 0.97, 5, 0, {}},
     [](double s) { return 0.3 * std::pow(0.97, s); }},
    {"growing",
     {TIR_SCHEDULE_EXPONENTIAL, 1e-7, 0, 1.1, 0, 0, {}},
     [](double s) { return 1e-7 * std::pow(1.1, s); }},
    {"cosine",
     {TIR_SCHEDULE_COSINE, 0.3, 0.01, 0, 0, 97, {}},
     [](double s) {
       return 0.01 + 0.29 * (1 + std::cos(kPi * std::min(1.0, s / 97))) / 2;
     }},
    {"cosine_with_warmup",
     {TIR_SCHEDULE_COSINE, 0.003, 0, 0, 20, 80, {}},
     [](double s) {
       return 0.003 * (1 + std::cos(kPi * std::min(1.0, s / 80))) / 2;
     }},
    {"linear",
     {TIR_SCHEDULE_LINEAR, 0.2, 0.05, 0, 7, 50, {}},
     [](double s) { return 0.2 - 0.15 * std::min(1.0, s / 50); }},
};

class Schedule : public TrainingTest,
                 public testing::WithParamInterface<Named> {};

TEST_P(Schedule, FollowsItsFormula) {
  const tir_schedule &schedule = GetParam().schedule;
  for (int64_t step = 0; step < 200; step++) {
    const double s = static_cast<double>(step);
    const double warmup = static_cast<double>(schedule.warmup);
    const double expected = step < schedule.warmup
                                ? schedule.rate * (s + 1) / warmup
                                : GetParam().formula(s - warmup);
    ASSERT_NEAR(tir_schedule_at(&schedule, step), expected,
                1e-13 * (expected + schedule.rate))
        << step;
  }
}

TEST_P(Schedule, GraphAndCFunctionAgreeToTheBit) {
  const tir_schedule &schedule = GetParam().schedule;
  const Owned<tir_module> m = MakeModule(c);
  tir_capture_begin(t, m.get(), "rate");
  const tir_value step = tir_input(t, "step", TIR_DTYPE_I64, nullptr, 0);
  tir_output(t, "f64", tir_schedule_rate(t, &schedule, step, TIR_DTYPE_F64));
  tir_output(t, "f32", tir_schedule_rate(t, &schedule, step, TIR_DTYPE_F32));
  Check(tir_capture_end(t, nullptr, &error));
  const Owned<tir_module> loaded = Reload(m.get());
  GraphRunner run(c, m.get(), "rate"), again(c, loaded.get(), "rate");
  for (int64_t at :
       {INT64_C(-5), INT64_C(0), INT64_C(1000), INT64_C(65535),
        INT64_C(1) << 31, (INT64_C(1) << 32) - 1, INT64_C(1) << 40}) {
    for (int64_t i = at; i < at + 120; i++) {
      const double rate = tir_schedule_at(&schedule, i);
      for (GraphRunner *one : {&run, &again}) {
        one->Run({{static_cast<double>(i)}});
        ASSERT_EQ(one->Scalar(0), rate) << i;
        ASSERT_EQ(one->Scalar(1), static_cast<double>(static_cast<float>(rate)))
            << i;
      }
    }
  }
}

TEST_P(Schedule, LiveTapeGivesTheSameBits) {
  const tir_schedule &schedule = GetParam().schedule;
  for (int64_t i = 0; i < 40; i++) {
    const tir_value step =
        tir_value_from_data(t, TIR_DTYPE_I64, nullptr, 0, &i);
    EXPECT_EQ(Read(tir_schedule_rate(t, &schedule, step, TIR_DTYPE_F64))[0],
              tir_schedule_at(&schedule, i));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Schedule, testing::ValuesIn(kSchedules),
                         [](const testing::TestParamInfo<Named> &one) {
                           return std::string(one.param.name);
                         });

// The ends are what the caller wrote.
TEST(Schedules, StartAtRateAndEndAtLast) {
  for (tir_schedule_kind kind : {TIR_SCHEDULE_COSINE, TIR_SCHEDULE_LINEAR}) {
    tir_schedule s = {};
    s.kind = kind;
    s.rate = 0.1;
    s.last = 0.003;
    s.steps = 1000;
    EXPECT_DOUBLE_EQ(tir_schedule_at(&s, 0), 0.1);
    EXPECT_EQ(tir_schedule_at(&s, 1000), 0.003);
    EXPECT_EQ(tir_schedule_at(&s, 5000), 0.003);
    for (int64_t i = 1; i <= 1000; i++)
      EXPECT_LE(tir_schedule_at(&s, i), tir_schedule_at(&s, i - 1)) << i;
  }
}

TEST(Schedules, RefuseWhatIsNone) {
  EXPECT_TRUE(std::isnan(tir_schedule_at(nullptr, 0)));
  tir_schedule s = {};
  s.kind = TIR_SCHEDULE_COSINE;
  EXPECT_TRUE(std::isnan(tir_schedule_at(&s, 0))) << "no steps";
  s.steps = 5;
  EXPECT_EQ(tir_schedule_at(&s, 0), 0);
  s.reserved[2] = 1;
  EXPECT_TRUE(std::isnan(tir_schedule_at(&s, 0)));
  s.reserved[2] = 0;
  s.warmup = -1;
  EXPECT_TRUE(std::isnan(tir_schedule_at(&s, 0)));
  s.warmup = 0;
  s.rate = INFINITY;
  EXPECT_TRUE(std::isnan(tir_schedule_at(&s, 0)));
  s.rate = 1;
  s.kind = static_cast<tir_schedule_kind>(9);
  EXPECT_TRUE(std::isnan(tir_schedule_at(&s, 0)));
}

class ScheduleValues : public TrainingTest {};

TEST_F(ScheduleValues, SayWhatIsWrong) {
  tir_schedule s = {};
  const tir_value step = tir_scalar(t, TIR_DTYPE_I64, 3);
  tir_schedule_rate(t, nullptr, step, TIR_DTYPE_F32);
  EXPECT_EQ(Error(), "schedule_rate: not a schedule: it is NULL");
  s.kind = TIR_SCHEDULE_STEP;
  s.factor = 0.5;
  tir_schedule_rate(t, &s, step, TIR_DTYPE_F32);
  EXPECT_EQ(Error(), "schedule_rate: not a schedule: steps is out of range");
  s.steps = 3;
  tir_schedule_rate(t, &s, step, TIR_DTYPE_F16);
  EXPECT_EQ(Error(), "schedule_rate: dtype is f16, expected f32 or f64");
  tir_schedule_rate(t, &s, Vec({1, 2}), TIR_DTYPE_F32);
  EXPECT_EQ(Error(), "schedule_rate: step is f32[2], expected i64[]");
  tir_schedule_rate(t, &s, tir_value{}, TIR_DTYPE_F32);
  EXPECT_EQ(Error(), "schedule_rate: step is not a value: an all-zero handle");
}

// The rate follows the optimiser's own step number, file included.
TEST_F(ScheduleValues, DriveACapturedStep) {
  tir_schedule s = {};
  s.kind = TIR_SCHEDULE_COSINE;
  s.rate = 0.5;
  s.steps = 12;
  s.warmup = 3;
  Owned<tir_module> m = MakeModule(c);
  Add(m.get(), "w", TIR_DTYPE_F64, {}, {0}, TIR_PARAM_TRAINABLE);
  Add(m.get(), "step", TIR_DTYPE_I64, {}, {0});
  tir_capture_begin(t, m.get(), "train");
  const tir_value w = tir_param(t, m.get(), "w");
  const tir_value step = tir_param(t, m.get(), "step");
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_set_grad(t, w, tir_scalar(t, TIR_DTYPE_F64, -1));
  tir_sgd(t, &w, 1, tir_schedule_rate(t, &s, step, TIR_DTYPE_F64), false);
  tir_assign(t, step, tir_add_scalar(t, step, 1));
  Check(tir_capture_end(t, nullptr, &error));
  double expected = 0;
  for (int64_t i = 0; i < 20; i++) {
    if (i == 9) m = Reload(m.get());
    GraphRunner(c, m.get(), "train").Run();
    expected += tir_schedule_at(&s, i);
    EXPECT_EQ(Get(m.get(), "w")[0], expected) << i;
  }
}

}  // namespace
