/// @file
/// Data helpers in plain C: batches of row numbers, gathering rows, counting
/// what a classifier gets right. Nothing is allocated per batch.
#ifndef TAPEIR_DATA_H
#define TAPEIR_DATA_H

#include "tapeir/base.h"

#ifdef __cplusplus
extern "C" {
#endif

// --- batches ---------------------------------------------------------------

/// Walks over the rows of a data set, epoch after epoch. One thread at a time.
typedef struct tir_batches tir_batches;

/// What to walk over, and how.
typedef struct tir_batches_options {
  int64_t n_rows;  ///< 1 or more
  int64_t batch;   ///< rows of a batch; 1 or more
  uint64_t seed;   ///< of the orders; each epoch has its own
  bool in_order;   ///< rows 0, 1, 2 … in every epoch: no shuffling
  bool drop_last;  ///< leave an incomplete last batch out
  uint64_t reserved[8];
} tir_batches_options;

/// Where a walk is. Two whole numbers to store beside a model: with the same
/// options a walk set there goes on exactly as this one would.
typedef struct tir_batches_position {
  int64_t epoch;  ///< from 0
  int64_t row;    ///< rows of this epoch given out already
} tir_batches_position;

/// Errors  ARGUMENT for other options; MEMORY.
/// Owner   the caller, ends with tir_batches_destroy.
/// Cost    8 bytes for each row.
/// Source  Fisher and Yates, over Philox4x32-10: every order of the rows is as
///         likely as any other.
TIR_API tir_status tir_batches_create(tir_context *context,
                                      const tir_batches_options *options,
                                      tir_batches **out_batches,
                                      tir_error *error);
/// NULL is allowed.
TIR_API void tir_batches_destroy(tir_batches *batches);
/// The next batch: its number of rows, and the rows in `*out_rows` (borrowed
/// until the next call, may be NULL). The last batch of an epoch may have
/// fewer rows. 0 once at the end of each epoch; the call after it begins the
/// next.
TIR_API int64_t tir_batches_next(tir_batches *batches,
                                 const int64_t **out_rows);
/// Batches of one epoch.
TIR_API int64_t tir_batches_per_epoch(const tir_batches *batches);
/// The place before the next batch.
TIR_API tir_batches_position tir_batches_tell(const tir_batches *batches);
/// Errors  ARGUMENT for a place where no batch begins or an epoch ends.
TIR_API tir_status tir_batches_seek(tir_batches *batches,
                                    tir_batches_position position,
                                    tir_error *error);

/// Copies rows: to[i] = from[rows[i]] for `n` rows of `row_bytes` each. The
/// memory must not overlap.
TIR_API void tir_gather_rows(void *to, const void *from, size_t row_bytes,
                             const int64_t *rows, int64_t n);

// --- metrics ---------------------------------------------------------------
//
// A confusion matrix is the caller's array int64_t counts[n_classes²], zeros at
// first: counts[target·n_classes + found].

/// Counts `n` rows. Classes are i32 or i64, 0 … n_classes − 1; `found` is what
/// tir_argmax gives.
/// Errors  VALUE naming the first row with a class out of range, DTYPE,
///         ARGUMENT; nothing is counted then.
TIR_API tir_status tir_confusion_add(int64_t *counts, int64_t n_classes,
                                     const void *target, tir_dtype target_dtype,
                                     const void *found, tir_dtype found_dtype,
                                     int64_t n, tir_error *error);
/// Rows found right among all, 0 to 1; NaN of no rows.
TIR_API double tir_confusion_accuracy(const int64_t *counts, int64_t n_classes);
/// Of the rows found to be of a class those that are; NaN of none.
TIR_API double tir_confusion_precision(const int64_t *counts, int64_t n_classes,
                                       int64_t of_class);
/// Of the rows of a class those found to be; NaN of none.
TIR_API double tir_confusion_recall(const int64_t *counts, int64_t n_classes,
                                    int64_t of_class);

#ifdef __cplusplus
}
#endif
#endif
