// tir_error: what is written, cutting at UTF-8 boundaries, quoting.
#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "tests/support/comma_locale.h"
#include "tests/support/internal.h"

namespace {

const size_t kMax = sizeof(tir_error::message) - 1;

// Strict check of a whole string, written apart from the code under test.
bool IsUtf8(const std::string &s) {
  for (size_t i = 0; i < s.size();) {
    const unsigned char c = static_cast<unsigned char>(s[i]);
    const size_t n = c < 0x80       ? 1
                     : c >> 5 == 6  ? 2
                     : c >> 4 == 14 ? 3
                     : c >> 3 == 30 ? 4
                                    : 0;
    if (n == 0 || i + n > s.size()) return false;
    uint32_t code = n == 1 ? c : c & (0xFFu >> (n + 1));
    for (size_t k = 1; k < n; k++) {
      const unsigned char d = static_cast<unsigned char>(s[i + k]);
      if (d >> 6 != 2) return false;
      code = code << 6 | (d & 0x3F);
    }
    const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < least[n] || code > 0x10FFFF) return false;
    if (code >= 0xD800 && code < 0xE000) return false;
    i += n;
  }
  return true;
}

TEST(Error, WritesAllFields) {
  tir_error error;
  memset(&error, 0xAB, sizeof error);
  EXPECT_EQ(tir_base_fail(&error, TIR_ERR_SHAPE, "k=%d", 7), TIR_ERR_SHAPE);
  EXPECT_EQ(error.status, TIR_ERR_SHAPE);
  EXPECT_EQ(error.line, 0);
  EXPECT_EQ(error.byte_offset, UINT64_MAX);
  EXPECT_EQ(error.node, 0u);
  EXPECT_EQ(error.n_more, 0u);
  EXPECT_STREQ(error.message, "k=7");
}

TEST(Error, NullIsAllowed) {
  EXPECT_EQ(tir_base_fail(nullptr, TIR_ERR_IO, "x"), TIR_ERR_IO);
  EXPECT_EQ(tir_base_fail_memory(nullptr, 3), TIR_ERR_MEMORY);
  tir_base_error_prefix(nullptr, "p");
  tir_base_error_append(nullptr, "a");
}

TEST(Error, MemoryNamesTheSize) {
  tir_error error;
  tir_base_fail_memory(&error, 123456);
  EXPECT_STREQ(error.message, "out of memory: 123456 bytes asked");
  // Where the size is not known, none is said.
  tir_base_fail_memory(&error, 0);
  EXPECT_STREQ(error.message, "out of memory");
}

TEST(Error, ArgumentsMayPointIntoTheMessage) {
  tir_error error;
  tir_base_fail(&error, TIR_ERR_IO, "inner");
  tir_base_fail(&error, TIR_ERR_FORMAT, "outer: %s", error.message);
  EXPECT_STREQ(error.message, "outer: inner");
  tir_base_error_append(&error, " (%s)", error.message);
  EXPECT_STREQ(error.message, "outer: inner (outer: inner)");
  tir_base_error_prefix(&error, error.message);
  EXPECT_STREQ(error.message,
               "outer: inner (outer: inner): outer: inner (outer: inner)");
  EXPECT_EQ(error.status, TIR_ERR_FORMAT);
}

// Every character width at every distance from the end of the buffer.
TEST(Error, CutsAtUtf8Boundaries) {
  for (const char *letter : {"é", "€", "𝄞"}) {
    const size_t width = strlen(letter);
    for (size_t lead = kMax - 8; lead <= kMax + 2; lead++) {
      std::string text(lead, 'a');
      for (int i = 0; i < 4; i++) text += letter;
      tir_error error;
      tir_base_fail(&error, TIR_ERR_IO, "%s", text.c_str());
      const std::string got = error.message;
      EXPECT_TRUE(IsUtf8(got)) << lead;
      EXPECT_EQ(text.compare(0, got.size(), got), 0);
      EXPECT_GT(got.size() + width, std::min(kMax, text.size()));

      tir_base_fail(&error, TIR_ERR_IO, "x");
      tir_base_error_append(&error, "%s", text.c_str());
      EXPECT_TRUE(IsUtf8(error.message));
      tir_base_fail(&error, TIR_ERR_IO, "%s", text.c_str());
      tir_base_error_prefix(&error, letter);
      EXPECT_TRUE(IsUtf8(error.message));
    }
  }
}

TEST(Error, ExactFitIsNotCut) {
  const std::string text = std::string(kMax - 3, 'a') + "€";
  tir_error error;
  tir_base_fail(&error, TIR_ERR_IO, "%s", text.c_str());
  EXPECT_EQ(error.message, text);
}

TEST(Error, StatusNames) {
  EXPECT_STREQ(tir_status_name(TIR_OK), "ok");
  EXPECT_STREQ(tir_status_name(TIR_ERR_UNSUPPORTED), "unsupported");
  EXPECT_STREQ(tir_status_name(static_cast<tir_status>(14)), "unknown");
  EXPECT_STREQ(tir_status_name(static_cast<tir_status>(15)), "unknown");
}

std::string Quote(const std::string &name) {
  char buffer[TIR_QUOTED_MAX];
  memset(buffer, '#', sizeof buffer);
  return tir_base_quote(name.c_str(), buffer);
}

TEST(Quote, PlainNames) {
  EXPECT_EQ(Quote("w1"), "\"w1\"");
  EXPECT_EQ(Quote(""), "\"\"");
  EXPECT_EQ(Quote("größe €𝄞"), "\"größe €𝄞\"");
  char buffer[TIR_QUOTED_MAX];
  EXPECT_STREQ(tir_base_quote(nullptr, buffer), "\"\"");
}

TEST(Quote, Escapes) {
  EXPECT_EQ(Quote("a\nb"), "\"a\\x0ab\"");
  EXPECT_EQ(Quote("a\x1b[31m"), "\"a\\x1b[31m\"");
  EXPECT_EQ(Quote("say \"x\""), "\"say \\x22x\\x22\"");
  EXPECT_EQ(Quote("\\x0a"), "\"\\x5cx0a\"");
  EXPECT_EQ(Quote("\x7f"), "\"\\x7f\"");
  EXPECT_EQ(Quote("\xc2\x9b"), "\"\\xc2\\x9b\"");  // C1 control
}

TEST(Quote, InvalidUtf8) {
  EXPECT_EQ(Quote("\xff"), "\"\\xff\"");
  EXPECT_EQ(Quote("\x80"), "\"\\x80\"");
  EXPECT_EQ(Quote("\xe2\x82"), "\"\\xe2\\x82\"");  // cut short
  EXPECT_EQ(Quote("\xc0\x80"), "\"\\xc0\\x80\"");  // over-long
  EXPECT_EQ(Quote("\xe0\x80\x80"), "\"\\xe0\\x80\\x80\"");
  EXPECT_EQ(Quote("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"");  // surrogate
  EXPECT_EQ(Quote("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"");
}

// Any bytes at all: valid UTF-8 without controls, at most the buffer.
TEST(Quote, EveryTwoBytePrefixIsSafe) {
  for (int a = 1; a < 256; a++)
    for (int b = 1; b < 256; b++)
      for (const char *tail : {"", "\x80", "\x80\x80", "x"}) {
        const std::string name =
            std::string(1, static_cast<char>(a)) + static_cast<char>(b) + tail;
        const std::string got = Quote(name);
        ASSERT_TRUE(IsUtf8(got)) << a << " " << b;
        for (char c : got) ASSERT_GE(static_cast<unsigned char>(c), 0x20);
      }
}

TEST(Quote, CutsLongNames) {
  EXPECT_EQ(Quote(std::string(48, 'a')), "\"" + std::string(48, 'a') + "\"");
  EXPECT_EQ(Quote(std::string(49, 'a')), "\"" + std::string(48, 'a') + "…\"");
  // A wide character or an escape that does not fit whole is left out.
  EXPECT_EQ(Quote(std::string(46, 'a') + "€"),
            "\"" + std::string(46, 'a') + "…\"");
  EXPECT_EQ(Quote(std::string(45, 'a') + "\n"),
            "\"" + std::string(45, 'a') + "…\"");
  EXPECT_EQ(Quote(std::string(1000, '\n')).size(), 48u + 2 + 3);
}

TEST(Number, HasAPointInEveryLocale) {
  char text[TIR_NUMBER_MAX];
  for (const bool comma : {false, true}) {
    std::unique_ptr<CommaLocale> locale(comma ? new CommaLocale : nullptr);
    EXPECT_STREQ(tir_base_number(0.1, 6, text), "0.1");
    EXPECT_STREQ(tir_base_number(-1234567.5, 6, text), "-1.23457e+06");
    EXPECT_STREQ(tir_base_number(1e9, 17, text), "1000000000");
    EXPECT_STREQ(tir_base_number(-DBL_MAX, 17, text),
                 "-1.7976931348623157e+308");
    EXPECT_STREQ(tir_base_number(-INFINITY, 6, text), "-inf");
    EXPECT_STREQ(
        tir_base_number(std::numeric_limits<double>::quiet_NaN(), 6, text),
        "nan");
  }
}

}  // namespace
