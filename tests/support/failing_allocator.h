// An allocator that fails the n-th allocation, checks that every free gives
// the size and alignment of its alloc, and knows what is still held.
#ifndef TAPEIR_TESTS_SUPPORT_FAILING_ALLOCATOR_H
#define TAPEIR_TESTS_SUPPORT_FAILING_ALLOCATOR_H

#include <gtest/gtest.h>
#include <stdlib.h>

#include <map>
#include <mutex>

#include "tapeir/base.h"

class FailingAllocator {
 public:
  // Allocation number `fail_at` (from 1) fails, and only that one; 0: none.
  explicit FailingAllocator(uint64_t fail_at = 0) : fail_at_(fail_at) {}

  ~FailingAllocator() {
    EXPECT_TRUE(blocks_.empty()) << blocks_.size() << " blocks leaked";
    for (auto &block : blocks_) free(block.first);
  }

  tir_context_options Options() {
    tir_context_options options = {};
    options.allocator.alloc = Alloc;
    options.allocator.free = Free;
    options.allocator.user = this;
    return options;
  }

  uint64_t n_allocs() const { return n_allocs_; }
  bool failed() const { return fail_at_ != 0 && n_allocs_ >= fail_at_; }
  size_t n_held() const { return blocks_.size(); }
  size_t max_held() const { return max_held_; }
  void FailAt(uint64_t n) { fail_at_ = n; }
  // The n-th allocation from now on fails, and with `forever` all after it;
  // n = 0: none fails any more.
  void FailNext(uint64_t n, bool forever) {
    const std::lock_guard<std::mutex> lock(mutex_);
    fail_at_ = n ? n_allocs_ + n : 0;
    forever_ = forever;
  }

 private:
  struct Block {
    size_t size, align;
  };

  static void *Alloc(void *user, size_t size, size_t align) {
    auto *self = static_cast<FailingAllocator *>(user);
    const std::lock_guard<std::mutex> lock(self->mutex_);
    self->n_allocs_++;
    if (self->n_allocs_ == self->fail_at_ ||
        (self->forever_ && self->fail_at_ && self->n_allocs_ > self->fail_at_))
      return nullptr;
    EXPECT_EQ(align & (align - 1), 0u);
    void *ptr = nullptr;
    const size_t least = align < sizeof(void *) ? sizeof(void *) : align;
    if (posix_memalign(&ptr, least, size) != 0) return nullptr;
    self->blocks_[ptr] = Block{size, align};
    if (self->blocks_.size() > self->max_held_)
      self->max_held_ = self->blocks_.size();
    return ptr;
  }

  static void Free(void *user, void *ptr, size_t size, size_t align) {
    auto *self = static_cast<FailingAllocator *>(user);
    const std::lock_guard<std::mutex> lock(self->mutex_);
    const auto at = self->blocks_.find(ptr);
    if (at == self->blocks_.end()) {
      ADD_FAILURE() << "free of memory that was not allocated";
      return;
    }
    EXPECT_EQ(at->second.size, size);
    EXPECT_EQ(at->second.align, align);
    self->blocks_.erase(at);
    free(ptr);
  }

  std::mutex mutex_;
  std::map<void *, Block> blocks_;
  uint64_t n_allocs_ = 0;
  size_t max_held_ = 0;
  uint64_t fail_at_;
  bool forever_ = false;
};

// Calls `run(allocator)` with the 1st, 2nd, … allocation failing until one
// call needs no more. `run` returns its status: MEMORY whenever an allocation
// failed, OK otherwise. The allocator checks for leaks when it goes.
template <typename Run>
void ForEachFailingAllocation(Run run, uint64_t most = 100000) {
  for (uint64_t n = 1; n <= most; n++) {
    FailingAllocator allocator(n);
    const tir_status status = run(allocator);
    if (!allocator.failed()) {
      EXPECT_EQ(status, TIR_OK);
      EXPECT_GT(n, 1u) << "nothing was allocated";
      return;
    }
    EXPECT_EQ(status, TIR_ERR_MEMORY) << "allocation " << n << " failed";
    if (testing::Test::HasFailure()) return;
  }
  ADD_FAILURE() << "still allocating after " << most << " failures";
}

#endif
