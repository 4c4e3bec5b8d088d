// Atomic types for C11, and for the C++17 tests that look inside.
#ifndef TAPEIR_IR_BASE_ATOMICS_H
#define TAPEIR_IR_BASE_ATOMICS_H

#ifdef __cplusplus
extern "C++" {
#include <atomic>
}
using std::atomic_bool;
using std::atomic_int;
using std::atomic_size_t;
using std::atomic_uint;
#define TIR_ATOMIC(T) std::atomic<T>
#ifndef _Alignas
#define _Alignas alignas
#endif
#ifndef _Static_assert
#define _Static_assert static_assert
#endif
#else
#include <stdatomic.h>
#define TIR_ATOMIC(T) _Atomic(T)
#endif

#endif
