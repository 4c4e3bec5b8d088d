// A small seeded generator for tests: the same numbers on every machine.
#ifndef TAPEIR_TESTS_SUPPORT_RANDOM_H
#define TAPEIR_TESTS_SUPPORT_RANDOM_H

#include <stdint.h>

// splitmix64.
class TestRandom {
 public:
  explicit TestRandom(uint64_t seed) : state_(seed) {}

  uint64_t Bits() {
    uint64_t z = (state_ += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
  }
  // 0 … n − 1.
  uint64_t Below(uint64_t n) { return Bits() % n; }
  // [0, 1).
  double Unit() { return static_cast<double>(Bits() >> 11) * 0x1p-53; }
  double Between(double low, double high) {
    return low + (high - low) * Unit();
  }

 private:
  uint64_t state_;
};

#endif
