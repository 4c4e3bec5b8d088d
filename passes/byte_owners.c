// Owners of bytes: sorted cuts, and a tree of owners over the pieces between.
#include "passes/byte_owners.h"

// Entry of the tree below which owners differ.
#define MIXED UINT32_MAX

// --- cuts ------------------------------------------------------------------

// Heap sort, written here: qsort of the C library may allocate.
static void sift_down(size_t *x, size_t at, size_t n) {
  const size_t item = x[at];
  for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
    if (child + 1 < n && x[child] < x[child + 1]) child++;
    if (item >= x[child]) break;
    x[at] = x[child];
    at = child;
  }
  x[at] = item;
}

static size_t sort_unique(size_t *x, size_t n) {
  for (size_t i = n / 2; i-- > 0;) sift_down(x, i, n);
  for (size_t i = n; i-- > 1;) {
    const size_t most = x[0];
    x[0] = x[i];
    x[i] = most;
    sift_down(x, 0, i);
  }
  size_t kept = 0;
  for (size_t i = 0; i < n; i++)
    if (kept == 0 || x[i] != x[kept - 1]) x[kept++] = x[i];
  return kept;
}

void tir_pass_owners_start(tir_pass_owners *o) {
  o->n_cuts = sort_unique(o->cuts, o->n_cuts);
}

// First cut at or behind an address.
static size_t find_cut(const tir_pass_owners *o, size_t address) {
  size_t low = 0, high = o->n_cuts;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (o->cuts[middle] < address)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// --- pieces ----------------------------------------------------------------

// Pieces low … high − 1 of the tree below `entry`, which spans `size` pieces
// from `first` on. An entry that is not MIXED speaks for all below it. The
// depth is the logarithm of the number of pieces.
static void set_pieces(tir_pass_owners *o, size_t entry, size_t first,
                       size_t size, size_t low, size_t high, uint32_t owner) {
  if (high <= first || first + size <= low || o->tree[entry] == owner) return;
  if (low <= first && first + size <= high) {
    o->tree[entry] = owner;
    return;
  }
  uint32_t *below = &o->tree[2 * entry];
  if (o->tree[entry] != MIXED) below[0] = below[1] = o->tree[entry];
  set_pieces(o, 2 * entry, first, size / 2, low, high, owner);
  set_pieces(o, 2 * entry + 1, first + size / 2, size / 2, low, high, owner);
  o->tree[entry] = below[0] == below[1] ? below[0] : MIXED;
}

// Does one owner hold all of the pieces?
static bool own_pieces(const tir_pass_owners *o, size_t entry, size_t first,
                       size_t size, size_t low, size_t high, uint32_t owner) {
  if (high <= first || first + size <= low) return true;
  if (o->tree[entry] != MIXED) return o->tree[entry] == owner;
  return own_pieces(o, 2 * entry, first, size / 2, low, high, owner) &&
         own_pieces(o, 2 * entry + 1, first + size / 2, size / 2, low, high,
                    owner);
}

void tir_pass_owners_set(tir_pass_owners *o, tir_pass_region r,
                         uint32_t owner) {
  if (r.first < r.end)
    set_pieces(o, 1, 0, o->n_leaves, find_cut(o, r.first), find_cut(o, r.end),
               owner);
}

bool tir_pass_owners_is(const tir_pass_owners *o, tir_pass_region r,
                        uint32_t owner) {
  return r.first >= r.end ||
         own_pieces(o, 1, 0, o->n_leaves, find_cut(o, r.first),
                    find_cut(o, r.end), owner);
}
