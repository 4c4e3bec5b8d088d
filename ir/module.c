// Modules: their life, leases, and what they find by name.
//
// A run or a save holds a lease, one atomic operation to take and one to give
// back. Names are strings of the module; tables by string id make every look-up
// one hash, however many parameters there are.
#include "ir/module.h"

#include <string.h>

#include "ir/base/utf8.h"
#include "ir/module_names.h"

enum { WRITER = -1 };

// --- life ------------------------------------------------------------------

tir_status tir_module_create(tir_context *context, tir_module **out_module,
                             tir_error *error) {
  *out_module = NULL;
  tir_module *module =
      tir_base_alloc_zero(context, sizeof *module, _Alignof(tir_module));
  if (!module) return tir_base_fail_memory(error, sizeof *module);
  module->context = tir_base_context_retain(context);
  atomic_init(&module->n_refs, 1);
  atomic_init(&module->lease, 0);
  atomic_init(&module->torn, false);
  tir_base_strings_init(&module->strings, context);
  *out_module = module;
  return TIR_OK;
}

// Relaxed is enough: who retains holds a reference already.
tir_module *tir_ir_module_retain(tir_module *module) {
  if (module)
    atomic_fetch_add_explicit(&module->n_refs, 1, memory_order_relaxed);
  return module;
}

static void free_contents(tir_module *module) {
  tir_context *context = module->context;
  for (size_t i = 0; i < module->graphs.count; i++)
    tir_ir_graph_free(module->graphs.data[i]);
  for (size_t i = 0; i < module->params.count; i++)
    tir_tensor_release(module->params.data[i].tensor);
  for (size_t i = 0; i < module->metadata.count; i++) {
    char *value = module->metadata.data[i].value;
    tir_base_free(context, value, strlen(value) + 1, 1);
  }
  TIR_VEC_FREE(context, &module->graphs);
  TIR_VEC_FREE(context, &module->params);
  TIR_VEC_FREE(context, &module->metadata);
  TIR_VEC_FREE(context, &module->param_of_string);
  TIR_VEC_FREE(context, &module->graph_of_string);
  TIR_VEC_FREE(context, &module->metadata_of_string);
  tir_base_strings_free(&module->strings);
}

void tir_ir_module_release(tir_module *module) {
  if (!module || atomic_fetch_sub(&module->n_refs, 1) != 1) return;
  tir_context *context = module->context;
  free_contents(module);
  // After the tensors, whose data may lie in the mapping.
  if (module->unmap) module->unmap(module->unmap_user);
  tir_base_free(context, module, sizeof *module, _Alignof(tir_module));
  tir_base_context_release(context);
}

void tir_module_destroy(tir_module *module) { tir_ir_module_release(module); }

// --- leases ----------------------------------------------------------------

// Readers count up, a writer needs nobody there. Nobody waits: waiting inside a
// library would hide the caller's mistake.
static bool take_lease(tir_module *module, bool writes) {
  int held = 0;
  if (writes)
    return atomic_compare_exchange_strong(&module->lease, &held, WRITER);
  held = atomic_load(&module->lease);
  while (held != WRITER)
    if (atomic_compare_exchange_weak(&module->lease, &held, held + 1))
      return true;
  return false;
}

tir_status tir_ir_module_acquire(tir_module *module, bool writes,
                                 tir_error *error) {
  if (!take_lease(module, writes))
    return tir_base_fail(error, TIR_ERR_BUSY,
                         "module: state is in use by another run or save; "
                         "try again when it ended");
  // After the lease: whoever tore the state did it while holding one.
  if (!atomic_load(&module->torn)) return TIR_OK;
  tir_ir_module_end_lease(module);
  return tir_base_fail(error, TIR_ERR_TORN,
                       "module: a failed run left state half written; load "
                       "the module again");
}

void tir_ir_module_end_lease(tir_module *module) {
  // While it is held by a writer, the lease is that writer's.
  if (atomic_load(&module->lease) == WRITER)
    atomic_store(&module->lease, 0);
  else
    atomic_fetch_sub(&module->lease, 1);
}

void tir_ir_module_set_torn(tir_module *module) {
  atomic_store(&module->torn, true);
}

// --- names -----------------------------------------------------------------

// The same rule for every kind of name, because one file holds them all.
tir_status tir_ir_module_check_name(const char *what, const char *name,
                                    size_t size, tir_error *error) {
  if (size == 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "module: %s name is empty",
                         what);
  if (size > TIR_MAX_NAME)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "module: %s name is too long: %zu bytes, expected "
                         "at most %d",
                         what, size, TIR_MAX_NAME);
  if (memchr(name, '\0', size) || !tir_base_is_utf8(name, size))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "module: %s name of %zu bytes is not UTF-8", what,
                         size);
  return TIR_OK;
}

// Tables end with the highest string that names anything.
uint32_t tir_ir_names_get(const tir_ir_names *names, uint32_t string) {
  return string != 0 && string < names->count ? names->data[string] : 0;
}

bool tir_ir_names_reserve(tir_context *context, tir_ir_names *names,
                          uint32_t string) {
  if (string < names->count) return true;
  const size_t extra = string + (size_t)1 - names->count;
  if (!TIR_VEC_RESERVE(context, names, extra)) return false;
  memset(names->data + names->count, 0, extra * sizeof *names->data);
  names->count += extra;
  return true;
}
