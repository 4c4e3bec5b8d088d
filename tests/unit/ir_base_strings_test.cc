// String tables against std::map.
#include <map>
#include <string>

#include "tests/support/context_fixture.h"
#include "tests/support/internal.h"
#include "tests/support/random.h"

namespace {

TEST(Strings, EqualStringsGetEqualIds) {
  FailingAllocator allocator;
  const TestContext context(&allocator);
  TestRandom random(4);
  tir_base_strings strings;
  tir_base_strings_init(&strings, context);
  std::map<std::string, uint32_t> expected;
  for (int i = 0; i < 20000; i++) {
    // NUL and high bytes are bytes like any other.
    std::string text;
    for (uint64_t n = random.Below(5); n > 0; n--)
      text += static_cast<char>(random.Below(8) * 37);
    if (random.Below(2)) text += std::to_string(random.Below(3000));
    const auto known = expected.find(text);
    const uint32_t found =
        tir_base_strings_find(&strings, text.data(), text.size());
    EXPECT_EQ(found, known == expected.end() ? 0 : known->second);
    uint32_t id = 77;
    ASSERT_TRUE(
        tir_base_strings_intern(&strings, text.data(), text.size(), &id));
    if (known != expected.end()) {
      ASSERT_EQ(id, known->second);
    } else {
      ASSERT_EQ(id, text.empty() ? 0 : strings.texts.count - 1);
      expected[text] = id;
    }
  }
  EXPECT_GT(expected.size(), 3000u);
  for (const auto &item : expected) {
    const char *text = tir_base_strings_text(&strings, item.second);
    ASSERT_EQ(std::string(text, item.first.size()), item.first);
    ASSERT_EQ(text[item.first.size()], '\0');
  }
  tir_base_strings_free(&strings);
}

TEST(Strings, EmptyStringIsIdZero) {
  FailingAllocator allocator;
  const TestContext context(&allocator);
  tir_base_strings strings;
  tir_base_strings_init(&strings, context);
  uint32_t id = 5;
  EXPECT_TRUE(tir_base_strings_intern(&strings, nullptr, 0, &id));
  EXPECT_EQ(id, 0u);
  EXPECT_EQ(tir_base_strings_find(&strings, "x", 1), 0u);
  EXPECT_STREQ(tir_base_strings_text(&strings, 0), "");
  EXPECT_STREQ(tir_base_strings_text(&strings, 1000), "");
  ASSERT_TRUE(tir_base_strings_intern(&strings, "xyz", 1, &id));
  EXPECT_EQ(id, 1u);
  EXPECT_STREQ(tir_base_strings_text(&strings, 1), "x");
  EXPECT_STREQ(tir_base_strings_text(&strings, 0), "");
  tir_base_strings_free(&strings);
  EXPECT_STREQ(tir_base_strings_text(&strings, 1), "");
}

TEST(Strings, AllocationFailureLeavesTheTableUsable) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    const TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    tir_base_strings strings;
    tir_base_strings_init(&strings, context);
    tir_status status = TIR_OK;
    uint32_t id = 0;
    for (int i = 0; i < 300; i++) {
      const std::string text = "value" + std::to_string(i);
      if (tir_base_strings_intern(&strings, text.data(), text.size(), &id))
        continue;
      EXPECT_EQ(id, 0u);
      EXPECT_EQ(status, TIR_OK) << "only one allocation fails";
      status = TIR_ERR_MEMORY;
      // Only one allocation fails, so the second try succeeds.
      EXPECT_TRUE(
          tir_base_strings_intern(&strings, text.data(), text.size(), &id));
    }
    for (int i = 0; i < 300; i++) {
      const std::string text = "value" + std::to_string(i);
      EXPECT_EQ(tir_base_strings_find(&strings, text.data(), text.size()),
                static_cast<uint32_t>(i + 1));
    }
    tir_base_strings_free(&strings);
    return status;
  });
}

}  // namespace
