// Building static graphs in tests with the public op functions, without a
// live tape: a recorder into a graph that is published at the end.
#ifndef TAPEIR_TESTS_SUPPORT_GRAPH_BUILDER_H
#define TAPEIR_TESTS_SUPPORT_GRAPH_BUILDER_H

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tapeir/tapeir.h"
#include "tests/support/internal.h"

class GraphBuilder {
 public:
  explicit GraphBuilder(tir_context *context, const char *name = "main") {
    EXPECT_EQ(tir_ir_graph_create(context, name, &ir_, &error_), TIR_OK);
    EXPECT_EQ(tir_ir_recorder_create(context, ir_, &tape_, &error_), TIR_OK);
  }
  ~GraphBuilder() {
    tir_ir_recorder_destroy(tape_);
    tir_ir_graph_destroy(ir_);
  }
  GraphBuilder(const GraphBuilder &) = delete;
  GraphBuilder &operator=(const GraphBuilder &) = delete;

  tir_tape *tape() const { return tape_; }
  tir_ir_graph *ir() const { return ir_; }

  // `symbols` names the dims that may change, "" for a fixed one.
  tir_value Input(const char *name, tir_dtype dtype,
                  const std::vector<int64_t> &dims,
                  const std::vector<std::string> &symbols = {}) {
    tir_ir_type type = Type(dtype, dims);
    for (size_t i = 0; i < symbols.size(); i++)
      EXPECT_TRUE(tir_base_strings_intern(&ir_->strings, symbols[i].data(),
                                          symbols[i].size(), &type.symbols[i]));
    return tir_ir_record_declared(tape_, TIR_OP_INPUT, nullptr, &type, name);
  }
  tir_value Param(const char *name, tir_dtype dtype,
                  const std::vector<int64_t> &dims,
                  tir_param_kind kind = TIR_PARAM_TRAINABLE) {
    const tir_ir_type type = Type(dtype, dims);
    const tir_attrs_param attrs = {kind};
    return tir_ir_record_declared(tape_, TIR_OP_PARAM, &attrs, &type, name);
  }
  tir_value Constant(tir_dtype dtype, const std::vector<int64_t> &dims,
                     const void *data) {
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_tensor_from_data(ir_->context, dtype, dims.data(),
                                   static_cast<int>(dims.size()), data, &tensor,
                                   &error_),
              TIR_OK);
    uint32_t index = 0;
    EXPECT_EQ(tir_ir_add_tensor(ir_, tensor, &index, &error_), TIR_OK);
    tir_tensor_release(tensor);
    const tir_ir_type type = Type(dtype, dims);
    const tir_attrs_constant attrs = {0, index + 1};
    return tir_ir_record_declared(tape_, TIR_OP_CONSTANT, &attrs, &type,
                                  nullptr);
  }
  void Output(const char *name, tir_value value) {
    EXPECT_EQ(tir_ir_add_output(ir_, tir_ir_peek(tape_, value), name, &error_),
              TIR_OK);
  }
  // The place the last op was recorded at.
  void Site(const char *site) {
    const tir_ir_node last = {tir_ir_n_nodes(ir_)};
    tir_ir_node_at(ir_, last)->site = site;
  }
  // The frozen graph, nullptr on an error; the builder is done with it.
  tir_graph *Publish() {
    tir_graph *graph = nullptr;
    if (tir_tape_check(tape_, &error_) != TIR_OK) {
      ADD_FAILURE() << error_.message;
      return nullptr;
    }
    tir_ir_graph *ir = ir_;
    ir_ = nullptr;
    EXPECT_EQ(tir_ir_graph_publish(ir, nullptr, &graph, &error_), TIR_OK)
        << error_.message;
    return graph;
  }
  // The graph as one of a module; the builder is done with it.
  tir_graph *PublishTo(tir_module *module) {
    tir_graph *graph = nullptr;
    if (tir_tape_check(tape_, &error_) != TIR_OK) {
      ADD_FAILURE() << error_.message;
      return nullptr;
    }
    tir_ir_graph *ir = ir_;
    ir_ = nullptr;
    EXPECT_EQ(tir_ir_module_add_graph(module, ir, &graph, &error_), TIR_OK)
        << error_.message;
    return graph;
  }

 private:
  static tir_ir_type Type(tir_dtype dtype, const std::vector<int64_t> &dims) {
    tir_ir_type type = {};
    type.dtype = dtype;
    type.rank = static_cast<int>(dims.size());
    for (size_t i = 0; i < dims.size(); i++) type.dims[i] = dims[i];
    return type;
  }

  tir_ir_graph *ir_ = nullptr;
  tir_tape *tape_ = nullptr;
  tir_error error_ = {};
};

// Adds a float parameter to a module.
inline void AddParam(tir_module *module, tir_context *context, const char *name,
                     const std::vector<int64_t> &dims,
                     const std::vector<float> &data,
                     tir_param_kind kind = TIR_PARAM_TRAINABLE) {
  tir_tensor *tensor = nullptr;
  tir_error error = {};
  ASSERT_EQ(tir_tensor_from_data(context, TIR_DTYPE_F32, dims.data(),
                                 static_cast<int>(dims.size()), data.data(),
                                 &tensor, &error),
            TIR_OK)
      << error.message;
  EXPECT_EQ(tir_module_add_param(module, name, kind, tensor, &error), TIR_OK)
      << error.message;
  tir_tensor_release(tensor);
}

inline std::vector<float> GetParam(tir_module *module, const char *name) {
  tir_tensor *tensor = nullptr;
  tir_error error = {};
  EXPECT_EQ(tir_module_get_param(module, name, &tensor, &error), TIR_OK)
      << error.message;
  if (!tensor) return {};
  const float *data = static_cast<const float *>(tir_tensor_data(tensor));
  std::vector<float> values(data, data + tir_tensor_numel(tensor));
  tir_tensor_release(tensor);
  return values;
}

#endif
