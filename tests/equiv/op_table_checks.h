// What every graph from the op table must satisfy: passes of class E, reuse of
// memory, and what the memory held before change no bit and no failure.
#ifndef TAPEIR_TESTS_EQUIV_OP_TABLE_CHECKS_H
#define TAPEIR_TESTS_EQUIV_OP_TABLE_CHECKS_H

#include "tests/equiv/op_table_graph.h"
#include "tests/support/custom_ops.h"
#include "tests/support/graph_runs.h"
#include "tests/support/text_graph.h"

struct EquivRun {
  tir_status status = TIR_OK;
  RunResult result;
};

// Inputs and params of one graph, with special numbers among them; integers
// are small, so that most are valid indices.
class EquivData {
 public:
  EquivData(tir_context *context, const tir_graph *graph, uint64_t seed)
      : context_(context), graph_(graph), random_(seed) {
    for (size_t i = 0; i < tir_graph_n_inputs(graph); i++) {
      tir_port port = {};
      EXPECT_EQ(tir_graph_input(graph, i, &port), TIR_OK);
      inputs_.push_back(Make(port));
    }
    module_ = MakeModule(context);
    for (size_t i = 0; i < tir_graph_n_params(graph); i++) {
      tir_port port = {};
      EXPECT_EQ(tir_graph_param(graph, i, &port), TIR_OK);
      params_.push_back(Make(port));
      names_.push_back(port.name);
      EXPECT_EQ(
          tir_module_add_param(module_.get(), port.name, TIR_PARAM_TRAINABLE,
                               params_[i].get(), nullptr),
          TIR_OK);
    }
  }

  EquivRun Run(const char *pipeline, bool no_reuse, uint8_t fill,
               double grain = 0) {
    EquivRun run;
    tir_error error = {};
    tir_ir_graph *copy = nullptr;
    EXPECT_EQ(tir_ir_graph_copy(graph_->ir, &copy, &error), TIR_OK);
    tir_exec_compile_options options = {};
    options.pipeline = pipeline;
    options.no_reuse = no_reuse;
    options.grain = grain;
    tir_program *made = nullptr;
    run.status = tir_exec_compile(context_, copy, &options, &made, &error);
    EXPECT_EQ(run.status, TIR_OK) << error.message;
    if (!made) return run;
    const Owned<tir_program> program(made);
    EXPECT_EQ(tir_pass_check_plan(made->graph, &made->plan, &error), TIR_OK)
        << error.message;
    EXPECT_GE(made->plan.arena_bytes, made->plan.lower_bound_bytes);
    for (size_t i = 0; i < params_.size(); i++)
      EXPECT_EQ(tir_module_set_param(module_.get(), names_[i].c_str(),
                                     params_[i].get(), nullptr),
                TIR_OK);
    const size_t size = made->report.block_bytes;
    void *block = nullptr;
    EXPECT_EQ(posix_memalign(&block, 64, size), 0);
    memset(block, fill, size);
    tir_instance *instance = nullptr;
    EXPECT_EQ(tir_instance_create_in(made, module_.get(), block, size,
                                     &instance, &error),
              TIR_OK)
        << error.message;
    if (instance) RunInstance(instance, &run);
    tir_instance_destroy(instance);
    free(block);
    return run;
  }

 private:
  Owned<tir_tensor> Make(const tir_port &port) {
    static const double kSpecial[] = {0,   -0.0,      1,        -1,   1e-40,
                                      NAN, -INFINITY, INFINITY, 1e30, 0.5};
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_tensor_create(context_, port.dtype, port.dims, port.rank,
                                &tensor, nullptr),
              TIR_OK);
    for (int64_t i = 0; i < tensor->numel; i++) {
      double x = random_.Between(-2, 2);
      if (!tir_ir_dtype_is_float(port.dtype))
        x = static_cast<double>(random_.Below(8) == 0) -
            static_cast<double>(random_.Below(4) == 0);
      else if (random_.Below(8) == 0)
        x = kSpecial[random_.Below(10)];
      tir_ir_store_f64(port.dtype,
                       static_cast<char *>(tensor->data) +
                           static_cast<size_t>(i) * tir_dtype_size(port.dtype),
                       x);
    }
    return Owned<tir_tensor>(tensor);
  }

  void RunInstance(tir_instance *instance, EquivRun *run) {
    tir_error error = {};
    for (size_t i = 0; i < inputs_.size(); i++)
      EXPECT_EQ(tir_instance_bind_input(instance, i, inputs_[i]->data,
                                        inputs_[i]->size_bytes, &error),
                TIR_OK);
    run->status = tir_run(instance, nullptr, &error);
    if (run->status != TIR_OK) return;
    for (size_t i = 0; i < tir_graph_n_outputs(graph_); i++) {
      tir_port port = {};
      EXPECT_EQ(tir_graph_output(graph_, i, &port), TIR_OK);
      size_t size = tir_dtype_size(port.dtype);
      for (int d = 0; d < port.rank; d++)
        size *= static_cast<size_t>(port.dims[d]);
      Add(run, port.dtype, tir_instance_output(instance, i), size);
    }
    for (const std::string &name : names_) {
      tir_tensor *tensor = nullptr;
      EXPECT_EQ(
          tir_module_get_param(module_.get(), name.c_str(), &tensor, nullptr),
          TIR_OK);
      Add(run, tensor->dtype, tensor->data, tensor->size_bytes);
      tir_tensor_release(tensor);
    }
  }

  static void Add(EquivRun *run, tir_dtype dtype, const void *data,
                  size_t size) {
    const auto *bytes = static_cast<const uint8_t *>(data);
    run->result.data.emplace_back(bytes, bytes + size);
    run->result.dtypes.push_back(dtype);
  }

  tir_context *context_;
  const tir_graph *graph_;
  TestRandom random_;
  std::vector<Owned<tir_tensor>> inputs_, params_;
  std::vector<std::string> names_;
  Owned<tir_module> module_;
};

// True if the graph ran: integer division and indices may fail.
inline bool CheckOpTableGraph(tir_context *context, const tir_graph *graph,
                              uint64_t seed) {
  EquivData data(context, graph, seed);
  const EquivRun plain = data.Run("none", true, 0x00);
  const struct {
    const char *pipeline;
    bool no_reuse;
    uint8_t fill;
    double grain;  // small: every step is cut for three lanes
  } ways[] = {{"none", false, 0xff, 0},
              {"none", true, 0x3c, 1e-6},
              {"basic", true, 0xa5, 0},
              {"basic", false, 0x7f, 0}};
  for (const auto &way : ways) {
    const EquivRun other =
        data.Run(way.pipeline, way.no_reuse, way.fill, way.grain);
    // Passes may drop what fails, if nothing depends on it; never add it.
    const bool is_dropped = *way.pipeline == 'b' && other.status == TIR_OK;
    EXPECT_TRUE(other.status == plain.status || is_dropped) << way.pipeline;
    if (plain.status == TIR_OK && other.status == TIR_OK) {
      EXPECT_EQ(DifferentBits(plain.result, other.result), "")
          << way.pipeline << (way.no_reuse ? "" : " with reuse")
          << (way.grain > 0 ? " cut" : "");
    }
  }
  data.Run("full", false, 0x11);
  return plain.status == TIR_OK;
}

// Graphs first_seed … first_seed + n − 1. Returns the ops met.
inline std::set<std::string> CheckOpTableGraphs(uint64_t first_seed, int n) {
  const auto context = MakeContext(3);
  custom_ops::RegisterTestOps(context.get());
  std::set<std::string> ops;
  int n_ran = 0;
  for (uint64_t seed = first_seed; seed < first_seed + uint64_t(n); seed++) {
    OpTableGraph random(context.get(), seed, 4 + static_cast<int>(seed % 24));
    ops.insert(random.ops().begin(), random.ops().end());
    tir_error error = {};
    tir_graph *made = nullptr;
    EXPECT_EQ(tir_ir_graph_publish(random.Take(), nullptr, &made, &error),
              TIR_OK)
        << error.message;
    if (!made) continue;
    const Owned<tir_graph> graph(made);
    n_ran += CheckOpTableGraph(context.get(), made, seed);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "seed " << seed << "\n" << PrintGraph(made->ir);
      break;
    }
  }
  if (!testing::Test::HasFailure()) {
    EXPECT_GT(n_ran, n / 2);
  }
  return ops;
}

#endif
