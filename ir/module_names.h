// Tables from a module's strings to what carries the name.
#ifndef TAPEIR_IR_MODULE_NAMES_H
#define TAPEIR_IR_MODULE_NAMES_H

#include "ir/module.h"

// Index + 1 of what the string names, 0 if nothing.
uint32_t tir_ir_names_get(const tir_ir_names *names, uint32_t string);
// Makes an entry for the string; false when memory ran out.
bool tir_ir_names_reserve(tir_context *context, tir_ir_names *names,
                          uint32_t string);

// 1 to TIR_MAX_NAME bytes of UTF-8. `what` is "param", "graph" ….
tir_status tir_ir_module_check_name(const char *what, const char *name,
                                    size_t size, tir_error *error);

// Frees a graph whoever owns it.
void tir_ir_graph_free(tir_graph *graph);

#endif
