// Random programs recorded four ways - read nowhere, read at random places,
// eager, and with few nodes allowed to wait - give the same bits, values and
// gradients alike.
#include <random>

#include "tests/semantics/tape_fixture.h"

namespace {

enum class Way { kLazy, kReads, kEager, kFewPending };

class LiveRandom : public TapeTest {
 protected:
  std::vector<tir_value> values;
  std::mt19937 choice;  // the program: the same for every way
  std::mt19937 reads;   // where values are read: only for kReads

  size_t Pick(size_t n) { return choice() % n; }
  tir_value Any() { return values[Pick(values.size())]; }

  // All values are f32[4, 3], so anything fits anything.
  tir_value Op() {
    const tir_value a = Any(), b = Any();
    const int axis1[] = {1};
    const int64_t flat[] = {2, -1}, back[] = {4, 3};
    const int64_t starts[] = {1}, stops[] = {3};
    switch (Pick(20)) {
      case 0:
        return tir_add(t, a, b);
      case 1:
        return tir_sub(t, a, b);
      case 2:
        return tir_mul(t, a, b);
      case 3:
        return tir_tanh(t, a);
      case 4:
        return tir_sigmoid(t, a);
      case 5:
        return tir_relu(t, a);
      case 6:
        return tir_abs(t, a);
      case 7:
        return tir_mul_scalar(t, a, 0.5);
      case 8:
        return tir_maximum(t, a, b);
      case 9:
        return tir_where(t, tir_greater(t, a, b), a, tir_neg(t, b));
      case 10:
        return tir_softmax(t, a, -1);
      case 11:
        return tir_sub(t, a, tir_mean(t, b, axis1, 1, true));
      case 12:
        return tir_matmul(t, tir_matmul_t(t, a, b, false, true), a);
      case 13:
        return tir_reshape(t, tir_reshape(t, a, flat, 2), back, 2);
      case 14: {
        const tir_value parts[] = {tir_slice(t, a, starts, stops, nullptr, 1),
                                   tir_slice(t, b, starts, stops, nullptr, 1)};
        return tir_concat(t, parts, 2, 0);
      }
      case 15:
        return tir_dropout(t, a, 0.3);
      case 16:
        return tir_exp(t, tir_mul_scalar(t, tir_tanh(t, a), 0.5));
      case 17:
        return tir_mul(t, tir_detach(t, a), values[0]);
      case 18: {
        tir_scan_options options = {};
        options.length = 2;
        tir_value w = b, last;
        tir_scan(
            t,
            [](tir_tape *tape, void *user, const tir_value *carry,
               const tir_value *, tir_value *next, tir_value *) {
              next[0] =
                  tir_tanh(tape, tir_add(tape, tir_dropout(tape, carry[0], 0.4),
                                         *static_cast<tir_value *>(user)));
            },
            &w, &a, 1, nullptr, 0, 0, &options, &last, nullptr);
        return last;
      }
      default:
        return tir_div(t, a, tir_add_scalar(t, tir_square(t, b), 1));
    }
  }

  std::vector<Floats> Program(uint32_t seed, Way way) {
    choice.seed(seed);
    reads.seed(seed * 7 + 1);
    tir_tape_options options = {};
    options.seed = seed;
    options.flags = way == Way::kEager ? TIR_TAPE_EAGER : 0;
    options.max_pending = way == Way::kFewPending ? 5 : 0;
    Make(options);
    values.clear();
    std::vector<tir_value> leaves;
    for (int i = 0; i < 3; i++) {
      Floats data(12);
      for (float &x : data)
        x = static_cast<float>(static_cast<int>(Pick(2000)) - 1000) / 700.0f;
      leaves.push_back(F32(data, {4, 3}));
      tir_attach_grad(t, leaves.back(), i ? TIR_GRAD_ADD : TIR_GRAD_WRITE);
    }
    std::vector<Floats> results;
    for (int round = 0; round < 2; round++) {
      values = leaves;
      tir_step_begin(t);
      tir_record_begin(t, true);
      const size_t n = 5 + Pick(20);
      for (size_t i = 0; i < n; i++) {
        const bool scoped = Pick(4) == 0;
        if (scoped) tir_scope_begin(t);
        tir_value v = Op();
        if (scoped) {
          v = tir_add(t, v, Op());
          v = tir_scope_end_keep(t, v);
        }
        if (Pick(8) == 0) tir_retain_grad(t, v, TIR_GRAD_NULL);
        values.push_back(v);
        if (way == Way::kReads && reads() % 3 == 0)
          Read(values[reads() % values.size()]);
      }
      // Every leaf is reached.
      tir_value head = values.back();
      for (const tir_value &leaf : leaves)
        head = tir_add(t, head, tir_mul(t, leaf, Any()));
      tir_mode_end(t);
      tir_backward(t, head);
      if (way == Way::kReads) Read(head);
      const tir_value lr = tir_scalar(t, TIR_DTYPE_F32, 0.01);
      if (Pick(2)) tir_sgd(t, leaves.data(), leaves.size(), lr, Pick(2) == 0);
      const tir_value keep[] = {head};
      tir_error error;
      EXPECT_EQ(tir_step_end(t, keep, 1, &error), TIR_OK) << error.message;
      results.push_back(Read(head));
      for (const tir_value &leaf : leaves) {
        results.push_back(Grad(leaf));
        results.push_back(Read(leaf));
      }
      tir_value_release(t, head);
    }
    return results;
  }
};

// NaN must meet NaN; everything else bit for bit.
bool SameBits(const std::vector<Floats> &a, const std::vector<Floats> &b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++) {
    if (a[i].size() != b[i].size()) return false;
    for (size_t k = 0; k < a[i].size(); k++)
      if (!(a[i][k] == b[i][k] || (a[i][k] != a[i][k] && b[i][k] != b[i][k])))
        return false;
  }
  return true;
}

}  // namespace

TEST_F(LiveRandom, FourWaysSameBits) {
  for (uint32_t seed = 1; seed <= 150; seed++) {
    const std::vector<Floats> lazy = Program(seed, Way::kLazy);
    EXPECT_TRUE(SameBits(lazy, Program(seed, Way::kReads)))
        << "reads, seed " << seed;
    EXPECT_TRUE(SameBits(lazy, Program(seed, Way::kEager)))
        << "eager, seed " << seed;
    EXPECT_TRUE(SameBits(lazy, Program(seed, Way::kFewPending)))
        << "few pending, seed " << seed;
  }
}
