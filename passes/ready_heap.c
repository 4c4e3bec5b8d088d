// A binary heap in an array.
//
// Item i stands before items 2i + 1 and 2i + 2, so the first is the smallest.
// Both walks move a hole instead of swapping, and the item is written once.
#include "passes/ready_heap.h"

// A total order over steps: results never depend on how ties fall.
static bool is_before(tir_pass_ready a, tir_pass_ready b) {
  return a.key != b.key ? a.key < b.key : a.step < b.step;
}

bool tir_pass_ready_push(tir_pass_ready_heap *heap, tir_pass_ready item) {
  if (!TIR_VEC_PUSH(heap->context, &heap->items, item)) return false;
  tir_pass_ready *items = heap->items.data;
  size_t at = heap->items.count - 1;
  while (at > 0 && is_before(item, items[(at - 1) / 2])) {
    items[at] = items[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  items[at] = item;
  return true;
}

bool tir_pass_ready_pop(tir_pass_ready_heap *heap, tir_pass_ready *out_item) {
  if (heap->items.count == 0) return false;
  tir_pass_ready *items = heap->items.data;
  *out_item = items[0];
  const size_t n = --heap->items.count;
  const tir_pass_ready item = items[n];
  size_t at = 0;
  for (size_t child = 1; child < n; child = 2 * at + 1) {
    if (child + 1 < n && is_before(items[child + 1], items[child])) child++;
    if (!is_before(items[child], item)) break;
    items[at] = items[child];
    at = child;
  }
  items[at] = item;
  return true;
}
