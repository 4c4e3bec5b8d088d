// Taking a number: samples of at least 2 ms, at least 20 of them and half a
// second's worth; minimum and median are printed as one JSON line.
#ifndef TAPEIR_BENCH_HARNESS_H
#define TAPEIR_BENCH_HARNESS_H

#include <stdio.h>

#include "tapeir/tapeir.h"

typedef struct bench {
  tir_context *context;
  FILE *out;
  const char *only;  // comma-separated prefixes, NULL: all
  int n_threads;
} bench;

// Is the workload asked for? Matches a prefix: "W3" chooses W3_mlp, W3_tiny.
bool bench_wants(const bench *b, const char *workload);
// Runs `call` until the numbers stand; prints them in `unit`, "us", "ms" or
// "ns", divided by `per` (things done in one call).
void bench_time(const bench *b, const char *workload, const char *unit,
                double per, void (*call)(void *user), void *user);
// A number that was measured otherwise.
void bench_emit(const bench *b, const char *workload, const char *unit,
                double median, double minimum);
// Prints the message and exits: a benchmark that fails has no number.
void bench_check(tir_status status, const tir_error *error, const char *where);
double bench_now_s(void);
// "VmRSS" or "VmHWM" of this process in KiB.
double bench_status_kib(const char *field);
void bench_reset_peak(void);

void bench_tiny(const bench *b);                        // W1, W2
void bench_mlp(const bench *b);                         // W3, W3_tiny, W9a
void bench_chain(const bench *b);                       // W6
void bench_attention(const bench *b);                   // attention, decode
void bench_recording(const bench *b);                   // W11
void bench_compile(const bench *b);                     // W12
void bench_start(const bench *b, const char *program);  // W8

#endif
