// Time that only goes forward.
#ifndef TAPEIR_IR_BASE_CLOCK_H
#define TAPEIR_IR_BASE_CLOCK_H

#include "tapeir/base.h"

// Nanoseconds since some moment of the past; 0 if there is no such clock.
// Costs some 25 ns where the system needs no call for it.
int64_t tir_base_now_ns(void);

#endif
