// From the plan to what a run walks: pointer table, args, steps, copies.
//
// One table entry per piece of memory: views share their root's entry, and all
// values bound to one input, param or output share its base entry. Constants
// get their data here; a splat is written out, because kernels read dense
// memory only.
#include "exec/lower.h"

#include <string.h>

#include "exec/threads.h"
#include "ir/base/checked.h"
#include "ir/body.h"

// Memory of the program, as long as it lives; NULL with the error set. One
// element more than asked for, so that no array is empty.
static void *arena_array(tir_exec_lowering *l, size_t count, size_t elem_size) {
  size_t bytes = 0;
  void *array = NULL;
  if (tir_base_size_mul(count + 1, elem_size, &bytes))
    array = tir_base_arena_alloc(&l->program->arena, bytes, 8);
  if (!array) tir_base_fail_memory(l->error, bytes);
  return array;
}

// Their addresses follow from the arena alone, whatever is bound.
static bool is_internal(const tir_place *place) {
  return place->kind == TIR_PLACE_ARENA || place->kind == TIR_PLACE_CONSTANT;
}

// A view that starts where its root starts needs no entry of its own.
static bool shares_root(const tir_exec_lowering *l, uint32_t v) {
  const tir_place *place = &l->places[v];
  const tir_place *root = &l->places[place->root];
  return place->is_view && place->root < v && root->kind == place->kind &&
         root->index == place->index && root->offset == place->offset;
}

static bool at_base(const tir_place *place) { return place->offset == 0; }

// Inputs, params and outputs stand one behind the other from first_external on.
static uint32_t base_entry(const tir_program *program, tir_place_kind kind,
                           uint32_t index) {
  uint32_t entry = program->first_external + index;
  if (kind == TIR_PLACE_INPUT) return entry;
  entry += program->n_inputs;
  if (kind == TIR_PLACE_PARAM) return entry;
  return entry + program->n_params;
}

// --- constants -------------------------------------------------------------

// `size` bytes repeating the low `elem_size` bytes of `bits`.
static void fill_splat(uint8_t *data, size_t size, uint64_t bits,
                       size_t elem_size) {
  if (size == 0) return;
  for (size_t i = 0; i < elem_size; i++) data[i] = (uint8_t)(bits >> (8 * i));
  // Each turn doubles what is filled, by copying it.
  for (size_t done = elem_size; done < size;) {
    const size_t part = done < size - done ? done : size - done;
    memcpy(data + done, data, part);
    done += part;
  }
}

// One reference, which the program releases.
static tir_status make_constant(tir_exec_lowering *l, uint32_t v,
                                tir_tensor **out_tensor) {
  const tir_ir_node node = tir_ir_producer(l->graph, (tir_ir_value){v});
  const tir_attrs_constant *attrs = tir_ir_attrs(l->graph, node);
  if (attrs->tensor > 0) {
    *out_tensor = tir_tensor_retain(l->graph->tensors.data[attrs->tensor - 1]);
    return TIR_OK;
  }
  tir_ir_type type;
  tir_ir_type_of(l->graph, (tir_ir_value){v}, &type);
  TIR_TRY(tir_tensor_create(l->program->context, type.dtype, type.dims,
                            type.rank, out_tensor, l->error));
  // A new tensor is zeros already.
  if (attrs->bits != 0)
    fill_splat((*out_tensor)->data, (*out_tensor)->size_bytes, attrs->bits,
               tir_dtype_size(type.dtype));
  return TIR_OK;
}

// --- pointer table ---------------------------------------------------------

// Copies that go through the arena get entries of their own.
static size_t n_saved(const tir_plan_copy *copy) {
  return (size_t)(copy->kind == TIR_PLACE_ARENA) + copy->from_saved;
}

// Exactly the entries that make_pointers and saved_entry fill, so that tables
// are allocated once.
static void count_entries(const tir_exec_lowering *l, size_t *out_internal,
                          size_t *out_offsets, size_t *out_constants) {
  size_t internal = 1, offsets = 0, constants = 0;  // entry 0 is NULL
  for (uint32_t v = 1; v < l->n_entry; v++) {
    const tir_place *place = &l->places[v];
    if (place->kind == TIR_PLACE_NONE || shares_root(l, v)) continue;
    if (is_internal(place))
      internal++;
    else if (!at_base(place))
      offsets++;
    if (place->kind == TIR_PLACE_CONSTANT && !place->is_view) constants++;
  }
  const tir_plan *plan = &l->program->plan;
  for (size_t i = 0; i < plan->copies.count; i++)
    internal += n_saved(&plan->copies.data[i]);
  *out_internal = internal;
  *out_offsets = offsets;
  *out_constants = constants;
}

static tir_status add_internal(tir_exec_lowering *l, uint32_t v) {
  tir_program *program = l->program;
  const tir_place *place = &l->places[v];
  tir_exec_pointer pointer = {.kind = place->kind, .offset = place->offset};
  if (place->kind == TIR_PLACE_CONSTANT) {
    // The program numbers its constants itself; a view finds its root's.
    if (place->is_view) {
      pointer.index = program->pointers[l->entry[place->root]].index;
    } else {
      TIR_TRY(make_constant(l, v, &program->constants[program->n_constants]));
      pointer.index = program->n_constants++;
      pointer.offset = 0;
    }
  }
  l->entry[v] = l->n_internal;
  program->pointers[l->n_internal++] = pointer;
  return TIR_OK;
}

// One entry for each port, whether or not a value lies at its start.
static void add_bases(tir_program *program) {
  tir_exec_pointer *p = program->pointers + program->first_external;
  for (uint32_t i = 0; i < program->n_inputs; i++)
    *p++ = (tir_exec_pointer){.kind = TIR_PLACE_INPUT, .index = i};
  for (uint32_t i = 0; i < program->n_params; i++)
    *p++ = (tir_exec_pointer){.kind = TIR_PLACE_PARAM, .index = i};
  for (uint32_t i = 0; i < program->n_outputs; i++)
    *p++ = (tir_exec_pointer){.kind = TIR_PLACE_OUTPUT, .index = i};
}

// Internal entries come first, since they change with the arena only, then the
// ports, then places inside of these.
static tir_status make_pointers(tir_exec_lowering *l) {
  tir_program *program = l->program;
  size_t n_internal = 0, n_offsets = 0, n_constants = 0, n_pointers = 0;
  count_entries(l, &n_internal, &n_offsets, &n_constants);
  n_pointers = n_internal + program->n_inputs + program->n_params +
               program->n_outputs + n_offsets;
  if (n_pointers > UINT32_MAX)
    return tir_base_fail(l->error, TIR_ERR_LIMIT,
                         "compile: %zu table entries, the limit is %u",
                         n_pointers, UINT32_MAX);
  program->pointers = arena_array(l, n_pointers, sizeof *program->pointers);
  program->constants = arena_array(l, n_constants, sizeof *program->constants);
  if (!program->pointers || !program->constants) return TIR_ERR_MEMORY;
  program->n_pointers = (uint32_t)n_pointers;
  program->first_external = (uint32_t)n_internal;
  program->first_offset = (uint32_t)(n_pointers - n_offsets);

  // Entry 0 stays NULL: an unused output, or an operand read for its shape
  // only.
  program->pointers[0] = (tir_exec_pointer){0};
  uint32_t offset = program->first_offset;
  l->n_internal = 1;
  for (uint32_t v = 1; v < l->n_entry; v++) {
    const tir_place *place = &l->places[v];
    if (place->kind == TIR_PLACE_NONE) continue;
    if (shares_root(l, v)) {
      l->entry[v] = l->entry[place->root];
    } else if (is_internal(place)) {
      TIR_TRY(add_internal(l, v));
    } else if (at_base(place)) {
      l->entry[v] = base_entry(program, place->kind, place->index);
    } else {
      l->entry[v] = offset;
      program->pointers[offset++] = (tir_exec_pointer){
          .kind = place->kind, .index = place->index, .offset = place->offset};
    }
  }
  add_bases(program);
  return TIR_OK;
}

// --- steps -----------------------------------------------------------------

// A run reads the memory of this entry: which input is that?
static void note_read(tir_program *program, uint32_t entry) {
  const tir_exec_pointer *pointer = &program->pointers[entry];
  if (entry != 0 && pointer->kind == TIR_PLACE_INPUT)
    program->input_read[pointer->index] = true;
}

tir_status tir_exec_read_entry(tir_exec_lowering *l, tir_ir_node node,
                               uint32_t operand, uint32_t *out_entry) {
  const tir_ir_value in = tir_ir_in(l->graph, node, operand);
  *out_entry = l->entry[in.id];
  note_read(l->program, *out_entry);
  // An operand of no bytes needs no memory: nothing of it is read.
  if (*out_entry != 0 || l->places[in.id].size == 0) return TIR_OK;
  return tir_base_fail(l->error, TIR_ERR_STATE,
                       "compile: operand %u of node %%%u (%s) was given no "
                       "memory",
                       operand, node.id, tir_ir_desc(l->graph, node)->name);
}

// Scratch of a step with units: what all share, then a part per lane.
static tir_status split_step(tir_exec_lowering *l,
                             const tir_exec_prepare *query,
                             tir_exec_step *step) {
  tir_program *program = l->program;
  const uint32_t n_lanes = tir_exec_n_lanes(program->context);
  tir_exec_split *split = tir_base_arena_alloc(&program->arena, sizeof *split,
                                               _Alignof(tir_exec_split));
  if (!split) return tir_base_fail_memory(l->error, sizeof *split);
  *split = query->split;
  size_t total = 0;
  if (!tir_base_size_align(query->scratch_bytes, 64, &split->scratch_bytes) ||
      !tir_base_size_align(query->split.shared_bytes, 64,
                           &split->shared_bytes) ||
      !tir_base_size_mul(split->scratch_bytes, n_lanes, &total) ||
      !tir_base_size_add(total, split->shared_bytes, &total))
    return tir_base_fail(l->error, TIR_ERR_LIMIT,
                         "compile: scratch memory exceeds the address space");
  step->split = split;
  // Steps run one after the other, so they share the scratch of the largest.
  if (total > program->scratch_bytes) program->scratch_bytes = total;
  program->is_split = true;
  return TIR_OK;
}

tir_status tir_exec_bind_step(tir_exec_lowering *l,
                              const tir_exec_prepare *query,
                              tir_exec_step *step) {
  tir_program *program = l->program;
  step->run = query->run;
  step->params = query->params;
  program->uses_blas |= query->uses_blas;
  program->is_split |= query->is_split;
  // One unit is the whole step: it is called without a range.
  if (query->split.n_units > 1) return split_step(l, query, step);
  if (query->scratch_bytes > program->scratch_bytes)
    program->scratch_bytes = query->scratch_bytes;
  return TIR_OK;
}

// Bodies become programs of their own, whose memory is scratch of the step.
static tir_status compile_bodies(tir_exec_lowering *l, tir_ir_node node) {
  tir_program *program = l->program;
  const tir_exec_compile_options options = {
      .pipeline = l->options->pipeline,
      .max_bytes = l->options->max_bytes,
      .check_nan = l->options->check_nan,
      .no_reuse = l->options->no_reuse,
      .no_fuse = l->options->no_fuse,
      .grain = l->options->grain,
  };
  tir_ir_body_visit visit = {.node = node};
  while (tir_ir_next_body(l->graph, &visit) && visit.node.id == node.id) {
    tir_ir_graph *copy = NULL;
    tir_program *body = NULL;
    // Room first: a compiled body must have an owner at once.
    if (!TIR_VEC_RESERVE(program->context, &program->bodies, 1))
      return tir_base_fail_memory(l->error, sizeof body);
    TIR_TRY(tir_ir_graph_copy(visit.body->graph, &copy, l->error));
    TIR_TRY(
        tir_exec_compile(program->context, copy, &options, &body, l->error));
    program->bodies.data[program->bodies.count++] = body;
  }
  return TIR_OK;
}

static tir_status prepare_step(tir_exec_lowering *l, tir_ir_node node,
                               tir_exec_step *step) {
  tir_program *program = l->program;
  const uint32_t n_in = tir_ir_n_in(l->graph, node);
  const uint32_t n_out = tir_ir_n_out(l->graph, node);
  for (uint32_t i = 0; i < n_in; i++)
    tir_ir_type_of(l->graph, tir_ir_in(l->graph, node, i), &l->types[i]);
  for (uint32_t i = 0; i < n_out; i++) {
    const tir_ir_value out = tir_ir_out(l->graph, node, i);
    tir_ir_type_of(l->graph, out, &l->types[n_in + i]);
    // A result without memory is one that nobody reads; kernels may leave it
    // out.
    l->used[i] = l->entry[out.id] != 0;
  }
  tir_exec_prepare query = {
      .desc = tir_ir_desc(l->graph, node),
      .attrs = tir_ir_attrs(l->graph, node),
      .in = l->types,
      .n_in = n_in,
      .out = l->types + n_in,
      .n_out = n_out,
      .out_used = l->used,
      .context = l->graph->context,
      .cpu_level = program->context->cpu_level,
      .arena = &program->arena,
      .grain = l->options->grain,
      .error = l->error,
  };
  const tir_exec_kernel_desc *kernel =
      tir_exec_kernel(tir_ir_op(l->graph, node));
  tir_status status = TIR_OK;
  // Before prepare, which lays the bodies' memory out in scratch.
  if (tir_ir_has_bodies(query.desc)) {
    const size_t first = program->bodies.count;
    status = compile_bodies(l, node);
    if (status == TIR_OK) query.bodies = program->bodies.data + first;
  }
  if (status == TIR_OK && kernel->prepare) status = kernel->prepare(&query);
  if (status == TIR_OK && !query.run)
    status =
        tir_base_fail(l->error, TIR_ERR_UNSUPPORTED, "%s: has no kernel for %s",
                      query.desc->name, tir_dtype_name(l->types[n_in].dtype));
  if (status != TIR_OK) {
    tir_exec_append_node(l->graph, node.id, NULL, NULL, l->error);
    return status;
  }
  step->node = node.id;
  return tir_exec_bind_step(l, &query, step);
}

// Operands, then outputs, as a kernel finds them.
static tir_status fill_args(tir_exec_lowering *l, tir_ir_node node,
                            uint32_t *args) {
  const tir_op_desc *desc = tir_ir_desc(l->graph, node);
  const uint32_t n_in = tir_ir_n_in(l->graph, node);
  for (uint32_t i = 0; i < n_in; i++) {
    args[i] = 0;
    if (!tir_ir_op_shape_only(desc, i))
      TIR_TRY(tir_exec_read_entry(l, node, i, &args[i]));
  }
  for (uint32_t i = 0; i < tir_ir_n_out(l->graph, node); i++)
    args[n_in + i] = l->entry[tir_ir_out(l->graph, node, i).id];
  return TIR_OK;
}

// Room for the arguments of all steps; that of a region may be more than it
// takes.
static size_t count_args(const tir_exec_lowering *l) {
  const tir_plan *plan = &l->program->plan;
  size_t n_args = 0;
  for (size_t i = 0; i < plan->order.count; i++) {
    const tir_plan_nodes nodes = tir_plan_nodes_of(plan, &plan->order.data[i]);
    for (uint32_t k = 0; k < nodes.n; k++)
      n_args += (size_t)l->graph->nodes.data[nodes.ids[k]].n_in +
                l->graph->nodes.data[nodes.ids[k]].n_out;
  }
  return n_args;
}

static tir_status make_steps(tir_exec_lowering *l) {
  tir_program *program = l->program;
  const tir_plan *plan = &program->plan;
  const size_t n_steps = plan->order.count, n_args = count_args(l);
  if (n_args > UINT32_MAX)
    return tir_base_fail(l->error, TIR_ERR_LIMIT,
                         "compile: %zu arguments, the limit is %u", n_args,
                         UINT32_MAX);
  program->steps = arena_array(l, n_steps, sizeof *program->steps);
  program->args = arena_array(l, n_args, sizeof *program->args);
  program->region_ops =
      arena_array(l, plan->regions.count, sizeof *program->region_ops);
  if (!program->steps || !program->args || !program->region_ops)
    return TIR_ERR_MEMORY;
  program->n_steps = (uint32_t)n_steps;
  program->commit = program->plan.commit;

  uint32_t arg = 0;
  for (size_t i = 0; i < n_steps; i++) {
    const tir_ir_node node = {plan->order.data[i]};
    // A region is in the order once, by its last member, and is one step.
    const uint32_t region = plan->region_of ? plan->region_of[node.id] : 0;
    tir_exec_step *step = &program->steps[i];
    *step = (tir_exec_step){.arg = arg};
    uint32_t n = tir_ir_n_in(l->graph, node) + tir_ir_n_out(l->graph, node);
    if (region) {
      TIR_TRY(
          tir_exec_lower_region(l, region - 1, program->args + arg, &n, step));
    } else {
      TIR_TRY(fill_args(l, node, program->args + arg));
      TIR_TRY(prepare_step(l, node, step));
    }
    arg += n;
  }
  return TIR_OK;
}

static uint32_t saved_entry(tir_exec_lowering *l, const tir_plan_copy *copy) {
  l->program->pointers[l->n_internal] =
      (tir_exec_pointer){.kind = TIR_PLACE_ARENA, .offset = copy->saved};
  return l->n_internal++;
}

// A copy through the arena is two: one saves a value, a later one takes it from
// there.
static tir_exec_copy resolve_copy(tir_exec_lowering *l,
                                  const tir_plan_copy *copy) {
  return (tir_exec_copy){
      .from = copy->from_saved ? saved_entry(l, copy) : l->entry[copy->value],
      .to = copy->kind == TIR_PLACE_ARENA
                ? saved_entry(l, copy)
                : base_entry(l->program, copy->kind, copy->index),
      .size_bytes = l->places[copy->value].size,
  };
}

static tir_status make_copies(tir_exec_lowering *l) {
  tir_program *program = l->program;
  const tir_plan_copy *copies = program->plan.copies.data;
  const size_t n = program->plan.copies.count;
  program->copies = arena_array(l, n, sizeof *program->copies);
  if (!program->copies) return TIR_ERR_MEMORY;
  for (size_t i = 0; i < n; i++) {
    const tir_exec_copy copy = resolve_copy(l, &copies[i]);
    // Its entry was counted and is there, but there is nothing to copy.
    if (copy.size_bytes == 0) continue;
    if (copy.from == 0)
      return tir_base_fail(l->error, TIR_ERR_STATE,
                           "compile: copied value %u was given no memory",
                           copies[i].value);
    note_read(program, copy.from);
    program->copies[program->n_copies++] = copy;
  }
  return TIR_OK;
}

// --- all of it -------------------------------------------------------------

// In this order: steps name entries of the table, and the entries of saved
// copies come behind those of values.
static tir_status lower(tir_exec_lowering *l) {
  TIR_TRY(make_pointers(l));
  TIR_TRY(make_steps(l));
  return make_copies(l);
}

tir_status tir_exec_lower(tir_program *program,
                          const tir_exec_compile_options *options,
                          tir_error *error) {
  tir_exec_lowering l = {
      .program = program,
      .graph = program->graph,
      .places = program->plan.places,
      .n_entry = program->plan.n_places,
      .options = options,
      .error = error,
  };
  const tir_plan *plan = &program->plan;
  // Scratch for the types of one node at a time, as large as the largest needs.
  size_t max_out = 1;
  l.max_types = 1;
  for (size_t i = 0; i < plan->order.count; i++) {
    const tir_ir_node_data *node = &l.graph->nodes.data[plan->order.data[i]];
    const size_t n = (size_t)node->n_in + node->n_out;
    if (n > l.max_types) l.max_types = n;
    if (node->n_out > max_out) max_out = node->n_out;
  }
  tir_context *context = program->context;
  const size_t types_bytes = l.max_types * sizeof *l.types;
  const size_t entry_bytes = l.n_entry * sizeof *l.entry;
  l.entry = tir_base_alloc_zero(context, entry_bytes, _Alignof(uint32_t));
  l.types = tir_base_alloc(context, types_bytes, _Alignof(tir_ir_type));
  l.used = tir_base_alloc(context, max_out, 1);

  const tir_status status = l.entry && l.types && l.used
                                ? lower(&l)
                                : tir_base_fail_memory(error, types_bytes);
  tir_base_free(context, l.entry, entry_bytes, _Alignof(uint32_t));
  tir_base_free(context, l.types, types_bytes, _Alignof(tir_ir_type));
  tir_base_free(context, l.used, max_out, 1);
  return status;
}
