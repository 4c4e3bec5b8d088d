// Reductions: axes are merged once, the loops are in levels/reduce.c.
//
// What is decided here: how dims merge, into which units and parts the folds
// are cut, and what a fold of nothing gives. The trees of reduce.h depend on
// the shape alone; the cut only says who folds which branches.
#include <math.h>
#include <string.h>

#include "exec/kernels/levels.h"
#include "exec/kernels/make.h"

// --- axes -------------------------------------------------------------------

// A merged dim; the stride is in elements of x.
typedef struct dim {
  int64_t size, stride;
  bool reduced;
} dim;

// Dims of more than one element, neighbours of the same kind merged.
static int merge_dims(const tir_ir_type *x, const bool *reduced, dim *dims) {
  int n = 0;
  int64_t stride = 1;
  // From the last to the first, so strides of dense neighbours always fit.
  for (int i = x->rank - 1; i >= 0; i--) {
    const int64_t size = x->dims[i];
    if (size != 1) {
      if (n > 0 && dims[n - 1].reduced == reduced[i])
        // The inner neighbour's stride holds for both.
        dims[n - 1].size *= size;
      else
        dims[n++] = (dim){size, stride, reduced[i]};
    }
    stride *= size;
  }
  return n;
}

// One more dim of an odometer, outer dims first.
static void append(dim from, int64_t *dims, int64_t *strides, int32_t *n,
                   int64_t *count) {
  dims[*n] = from.size;
  strides[*n] = from.stride;
  *count *= from.size;
  ++*n;
}

void tir_exec_fill_axes(const tir_ir_type *x, const bool *reduced,
                        tir_exec_axes *p) {
  dim dims[TIR_MAX_RANK];
  const int n = merge_dims(x, reduced, dims);
  p->kept_count = 1;
  p->reduced_count = 1;
  // dims[0] is the innermost; without any, fold the single element as a row.
  // The last dim stays out of the odometers: the loops run along it.
  p->inner = n > 0 ? dims[0].size : 1;
  p->inner_reduced = n > 0 ? dims[0].reduced : true;
  for (int i = n - 1; i >= 1; i--) {
    if (dims[i].reduced)
      append(dims[i], p->reduced_dims, p->reduced_strides, &p->n_reduced,
             &p->reduced_count);
    else
      append(dims[i], p->kept_dims, p->kept_strides, &p->n_kept,
             &p->kept_count);
  }
  // From the type and not the merged dims: it is the divisor of a mean.
  p->count = 1;
  for (int i = 0; i < x->rank; i++)
    if (reduced[i]) p->count *= x->dims[i];
}

// Inference has checked the list, but a kernel indexes by it: an axis out of
// range is an error here too.
tir_status tir_exec_read_axes(tir_exec_prepare *q, const tir_ir_ints *axes,
                              bool *reduced) {
  const int rank = q->in[0].rank;
  for (int i = 0; i < rank; i++) reduced[i] = axes->n == 0;
  for (int64_t i = 0; i < axes->n; i++) {
    int axis = 0;
    if (!tir_ir_axis(axes->v[i], rank, &axis))
      return tir_base_fail(q->error, TIR_ERR_ARGUMENT, "%s: axis out of range",
                           q->desc->name);
    reduced[axis] = true;
  }
  return TIR_OK;
}

static tir_status read_axes(tir_exec_prepare *q, bool *reduced) {
  const tir_attrs_reduce *const attrs = q->attrs;
  return tir_exec_read_axes(q, &attrs->axes, reduced);
}

// The fold of the level, or for dtypes it leaves out that of the baseline.
#define TIR_FOLD(q, name)                                      \
  fold_of(TIR_AT_LEVEL(tir_exec_reduce, (q)->cpu_level)->name, \
          tir_exec_reduce_baseline.name, (q)->in[0].dtype)

static tir_exec_fold fold_of(const tir_exec_fold *level,
                             const tir_exec_fold *baseline, tir_dtype dtype) {
  return level[dtype].run ? level[dtype] : baseline[dtype];
}

// --- special cases ----------------------------------------------------------

// What a fold of nothing gives.
static tir_status prepare_empty(tir_exec_prepare *q, double value) {
  char element[8];
  tir_ir_store_f64(q->out[0].dtype, element, value);
  return tir_exec_prepare_repeated(q, element);
}

static tir_status no_maximum_run(const tir_exec_call *call) {
  return tir_exec_kernel_fault(call, "no maximum over an empty axis");
}

static tir_status no_minimum_run(const tir_exec_call *call) {
  return tir_exec_kernel_fault(call, "no minimum over an empty axis");
}

// --- sum, mean, product, maximum, minimum ------------------------------------

// Scratch for the tree of a tile of columns, accumulators of up to 8 bytes.
// Behind b whole blocks the tree has at most log2(b) + 1 levels, and the block
// being folded takes one more; one is spare.
static size_t column_scratch(const tir_exec_axes *p) {
  if (p->inner_reduced) return 0;
  size_t levels = 2;
  for (int64_t n = p->reduced_count / TIR_EXEC_COLUMN_BLOCK; n > 0; n /= 2)
    levels++;
  return levels * TIR_EXEC_COLUMN_TILE * 8;
}

// Results are handed out in groups; where there are few, the folds of each are
// cut as well, in parts of 2^n blocks.
static void cut_fold(tir_exec_prepare *q, tir_exec_axes *p) {
  const int64_t tiles = tir_exec_divide_up(p->inner, TIR_EXEC_COLUMN_TILE);
  p->n_groups = p->inner_reduced ? p->kept_count : p->kept_count * tiles;
  // Each run of the innermost dim has blocks of its own, the last perhaps
  // short; columns have blocks of rows.
  p->n_blocks =
      p->inner_reduced
          ? p->reduced_count * tir_exec_divide_up(p->inner, TIR_EXEC_ROW_BLOCK)
          : tir_exec_divide_up(p->reduced_count, TIR_EXEC_COLUMN_BLOCK);
  p->n_parts = 1;
  p->part_blocks = p->n_blocks;
  // Not cut so far: one unit with every group, each in one part.
  p->groups_per_unit = p->n_groups;
  // A group of columns folds that many results at once.
  const double width = p->inner_reduced ? 1 : (double)p->inner / (double)tiles;
  const double cost = (double)p->count * width;
  if (p->n_groups >= TIR_EXEC_MAX_PARTS || p->n_blocks == 1) {
    p->groups_per_unit = tir_exec_cut(q, p->n_groups, cost);
    return;
  }
  // Cut as if each block were a piece, then rounded up to a power of two.
  const double block_cost = cost / (double)p->n_blocks;
  const int64_t wanted = tir_exec_cut(q, p->n_blocks * p->n_groups, block_cost);
  if (q->split.n_units < 2) return;
  const int64_t least = tir_exec_divide_up(p->n_blocks, TIR_EXEC_MAX_PARTS);
  p->part_blocks = 1;
  while (p->part_blocks < wanted || p->part_blocks < least) p->part_blocks *= 2;
  p->n_parts = tir_exec_divide_up(p->n_blocks, p->part_blocks);
  p->groups_per_unit = 1;
  q->split.n_units = (uint32_t)(p->n_groups * p->n_parts);
  // Then units write results themselves and nothing is left to finish.
  if (p->n_parts == 1) return;
  // Tiles of columns take their full width, the last one too.
  const int64_t accumulators =
      p->inner_reduced ? 1 : (int64_t)TIR_EXEC_COLUMN_TILE;
  q->split.shared_bytes = (size_t)(p->n_groups * p->n_parts * accumulators) * 8;
}

// A fold that is one chain: only its results are by themselves.
static void cut_results(tir_exec_prepare *q, tir_exec_axes *p) {
  p->n_groups = tir_ir_type_numel(&q->out[0]);
  p->n_parts = 1;
  p->groups_per_unit = tir_exec_cut(q, p->n_groups, 4 * (double)p->count);
}

// `empty` is the fold of nothing. A fused step asks only for the folding.
static tir_status prepare_fold(tir_exec_prepare *q, const bool *reduced,
                               tir_exec_fold fold, bool divide, double empty) {
  if (!fold.run) return tir_exec_kernel_missing(q);
  tir_exec_axes *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  tir_exec_fill_axes(&q->in[0], reduced, p);
  p->divide = divide;
  p->out_arg = (uint32_t)q->n_in;
  q->cost = 1;
  if (q->is_part) {
    q->folding = (tir_exec_folding){fold.row_part, fold.finish_rows, p};
    return TIR_OK;
  }
  // Before the loops are chosen: they take at least one element per result.
  if (p->count == 0) return prepare_empty(q, empty);
  q->params = p;
  q->run = fold.run;
  if (tir_ir_type_numel(&q->out[0]) == 0) {
    q->run = tir_exec_kernel_nothing;
    return TIR_OK;
  }
  q->scratch_bytes = column_scratch(p);
  if (fold.finish)
    cut_fold(q, p);
  else
    cut_results(q, p);
  if (p->n_parts > 1) q->split.finish = fold.finish;
  return TIR_OK;
}

static tir_status reduce_sum_prepare(tir_exec_prepare *q) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(read_axes(q, reduced));
  return prepare_fold(q, reduced, TIR_FOLD(q, sum), false, 0);
}

const tir_exec_kernel_desc tir_kernel_reduce_sum = {.prepare =
                                                        reduce_sum_prepare};

static tir_status reduce_mean_prepare(tir_exec_prepare *q) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(read_axes(q, reduced));
  return prepare_fold(q, reduced, TIR_FOLD(q, sum), true, (double)NAN);
}

const tir_exec_kernel_desc tir_kernel_reduce_mean = {.prepare =
                                                         reduce_mean_prepare};

static tir_status reduce_prod_prepare(tir_exec_prepare *q) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(read_axes(q, reduced));
  return prepare_fold(q, reduced, TIR_FOLD(q, prod), false, 1);
}

const tir_exec_kernel_desc tir_kernel_reduce_prod = {.prepare =
                                                         reduce_prod_prepare};

// Nothing has no maximum: a run reports it, as it does other data that has no
// result. Without results there is nothing to miss.
static tir_status prepare_extreme(tir_exec_prepare *q, tir_exec_fold fold,
                                  tir_exec_kernel_fn empty) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(read_axes(q, reduced));
  TIR_TRY(prepare_fold(q, reduced, fold, false, 0));
  if (!q->is_part && tir_ir_type_numel(&q->in[0]) == 0 &&
      tir_ir_type_numel(&q->out[0]) > 0) {
    q->run = empty;
    q->split.n_units = 1;
  }
  return TIR_OK;
}

static tir_status reduce_max_prepare(tir_exec_prepare *q) {
  return prepare_extreme(q, TIR_FOLD(q, max), no_maximum_run);
}

const tir_exec_kernel_desc tir_kernel_reduce_max = {.prepare =
                                                        reduce_max_prepare};

static tir_status reduce_min_prepare(tir_exec_prepare *q) {
  return prepare_extreme(q, TIR_FOLD(q, min), no_minimum_run);
}

const tir_exec_kernel_desc tir_kernel_reduce_min = {.prepare =
                                                        reduce_min_prepare};

// x, like: sums over the axes along which `like` would be repeated.
static tir_status reduce_to_prepare(tir_exec_prepare *q) {
  const tir_ir_type *const x = &q->in[0];
  const tir_ir_type *const like = &q->out[0];
  bool reduced[TIR_MAX_RANK];
  for (int i = 0; i < x->rank; i++) {
    const int own = i - (x->rank - like->rank);
    reduced[i] = own < 0 || like->dims[own] == 1;
  }
  return prepare_fold(q, reduced, TIR_FOLD(q, sum), false, 0);
}

const tir_exec_kernel_desc tir_kernel_reduce_to = {.prepare =
                                                       reduce_to_prepare};

// --- norm -------------------------------------------------------------------

// n elements of one result, in order: Σ(x · scale)², or with scale 0 the
// largest |x| (NaN wins), going on from `result`.
static double scaled_piece(const double *x, int64_t n, double scale,
                           double result) {
  for (int64_t i = 0; i < n; i++) {
    const double y = fabs(x[i]);
    if (scale != 0)
      result += y * scale * (y * scale);
    else if (y > result || y != y)
      result = y;
    if (result != result) break;
  }
  return result;
}

static tir_status fold_scaled(const tir_exec_call *call, const double *x,
                              double scale, double *out_result) {
  const tir_exec_axes *const p = call->params;
  const int64_t inner = p->inner_reduced ? p->inner : 1;
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = 0, unasked = 0;
  double result = 0;
  for (int64_t r = 0; r < p->reduced_count && result == result; r++) {
    for (int64_t i = 0; i < inner; i += TIR_EXEC_ASK_AFTER) {
      const int64_t n = tir_exec_piece(inner - i, TIR_EXEC_ASK_AFTER);
      result = scaled_piece(x + offset + i, n, scale, result);
      unasked += n;
      if (unasked < TIR_EXEC_ASK_AFTER) continue;
      TIR_TRY(tir_exec_ask(call));
      unasked = 0;
    }
    tir_exec_advance(p->n_reduced, p->reduced_dims, p->reduced_strides, at,
                     &offset);
  }
  *out_result = result;
  return TIR_OK;
}

// Scaled by a power of two, which is exact, so that no square overflows or
// vanishes: with 2^e just above the largest |x|, norm = 2^e·√Σ(x·2^−e)², and
// every term is at most 1.
static tir_status norm_of(const tir_exec_call *call, const double *x,
                          double *out) {
  double largest = 0, sum = 0;
  TIR_TRY(fold_scaled(call, x, 0, &largest));
  *out = largest;
  if (largest == 0 || largest != largest || isinf(largest)) return TIR_OK;
  int exponent = 0;
  (void)frexp(largest, &exponent);
  // 2^1074, needed for the smallest numbers, is no double.
  if (exponent < -1000) exponent = -1000;
  TIR_TRY(fold_scaled(call, x, ldexp(1.0, -exponent), &sum));
  *out = ldexp(sqrt(sum), exponent);
  return TIR_OK;
}

// A group is one result.
static tir_status norm_f64_run(const tir_exec_call *call) {
  const tir_exec_axes *const p = call->params;
  const double *const x = tir_exec_arg(call, 0);
  double *const out = tir_exec_arg(call, p->out_arg);
  const tir_exec_span span =
      tir_exec_span_of(call, p->n_groups, p->groups_per_unit);
  // Columns: the elements of one result stand a reduced stride apart.
  const int64_t width = p->inner_reduced ? 1 : p->inner;
  for (int64_t g = span.first; g < span.end; g++) {
    int64_t at[TIR_MAX_RANK];
    const int64_t offset =
        tir_exec_seek(p->n_kept, p->kept_dims, p->kept_strides, g / width, at);
    TIR_TRY(norm_of(call, x + offset + g % width, out + g));
  }
  return TIR_OK;
}

// f32 is folded in double, where its squares fit; f64 has to be scaled.
static tir_status norm_prepare(tir_exec_prepare *q) {
  bool reduced[TIR_MAX_RANK];
  TIR_TRY(read_axes(q, reduced));
  const tir_exec_level_reduce *const level =
      TIR_AT_LEVEL(tir_exec_reduce, q->cpu_level);
  const tir_exec_fold scaled = {.run = norm_f64_run};
  return prepare_fold(
      q, reduced,
      q->in[0].dtype == TIR_DTYPE_F64 ? scaled : level->norm[q->in[0].dtype],
      false, 0);
}

const tir_exec_kernel_desc tir_kernel_norm = {.prepare = norm_prepare};

// --- rows around one axis ---------------------------------------------------

void tir_exec_fill_rows(tir_exec_prepare *q, const tir_ir_type *in, int axis,
                        double cost, tir_exec_rows *p) {
  p->n = in->dims[axis];
  tir_exec_split_axis(in, axis, &p->outer, &p->inner);
  // inner may be 0: then there are no groups, and no width to divide.
  const int64_t tiles = tir_exec_divide_up(p->inner, TIR_EXEC_COLUMN_TILE);
  p->n_groups = p->outer * tiles;
  const double width = (double)p->inner / (double)(tiles > 0 ? tiles : 1);
  p->groups_per_unit =
      tir_exec_cut(q, p->n_groups, cost * (double)p->n * width);
}

// --- argmax and argmin ------------------------------------------------------

#define TIR_BEST(q, name)                                      \
  best_of(TIR_AT_LEVEL(tir_exec_reduce, (q)->cpu_level)->name, \
          tir_exec_reduce_baseline.name, (q)->in[0].dtype)

// As fold_of.
static tir_exec_best best_of(const tir_exec_best *level,
                             const tir_exec_best *baseline, tir_dtype dtype) {
  return level[dtype].run ? level[dtype] : baseline[dtype];
}

// Where there are few results the axis is cut as well: the first of the best is
// the same element whoever finds it.
static void cut_axis(tir_exec_prepare *q, tir_exec_best_params *p) {
  enum { BLOCK = TIR_EXEC_ROW_BLOCK };
  tir_exec_rows *const rows = &p->rows;
  p->n_parts = 1;
  p->part_n = rows->n;
  if (rows->n_groups >= TIR_EXEC_MAX_PARTS || rows->n_groups == 0) return;
  const int64_t n_blocks = tir_exec_divide_up(rows->n, BLOCK);
  const double n = (double)tir_ir_type_numel(&q->in[0]);
  const double width = n / (double)rows->n / (double)rows->n_groups;
  const int64_t wanted =
      tir_exec_cut(q, n_blocks * rows->n_groups, 2 * BLOCK * width);
  const int64_t least = tir_exec_divide_up(n_blocks, TIR_EXEC_MAX_PARTS);
  p->part_n = BLOCK * (wanted > least ? wanted : least);
  if (q->split.n_units > 1) p->n_parts = tir_exec_divide_up(rows->n, p->part_n);
  if (p->n_parts == 1) {
    p->part_n = rows->n;
    rows->groups_per_unit =
        tir_exec_cut(q, rows->n_groups, 2 * (double)rows->n * width);
    return;
  }
  rows->groups_per_unit = 1;
  const int64_t n_units = rows->n_groups * p->n_parts;
  const int64_t results = rows->inner == 1 ? 1 : TIR_EXEC_COLUMN_TILE;
  q->split.n_units = (uint32_t)n_units;
  q->split.shared_bytes = (size_t)(n_units * results) * sizeof(int64_t);
}

// Shared by both; `empty` reports an axis of nothing.
static tir_status prepare_position(tir_exec_prepare *q, tir_exec_best best,
                                   tir_exec_kernel_fn empty) {
  const tir_attrs_argmax *const attrs = q->attrs;
  const tir_ir_type *const in = &q->in[0];
  int axis = 0;
  if (!tir_ir_axis(attrs->axis, in->rank, &axis))
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT, "%s: axis out of range",
                         q->desc->name);
  if (!best.run) return tir_exec_kernel_missing(q);
  tir_exec_best_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  tir_exec_fill_rows(q, in, axis, 2, &p->rows);
  q->params = p;
  q->run = best.run;
  if (tir_ir_type_numel(&q->out[0]) == 0) {
    q->run = tir_exec_kernel_nothing;
  } else if (p->rows.n == 0) {
    q->run = empty;
  } else {
    cut_axis(q, p);
    if (p->n_parts > 1) q->split.finish = best.finish;
  }
  return TIR_OK;
}

static tir_status argmax_prepare(tir_exec_prepare *q) {
  return prepare_position(q, TIR_BEST(q, argmax), no_maximum_run);
}

const tir_exec_kernel_desc tir_kernel_argmax = {.prepare = argmax_prepare};

static tir_status argmin_prepare(tir_exec_prepare *q) {
  return prepare_position(q, TIR_BEST(q, argmin), no_minimum_run);
}

const tir_exec_kernel_desc tir_kernel_argmin = {.prepare = argmin_prepare};
