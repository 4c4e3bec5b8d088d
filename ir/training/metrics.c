// Counting what a classifier gets right.
//
// counts[t · n_classes + f] is the number of rows of class t that were found to
// be of class f: one row per true class. The memory is the caller's.
#include <inttypes.h>
#include <math.h>

#include "ir/base/error.h"
#include "tapeir/data.h"

static bool is_class(tir_dtype dtype) {
  return dtype == TIR_DTYPE_I32 || dtype == TIR_DTYPE_I64;
}

// The pointers must be aligned as their dtype wants.
static int64_t class_at(const void *data, tir_dtype dtype, int64_t i) {
  return dtype == TIR_DTYPE_I32 ? ((const int32_t *)data)[i]
                                : ((const int64_t *)data)[i];
}

// Before anything is counted, so that a bad class leaves the counts as they
// were.
static tir_status check_classes(const char *what, const void *data,
                                tir_dtype dtype, int64_t n, int64_t n_classes,
                                tir_error *error) {
  if (!is_class(dtype))
    return tir_base_fail(error, TIR_ERR_DTYPE,
                         "confusion_add: %s is %s, expected i32 or i64", what,
                         tir_dtype_name(dtype));
  for (int64_t i = 0; i < n; i++) {
    const int64_t c = class_at(data, dtype, i);
    if (c < 0 || c >= n_classes)
      return tir_base_fail(error, TIR_ERR_VALUE,
                           "confusion_add: %s[%" PRId64 "] is %" PRId64
                           ", expected 0 to %" PRId64,
                           what, i, c, n_classes - 1);
  }
  return TIR_OK;
}

tir_status tir_confusion_add(int64_t *counts, int64_t n_classes,
                             const void *target, tir_dtype target_dtype,
                             const void *found, tir_dtype found_dtype,
                             int64_t n, tir_error *error) {
  // Above that a matrix has more entries than can be numbered.
  const int64_t most = INT32_MAX;
  if (!counts || n_classes < 1 || n_classes > most || n < 0 ||
      (n && (!target || !found)))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "confusion_add: %" PRId64 " classes, %" PRId64
                         " rows or a NULL pointer",
                         n_classes, n);
  TIR_TRY(check_classes("target", target, target_dtype, n, n_classes, error));
  TIR_TRY(check_classes("found", found, found_dtype, n, n_classes, error));
  for (int64_t i = 0; i < n; i++)
    counts[class_at(target, target_dtype, i) * n_classes +
           class_at(found, found_dtype, i)]++;
  return TIR_OK;
}

// NaN where there is nothing to divide by: 0 would look like a bad score.
static double ratio(int64_t part, int64_t all) {
  return all ? (double)part / (double)all : NAN;
}

// Those on the diagonal, of all.
double tir_confusion_accuracy(const int64_t *counts, int64_t n_classes) {
  int64_t right = 0, all = 0;
  for (int64_t i = 0; i < n_classes; i++) {
    right += counts[i * n_classes + i];
    for (int64_t k = 0; k < n_classes; k++) all += counts[i * n_classes + k];
  }
  return ratio(right, all);
}

// Of the rows found to be of the class, how many are.
double tir_confusion_precision(const int64_t *counts, int64_t n_classes,
                               int64_t of_class) {
  if (of_class < 0 || of_class >= n_classes) return NAN;
  int64_t all = 0;
  for (int64_t i = 0; i < n_classes; i++)
    all += counts[i * n_classes + of_class];
  return ratio(counts[of_class * n_classes + of_class], all);
}

// Of the rows that are of the class, how many were found.
double tir_confusion_recall(const int64_t *counts, int64_t n_classes,
                            int64_t of_class) {
  if (of_class < 0 || of_class >= n_classes) return NAN;
  int64_t all = 0;
  for (int64_t i = 0; i < n_classes; i++)
    all += counts[of_class * n_classes + i];
  return ratio(counts[of_class * n_classes + of_class], all);
}
