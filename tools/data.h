// Rows of training data from .npy, idx and csv files.
#ifndef TAPEIR_TOOLS_DATA_H
#define TAPEIR_TOOLS_DATA_H

#include "tool.h"

// n_rows rows of what an input takes, in its dtype.
typedef struct tool_rows {
  size_t n_rows;
  size_t row_bytes;
  char *bytes;
} tool_rows;

// Reads the rows of the input `port`: its first axis is the batch. A file ends
// in .npy or .csv, anything else is idx; csv and idx may be compressed by
// gzip. "FILE.csv:2-5,7" takes some columns only, counted from 1, and its
// first line may be headings. Bytes of an idx file (u8) are divided by 255 for
// a float input.
int tool_read_rows(tool *t, const tir_port *port, const char *file,
                   tool_rows *out);
void tool_free_rows(tool_rows *rows);
// x in a dtype; false if it is no number of it.
bool tool_store(tir_dtype dtype, void *element, double x);

#endif
