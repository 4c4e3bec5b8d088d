// Every allocation of a scenario fails, once or from then on for ever. The call
// must say so, nothing may leak, and the same objects must do the work when
// memory is there again.
#ifndef TAPEIR_TESTS_FAULT_ALLOC_FAILURE_H
#define TAPEIR_TESTS_FAULT_ALLOC_FAILURE_H

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/failing_allocator.h"

class FaultScenario {
 public:
  virtual ~FaultScenario() {}
  // Makes what the attempt works on; no allocation fails here.
  virtual void SetUp(tir_context *context) = 0;
  // The work. Cleans up what it made itself when it fails.
  virtual tir_status Attempt(tir_error *error) = 0;
  // After a successful attempt: is the result right?
  virtual void Verify() = 0;
};

struct FaultScenarioEntry {
  const char *name;
  std::unique_ptr<FaultScenario> (*make)();
  // Attempts with many allocations are sampled, in the gate too.
  uint64_t stride = 1;
};

const std::vector<FaultScenarioEntry> &FaultScenarios();

// Of loop_scenarios.cc: loops on a live tape, and in a graph that is captured,
// saved, loaded and run.
std::unique_ptr<FaultScenario> MakeLiveLoops();
std::unique_ptr<FaultScenario> MakeSavedLoops();

// Lets allocation `first`, `first` + step, … of the attempt fail, each in a
// fresh context, until an attempt needs no more. Returns how many failed.
uint64_t FailEach(const FaultScenarioEntry &entry, bool forever, uint64_t step);

#endif
