// 100,000 recorded training steps: resident memory, tape memory and the time
// of a step stay flat.
#include <time.h>

#include <algorithm>
#include <cstdio>

#include "tests/semantics/tape_fixture.h"

// The address sanitizer keeps freed blocks back for a while, which looks like
// growth; here residency is what is measured.
extern "C" const char *__asan_default_options();
extern "C" const char *__asan_default_options() {
  return "quarantine_size_mb=0:thread_local_quarantine_size_kb=0";
}

namespace {

double NowSeconds() {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

long ResidentKib() {
  FILE *file = fopen("/proc/self/statm", "r");
  long total = 0, resident = 0;
  if (file && fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
  if (file) fclose(file);
  return resident * 4;
}

// A small model on the tape that was the present one when it was made.
struct Model {
  tir_tape *t;
  tir_value w[2], x, y;
};

class LongTraining : public TapeTest {
 protected:
  Model MakeModel() {
    Model m = {t,
               {F32(Floats(12, 0.1f), {3, 4}), F32(Floats(4, 0.2f), {4, 1})},
               F32({1, 2, 3, -1, 0, 1}, {2, 3}),
               F32({1, -1}, {2, 1})};
    for (const tir_value &v : m.w) tir_attach_grad(t, v, TIR_GRAD_WRITE);
    return m;
  }

  void Steps(const Model &m, int n) {
    for (int i = 0; i < n; i++) Step(m);
  }

  void Step(const Model &m) {
    tir_tape *const tape = m.t;
    tir_step_begin(tape);
    tir_record_begin(tape, true);
    const tir_value h = tir_tanh(tape, tir_matmul(tape, m.x, m.w[0]));
    const tir_value loss = tir_mse(tape, tir_matmul(tape, h, m.w[1]), m.y);
    tir_mode_end(tape);
    tir_backward(tape, loss);
    tir_sgd(tape, m.w, 2, tir_scalar(tape, TIR_DTYPE_F32, 1e-3), false);
    tir_error error;
    ASSERT_EQ(tir_step_end(tape, &loss, 1, &error), TIR_OK) << error.message;
    last = static_cast<float>(tir_read_scalar(tape, loss));
    tir_value_release(tape, loss);
  }

  double SecondsOf(const Model &m) {
    const double start = NowSeconds();
    Steps(m, 100);
    return NowSeconds() - start;
  }

  float last = 0;
};

}  // namespace

TEST_F(LongTraining, StaysFlat) {
  const Model old = MakeModel();
  Steps(old, 2000);
  const tir_tape_statistics before = Stats();
  const long resident = ResidentKib();
  const float first_loss = last;
  Steps(old, 98000);
  const tir_tape_statistics after = Stats();
  EXPECT_EQ(after.tape_bytes, before.tape_bytes);
  EXPECT_EQ(after.survivor_bytes, before.survivor_bytes);
  EXPECT_EQ(after.n_plan_misses, 1u);
  EXPECT_EQ(after.n_runs, 100000u);
  EXPECT_LE(ResidentKib(), resident + 512);
  EXPECT_LT(last, first_loss);

  // Beside a tape that is young, in turns, because a machine changes its speed:
  // the fastest of many turns of each.
  tir_tape *const first = t;
  ASSERT_EQ(tir_tape_create(c, nullptr, &t, nullptr), TIR_OK);
  const Model young = MakeModel();
  Steps(young, 500);
  double old_time = 1e9, young_time = 1e9;
  for (int i = 0; i < 40; i++) {
    old_time = std::min(old_time, SecondsOf(old));
    young_time = std::min(young_time, SecondsOf(young));
  }
  EXPECT_LE(old_time, young_time * 1.5);
  tir_tape_destroy(t);
  t = first;
}
