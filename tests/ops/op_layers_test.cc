// Layers that are made of other ops: values against formulas, gradients of
// first and second order, modes of batch_norm, messages, symbolic dims.
#include "tests/ops/layers.h"
#include "tests/ops/op_calls.h"

extern "C" {
#include "ir/text.h"
#include "passes/gradient.h"
}

namespace {

// --- gradients ---------------------------------------------------------------

TEST(LayerGradients, OfLayerNorm) {
  ExpectGradients({{3, 4}, {4}, {4}}, [](tir_tape *t, Values in) {
    return tir_square(t, tir_layer_norm(t, in[0], in[1], in[2], 1, 1e-3));
  });
  ExpectGradients({{2, 2, 3}, {2, 3}}, [](tir_tape *t, Values in) {
    return tir_tanh(t, tir_layer_norm(t, in[0], in[1], kNone, 2, 0.1));
  });
}

TEST(LayerGradients, OfRmsNorm) {
  ExpectGradients({{3, 4}, {4}}, [](tir_tape *t, Values in) {
    return tir_tanh(t, tir_rms_norm(t, in[0], in[1], 1, 1e-3));
  });
}

TEST(LayerGradients, OfGroupNorm) {
  ExpectGradients({{2, 4, 3}, {4}, {4}}, [](tir_tape *t, Values in) {
    return tir_tanh(t, tir_group_norm(t, in[0], in[1], in[2], 2, 1e-3));
  });
}

TEST(LayerGradients, OfBatchNorm) {
  for (bool train : {true, false})
    ExpectGradients({{3, 2, 2}, {2}, {2}}, [train](tir_tape *t, Values in) {
      const int64_t c = 2;
      const double mean[] = {.1, -.2}, variance[] = {.5, 2};
      const bool before = tir_set_training(t, train);
      const tir_value y = tir_batch_norm(
          t, in[0], in[1], in[2],
          tir_value_from_data(t, TIR_DTYPE_F64, &c, 1, mean),
          tir_value_from_data(t, TIR_DTYPE_F64, &c, 1, variance), .9, 1e-3);
      tir_set_training(t, before);
      return tir_tanh(t, y);
    });
}

TEST(LayerGradients, OfAWindow) {
  ExpectGradients({{2, 5}, {2, 2}}, [](tir_tape *t, Values in) {
    const tir_value at = tir_scalar(t, TIR_DTYPE_I64, 2);
    const tir_value x = tir_update_slice(t, in[0], in[1], at, 1);
    return tir_mul(t, tir_square(t, tir_slice_at(t, x, at, 1, 3)),
                   tir_slice_at(t, in[0], at, 1, 3));
  });
}

// --- values --------------------------------------------------------------

class Layers : public LayersTest {};

TEST_F(Layers, LayerNormNormalisesTheLastAxes) {
  // Mean 2.5 and variance 1.25 of each row.
  const tir_value x = F32({1, 2, 3, 4, 40, 30, 20, 10}, {2, 4});
  const tir_value y = tir_layer_norm(t, x, kNone, kNone, 1, 0);
  const float a = 1.3416407865f, b = 0.4472135955f;
  ExpectClose(Read(y), {-a, -b, b, a, a, b, -b, -a});
  const tir_value weight = Vec({1, 2, 3, 4}), bias = Vec({0, 0, 0, 10});
  ExpectClose(Read(tir_layer_norm(t, x, weight, bias, 1, 0)),
              {-a, -2 * b, 3 * b, 4 * a + 10, a, 2 * b, -3 * b, -4 * a + 10});
  tir_value mean = {}, variance = {};
  const int axis = -1;
  tir_keep(t, tir_normalize(t, x, &axis, 1, 0, &mean, &variance));
  EXPECT_EQ(Read(mean), (Floats{2.5f, 25}));
  EXPECT_EQ(Read(variance), (Floats{1.25f, 125}));
}

TEST_F(Layers, RmsNormDividesByTheRootMeanSquare) {
  const float root = std::sqrt(12.5f);
  ExpectClose(Read(tir_rms_norm(t, F32({3, 4}, {1, 2}), Vec({1, 2}), 1, 0)),
              {3 / root, 8 / root});
  const tir_value zeros = F32({0, 0}, {1, 2});
  EXPECT_EQ(Read(tir_rms_norm(t, zeros, kNone, 1, 1e-6)), (Floats{0, 0}));
  EXPECT_TRUE(std::isnan(Read(tir_rms_norm(t, zeros, kNone, 1, 0))[0]));
}

// 3e38 and its square: sums and squares leave f32, the result does not. In
// f64 the numbers are scaled.
TEST_F(Layers, NothingOverflows) {
  const float big = 3e38f;
  const Floats x = {big, -big, big, -big};
  for (bool rows : {true, false}) {
    const int axis = rows ? 1 : 0;
    const tir_value v =
        F32(x, rows ? std::vector<int64_t>{1, 4} : std::vector<int64_t>{4, 1});
    EXPECT_EQ(Read(tir_normalize(t, v, &axis, 1, 1e-5, nullptr, nullptr)),
              (Floats{1, -1, 1, -1}));
    EXPECT_EQ(Read(tir_rms_normalize(t, v, &axis, 1, 1e-5)),
              (Floats{1, -1, 1, -1}));
    const double huge[] = {1.7e308, -1.7e308, 1.7e308, 0,
                           1.7e308, -1.7e308, 1.7e308, 0};
    const int64_t dims[] = {rows ? 2 : 4, rows ? 4 : 2};
    const tir_value wide = tir_value_from_data(t, TIR_DTYPE_F64, dims, 2, huge);
    const Floats y = Read(
        tir_cast(t, tir_rms_normalize(t, wide, &axis, 1, 1e-5), TIR_DTYPE_F32));
    for (float value : y) EXPECT_LT(std::fabs(value), 1.5f);
    tir_value mean = {};
    const Floats z =
        Read(tir_cast(t, tir_normalize(t, wide, &axis, 1, 1e-5, &mean, nullptr),
                      TIR_DTYPE_F32));
    for (float value : z) EXPECT_LT(std::fabs(value), 2.f);
  }
}

// A gradient through numbers whose variance no f32 holds is small, not NaN.
TEST_F(Layers, GradientsOfLargeNumbersAreFinite) {
  const tir_value x = F32({2e30f, -1e30f, 3e30f, 0}, {1, 4});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, tir_layer_norm(t, x, kNone, kNone, 1, 0));
  tir_mode_end(t);
  const Floats head = {1, 2, 3, 4};
  const tir_value weights = F32(head, {1, 4});
  tir_backward_ex(t, &y, 1, &weights, 1, nullptr);
  bool any = false;
  for (float g : Grad(x)) {
    EXPECT_LT(std::fabs(g), 1e-28f);
    any = any || g != 0;
  }
  EXPECT_TRUE(any);
}

TEST_F(Layers, GroupNormOfOneGroupPerChannelIsInstanceNorm) {
  const tir_value x = F32({1, 3, 10, 30, -1, 1, 5, 5}, {2, 2, 2});
  EXPECT_EQ(Read(tir_group_norm(t, x, kNone, kNone, 2, 1e-12)),
            (Floats{-1, 1, -1, 1, -1, 1, 0, 0}));
  // One group: all of a sample together.
  const tir_value flat = F32({1, 3, 1, 3}, {1, 2, 2});
  const tir_value weight = Vec({1, 10}), bias = Vec({0, 100});
  ExpectClose(Read(tir_group_norm(t, flat, weight, bias, 1, 0)),
              {-1, 1, 90, 110});
}

// --- batch_norm ----------------------------------------------------------

TEST_F(Layers, BatchNormKeepsRunningStatistics) {
  const tir_value mean = Vec({0, 0}), variance = Vec({1, 1});
  const tir_value x = F32({1, 10, 3, 30}, {2, 2});
  const auto run = [&] {
    return Read(tir_batch_norm(t, x, kNone, kNone, mean, variance, .75, 0));
  };
  EXPECT_EQ(run(), (Floats{1, 10, 3, 30})) << "not training: running ones";
  EXPECT_EQ(Read(mean), (Floats{0, 0})) << "nothing assigned";
  tir_train_begin(t);
  EXPECT_EQ(run(), (Floats{-1, -1, 1, 1}));
  EXPECT_EQ(Read(mean), (Floats{.5f, 5}));
  EXPECT_EQ(Read(variance), (Floats{1, 25.75f}));
  run();
  EXPECT_EQ(Read(mean), (Floats{.875f, 8.75f}));
  tir_mode_end(t);
  ExpectClose(run(), {.125f, 1.25f / std::sqrt(44.3125f), 2.125f,
                      21.25f / std::sqrt(44.3125f)});
}

// Backward takes the mode of the forward, and statistics that are replaced in
// the meantime do not change it.
TEST_F(Layers, BatchNormGoesBackAsItWentForward) {
  const tir_value mean = Vec({1}), variance = Vec({4});
  const tir_value x = F32({1, 2, 6}, {3, 1});
  const tir_value head = F32({1, 2, 4}, {3, 1});
  const auto gradient = [&](bool train, bool other_forward) {
    tir_attach_grad(t, x, TIR_GRAD_WRITE);
    tir_record_begin(t, train);
    const tir_value y =
        tir_batch_norm(t, x, kNone, kNone, mean, variance, .5, 0);
    tir_mode_end(t);
    if (other_forward) {
      tir_train_begin(t);
      tir_batch_norm(t, x, kNone, kNone, mean, variance, .5, 0);
      tir_mode_end(t);
    }
    tir_set_training(t, !train);
    tir_backward_ex(t, &y, 1, &head, 1, nullptr);
    tir_set_training(t, false);
    return Grad(x);
  };
  EXPECT_EQ(gradient(false, false), (Floats{.5f, 1, 2}));
  EXPECT_EQ(gradient(false, true), (Floats{.5f, 1, 2}));
  const Floats trained = gradient(true, false);
  EXPECT_NEAR(trained[0] + trained[1] + trained[2], 0, 1e-6)
      << "a shift of x changes nothing";
  EXPECT_NEAR(trained[0] + 2 * trained[1] + 6 * trained[2], 0, 1e-6)
      << "nor does its size";
  EXPECT_GT(std::fabs(trained[0]), .01f);
}

// Captured, the statistics are the module's state.
TEST_F(Layers, BatchNormInACaptureAssignsTheModulesState) {
  const auto module = MakeModule(c);
  const int64_t channels = 2, dims[] = {2, 2};
  const float zeros[] = {0, 0}, ones[] = {1, 1}, x[] = {1, 10, 3, 30};
  const char *names[] = {"mean", "variance"};
  tir_error error = {};
  for (int i = 0; i < 2; i++) {
    tir_tensor *tensor = nullptr;
    ASSERT_EQ(tir_tensor_from_data(c, TIR_DTYPE_F32, &channels, 1,
                                   i ? ones : zeros, &tensor, &error),
              TIR_OK);
    ASSERT_EQ(tir_module_add_param(module.get(), names[i], TIR_PARAM_STATE,
                                   tensor, &error),
              TIR_OK);
    tir_tensor_release(tensor);
  }
  tir_capture_begin(t, module.get(), "step");
  tir_train_begin(t);
  const tir_value in = tir_input(t, "x", TIR_DTYPE_F32, dims, 2);
  tir_output(
      t, "y",
      tir_batch_norm(t, in, kNone, kNone, tir_param(t, module.get(), "mean"),
                     tir_param(t, module.get(), "variance"), .75, 0));
  tir_mode_end(t);
  tir_graph *graph = nullptr;
  ASSERT_EQ(tir_capture_end(t, &graph, &error), TIR_OK) << error.message;
  tir_program *program = nullptr;
  ASSERT_EQ(tir_compile(c, graph, nullptr, &program, &error), TIR_OK)
      << error.message;
  tir_instance *instance = nullptr;
  ASSERT_EQ(tir_instance_create(program, module.get(), &instance, &error),
            TIR_OK)
      << error.message;
  ASSERT_EQ(tir_instance_bind_input(instance, 0, x, sizeof x, &error), TIR_OK);
  const Floats wanted[] = {{.5f, 5, 1, 25.75f}, {.875f, 8.75f, 1, 44.3125f}};
  for (const Floats &state : wanted) {
    ASSERT_EQ(tir_run(instance, nullptr, &error), TIR_OK) << error.message;
    const float *y =
        static_cast<const float *>(tir_instance_output(instance, 0));
    EXPECT_EQ(Floats(y, y + 4), (Floats{-1, -1, 1, 1}));
    Floats now;
    for (const char *name : names) {
      tir_tensor *tensor = nullptr;
      ASSERT_EQ(tir_module_get_param(module.get(), name, &tensor, &error),
                TIR_OK);
      const float *data = static_cast<const float *>(tir_tensor_data(tensor));
      now.insert(now.end(), data, data + 2);
      tir_tensor_release(tensor);
    }
    EXPECT_EQ(now, state);
  }
  tir_instance_destroy(instance);
  tir_program_destroy(program);
}

// --- messages ------------------------------------------------------------

TEST_F(Layers, SayWhatDoesNotFit) {
  const tir_value x = F32(Floats(12), {2, 2, 3}), w3 = Vec({1, 2, 3});
  const tir_value w2 = Vec({1, 2});
  tir_layer_norm(t, x, w2, kNone, 1, 0);
  EXPECT_EQ(Error(), "layer_norm: wrong type: weight f32[2], expected f32[3]");
  tir_layer_norm(t, x, w3, w2, 1, 0);
  EXPECT_EQ(Error(), "layer_norm: wrong type: bias f32[2], expected f32[3]");
  tir_layer_norm(t, x, kNone, kNone, 0, 0);
  EXPECT_EQ(Error(),
            "layer_norm: n_axes is 0, expected 1 to the rank of x f32[2, 2, "
            "3], 3");
  tir_layer_norm(t, x, kNone, kNone, 4, 0);
  EXPECT_EQ(Error(),
            "layer_norm: n_axes is 4, expected 1 to the rank of x f32[2, 2, "
            "3], 3");
  tir_layer_norm(t, x, kNone, kNone, 1, -1);
  EXPECT_EQ(Error(), "normalize: epsilon is -1, expected 0 or more");
  tir_rms_norm(t, x, w3, 2, 0);
  EXPECT_EQ(Error(), "rms_norm: wrong type: weight f32[3], expected f32[2, 3]");
  tir_rms_norm(t, x, kNone, 1, NAN);
  EXPECT_EQ(Error(), "rms_normalize: epsilon is nan, expected 0 or more");
  tir_group_norm(t, x, kNone, kNone, 3, 0);
  EXPECT_EQ(Error(),
            "group_norm: n_groups is 3, expected a divisor of the fixed number "
            "of channels of x f32[2, 2, 3]");
  tir_group_norm(t, w3, kNone, kNone, 1, 0);
  EXPECT_EQ(Error(),
            "group_norm: x f32[3] has no channels: rank 1, expected at least "
            "2");
  tir_batch_norm(t, x, kNone, kNone, w3, w2, .9, 0);
  EXPECT_EQ(Error(),
            "batch_norm: wrong type: running_mean f32[3], expected f32[2]");
  tir_batch_norm(t, x, kNone, kNone, w2, kNone, .9, 0);
  EXPECT_EQ(Error(),
            "batch_norm: running_variance is not a value: an all-zero handle");
  tir_batch_norm(t, x, kNone, kNone, w2, w2, 1.5, 0);
  EXPECT_EQ(Error(), "batch_norm: momentum is 1.5, expected 0 to 1");
  tir_batch_norm(t, x, kNone, kNone, w2, w2, .5, -2);
  EXPECT_EQ(Error(), "batch_norm: epsilon is -2, expected 0 or more");
}

// A failed call is not an operand left out.
TEST_F(Layers, RefuseAFailedWeight) {
  const tir_value x = F32(Floats(6), {2, 3});
  const tir_value bad = tir_softmax(t, x, 7);
  EXPECT_NE(Error(), "");
  tir_layer_norm(t, x, bad, kNone, 1, 0);
  EXPECT_EQ(Error(),
            "layer_norm: weight is the result of a failed call of softmax");
}

// --- symbolic dims -------------------------------------------------------

using Build = std::function<tir_value(CallGraph *, int64_t)>;

// The layer and its gradient with respect to all inputs, captured at `n`.
class Captured {
 public:
  Captured(const Build &build, int64_t n) {
    tir_tape *t = graph_.tape();
    tir_record_begin(t, true);
    const tir_value y = build(&graph_, n);
    tir_error error = {};
    EXPECT_EQ(tir_tape_check(t, &error), TIR_OK) << error.message;
    std::vector<uint32_t> ids = {tir_ir_peek(t, y).id,
                                 tir_ir_peek(t, tir_ones_like(t, y)).id};
    for (size_t i = 0; i < graph_.ir()->inputs.count; i++)
      ids.push_back(graph_.ir()->inputs.data[i].id);
    const tir_attrs_gradient attrs = {1, 0};
    tir_ir_node node = {};
    EXPECT_EQ(tir_ir_append_checked(graph_.ir(), TIR_OP_GRADIENT, ids.data(),
                                    ids.size(), &attrs, nullptr, ids.size() - 2,
                                    &node, &error),
              TIR_OK)
        << error.message;
    for (uint32_t i = 0; i + 2 < ids.size(); i++)
      EXPECT_EQ(tir_ir_add_output(graph_.ir(), tir_ir_out(graph_.ir(), node, i),
                                  ("g" + std::to_string(i)).c_str(), &error),
                TIR_OK);
    EXPECT_EQ(tir_pass_expand_gradients(graph_.ir(), nullptr, &error), TIR_OK)
        << error.message;
  }
  void Move(int64_t n) {
    tir_error error = {};
    ASSERT_EQ(tir_ir_set_symbol(graph_.ir(), "n", n, &error), TIR_OK);
    ASSERT_EQ(tir_ir_infer_graph(graph_.ir(), &error), TIR_OK) << error.message;
  }
  std::string Text() const {
    tir_ir_text text;
    tir_ir_text_init(&text, graph_.context());
    tir_ir_print_graph(graph_.ir(), nullptr, nullptr, &text);
    const std::string result(text.bytes.data, text.bytes.count);
    tir_ir_text_free(&text);
    return result;
  }

 private:
  CallGraph graph_;
};

tir_value Wanted(CallGraph *graph, const CallType &type) {
  const tir_value v = graph->Input(type);
  tir_ir_value_at(graph->ir(), tir_ir_peek(graph->tape(), v))->flags |=
      TIR_VALUE_NEEDS_GRAD;
  return v;
}

TEST(LayerSymbols, AreFollowed) {
  const std::vector<Build> builds = {
      [](CallGraph *g, int64_t n) {
        return tir_layer_norm(
            g->tape(), Wanted(g, F32({CallDim(n, true), 5, 3})),
            Wanted(g, F32({3})), Wanted(g, F32({3})), 1, 1e-5);
      },
      [](CallGraph *g, int64_t n) {
        return tir_rms_norm(g->tape(), Wanted(g, F32({CallDim(n, true), 3})),
                            Wanted(g, F32({3})), 1, 1e-5);
      },
      [](CallGraph *g, int64_t n) {
        return tir_group_norm(
            g->tape(), Wanted(g, F32({CallDim(n, true), 4, 2, 3})),
            Wanted(g, F32({4})), Wanted(g, F32({4})), 2, 1e-5);
      },
      [](CallGraph *g, int64_t n) {
        return tir_group_norm(g->tape(),
                              Wanted(g, F32({2, 4, CallDim(n, true)})),
                              Wanted(g, F32({4})), kNone, 2, 1e-5);
      },
      [](CallGraph *g, int64_t n) {
        tir_set_training(g->tape(), false);
        return tir_batch_norm(
            g->tape(), Wanted(g, F32({CallDim(n, true), 2, 3})),
            Wanted(g, F32({2})), Wanted(g, F32({2})), Wanted(g, F32({2})),
            Wanted(g, F32({2})), .9, 1e-5);
      },
      // Batch and length of the sequence both.
      [](CallGraph *g, int64_t n) {
        const CallDim N(n, true);
        const tir_value x = Wanted(g, F32({N, 2, N, 4}));
        return tir_attention(g->tape(), x, x, x, kNone, true, 0);
      },
      [](CallGraph *g, int64_t n) {
        const CallDim N(n, true);
        const tir_value x = Wanted(g, F32({N, 4}));
        return tir_attention(g->tape(), x, x, x, Wanted(g, F32({N, N})), true,
                             0);
      },
      [](CallGraph *g, int64_t n) {
        const CallDim N(n, true);
        return tir_bce_with_logits(g->tape(), Wanted(g, F32({N, 4})),
                                   Wanted(g, F32({N, 4})));
      },
  };
  for (size_t i = 0; i < builds.size(); i++)
    for (int64_t to : {7, 1, 4}) {
      Captured moved(builds[i], 4);
      moved.Move(to);
      EXPECT_EQ(moved.Text(), Captured(builds[i], to).Text())
          << "layer " << i << " at " << to;
    }
}

TEST(LayerSymbols, WhatCannotFollowIsRefused) {
  CallGraph graph;
  const CallDim N(4, true);
  tir_tape *t = graph.tape();
  const auto error = [&] {
    tir_error e = {};
    return tir_tape_check(t, &e) == TIR_OK ? "" : std::string(e.message);
  };
  tir_group_norm(t, graph.Input(F32({N, 4, N})), kNone, kNone, 2, 0);
  EXPECT_EQ(error(),
            "group_norm: x f32[4, 4, 4] has symbolic dims before and after "
            "the channels");
  tir_group_norm(t, graph.Input(F32({2, N, 3})), kNone, kNone, 2, 0);
  EXPECT_EQ(error().rfind("group_norm: n_groups is 2, expected a divisor of "
                          "the fixed number of channels",
                          0),
            0u);
  const tir_value x = graph.Input(F32({3, N}));
  tir_attention(t, x, x, x, kNone, false, 0);
  EXPECT_EQ(error(), "attention: axis 1 of q is symbolic: give a scale");
  tir_attention(t, x, x, x, kNone, false, 1);
  EXPECT_EQ(error(), "");
}

}  // namespace
