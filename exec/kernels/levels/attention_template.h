// attention over one dtype. Included twice, with
//
//   T               element
//   NAME(x)         name of function x
//   EXPS            a tir_exec_loop of the exponential
//   EXP(x)          exponential
//
// A block of rows of q goes over blocks of k and v: scores, the largest so
// far, their exponentials, a product with v that is added to what the former
// blocks left, which shrinks by e^(old largest − new largest) first. Memory is
// one block of scores; positions that no row of the block sees are not read.

#include "exec/kernels/levels/exps_template.h"

// A block of rows at work; pointers into operands are of its leading index.
typedef struct NAME(block) {
  const tir_exec_attention_params *p;
  const T *q, *k, *v, *mask;  // first row of q and of mask
  T *out;
  int64_t rows;
  int64_t first;  // number of the first row
  int64_t valid;  // positions that may be seen at all
  T *scores;      // [rows, TIR_EXEC_ATTENTION_KEYS]
  T *product;     // [rows, e]
  T *largest, *sum;
  void *pack;
} NAME(block);
#define BLOCK NAME(block)

// How many positions row i of the block sees: always the first so many. With a
// valid length the last row sees all valid positions, as when the rows are the
// newest of a longer sequence; without one, row i sees itself and those before.
static int64_t NAME(seen)(const BLOCK *b, int64_t i) {
  const tir_exec_attention_params *const p = b->p;
  if (!p->causal) return b->valid;
  int64_t seen = b->first + i + 1;
  if (p->has_length) seen += b->valid - p->m;
  return seen < 0 ? 0 : seen > b->valid ? b->valid : seen;
}

// Scores of `keys` positions from `at` on. A single row is a product of k with
// a vector, for which k is not packed.
static void NAME(score)(const BLOCK *b, int64_t at, int64_t keys) {
  const tir_exec_attention_params *const p = b->p;
  tir_exec_gemm_block g = {.k = p->d, .c = b->scores, .pack = b->pack};
  if (b->rows == 1) {
    g.m = keys;
    g.n = 1;
    g.a = b->k + at * p->d;
    g.a_row = p->d;
    g.a_column = 1;
    g.b = b->q;
    g.b_row = 1;
    g.b_column = 1;
    g.c_row = 1;
  } else {
    g.m = b->rows;
    g.n = keys;
    g.a = b->q;
    g.a_row = p->d;
    g.a_column = 1;
    g.b = b->k + at * p->d;
    g.b_row = 1;
    g.b_column = p->d;
    g.c_row = TIR_EXEC_ATTENTION_KEYS;
    g.is_part = true;
  }
  p->gemm(&g);
}

// Turns `seen` scores of row i into weights, the rest of `keys` into 0, and
// shrinks what the row has so far. With m the largest score, weights are e^(s −
// m); if m grows, sums and products so far are multiplied by e^(m_old − m_new),
// and the division by the sum at the end makes them a softmax.
static void NAME(weigh)(const BLOCK *b, int64_t i, int64_t at, int64_t keys,
                        int64_t seen) {
  const tir_exec_attention_params *const p = b->p;
  T *const s = b->scores + i * TIR_EXEC_ATTENTION_KEYS;
  if (b->mask) {
    const T *const mask = b->mask + i * p->mask_row + at * p->mask_column;
    TIR_IVDEP
    for (int64_t j = 0; j < seen; j++) s[j] = s[j] + mask[j * p->mask_column];
  }
  for (int64_t j = seen; j < keys; j++) s[j] = 0;
  if (seen == 0) return;
  const T before = b->largest[i];
  T now = NAME(largest)(s, seen);
  now = MAX(before, now);
  b->largest[i] = now;
  // All scores are −∞ so far: their weights become 0 and not NaN.
  if (now == (T)-INFINITY) now = 0;
  const T sum = NAME(exps)(s, seen, now, s, 0);
  // Nothing to shrink before the first block, whose product overwrites `out`.
  if (at == 0) {
    b->sum[i] = sum;
    return;
  }
  const T shrunk = EXP(before - now);
  b->sum[i] = b->sum[i] * shrunk + sum;
  T *const out = b->out + i * p->e;
  // The largest stayed, which is common after the first blocks.
  if (shrunk == 1) return;
  TIR_IVDEP
  for (int64_t c = 0; c < p->e; c++) out[c] = out[c] * shrunk;
}

// to[first … first + rows) = weights · v, over `keys` positions from `at` on.
static void NAME(multiply)(const BLOCK *b, int64_t first, int64_t rows,
                           int64_t at, int64_t keys, T *to) {
  const tir_exec_attention_params *const p = b->p;
  const tir_exec_gemm_block g = {
      .m = rows,
      .n = p->e,
      .k = keys,
      .a = b->scores + first * TIR_EXEC_ATTENTION_KEYS,
      .a_row = TIR_EXEC_ATTENTION_KEYS,
      .a_column = 1,
      .b = b->v + at * p->e,
      .b_row = p->e,
      .b_column = 1,
      .c = to + first * p->e,
      .c_row = p->e,
      .pack = b->pack,
      .is_part = true,
  };
  p->gemm(&g);
}

// A weight of 0 hides a finite value only: 0·∞ is NaN. So x·0 is summed, which
// is 0 if all are finite.
static bool NAME(is_finite)(const T *x, int64_t n) {
  T lane[TIR_EXEC_LANES] = {0};
  int64_t i = 0;
  for (; i + TIR_EXEC_LANES <= n; i += TIR_EXEC_LANES)
    for (int l = 0; l < TIR_EXEC_LANES; l++) lane[l] += x[i + l] * 0;
  for (int l = 0; l < n - i; l++) lane[l] += x[i + l] * 0;
  return NAME(sum)(lane, TIR_EXEC_LANES) == 0;
}

static void NAME(add_values)(const BLOCK *b, int64_t at, int64_t keys) {
  const tir_exec_attention_params *const p = b->p;
  T *const to = at == 0 ? b->out : b->product;
  // Row 0 sees the least. If it sees all there is no 0 to worry about; else,
  // with values that are not finite, each row takes only the positions it sees.
  const bool ragged = NAME(seen)(b, 0) < at + keys;
  if (!ragged || NAME(is_finite)(b->v + at * p->e, keys * p->e)) {
    NAME(multiply)(b, 0, b->rows, at, keys, to);
  } else {
    for (int64_t i = 0; i < b->rows; i++) {
      const int64_t seen = NAME(seen)(b, i) - at;
      NAME(multiply)(b, i, 1, at, seen < 0 ? 0 : seen > keys ? keys : seen, to);
    }
  }
  if (to == b->out) return;
  TIR_IVDEP
  for (int64_t c = 0; c < b->rows * p->e; c++) b->out[c] += to[c];
}

static tir_status NAME(rows)(const tir_exec_call *call, const BLOCK *b) {
  const tir_exec_attention_params *const p = b->p;
  double unasked = 0;  // multiplications
  // The last row sees the most: positions behind that are not read.
  const int64_t all = NAME(seen)(b, b->rows - 1);
  for (int64_t i = 0; i < b->rows; i++) {
    b->largest[i] = (T)-INFINITY;
    b->sum[i] = 0;
  }
  // No block comes: 0/0 below makes such a row NaN.
  if (all == 0)
    for (int64_t c = 0; c < b->rows * p->e; c++) b->out[c] = 0;
  for (int64_t at = 0; at < all; at += TIR_EXEC_ATTENTION_KEYS) {
    const int64_t left = all - at;
    const int64_t keys =
        left < TIR_EXEC_ATTENTION_KEYS ? left : TIR_EXEC_ATTENTION_KEYS;
    if (unasked > MANY_MULTIPLICATIONS) {
      TIR_TRY(tir_exec_ask(call));
      unasked = 0;
    }
    unasked += (double)(b->rows * keys) * (double)(p->d + p->e);
    NAME(score)(b, at, keys);
    for (int64_t i = 0; i < b->rows; i++) {
      const int64_t seen = NAME(seen)(b, i) - at;
      NAME(weigh)(b, i, at, keys, seen < 0 ? 0 : seen > keys ? keys : seen);
    }
    NAME(add_values)(b, at, keys);
  }
  for (int64_t i = 0; i < b->rows; i++) {
    T *const out = b->out + i * p->e;
    const T sum = b->sum[i];
    TIR_IVDEP
    for (int64_t c = 0; c < p->e; c++) out[c] = out[c] / sum;
  }
  return TIR_OK;
}

// Operands of a block of rows, of those of all leading indices.
static void NAME(place)(const tir_exec_call *call, int64_t number, BLOCK *b) {
  const tir_exec_attention_params *const p = call->params;
  const int64_t leading = number / p->blocks;
  b->first = number % p->blocks * TIR_EXEC_ATTENTION_ROWS;
  b->rows = p->m - b->first < TIR_EXEC_ATTENTION_ROWS ? p->m - b->first
                                                      : TIR_EXEC_ATTENTION_ROWS;
  const int64_t row = leading * p->m + b->first;
  // q and out are dense over all leading axes; the others may repeat theirs.
  b->q = (const T *)tir_exec_arg(call, 0) + row * p->d;
  b->out = (T *)tir_exec_arg(call, p->out_arg) + row * p->e;
  b->k = tir_exec_arg(call, 1);
  b->v = tir_exec_arg(call, 2);
  b->mask = p->has_mask ? tir_exec_arg(call, 3) : NULL;
  int64_t rest = leading;
  for (int32_t i = p->rank - 1; i >= 0; i--) {
    const int64_t at = rest % p->dims[i];
    rest /= p->dims[i];
    b->k += at * p->k_strides[i];
    b->v += at * p->v_strides[i];
    if (b->mask) b->mask += at * p->mask_strides[i];
  }
  if (b->mask) b->mask += b->first * p->mask_row;
  b->valid = p->n;
  if (!p->has_length) return;
  b->valid =
      tir_exec_index_given(&p->lengths, tir_exec_arg(call, p->length_arg),
                           leading / p->leading_per_length);
  if (b->valid < 0) b->valid = 0;
  if (b->valid > p->n) b->valid = p->n;
}

static tir_status NAME(attention)(const tir_exec_call *call) {
  const tir_exec_attention_params *const p = call->params;
  const tir_exec_span span =
      tir_exec_span_of(call, p->n_leading * p->blocks, p->per_unit);
  BLOCK b = {.p = p, .pack = call->scratch};
  // The order in which attention.c counted the scratch memory.
  b.scores = (T *)((char *)call->scratch + p->pack_bytes);
  b.product = b.scores + TIR_EXEC_ATTENTION_ROWS * TIR_EXEC_ATTENTION_KEYS;
  b.largest = b.product + TIR_EXEC_ATTENTION_ROWS * p->e;
  b.sum = b.largest + TIR_EXEC_ATTENTION_ROWS;
  for (int64_t i = span.first; i < span.end; i++) {
    NAME(place)(call, i, &b);
    TIR_TRY(NAME(rows)(call, &b));
  }
  return TIR_OK;
}

#undef BLOCK
#undef T
#undef NAME
#undef EXP
#undef EXPS
#undef MAX
