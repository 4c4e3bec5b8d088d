// Fused steps at run time: the loop over tiles and instructions.
//
// Each tile goes through all instructions before the next one, so what they
// hand on is still in the nearest cache. Which loops are run, and where values
// are, was settled by fuse.c.
#include <string.h>

#include "exec/kernels/fused_program.h"

// Which elements and rows a tile has.
typedef struct tile {
  int64_t number;
  int64_t first, n;         // elements
  int64_t first_row, rows;  // of which it has the whole
} tile;

// Tiles of long rows begin anew with each row and hold no whole one; others
// follow on each other, and hold whole rows if there are any.
static tile find_tile(const tir_exec_fused *p, int64_t number) {
  tile t = {.number = number};
  if (p->tiles_per_row > 0) {
    const int64_t in_row = number % p->tiles_per_row * p->tile;
    t.first = number / p->tiles_per_row * p->row + in_row;
    t.n = p->row - in_row < p->tile ? p->row - in_row : p->tile;
    return t;
  }
  t.first = number * p->tile;
  t.n = p->n - t.first < p->tile ? p->n - t.first : p->tile;
  if (p->row == 0) return t;
  t.first_row = t.first / p->row;
  t.rows = t.n / p->row;
  return t;
}

// Each of the n elements at `from`, `times` times.
#define TIR_REPEAT(T)                                  \
  do {                                                 \
    const T *const x = from;                           \
    T *y = to;                                         \
    for (int64_t i = 0; i < n; i++, y += times)        \
      for (int64_t k = 0; k < times; k++) y[k] = x[i]; \
  } while (0)

static void repeat(void *to, const void *from, size_t size, int64_t n,
                   int64_t times) {
  switch (size) {
    case 1:
      TIR_REPEAT(uint8_t);
      return;
    case 2:
      TIR_REPEAT(uint16_t);
      return;
    case 4:
      TIR_REPEAT(uint32_t);
      return;
    default:
      TIR_REPEAT(uint64_t);
  }
}

// What a call works on.
typedef struct machine {
  const tir_exec_fused *p;
  const tir_exec_call *call;
  char **at;      // by slot: where its elements of this tile are
  char *shared;   // accumulators of long rows
  char *folding;  // accumulators of the rows of a tile
} machine;

// One accumulator a row, finished at once: the results are used in the tile.
static void fold_rows(const machine *m, const tir_exec_fused_op *op,
                      const tile *t) {
  const char *x = m->at[op->in[0]];
  for (int64_t r = 0; r < t->rows; r++, x += (size_t)m->p->row * op->size)
    op->folding.part(x, m->p->row, m->folding, r);
  op->folding.finish(op->folding.params, m->folding, 1, t->rows,
                     m->at[op->out]);
}

// The entries of operands an instruction does not have are 0; a loop ignores
// what it is given there.
static void run_op(const machine *m, const tir_exec_fused_op *op,
                   const tile *t) {
  char *const *at = m->at;
  const int64_t n = op->per_row ? t->rows : t->n;
  switch (op->kind) {
    case TIR_FUSED_LOOP:
      op->loop(n, at[op->out], at[op->in[0]], at[op->in[1]], at[op->in[2]]);
      break;
    case TIR_FUSED_EXPAND:
      tir_exec_expand(op->broadcast, tir_exec_arg(m->call, op->arg),
                      op->per_row ? t->first_row : t->first, n, at[op->out]);
      break;
    case TIR_FUSED_REPEAT:
      repeat(at[op->out], at[op->in[0]], op->size, t->rows, m->p->row);
      break;
    case TIR_FUSED_COPY:
      tir_exec_copy_bytes(at[op->out], at[op->in[0]], (size_t)n * op->size);
      break;
    case TIR_FUSED_FOLD_ROWS:
      fold_rows(m, op, t);
      break;
    case TIR_FUSED_FOLD_PART:
      op->folding.part(at[op->in[0]], n, m->shared + op->shared, t->number);
      break;
  }
}

// Registers stay where they are; scalars are repeated once for all tiles.
static machine begin(const tir_exec_call *call) {
  const tir_exec_fused *const p = call->params;
  // A step that is not cut has one piece of memory for everything.
  char *own = call->scratch;
  machine m = {.p = p, .call = call, .shared = call->shared};
  if (call->end == 0) own += p->shared_bytes;
  m.folding = own + p->folding_at;
  m.at = (char **)(void *)(own + p->slots_at);
  for (uint32_t i = 0; i < p->n_slots; i++)
    m.at[i] = p->slots[i].arg == TIR_EXEC_OUTER
                  ? own + p->slots[i].number * p->register_bytes
                  : NULL;
  // No tile is longer, so what is filled here is right for every one.
  const tile all = {.n = p->tile, .rows = p->tile};
  for (uint32_t i = 0; i < p->n_setup; i++) run_op(&m, &p->ops[i], &all);
  return m;
}

static void run_tile(const machine *m, int64_t number) {
  const tir_exec_fused *const p = m->p;
  const tile t = find_tile(p, number);
  // Registers were placed by begin; only these move on with the tile.
  for (uint32_t i = 0; i < p->n_moving; i++) {
    const tir_exec_fused_slot *s = &p->slots[i];
    m->at[i] = (char *)tir_exec_arg(m->call, s->arg) +
               (size_t)(s->per_row ? t.first_row : t.first) * s->size;
  }
  const tir_exec_fused_op *const end = p->ops + p->n_ops;
  for (const tir_exec_fused_op *op = p->ops + p->n_setup; op < end; op++)
    run_op(m, op, &t);
}

// After all tiles: combines what they left of each row. Parts are numbered
// along the rows, so those of one row stand side by side.
tir_status tir_exec_fused_finish(const tir_exec_call *call) {
  const tir_exec_fused *const p = call->params;
  for (uint32_t i = p->n_setup; i < p->n_ops; i++) {
    const tir_exec_fused_op *op = &p->ops[i];
    if (op->kind == TIR_FUSED_FOLD_PART)
      op->folding.finish(op->folding.params, (char *)call->shared + op->shared,
                         p->tiles_per_row, p->n / p->row,
                         tir_exec_arg(call, op->arg));
  }
  return TIR_OK;
}

tir_status tir_exec_fused_run(const tir_exec_call *call) {
  const tir_exec_fused *const p = call->params;
  const tir_exec_span span = tir_exec_span_of(call, p->n_tiles, p->per_unit);
  const machine m = begin(call);
  for (int64_t i = span.first; i < span.end; i++) run_tile(&m, i);
  // A step that is cut is finished by the run, after all its units.
  if (call->end == 0 && p->tiles_per_row > 0)
    return tir_exec_fused_finish(call);
  return TIR_OK;
}
