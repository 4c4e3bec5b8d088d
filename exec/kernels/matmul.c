// matmul: shapes are brought to batches of plain products at compile. Large
// float products are computed in tiles, by BLAS or by the loops of
// levels/gemm.c, the rest by those loops as a whole.
//
// What runs is a function of (m, n, k, flags, dtype), the CPU level and of
// which BLAS is there: never of threads, addresses or earlier runs. The sum of
// an element is never put together from parts of several lanes: one lane adds
// up its stretches of k in order.
#include <limits.h>

#include "exec/blas.h"
#include "exec/kernels/levels.h"

// Of one multiplication, beside an addition that comes from memory.
#define MULTIPLICATION 0.03

typedef struct matmul_params {
  tir_exec_gemm_block block;  // pointers are filled in per call
  tir_exec_gemm_fn gemm;      // own loops, NULL: BLAS
  tir_exec_dot_fn dot;        // long inner products
  // BLAS: one call per tile of c and stretch of k.
  void (*blas)(const tir_exec_gemm_call *call);
  tir_exec_gemm_call call;
  tir_exec_gemm_grid grid;
  int64_t tiles_n, n_tiles;  // in a row of tiles, of one product
  bool copies_a;             // own loops: behind pack_bytes of scratch
  size_t pack_bytes;
  size_t elem_size;
  int64_t per_unit;  // tiles, or pieces, of all products
  // Own loops: a product in pieces of so many columns and rows of c, numbered
  // along one side first.
  bool by_columns;
  int64_t columns, rows;
  int64_t n_across, n_pieces;
  // Batches; strides in bytes, 0 where an operand is repeated.
  int32_t rank;
  int64_t n_batches;
  int64_t dims[TIR_MAX_RANK];
  int64_t a_strides[TIR_MAX_RANK], b_strides[TIR_MAX_RANK];
  size_t c_bytes;
} matmul_params;

// --- running ----------------------------------------------------------------

static void run_own(const matmul_params *p, const char *a, const char *b,
                    char *c, void *pack) {
  tir_exec_gemm_block block = p->block;
  block.a = a;
  block.b = b;
  block.c = c;
  block.pack = pack;
  p->gemm(&block);
}

// Where the operands of product number `batch` start.
typedef struct product {
  const char *a, *b;
  char *c;
} product;

static void call_blas(const matmul_params *p, const tir_exec_gemm_block *g) {
  tir_exec_gemm_call call = p->call;
  call.m = (int)g->m;
  call.n = (int)g->n;
  call.k = (int)g->k;
  call.adds = g->adds;
  call.a = g->a;
  call.b = g->b;
  call.c = g->c;
  p->blas(&call);
}

// Tile number `tile` of one product, counted row by row. The last of a row or
// column of tiles may be smaller. A tile left half done is one of a run that
// has been stopped.
static tir_status run_tile(const matmul_params *p, int64_t tile,
                           const product *at, const tir_exec_call *call) {
  const tir_exec_gemm_block *const s = &p->block;
  const int64_t i = tile / p->tiles_n * p->grid.tile_m;
  const int64_t j = tile % p->tiles_n * p->grid.tile_n;
  tir_exec_gemm_block part = *s;
  part.m = tir_exec_least(s->m - i, p->grid.tile_m);
  part.n = tir_exec_least(s->n - j, p->grid.tile_n);
  part.c = at->c + (size_t)(i * s->c_row + j) * p->elem_size;
  part.is_part = true;
  part.pack = call->scratch;
  if (p->copies_a) part.a_pack = (char *)call->scratch + p->pack_bytes;
  for (int64_t k = 0; k < s->k; k += p->grid.stretch) {
    if (k > 0) TIR_TRY(tir_exec_ask(call));
    part.k = tir_exec_least(s->k - k, p->grid.stretch);
    part.adds = k > 0;
    part.a = at->a + (size_t)(i * s->a_row + k * s->a_column) * p->elem_size;
    part.b = at->b + (size_t)(j * s->b_column + k * s->b_row) * p->elem_size;
    if (p->gemm)
      p->gemm(&part);
    else
      call_blas(p, &part);
  }
  return TIR_OK;
}

static product find_product(const matmul_params *p, const tir_exec_call *call,
                            int64_t batch) {
  product at = {tir_exec_arg(call, 0), tir_exec_arg(call, 1),
                tir_exec_arg(call, 2)};
  at.c += (size_t)batch * p->c_bytes;
  // The batch number in mixed radix, the last dim fastest.
  for (int32_t d = p->rank - 1; d >= 0; d--) {
    at.a += p->a_strides[d] * (batch % p->dims[d]);
    at.b += p->b_strides[d] * (batch % p->dims[d]);
    batch /= p->dims[d];
  }
  return at;
}

static tir_status tiles_run(const tir_exec_call *call) {
  const matmul_params *const p = call->params;
  const tir_exec_span span =
      tir_exec_span_of(call, p->n_batches * p->n_tiles, p->per_unit);
  for (int64_t t = span.first; t < span.end; t++) {
    const product at = find_product(p, call, t / p->n_tiles);
    TIR_TRY(run_tile(p, t % p->n_tiles, &at, call));
  }
  return TIR_OK;
}

// The common case of one product.
static tir_status single_run(const tir_exec_call *call) {
  const matmul_params *const p = call->params;
  run_own(p, tir_exec_arg(call, 0), tir_exec_arg(call, 1),
          tir_exec_arg(call, 2), call->scratch);
  return TIR_OK;
}

// Pieces first … first + n − 1 of one product, which lie side by side. Each
// element is a sum of its own, so where the cut goes changes no bit.
static void run_pieces(const matmul_params *p, const product *at, int64_t first,
                       int64_t n, void *pack) {
  tir_exec_gemm_block part = p->block;
  const size_t size = p->elem_size;
  const int64_t along = first / p->n_across, across = first % p->n_across;
  const int64_t row = (p->by_columns ? across : along) * p->rows;
  const int64_t column = (p->by_columns ? along : across) * p->columns;
  part.a = at->a + (size_t)(row * part.a_row) * size;
  part.b = at->b + (size_t)(column * part.b_column) * size;
  part.c = at->c + (size_t)(row * part.c_row + column) * size;
  part.pack = pack;
  // A piece of one column must be a chain too, as its neighbours are.
  part.is_part = part.n > 1;
  part.m = tir_exec_least(part.m - row, (p->by_columns ? 1 : n) * p->rows);
  part.n =
      tir_exec_least(part.n - column, (p->by_columns ? n : 1) * p->columns);
  p->gemm(&part);
}

// Pieces that follow on each other are computed as one, if they make up whole
// columns or rows.
static tir_status pieces_run(const tir_exec_call *call) {
  const matmul_params *const p = call->params;
  const tir_exec_span span =
      tir_exec_span_of(call, p->n_batches * p->n_pieces, p->per_unit);
  for (int64_t i = span.first; i < span.end;) {
    const int64_t piece = i % p->n_pieces;
    const int64_t rest = tir_exec_least(p->n_pieces - piece, span.end - i);
    const int64_t n = p->n_across == 1 ? rest : 1;
    const product at = find_product(p, call, i / p->n_pieces);
    run_pieces(p, &at, piece, n, call->scratch);
    i += n;
  }
  return TIR_OK;
}

// Long rows of a with one column of b. A row of all products is a unit or more.
static tir_status dots_run(const tir_exec_call *call) {
  const matmul_params *const p = call->params;
  const int64_t m = p->block.m;
  const tir_exec_span span =
      tir_exec_span_of(call, p->n_batches * m, p->per_unit);
  for (int64_t i = span.first; i < span.end; i++) {
    const product at = find_product(p, call, i / m);
    const int64_t row = i % m;
    TIR_TRY(p->dot(call, at.a + (size_t)(row * p->block.a_row) * p->elem_size,
                   at.b, p->block.k, at.c + (size_t)row * p->elem_size));
  }
  return TIR_OK;
}

// --- shape ------------------------------------------------------------------

// Strides in bytes of an operand's batch dims, lined up with the output's.
static void batch_strides(const tir_ir_type *in, const tir_ir_type *out,
                          int64_t *strides) {
  int64_t stride = (int64_t)tir_dtype_size(in->dtype) * in->dims[in->rank - 1] *
                   in->dims[in->rank - 2];
  for (int i = out->rank - 3; i >= 0; i--) {
    const int own = i - (out->rank - in->rank);
    strides[i] = own < 0 || in->dims[own] == 1 ? 0 : stride;
    if (own >= 0) stride *= in->dims[own];
  }
}

static void fill_shape(const tir_exec_prepare *q, matmul_params *p) {
  const tir_attrs_matmul *const attrs = q->attrs;
  const tir_ir_type *const a = &q->in[0], *const b = &q->in[1];
  const tir_ir_type *const out = &q->out[0];
  tir_exec_gemm_block *const s = &p->block;
  const int64_t a_last = a->dims[a->rank - 1];
  const int64_t b_last = b->dims[b->rank - 1];
  s->m = out->dims[out->rank - 2];
  s->n = out->dims[out->rank - 1];
  s->k = attrs->transpose_a ? a->dims[a->rank - 2] : a_last;
  s->a_row = attrs->transpose_a ? 1 : a_last;
  s->a_column = attrs->transpose_a ? a_last : 1;
  s->b_row = attrs->transpose_b ? 1 : b_last;
  s->b_column = attrs->transpose_b ? b_last : 1;
  s->c_row = s->n;
  p->elem_size = tir_dtype_size(out->dtype);
  p->rank = out->rank - 2;
  p->n_batches = 1;
  for (int i = 0; i < p->rank; i++) {
    p->dims[i] = out->dims[i];
    p->n_batches *= out->dims[i];
  }
  batch_strides(a, out, p->a_strides);
  batch_strides(b, out, p->b_strides);
  p->c_bytes = (size_t)(s->m * s->n) * p->elem_size;
}

// One b for all batches: the rows of all of a's matrices are one matrix, and so
// are those of c. The rows of `a` must follow on each other, which those of a
// transposed or repeated one do not.
static void merge_batches(matmul_params *p, bool transpose_a) {
  if (transpose_a) return;
  for (int i = 0; i < p->rank; i++)
    if (p->dims[i] != 1 && (p->b_strides[i] != 0 || p->a_strides[i] == 0))
      return;
  p->block.m *= p->n_batches;
  p->n_batches = 1;
  p->rank = 0;
}

// With one row or column of c the product is turned around where that makes the
// other operand dense along k, or along its rows: cᵀ = bᵀ·aᵀ. A vector has the
// same layout either way. True if operands change places.
static bool turn(tir_exec_gemm_block *s) {
  const bool column = s->n == 1 && s->a_column != 1;
  const bool row = s->m == 1 && s->n != 1 && s->b_column != 1;
  if (!column && !row) return false;
  const tir_exec_gemm_block old = *s;
  s->m = old.n;
  s->n = old.m;
  s->a_row = old.b_column;
  s->a_column = old.b_row;
  s->b_row = old.a_column;
  s->b_column = old.a_row;
  s->c_row = s->n;
  return true;
}

// --- choosing ---------------------------------------------------------------

// BLAS would pack b for nothing.
static bool is_thin(const tir_exec_gemm_block *s) { return s->m < 16; }

// Worth cutting into tiles. With FMA own loops keep up with BLAS until operands
// outgrow the caches, so that most graphs never open it.
static bool is_large(const tir_exec_gemm_block *s, int cpu_level) {
  const double limit =
      cpu_level >= TIR_CPU_AVX2 ? 64.0 * (1 << 20) : 48.0 * 48.0 * 48.0;
  if (s->n < 16 || s->k < 4) return false;
  // Few rows: what matters is how b comes in from memory.
  if (is_thin(s))
    return s->b_column == 1 && (double)s->n * (double)s->k >= 1 << 20;
  return (double)s->m * (double)s->n * (double)s->k > limit;
}

// BLAS counts in int.
static bool fits_blas(const tir_exec_gemm_block *s) {
  return s->m <= INT_MAX && s->n <= INT_MAX && s->k <= INT_MAX &&
         s->a_row <= INT_MAX && s->a_column <= INT_MAX && s->b_row <= INT_MAX &&
         s->b_column <= INT_MAX;
}

// Cut over lanes by tiles.
static void use_tiles(tir_exec_prepare *q, matmul_params *p) {
  const tir_exec_gemm_block *const s = &p->block;
  p->tiles_n = (s->n + p->grid.tile_n - 1) / p->grid.tile_n;
  p->n_tiles = (s->m + p->grid.tile_m - 1) / p->grid.tile_m * p->tiles_n;
  const double cost =
      MULTIPLICATION * (double)p->grid.tile_m * (double)p->grid.tile_n;
  p->per_unit = tir_exec_cut(q, p->n_batches * p->n_tiles, cost * (double)s->k);
  q->run = tiles_run;
}

static void use_blas(tir_exec_prepare *q, matmul_params *p) {
  const tir_attrs_matmul *const attrs = q->attrs;
  tir_exec_gemm_call *const call = &p->call;
  const tir_exec_gemm_block *const s = &p->block;
  p->gemm = NULL;
  p->blas = q->in[0].dtype == TIR_DTYPE_F32 ? tir_exec_blas_sgemm
                                            : tir_exec_blas_dgemm;
  call->transpose_a = attrs->transpose_a != 0;
  call->transpose_b = attrs->transpose_b != 0;
  // Leading dimensions: strides between stored rows, whichever way they are
  // read.
  call->lda = (int)(attrs->transpose_a ? s->a_column : s->a_row);
  call->ldb = (int)(attrs->transpose_b ? s->b_column : s->b_row);
  call->ldc = (int)s->c_row;
  p->grid = tir_exec_gemm_grid_of(s->m, s->n, s->k);
  use_tiles(q, p);
  q->uses_blas = true;
}

static void use_own_tiles(tir_exec_prepare *q, matmul_params *p) {
  const tir_exec_gemm_block *const s = &p->block;
  // A transposed one would be read across its rows for every panel of b.
  const bool copies_a = s->a_column != 1;
  p->grid = tir_exec_gemm_own_grid_of(s->m, s->n, s->k, copies_a);
  use_tiles(q, p);
  p->pack_bytes = tir_exec_gemm_pack_bytes(p->grid.stretch);
  q->scratch_bytes = p->pack_bytes;
  if (copies_a)
    q->scratch_bytes +=
        tir_exec_gemm_a_bytes(p->grid.tile_m, p->grid.stretch, p->elem_size);
  p->copies_a = copies_a;
}

// Operands of a turned product: the same entries in the other order.
static tir_status run_turned(const tir_exec_call *call,
                             tir_exec_kernel_fn run) {
  const uint32_t arg[3] = {call->arg[1], call->arg[0], call->arg[2]};
  tir_exec_call turned = *call;
  turned.arg = arg;
  return run(&turned);
}

static tir_status turned_pieces_run(const tir_exec_call *call) {
  return run_turned(call, pieces_run);
}

static tir_status turned_dots_run(const tir_exec_call *call) {
  return run_turned(call, dots_run);
}

static void swap_batches(matmul_params *p) {
  for (int i = 0; i < p->rank; i++) {
    const int64_t stride = p->a_strides[i];
    p->a_strides[i] = p->b_strides[i];
    p->b_strides[i] = stride;
  }
}

// A side in pieces of a multiple of `least_piece`, such that none is more than
// so many.
static int64_t piece_of(int64_t side, int64_t least_piece, double most) {
  if (most >= (double)side) return side;
  const int64_t n = (int64_t)(most / (double)least_piece);
  return n > 1 ? n * least_piece : least_piece;
}

// Products that are not worth tiles, and integers. Whole products where one is
// less than a unit. Else columns, since each panel of b is then packed by one
// lane only, or rows where c is narrow; across them where even the least piece
// would be long.
static void cut_own(tir_exec_prepare *q, matmul_params *p) {
  enum { COLUMNS = 32, ROWS = 48 };  // whole panels and tiles at every level
  const double most = 1 << 24;       // multiplications: a few milliseconds
  const tir_exec_gemm_block *const s = &p->block;
  const double cost = MULTIPLICATION * (double)s->k;
  p->by_columns = s->n >= 8 * COLUMNS || s->n >= s->m;
  p->columns = s->n;
  p->rows = s->m;
  p->n_across = p->n_pieces = 1;
  p->per_unit =
      tir_exec_cut(q, p->n_batches, cost * (double)s->m * (double)s->n);
  if (p->n_batches > 1 && p->per_unit > 1) return;
  if (p->by_columns) {
    p->columns = tir_exec_least(s->n, COLUMNS);
    p->rows = piece_of(s->m, ROWS, most / (double)s->k / (double)p->columns);
    p->n_across = tir_exec_divide_up(s->m, p->rows);
  } else {
    p->rows = tir_exec_least(s->m, ROWS);
    p->columns = piece_of(s->n, COLUMNS, most / (double)s->k / (double)p->rows);
    p->n_across = tir_exec_divide_up(s->n, p->columns);
  }
  p->n_pieces =
      tir_exec_divide_up(s->n, p->columns) * tir_exec_divide_up(s->m, p->rows);
  p->per_unit = tir_exec_cut(q, p->n_batches * p->n_pieces,
                             cost * (double)p->rows * (double)p->columns);
}

// Inner products so long that even one has to ask. c has one column, so its
// rows stand side by side.
static bool is_long_dot(const tir_exec_gemm_block *s) {
  return s->n == 1 && s->a_column == 1 && s->b_row == 1 &&
         s->k > TIR_EXEC_ASK_AFTER;
}

static tir_status matmul_prepare(tir_exec_prepare *q) {
  const tir_attrs_matmul *const attrs = q->attrs;
  const tir_dtype dtype = q->in[0].dtype;
  const tir_exec_level_gemm *const level =
      TIR_AT_LEVEL(tir_exec_gemm, q->cpu_level);
  if (!level->gemm[dtype]) return tir_exec_kernel_missing(q);
  matmul_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  q->params = p;
  p->gemm = level->gemm[dtype];
  fill_shape(q, p);
  merge_batches(p, attrs->transpose_a != 0);
  if (tir_ir_type_numel(&q->out[0]) == 0) {
    q->run = tir_exec_kernel_nothing;
    return TIR_OK;
  }
  // Integers have no BLAS and no form for vectors.
  const bool is_float = dtype == TIR_DTYPE_F32 || dtype == TIR_DTYPE_F64;
  if (is_float && is_large(&p->block, q->cpu_level)) {
    if (!is_thin(&p->block) && fits_blas(&p->block) && tir_exec_blas_load() &&
        tir_exec_blas_suits(q->cpu_level))
      use_blas(q, p);
    else
      use_own_tiles(q, p);
    return TIR_OK;
  }
  const bool is_turned = is_float && turn(&p->block);
  if (is_turned) swap_batches(p);
  p->dot = TIR_AT_LEVEL(tir_exec_dot, q->cpu_level)->dot[dtype];
  if (p->dot && is_long_dot(&p->block)) {
    p->per_unit = tir_exec_cut(q, p->n_batches * p->block.m,
                               MULTIPLICATION * (double)p->block.k);
    q->run = is_turned ? turned_dots_run : dots_run;
    return TIR_OK;
  }
  cut_own(q, p);
  if (is_turned)
    q->run = turned_pieces_run;
  else
    q->run = p->n_batches * p->n_pieces > 1 ? pieces_run : single_run;
  // Per lane: each packs for itself.
  q->scratch_bytes = tir_exec_gemm_pack_bytes(p->block.k);
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_matmul = {.prepare = matmul_prepare};
