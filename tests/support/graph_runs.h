// One graph run in several ways: compiled with a pipeline, with or without
// reuse of memory, or by the reference evaluator.
#ifndef TAPEIR_TESTS_SUPPORT_GRAPH_RUNS_H
#define TAPEIR_TESTS_SUPPORT_GRAPH_RUNS_H

#include <cmath>

#include "tests/support/compiled.h"
#include "tests/support/random.h"

// Outputs, then parameters after the run, as bytes.
struct RunResult {
  std::vector<std::vector<uint8_t>> data;
  std::vector<tir_dtype> dtypes;
};

inline double ElementAt(const RunResult &r, size_t i, size_t k) {
  return tir_ir_load_f64(r.dtypes[i],
                         &r.data[i][k * tir_dtype_size(r.dtypes[i])]);
}

// Data for a graph's inputs and parameters, the same for every way to run it.
class GraphRuns {
 public:
  GraphRuns(tir_context *context, const tir_graph *graph, uint64_t seed)
      : context_(context), graph_(graph) {
    TestRandom random(seed);
    for (size_t i = 0; i < tir_graph_n_inputs(graph); i++) {
      tir_port port = {};
      EXPECT_EQ(tir_graph_input(graph, i, &port), TIR_OK);
      inputs_.push_back(RandomTensor(port, &random));
    }
    for (size_t i = 0; i < tir_graph_n_params(graph); i++) {
      tir_port port = {};
      EXPECT_EQ(tir_graph_param(graph, i, &port), TIR_OK);
      params_.push_back(RandomTensor(port, &random));
      names_.push_back(port.name);
    }
  }

  // Every byte of the arena holds `fill` before the run. A small `grain` cuts
  // every step that can be cut, for the threads of the context.
  RunResult Compiled(const char *pipeline, bool no_reuse, uint8_t fill,
                     double grain = 0) const {
    tir_error error = {};
    tir_ir_graph *copy = nullptr;
    EXPECT_EQ(tir_ir_graph_copy(graph_->ir, &copy, &error), TIR_OK);
    tir_exec_compile_options options = {};
    options.pipeline = pipeline;
    options.no_reuse = no_reuse;
    options.grain = grain;
    tir_program *made = nullptr;
    EXPECT_EQ(tir_exec_compile(context_, copy, &options, &made, &error), TIR_OK)
        << error.message;
    if (!made) return {};
    const Owned<tir_program> program(made);
    EXPECT_EQ(tir_pass_check_plan(made->graph, &made->plan, &error), TIR_OK)
        << error.message;
    const auto module = Module();
    const size_t size = made->report.block_bytes;
    void *block = nullptr;
    EXPECT_EQ(posix_memalign(&block, 64, size), 0);
    memset(block, fill, size);
    tir_instance *instance = nullptr;
    EXPECT_EQ(tir_instance_create_in(made, module.get(), block, size, &instance,
                                     &error),
              TIR_OK)
        << error.message;
    RunResult result;
    if (instance) result = RunInstance(instance, module.get());
    tir_instance_destroy(instance);
    free(block);
    return result;
  }

  RunResult Reference() const {
    tir_error error = {};
    const auto module = Module();
    std::vector<tir_tensor *> inputs;
    for (const auto &input : inputs_) inputs.push_back(input.get());
    std::vector<tir_tensor *> outputs(tir_graph_n_outputs(graph_), nullptr);
    EXPECT_EQ(
        tir_reference_run(graph_, module.get(), inputs.data(), inputs.size(),
                          outputs.data(), outputs.size(), &error),
        TIR_OK)
        << error.message;
    RunResult result;
    for (tir_tensor *output : outputs) {
      const Owned<tir_tensor> owned(output);
      if (!output) return {};
      Add(&result, output->dtype, output->data, output->size_bytes);
    }
    AddParams(&result, module.get());
    return result;
  }

 private:
  Owned<tir_tensor> RandomTensor(const tir_port &port, TestRandom *random) {
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_tensor_create(context_, port.dtype, port.dims, port.rank,
                                &tensor, nullptr),
              TIR_OK);
    const size_t elem = tir_dtype_size(port.dtype);
    for (int64_t i = 0; i < tensor->numel; i++)
      tir_ir_store_f64(
          port.dtype,
          static_cast<uint8_t *>(tensor->data) + static_cast<size_t>(i) * elem,
          random->Between(-2, 2));
    return Owned<tir_tensor>(tensor);
  }

  Owned<tir_module> Module() const {
    auto module = MakeModule(context_);
    for (size_t i = 0; i < params_.size(); i++)
      EXPECT_EQ(
          tir_module_add_param(module.get(), names_[i].c_str(),
                               TIR_PARAM_TRAINABLE, params_[i].get(), nullptr),
          TIR_OK);
    return module;
  }

  static void Add(RunResult *result, tir_dtype dtype, const void *data,
                  size_t size) {
    const auto *bytes = static_cast<const uint8_t *>(data);
    result->data.emplace_back(bytes, bytes + size);
    result->dtypes.push_back(dtype);
  }

  void AddParams(RunResult *result, tir_module *module) const {
    for (const std::string &name : names_) {
      tir_tensor *tensor = nullptr;
      EXPECT_EQ(tir_module_get_param(module, name.c_str(), &tensor, nullptr),
                TIR_OK);
      Add(result, tensor->dtype, tensor->data, tensor->size_bytes);
      tir_tensor_release(tensor);
    }
  }

  RunResult RunInstance(tir_instance *instance, tir_module *module) const {
    tir_error error = {};
    RunResult result;
    for (size_t i = 0; i < inputs_.size(); i++)
      EXPECT_EQ(tir_instance_bind_input(instance, i, inputs_[i]->data,
                                        inputs_[i]->size_bytes, &error),
                TIR_OK);
    EXPECT_EQ(tir_run(instance, nullptr, &error), TIR_OK) << error.message;
    for (size_t i = 0; i < tir_graph_n_outputs(graph_); i++) {
      tir_port port = {};
      tir_graph_output(graph_, i, &port);
      size_t size = tir_dtype_size(port.dtype);
      for (int d = 0; d < port.rank; d++)
        size *= static_cast<size_t>(port.dims[d]);
      Add(&result, port.dtype, tir_instance_output(instance, i), size);
    }
    AddParams(&result, module);
    return result;
  }

  tir_context *context_;
  const tir_graph *graph_;
  std::vector<Owned<tir_tensor>> inputs_, params_;
  std::vector<std::string> names_;
};

// Same bits, where any NaN equals any NaN; "" or what differs first.
inline std::string DifferentBits(const RunResult &a, const RunResult &b) {
  if (a.data.size() != b.data.size()) return "number of results";
  for (size_t i = 0; i < a.data.size(); i++) {
    if (a.data[i] == b.data[i]) continue;
    const size_t elem = tir_dtype_size(a.dtypes[i]);
    for (size_t k = 0; k * elem < a.data[i].size(); k++) {
      if (memcmp(&a.data[i][k * elem], &b.data[i][k * elem], elem) == 0)
        continue;
      const double p = ElementAt(a, i, k), q = ElementAt(b, i, k);
      if (std::isnan(p) && std::isnan(q)) continue;
      return "result " + std::to_string(i) + " element " + std::to_string(k) +
             ": " + std::to_string(p) + " and " + std::to_string(q);
    }
  }
  return "";
}

// Equal within a relative error of the larger one, and of 1.
inline std::string FarApart(const RunResult &a, const RunResult &b,
                            double tolerance) {
  if (a.data.size() != b.data.size()) return "number of results";
  for (size_t i = 0; i < a.data.size(); i++) {
    const size_t elem = tir_dtype_size(a.dtypes[i]);
    for (size_t k = 0; k * elem < a.data[i].size(); k++) {
      const double p = ElementAt(a, i, k), q = ElementAt(b, i, k);
      if ((std::isnan(p) && std::isnan(q)) || p == q) continue;
      const double size = std::max({1.0, std::fabs(p), std::fabs(q)});
      if (std::fabs(p - q) <= tolerance * size) continue;
      return "result " + std::to_string(i) + " element " + std::to_string(k) +
             ": " + std::to_string(p) + " and " + std::to_string(q);
    }
  }
  return "";
}

#endif
