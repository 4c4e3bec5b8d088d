// Beginning and end of a plan.
#include "passes/plan.h"

// An empty plan. Each pass fills its own part, in the order fuse, schedule,
// plan-memory.
void tir_plan_init(tir_plan *plan, tir_context *context) {
  *plan = (tir_plan){.context = context};
}

// Also of a plan that was given up half way; nothing happens to one all zero.
void tir_plan_free(tir_plan *plan) {
  if (!plan->context) return;
  TIR_VEC_FREE(plan->context, &plan->regions);
  TIR_VEC_FREE(plan->context, &plan->members);
  tir_base_free(plan->context, plan->region_of,
                plan->n_region_of * sizeof *plan->region_of,
                _Alignof(uint32_t));
  TIR_VEC_FREE(plan->context, &plan->order);
  TIR_VEC_FREE(plan->context, &plan->copies);
  tir_base_free(plan->context, plan->places,
                plan->n_places * sizeof *plan->places, _Alignof(tir_place));
  *plan = (tir_plan){.context = plan->context};
}
