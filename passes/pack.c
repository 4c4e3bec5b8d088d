// Packing: dynamic storage allocation with all lifetimes known.
//
// By time: walks the times like an allocator, best fit, with free spans in
// bins by size; n log n for any input. By size: largest first, each into the
// tightest gap between the placed blocks whose lives overlap its own; better
// on mixed sizes, but quadratic, so only within a fixed amount of work.
#include "passes/pack.h"

#include <string.h>

#include "ir/base/checked.h"
#include "passes/ready_heap.h"

enum {
  BIN_BITS = 3,  // bins per power of two: 2^3
  N_BINS = 64 << BIN_BITS,
  MAX_LOOKS = 64,  // spans looked at in one bin
  // Comparisons by-size may make: about 10 ms.
  MAX_WORK = 4000000,
};

static const uint32_t NONE = UINT32_MAX;

// --- lower bound -----------------------------------------------------------

// What is alive at the worst time must fit at once, so no packing is smaller.
static tir_status find_lower_bound(tir_context *context,
                                   const tir_pass_block *blocks, size_t n,
                                   uint32_t n_times, size_t *out_bound,
                                   tir_error *error) {
  const size_t n_bytes = ((size_t)n_times + 1) * sizeof(size_t);
  size_t *ends = tir_base_alloc_zero(context, n_bytes, _Alignof(size_t));
  if (!ends) return tir_base_fail_memory(error, n_bytes);
  size_t live = 0, most = 0, next = 0;
  bool fits = true;
  for (uint32_t t = 0; t < n_times && fits; t++) {
    for (; next < n && blocks[next].first == t && fits; next++) {
      fits = tir_base_size_add(live, blocks[next].size, &live);
      // Cannot overflow: what ends together is alive together.
      ends[blocks[next].last + 1] += blocks[next].size;
    }
    if (live > most) most = live;
    live -= ends[t + 1];
  }
  tir_base_free(context, ends, n_bytes, _Alignof(size_t));
  *out_bound = most;
  if (fits) return TIR_OK;
  return tir_base_fail(error, TIR_ERR_LIMIT,
                       "plan: the arena exceeds the address space");
}

// --- by time ---------------------------------------------------------------

// A piece of the arena, free or taken. Neighbours by address are linked; free
// ones are in a bin's list too.
typedef struct span {
  size_t offset, size;
  uint32_t before, after;
  uint32_t previous, next;
  bool is_free;
} span;

typedef struct arena {
  span *spans;
  uint32_t n_spans;
  uint32_t unused;  // list of span records, through `next`
  uint32_t top;     // the span at the end
  uint32_t bins[N_BINS];
  uint64_t filled[N_BINS / 64];  // which bins are not empty
  size_t total;
} arena;

// By the leading bits of the size: eight bins per power of two.
static uint32_t bin_of(size_t size) {
  const uint32_t log = 63 - (uint32_t)__builtin_clzll(size | 1);
  // Below 2^BIN_BITS every size has a bin to itself.
  if (log < BIN_BITS) return (uint32_t)size;
  const uint32_t part =
      (uint32_t)(size >> (log - BIN_BITS)) & ((1u << BIN_BITS) - 1);
  return (log << BIN_BITS) | part;
}

// At the front: what was freed last is warm.
static void bin_add(arena *a, uint32_t i) {
  span *s = &a->spans[i];
  const uint32_t bin = bin_of(s->size);
  s->is_free = true;
  s->previous = NONE;
  s->next = a->bins[bin];
  if (s->next != NONE) a->spans[s->next].previous = i;
  a->bins[bin] = i;
  a->filled[bin / 64] |= 1ull << (bin % 64);
}

static void bin_remove(arena *a, uint32_t i) {
  span *s = &a->spans[i];
  const uint32_t bin = bin_of(s->size);
  s->is_free = false;
  if (s->next != NONE) a->spans[s->next].previous = s->previous;
  if (s->previous != NONE)
    a->spans[s->previous].next = s->next;
  else
    a->bins[bin] = s->next;
  if (a->bins[bin] == NONE) a->filled[bin / 64] &= ~(1ull << (bin % 64));
}

// The smallest span of a bin that is large enough, lowest offset on a tie.
// Only the first MAX_LOOKS spans, so that many alike do not make it quadratic.
static uint32_t best_in_bin(const arena *a, uint32_t bin, size_t size) {
  uint32_t best = NONE;
  int looks = 0;
  for (uint32_t i = a->bins[bin]; i != NONE && looks < MAX_LOOKS;
       i = a->spans[i].next, looks++) {
    const span *s = &a->spans[i];
    if (s->size < size) continue;
    if (best == NONE || s->size < a->spans[best].size ||
        (s->size == a->spans[best].size && s->offset < a->spans[best].offset))
      best = i;
  }
  return best;
}

// First non-empty bin from `bin` on, found by words of bits.
static uint32_t next_bin(const arena *a, uint32_t bin) {
  uint32_t word = bin / 64;
  uint64_t bits = word < N_BINS / 64 ? a->filled[word] >> (bin % 64) : 0;
  if (bits) return bin + (uint32_t)__builtin_ctzll(bits);
  for (word++; word < N_BINS / 64; word++)
    if (a->filled[word])
      return word * 64 + (uint32_t)__builtin_ctzll(a->filled[word]);
  return N_BINS;
}

// Larger bins hold only spans that fit; only the first is searched.
static uint32_t find_span(const arena *a, size_t size) {
  for (uint32_t bin = next_bin(a, bin_of(size)); bin < N_BINS;
       bin = next_bin(a, bin + 1)) {
    const uint32_t found = best_in_bin(a, bin, size);
    if (found != NONE) return found;
  }
  return NONE;
}

// Records are used again, so their number is bounded by the blocks.
static uint32_t new_span(arena *a) {
  const uint32_t i = a->unused;
  if (i == NONE) return a->n_spans++;
  a->unused = a->spans[i].next;
  return i;
}

// Makes the arena end with a free span of at least `size` bytes.
static bool grow(arena *a, size_t size) {
  size_t missing = size;
  if (a->top != NONE && a->spans[a->top].is_free)
    missing -= a->spans[a->top].size;
  const size_t end = a->total;
  if (!tir_base_size_add(a->total, missing, &a->total)) return false;
  // A free span at the end is made longer instead of leaving it as a gap.
  if (missing < size) {
    bin_remove(a, a->top);
    a->spans[a->top].size = size;
    bin_add(a, a->top);
    return true;
  }
  const uint32_t i = new_span(a);
  a->spans[i] =
      (span){.offset = end, .size = size, .before = a->top, .after = NONE};
  if (a->top != NONE) a->spans[a->top].after = i;
  a->top = i;
  bin_add(a, i);
  return true;
}

// Takes `size` bytes; the span they are in, NONE if the arena cannot grow.
static uint32_t take(arena *a, size_t size) {
  uint32_t i = find_span(a, size);
  if (i == NONE) {
    if (!grow(a, size)) return NONE;
    i = a->top;
  }
  bin_remove(a, i);
  if (a->spans[i].size == size) return i;
  const uint32_t rest = new_span(a);
  span *s = &a->spans[i];
  a->spans[rest] = (span){.offset = s->offset + size,
                          .size = s->size - size,
                          .before = i,
                          .after = s->after};
  if (s->after != NONE)
    a->spans[s->after].before = rest;
  else
    a->top = rest;
  s->after = rest;
  s->size = size;
  bin_add(a, rest);
  return i;
}

// Joins span i with the one after it, whose record is given back.
static void join_after(arena *a, uint32_t i) {
  const uint32_t gone = a->spans[i].after;
  a->spans[i].size += a->spans[gone].size;
  a->spans[i].after = a->spans[gone].after;
  if (a->spans[i].after != NONE)
    a->spans[a->spans[i].after].before = i;
  else
    a->top = i;
  a->spans[gone].next = a->unused;
  a->unused = gone;
}

// Joined with free neighbours at once: two free spans never touch.
static void give_back(arena *a, uint32_t i) {
  const uint32_t after = a->spans[i].after;
  if (after != NONE && a->spans[after].is_free) {
    bin_remove(a, after);
    join_after(a, i);
  }
  const uint32_t before = a->spans[i].before;
  if (before != NONE && a->spans[before].is_free) {
    bin_remove(a, before);
    join_after(a, before);
    i = before;
  }
  bin_add(a, i);
}

typedef struct by_time {
  arena arena;
  uint32_t *span_of;  // by block
  uint32_t *ending;   // by time: list of blocks, through `next_ending`
  uint32_t *next_ending;
} by_time;

// What ends at a time is freed after what begins at it: a step needs both its
// operands and its results.
// False when the arena would exceed the address space.
static bool walk_times(by_time *w, tir_pass_block *blocks, size_t n,
                       uint32_t n_times) {
  size_t next = 0;
  for (uint32_t t = 0; t < n_times; t++) {
    for (; next < n && blocks[next].first == t; next++) {
      const uint32_t b = (uint32_t)next;
      blocks[b].offset = 0;
      if (blocks[b].size == 0) continue;
      const uint32_t i = take(&w->arena, blocks[b].size);
      if (i == NONE) return false;
      blocks[b].offset = w->arena.spans[i].offset;
      w->span_of[b] = i;
      w->next_ending[b] = w->ending[blocks[b].last];
      w->ending[blocks[b].last] = b;
    }
    for (uint32_t b = w->ending[t]; b != NONE; b = w->next_ending[b])
      give_back(&w->arena, w->span_of[b]);
  }
  return true;
}

static tir_status pack_by_time(tir_context *context, tir_pass_block *blocks,
                               size_t n, uint32_t n_times, size_t *out_total,
                               tir_error *error) {
  // A taken span per block, and at most one free one beside each.
  const size_t n_spans = 2 * n + 2;
  const size_t n_ids = 2 * n + n_times;
  const size_t n_bytes = n_spans * sizeof(span) + n_ids * sizeof(uint32_t);
  char *memory = tir_base_alloc(context, n_bytes, _Alignof(span));
  if (!memory) return tir_base_fail_memory(error, n_bytes);
  by_time w = {.arena = {.spans = (span *)memory, .unused = NONE, .top = NONE}};
  w.span_of = (uint32_t *)(w.arena.spans + n_spans);
  w.next_ending = w.span_of + n;
  w.ending = w.next_ending + n;
  memset(w.arena.bins, 0xff, sizeof w.arena.bins);
  memset(w.ending, 0xff, n_times * sizeof *w.ending);
  const bool fits = walk_times(&w, blocks, n, n_times);
  *out_total = w.arena.total;
  tir_base_free(context, memory, n_bytes, _Alignof(span));
  if (fits) return TIR_OK;
  return tir_base_fail(error, TIR_ERR_LIMIT,
                       "plan: the arena exceeds the address space");
}

// --- by size ---------------------------------------------------------------

// Larger first, then longer alive, then as made.
// Negative, since the heap gives the smallest key first. 42 bits of 64-byte
// units above 20 bits of life leave the sign alone; what is larger counts as
// the largest.
static int64_t size_key(const tir_pass_block *b) {
  const uint64_t life = b->last - b->first, units = b->size / 64;
  const uint64_t most_life = (1 << 20) - 1, most_units = 1ull << 42;
  return -(int64_t)((units < most_units ? units : most_units) << 20 |
                    (life < most_life ? life : most_life));
}

// The tightest gap for block b among `placed`, which stand by offset; behind
// all of them if there is none. SIZE_MAX when that overflows.
static size_t find_gap(const tir_pass_block *blocks, const uint32_t *placed,
                       size_t n_placed, const tir_pass_block *b) {
  size_t end = 0, best = SIZE_MAX, best_room = SIZE_MAX;
  for (size_t i = 0; i < n_placed; i++) {
    const tir_pass_block *p = &blocks[placed[i]];
    if (p->last < b->first || b->last < p->first) continue;
    if (p->offset > end) {
      const size_t room = p->offset - end;
      if (room >= b->size && room < best_room) {
        best = end;
        best_room = room;
      }
    }
    if (p->offset + p->size > end) end = p->offset + p->size;
  }
  if (best != SIZE_MAX) return best;
  size_t total = 0;
  return tir_base_size_add(end, b->size, &total) ? end : SIZE_MAX;
}

// Where in `placed` an offset belongs.
static size_t find_position(const tir_pass_block *blocks,
                            const uint32_t *placed, size_t n_placed,
                            size_t offset) {
  size_t low = 0, high = n_placed;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (blocks[placed[middle]].offset < offset)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// SIZE_MAX when the arena gets too large.
// The bytes that all of it takes.
static size_t place_by_size(tir_pass_block *blocks, tir_pass_ready_heap *heap,
                            uint32_t *placed) {
  size_t total = 0, n_placed = 0;
  tir_pass_ready item;
  while (tir_pass_ready_pop(heap, &item)) {
    tir_pass_block *b = &blocks[item.step];
    b->offset = 0;
    if (b->size == 0) continue;
    const size_t offset = find_gap(blocks, placed, n_placed, b);
    if (offset == SIZE_MAX) return SIZE_MAX;
    const size_t at = find_position(blocks, placed, n_placed, offset);
    memmove(placed + at + 1, placed + at, (n_placed - at) * sizeof *placed);
    placed[at] = item.step;
    n_placed++;
    b->offset = offset;
    if (offset + b->size > total) total = offset + b->size;
  }
  return total;
}

// The heap gives blocks in order of size without moving them: callers know them
// by index.
static tir_status pack_by_size(tir_context *context, tir_pass_block *blocks,
                               size_t n, size_t *out_total, tir_error *error) {
  tir_pass_ready_heap heap = {.context = context};
  bool has_room = true;
  for (uint32_t i = 0; i < n && has_room; i++)
    has_room = tir_pass_ready_push(
        &heap, (tir_pass_ready){.key = size_key(&blocks[i]), .step = i});
  const size_t n_bytes = n * sizeof(uint32_t);
  uint32_t *placed = tir_base_alloc(context, n_bytes, _Alignof(uint32_t));
  has_room = has_room && placed;
  if (has_room) *out_total = place_by_size(blocks, &heap, placed);
  tir_base_free(context, placed, n_bytes, _Alignof(uint32_t));
  TIR_VEC_FREE(context, &heap.items);
  return has_room ? TIR_OK : tir_base_fail_memory(error, n_bytes);
}

// --- both ------------------------------------------------------------------

// Puts one packing aside and the other in.
static void swap_offsets(tir_pass_block *blocks, size_t *offsets, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const size_t offset = blocks[i].offset;
    blocks[i].offset = offsets[i];
    offsets[i] = offset;
  }
}

// Replaces the packing by time, of *total bytes, if by size is smaller.
static tir_status try_by_size(tir_context *context, tir_pass_block *blocks,
                              size_t n, size_t *total, tir_error *error) {
  const size_t n_bytes = n * sizeof(size_t);
  size_t *offsets = tir_base_alloc_zero(context, n_bytes, _Alignof(size_t));
  if (!offsets) return tir_base_fail_memory(error, n_bytes);
  swap_offsets(blocks, offsets, n);
  size_t by_size = SIZE_MAX;
  const tir_status status = pack_by_size(context, blocks, n, &by_size, error);
  if (status == TIR_OK && by_size < *total)
    *total = by_size;
  else
    swap_offsets(blocks, offsets, n);
  tir_base_free(context, offsets, n_bytes, _Alignof(size_t));
  return status;
}

// By size is only tried where by time left a gap and there are few blocks.
tir_status tir_pass_pack(tir_context *context, tir_pass_block *blocks, size_t n,
                         uint32_t n_times, size_t *out_total,
                         size_t *out_lower_bound, tir_error *error) {
  TIR_TRY(
      find_lower_bound(context, blocks, n, n_times, out_lower_bound, error));
  TIR_TRY(pack_by_time(context, blocks, n, n_times, out_total, error));
  if (*out_total == *out_lower_bound || n * n > 2 * (size_t)MAX_WORK)
    return TIR_OK;
  return try_by_size(context, blocks, n, out_total, error);
}
