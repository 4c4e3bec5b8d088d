// Parts of tapeir check.
#ifndef TAPEIR_TOOLS_CHECK_H
#define TAPEIR_TOOLS_CHECK_H

#include "tool.h"

typedef struct checking {
  tool *t;
  json_t *report;  // array of rows; NULL: print lines
  int n_bad;
} checking;

// One line or row. Takes `details`, an object, over.
void check_report(checking *c, const tir_graph *graph, const char *what,
                  const char *value, bool good, json_t *details,
                  const char *text);
void check_skip(checking *c, const tir_graph *graph, const char *what,
                const char *reason);

// "[1, 0]" of element number `at`.
const char *check_coordinate(const tir_tensor *tensor, size_t at, char *buffer,
                             size_t size);

// Compares the gradients with central differences, in f64. `gradient` is the
// graph differentiated with heads of ones.
int check_slope(checking *c, const tir_graph *graph, const tir_graph *gradient);

#endif
