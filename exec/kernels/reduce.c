// Reductions: axes are merged once, the loops are in levels/reduce.c.
//
// What is decided here: how dims merge, into which units and parts the folds
// are cut, and what a fold of nothing gives. The trees of reduce.h depend on
// the shape alone; the cut only says who folds which branches.
#include <math.h>
#include <string.h>

#include "exec/kernels/levels.h"

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

typedef struct fill_params {
  double value;
  tir_dtype dtype;
  uint32_t out_arg;
  int64_t n;
} fill_params;

// What a fold of nothing gives. Rare, so one loop through the scalar store
// serves every dtype.
static tir_status fill_run(const tir_exec_call *call) {
  const fill_params *const p = call->params;
  const size_t size = tir_dtype_size(p->dtype);
  char *out = tir_exec_arg(call, p->out_arg);
  for (int64_t i = 0; i < p->n; i++, out += size)
    tir_ir_store_f64(p->dtype, out, p->value);
  return TIR_OK;
}

static tir_status prepare_fill(tir_exec_prepare *q, double value) {
  fill_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  p->value = value;
  p->dtype = q->out[0].dtype;
  p->out_arg = (uint32_t)q->n_in;
  p->n = tir_ir_type_numel(&q->out[0]);
  q->run = fill_run;
  q->params = p;
  return TIR_OK;
}

static tir_status no_maximum_run(const tir_exec_call *call) {
  return tir_exec_kernel_fault(call, "no maximum over an empty axis");
}

static tir_status no_minimum_run(const tir_exec_call *call) {
  return tir_exec_kernel_fault(call, "no minimum over an empty axis");
}

// --- sum, mean, product, maximum, minimum
// -------------------------------------

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

static int64_t divide_up(int64_t a, int64_t b) { return a / b + (a % b != 0); }

// Results are handed out in groups; where there are few, the folds of each are
// cut as well, in parts of 2^n blocks.
static void cut_fold(tir_exec_prepare *q, tir_exec_axes *p) {
  const int64_t tiles = divide_up(p->inner, TIR_EXEC_COLUMN_TILE);
  p->n_groups = p->inner_reduced ? p->kept_count : p->kept_count * tiles;
  // Each run of the innermost dim has blocks of its own, the last perhaps
  // short; columns have blocks of rows.
  p->n_blocks = p->inner_reduced
                    ? p->reduced_count * divide_up(p->inner, TIR_EXEC_ROW_BLOCK)
                    : divide_up(p->reduced_count, TIR_EXEC_COLUMN_BLOCK);
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
  const int64_t least = divide_up(p->n_blocks, TIR_EXEC_MAX_PARTS);
  p->part_blocks = 1;
  while (p->part_blocks < wanted || p->part_blocks < least) p->part_blocks *= 2;
  p->n_parts = divide_up(p->n_blocks, p->part_blocks);
  p->groups_per_unit = 1;
  q->split.n_units = (uint32_t)(p->n_groups * p->n_parts);
  // Then units write results themselves and nothing is left to finish.
  if (p->n_parts == 1) return;
  // Tiles of columns take their full width, the last one too.
  const int64_t accumulators =
      p->inner_reduced ? 1 : (int64_t)TIR_EXEC_COLUMN_TILE;
  q->split.shared_bytes = (size_t)(p->n_groups * p->n_parts * accumulators) * 8;
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
  if (p->count == 0) return prepare_fill(q, empty);
  q->params = p;
  q->run = fold.run;
  if (tir_ir_type_numel(&q->out[0]) == 0) {
    q->run = tir_exec_kernel_nothing;
    return TIR_OK;
  }
  q->scratch_bytes = column_scratch(p);
  if (fold.finish) cut_fold(q, p);
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
  if (q->run == fill_run && tir_ir_type_numel(&q->out[0]) > 0) q->run = empty;
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

// Σ(x · scale)², or with scale 0 the largest |x| (NaN wins).
// One result after the other, in order: rarely used, so not cut.
static double fold_scaled(const tir_exec_axes *p, const double *x,
                          double scale) {
  const int64_t inner = p->inner_reduced ? p->inner : 1;
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = 0;
  double result = 0;
  for (int64_t r = 0; r < p->reduced_count; r++) {
    for (int64_t i = 0; i < inner; i++) {
      const double y = fabs(x[offset + i]);
      if (scale != 0)
        result += y * scale * (y * scale);
      else if (y > result || y != y)
        result = y;
      if (result != result) return result;
    }
    tir_exec_advance(p->n_reduced, p->reduced_dims, p->reduced_strides, at,
                     &offset);
  }
  return result;
}

// Scaled by a power of two, which is exact, so that no square overflows or
// vanishes: with 2^e just above the largest |x|, norm = 2^e·√Σ(x·2^−e)², and
// every term is at most 1.
static double norm_of(const tir_exec_axes *p, const double *x) {
  const double largest = fold_scaled(p, x, 0);
  if (largest == 0 || largest != largest || isinf(largest)) return largest;
  int exponent = 0;
  (void)frexp(largest, &exponent);
  // 2^1074, needed for the smallest numbers, is no double.
  if (exponent < -1000) exponent = -1000;
  const double sum = fold_scaled(p, x, ldexp(1.0, -exponent));
  return ldexp(sqrt(sum), exponent);
}

static tir_status norm_f64_run(const tir_exec_call *call) {
  const tir_exec_axes *const p = call->params;
  const double *const x = tir_exec_arg(call, 0);
  double *out = tir_exec_arg(call, p->out_arg);
  // Columns: the elements of one result stand a reduced stride apart.
  const int64_t inner = p->inner_reduced ? 1 : p->inner;
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = 0;
  for (int64_t k = 0; k < p->kept_count; k++) {
    for (int64_t j = 0; j < inner; j++) *out++ = norm_of(p, x + offset + j);
    tir_exec_advance(p->n_kept, p->kept_dims, p->kept_strides, at, &offset);
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
  const int64_t tiles = divide_up(p->inner, TIR_EXEC_COLUMN_TILE);
  p->n_groups = p->outer * tiles;
  const double width = (double)p->inner / (double)(tiles > 0 ? tiles : 1);
  p->groups_per_unit =
      tir_exec_cut(q, p->n_groups, cost * (double)p->n * width);
}

// --- argmax and argmin ------------------------------------------------------

#define TIR_ROWS_KERNEL(q, name)                                 \
  kernel_of(TIR_AT_LEVEL(tir_exec_reduce, (q)->cpu_level)->name, \
            tir_exec_reduce_baseline.name, (q)->in[0].dtype)

// As fold_of.
static tir_exec_kernel_fn kernel_of(const tir_exec_kernel_fn *level,
                                    const tir_exec_kernel_fn *baseline,
                                    tir_dtype dtype) {
  return level[dtype] ? level[dtype] : baseline[dtype];
}

// Shared by both; `empty` reports an axis of nothing.
static tir_status prepare_position(tir_exec_prepare *q, tir_exec_kernel_fn run,
                                   tir_exec_kernel_fn empty) {
  const tir_attrs_argmax *const attrs = q->attrs;
  const tir_ir_type *const in = &q->in[0];
  int axis = 0;
  if (!tir_ir_axis(attrs->axis, in->rank, &axis))
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT, "%s: axis out of range",
                         q->desc->name);
  if (!run) return tir_exec_kernel_missing(q);
  tir_exec_rows *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  tir_exec_fill_rows(q, in, axis, 2, p);
  q->params = p;
  q->run = run;
  if (tir_ir_type_numel(&q->out[0]) == 0)
    q->run = tir_exec_kernel_nothing;
  else if (p->n == 0)
    q->run = empty;
  return TIR_OK;
}

static tir_status argmax_prepare(tir_exec_prepare *q) {
  return prepare_position(q, TIR_ROWS_KERNEL(q, argmax), no_maximum_run);
}

const tir_exec_kernel_desc tir_kernel_argmax = {.prepare = argmax_prepare};

static tir_status argmin_prepare(tir_exec_prepare *q) {
  return prepare_position(q, TIR_ROWS_KERNEL(q, argmin), no_minimum_run);
}

const tir_exec_kernel_desc tir_kernel_argmin = {.prepare = argmin_prepare};
