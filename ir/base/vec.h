// Growable arrays in a context's memory.
#ifndef TAPEIR_IR_BASE_VEC_H
#define TAPEIR_IR_BASE_VEC_H

#include "ir/base/context.h"

#define TIR_VEC(type) \
  struct {            \
    type *data;       \
    size_t count;     \
    size_t capacity;  \
  }

// Makes room for `extra` more elements; false when memory ran out (the vector
// is unchanged). Doubles, so appending is amortised O(1).
#define TIR_VEC_RESERVE(context, vec, extra)                             \
  ((extra) <= (vec)->capacity - (vec)->count ||                          \
   tir_base_vec_grow((context), (void **)&(vec)->data, &(vec)->capacity, \
                     (vec)->count, (extra), sizeof *(vec)->data))

#define TIR_VEC_PUSH(context, vec, item)   \
  (TIR_VEC_RESERVE((context), (vec), 1) && \
   ((vec)->data[(vec)->count++] = (item), true))

#define TIR_VEC_FREE(context, vec)                                      \
  tir_base_vec_free((context), (void **)&(vec)->data, &(vec)->capacity, \
                    &(vec)->count, sizeof *(vec)->data)

bool tir_base_vec_grow(tir_context *context, void **data, size_t *capacity,
                       size_t count, size_t extra, size_t elem_size);
void tir_base_vec_free(tir_context *context, void **data, size_t *capacity,
                       size_t *count, size_t elem_size);

#endif
