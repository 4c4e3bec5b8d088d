// A window of a state replaced in place: assign_slice captured, compiled and
// run; on the live tape; with gradients.
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#define TIR_NO_SITES
#include "tests/training/training_fixture.h"

namespace {

class Cache : public TrainingTest {
 protected:
  // y = the window written, read back from the new version.
  Owned<tir_module> Build(int64_t n, bool late_check = false) {
    tir_module *m = nullptr;
    Check(tir_module_create(c, &m, &error));
    Owned<tir_module> module(m);
    Add(m, "cache", TIR_DTYPE_F32, {n, 4}, Doubles(size_t(n) * 4, 7));
    Add(m, "other", TIR_DTYPE_F32, {n, 4}, Doubles(size_t(n) * 4, 8));
    Add(m, "table", TIR_DTYPE_F32, {3, 4}, Doubles(12, 1));
    tir_capture_begin(t, m, "step");
    const int64_t dims[] = {2, 4};
    const tir_value v = tir_input(t, "v", TIR_DTYPE_F32, dims, 2);
    const tir_value start = tir_input(t, "start", TIR_DTYPE_I64, nullptr, 0);
    const tir_value row = tir_input(t, "row", TIR_DTYPE_I64, nullptr, 0);
    const tir_value cache = tir_param(t, m, "cache");
    const tir_value now = tir_assign_slice(t, cache, v, start, 0);
    tir_value x = tir_slice_at(t, now, start, 0, 2);
    // What can fail is recorded behind the first update.
    tir_value more = tir_gather(t, tir_param(t, m, "table"), row, 0);
    if (late_check) more = tir_gather(t, now, row, 0);
    const tir_value second = tir_assign_slice(t, tir_param(t, m, "other"),
                                              tir_add(t, x, more), start, 0);
    tir_output(t, "y", tir_slice_at(t, second, start, 0, 2));
    Check(tir_capture_end(t, nullptr, &error));
    return module;
  }
  static const Doubles &Numbers() {
    static const Doubles numbers = {1, 2, 3, 4, 5, 6, 7, 8};
    return numbers;
  }
  // Where the results of update_slice are.
  std::vector<std::string> Places(const tir_program *program) {
    std::vector<std::string> places;
    for (size_t i = 0; i < tir_program_n_values(program); i++) {
      tir_planned_value value;
      Check(tir_program_value(program, i, &value));
      if (strcmp(value.op, "update_slice") == 0) places.push_back(value.place);
    }
    return places;
  }
};

TEST_F(Cache, IsWrittenInPlace) {
  uint64_t arena = 0;
  for (int64_t n : {8, 4096}) {
    const auto module = Build(n);
    GraphRunner runner(c, module.get(), "step");
    EXPECT_EQ(Places(runner.program()),
              (std::vector<std::string>{"param", "param"}));
    tir_memory_report report;
    tir_program_memory(runner.program(), &report);
    if (arena == 0) arena = report.arena_bytes;
    // No copy of a cache: the same whatever its length.
    EXPECT_EQ(report.arena_bytes, arena);
    EXPECT_LE(report.arena_bytes, 512u);
    runner.Run({Numbers(), {3}, {1}});
    const Doubles cache = Get(module.get(), "cache");
    for (size_t i = 0; i < cache.size(); i++)
      EXPECT_EQ(cache[i], i >= 12 && i < 20 ? Numbers()[i - 12] : 7) << i;
    EXPECT_EQ(Get(module.get(), "other")[12], 2);
  }
}

TEST_F(Cache, StartOutOfRangeFailsBeforeAnythingIsWritten) {
  const auto module = Build(8);
  const auto before = Bytes(module.get());
  const auto program = Compile(c, tir_module_graph(module.get(), "step"));
  const auto instance = Instantiate(program, module.get());
  const std::vector<float> v(8, 5);
  Bind(instance, 0, v);
  const std::vector<int64_t> row = {1};
  Bind(instance, 2, row);
  for (int64_t start : {-1, 7}) {
    const std::vector<int64_t> at = {start};
    Bind(instance, 1, at);
    EXPECT_EQ(tir_run(instance.get(), nullptr, &error), TIR_ERR_VALUE);
    EXPECT_EQ(std::string(error.message),
              "check_range: " + std::to_string(start) +
                  " at position 0 is out of range, expected 0 to 6: node %" +
                  std::to_string(error.node));
    EXPECT_EQ(Bytes(module.get()), before);
  }
  const std::vector<int64_t> good = {6}, bad_row = {3};
  Bind(instance, 1, good);
  // A later op that fails leaves both caches as they were.
  Bind(instance, 2, bad_row);
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error), TIR_ERR_VALUE);
  EXPECT_EQ(Bytes(module.get()), before);
  Bind(instance, 2, row);
  RunOk(instance);
  EXPECT_NE(Bytes(module.get()), before);
}

// What can fail reads the new version: that one waits in memory of its own.
TEST_F(Cache, IsCopiedWhereAnOpThatFailsNeedsIt) {
  const auto module = Build(8, true);
  GraphRunner runner(c, module.get(), "step");
  EXPECT_EQ(Places(runner.program()),
            (std::vector<std::string>{"arena", "param"}));
  runner.Run({Numbers(), {3}, {4}});
  EXPECT_EQ(Get(module.get(), "cache")[12], 1);
  EXPECT_EQ(Get(module.get(), "other")[12], 1 + 5);
}

// A copy of the long cache would take milliseconds.
TEST_F(Cache, StepTimeDoesNotDependOnItsLength) {
  double best[2] = {1e9, 1e9};
  const int64_t lengths[] = {1024, int64_t{1} << 22};
  for (int i = 0; i < 2; i++) {
    const auto module = Build(lengths[i]);
    GraphRunner runner(c, module.get(), "step");
    for (int k = 0; k < 20; k++) {
      const auto start = std::chrono::steady_clock::now();
      runner.Run({Numbers(), {3}, {1}});
      const std::chrono::duration<double> time =
          std::chrono::steady_clock::now() - start;
      best[i] = std::min(best[i], time.count());
    }
  }
  EXPECT_LT(best[1], 2 * best[0] + 1e-3);
}

TEST_F(Cache, GivesTheSameLiveSavedAndParsed) {
  const auto module = Build(8);
  const auto loaded = Reload(module.get());
  const auto parsed = Reparse(module.get());
  for (tir_module *m : {module.get(), loaded.get(), parsed.get()})
    GraphRunner(c, m, "step").Run({Numbers(), {5}, {0}});
  EXPECT_EQ(Bytes(module.get()), Bytes(loaded.get()));
  EXPECT_EQ(Bytes(module.get()), Bytes(parsed.get()));
  const tir_value cache = Value(TIR_DTYPE_F32, {8, 4}, Doubles(32, 7));
  const tir_value v = Value(TIR_DTYPE_F32, {2, 4}, Numbers());
  tir_assign_slice(t, cache, v, tir_scalar(t, TIR_DTYPE_I64, 5), 0);
  EXPECT_EQ(Read(cache), Get(module.get(), "cache"));
}

TEST_F(Cache, PassesGradientsToWhatWasWritten) {
  const tir_value cache = Value(TIR_DTYPE_F32, {4}, {1, 2, 3, 4});
  const tir_value x = Vec({5, 6});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  for (double at : {0.0, 1.0})
    tir_assign_slice(t, cache, tir_square(t, x),
                     tir_scalar(t, TIR_DTYPE_I64, at), 0);
  const tir_value loss =
      tir_sum(t, tir_mul(t, cache, Vec({1, 10, 100, 1000})), nullptr, 0, false);
  tir_mode_end(t);
  tir_backward(t, loss);
  EXPECT_EQ(Read(cache), (Doubles{25, 25, 36, 4}));
  // The first window lost its second place.
  EXPECT_EQ(Read(tir_grad_of(t, x)), (Doubles{10 * (1 + 10), 12 * 100}));
}

TEST_F(Cache, SaysWhatDoesNotFit) {
  const tir_value cache = Value(TIR_DTYPE_F32, {4}, {1, 2, 3, 4});
  tir_assign_slice(t, cache, Vec({1, 2, 3, 4, 5}),
                   tir_scalar(t, TIR_DTYPE_I64, 0), 0);
  EXPECT_EQ(Error(),
            "update_slice: value f32[5] does not fit into base f32[4] along "
            "axis 0");
  tir_assign_slice(t, cache, Vec({1}), tir_scalar(t, TIR_DTYPE_F32, 0), 0);
  EXPECT_EQ(Error(),
            "update_slice: wrong dtype: start f32[], expected i32 or i64");
  tir_attach_grad(t, cache, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, cache);
  tir_assign_slice(t, cache, Vec({1}), tir_scalar(t, TIR_DTYPE_I64, 0), 0);
  EXPECT_EQ(Error(),
            "assign_slice: target f32[4] is part of a recorded history: "
            "assign outside recording");
  tir_mode_end(t);
  EXPECT_EQ(Read(y), (Doubles{1, 4, 9, 16}));
}

}  // namespace
