// Instances: one block of memory, laid out at compile, and what is bound.
//
//   block = arena | scratch | outputs | pointer table, tensors, tir_instance
//
// Each part starts on 64 bytes. The instance struct lives in its own block, so
// an instance in the caller's memory costs no allocation at all.
#include <stdio.h>
#include <string.h>

#include "exec/program.h"
#include "exec/threads.h"
#include "ir/base/checked.h"
#include "ir/base/list.h"

struct tir_instance {
  tir_program *program;
  tir_module *module;
  uint8_t *block;
  size_t alloc_bytes;    // 0: the block is the caller's
  void **ptr;            // the pointer table
  tir_tensor **tensors;  // by param node, one reference each
  uint32_t *params;      // by param node: its index in the module
  uint32_t n_unbound;    // inputs a run would read but that have no memory
  bool must_resolve;     // an entry inside of a bound piece is stale
};

// Offsets inside the tables part.
typedef struct table_layout {
  size_t ptr;
  size_t tensors;
  size_t params;
  size_t size;
} table_layout;

static table_layout lay_out(const tir_program *program) {
  // Counts are 32-bit, so none of these sums can overflow 64 bits; the sum of
  // all parts is checked where the report is made.
  table_layout t = {.ptr = (sizeof(tir_instance) + 15) & ~(size_t)15};
  t.tensors = t.ptr + (size_t)program->n_pointers * sizeof(void *);
  t.params = t.tensors + (size_t)program->n_params * sizeof(tir_tensor *);
  t.size = t.params + (size_t)program->n_params * sizeof(uint32_t);
  return t;
}

size_t tir_exec_table_bytes(const tir_program *program) {
  return lay_out(program).size;
}

// --- binding parameters ----------------------------------------------------

// All parameters that the module lacks, when one was found missing.
static tir_status list_missing(const tir_instance *instance, tir_error *error) {
  const tir_program *program = instance->program;
  tir_base_list list;
  tir_base_list_begin(&list, program->context, TIR_ERR_ARGUMENT);
  for (uint32_t i = 0; i < program->n_params; i++) {
    const tir_ir_value value =
        tir_ir_out(program->graph, program->params[i], 0);
    const char *name = tir_ir_value_name(program->graph, value);
    const tir_ir_param *param = tir_ir_module_param(instance->module, name);
    if (param && param->tensor) continue;
    char quoted[TIR_QUOTED_MAX];
    tir_base_list_add(&list, tir_base_quote(name, quoted),
                      "instance: the module has no parameter %s", quoted);
  }
  tir_base_fail(error, list.status, "instance: the module has no %s %s",
                list.n == 1 ? "parameter" : "parameters",
                tir_base_list_text(&list));
  if (error) error->n_more = tir_base_list_n_more(&list);
  return list.status;
}

// By name: the module may have more parameters, and in another order. The
// tensor gets a reference of its own, so its memory stays where the table says.
static tir_status bind_param(tir_instance *instance, uint32_t i,
                             tir_error *error) {
  const tir_program *program = instance->program;
  const tir_ir_graph *graph = program->graph;
  const tir_ir_value value = tir_ir_out(graph, program->params[i], 0);
  const char *name = tir_ir_value_name(graph, value);
  char quoted[TIR_QUOTED_MAX], wanted[TIR_TYPE_TEXT_MAX];
  tir_base_quote(name, quoted);
  if (!instance->module)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "instance: the graph has parameter %s but module is "
                         "NULL",
                         quoted);
  const tir_ir_param *param = tir_ir_module_param(instance->module, name);
  if (!param || !param->tensor) return list_missing(instance, error);

  tir_ir_type type, has = {0};
  tir_ir_type_of(graph, value, &type);
  const tir_tensor *tensor = param->tensor;
  has.dtype = tensor->dtype;
  has.rank = tensor->rank;
  memcpy(has.dims, tensor->dims, sizeof has.dims);
  if (has.dtype != type.dtype || !tir_ir_same_shape(&has, &type)) {
    char found[TIR_TYPE_TEXT_MAX];
    return tir_base_fail(
        error, has.dtype != type.dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
        "instance: parameter %s is %s in the graph, %s in the module", quoted,
        tir_ir_type_text(&type, wanted), tir_ir_type_text(&has, found));
  }
  // What is trained and what is state is part of what the graph was made for.
  const tir_attrs_param *attrs = tir_ir_attrs(graph, program->params[i]);
  if (attrs->kind != (int64_t)param->kind)
    return tir_base_fail(
        error, TIR_ERR_ARGUMENT,
        "instance: parameter %s is %s in the graph, %s in "
        "the module",
        quoted, attrs->kind == TIR_PARAM_STATE ? "state" : "trainable",
        param->kind == TIR_PARAM_STATE ? "state" : "trainable");
  instance->tensors[i] = tir_tensor_retain(param->tensor);
  // The module only ever gains parameters, so the number stays right where a
  // pointer would not.
  instance->params[i] = (uint32_t)(param - instance->module->params.data);
  instance->ptr[program->first_external + program->n_inputs + i] =
      param->tensor->data;
  return TIR_OK;
}

// Tensors not bound yet are NULL, so this may follow any failure.
static void release_params(tir_instance *instance) {
  for (uint32_t i = 0; i < instance->program->n_params; i++)
    tir_tensor_release(instance->tensors[i]);
}

// --- creating --------------------------------------------------------------

// Externals stand in the table as inputs, params, outputs.
static uint32_t output_entry(const tir_program *program, size_t index) {
  return program->first_external + program->n_inputs + program->n_params +
         (uint32_t)index;
}

// Nothing is retained before everything that can fail has succeeded.
static tir_status create(tir_program *program, tir_module *module,
                         uint8_t *block, size_t alloc_bytes,
                         tir_instance **out_instance, tir_error *error) {
  const tir_memory_report *report = &program->report;
  uint8_t *tables = block + (report->block_bytes - report->table_bytes);
  const table_layout layout = lay_out(program);
  tir_instance *instance = (tir_instance *)(void *)tables;
  *instance = (tir_instance){
      .program = program,
      .module = module,
      .block = block,
      .alloc_bytes = alloc_bytes,
      .ptr = (void **)(void *)(tables + layout.ptr),
      .tensors = (tir_tensor **)(void *)(tables + layout.tensors),
      .params = (uint32_t *)(void *)(tables + layout.params),
      .must_resolve = true,
  };
  memset(tables + layout.ptr, 0, layout.size - layout.ptr);
  // The arena is the first part of the block.
  tir_exec_resolve_internal(program, block, instance->ptr);
  for (uint32_t i = 0; i < program->n_inputs; i++) {
    // An input of no bytes needs no memory, but kernels expect an address.
    if (program->input_bytes[i] == 0)
      instance->ptr[program->first_external + i] = block;
    else if (program->input_read[i])
      instance->n_unbound++;
  }
  for (uint32_t i = 0; i < program->n_outputs; i++)
    instance->ptr[output_entry(program, i)] = block + program->output_offset[i];
  for (uint32_t i = 0; i < program->n_params; i++) {
    const tir_status status = bind_param(instance, i, error);
    if (status != TIR_OK) {
      release_params(instance);
      return status;
    }
  }
  // Threads are started here, not by a run, which must not allocate.
  if (program->is_split) {
    const tir_status status = tir_exec_start_threads(program->context, error);
    if (status != TIR_OK) {
      release_params(instance);
      return status;
    }
  }
  tir_exec_program_retain(program);
  if (module) tir_ir_module_retain(module);
  *out_instance = instance;
  return TIR_OK;
}

// One allocation, which goes back if anything fails.
tir_status tir_instance_create(tir_program *program, tir_module *module,
                               tir_instance **out_instance, tir_error *error) {
  if (out_instance) *out_instance = NULL;
  if (!program || !out_instance)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "instance: %s is NULL",
                         !program ? "program" : "out_instance");
  const size_t size = (size_t)program->report.block_bytes;
  size_t alloc_bytes = 0;
  void *block = tir_base_alloc_pages(program->context, size, &alloc_bytes);
  if (!block) return tir_base_fail_memory(error, size);
  const tir_status status =
      create(program, module, block, alloc_bytes, out_instance, error);
  if (status != TIR_OK)
    tir_base_free_pages(program->context, block, alloc_bytes);
  return status;
}

// The block stays the caller's and must last until the instance is destroyed.
tir_status tir_instance_create_in(tir_program *program, tir_module *module,
                                  void *block, size_t block_bytes,
                                  tir_instance **out_instance,
                                  tir_error *error) {
  if (out_instance) *out_instance = NULL;
  if (!program || !block || !out_instance)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "instance: %s is NULL",
                         !program ? "program"
                         : !block ? "block"
                                  : "out_instance");
  if (block_bytes < program->report.block_bytes)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "instance: the block has %zu bytes, the program "
                         "needs %llu",
                         block_bytes,
                         (unsigned long long)program->report.block_bytes);
  if ((uintptr_t)block % 64 != 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "instance: the block is not aligned to 64 bytes");
  return create(program, module, block, 0, out_instance, error);
}

void tir_instance_destroy(tir_instance *instance) {
  if (!instance) return;
  // The struct goes with the block.
  tir_program *program = instance->program;
  tir_module *module = instance->module;
  uint8_t *block = instance->block;
  const size_t alloc_bytes = instance->alloc_bytes;
  release_params(instance);
  if (alloc_bytes > 0)
    tir_base_free_pages(program->context, block, alloc_bytes);
  if (module) tir_ir_module_release(module);
  tir_exec_program_release(program);
}

// --- binding ---------------------------------------------------------------

// By size, not by type: bound memory is bytes.
static tir_status check_bind(const char *what, size_t index, tir_ir_value value,
                             const tir_ir_graph *graph, const char *name,
                             size_t expected, size_t size, const void *data,
                             tir_error *error) {
  char quoted[TIR_QUOTED_MAX];
  tir_base_quote(name, quoted);
  if (size != expected)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "bind: %s %zu %s has %zu bytes, given %zu", what,
                         index, quoted, expected, size);
  // That of an element is enough: the caller's memory need not suit vectors.
  const size_t align = tir_dtype_size(tir_ir_dtype_of(graph, value));
  if ((uintptr_t)data % align != 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "bind: %s %zu %s is %s: its address must be a "
                         "multiple of %zu",
                         what, index, quoted,
                         tir_dtype_name(tir_ir_dtype_of(graph, value)), align);
  return TIR_OK;
}

tir_status tir_instance_bind_input(tir_instance *instance, size_t index,
                                   const void *data, size_t size_bytes,
                                   tir_error *error) {
  if (!instance)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "bind: instance is NULL");
  const tir_program *program = instance->program;
  if (index >= program->n_inputs)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "bind: input %zu does not exist, the program has %u",
                         index, program->n_inputs);
  const tir_ir_value value = program->graph->inputs.data[index];
  TIR_TRY(check_bind("input", index, value, program->graph,
                     tir_ir_value_name(program->graph, value),
                     program->input_bytes[index], size_bytes, data, error));
  if (!data && size_bytes > 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "bind: data is NULL");
  void **entry = &instance->ptr[program->first_external + index];
  // Only the first binding fills a gap; an input that no step reads is none.
  if (!*entry && program->input_read[index]) instance->n_unbound--;
  // Programs only read inputs: nothing is ever planned into their memory
  // unless the caller donated it, which only a tape does.
  *entry = data ? (void *)(uintptr_t)data : instance->block;
  instance->must_resolve = true;
  return TIR_OK;
}

tir_status tir_instance_bind_output(tir_instance *instance, size_t index,
                                    void *data, size_t size_bytes,
                                    tir_error *error) {
  if (!instance)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "bind: instance is NULL");
  const tir_program *program = instance->program;
  if (index >= program->n_outputs)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "bind: output %zu does not exist, the program has %u",
                         index, program->n_outputs);
  // NULL gives the output its own memory back, which always fits.
  if (data) {
    const tir_ir_output *output = &program->graph->outputs.data[index];
    TIR_TRY(check_bind(
        "output", index, tir_ir_resolve(program->graph, output->value),
        program->graph,
        tir_base_strings_text(&program->graph->strings, output->name),
        program->output_bytes[index], size_bytes, data, error));
  }
  instance->ptr[output_entry(program, index)] =
      data ? data : instance->block + program->output_offset[index];
  instance->must_resolve = true;
  return TIR_OK;
}

// Meant for set-up: looks at one name after the other.
int64_t tir_instance_find_input(const tir_instance *instance,
                                const char *name) {
  if (!instance || !name) return -1;
  const tir_ir_graph *graph = instance->program->graph;
  for (size_t i = 0; i < graph->inputs.count; i++)
    if (strcmp(tir_ir_value_name(graph, graph->inputs.data[i]), name) == 0)
      return (int64_t)i;
  return -1;
}

int64_t tir_instance_find_output(const tir_instance *instance,
                                 const char *name) {
  if (!instance || !name) return -1;
  const tir_ir_graph *graph = instance->program->graph;
  for (size_t i = 0; i < graph->outputs.count; i++)
    if (strcmp(
            tir_base_strings_text(&graph->strings, graph->outputs.data[i].name),
            name) == 0)
      return (int64_t)i;
  return -1;
}

const void *tir_instance_output(const tir_instance *instance, size_t index) {
  if (!instance || index >= instance->program->n_outputs) return NULL;
  return instance->ptr[output_entry(instance->program, index)];
}

// --- running ---------------------------------------------------------------

// All of them in one message.
static tir_status list_unbound(const tir_instance *instance, tir_error *error) {
  const tir_program *program = instance->program;
  tir_base_list list;
  tir_base_list_begin(&list, program->context, TIR_ERR_STATE);
  for (uint32_t i = 0; i < program->n_inputs; i++) {
    if (instance->ptr[program->first_external + i] || !program->input_read[i])
      continue;
    char quoted[TIR_QUOTED_MAX], item[TIR_QUOTED_MAX + 16];
    const tir_ir_value value = program->graph->inputs.data[i];
    tir_base_quote(tir_ir_value_name(program->graph, value), quoted);
    snprintf(item, sizeof item, "%u %s", i, quoted);
    tir_base_list_add(&list, item, "run: input %s is not bound", item);
  }
  tir_base_fail(error, list.status, "run: %s %s %s not bound",
                list.n == 1 ? "input" : "inputs", tir_base_list_text(&list),
                list.n == 1 ? "is" : "are");
  if (error) error->n_more = tir_base_list_n_more(&list);
  return list.status;
}

// Cheap on purpose: it stands before every run.
static tir_status check_run(const tir_instance *instance,
                            const tir_run_options *options, tir_error *error) {
  if (options)
    for (size_t i = 0; i < sizeof options->reserved / sizeof *options->reserved;
         i++)
      if (options->reserved[i] != 0)
        return tir_base_fail(error, TIR_ERR_ARGUMENT,
                             "run: a reserved option is set: built for a "
                             "newer header");
  if (instance->n_unbound == 0) return TIR_OK;
  return list_unbound(instance, error);
}

// Places inside of bound memory (views) follow their bases.
// The table is its own binding: copying the bases over themselves changes
// nothing, and the entries behind them are computed anew.
static void resolve_offsets(tir_instance *instance) {
  const tir_program *program = instance->program;
  void **bases = instance->ptr + program->first_external;
  const tir_exec_binding binding = {
      .inputs = bases,
      .params = bases + program->n_inputs,
      .outputs = bases + program->n_inputs + program->n_params,
  };
  tir_exec_resolve_external(program, &binding, instance->ptr);
  instance->must_resolve = false;
}

// Who derived something from a parameter sees that it changed.
static void count_versions(const tir_instance *instance) {
  const tir_program *program = instance->program;
  for (uint32_t i = 0; i < program->n_params; i++)
    if (program->param_written[i])
      instance->module->params.data[instance->params[i]].version++;
}

tir_status tir_run(tir_instance *instance, const tir_run_options *options,
                   tir_error *error) {
  if (!instance)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "run: instance is NULL");
  TIR_TRY(check_run(instance, options, error));
  const tir_program *program = instance->program;
  // Without parameters there is no module to share.
  const bool leased = program->n_params > 0;
  if (leased)
    TIR_TRY(
        tir_ir_module_acquire(instance->module, program->writes_state, error));
  if (instance->must_resolve) resolve_offsets(instance);

  tir_exec_failure failure;
  const tir_status status = tir_exec_run_steps(
      program, instance->ptr, instance->block + program->report.arena_bytes,
      options, &failure);
  // A torn state changed too, though not as it should have.
  const bool wrote =
      program->writes_state && (status == TIR_OK || failure.torn);
  if (wrote) count_versions(instance);
  if (status != TIR_OK && failure.torn)
    tir_ir_module_set_torn(instance->module);
  if (leased) tir_ir_module_end_lease(instance->module);
  if (status == TIR_OK) return TIR_OK;
  // After the lease has ended: making a message takes time.
  return tir_exec_report_failure(program, status, &failure, NULL, NULL, error);
}
