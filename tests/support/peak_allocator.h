// An allocator that knows how much was held at most.
#ifndef TAPEIR_TESTS_SUPPORT_PEAK_ALLOCATOR_H
#define TAPEIR_TESTS_SUPPORT_PEAK_ALLOCATOR_H

#include <stdlib.h>

#include <atomic>

#include "tapeir/base.h"

class PeakAllocator {
 public:
  tir_context_options Options() {
    tir_context_options options = {};
    options.allocator.alloc = Alloc;
    options.allocator.free = Free;
    options.allocator.user = this;
    return options;
  }
  uint64_t held() const { return held_; }
  uint64_t peak() const { return peak_; }
  void ResetPeak() { peak_ = held_.load(); }

 private:
  static void *Alloc(void *user, size_t size, size_t align) {
    auto *self = static_cast<PeakAllocator *>(user);
    void *ptr = nullptr;
    if (posix_memalign(&ptr, align < sizeof(void *) ? sizeof(void *) : align,
                       size) != 0)
      return nullptr;
    const uint64_t held = self->held_ += size;
    uint64_t peak = self->peak_;
    while (held > peak && !self->peak_.compare_exchange_weak(peak, held)) {
    }
    return ptr;
  }
  static void Free(void *user, void *ptr, size_t size, size_t) {
    if (ptr) static_cast<PeakAllocator *>(user)->held_ -= size;
    free(ptr);
  }

  std::atomic<uint64_t> held_{0};
  std::atomic<uint64_t> peak_{0};
};

#endif
