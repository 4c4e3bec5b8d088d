// Steps of a tape that holds many values cost what the step does. Times are
// compared with each other only, and generously.
#include <chrono>

#include "tests/semantics/tape_fixture.h"

class LiveScale : public TapeTest {
 protected:
  using Clock = std::chrono::steady_clock;

  // Seconds for so many steps that change w.
  double Steps(tir_value w, int n) {
    const auto start = Clock::now();
    for (int i = 0; i < n; i++) {
      tir_step_begin(t);
      tir_assign(t, w, tir_add_scalar(t, tir_square(t, w), -1));
      tir_error error;
      EXPECT_EQ(tir_step_end(t, nullptr, 0, &error), TIR_OK) << error.message;
    }
    return std::chrono::duration<double>(Clock::now() - start).count();
  }
};

TEST_F(LiveScale, AStepDoesNotLookAtWhatIsKeptOutside) {
  const tir_value w = Vec({0.5f});
  Steps(w, 500);
  const double alone = Steps(w, 2000);
  std::vector<tir_value> kept;
  for (int i = 0; i < 500000; i++) kept.push_back(Scalar(1));
  Steps(w, 500);
  const double among_many = Steps(w, 2000);
  EXPECT_LE(among_many, 4 * alone + 0.2);
  EXPECT_EQ(Read(kept.back()), (Floats{1}));
}
