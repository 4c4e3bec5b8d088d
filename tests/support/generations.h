// Modules that carry a generation number in every tensor and in the metadata,
// so that a mix of two saves shows.
#ifndef TAPEIR_TESTS_SUPPORT_GENERATIONS_H
#define TAPEIR_TESTS_SUPPORT_GENERATIONS_H

#include <string>
#include <vector>

#include "tests/support/graph_builder.h"

inline tir_module *MakeGeneration(tir_context *context, uint32_t generation) {
  tir_module *module = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_module_create(context, &module, &error), TIR_OK);
  for (int i = 0; i < 6; i++) {
    // Sizes differ between generations: what stands where moves.
    const size_t n = 1000 * static_cast<size_t>(i + 1) + generation % 7;
    AddParam(module, context, ("p" + std::to_string(i)).c_str(),
             {static_cast<int64_t>(n)},
             std::vector<float>(n, static_cast<float>(generation)));
  }
  EXPECT_EQ(tir_module_set_metadata(module, "generation",
                                    std::to_string(generation).c_str(), &error),
            TIR_OK);
  return module;
}

// The generation of a module; −1 if its parts are of several.
inline int64_t GenerationOf(tir_module *module) {
  const char *text = tir_module_get_metadata(module, "generation");
  if (!text || tir_module_n_params(module) != 6) return -1;
  const int64_t generation = std::stoll(text);
  for (int i = 0; i < 6; i++) {
    const tir_tensor *tensor = module->params.data[i].tensor;
    if (tensor->numel != 1000 * (i + 1) + generation % 7) return -1;
    const float *data = static_cast<const float *>(tensor->data);
    for (int64_t k = 0; k < tensor->numel; k++)
      if (data[k] != static_cast<float>(generation)) return -1;
  }
  return generation;
}

#endif
