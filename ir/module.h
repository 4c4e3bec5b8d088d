// Inside of tir_module and tir_graph: named graphs, named parameters, leases.
#ifndef TAPEIR_IR_MODULE_H
#define TAPEIR_IR_MODULE_H

#include "ir/base/atomics.h"
#include "ir/graph.h"
#include "tapeir/graph.h"

// Frozen: nobody writes to `ir` once published.
struct tir_graph {
  tir_ir_graph *ir;
  tir_module *module;    // NULL if it belongs to none
  bool owned_by_module;  // else the caller owns it and it holds the module
  // Ports found once, at publishing.
  TIR_VEC(tir_ir_node) params;  // param nodes in order
};

typedef struct tir_ir_param {
  uint32_t name;  // string id of the module
  tir_param_kind kind;
  tir_tensor *tensor;  // storage; its data is written by runs
  uint64_t version;    // + 1 at each write
  uint64_t checksum;   // of a mapped tensor not verified yet
  bool unverified;
  bool frozen;  // no variable of tir_module_variables
} tir_ir_param;

typedef struct tir_ir_metadata {
  uint32_t key;
  char *value;  // tir_base_alloc, strlen + 1, align 1
} tir_ir_metadata;

// String id → index + 1; 0, or past the end, if nothing has the name.
typedef TIR_VEC(uint32_t) tir_ir_names;

struct tir_module {
  tir_context *context;
  atomic_size_t n_refs;
  tir_base_strings strings;
  TIR_VEC(tir_ir_param) params;
  TIR_VEC(tir_graph *) graphs;
  TIR_VEC(tir_ir_metadata) metadata;
  tir_ir_names param_of_string;
  tir_ir_names graph_of_string;
  tir_ir_names metadata_of_string;
  // −1 one writer, 0 free, n readers.
  atomic_int lease;
  atomic_bool torn;
  void (*unmap)(void *user);  // called when the module ends
  void *unmap_user;
};

// Type of a value with `name` as a port.
void tir_ir_fill_port(const tir_ir_graph *graph, tir_ir_value value,
                      const char *name, tir_port *out_port);

tir_module *tir_ir_module_retain(tir_module *module);
void tir_ir_module_release(tir_module *module);

// Compares a param that is mapped from a file, and not yet verified, with its
// checksum; OK for any other. The caller holds a lease.
// Errors  FORMAT.
tir_status tir_ir_check_param(const tir_module *module,
                              const tir_ir_param *param, tir_error *error);

// Leases: one atomic operation each. TIR_ERR_BUSY, or TIR_ERR_TORN for a
// module whose state a failed run left half written.
tir_status tir_ir_module_acquire(tir_module *module, bool writes,
                                 tir_error *error);
void tir_ir_module_end_lease(tir_module *module);
void tir_ir_module_set_torn(tir_module *module);

// Publishes: checks names, verifies, takes ownership of `ir` (also on error).
// A graph of that name already there is refused.
tir_status tir_ir_module_add_graph(tir_module *module, tir_ir_graph *ir,
                                   tir_graph **out_graph, tir_error *error);
// A graph owned by the caller, who ends it with tir_graph_destroy; takes
// ownership of `ir` (also on error). Compacts and verifies. Params the module
// (may be NULL) has must fit.
tir_status tir_ir_graph_publish(tir_ir_graph *ir, tir_module *module,
                                tir_graph **out_graph, tir_error *error);
// Adds a parameter that takes the reference on `tensor` over (on success).
tir_status tir_ir_module_add_tensor(tir_module *module, const char *name,
                                    size_t name_size, tir_param_kind kind,
                                    tir_tensor *tensor, uint32_t *out_index,
                                    tir_error *error);
// NULL if there is none of that name.
tir_ir_param *tir_ir_module_param(const tir_module *module, const char *name);

#endif
