// String table: equal strings get equal ids. Id 0 is the empty string and
// means "no name".
#ifndef TAPEIR_IR_BASE_STRINGS_H
#define TAPEIR_IR_BASE_STRINGS_H

#include "ir/base/arena.h"
#include "ir/base/vec.h"

typedef struct tir_base_strings {
  tir_base_arena arena;
  TIR_VEC(const char *) texts;  // by id
  uint32_t *buckets;            // open addressing, 0 = free
  size_t n_buckets;
} tir_base_strings;

void tir_base_strings_init(tir_base_strings *strings, tir_context *context);
void tir_base_strings_free(tir_base_strings *strings);
// False when memory ran out. `text` need not be NUL-terminated.
bool tir_base_strings_intern(tir_base_strings *strings, const char *text,
                             size_t size, uint32_t *out_id);
// Id of a string already there, 0 if it is not.
uint32_t tir_base_strings_find(const tir_base_strings *strings,
                               const char *text, size_t size);
// Borrowed, never NULL ("" for id 0).
const char *tir_base_strings_text(const tir_base_strings *strings, uint32_t id);

#endif
