// The step of a region: its nodes as parts of a fused kernel.
//
// Arguments of the step are the distinct entries of the pointer table its
// nodes read from outside, then those of the results that have memory.
#include <stdio.h>
#include <string.h>

#include "exec/kernels/fused.h"
#include "exec/lower.h"

typedef struct gathering {
  tir_exec_lowering *l;
  tir_plan_nodes nodes;
  // By member, in the order of ids, which is an order of execution.
  tir_exec_fused_part *parts;
  tir_exec_fused_operand *operands;
  tir_ir_type *types;
  uint32_t n_operands;  // filled so far, of all parts
  uint32_t *args;
  uint32_t n_args;
} gathering;

// The value a view shows, through any number of views.
static tir_ir_value origin_of(const tir_ir_graph *g, tir_ir_value v) {
  for (;;) {
    const tir_ir_node n = tir_ir_producer(g, v);
    const tir_op op = tir_ir_op(g, n);
    const uint32_t traits = tir_ir_desc(g, n)->traits;
    if (op == TIR_OP_ASSIGN)
      v = tir_ir_in(g, n, 1);
    else if ((traits & TIR_TRAIT_VIEW) && !(traits & TIR_TRAIT_EFFECT))
      v = tir_ir_in(g, n, 0);
    else
      return v;
  }
}

// Number of the part that makes the value, TIR_EXEC_OUTER if none does.
// Members' ids rise, so they are searched by halves.
static uint32_t part_of(const gathering *x, tir_ir_value v) {
  const uint32_t node =
      tir_ir_producer(x->l->graph, origin_of(x->l->graph, v)).id;
  uint32_t low = 0, high = x->nodes.n;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (x->nodes.ids[middle] < node)
      low = middle + 1;
    else
      high = middle;
  }
  return low < x->nodes.n && x->nodes.ids[low] == node ? low : TIR_EXEC_OUTER;
}

// A value that several members read is one argument: it is loaded once. A
// region has few enough members to look at all.
static uint32_t find_arg(gathering *x, uint32_t entry) {
  uint32_t i = 0;
  while (i < x->n_args && x->args[i] != entry) i++;
  if (i == x->n_args) x->args[x->n_args++] = entry;
  return i;
}

static tir_status gather_operands(gathering *x, uint32_t k) {
  const tir_ir_graph *g = x->l->graph;
  const tir_ir_node node = {x->nodes.ids[k]};
  tir_exec_fused_part *p = &x->parts[k];
  for (uint32_t i = 0; i < p->n_in; i++) {
    tir_exec_fused_operand *operand = &x->operands[x->n_operands + i];
    *operand = (tir_exec_fused_operand){
        .part = TIR_EXEC_OUTER,
        .is_shape = tir_ir_op_shape_only(p->desc, i),
    };
    if (operand->is_shape) continue;
    operand->part = part_of(x, tir_ir_in(g, node, i));
    if (operand->part != TIR_EXEC_OUTER) {
      // k rises, so the last one to say so is right.
      x->parts[operand->part].last_part = k;
      continue;
    }
    uint32_t entry = 0;
    TIR_TRY(tir_exec_read_entry(x->l, node, i, &entry));
    operand->arg = find_arg(x, entry);
  }
  return TIR_OK;
}

static tir_status gather_part(gathering *x, uint32_t k) {
  const tir_ir_graph *g = x->l->graph;
  const tir_ir_node node = {x->nodes.ids[k]};
  // Every part before this one took its operands' types and one for its result.
  tir_ir_type *types = x->types + x->n_operands + k;
  tir_exec_fused_part *p = &x->parts[k];
  *p = (tir_exec_fused_part){
      .desc = tir_ir_desc(g, node),
      .attrs = tir_ir_attrs(g, node),
      .kernel = tir_exec_kernel(tir_ir_op(g, node)),
      .types = types,
      .in = x->operands + x->n_operands,
      .n_in = tir_ir_n_in(g, node),
      .out_arg = TIR_EXEC_OUTER,
      .last_part = k,
  };
  for (uint32_t i = 0; i < p->n_in; i++)
    tir_ir_type_of(g, tir_ir_in(g, node, i), &types[i]);
  tir_ir_type_of(g, tir_ir_out(g, node, 0), &types[p->n_in]);
  TIR_TRY(gather_operands(x, k));
  x->n_operands += p->n_in;
  return TIR_OK;
}

// Results have arguments of their own, even where they take over an operand's
// memory.
static void gather_results(gathering *x) {
  const tir_ir_graph *g = x->l->graph;
  for (uint32_t k = 0; k < x->nodes.n; k++) {
    const tir_ir_value out = tir_ir_out(g, (tir_ir_node){x->nodes.ids[k]}, 0);
    // Read by other members only: it lives in registers.
    if (x->l->entry[out.id] == 0) continue;
    x->parts[k].out_arg = x->n_args;
    x->args[x->n_args++] = x->l->entry[out.id];
  }
}

// --- names -------------------------------------------------------------------

// "fused(mul, add, tanh)"; of many ops the first ones and how many more.
static const char *name_ops(gathering *x) {
  // Long enough for eight of the longest names, so nothing is cut off.
  enum { MAX_TEXT = 160, MAX_NAMED = 8 };
  char text[MAX_TEXT];
  size_t at = (size_t)snprintf(text, sizeof text, "fused(");
  uint32_t k = 0;
  for (; k < x->nodes.n && k < MAX_NAMED; k++)
    at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", k ? ", " : "",
                           x->parts[k].desc->name);
  if (k < x->nodes.n)
    at += (size_t)snprintf(text + at, sizeof text - at, ", %u more",
                           x->nodes.n - k);
  at += (size_t)snprintf(text + at, sizeof text - at, ")");
  char *copy = tir_base_arena_alloc(&x->l->program->arena, at + 1, 1);
  if (!copy) {
    tir_base_fail_memory(x->l->error, at + 1);
    return NULL;
  }
  return memcpy(copy, text, at + 1);
}

// Lives as long as the program.
const char *tir_exec_step_op(const tir_program *program,
                             const tir_exec_step *step) {
  const tir_plan *plan = &program->plan;
  const uint32_t region = plan->region_of ? plan->region_of[step->node] : 0;
  if (region) return program->region_ops[region - 1];
  return tir_ir_desc(program->graph, (tir_ir_node){step->node})->name;
}

// --- the step ----------------------------------------------------------------

// Operands are gathered for all parts before results, so that the step's
// arguments are what it reads, then what it writes.
static tir_status prepare(gathering *x, uint32_t region, tir_exec_step *step) {
  tir_exec_lowering *l = x->l;
  const tir_plan_region *r = &l->program->plan.regions.data[region];
  for (uint32_t k = 0; k < x->nodes.n; k++) TIR_TRY(gather_part(x, k));
  gather_results(x);
  l->program->region_ops[region] = name_ops(x);
  if (!l->program->region_ops[region]) return TIR_ERR_MEMORY;
  tir_exec_fusing fusing = {
      .context = l->program->context,
      .parts = x->parts,
      .n_parts = x->nodes.n,
      .n_elements = r->n_elements,
      .row = r->row,
      .long_rows = r->row > TIR_PLAN_MAX_ROW,
  };
  tir_exec_prepare query = {
      .cpu_level = l->program->context->cpu_level,
      .arena = &l->program->arena,
      .grain = l->options->grain,
      .error = l->error,
  };
  const tir_status status = tir_exec_prepare_fused(&query, &fusing);
  if (status != TIR_OK) {
    tir_exec_append_node(l->graph, x->nodes.ids[fusing.at_part], NULL, NULL,
                         l->error);
    return status;
  }
  // The last member stands for the step in messages and reports.
  step->node = x->nodes.ids[x->nodes.n - 1];
  return tir_exec_bind_step(l, &query, step);
}

tir_status tir_exec_lower_region(tir_exec_lowering *l, uint32_t region,
                                 uint32_t *args, uint32_t *out_n_args,
                                 tir_exec_step *step) {
  const tir_plan *plan = &l->program->plan;
  const tir_plan_region *r = &plan->regions.data[region];
  gathering x = {
      .l = l,
      .nodes = {&plan->members.data[r->first], r->n_members},
      .args = args,
  };
  size_t n_operands = 0;
  for (uint32_t k = 0; k < x.nodes.n; k++)
    n_operands += tir_ir_n_in(l->graph, (tir_ir_node){x.nodes.ids[k]});
  // Types, parts and operands in one block, in falling order of alignment.
  const size_t n_types = n_operands + x.nodes.n;
  const size_t n_bytes = n_types * sizeof *x.types +
                         x.nodes.n * sizeof *x.parts +
                         n_operands * sizeof *x.operands;
  tir_context *context = l->program->context;
  x.types = tir_base_alloc(context, n_bytes, _Alignof(tir_ir_type));
  if (!x.types) return tir_base_fail_memory(l->error, n_bytes);
  x.parts = (tir_exec_fused_part *)(void *)(x.types + n_types);
  x.operands = (tir_exec_fused_operand *)(void *)(x.parts + x.nodes.n);
  const tir_status status = prepare(&x, region, step);
  *out_n_args = x.n_args;
  tir_base_free(context, x.types, n_bytes, _Alignof(tir_ir_type));
  return status;
}
