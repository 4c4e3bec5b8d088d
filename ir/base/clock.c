// Monotonic, so that setting the time of day never makes a duration negative.
// Nanoseconds in 64 bits last for 292 years.
#include "ir/base/clock.h"

#include <time.h>

int64_t tir_base_now_ns(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
