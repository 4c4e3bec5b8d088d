// A context with the test ops, and captures in a module of it.
#ifndef TAPEIR_TESTS_CUSTOM_CUSTOM_FIXTURE_H
#define TAPEIR_TESTS_CUSTOM_CUSTOM_FIXTURE_H

#include <algorithm>
#include <string>
#include <vector>

#define TIR_NO_SITES  // messages without the places of the tests
#include "tapeir/sites.h"
#include "tests/support/compiled.h"
#include "tests/support/custom_ops.h"

using Doubles = std::vector<double>;

class CustomGraph : public testing::Test {
 protected:
  CustomGraph() : context_(MakeContext()), module_(MakeModule(c())) {
    custom_ops::RegisterTestOps(c());
    EXPECT_EQ(tir_tape_create(c(), nullptr, &t, &error), TIR_OK);
  }
  ~CustomGraph() override { tir_tape_destroy(t); }
  tir_context *c() const { return context_.get(); }
  tir_module *m() const { return module_.get(); }

  tir_value Input(const char *name, std::vector<int64_t> dims,
                  const char *symbol = nullptr) {
    std::vector<const char *> symbols(dims.size());
    if (symbol) symbols[0] = symbol;
    return tir_input_symbolic(t, name, TIR_DTYPE_F64, dims.data(),
                              symbols.data(), static_cast<int>(dims.size()));
  }
  tir_value Call(const char *name, std::vector<tir_value> in,
                 std::vector<double> floats = {}) {
    tir_custom_attrs attrs = {};
    attrs.n_floats = floats.size();
    std::copy(floats.begin(), floats.end(), attrs.floats);
    return (tir_custom)(t, name, &attrs, in.data(), in.size(), nullptr, 0);
  }
  tir_graph *End() {
    tir_graph *graph = nullptr;
    EXPECT_EQ(tir_capture_end(t, &graph, &error), TIR_OK) << error.message;
    return graph;
  }
  std::string Error() {
    tir_error e;
    return tir_tape_check(t, &e) == TIR_OK ? "" : e.message;
  }
  std::string Text(const tir_graph *graph) {
    char *text = nullptr;
    EXPECT_EQ(tir_graph_to_text(graph, &text, &error), TIR_OK);
    const std::string result = text ? text : "";
    tir_text_free(c(), text);
    return result;
  }
  // All outputs of a run on f64 inputs; "status" and message after a failure.
  std::vector<std::vector<double>> Run(
      const tir_graph *graph, const std::vector<std::vector<double>> &in,
      const tir_compile_options *options = nullptr) {
    const Owned<tir_program> program = Compile(c(), graph, options);
    const Owned<tir_instance> instance = Instantiate(program, m());
    for (size_t i = 0; i < in.size(); i++) Bind(instance, i, in[i]);
    status = tir_run(instance.get(), nullptr, &error);
    std::vector<std::vector<double>> out;
    for (size_t i = 0; status == TIR_OK && i < tir_graph_n_outputs(graph);
         i++) {
      const auto *data =
          static_cast<const double *>(tir_instance_output(instance.get(), i));
      int64_t n = 1;
      tir_port port;
      EXPECT_EQ(tir_graph_output(graph, i, &port), TIR_OK);
      for (int k = 0; k < port.rank; k++) {
        int64_t size = port.dims[k];
        for (size_t d = 0; options && d < options->n_dim_sizes; d++)
          if (port.dim_names[k]) size = options->dim_sizes[d].size;
        n *= size;
      }
      out.emplace_back(data, data + n);
    }
    return out;
  }

  Owned<tir_context> context_;
  Owned<tir_module> module_;
  tir_tape *t = nullptr;
  tir_error error = {};
  tir_status status = TIR_OK;
};

#endif
