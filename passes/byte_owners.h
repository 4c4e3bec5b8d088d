// Who owns each byte of a line of memory, where owners change by whole pieces.
#ifndef TAPEIR_PASSES_BYTE_OWNERS_H
#define TAPEIR_PASSES_BYTE_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tir_pass_region {
  size_t first, end;  // addresses; empty where equal
} tir_pass_region;

// Memory is the caller's: room for all cuts, and 2 · n_leaves zeroed entries
// of the tree, n_leaves being a power of two not below the number of cuts.
typedef struct tir_pass_owners {
  size_t *cuts;  // addresses where pieces begin, rising
  size_t n_cuts;
  uint32_t *tree;  // owners: n_leaves inner entries, then the pieces
  size_t n_leaves;
} tir_pass_owners;

// Address where some piece may begin or end. All of them first, in any order;
// then tir_pass_owners_start; then owners, 0 for nobody.
static inline void tir_pass_owners_cut(tir_pass_owners *o, size_t address) {
  o->cuts[o->n_cuts++] = address;
}
void tir_pass_owners_start(tir_pass_owners *o);

// Both take regions that begin and end at cuts; O(log n_cuts). Nobody asks for
// owner UINT32_MAX.
void tir_pass_owners_set(tir_pass_owners *o, tir_pass_region r, uint32_t owner);
// Does one owner hold all of the region? An empty one is everybody's.
bool tir_pass_owners_is(const tir_pass_owners *o, tir_pass_region r,
                        uint32_t owner);

#endif
