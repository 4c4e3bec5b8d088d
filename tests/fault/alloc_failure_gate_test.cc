// Every allocation that can fail does: see alloc_failure.h.
#include "tests/fault/alloc_failure.h"

class AllocFailureGate : public testing::TestWithParam<size_t> {};

TEST_P(AllocFailureGate, OnceAndForEver) {
  const FaultScenarioEntry &entry = FaultScenarios()[GetParam()];
  for (const bool forever : {false, true}) {
    const uint64_t n = FailEach(entry, forever, 1);
    printf("%s: %llu allocations failed%s\n", entry.name,
           static_cast<unsigned long long>(n), forever ? ", for ever" : "");
    EXPECT_GT(n, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Scenarios, AllocFailureGate,
                         testing::Range(size_t{0}, FaultScenarios().size()),
                         [](const testing::TestParamInfo<size_t> &scenario) {
                           return std::string(
                               FaultScenarios()[scenario.param].name);
                         });
