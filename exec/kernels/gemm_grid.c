// How large matrix products are cut into tiles and calls: functions of the
// shape alone, so that the grid is the same whatever computes it.
#include <math.h>

#include "exec/kernels/gemm.h"

// A multiplication and an addition per term; in double it cannot overflow.
static double tile_flops(int64_t m, int64_t n, int64_t k) {
  return 2.0 * (double)m * (double)n * (double)k;
}

// 1/n of a side, in whole registers of BLAS's kernels where it is long enough.
static int64_t part_of(int64_t side, int64_t n) {
  const int64_t part = (side + n - 1) / n;
  return part > 16 ? (part + 15) / 16 * 16 : part;
}

// As few stretches as calls may be long, all about as long.
static int64_t stretch_of(int64_t tile_m, int64_t tile_n, int64_t k) {
  const double n = tile_flops(tile_m, tile_n, k) / TIR_EXEC_MAX_CALL_FLOPS;
  const int64_t shortest = tir_exec_least(k, TIR_EXEC_MIN_STRETCH);
  const int64_t even = part_of(k, (int64_t)ceil(n));
  return even > shortest ? tir_exec_least(even, k) : shortest;
}

tir_exec_gemm_grid tir_exec_gemm_grid_of(int64_t m, int64_t n, int64_t k) {
  // Halves the longer side until a call is short enough and there are tiles
  // enough. It ends: each turn shortens a side, and sides of 1 are left alone.
  tir_exec_gemm_grid grid = {m, n, k};
  const int64_t shortest = tir_exec_least(k, TIR_EXEC_MIN_STRETCH);
  for (;;) {
    const int64_t n_tiles = ((m + grid.tile_m - 1) / grid.tile_m) *
                            ((n + grid.tile_n - 1) / grid.tile_n);
    int64_t *const side =
        grid.tile_m >= grid.tile_n ? &grid.tile_m : &grid.tile_n;
    const bool must = tile_flops(grid.tile_m, grid.tile_n, shortest) >
                          TIR_EXEC_MAX_CALL_FLOPS &&
                      *side > 1;
    const bool may = n_tiles < TIR_EXEC_MAX_TILES &&
                     tile_flops(grid.tile_m, grid.tile_n, k) >=
                         2 * TIR_EXEC_MIN_TILE_FLOPS &&
                     *side >= 2 * TIR_EXEC_MIN_TILE_SIDE;
    if (!must && !may) break;
    *side = part_of(*side, 2);
  }
  grid.stretch = stretch_of(grid.tile_m, grid.tile_n, k);
  return grid;
}

static int64_t round_up(int64_t a, int64_t b) {
  return tir_exec_divide_up(a, b) * b;
}

static int64_t most_of(int64_t a, int64_t b) { return a > b ? a : b; }

// Rows enough to make up for packing b, columns up to what a call may take;
// with a copy of a the columns have to make up for that. Fewer of either where
// that gives 16 workers a tile each.
tir_exec_gemm_grid tir_exec_gemm_own_grid_of(int64_t m, int64_t n, int64_t k,
                                             bool copies_a) {
  // In whole panels and tiles of registers.
  enum { SIDE = 512, COLUMNS = 64, ROWS = 96 };
  tir_exec_gemm_grid grid;
  grid.tile_m = tir_exec_least(m, copies_a ? SIDE / 2 : SIDE);
  grid.stretch =
      tir_exec_least(k, copies_a ? TIR_EXEC_STRETCH / 2 : TIR_EXEC_STRETCH);
  const double most =
      TIR_EXEC_MAX_CALL_FLOPS / tile_flops(grid.tile_m, 1, grid.stretch);
  const int64_t n_down = tir_exec_divide_up(m, grid.tile_m);
  const int64_t share = round_up(
      tir_exec_divide_up(n, tir_exec_divide_up(TIR_EXEC_MAX_TILES, n_down)),
      COLUMNS);
  const int64_t columns =
      most < SIDE ? (int64_t)most / COLUMNS * COLUMNS : SIDE;
  grid.tile_n =
      tir_exec_least(n, tir_exec_least(most_of(columns, COLUMNS), share));
  const int64_t n_across = tir_exec_divide_up(n, grid.tile_n);
  const int64_t rows = round_up(
      tir_exec_divide_up(m, tir_exec_divide_up(TIR_EXEC_MAX_TILES, n_across)),
      ROWS);
  grid.tile_m = tir_exec_least(grid.tile_m, rows);
  return grid;
}
