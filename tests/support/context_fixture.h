// A context over the checking allocator, for tests of what is made from one.
#ifndef TAPEIR_TESTS_SUPPORT_CONTEXT_FIXTURE_H
#define TAPEIR_TESTS_SUPPORT_CONTEXT_FIXTURE_H

#include "tests/support/failing_allocator.h"

// The allocator outlives the context, so its leak check sees everything.
class TestContext {
 public:
  explicit TestContext(FailingAllocator *allocator) {
    const tir_context_options options = allocator->Options();
    status_ = tir_context_create(&options, &context_, nullptr);
  }
  ~TestContext() { tir_context_destroy(context_); }
  TestContext(const TestContext &) = delete;
  TestContext &operator=(const TestContext &) = delete;

  tir_status status() const { return status_; }
  operator tir_context *() const { return context_; }

 private:
  tir_context *context_ = nullptr;
  tir_status status_;
};

#endif
