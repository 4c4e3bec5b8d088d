// Batches: an order of rows for each epoch, made from seed and epoch alone, so
// that a place in the walk is two numbers.
//
// Nothing is read here: rows are numbers, and fetching them is the caller's.
// One array of n_rows numbers is all the memory, taken when the walk is
// created.
#include <inttypes.h>
#include <string.h>

#include "ir/base/checked.h"
#include "ir/base/context.h"
#include "ir/training/philox.h"
#include "tapeir/data.h"

struct tir_batches {
  tir_context *context;
  tir_batches_options options;
  tir_batches_position at;
  int64_t ordered;  // epoch whose order stands in `rows`
  size_t bytes;     // of `rows`
  int64_t *rows;
};

// Without a complete batch drop_last would give none at all, epoch after epoch.
static tir_status check_options(const tir_batches_options *o,
                                tir_error *error) {
  if (o->n_rows < 1 || o->batch < 1)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "batches: n_rows is %" PRId64 ", batch %" PRId64
                         ", expected 1 or more",
                         o->n_rows, o->batch);
  if (o->drop_last && o->batch > o->n_rows)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "batches: no complete batch of %" PRId64 " in %" PRId64
                         " rows",
                         o->batch, o->n_rows);
  for (size_t i = 0; i < 8; i++)
    if (o->reserved[i])
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "batches: reserved word %zu is not 0: built for a "
                           "newer header",
                           i);
  return TIR_OK;
}

// Fisher and Yates from the last row down. Stream 0, step = epoch. Row i is
// swapped with one of 0 … i, drawn as number i of the epoch, so that every
// order is as likely as any other.
static void order_epoch(tir_batches *b) {
  const int64_t n = b->options.n_rows;
  for (int64_t i = 0; i < n; i++) b->rows[i] = i;
  b->ordered = b->at.epoch;
  if (b->options.in_order) return;
  const tir_ir_philox p =
      tir_ir_philox_open(b->options.seed, 0, (uint64_t)b->at.epoch);
  for (int64_t i = n - 1; i > 0; i--) {
    const int64_t k = (int64_t)tir_ir_philox_below(&p, i, (uint64_t)i + 1);
    const int64_t hold = b->rows[i];
    b->rows[i] = b->rows[k];
    b->rows[k] = hold;
  }
}

tir_status tir_batches_create(tir_context *context,
                              const tir_batches_options *options,
                              tir_batches **out_batches, tir_error *error) {
  if (!context || !options || !out_batches)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "batches: context, options or out_batches is NULL");
  *out_batches = NULL;
  TIR_TRY(check_options(options, error));
  size_t bytes = SIZE_MAX;
  if ((uint64_t)options->n_rows > SIZE_MAX ||
      !tir_base_size_mul((size_t)options->n_rows, sizeof(int64_t), &bytes))
    return tir_base_fail_memory(error, bytes);
  tir_batches *b =
      tir_base_alloc_zero(context, sizeof *b, _Alignof(tir_batches));
  int64_t *rows = b ? tir_base_alloc(context, bytes, _Alignof(int64_t)) : NULL;
  if (!rows) {
    tir_base_free(context, b, sizeof *b, _Alignof(tir_batches));
    return tir_base_fail_memory(error, bytes);
  }
  *b = (tir_batches){.context = tir_base_context_retain(context),
                     .options = *options,
                     .ordered = -1,
                     .bytes = bytes,
                     .rows = rows};
  *out_batches = b;
  return TIR_OK;
}

void tir_batches_destroy(tir_batches *batches) {
  if (!batches) return;
  tir_context *context = batches->context;
  tir_base_free(context, batches->rows, batches->bytes, _Alignof(int64_t));
  tir_base_free(context, batches, sizeof *batches, _Alignof(tir_batches));
  tir_base_context_release(context);
}

// Rows of an epoch that are given out.
static int64_t used_rows(const tir_batches *b) {
  const int64_t n = b->options.n_rows;
  return b->options.drop_last ? n - n % b->options.batch : n;
}

// 0 marks the end of an epoch; the next call begins the next one. The rows that
// were handed out stand until another epoch begins.
int64_t tir_batches_next(tir_batches *b, const int64_t **out_rows) {
  if (out_rows) *out_rows = NULL;
  const int64_t left = used_rows(b) - b->at.row;
  if (left <= 0) {
    b->at = (tir_batches_position){b->at.epoch + 1, 0};
    return 0;
  }
  if (b->ordered != b->at.epoch) order_epoch(b);
  const int64_t n = left < b->options.batch ? left : b->options.batch;
  if (out_rows) *out_rows = b->rows + b->at.row;
  b->at.row += n;
  return n;
}

int64_t tir_batches_per_epoch(const tir_batches *b) {
  return (used_rows(b) - 1) / b->options.batch + 1;
}

tir_batches_position tir_batches_tell(const tir_batches *b) { return b->at; }

// Places that tell can give: the beginning of a batch, or the end of an epoch.
// The bound on the epoch keeps it from ever overflowing.
tir_status tir_batches_seek(tir_batches *b, tir_batches_position position,
                            tir_error *error) {
  const bool fits =
      position.epoch >= 0 && position.epoch <= INT64_MAX / 2 &&
      position.row >= 0 && position.row <= used_rows(b) &&
      (position.row % b->options.batch == 0 || position.row == used_rows(b));
  if (!fits)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "batches: no batch begins at epoch %" PRId64
                         ", row %" PRId64,
                         position.epoch, position.row);
  b->at = position;
  return TIR_OK;
}

// The rows are trusted: they are those of tir_batches_next.
void tir_gather_rows(void *to, const void *from, size_t row_bytes,
                     const int64_t *rows, int64_t n) {
  if (row_bytes == 0) return;
  for (int64_t i = 0; i < n; i++)
    memcpy((char *)to + (size_t)i * row_bytes,
           (const char *)from + (size_t)rows[i] * row_bytes, row_bytes);
}
