// The sample files of every released version load, and hold what they held.
#include <gtest/gtest.h>

#include "tests/support/compiled.h"
#include "tests/support/tir_file.h"

namespace {

struct Sample {
  const char *version;
  const char *name;
};

// Grows by one block per released version; nothing is ever taken away.
const Sample kSamples[] = {
    {"0.1", "empty"},  {"0.1", "tiny"},  {"0.1", "step"},
    {"0.1", "dtypes"}, {"0.1", "names"},
};

}  // namespace

class SerializeSamples : public testing::TestWithParam<Sample> {};

TEST_P(SerializeSamples, LoadsAndHoldsTheSame) {
  const std::string base = std::string(TAPEIR_SOURCE_DIR) + "/tests/files/" +
                           GetParam().version + "/" + GetParam().name;
  const std::string described = ReadFile(base + ".txt");
  const Owned<tir_context> context = MakeContext();
  for (const bool map : {false, true}) {
    tir_load_options options = {};
    options.map = map;
    tir_module *module = nullptr;
    tir_error error = {};
    ASSERT_EQ(tir_module_load(context.get(), (base + ".tir").c_str(), &options,
                              &module, &error),
              TIR_OK)
        << error.message;
    EXPECT_EQ(DescribeModule(module), described);
    // And what is loaded can be saved by this version.
    const Owned<tir_module> again(
        LoadBytes(context.get(), SaveBytes(module), &error));
    ASSERT_NE(again, nullptr) << error.message;
    EXPECT_EQ(DescribeModule(again.get()), described);
    tir_module_destroy(module);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, SerializeSamples, testing::ValuesIn(kSamples),
                         [](const testing::TestParamInfo<Sample> &sample) {
                           return "v" +
                                  std::string(1, sample.param.version[0]) +
                                  "_" + std::string(sample.param.version + 2) +
                                  "_" + sample.param.name;
                         });
