#define _POSIX_C_SOURCE 200809L
#include "text_data.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_text(const struct dirent *entry) {
  const char *dot = strrchr(entry->d_name, '.');
  return dot && strcmp(dot, ".md") == 0;
}

// Adds a file's bytes; 1 when it cannot be read.
static int append(const char *directory, const char *name, text_data *out) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE *file = fopen(path, "rb");
  if (!file) return 1;
  int failed = 0;
  for (int byte = fgetc(file); byte != EOF; byte = fgetc(file)) {
    if (out->n % 4096 == 0) {
      int32_t *more =
          realloc(out->tokens, (out->n + 4096) * sizeof *out->tokens);
      if (!more) {
        failed = 1;
        break;
      }
      out->tokens = more;
    }
    out->tokens[out->n++] = byte;
  }
  fclose(file);
  return failed;
}

static void number(text_data *out) {
  int32_t number_of[256];
  for (int i = 0; i < 256; i++) number_of[i] = -1;
  for (size_t i = 0; i < out->n; i++) {
    const int32_t byte = out->tokens[i];
    if (number_of[byte] < 0) {
      out->letter[out->n_kinds] = (unsigned char)byte;
      number_of[byte] = (int32_t)out->n_kinds++;
    }
    out->tokens[i] = number_of[byte];
  }
}

int text_load(const char *directory, text_data *out) {
  memset(out, 0, sizeof *out);
  struct dirent **entries = NULL;
  const int n = scandir(directory, &entries, is_text, alphasort);
  int failed = n <= 0;
  for (int i = 0; i < n; i++) {
    failed = failed || append(directory, entries[i]->d_name, out);
    free(entries[i]);
  }
  free(entries);
  if (!failed) number(out);
  if (failed) fprintf(stderr, "cannot read %s/*.md\n", directory);
  return failed;
}

void text_batch(const text_data *text, uint64_t *random, size_t rows,
                size_t length, int32_t *out_now, int32_t *out_next) {
  for (size_t r = 0; r < rows; r++) {
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    const int32_t *from = text->tokens + (*random >> 33) % (text->n - length);
    memcpy(out_now + r * length, from, length * sizeof *from);
    memcpy(out_next + r * length, from + 1, length * sizeof *from);
  }
}

void text_free(text_data *text) {
  free(text->tokens);
  text->tokens = NULL;
}
