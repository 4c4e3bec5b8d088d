// Golden files: tests/golden/<pass>/<case>.tirt.
//
//   # what the case shows
//   # passes: simplify-algebra, eliminate-dead
//   # for execution             (optional: no gradient, dims are final)
//   # rewrites: 2               (optional: what the passes must count)
//   graph @main(…) { … }
//   # expect:
//   graph @main(…) { … }
//
// Canonical text is compared as a string. TAPEIR_UPDATE_GOLDEN=all, or a part
// of a case's name, rewrites what is expected; the diff is reviewed like code.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/internal.h"

extern "C" {
#include "passes/pass.h"
}

namespace {

namespace fs = std::filesystem;

const char kExpect[] = "# expect:\n";

struct GoldenCase {
  std::string passes, input, expected;
  bool for_execution = false;
  int64_t rewrites = -1;
};

fs::path Root() { return fs::path(TAPEIR_SOURCE_DIR) / "tests" / "golden"; }

std::string ReadFile(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// What follows "# key:" in the header, "" if the line is not there.
std::string HeaderLine(const std::string &text, const std::string &key) {
  const std::string start = "# " + key;
  const size_t at = ("\n" + text).find("\n" + start);
  if (at == std::string::npos) return "";
  const size_t begin = at + start.size();
  std::string line = text.substr(begin, text.find('\n', begin) - begin);
  line.erase(0, line.find_first_not_of(": "));
  return line.empty() ? "yes" : line;
}

GoldenCase LoadGolden(const std::string &name) {
  const std::string text = ReadFile(Root() / name);
  GoldenCase c;
  const size_t at = text.find(kExpect);
  c.input = text.substr(0, at);
  if (at != std::string::npos) c.expected = text.substr(at + strlen(kExpect));
  c.passes = HeaderLine(c.input, "passes");
  c.for_execution = !HeaderLine(c.input, "for execution").empty();
  const std::string rewrites = HeaderLine(c.input, "rewrites");
  if (!rewrites.empty()) c.rewrites = std::stoll(rewrites);
  return c;
}

std::vector<std::string> FindGoldenFiles() {
  std::vector<std::string> names;
  for (const auto &entry : fs::recursive_directory_iterator(Root()))
    if (entry.path().extension() == ".tirt")
      names.push_back(fs::relative(entry.path(), Root()).string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string CaseName(const testing::TestParamInfo<std::string> &info) {
  std::string name = info.param.substr(0, info.param.rfind('.'));
  for (char &c : name)
    if (!isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

class Golden : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_EQ(tir_context_create(nullptr, &context_, nullptr), TIR_OK);
  }
  void TearDown() override { tir_context_destroy(context_); }

  std::string RunPasses(const GoldenCase &c) {
    tir_error error = {};
    tir_ir_graph *graph = nullptr;
    if (tir_ir_parse_graph(context_, c.input.data(), c.input.size(), &graph,
                           &error) != TIR_OK) {
      ADD_FAILURE() << "line " << error.line << ": " << error.message;
      return "";
    }
    tir_pass_ctx ctx = {};
    ctx.context = context_;
    ctx.error = &error;
    ctx.for_execution = c.for_execution;
    EXPECT_EQ(tir_pass_run(&ctx, c.passes.c_str(), nullptr, graph), TIR_OK)
        << error.message;
    EXPECT_EQ(tir_ir_verify(graph, &error), TIR_OK) << error.message;
    if (c.rewrites >= 0) {
      EXPECT_EQ(static_cast<int64_t>(ctx.rewrites), c.rewrites);
    }
    const std::string text = Print(graph);
    tir_ir_graph_destroy(graph);
    return text;
  }

  std::string Print(const tir_ir_graph *graph) {
    tir_ir_text text;
    tir_ir_text_init(&text, context_);
    tir_ir_print_graph(graph, nullptr, nullptr, &text);
    tir_ir_print_data(graph, &text);
    const std::string result(text.bytes.data, text.bytes.count);
    tir_ir_text_free(&text);
    return result;
  }

  static bool IsToBeUpdated(const std::string &name) {
    const char *update = getenv("TAPEIR_UPDATE_GOLDEN");
    if (!update || !*update) return false;
    const std::string part = update;
    return part == "all" || name.find(part) != std::string::npos;
  }

  tir_context *context_ = nullptr;
};

TEST_P(Golden, OutputMatches) {
  const GoldenCase c = LoadGolden(GetParam());
  ASSERT_FALSE(c.passes.empty()) << "no line `# passes: …`";
  const std::string actual = RunPasses(c);
  if (IsToBeUpdated(GetParam())) {
    std::ofstream file(Root() / GetParam(), std::ios::binary);
    file << c.input << kExpect << actual;
    return;
  }
  EXPECT_EQ(actual, c.expected)
      << "if intended: ./dev golden --update " << GetParam();
}

// Every pass has cases; a pass that only checks has none to show.
TEST(GoldenFiles, EveryPassHasCases) {
  for (size_t i = 0; tir_pass_at(i); i++) {
    std::string folder = tir_pass_at(i)->name;
    if (folder == "verify" || folder == "gradient") continue;
    std::replace(folder.begin(), folder.end(), '-', '_');
    EXPECT_TRUE(fs::is_directory(Root() / folder)) << folder;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, Golden, testing::ValuesIn(FindGoldenFiles()),
                         CaseName);

}  // namespace
