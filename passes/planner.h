// Inside of plan-memory: what its files share.
#ifndef TAPEIR_PASSES_PLANNER_H
#define TAPEIR_PASSES_PLANNER_H

#include "passes/flow.h"
#include "passes/pack.h"
#include "passes/plan.h"

#define TIR_PLANNER_NONE UINT32_MAX

// A piece of memory that one root after another lives in.
typedef struct tir_planner_buffer {
  uint8_t kind;    // TIR_PLACE_ARENA, or where else
  uint32_t index;  // of the input, param or output
  uint32_t first;  // position that writes it first
  uint32_t until;  // its memory may be used again from this position on
  size_t size;     // rounded up to 64
  size_t offset;   // in the arena
} tir_planner_buffer;

// Times are positions in the order; `end` is the time of the final copies.
// "until" is one more than the last position that reads, 0 if none does.
typedef struct tir_planner {
  const tir_ir_graph *graph;
  const tir_plan_options *options;
  tir_plan *plan;
  tir_pass_flow flow;
  uint32_t end;
  uint32_t *position;  // by node; TIR_PLANNER_NONE if it has no step
  uint32_t *root;      // by value: as flow's, with slices taken as views
  size_t *offset;      // by value: bytes from its root
  uint32_t *until;     // by root
  uint32_t *buffer;    // by root: index in `buffers`
  bool *in_place;      // by root: it overwrites an operand
  uint32_t *number;    // by root that is an input, param or constant
  TIR_VEC(tir_planner_buffer) buffers;
  tir_error *error;
} tir_planner;

// Slices and parts that become views of what they are taken from leave the
// order (plan_slices.c).
tir_status tir_planner_find_slices(tir_planner *p);
// Fills `until`, given roots and positions.
void tir_planner_find_lifetimes(tir_planner *p);
// Results computed where they are wanted, and in place of dead operands: makes
// the buffers (plan_buffers.c).
tir_status tir_planner_make_buffers(tir_planner *p);
// Copies for what could not (plan_copies.c); saved ones get buffers too, whose
// offsets tir_planner_place_saved fills in once the arena is packed.
tir_status tir_planner_make_copies(tir_planner *p);
void tir_planner_place_saved(tir_planner *p);

static inline tir_op tir_planner_maker(const tir_planner *p, uint32_t value) {
  return tir_ir_op(p->graph, tir_ir_producer(p->graph, (tir_ir_value){value}));
}
// What runs at position `at` stands there.
static inline void tir_planner_set_position(const tir_planner *p, uint32_t at) {
  const tir_plan_nodes nodes =
      tir_plan_nodes_of(p->plan, &p->plan->order.data[at]);
  for (uint32_t i = 0; i < nodes.n; i++) p->position[nodes.ids[i]] = at;
}
// Position of the step that makes a root, TIR_PLANNER_NONE for externals.
static inline uint32_t tir_planner_made_at(const tir_planner *p,
                                           uint32_t root) {
  return p->position[p->graph->values.data[root].node];
}
// The value is all of its root.
static inline bool tir_planner_is_whole(const tir_planner *p, uint32_t value) {
  const uint32_t root = p->root[value];
  return p->offset[value] == 0 &&
         tir_pass_value_bytes(p->graph, (tir_ir_value){value}) ==
             tir_pass_value_bytes(p->graph, (tir_ir_value){root});
}

#endif
