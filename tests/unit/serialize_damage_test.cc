// A file cut short or changed in one byte is refused: a small file everywhere,
// larger ones in steps (the gate test looks everywhere).
#include <gtest/gtest.h>

#include "tests/support/compiled.h"
#include "tests/support/damage.h"
#include "tests/support/sample_modules.h"

TEST(SerializeDamage, SmallFileEverywhere) {
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module(MakeTinyModule(context.get()));
  const std::string bytes = SaveBytes(module.get());
  EXPECT_LT(bytes.size(), 400u);
  ExpectEveryTruncationRefused(context.get(), bytes);
  ExpectEveryFlipRefused(context.get(), bytes);
}

TEST(SerializeDamage, LargerFilesInSteps) {
  FailingAllocator allocator;
  const tir_context_options options = allocator.Options();
  tir_context *context = nullptr;
  ASSERT_EQ(tir_context_create(&options, &context, nullptr), TIR_OK);
  for (int i = 0; i < kNSampleModules; i++) {
    SCOPED_TRACE(kSampleModules[i].name);
    const Owned<tir_module> module(kSampleModules[i].make(context));
    const std::string bytes = SaveBytes(module.get());
    ExpectEveryTruncationRefused(context, bytes, 37);
    ExpectEveryFlipRefused(context, bytes, 41);
  }
  tir_context_destroy(context);
}

// Damage is placed: the error says where in the file.
TEST(SerializeDamage, ErrorsGiveTheOffset) {
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module(MakeStepModule(context.get()));
  std::string bytes = SaveBytes(module.get());
  const size_t tensor = bytes.size() - 2;
  bytes[tensor] ^= 1;
  tir_error error = {};
  EXPECT_EQ(LoadBytes(context.get(), bytes, &error), nullptr);
  EXPECT_STREQ(error.message,
               "load: tensor 3 is damaged: its checksum does not match");
  EXPECT_EQ(error.byte_offset, bytes.size() - 4);
  bytes[tensor] ^= 1;

  const size_t padding = bytes.size() - 10;  // between tensors 2 and 3
  bytes[padding] = 5;
  EXPECT_EQ(LoadBytes(context.get(), bytes, &error), nullptr);
  EXPECT_STREQ(error.message, "load: padding byte is 0x05, not 0");
  EXPECT_EQ(error.byte_offset, padding);
}
