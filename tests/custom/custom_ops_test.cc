// Custom ops as parts of graphs: values, gradients of all orders, what passes
// may and may not do with them.
#include "tests/custom/custom_fixture.h"

using custom_ops::Load;
using custom_ops::Numel;
using custom_ops::Product;
using custom_ops::Store;

namespace {

TEST_F(CustomGraph, GivesValuesAndGradientsOfBothKinds) {
  for (const char *name :
       {"test.pure", "test.effect", "test.pure_run", "test.effect_run"}) {
    SCOPED_TRACE(name);
    tir_capture_begin(t, m(), name);
    const tir_value x = Input("x", {3}), w = Input("w", {3});
    tir_attach_grad(t, x, TIR_GRAD_WRITE);
    tir_attach_grad(t, w, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value y = Call(name, {x, w}, {2});
    const tir_value loss = tir_sum(t, tir_square(t, y), nullptr, 0, false);
    tir_mode_end(t);
    tir_output(t, "y", y);
    tir_backward(t, loss);
    tir_output(t, "dx", tir_grad_of(t, x));
    tir_output(t, "dw", tir_grad_of(t, w));
    const tir_graph *graph = End();
    ASSERT_NE(graph, nullptr);
    const auto out = Run(graph, {{1, 2, -3}, {0.5, -1, 4}});
    ASSERT_EQ(status, TIR_OK) << error.message;
    EXPECT_EQ(out[0], (Doubles{1, -4, -24}));
    EXPECT_EQ(out[1], (Doubles{2 * 2 * 0.5, 2 * -4 * -2, 2 * -24 * 8}));
    EXPECT_EQ(out[2], (Doubles{2 * 2, 2 * -4 * 4, 2 * -24 * -6}));
  }
}

TEST_F(CustomGraph, GivesHigherOrdersByVjpBuild) {
  const auto fn = [](void *user, tir_tape *tape, const tir_value *in, size_t) {
    tir_custom_attrs attrs = {};
    attrs.n_floats = 1;
    attrs.floats[0] = 1.5;
    return tir_tanh(tape, tir_custom(tape, static_cast<const char *>(user),
                                     &attrs, in, 2, nullptr, 0));
  };
  const int64_t dims[] = {2, 2};
  const double data[] = {0.3, -0.7, 1.1, 0.2};
  tir_tensor *x = nullptr;
  ASSERT_EQ(tir_tensor_from_data(c(), TIR_DTYPE_F64, dims, 2, data, &x, &error),
            TIR_OK);
  tir_tensor *const in[] = {x, x};
  tir_gradcheck_options options = {};
  for (const char *name : {"test.pure_run", "test.effect_run"}) {
    char text[32];
    snprintf(text, sizeof text, "%s", name);
    EXPECT_EQ(tir_gradcheck(c(), fn, text, in, 2, &options, &error), TIR_OK)
        << error.message;
  }
  options.second_order = true;
  for (const char *name : {"test.pure", "test.effect"}) {
    char text[32];
    snprintf(text, sizeof text, "%s", name);
    EXPECT_EQ(tir_gradcheck(c(), fn, text, in, 2, &options, &error), TIR_OK)
        << error.message;
  }
  char run[] = "test.pure_run";
  EXPECT_EQ(tir_gradcheck(c(), fn, run, in, 2, &options, &error),
            TIR_ERR_UNSUPPORTED);
  EXPECT_NE(std::string(error.message)
                .find("custom_pure test.pure_run has no gradient: it is a "
                      "vjp_run, which is known at data only: a vjp_build can "
                      "be differentiated "
                      "again"),
            std::string::npos)
      << error.message;
  tir_tensor_release(x);
}

TEST_F(CustomGraph, FollowsASymbolicDim) {
  for (const char *name : {"test.pure", "test.effect_run"}) {
    tir_capture_begin(t, m(), name);
    const tir_value x = Input("x", {4, 2}, "n"), w = Input("w", {4, 2}, "n");
    tir_attach_grad(t, x, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value y = Call(name, {x, w}, {2});
    tir_mode_end(t);
    tir_backward(t, y);
    tir_output(t, "y", y);
    tir_output(t, "dx", tir_grad_of(t, x));
    const tir_graph *graph = End();
    ASSERT_NE(graph, nullptr);
    for (int64_t n : {1, 7}) {
      const tir_dim_size size = {"n", n};
      tir_compile_options options = {};
      options.dim_sizes = &size;
      options.n_dim_sizes = 1;
      Doubles a, b, product, gradient;
      for (int i = 0; i < 2 * n; i++) {
        a.push_back(i + 0.5);
        b.push_back(3 - i);
        product.push_back(2 * a.back() * b.back());
        gradient.push_back(2 * b.back());
      }
      const auto out = Run(graph, {a, b}, &options);
      ASSERT_EQ(status, TIR_OK) << error.message;
      EXPECT_EQ(out[0], product) << name << " at " << n;
      EXPECT_EQ(out[1], gradient) << name << " at " << n;
    }
  }
}

// Only the operand with a symbol has it on its gradient too.
TEST_F(CustomGraph, PutsDimNamesOfBuiltGradientsRight) {
  tir_capture_begin(t, m(), "g");
  const tir_value x = Input("x", {2}, "n"), w = Input("w", {2});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = Call("test.pure", {x, w}, {1});
  tir_mode_end(t);
  tir_backward(t, y);
  tir_output(t, "dx", tir_grad_of(t, x));
  tir_output(t, "dw", tir_grad_of(t, w));
  const tir_graph *graph = End();
  ASSERT_NE(graph, nullptr);
  const auto out = Run(graph, {{3, 4}, {5, 6}});
  EXPECT_EQ(out[0], (Doubles{5, 6}));
  EXPECT_EQ(out[1], (Doubles{3, 4}));
}

TEST_F(CustomGraph, DifferentiatesASavedForwardGraph) {
  tir_capture_begin(t, m(), "forward");
  tir_output(t, "y",
             Call("test.pure", {Input("x", {2}), Input("w", {2})}, {3}));
  const tir_graph *graph = End();
  tir_graph *differentiated = nullptr;
  ASSERT_EQ(
      tir_graph_differentiate(graph, nullptr, 0, true, &differentiated, &error),
      TIR_OK)
      << error.message;
  const auto out = Run(differentiated, {{1, 2}, {3, 4}});
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[1], (Doubles{9, 12}));
  EXPECT_EQ(out[2], (Doubles{3, 6}));
  tir_graph_destroy(differentiated);
}

TEST_F(CustomGraph, WithoutARuleIsRefusedAtTheCall) {
  custom_ops::Register(c(), Product("plain", true));
  tir_capture_begin(t, m(), "g");
  const tir_value x = Input("x", {2});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_site(Call("plain", {x, x}, {1}), "model.c:7");
  tir_mode_end(t);
  tir_backward(t, y);
  EXPECT_EQ(Error(),
            "backward: 1 op on the way without a gradient: custom_pure plain "
            "(model.c:7)");
  tir_output(t, "y", y);
  const tir_graph *graph = End();
  tir_graph *differentiated = nullptr;
  EXPECT_EQ(
      tir_graph_differentiate(graph, nullptr, 0, true, &differentiated, &error),
      TIR_ERR_UNSUPPORTED);
  EXPECT_STREQ(
      error.message,
      "differentiate: no gradient of custom_pure plain (it has neither "
      "vjp_run nor vjp_build)");
}

// --- what passes do --------------------------------------------------------

// Two equal calls and one that nobody reads.
TEST_F(CustomGraph, PureCallsMergeAndDieEffectsDoNot) {
  const struct {
    const char *name, *op;
    size_t n_left;
  } kinds[] = {{"test.pure", "custom_pure", 1}, {"test.effect", "custom", 3}};
  for (const auto &kind : kinds) {
    tir_capture_begin(t, m(), kind.name);
    const tir_value x = Input("x", {2});
    const tir_value a = Call(kind.name, {x, x}, {1});
    const tir_value b = Call(kind.name, {x, x}, {1});
    Call(kind.name, {x, x}, {2});
    tir_output(t, "y", tir_add(t, a, b));
    const tir_graph *graph = End();
    tir_graph *optimized = nullptr;
    ASSERT_EQ(tir_graph_optimize(graph, "full", &optimized, &error), TIR_OK)
        << error.message;
    const std::string text = Text(optimized);
    size_t n = 0;
    for (size_t at = text.find(std::string(kind.op) + " %");
         at != std::string::npos;
         at = text.find(std::string(kind.op) + " %", at + 1))
      n++;
    EXPECT_EQ(n, kind.n_left) << text;
    tir_graph_destroy(optimized);
  }
}

TEST_F(CustomGraph, ConstantsAreNotFoldedThrough) {
  tir_capture_begin(t, m(), "g");
  const int64_t dims[] = {2};
  const tir_value x = tir_full(t, TIR_DTYPE_F64, dims, 1, 3);
  tir_output(t, "y", Call("test.pure", {x, x}, {1}));
  const tir_graph *graph = End();
  tir_graph *optimized = nullptr;
  ASSERT_EQ(tir_graph_optimize(graph, "full", &optimized, &error), TIR_OK);
  EXPECT_NE(Text(optimized).find("custom_pure"), std::string::npos);
  tir_graph_destroy(optimized);
}

// Effects note their number; there is something for the scheduler to gain by
// another order.
TEST_F(CustomGraph, EffectsRunInRecordedOrder) {
  std::vector<int> log;
  tir_custom_op op = {};
  op.name = "note";
  op.version = 1;
  op.n_inputs = 1;
  op.n_outputs = 1;
  op.n_ints = 1;
  op.user = &log;
  op.infer = [](const tir_custom_infer *q) {
    q->out[0].dtype = TIR_DTYPE_F64;
    return TIR_OK;
  };
  op.run = [](const tir_custom_call *call) {
    static_cast<std::vector<int> *>(call->user)
        ->push_back(static_cast<int>(call->attrs->ints[0]));
    Store(call->out_types[0], call->out[0], 0,
          Load(call->in_types[0], call->in[0], 0));
    return TIR_OK;
  };
  custom_ops::Register(c(), op);
  tir_capture_begin(t, m(), "g");
  const tir_value x = Input("x", {64});
  std::vector<tir_value> big;
  const int64_t dims[] = {100, 64};
  for (int i = 0; i < 6; i++)
    big.push_back(tir_mul_scalar(t, tir_broadcast_to(t, x, dims, 2), i + 2.0));
  for (int i = 0; i < 6; i++) {
    // Odd ones read what was made late.
    const tir_value in = i % 2 ? big[static_cast<size_t>(6 - i)] : x;
    tir_custom_attrs attrs = {};
    attrs.n_ints = 1;
    attrs.ints[0] = i;
    tir_custom(t, "note", &attrs, &in, 1, nullptr, 0);
  }
  tir_output(t, "y", tir_add(t, big[0], big[5]));
  const tir_graph *graph = End();
  for (const char *pipeline : {"none", "basic", "full"}) {
    log.clear();
    tir_compile_options options = {};
    options.pipeline = pipeline;
    const Owned<tir_program> program = Compile(c(), graph, &options);
    const Owned<tir_instance> instance = Instantiate(program, m());
    const Doubles in(64, 1.0);
    Bind(instance, 0, in);
    RunOk(instance);
    EXPECT_EQ(log, (std::vector<int>{0, 1, 2, 3, 4, 5})) << pipeline;
  }
}

// --- several results, scratch ----------------------------------------------

// Sum and maximum of a vector, and its position; by way of scratch memory.
tir_custom_op Extremes() {
  tir_custom_op op = {};
  op.name = "extremes";
  op.version = 3;
  op.n_inputs = 1;
  op.n_outputs = 3;
  op.pure = true;
  op.infer = [](const tir_custom_infer *q) {
    if (q->in[0].rank != 1) {
      snprintf(q->message, q->message_size, "x has rank %d, expected 1",
               q->in[0].rank);
      return TIR_ERR_SHAPE;
    }
    for (int i = 0; i < 2; i++) q->out[i].dtype = q->in[0].dtype;
    q->out[2].dtype = TIR_DTYPE_I64;
    return TIR_OK;
  };
  op.scratch_bytes = [](const tir_custom_call *call) {
    return static_cast<size_t>(Numel(call->in_types[0])) * sizeof(double);
  };
  op.run = [](const tir_custom_call *call) {
    const int64_t n = Numel(call->in_types[0]);
    double *copy = static_cast<double *>(call->scratch);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(copy) % 64, 0u);
    EXPECT_EQ(call->scratch_bytes, static_cast<size_t>(n) * sizeof(double));
    double sum = 0;
    int64_t best = 0;
    for (int64_t i = 0; i < n; i++) {
      copy[i] = Load(call->in_types[0], call->in[0], i);
      sum += copy[i];
      if (copy[i] > copy[best]) best = i;
    }
    for (size_t i = 0; i < 3; i++) EXPECT_NE(call->out[i], nullptr);
    Store(call->out_types[0], call->out[0], 0, sum);
    Store(call->out_types[1], call->out[1], 0, n ? copy[best] : -1);
    static_cast<int64_t *>(call->out[2])[0] = best;
    return TIR_OK;
  };
  op.vjp_run = [](const tir_custom_call *call) {
    const int64_t n = Numel(call->in_types[0]);
    const int64_t best = static_cast<const int64_t *>(call->out[2])[0];
    EXPECT_EQ(call->out_grad[2], nullptr);
    for (int64_t i = 0; i < n; i++)
      Store(
          call->in_types[0], call->in_grad[0], i,
          Load(call->out_types[0], call->out_grad[0], 0) +
              (i == best ? Load(call->out_types[1], call->out_grad[1], 0) : 0));
    return TIR_OK;
  };
  return op;
}

TEST_F(CustomGraph, SeveralResultsAnyOfThemUnread) {
  custom_ops::Register(c(), Extremes());
  for (int used = 0; used < 8; used++) {
    tir_capture_begin(t, m(), ("g" + std::to_string(used)).c_str());
    const tir_value x = Input("x", {4});
    tir_value out[3];
    tir_custom(t, "extremes", nullptr, &x, 1, out, 3);
    for (int i = 0; i < 3; i++)
      if (used >> i & 1)
        tir_output(t, std::to_string(i).c_str(),
                   tir_cast(t, out[i], TIR_DTYPE_F64));
    tir_output(t, "x", x);
    const tir_graph *graph = End();
    ASSERT_NE(graph, nullptr);
    const auto got = Run(graph, {{1, 5, 2, -3}});
    ASSERT_EQ(status, TIR_OK) << error.message;
    const double expected[] = {5, 5, 1};
    size_t at = 0;
    for (int i = 0; i < 3; i++)
      if (used >> i & 1) {
        EXPECT_EQ(got[at++], Doubles{expected[i]});
      }
  }
}

TEST_F(CustomGraph, ResultsThatGetNoGradientGetZeros) {
  custom_ops::Register(c(), Extremes());
  tir_capture_begin(t, m(), "g");
  const tir_value x = Input("x", {3});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_value out[2];
  tir_custom(t, "extremes", nullptr, &x, 1, out, 2);
  tir_mode_end(t);
  tir_backward(t, out[1]);
  tir_output(t, "dx", tir_grad_of(t, x));
  EXPECT_EQ(Run(End(), {{1, 7, 2}})[0], (Doubles{0, 1, 0}));
}

TEST_F(CustomGraph, EmptyTensorsHaveAddresses) {
  custom_ops::Register(c(), Extremes());
  tir_capture_begin(t, m(), "g");
  const tir_value x = Input("x", {0});
  tir_output(t, "y", tir_custom(t, "extremes", nullptr, &x, 1, nullptr, 0));
  EXPECT_EQ(Run(End(), {{}})[0], Doubles{0});
}

TEST_F(CustomGraph, HugeScratchIsRefusedBeforeTheRun) {
  tir_custom_op op = Product("huge", true);
  op.scratch_bytes = [](const tir_custom_call *) { return SIZE_MAX - 100; };
  custom_ops::Register(c(), op);
  tir_capture_begin(t, m(), "g");
  const tir_value x = Input("x", {1});
  tir_output(t, "y", Call("huge", {x, x}, {1}));
  tir_program *program = nullptr;
  EXPECT_EQ(tir_compile(c(), End(), nullptr, &program, &error), TIR_ERR_LIMIT);
  EXPECT_EQ(std::string(error.message)
                .find("custom_pure: huge: scratch of 18446744073709551515 "
                      "bytes: node %"),
            0u)
      << error.message;
}

}  // namespace
