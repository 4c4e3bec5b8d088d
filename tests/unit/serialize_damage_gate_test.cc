// Five files: every length and every single-byte change is refused.
#include <gtest/gtest.h>

#include "tests/support/compiled.h"
#include "tests/support/damage.h"
#include "tests/support/sample_modules.h"

class SerializeDamageGate : public testing::TestWithParam<int> {};

TEST_P(SerializeDamageGate, Everywhere) {
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module(
      kSampleModules[GetParam()].make(context.get()));
  const std::string bytes = SaveBytes(module.get());
  ExpectEveryTruncationRefused(context.get(), bytes);
  ExpectEveryFlipRefused(context.get(), bytes);
}

INSTANTIATE_TEST_SUITE_P(Samples, SerializeDamageGate,
                         testing::Range(0, kNSampleModules),
                         [](const testing::TestParamInfo<int> &param) {
                           return std::string(kSampleModules[param.param].name);
                         });
