// Error handling of the examples: say what is wrong, and stop. A program of
// yours will do something better.
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

#include "tapeir/base.h"

static tir_error error;

static inline void must(tir_status status) {
  if (status == TIR_OK) return;
  fprintf(stderr, "%s\n", error.message);
  exit(1);
}

#endif
