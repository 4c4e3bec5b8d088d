// Runs of the live tape: how many, how planned, what is kept.
#include "tests/semantics/tape_fixture.h"

class LiveRuns : public TapeTest {
 protected:
  // One training step of a tiny model; returns its loss.
  float Step(tir_value w, tir_value x, float lr) {
    tir_step_begin(t);
    tir_record_begin(t, true);
    const tir_value loss =
        tir_mean(t, tir_square(t, tir_matmul(t, x, w)), nullptr, 0, false);
    tir_mode_end(t);
    tir_backward(t, loss);
    tir_sgd(t, &w, 1, tir_scalar(t, TIR_DTYPE_F32, lr), false);
    tir_error error;
    EXPECT_EQ(tir_step_end(t, &loss, 1, &error), TIR_OK) << error.message;
    const float value = Read(loss)[0];
    tir_value_release(t, loss);
    return value;
  }
};

TEST_F(LiveRuns, NothingRunsBeforeARead) {
  const tir_value x = Vec({1, 2});
  tir_value y = x;
  for (int i = 0; i < 10; i++) y = tir_add_scalar(t, y, 1);
  EXPECT_EQ(Stats().n_runs, 0u);
  EXPECT_EQ(Stats().n_pending, 10u);
  EXPECT_EQ(Read(y), (Floats{11, 12}));
  EXPECT_EQ(Stats().n_runs, 1u);
}

TEST_F(LiveRuns, OnlyTheConeOfWhatIsAskedRuns) {
  const tir_value table = Vec({1, 2}), x = Vec({5});
  const int32_t bad = 9;
  const tir_value i = tir_value_from_data(t, TIR_DTYPE_I32, nullptr, 0, &bad);
  const tir_value broken = tir_gather(t, table, i, 0);
  EXPECT_EQ(Read(tir_neg(t, x)), (Floats{-5}));
  EXPECT_EQ(Stats().n_pending, 1u);
  (void)broken;
}

TEST_F(LiveRuns, AStepIsOnePlannedProgram) {
  const tir_value w = F32({1, 2, 3, 4}, {4, 1});
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  const tir_value x = F32(Floats(12, 0.5f), {3, 4});
  float last = Step(w, x, 0.1f);
  EXPECT_EQ(Stats().n_runs, 1u);
  for (int i = 0; i < 20; i++) {
    const float loss = Step(w, x, 0.1f / static_cast<float>(i + 1));
    EXPECT_LT(loss, last);
    last = loss;
  }
  // A changing learning rate does not recompile.
  EXPECT_EQ(Stats().n_runs, 21u);
  EXPECT_EQ(Stats().n_plan_misses, 1u);
  EXPECT_EQ(Stats().n_plan_hits, 20u);
}

TEST_F(LiveRuns, LiteralsNeverMergeBecauseTheyAgree) {
  const tir_value x = Vec({1, 2});
  for (float k = 0; k < 3; k++) {
    const tir_value y = tir_add_scalar(t, tir_mul_scalar(t, x, k), 1);
    EXPECT_EQ(Read(y), (Floats{k + 1, 2 * k + 1}));
  }
  EXPECT_EQ(Stats().n_plan_misses, 1u);
}

TEST_F(LiveRuns, NewShapeMissesAndSaysWhy) {
  for (int64_t n = 2; n < 4; n++)
    Read(tir_exp(t, F32(Floats(static_cast<size_t>(n), 0.0f), {n})));
  EXPECT_EQ(Stats().n_plan_misses, 2u);
  char text[256];
  ASSERT_GT(tir_tape_explain_miss(t, text, sizeof text), 0u);
  EXPECT_NE(std::string(text).find("types of its inputs differ"),
            std::string::npos)
      << text;
  Read(tir_tanh(t, Vec({0, 0})));
  tir_tape_explain_miss(t, text, sizeof text);
  EXPECT_NE(std::string(text).find("node 1 of 1, tanh ("), std::string::npos)
      << text;
}

TEST_F(LiveRuns, ValuesOfOpenScopesAreKeptAndRunOnce) {
  const tir_value x = Vec({1, 2});
  const tir_value y = tir_exp(t, x), z = tir_neg(t, y);
  Read(z);
  EXPECT_EQ(Stats().n_runs, 1u);
  Read(y);
  EXPECT_EQ(Stats().n_runs, 1u);
}

TEST_F(LiveRuns, RandomNodesRunOnceAndDifferByStep) {
  const int64_t dims[] = {64};
  const tir_value a = tir_uniform(t, TIR_DTYPE_F32, dims, 1, 0, 1);
  const tir_value b = tir_uniform(t, TIR_DTYPE_F32, dims, 1, 0, 1);
  const Floats first = Read(a);
  EXPECT_EQ(Read(a), first);
  EXPECT_NE(Read(b), first);
  Floats steps[2];
  for (Floats &step : steps) {
    tir_step_begin(t);
    const tir_value u = tir_uniform(t, TIR_DTYPE_F32, dims, 1, 0, 1);
    step = Read(u);
    tir_error error;
    ASSERT_EQ(tir_step_end(t, nullptr, 0, &error), TIR_OK);
  }
  EXPECT_NE(steps[0], steps[1]);
}

TEST_F(LiveRuns, SameSeedSameNumbers) {
  Floats runs[2];
  for (Floats &run : runs) {
    tir_tape_options options = {};
    options.seed = 42;
    Make(options);
    const int64_t dims[] = {32};
    run = Read(tir_normal(t, TIR_DTYPE_F32, dims, 1, 0, 1));
  }
  EXPECT_EQ(runs[0], runs[1]);
}

TEST_F(LiveRuns, EvictsUnderItsByteBound) {
  tir_tape_options options = {};
  options.max_cache_bytes = 64 << 10;
  Make(options);
  for (int64_t n = 1; n <= 200; n++) {
    tir_scope_begin(t);
    Read(tir_exp(t, F32(Floats(static_cast<size_t>(n), 0.0f), {n})));
    tir_scope_end(t);
  }
  EXPECT_GT(Stats().n_plan_evictions, 0u);
  EXPECT_LE(Stats().plan_bytes, 64u << 10);
}

TEST_F(LiveRuns, PendingNodesAreBounded) {
  tir_tape_options options = {};
  options.max_pending = 100;
  Make(options);
  tir_value y = Vec({0});
  for (int i = 0; i < 1000; i++) {
    y = tir_add_scalar(t, y, 1);
    ASSERT_LE(Stats().n_pending, 101u);
  }
  EXPECT_EQ(Read(y), (Floats{1000}));
}

TEST_F(LiveRuns, NanHuntNamesOpDirectionAndPlace) {
  tir_tape_options options = {};
  options.flags = TIR_TAPE_NAN_HUNT;
  Make(options);
  const tir_value x = Vec({1, -1});
  tir_tensor *tensor;
  tir_error error;
  const std::string place = "live_runs_test.cc:" + std::to_string(__LINE__ + 1);
  const tir_value y = tir_log(t, x);
  EXPECT_EQ(tir_read(t, y, &tensor, &error), TIR_ERR_VALUE);
  const std::string message = error.message;
  EXPECT_NE(message.find("log: NaN at position 1"), std::string::npos)
      << message;
  EXPECT_NE(message.find("forward"), std::string::npos) << message;
  EXPECT_NE(message.find(place), std::string::npos) << message;
}

TEST_F(LiveRuns, ParametersOfAModuleTrainInPlace) {
  tir_module *m;
  tir_tensor *tensor;
  tir_error error;
  const float start[] = {3, 4};
  const int64_t dims[] = {2};
  ASSERT_EQ(tir_module_create(c, &m, &error), TIR_OK);
  ASSERT_EQ(
      tir_tensor_from_data(c, TIR_DTYPE_F32, dims, 1, start, &tensor, &error),
      TIR_OK);
  ASSERT_EQ(tir_module_add_param(m, "w", TIR_PARAM_TRAINABLE, tensor, &error),
            TIR_OK);
  tir_tensor_release(tensor);
  for (int i = 0; i < 3; i++) {
    tir_step_begin(t);
    const tir_value w = tir_param(t, m, "w");
    // Once, and again: a new leaf of the same parameter.
    if (i != 1) tir_attach_grad(t, w, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value loss = tir_sum(t, tir_square(t, w), nullptr, 0, false);
    tir_mode_end(t);
    tir_backward(t, loss);
    tir_sgd(t, &w, 1, tir_scalar(t, TIR_DTYPE_F32, 0.25), false);
    ASSERT_EQ(tir_step_end(t, nullptr, 0, &error), TIR_OK) << error.message;
  }
  ASSERT_EQ(tir_module_get_param(m, "w", &tensor, &error), TIR_OK);
  const float *w = static_cast<const float *>(tir_tensor_data(tensor));
  EXPECT_EQ(w[0], 0.375f);
  EXPECT_EQ(w[1], 0.5f);
  tir_tensor_release(tensor);
  tir_module_destroy(m);
}

// A module with one parameter "w" of these values.
tir_module *ModuleWith(tir_context *c, const Floats &values) {
  tir_module *m = nullptr;
  tir_tensor *tensor = nullptr;
  const int64_t n = static_cast<int64_t>(values.size());
  EXPECT_EQ(tir_module_create(c, &m, nullptr), TIR_OK);
  EXPECT_EQ(tir_tensor_from_data(c, TIR_DTYPE_F32, &n, 1, values.data(),
                                 &tensor, nullptr),
            TIR_OK);
  EXPECT_EQ(tir_module_add_param(m, "w", TIR_PARAM_TRAINABLE, tensor, nullptr),
            TIR_OK);
  tir_tensor_release(tensor);
  return m;
}

Floats ParamOf(tir_module *m) {
  tir_tensor *tensor = nullptr;
  tir_error error;
  EXPECT_EQ(tir_module_get_param(m, "w", &tensor, &error), TIR_OK)
      << error.message;
  if (!tensor) return {};
  const float *data = static_cast<const float *>(tir_tensor_data(tensor));
  const Floats out(data, data + tir_tensor_numel(tensor));
  tir_tensor_release(tensor);
  return out;
}

// Nothing reads the old version, which is what the assign writes over.
TEST_F(LiveRuns, AnAssignToAParameterNobodyReadsIsWritten) {
  tir_module *m = ModuleWith(c, {1, 2});
  tir_error error;
  for (float i = 1; i <= 3; i++) {
    tir_step_begin(t);
    tir_assign(t, tir_param(t, m, "w"), Vec({10 * i, 20 * i}));
    ASSERT_EQ(tir_step_end(t, nullptr, 0, &error), TIR_OK) << error.message;
    EXPECT_EQ(ParamOf(m), (Floats{10 * i, 20 * i}));
  }
  // Twice in one run: the last one stands.
  tir_step_begin(t);
  tir_assign(t, tir_param(t, m, "w"), Vec({7, 8}));
  tir_assign(t, tir_param(t, m, "w"), Vec({9, 8}));
  ASSERT_EQ(tir_step_end(t, nullptr, 0, &error), TIR_OK) << error.message;
  EXPECT_EQ(ParamOf(m), (Floats{9, 8}));
  tir_module_destroy(m);
}

// A failed run leaves the old version of a leaf in force.
TEST_F(LiveRuns, AFailedAssignLeavesWhatNobodyElseReads) {
  const tir_value x = Vec({1, 2});
  const int64_t dims[] = {2};
  const int32_t bad[] = {0, 9};
  const tir_value i = tir_value_from_data(t, TIR_DTYPE_I32, dims, 1, bad);
  EXPECT_EQ(Read(tir_neg(t, x)), (Floats{-1, -2}));
  tir_assign(t, x, tir_gather(t, Vec({3, 4}), i, 0));
  tir_tensor *tensor;
  tir_error error;
  EXPECT_EQ(tir_read(t, tir_neg(t, x), &tensor, &error), TIR_ERR_VALUE);
  EXPECT_EQ(Read(tir_neg(t, x)), (Floats{-1, -2}));
}

// The state is read in the slice of the forward run, and set anew in that of
// the backward.
TEST_F(LiveRuns, AStateIsSetAgainBeforeTheBackwardRuns) {
  tir_module *m = ModuleWith(c, {1, 2});
  tir_error error;
  const tir_value x = Vec({.5f, .25f});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_step_begin(t);
  tir_record_begin(t, true);
  const tir_value h = tir_param(t, m, "w");
  tir_assign(t, h, tir_tanh(t, x));
  const tir_value loss = tir_sum(t, tir_square(t, h), nullptr, 0, false);
  tir_mode_end(t);
  EXPECT_EQ(Read(loss).size(), 1u);
  tir_backward(t, loss);
  tir_assign(t, h, Vec({3, 4}));
  EXPECT_EQ(Grad(x).size(), 2u);
  ASSERT_EQ(tir_step_end(t, nullptr, 0, &error), TIR_OK) << error.message;
  EXPECT_EQ(ParamOf(m), (Floats{3, 4}));
  tir_module_destroy(m);
}

// A leaf made by attaching again has the memory of the one before, which a
// history still reads.
TEST_F(LiveRuns, AParameterIsSetWhoseMemoryTwoLeavesHave) {
  tir_module *m = ModuleWith(c, {1, 2});
  const tir_value w = tir_param(t, m, "w"), x = Vec({1, 1});
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_mul(t, w, x);
  tir_mode_end(t);
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_assign(t, w, Vec({3, 5}));
  tir_error error;
  ASSERT_EQ(tir_tape_flush(t, &error), TIR_OK) << error.message;
  EXPECT_EQ(ParamOf(m), (Floats{3, 5}));
  tir_backward(t, y);
  EXPECT_EQ(Grad(x), (Floats{1, 2}));
  tir_assign(t, w, Vec({7, 8}));
  ASSERT_EQ(tir_tape_flush(t, &error), TIR_OK) << error.message;
  EXPECT_EQ(ParamOf(m), (Floats{7, 8}));
  EXPECT_EQ(Read(w), (Floats{7, 8}));
  tir_module_destroy(m);
}

// The state has its new value from x, which has its data where the state's own
// are gone: nothing reads them any more.
TEST_F(LiveRuns, WhatWasAssignedFromIsReadFromItsOwnMemory) {
  for (const bool of_leaf : {true, false}) {
    const tir_value x = Vec({.5f, .25f}), state = Vec({0, 0});
    tir_attach_grad(t, x, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value from = of_leaf ? x : tir_mul_scalar(t, x, 2);
    tir_value_release(t, tir_assign(t, state, from));
    const tir_value y = tir_add(t, tir_square(t, from), state);
    tir_mode_end(t);
    EXPECT_EQ(Read(y), of_leaf ? (Floats{.75f, .3125f}) : (Floats{2, .75f}));
    tir_value_release(t, state);
    tir_backward(t, y);
    EXPECT_EQ(Grad(x), of_leaf ? (Floats{2, 1.5f}) : (Floats{6, 4}));
  }
}

// The memory of x is written anew in the slice that has the assign from it in
// its history.
TEST_F(LiveRuns, WhatWasAssignedFromIsWrittenBeforeTheBackwardRuns) {
  const tir_value x = Vec({.5f, .25f}), state = Vec({0, 0});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_assign(t, state, x);
  const tir_value y = tir_square(t, state);
  tir_mode_end(t);
  EXPECT_EQ(Read(y), (Floats{.25f, .0625f}));
  tir_backward(t, y);
  tir_assign(t, x, Vec({3, 4}));
  EXPECT_EQ(Grad(x), (Floats{1, .5f}));
  EXPECT_EQ(Read(x), (Floats{3, 4}));
}

// What a backward released is refused later on, also when a collection has
// made a leaf of it meanwhile: its part of the gradient would be missing.
TEST_F(LiveRuns, AReleasedHistoryIsRefusedAfterItsCollection) {
  for (const bool collects : {false, true}) {
    const tir_value w = Vec({3, 4});
    tir_attach_grad(t, w, TIR_GRAD_WRITE);
    tir_scope_begin(t);
    tir_record_begin(t, true);
    const tir_value h = tir_tanh(t, tir_square(t, w));
    const tir_value y = tir_mul(t, h, w);
    tir_mode_end(t);
    tir_backward(t, h);
    EXPECT_EQ(Grad(w).size(), 2u);
    tir_keep(t, y);
    tir_keep(t, h);
    if (collects) tir_scope_end(t);
    tir_backward(t, y);
    EXPECT_NE(Error().find("an earlier backward that released it"),
              std::string::npos);
    if (!collects) tir_scope_end(t);
  }
}

// A variable that became one after it was used: what was counted then is what
// is given back.
TEST_F(LiveRuns, AttachedAfterItWasUsed) {
  const tir_value w = Vec({3, 4});
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_tape_statistics before = {};
  for (int i = 0; i < 6000; i++) {
    tir_step_begin(t);
    const tir_value x = Vec({1, 2});
    tir_record_begin(t, true);
    const tir_value y = tir_mul(t, x, w);
    tir_attach_grad(t, x, TIR_GRAD_WRITE);
    tir_mode_end(t);
    tir_backward(t, y);
    EXPECT_EQ(Grad(w), (Floats{1, 2}));
    EXPECT_EQ(Read(w), (Floats{3, 4}));
    ASSERT_EQ(tir_step_end(t, nullptr, 0, nullptr), TIR_OK);
    if (i == 3000) before = Stats();
  }
  EXPECT_EQ(Stats().survivor_bytes, before.survivor_bytes);
  EXPECT_EQ(Stats().tape_bytes, before.tape_bytes);
}

// Large buffers that are not used any more go back to the allocator, those used
// now and then stay.
TEST_F(LiveRuns, MemoryOfOnceComesBack) {
  const auto step = [this](int64_t n) {
    tir_step_begin(t);
    const tir_value x = F32(Floats(static_cast<size_t>(n), 1.0f), {n});
    EXPECT_EQ(Read(tir_neg(t, x)).back(), -1);
    EXPECT_EQ(tir_step_end(t, nullptr, 0, nullptr), TIR_OK);
  };
  const int64_t large = 1 << 20;
  step(1);
  const uint64_t small = Stats().tape_bytes;
  step(large);
  const uint64_t most = Stats().tape_bytes;
  // Two buffers of 4 MiB.
  EXPECT_GT(most, small + (8 << 20));
  for (int i = 0; i < 3000; i++) step(i % 500 ? 1 : large);
  EXPECT_EQ(Stats().tape_bytes, most);
  for (int i = 0; i < 3000; i++) step(1);
  EXPECT_LT(Stats().tape_bytes, small + (1 << 20));
}

TEST_F(LiveRuns, LongLoopStaysFlat) {
  const tir_value w = F32({1, 2, 3, 4}, {4, 1});
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  const tir_value x = F32(Floats(12, 0.5f), {3, 4});
  for (int i = 0; i < 1000; i++) Step(w, x, 1e-3f);
  const tir_tape_statistics before = Stats();
  for (int i = 0; i < 3000; i++) Step(w, x, 1e-3f);
  const tir_tape_statistics after = Stats();
  EXPECT_EQ(after.tape_bytes, before.tape_bytes);
  EXPECT_EQ(after.survivor_bytes, before.survivor_bytes);
  EXPECT_EQ(after.n_plan_misses, 1u);
}
