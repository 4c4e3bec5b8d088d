// The text files of a directory as one sequence of characters, numbered by
// what occurs.
#ifndef TEXT_DATA_H
#define TEXT_DATA_H

#include <stddef.h>
#include <stdint.h>

typedef struct text_data {
  int32_t *tokens;  // numbers of the characters
  size_t n;
  int64_t n_kinds;            // different characters
  unsigned char letter[256];  // by number
} text_data;

// Reads every DIRECTORY/*.md in the order of names. Returns 0, or 1 after a
// message on stderr.
int text_load(const char *directory, text_data *out);
// Rows of `length` characters from anywhere, and of those that follow each.
void text_batch(const text_data *text, uint64_t *random, size_t rows,
                size_t length, int32_t *out_now, int32_t *out_next);
void text_free(text_data *text);

#endif
