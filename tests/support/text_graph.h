// Graphs as text in tests.
#ifndef TAPEIR_TESTS_SUPPORT_TEXT_GRAPH_H
#define TAPEIR_TESTS_SUPPORT_TEXT_GRAPH_H

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/internal.h"

struct GraphDeleter {
  void operator()(tir_ir_graph *graph) const { tir_ir_graph_destroy(graph); }
};
using GraphPtr = std::unique_ptr<tir_ir_graph, GraphDeleter>;

struct ModuleDeleter {
  void operator()(tir_module *module) const { tir_module_destroy(module); }
};
using ModulePtr = std::unique_ptr<tir_module, ModuleDeleter>;

inline GraphPtr ParseGraph(tir_context *context, const std::string &text) {
  tir_ir_graph *graph = nullptr;
  tir_error error = {};
  EXPECT_EQ(
      tir_ir_parse_graph(context, text.data(), text.size(), &graph, &error),
      TIR_OK)
      << "line " << error.line << ": " << error.message;
  return GraphPtr(graph);
}

inline std::string PrintGraph(const tir_ir_graph *graph, bool data = true) {
  tir_ir_text text;
  tir_ir_text_init(&text, graph->context);
  tir_ir_print_graph(graph, nullptr, nullptr, &text);
  if (data) tir_ir_print_data(graph, &text);
  EXPECT_FALSE(text.out_of_memory);
  const std::string result(text.bytes.data, text.bytes.count);
  tir_ir_text_free(&text);
  return result;
}

inline ModulePtr ParseModule(tir_context *context, const std::string &text) {
  tir_module *module = nullptr;
  tir_error error = {};
  EXPECT_EQ(
      tir_module_from_text(context, text.data(), text.size(), &module, &error),
      TIR_OK)
      << "line " << error.line << ": " << error.message;
  return ModulePtr(module);
}

inline std::string PrintModule(tir_context *context, const tir_module *module) {
  char *text = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_module_to_text(module, &text, &error), TIR_OK) << error.message;
  const std::string result = text ? text : "";
  tir_text_free(context, text);
  return result;
}

inline tir_ir_type MakeType(tir_dtype dtype, const std::vector<int64_t> &dims) {
  tir_ir_type type = {};
  type.dtype = dtype;
  type.rank = static_cast<int>(dims.size());
  for (size_t i = 0; i < dims.size(); i++) type.dims[i] = dims[i];
  return type;
}

inline uint32_t Symbol(tir_ir_graph *graph, const std::string &name) {
  uint32_t id = 0;
  EXPECT_TRUE(
      tir_base_strings_intern(&graph->strings, name.data(), name.size(), &id));
  return id;
}

#endif
