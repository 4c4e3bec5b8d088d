// Compiling: graph → passes → schedule → plan → steps → program.
//
// Everything that can be decided before the first run is decided here, so that
// a run only walks an array. A program owns its copy of the graph; nothing of
// it changes after this file, apart from the reference count.
#include <string.h>

#include "exec/program.h"
#include "exec/select.h"
#include "ir/base/checked.h"
#include "ir/body.h"
#include "ir/infer.h"
#include "passes/pass.h"

// Gradient calls are expanded first: other passes see ordinary nodes.
static tir_status run_passes(tir_program *program, const char *pipeline,
                             tir_error *error) {
  tir_pass_ctx ctx = {
      .context = program->context,
      .error = error,
      .for_execution = true,
  };
  if (tir_ir_has_calls(program->graph))
    TIR_TRY(tir_pass_run(&ctx, "gradient", NULL, program->graph));
  // A call of tir_compile defaults to full. The live tape asks for basic: there
  // rounding must not depend on where values are read.
  TIR_TRY(
      tir_pass_run(&ctx, pipeline ? pipeline : "full", NULL, program->graph));
  // A pipeline may end with nodes only marked as removed.
  return tir_ir_compact(program->graph, NULL, error);
}

// `count` elements from the program's arena; never NULL for count 0.
// NULL when memory ran out or the size overflows.
static void *arena_array(tir_program *program, size_t count, size_t elem_size) {
  size_t bytes = 0;
  if (!tir_base_size_mul(count + 1, elem_size, &bytes)) return NULL;
  return tir_base_arena_alloc(&program->arena, bytes, 8);
}

static size_t value_bytes(const tir_ir_graph *graph, tir_ir_value value) {
  tir_ir_type type;
  tir_ir_type_of(graph, value, &type);
  return tir_ir_type_bytes(&type);
}

// Numbers params in order and notes which of them a run writes.
static tir_status list_params(tir_program *program, tir_error *error) {
  const tir_ir_graph *graph = program->graph;
  for (tir_ir_node n = tir_ir_first(graph); tir_ir_node_valid(n);
       n = tir_ir_next(graph, n))
    if (tir_ir_op(graph, n) == TIR_OP_PARAM) program->n_params++;

  program->params =
      arena_array(program, program->n_params, sizeof *program->params);
  program->param_written = arena_array(program, program->n_params, 1);
  if (!program->params || !program->param_written)
    return tir_base_fail_memory(error, program->n_params * sizeof(tir_ir_node));
  memset(program->param_written, 0, program->n_params);

  uint32_t count = 0;
  for (tir_ir_node n = tir_ir_first(graph); tir_ir_node_valid(n);
       n = tir_ir_next(graph, n)) {
    // Nodes are in topological order: a target is listed before its assign.
    if (tir_ir_op(graph, n) == TIR_OP_PARAM) {
      program->params[count++] = n;
    } else if (tir_ir_op(graph, n) == TIR_OP_ASSIGN) {
      // Operands are target and value. Params are few beside nodes, and
      // assigns are at most one per param; ids rise, so search by halves.
      const uint32_t target = tir_ir_producer(graph, tir_ir_in(graph, n, 0)).id;
      uint32_t low = 0, high = count;
      while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (program->params[middle].id < target)
          low = middle + 1;
        else
          high = middle;
      }
      if (low == count || program->params[low].id != target)
        return tir_base_fail(error, TIR_ERR_STATE,
                             "assign: target is no parameter: node %%%u", n.id);
      program->param_written[low] = true;
      program->writes_state = true;
    }
  }
  return TIR_OK;
}

// Sizes are looked up once; binding compares numbers.
static tir_status list_ports(tir_program *program, tir_error *error) {
  const tir_ir_graph *graph = program->graph;
  program->n_inputs = (uint32_t)graph->inputs.count;
  program->n_outputs = (uint32_t)graph->outputs.count;
  program->inputs =
      arena_array(program, program->n_inputs, sizeof *program->inputs);
  program->input_bytes =
      arena_array(program, program->n_inputs, sizeof *program->input_bytes);
  program->input_read = arena_array(program, program->n_inputs, 1);
  program->output_bytes =
      arena_array(program, program->n_outputs, sizeof *program->output_bytes);
  program->output_offset =
      arena_array(program, program->n_outputs, sizeof *program->output_offset);
  if (!program->inputs || !program->input_bytes || !program->input_read ||
      !program->output_bytes || !program->output_offset)
    return tir_base_fail_memory(
        error, (program->n_inputs + program->n_outputs) * sizeof(size_t));

  for (uint32_t i = 0; i < program->n_inputs; i++) {
    const tir_ir_value value = graph->inputs.data[i];
    program->inputs[i] = tir_ir_producer(graph, value);
    program->input_bytes[i] = value_bytes(graph, value);
    // Lowering finds the inputs that a step or a copy reads.
    program->input_read[i] = false;
  }
  for (uint32_t i = 0; i < program->n_outputs; i++)
    program->output_bytes[i] =
        value_bytes(graph, tir_ir_resolve(graph, graph->outputs.data[i].value));
  return list_params(program, error);
}

// Adds `size`, rounded up to the alignment of the block's parts.
static bool add_part(uint64_t *total, uint64_t size) {
  size_t sum = 0, rounded = 0;
  if (!tir_base_size_align((size_t)size, 64, &rounded) ||
      !tir_base_size_add((size_t)*total, rounded, &sum))
    return false;
  *total = sum;
  return true;
}

// The memory of one instance, part by part: arena, scratch, outputs, tables.
static tir_status fill_report(tir_program *program, tir_error *error) {
  tir_memory_report *report = &program->report;
  *report = (tir_memory_report){0};
  bool fits = add_part(&report->arena_bytes, program->arena_bytes) &&
              add_part(&report->scratch_bytes, program->scratch_bytes);
  // Every output has memory of its own, used unless the caller binds some.
  uint64_t outputs_at = report->arena_bytes;
  fits = fits && add_part(&outputs_at, report->scratch_bytes);
  for (uint32_t i = 0; i < program->n_outputs && fits; i++) {
    program->output_offset[i] = (size_t)(outputs_at + report->output_bytes);
    fits = add_part(&report->output_bytes, program->output_bytes[i]);
  }
  fits = fits &&
         add_part(&report->table_bytes, tir_exec_table_bytes(program)) &&
         add_part(&report->block_bytes, outputs_at) &&
         add_part(&report->block_bytes, report->output_bytes) &&
         add_part(&report->block_bytes, report->table_bytes);
  for (uint32_t i = 0; i < program->n_inputs; i++)
    report->input_bytes += program->input_bytes[i];
  for (uint32_t i = 0; i < program->n_params; i++)
    report->param_bytes += value_bytes(
        program->graph, tir_ir_out(program->graph, program->params[i], 0));
  for (size_t i = 0; i < program->bodies.count; i++)
    // Arena and scratch of bodies are in the scratch of their step; what their
    // constants take comes on top.
    fits = fits && add_part(&report->constant_bytes,
                            program->bodies.data[i]->report.constant_bytes);
  report->lower_bound_bytes = program->plan.lower_bound_bytes;
  report->n_steps = program->n_steps;
  const tir_plan *plan = &program->plan;
  for (size_t v = 1; v < plan->n_places; v++) {
    report->n_values += plan->places[v].kind != TIR_PLACE_NONE;
    // A view has the data of its root.
    if (plan->places[v].kind == TIR_PLACE_CONSTANT && !plan->places[v].is_view)
      fits = fits &&
             add_part(&report->constant_bytes,
                      value_bytes(program->graph, (tir_ir_value){(uint32_t)v}));
  }
  if (!fits)
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "compile: the plan exceeds the address space");
  return TIR_OK;
}

// The smaller of the call's limit and the context's.
static tir_status check_limit(const tir_program *program, uint64_t max_bytes,
                              tir_error *error) {
  if (max_bytes == 0 || max_bytes > program->context->max_bytes)
    max_bytes = program->context->max_bytes;
  // Constants are no part of an instance's block, but the program makes them.
  const uint64_t needed =
      program->report.block_bytes + program->report.constant_bytes;
  if (needed <= max_bytes) return TIR_OK;
  return tir_base_fail(error, TIR_ERR_LIMIT,
                       "compile: the plan needs %llu bytes, the limit is %llu",
                       (unsigned long long)needed,
                       (unsigned long long)max_bytes);
}

// Each stage reads what the ones before it left in the program.
static tir_status build(tir_program *program,
                        const tir_exec_compile_options *options,
                        tir_error *error) {
  TIR_TRY(run_passes(program, options->pipeline, error));
  TIR_TRY(list_ports(program, error));
  // A NaN is looked for in the results of every node.
  const bool fuses =
      !options->no_fuse && !options->check_nan &&
      !(options->pipeline && strcmp(options->pipeline, "none") == 0);
  if (fuses)
    TIR_TRY(tir_pass_fuse_elementwise(program->graph, &program->plan, error));
  TIR_TRY(tir_pass_schedule(program->graph, &program->plan, error));
  const tir_plan_options plan_options = {
      .no_reuse = options->no_reuse,
      .input_donated = options->input_donated,
  };
  TIR_TRY(tir_pass_plan_memory(program->graph, &plan_options, &program->plan,
                               error));
#ifndef NDEBUG
  TIR_TRY(tir_pass_check_plan(program->graph, &program->plan, error));
#endif
  program->arena_bytes = program->plan.arena_bytes;
  // Twice: the first time before anything large is allocated, the second with
  // scratch and tables known.
  TIR_TRY(fill_report(program, error));
  TIR_TRY(check_limit(program, options->max_bytes, error));
  TIR_TRY(tir_exec_lower(program, options, error));
  TIR_TRY(fill_report(program, error));
  return check_limit(program, options->max_bytes, error);
}

tir_status tir_exec_compile(tir_context *context, tir_ir_graph *graph,
                            const tir_exec_compile_options *options,
                            tir_program **out_program, tir_error *error) {
  *out_program = NULL;
  tir_program *program =
      tir_base_alloc_zero(context, sizeof *program, _Alignof(tir_program));
  if (!program) {
    tir_ir_graph_destroy(graph);
    return tir_base_fail_memory(error, sizeof *program);
  }
  // From here on a release frees whatever has been made so far.
  program->context = tir_base_context_retain(context);
  atomic_init(&program->n_refs, 1);
  program->graph = graph;
  program->check_nan = options->check_nan;
  tir_plan_init(&program->plan, context);
  tir_base_arena_init(&program->arena, context);

  const tir_status status = build(program, options, error);
  if (status != TIR_OK) {
    tir_exec_program_release(program);
    return status;
  }
  *out_program = program;
  return TIR_OK;
}

// Whoever retains holds a reference already, so relaxed order is enough.
tir_program *tir_exec_program_retain(tir_program *program) {
  atomic_fetch_add_explicit(&program->n_refs, 1, memory_order_relaxed);
  return program;
}

// Instances hold their program, so the last of them may end it.
void tir_exec_program_release(tir_program *program) {
  if (!program) return;
  // Acquire and release: the last one sees what all others did with the
  // program.
  if (atomic_fetch_sub_explicit(&program->n_refs, 1, memory_order_acq_rel) != 1)
    return;
  for (uint32_t i = 0; i < program->n_constants; i++)
    tir_tensor_release(program->constants[i]);
  for (size_t i = 0; i < program->bodies.count; i++)
    tir_exec_program_release(program->bodies.data[i]);
  TIR_VEC_FREE(program->context, &program->bodies);
  tir_plan_free(&program->plan);
  tir_base_arena_free(&program->arena);
  tir_ir_graph_destroy(program->graph);
  tir_context *context = program->context;
  tir_base_free(context, program, sizeof *program, _Alignof(tir_program));
  tir_base_context_release(context);
}

// --- public ----------------------------------------------------------------

static tir_status check_options(const tir_compile_options *options,
                                tir_error *error) {
  const size_t n = sizeof options->reserved / sizeof *options->reserved;
  for (size_t i = 0; i < n; i++)
    if (options->reserved[i] != 0)
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "compile: a reserved option is set: built for a "
                           "newer header");
  if (options->n_dim_sizes > 0 && !options->dim_sizes)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "compile: n_dim_sizes is %zu but dim_sizes is NULL",
                         options->n_dim_sizes);
  if (options->n_outputs > 0 && !options->outputs)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "compile: n_outputs is %zu but outputs is NULL",
                         options->n_outputs);
  return TIR_OK;
}

// All sizes first, then types: one may be reached through another.
static tir_status set_sizes(tir_ir_graph *graph,
                            const tir_compile_options *options,
                            tir_error *error) {
  for (size_t i = 0; i < options->n_dim_sizes; i++) {
    const tir_dim_size *dim = &options->dim_sizes[i];
    if (!dim->name || dim->size < 0)
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "compile: dim size %zu has %s", i,
                           dim->name ? "a negative size" : "no name");
    TIR_TRY(tir_ir_set_symbol(graph, dim->name, dim->size, error));
  }
  if (options->n_dim_sizes == 0) return TIR_OK;
  return tir_ir_infer_graph(graph, error);
}

tir_status tir_compile(tir_context *context, const tir_graph *graph,
                       const tir_compile_options *options,
                       tir_program **out_program, tir_error *error) {
  if (out_program) *out_program = NULL;
  if (!context || !graph || !out_program)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "compile: %s is NULL",
                         !context ? "context"
                         : !graph ? "graph"
                                  : "out_program");
  const tir_compile_options defaults = {0};
  if (!options) options = &defaults;
  TIR_TRY(check_options(options, error));

  tir_ir_graph *copy = NULL;
  // The published graph is shared and never changes; passes work on a copy.
  TIR_TRY(tir_ir_graph_copy(graph->ir, &copy, error));
  // Sizes first, of the whole graph: one that does not fit is refused whatever
  // outputs are picked.
  tir_status status = set_sizes(copy, options, error);
  if (status == TIR_OK && options->outputs)
    status = tir_exec_select_outputs(copy, options->outputs, options->n_outputs,
                                     error);
  if (status == TIR_OK && options->without_effects)
    status = tir_exec_drop_effects(copy, error);
  if (status != TIR_OK) {
    tir_ir_graph_destroy(copy);
    return status;
  }
  const tir_exec_compile_options exec_options = {
      .pipeline = options->pipeline,
      .max_bytes = options->max_bytes,
      .check_nan = options->check_nan,
  };
  tir_program *program = NULL;
  TIR_TRY(tir_exec_compile(context, copy, &exec_options, &program, error));
  // Only here: plans of a tape are asked for runs, never for their values.
  status = tir_exec_list_values(program, error);
  if (status != TIR_OK) {
    tir_exec_program_release(program);
    return status;
  }
  *out_program = program;
  return TIR_OK;
}

void tir_program_destroy(tir_program *program) {
  tir_exec_program_release(program);
}
