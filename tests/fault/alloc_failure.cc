#include "tests/fault/alloc_failure.h"

// One failing allocation; false when the attempt did not get that far.
static bool FailOne(const FaultScenarioEntry &entry, uint64_t n, bool forever) {
  FailingAllocator allocator;
  const tir_context_options options = allocator.Options();
  tir_context *context = nullptr;
  EXPECT_EQ(tir_context_create(&options, &context, nullptr), TIR_OK);
  bool reached = false;
  {
    const std::unique_ptr<FaultScenario> scenario = entry.make();
    scenario->SetUp(context);
    allocator.FailNext(n, forever);
    tir_error error = {};
    const tir_status status = scenario->Attempt(&error);
    reached = allocator.failed();
    allocator.FailNext(0, false);
    if (!reached) {
      EXPECT_EQ(status, TIR_OK) << error.message;
    } else if (status != TIR_OK) {
      EXPECT_EQ(status, TIR_ERR_MEMORY) << error.message;
      EXPECT_EQ(error.status, TIR_ERR_MEMORY);
      EXPECT_NE(error.message[0], '\0');
      EXPECT_EQ(strstr(error.message, ": 0 bytes"), nullptr) << error.message;
      // With memory again, the same objects do it.
      error = {};
      EXPECT_EQ(scenario->Attempt(&error), TIR_OK) << error.message;
    }
    if (!testing::Test::HasFailure()) scenario->Verify();
  }
  tir_context_destroy(context);
  return reached;
}

uint64_t FailEach(const FaultScenarioEntry &entry, bool forever,
                  uint64_t step) {
  uint64_t n_failed = 0;
  for (uint64_t n = 1;; n += step * entry.stride) {
    const bool reached = FailOne(entry, n, forever);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << entry.name << ": allocation " << n
                    << (forever ? " and all after it" : "");
      return n_failed;
    }
    if (!reached) return n_failed;
    n_failed++;
  }
}
