// Random numbers of the reference against published and computed answers.

#include <cmath>
#include <set>

#include "tests/support/reference_call.h"

extern "C" {
#include "ir/reference/random.h"
}

namespace tapeir_test {
namespace {

struct KnownAnswer {
  uint32_t counter[4], key[2], words[4];
};

// From the kat_vectors file of Random123 (philox4x32, 10 rounds).
const KnownAnswer kKnown[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

TEST(ReferenceRandom, PhiloxKnownAnswers) {
  for (const KnownAnswer &known : kKnown) {
    uint32_t out[4];
    tir_reference_philox(known.counter, known.key, out);
    for (int i = 0; i < 4; i++) EXPECT_EQ(out[i], known.words[i]);
  }
}

// SplitMix64 of state 0 first outputs mix(0x9E3779B97F4A7C15), which is the
// key of seed 0, stream 1.
TEST(ReferenceRandom, KeyIsTheSplitMixFinaliser) {
  uint32_t key[2];
  tir_reference_random_key(0, 1, key);
  EXPECT_EQ(key[1], 0xE220A839u);
  EXPECT_EQ(key[0], 0x7B1DCDAFu);
  tir_reference_random_key(0, 0, key);
  EXPECT_EQ(key[0], 0u);
  EXPECT_EQ(key[1], 0u);
}

std::vector<double> Draw(tir_reference_fn fn, tir_dtype dtype, int64_t n,
                         int64_t seed, int64_t step, int64_t stream) {
  ReferenceCall call;
  call.InI64({2}, {seed, step}).InI64({}, {stream}).Out(dtype, {n});
  EXPECT_EQ(call.Run(fn), TIR_OK);
  return call.F64();
}

TEST(ReferenceRandom, UniformUsesTheWordsAsDocumented) {
  // Seed 0, stream 0 has key 0, so block 0 of step 0 is the first answer.
  const auto f32 =
      Draw(tir_reference_random_uniform, TIR_DTYPE_F32, 4, 0, 0, 0);
  for (size_t i = 0; i < 4; i++)
    EXPECT_EQ(f32[i], std::ldexp(kKnown[0].words[i] >> 8, -24));
  const auto f64 =
      Draw(tir_reference_random_uniform, TIR_DTYPE_F64, 2, 0, 0, 0);
  for (size_t i = 0; i < 2; i++) {
    const uint64_t bits = uint64_t{kKnown[0].words[2 * i] >> 5} << 26 |
                          kKnown[0].words[2 * i + 1] >> 6;
    EXPECT_EQ(f64[i], std::ldexp(static_cast<double>(bits), -53));
  }
}

TEST(ReferenceRandom, NormalUsesTheWordsAsDocumented) {
  const double tau = 6.283185307179586;
  const uint32_t *w = kKnown[0].words;
  const auto f32 = Draw(tir_reference_random_normal, TIR_DTYPE_F32, 4, 0, 0, 0);
  for (size_t pair = 0; pair < 2; pair++) {
    const double u1 = (w[2 * pair] + 1.0) / 4294967296.0;
    const double u2 = w[2 * pair + 1] / 4294967296.0;
    const double r = std::sqrt(-2 * std::log(u1));
    EXPECT_EQ(f32[2 * pair], static_cast<float>(r * std::cos(tau * u2)));
    EXPECT_EQ(f32[2 * pair + 1], static_cast<float>(r * std::sin(tau * u2)));
  }
}

TEST(ReferenceRandom, ElementsDoNotDependOnTheLength) {
  for (tir_dtype dtype : {TIR_DTYPE_F32, TIR_DTYPE_F64})
    for (auto fn :
         {tir_reference_random_uniform, tir_reference_random_normal}) {
      const auto all = Draw(fn, dtype, 11, 7, 3, 5);
      for (int64_t n = 0; n < 11; n++) {
        const auto some = Draw(fn, dtype, n, 7, 3, 5);
        for (size_t i = 0; i < some.size(); i++) EXPECT_EQ(some[i], all[i]);
      }
    }
}

TEST(ReferenceRandom, SeedStepAndStreamMatter) {
  std::set<double> firsts;
  for (int64_t seed : {int64_t{0}, int64_t{1}, int64_t{1} << 40})
    for (int64_t step : {int64_t{0}, int64_t{1}, int64_t{1} << 40})
      for (int64_t stream : {0, 1, 2})
        firsts.insert(Draw(tir_reference_random_uniform, TIR_DTYPE_F64, 1, seed,
                           step, stream)[0]);
  EXPECT_EQ(firsts.size(), 27u);
}

TEST(ReferenceRandom, MomentsAreRight) {
  const int64_t n = 20000;
  for (tir_dtype dtype : {TIR_DTYPE_F32, TIR_DTYPE_F64}) {
    double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
    for (double u : Draw(tir_reference_random_uniform, dtype, n, 1, 2, 3)) {
      EXPECT_GE(u, 0);
      EXPECT_LT(u, 1);
      sum += u;
      squares += u * u;
    }
    for (double z : Draw(tir_reference_random_normal, dtype, n, 1, 2, 3)) {
      normal_sum += z;
      normal_squares += z * z;
    }
    EXPECT_NEAR(sum / n, 0.5, 0.01);
    EXPECT_NEAR(squares / n, 1.0 / 3, 0.01);
    EXPECT_NEAR(normal_sum / n, 0, 0.03);
    EXPECT_NEAR(normal_squares / n, 1, 0.05);
  }
}

}  // namespace
}  // namespace tapeir_test
