// Texts that must be refused: tests/errors/<case>.tirt.
//
//   # what the case shows
//   # status: format
//   # line: 6
//   # message: the exact message
//   …
//
// The line counts from the top of the file, comments included.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/context_fixture.h"
#include "tests/support/internal.h"

namespace {

namespace fs = std::filesystem;

fs::path Root() { return fs::path(TAPEIR_SOURCE_DIR) / "tests" / "errors"; }

std::string ReadCase(const std::string &name) {
  std::ifstream file(Root() / name, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// What follows "# key: " at the start of a line.
std::string HeaderLine(const std::string &text, const std::string &key) {
  const std::string start = "\n# " + key + ": ";
  const size_t at = text.find(start);
  if (at == std::string::npos) return "";
  const size_t begin = at + start.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::vector<std::string> FindCases() {
  std::vector<std::string> names;
  for (const auto &entry : fs::directory_iterator(Root()))
    if (entry.path().extension() == ".tirt")
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string CaseName(const testing::TestParamInfo<std::string> &info) {
  std::string name = info.param.substr(0, info.param.find('.'));
  for (char &c : name)
    if (!isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

class Errors : public testing::TestWithParam<std::string> {};

TEST_P(Errors, AreExact) {
  const std::string text = ReadCase(GetParam());
  FailingAllocator allocator;  // sees leaks
  TestContext context(&allocator);
  tir_module *module = nullptr;
  tir_error error = {};
  const tir_status status =
      tir_module_from_text(context, text.data(), text.size(), &module, &error);
  EXPECT_EQ(module, nullptr);
  tir_module_destroy(module);
  EXPECT_EQ(error.status, status);
  EXPECT_EQ(tir_status_name(status), HeaderLine(text, "status"));
  EXPECT_EQ(std::to_string(error.line), HeaderLine(text, "line"));
  EXPECT_EQ(error.message, HeaderLine(text, "message"));
  // The error may be nobody's.
  EXPECT_EQ(
      tir_module_from_text(context, text.data(), text.size(), &module, nullptr),
      status);
}

// Whatever is cut off, the rest is read or refused, and refused twice alike.
TEST_P(Errors, CutShortAreRefusedOrRead) {
  const std::string text = ReadCase(GetParam());
  FailingAllocator allocator;
  TestContext context(&allocator);
  for (size_t size = 0; size < text.size(); size += 7) {
    tir_module *module = nullptr;
    // A copy of exactly that size: reading past it is seen.
    const std::vector<char> cut(text.begin(),
                                text.begin() + static_cast<long>(size));
    tir_error error = {};
    const tir_status status =
        tir_module_from_text(context, cut.data(), size, &module, &error);
    EXPECT_EQ(status == TIR_OK, module != nullptr);
    if (status != TIR_OK) {
      EXPECT_NE(error.message[0], '\0');
    }
    tir_module_destroy(module);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, Errors, testing::ValuesIn(FindCases()),
                         CaseName);

}  // namespace
