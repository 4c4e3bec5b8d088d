// Regions, schedule and memory plan: annotations of a graph, made after its
// passes.
//
// plan-memory knows nothing of kernels: what they need comes in as scratch
// sizes and in-place permission.
#ifndef TAPEIR_PASSES_PLAN_H
#define TAPEIR_PASSES_PLAN_H

#include "ir/graph.h"

typedef enum tir_place_kind {
  TIR_PLACE_NONE,      // never in memory (unused, shape-only)
  TIR_PLACE_ARENA,     // offset in the instance's arena
  TIR_PLACE_INPUT,     // memory bound to graph input `index`
  TIR_PLACE_PARAM,     // memory of param node number `index`
  TIR_PLACE_OUTPUT,    // memory bound to graph output `index`
  TIR_PLACE_CONSTANT,  // constant `index` of the program
} tir_place_kind;

// Where a value lives. Params are numbered by param nodes in order; constants
// by those constant nodes in order whose data is read (the others have no
// place). A view has its root's kind, index and (for arena) an
// offset inside it.
typedef struct tir_place {
  uint8_t kind;
  bool in_place;  // overwrites a dead operand's memory
  bool is_view;
  uint32_t index;
  uint32_t root;  // value id whose memory this is (itself if no view)
  size_t offset;  // in the arena, or bytes from the bound base
  size_t size;
  uint32_t first;  // position in `order` that writes it (0 for externals)
  uint32_t last;   // last position that reads it
} tir_place;

// A copy the executor makes after the step at position `after`: outputs that
// are inputs, constants, views or listed twice, and assigns whose value could
// not be computed in place. Copies run in order. When assigns exchange params,
// one of them is saved in the arena first (kind TIR_PLACE_ARENA) and read from
// there later (from_saved).
typedef struct tir_plan_copy {
  uint32_t value;   // source; its size is the size of the copy
  uint8_t kind;     // destination: TIR_PLACE_OUTPUT, _PARAM or _ARENA
  bool from_saved;  // the source is at `saved` in the arena, not at its place
  uint32_t index;   // destination output or param
  size_t saved;     // arena offset
} tir_plan_copy;

// Nodes that run as one step, piece by piece, so that a value only they read is
// never in memory as a whole. Every value of a region has n_elements elements
// or, once rows are reduced, one for each row.
typedef struct tir_plan_region {
  uint32_t first;  // in `members`; ids rise
  uint32_t n_members;
  int64_t n_elements;
  int64_t row;  // elements of a row; 0: nothing is reduced
} tir_plan_region;

typedef struct tir_plan {
  tir_context *context;
  TIR_VEC(tir_plan_region) regions;
  TIR_VEC(uint32_t) members;  // node ids, region by region
  uint32_t *region_of;        // by node: its region + 1, 0 for none; NULL
  size_t n_region_of;         // if there are no regions
  TIR_VEC(uint32_t)
  order;                          // node ids to execute, in order; inputs,
                                  // params, constants, views, assigns and
                                  // unused nodes are not in it. A region is
                                  // in it once, by its last member
  TIR_VEC(tir_plan_copy) copies;  // run after all of `order`
  tir_place *places;              // by value id, n_values + 1 entries
  size_t n_places;
  size_t arena_bytes;
  size_t lower_bound_bytes;
  uint32_t commit;  // first position in `order` that overwrites
                    // a param; no FALLIBLE node stands at or
                    // after it. == order.count if none does
} tir_plan;

typedef struct tir_plan_options {
  bool no_reuse;  // every value its own memory (for tests)
  // Memory of input i may be overwritten once dead (donated); may be NULL.
  const bool *input_donated;
} tir_plan_options;

// The nodes that run in one step with `node`, in order: itself, or its region.
typedef struct tir_plan_nodes {
  const uint32_t *ids;
  uint32_t n;
} tir_plan_nodes;

static inline const tir_plan_region *tir_plan_region_of(const tir_plan *plan,
                                                        uint32_t node) {
  const uint32_t region = plan->region_of ? plan->region_of[node] : 0;
  return region ? &plan->regions.data[region - 1] : NULL;
}
// `node` must stay where it is as long as the answer is used.
static inline tir_plan_nodes tir_plan_nodes_of(const tir_plan *plan,
                                               const uint32_t *node) {
  const tir_plan_region *region = tir_plan_region_of(plan, *node);
  if (!region) return (tir_plan_nodes){node, 1};
  return (tir_plan_nodes){&plan->members.data[region->first],
                          region->n_members};
}

// Rows of up to so many elements are reduced and used again in one region.
enum { TIR_PLAN_MAX_ROW = 4096 };

// passes/fuse_elementwise.c: fills regions, members and region_of. Comes before
// the schedule, or not at all.
tir_status tir_pass_fuse_elementwise(const tir_ir_graph *graph, tir_plan *plan,
                                     tir_error *error);
// passes/schedule.c: fills order and commit. Among orders that keep the
// dependencies and "readers of a state's old version before its assign" it
// picks the one with the lower peak of recorded order and greedy order.
tir_status tir_pass_schedule(const tir_ir_graph *graph, tir_plan *plan,
                             tir_error *error);
// passes/plan_memory.c: fills places and copies, given the order.
tir_status tir_pass_plan_memory(const tir_ir_graph *graph,
                                const tir_plan_options *options, tir_plan *plan,
                                tir_error *error);
// passes/check_plan.c: the independent overlap checker. It recomputes live
// ranges from graph and order alone and shares no code with the planner.
tir_status tir_pass_check_plan(const tir_ir_graph *graph, const tir_plan *plan,
                               tir_error *error);
void tir_plan_init(tir_plan *plan, tir_context *context);
void tir_plan_free(tir_plan *plan);

#endif
