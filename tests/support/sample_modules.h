// Small modules for tests of files. They only use what no later version may
// change, because files of them are kept for ever (tests/files/).
#ifndef TAPEIR_TESTS_SUPPORT_SAMPLE_MODULES_H
#define TAPEIR_TESTS_SUPPORT_SAMPLE_MODULES_H

#include <stdint.h>

#include "tapeir/tapeir.h"

struct SampleModule {
  const char *name;
  tir_module *(*make)(tir_context *context);
};

// No graph, no parameter.
tir_module *MakeEmptyModule(tir_context *context);
// One graph of one node besides its input.
tir_module *MakeTinyModule(tir_context *context);
// Two layers, loss and sgd step: a graph as people train it.
tir_module *MakeStepModule(tir_context *context);
// Parameters, constants and literals of every dtype.
tir_module *MakeDtypeModule(tir_context *context);
// Odd names, places, symbolic dims, metadata, attributes of every kind.
tir_module *MakeNameModule(tir_context *context);

extern const SampleModule kSampleModules[];
extern const int kNSampleModules;

// Random graphs over all ops, with random names, places and parameters.
tir_module *MakeRandomModule(tir_context *context, uint64_t seed);

// One graph, a chain of n nodes: tanh of tanh of … of the input.
tir_module *MakeChainModule(tir_context *context, uint32_t n_nodes);

#endif
