// A compiled program with one instance, for tests of the executor.
#ifndef TAPEIR_TESTS_SUPPORT_COMPILED_H
#define TAPEIR_TESTS_SUPPORT_COMPILED_H

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tapeir/tapeir.h"
#include "tests/support/internal.h"

extern "C" {
#include "exec/program.h"
#include "passes/plan.h"
}

struct Destroy {
  void operator()(tir_context *x) const { tir_context_destroy(x); }
  void operator()(tir_module *x) const { tir_module_destroy(x); }
  void operator()(tir_graph *x) const { tir_graph_destroy(x); }
  void operator()(tir_program *x) const { tir_program_destroy(x); }
  void operator()(tir_instance *x) const { tir_instance_destroy(x); }
  void operator()(tir_tensor *x) const { tir_tensor_release(x); }
};
template <typename T>
using Owned = std::unique_ptr<T, Destroy>;

inline Owned<tir_context> MakeContext(int n_threads = 0) {
  tir_context_options options = {};
  options.n_threads = n_threads;
  tir_context *context = nullptr;
  EXPECT_EQ(tir_context_create(&options, &context, nullptr), TIR_OK);
  return Owned<tir_context>(context);
}

inline Owned<tir_module> MakeModule(tir_context *context) {
  tir_module *module = nullptr;
  EXPECT_EQ(tir_module_create(context, &module, nullptr), TIR_OK);
  return Owned<tir_module>(module);
}

inline Owned<tir_program> Compile(tir_context *context, const tir_graph *graph,
                                  const tir_compile_options *options = {}) {
  tir_error error = {};
  tir_program *program = nullptr;
  EXPECT_EQ(tir_compile(context, graph, options, &program, &error), TIR_OK)
      << error.message;
  return Owned<tir_program>(program);
}

inline Owned<tir_instance> Instantiate(const Owned<tir_program> &program,
                                       tir_module *module = nullptr) {
  tir_error error = {};
  tir_instance *instance = nullptr;
  EXPECT_EQ(tir_instance_create(program.get(), module, &instance, &error),
            TIR_OK)
      << error.message;
  return Owned<tir_instance>(instance);
}

// The data must live until the run, so no temporaries.
template <typename T>
void Bind(const Owned<tir_instance> &instance, size_t index,
          std::vector<T> &&data) = delete;
template <typename T>
void Bind(const Owned<tir_instance> &instance, size_t index,
          const std::vector<T> &data) {
  tir_error error = {};
  ASSERT_EQ(tir_instance_bind_input(instance.get(), index, data.data(),
                                    data.size() * sizeof(T), &error),
            TIR_OK)
      << error.message;
}

inline void RunOk(const Owned<tir_instance> &instance) {
  tir_error error = {};
  ASSERT_EQ(tir_run(instance.get(), nullptr, &error), TIR_OK) << error.message;
}

template <typename T>
std::vector<T> Output(const Owned<tir_instance> &instance, size_t index,
                      size_t n) {
  const T *data =
      static_cast<const T *>(tir_instance_output(instance.get(), index));
  EXPECT_NE(data, nullptr);
  return data ? std::vector<T>(data, data + n) : std::vector<T>();
}

#endif
