// Normalising over one dtype. Included twice, with
//
//   T               element
//   NAME(x)         name of function x
//   MAY_OVERFLOW    squares may exceed double: scale large numbers
//
// Sums and results in double. Sums of a run go in TIR_EXEC_LANES lanes that
// are added by halves, run after run; those of columns row after row.

// Σ(x·scale − mean)² of a run, or Σx·scale with a mean of 0.
static tir_status NAME(run)(const tir_exec_call *call, const T *x, int64_t n,
                            double scale, double mean, bool is_square,
                            double *out) {
  // In stretches of whole lanes, between which a run may be stopped. One of the
  // two loops runs; the condition in its head keeps the body free of branches.
  // The rest of a run goes into the first lanes.
  double lane[TIR_EXEC_LANES] = {0};
  int64_t i = 0;
  while (n - i >= TIR_EXEC_LANES) {
    if (i > 0) TIR_TRY(tir_exec_ask(call));
    const int64_t stretch = tir_exec_piece(n - i, TIR_EXEC_ASK_AFTER);
    const int64_t end = i + stretch / TIR_EXEC_LANES * TIR_EXEC_LANES;
    for (; is_square && i < end; i += TIR_EXEC_LANES)
      for (int l = 0; l < TIR_EXEC_LANES; l++) {
        const double d = (double)x[i + l] * scale - mean;
        lane[l] += d * d;
      }
    for (; !is_square && i < end; i += TIR_EXEC_LANES)
      for (int l = 0; l < TIR_EXEC_LANES; l++)
        lane[l] += (double)x[i + l] * scale;
  }
  for (int l = 0; l < n - i; l++) {
    const double d = (double)x[i + l] * scale - mean;
    lane[l] += is_square ? d * d : d;
  }
  for (int w = TIR_EXEC_LANES / 2; w > 0; w /= 2)
    for (int l = 0; l < w; l++) lane[l] += lane[l + w];
  *out = lane[0];
  return TIR_OK;
}

// Over all runs of a group: a run is what lies contiguous.
static tir_status NAME(sum)(const tir_exec_call *call, const T *x, double scale,
                            double mean, bool is_square, double *out_sum) {
  const tir_exec_axes *const p =
      &((const tir_exec_normalize *)call->params)->axes;
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = 0, unasked = 0;
  double sum = 0, run = 0;
  for (int64_t r = 0; r < p->reduced_count; r++) {
    TIR_TRY(ask_after(call, p->inner, &unasked));
    TIR_TRY(
        NAME(run)(call, x + offset, p->inner, scale, mean, is_square, &run));
    sum += run;
    tir_exec_advance(p->n_reduced, p->reduced_dims, p->reduced_strides, at,
                     &offset);
  }
  *out_sum = sum;
  return TIR_OK;
}

// Of a group that is made of runs of n elements (columns: 1).
static tir_status NAME(find_scale)(const tir_exec_call *call, const T *x,
                                   int64_t n, double *out) {
  const tir_exec_axes *const p =
      &((const tir_exec_normalize *)call->params)->axes;
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = 0, unasked = 0;
  bool is_large = false;
  *out = 1;
  // Known when compiled: in f32 the rest of the function is not there.
  if (!MAY_OVERFLOW) return TIR_OK;
  for (int64_t r = 0; r < p->reduced_count; r++) {
    for (int64_t i = 0; i < n; i += TIR_EXEC_ASK_AFTER) {
      const int64_t m = tir_exec_piece(n - i, TIR_EXEC_ASK_AFTER);
      TIR_TRY(ask_after(call, m, &unasked));
      for (int64_t j = i; j < i + m; j++)
        is_large |= fabs((double)x[offset + j]) > LARGE;
    }
    tir_exec_advance(p->n_reduced, p->reduced_dims, p->reduced_strides, at,
                     &offset);
  }
  if (is_large) *out = SMALL_SCALE;
  return TIR_OK;
}

// Writes what is read of a group's statistics, without their scale: with s the
// scale, the mean is mean/s, the variance variance/s², and 1/√ of it s times
// that of the scaled numbers. Divided twice, because s² may underflow.
static void NAME(put)(const tir_exec_call *call, int64_t group,
                      const stats *s) {
  const tir_exec_normalize *const p = call->params;
  T *const root = tir_exec_arg(call, p->root);
  if (root) root[group] = (T)(s->root * s->scale);
  if (!p->is_centered) return;
  T *const mean = tir_exec_arg(call, p->mean);
  T *const variance = tir_exec_arg(call, p->variance);
  if (mean) mean[group] = (T)(s->mean / s->scale);
  if (variance) variance[group] = (T)(s->variance / s->scale / s->scale);
}

static tir_status NAME(write_row)(const tir_exec_call *call, const T *x, T *y,
                                  const stats *s) {
  const tir_exec_axes *const p =
      &((const tir_exec_normalize *)call->params)->axes;
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = 0, unasked = 0;
  for (int64_t r = 0; r < p->reduced_count; r++) {
    for (int64_t i = 0; i < p->inner; i += TIR_EXEC_ASK_AFTER) {
      const int64_t m = tir_exec_piece(p->inner - i, TIR_EXEC_ASK_AFTER);
      const T *const from = x + offset + i;
      T *const to = y + offset + i;
      TIR_TRY(ask_after(call, m, &unasked));
      TIR_IVDEP
      for (int64_t j = 0; j < m; j++)
        to[j] = (T)(((double)from[j] * s->scale - s->mean) * s->root);
    }
    tir_exec_advance(p->n_reduced, p->reduced_dims, p->reduced_strides, at,
                     &offset);
  }
  return TIR_OK;
}

static tir_status NAME(row)(const tir_exec_call *call, double epsilon,
                            const T *x, T *y, int64_t group) {
  const tir_exec_normalize *const p = call->params;
  double scale = 1, mean = 0, squares = 0;
  TIR_TRY(NAME(find_scale)(call, x, p->axes.inner, &scale));
  if (p->is_centered) {
    TIR_TRY(NAME(sum)(call, x, scale, 0, false, &mean));
    mean /= (double)p->axes.count;
  }
  // A second pass, about the mean: Σx² − (Σx)²/n would cancel.
  TIR_TRY(NAME(sum)(call, x, scale, mean, true, &squares));
  const stats s = make_stats(p, scale, mean, squares, epsilon);
  NAME(put)(call, group, &s);
  return y ? NAME(write_row)(call, x, y, &s) : TIR_OK;
}

// A pass over a tile of columns, row after row. With `root` it writes y; else
// it adds to `sum`: (x·scale − mean)² with a mean, x·scale without.
static tir_status NAME(column_pass)(const tir_exec_call *call, const T *x, T *y,
                                    int64_t width, const double *scale,
                                    const double *mean, const double *root,
                                    double *sum) {
  const tir_exec_axes *const p =
      &((const tir_exec_normalize *)call->params)->axes;
  int64_t at[TIR_MAX_RANK] = {0};
  int64_t offset = 0, unasked = 0;
  for (int64_t r = 0; r < p->reduced_count; r++) {
    TIR_TRY(ask_after(call, width, &unasked));
    const T *const from = x + offset;
    if (root) {
      T *const to = y + offset;
      TIR_IVDEP
      for (int64_t j = 0; j < width; j++)
        to[j] = (T)(((double)from[j] * scale[j] - mean[j]) * root[j]);
    } else if (mean) {
      TIR_IVDEP
      for (int64_t j = 0; j < width; j++) {
        const double d = (double)from[j] * scale[j] - mean[j];
        sum[j] += d * d;
      }
    } else {
      TIR_IVDEP
      for (int64_t j = 0; j < width; j++) sum[j] += (double)from[j] * scale[j];
    }
    tir_exec_advance(p->n_reduced, p->reduced_dims, p->reduced_strides, at,
                     &offset);
  }
  return TIR_OK;
}

static tir_status NAME(columns)(const tir_exec_call *call, double epsilon,
                                const T *x, T *y, int64_t group,
                                int64_t width) {
  const tir_exec_normalize *const p = call->params;
  double scale[TIR_EXEC_COLUMN_TILE], mean[TIR_EXEC_COLUMN_TILE] = {0};
  double squares[TIR_EXEC_COLUMN_TILE] = {0}, root[TIR_EXEC_COLUMN_TILE];
  for (int64_t j = 0; j < width; j++)
    TIR_TRY(NAME(find_scale)(call, x + j, 1, &scale[j]));
  if (p->is_centered) {
    TIR_TRY(NAME(column_pass)(call, x, NULL, width, scale, NULL, NULL, mean));
    for (int64_t j = 0; j < width; j++) mean[j] /= (double)p->axes.count;
  }
  TIR_TRY(NAME(column_pass)(call, x, NULL, width, scale, mean, NULL, squares));
  for (int64_t j = 0; j < width; j++) {
    const stats s = make_stats(p, scale[j], mean[j], squares[j], epsilon);
    root[j] = s.root;
    NAME(put)(call, group + j, &s);
  }
  if (!y) return TIR_OK;
  return NAME(column_pass)(call, x, y, width, scale, mean, root, NULL);
}

static tir_status NAME(kernel)(const tir_exec_call *call) {
  const tir_exec_normalize *const p = call->params;
  const tir_exec_axes *const axes = &p->axes;
  const T *const x = tir_exec_arg(call, 0);
  const double epsilon = (double)*(const T *)tir_exec_arg(call, 1);
  T *const y = tir_exec_arg(call, p->y);
  const tir_exec_span span =
      tir_exec_span_of(call, axes->n_groups, axes->groups_per_unit);
  for (int64_t g = span.first; g < span.end; g++) {
    int64_t at[TIR_MAX_RANK];
    // Row of results, then the tile in it; rows have a single tile.
    const int64_t k = g / p->tiles;
    const int64_t j = g % p->tiles * TIR_EXEC_COLUMN_TILE;
    const int64_t offset = j + tir_exec_seek(axes->n_kept, axes->kept_dims,
                                             axes->kept_strides, k, at);
    T *const to = y ? y + offset : NULL;
    TIR_TRY(axes->inner_reduced
                ? NAME(row)(call, epsilon, x + offset, to, k)
                : NAME(columns)(
                      call, epsilon, x + offset, to, k * axes->inner + j,
                      tir_exec_piece(axes->inner - j, TIR_EXEC_COLUMN_TILE)));
  }
  return TIR_OK;
}

#undef T
#undef NAME
#undef MAY_OVERFLOW
