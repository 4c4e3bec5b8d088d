// Text buffers, strings and names.
#include <string>

#include "tests/support/context_fixture.h"
#include "tests/support/text_graph.h"

extern "C" {
#include "ir/base/utf8.h"
}

namespace {

class Text : public testing::Test {
 protected:
  Text() { tir_ir_text_init(&text_, context_); }
  ~Text() override { tir_ir_text_free(&text_); }
  std::string Take() {
    const std::string result(text_.bytes.data ? text_.bytes.data : "",
                             text_.bytes.count);
    text_.bytes.count = 0;
    return result;
  }
  std::string Quoted(const std::string &bytes) {
    tir_ir_text_string(&text_, bytes.data(), bytes.size());
    return Take();
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_ir_text text_;
};

TEST_F(Text, Adds) {
  tir_ir_text_add(&text_, "%s=%d", "x", 7);
  tir_ir_text_word(&text_, ", ");
  tir_ir_text_bytes(&text_, "abc", 2);
  tir_ir_text_add(&text_, "%s", "");
  EXPECT_EQ(text_.bytes.data[text_.bytes.count], '\0');
  EXPECT_EQ(Take(), "x=7, ab");
}

TEST_F(Text, AddsLongPieces) {
  for (size_t size : {254u, 255u, 256u, 257u, 100000u}) {
    const std::string piece(size, 'p');
    tir_ir_text_add(&text_, "<%s>", piece.c_str());
    EXPECT_EQ(Take(), "<" + piece + ">");
  }
}

TEST_F(Text, Integers) {
  for (int64_t x : {INT64_C(0), INT64_C(7), INT64_C(-1), INT64_C(10), INT64_MAX,
                    INT64_MIN}) {
    tir_ir_text_i64(&text_, x);
    const std::string printed = Take();
    EXPECT_EQ(printed, std::to_string(x));
    int64_t back = 1;
    EXPECT_TRUE(tir_ir_read_i64(printed.data(), printed.size(), &back));
    EXPECT_EQ(back, x);
  }
}

TEST_F(Text, ReadsOnlyIntegersThatFit) {
  for (const char *bad :
       {"", "-", "+1", "1x", " 1", "1.0", "0x1", "9223372036854775808",
        "-9223372036854775809", "99999999999999999999"}) {
    int64_t x = 1;
    EXPECT_FALSE(tir_ir_read_i64(bad, strlen(bad), &x)) << bad;
  }
  int64_t x = 1;
  EXPECT_TRUE(tir_ir_read_i64("-0", 2, &x));
  EXPECT_EQ(x, 0);
}

TEST_F(Text, StringsAreEscaped) {
  EXPECT_EQ(Quoted(""), "\"\"");
  EXPECT_EQ(Quoted("a b"), "\"a b\"");
  EXPECT_EQ(Quoted("\"\\"), "\"\\\"\\\\\"");
  EXPECT_EQ(Quoted("\n\t\r\x1b\x7f"), "\"\\n\\t\\x0d\\x1b\\x7f\"");
  EXPECT_EQ(Quoted("größe 値 🙂"), "\"größe 値 🙂\"");
  // Not UTF-8, over-long, surrogate, cut short; and a C1 control.
  EXPECT_EQ(Quoted("\xff"), "\"\\xff\"");
  EXPECT_EQ(Quoted("\xc0\x80"), "\"\\xc0\\x80\"");
  EXPECT_EQ(Quoted("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"");
  EXPECT_EQ(Quoted("\xe5\x80"), "\"\\xe5\\x80\"");
  EXPECT_EQ(Quoted("\xc2\x9b"), "\"\\xc2\\x9b\"");
  EXPECT_EQ(Quoted("%n%s"), "\"%n%s\"");
}

TEST_F(Text, NamesAreQuotedUnlessIdentifiers) {
  const auto name = [&](const char *text) {
    tir_ir_text_name(&text_, text);
    return Take();
  };
  EXPECT_EQ(name("layer1.weight"), "layer1.weight");
  EXPECT_EQ(name("_x9"), "_x9");
  EXPECT_EQ(name("1x"), "\"1x\"");
  EXPECT_EQ(name(".x"), "\".x\"");
  EXPECT_EQ(name("a b"), "\"a b\"");
  EXPECT_EQ(name("ä"), "\"ä\"");
  EXPECT_EQ(name(""), "\"\"");
}

TEST_F(Text, FinishHandsOut) {
  tir_ir_text_add(&text_, "hello");
  char *out = nullptr;
  tir_error error = {};
  ASSERT_EQ(tir_ir_text_finish(&text_, &out, &error), TIR_OK);
  EXPECT_STREQ(out, "hello");
  tir_text_free(context_, out);
  ASSERT_EQ(tir_ir_text_finish(&text_, &out, &error), TIR_OK);
  EXPECT_STREQ(out, "");
  tir_text_free(context_, out);
  tir_text_free(context_, nullptr);
}

TEST(TextMemory, LostBytesAreReportedOnce) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    tir_ir_text text;
    tir_ir_text_init(&text, context);
    const std::string piece(1000, 'p');
    for (int i = 0; i < 10; i++) {
      tir_ir_text_add(&text, "%s", piece.c_str());
      tir_ir_text_string(&text, piece.data(), piece.size());
    }
    char *out = nullptr;
    tir_error error;
    const tir_status status = tir_ir_text_finish(&text, &out, &error);
    EXPECT_EQ(out == nullptr, status != TIR_OK);
    tir_text_free(context, out);
    return status;
  });
}

TEST(Utf8, AgreesWithADecoderOnAllShortSequences) {
  // The oracle decodes by arithmetic and then asks whether the code point is
  // allowed and the length is the shortest.
  const auto oracle = [](const unsigned char *s, size_t room) -> size_t {
    if (s[0] < 0x80) return 1;
    size_t n = 0;
    uint32_t point = 0;
    if ((s[0] & 0xe0) == 0xc0) n = 2, point = s[0] & 0x1f;
    if ((s[0] & 0xf0) == 0xe0) n = 3, point = s[0] & 0x0f;
    if ((s[0] & 0xf8) == 0xf0) n = 4, point = s[0] & 0x07;
    if (n == 0 || n > room) return 0;
    for (size_t i = 1; i < n; i++) {
      if ((s[i] & 0xc0) != 0x80) return 0;
      point = point << 6 | (s[i] & 0x3f);
    }
    const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[n] || point > 0x10ffff) return 0;
    if (point >= 0xd800 && point <= 0xdfff) return 0;
    return n;
  };
  const unsigned char tails[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90,
                                 0x9f, 0xa0, 0xbf, 0xc0, 0xed, 0xff};
  for (int a = 0; a < 256; a++)
    for (int b = 0; b < 256; b++)
      for (unsigned char c : tails)
        for (unsigned char d : tails) {
          const unsigned char s[4] = {static_cast<unsigned char>(a),
                                      static_cast<unsigned char>(b), c, d};
          for (size_t room = 1; room <= 4; room++)
            ASSERT_EQ(
                tir_base_utf8_length(reinterpret_cast<const char *>(s), room),
                oracle(s, room))
                << a << " " << b << " " << +c << " " << +d << " " << room;
        }
  EXPECT_EQ(tir_base_utf8_length("a", 0), 0u);
}

}  // namespace
