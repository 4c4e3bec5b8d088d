// Bodies that take in many values of outside: recording stays near linear.
// Times are compared with each other only, and generously.
#include <chrono>

#include "loops.h"
#include "tests/support/compiled.h"

namespace {

using Clock = std::chrono::steady_clock;

// Seconds to record a cond whose branches use n inputs of the graph, each of
// them twice.
double Record(size_t n) {
  const Owned<tir_context> c = MakeContext();
  tir_tape *t = nullptr;
  tir_module *m = nullptr;
  EXPECT_EQ(tir_tape_create(c.get(), nullptr, &t, nullptr), TIR_OK);
  EXPECT_EQ(tir_module_create(c.get(), &m, nullptr), TIR_OK);
  tir_capture_begin(t, m, "g");
  const tir_value pred = tir_input(t, "pred", TIR_DTYPE_BOOL, nullptr, 0);
  std::vector<tir_value> outside;
  for (size_t i = 0; i < n; i++)
    outside.push_back(tir_scalar(t, TIR_DTYPE_F32, 1));
  const auto sum = [](tir_tape *tape, void *user, const tir_value *x,
                      tir_value *out) {
    out[0] = x[0];
    for (int again = 0; again < 2; again++)
      for (const tir_value v : *static_cast<std::vector<tir_value> *>(user))
        out[0] = tir_add(tape, out[0], v);
  };
  tir_value y = {};
  const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, nullptr, 0);
  const auto start = Clock::now();
  tir_cond(t, pred, sum, sum, &outside, &x, 1, &y, 1);
  const double time =
      std::chrono::duration<double>(Clock::now() - start).count();
  tir_output(t, "y", y);
  tir_error error = {};
  EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_OK) << error.message;
  tir_module_destroy(m);
  tir_tape_destroy(t);
  return time;
}

}  // namespace

TEST(BodyScale, TakingInManyValuesIsNearLinear) {
  const double few = std::min({Record(2500), Record(2500), Record(2500)});
  const double many = std::min(Record(40000), Record(40000));
  // Sixteen times as many; a search through all would take 256 times as long.
  EXPECT_LT(many, 64 * few) << few << " s, then " << many << " s";
}
