// Twenty more files: every length and every single-byte change is refused.
#include <gtest/gtest.h>

#include "tests/support/compiled.h"
#include "tests/support/damage.h"
#include "tests/support/sample_modules.h"

TEST(SerializeDamageSoak, RandomModulesEverywhere) {
  const Owned<tir_context> context = MakeContext();
  for (uint64_t seed = 1; seed <= 20; seed++) {
    SCOPED_TRACE(seed);
    const Owned<tir_module> module(MakeRandomModule(context.get(), seed));
    const std::string bytes = SaveBytes(module.get());
    ExpectEveryTruncationRefused(context.get(), bytes);
    ExpectEveryFlipRefused(context.get(), bytes);
  }
}
