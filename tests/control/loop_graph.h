// Fixture of captured graphs with loops: a module with the weights of a
// recurrent cell, and what every capture and comparison of such graphs needs.
#ifndef TAPEIR_TESTS_CONTROL_LOOP_GRAPH_H
#define TAPEIR_TESTS_CONTROL_LOOP_GRAPH_H

#include "loops.h"
#include "tests/support/compiled.h"
#include "tests/support/tir_file.h"

constexpr int64_t kHidden = 6, kIn = 3;

class LoopGraph : public testing::Test {
 protected:
  void TearDown() override { End(); }

  // A context, a tape whose numbers come from `seed` and an empty module.
  void BeginEmpty(int threads, int64_t seed) {
    End();
    tir_context_options options = {};
    options.n_threads = threads;
    ASSERT_EQ(tir_context_create(&options, &c_, nullptr), TIR_OK);
    tir_tape_options tape = {};
    tape.seed = static_cast<uint64_t>(seed);
    ASSERT_EQ(tir_tape_create(c_, &tape, &t_, nullptr), TIR_OK);
    ASSERT_EQ(tir_module_create(c_, &module_, nullptr), TIR_OK);
  }

  void End() {
    tir_module_destroy(module_);
    tir_tape_destroy(t_);
    tir_context_destroy(c_);
    module_ = nullptr;
    t_ = nullptr;
    c_ = nullptr;
  }

  // Noise, or zeros for seed 0.
  void Add(tir_module *m, const char *name, std::vector<int64_t> dims,
           tir_param_kind kind, int seed) {
    const size_t n = static_cast<size_t>(dims[0] * dims[1]);
    const Floats data = seed ? Noise(n, seed) : Floats(n, 0.0f);
    tir_tensor *x = nullptr;
    ASSERT_EQ(tir_tensor_from_data(c_, TIR_DTYPE_F32, dims.data(), 2,
                                   data.data(), &x, nullptr),
              TIR_OK);
    EXPECT_EQ(tir_module_add_param(m, name, kind, x, nullptr), TIR_OK);
    tir_tensor_release(x);
  }

  // The weights "w" and "u" of a cell.
  void AddWeights(tir_module *m) {
    Add(m, "w", {kIn, kHidden}, TIR_PARAM_TRAINABLE, 3);
    Add(m, "u", {kHidden, kHidden}, TIR_PARAM_TRAINABLE, 4);
  }

  // Rows of the input "x", time and batch being free.
  tir_value Rows(int64_t time, int64_t batch) {
    const int64_t dims[] = {time, batch, kIn};
    const char *const symbols[] = {"time", "batch", nullptr};
    return tir_input_symbolic(t_, "x", TIR_DTYPE_F32, dims, symbols, 3);
  }

  // A state of zeros [batch, hidden] that follows the batch.
  tir_value ZeroState(tir_value x, tir_value w) {
    const int64_t row[] = {0}, end[] = {1}, like[] = {-1, kIn};
    const tir_value first =
        tir_reshape(t_, tir_slice(t_, x, row, end, nullptr, 1), like, 2);
    return tir_zeros_like(t_, tir_matmul(t_, first, w));
  }

  // What a while over a state goes on by.
  static tir_value IsSmall(tir_tape *t, void *, const tir_value *carry) {
    return Below(t, tir_mean(t, tir_square(t, carry[0]), nullptr, 0, false),
                 2.0);
  }

  tir_value LossOf(tir_value last, tir_value ys) {
    return tir_add(t_, tir_mean(t_, tir_square(t_, last), nullptr, 0, false),
                   tir_mean(t_, ys, nullptr, 0, false));
  }

  tir_graph *Finish() {
    tir_graph *graph = nullptr;
    tir_error error = {};
    EXPECT_EQ(tir_capture_end(t_, &graph, &error), TIR_OK) << error.message;
    return graph;
  }

  std::string Text(const tir_module *m) {
    char *text = nullptr;
    tir_error error = {};
    EXPECT_EQ(tir_module_to_text(m, &text, &error), TIR_OK) << error.message;
    const std::string out = text ? text : "";
    tir_text_free(c_, text);
    return out;
  }

  tir_context *c_ = nullptr;
  tir_tape *t_ = nullptr;
  tir_module *module_ = nullptr;
};

#endif
