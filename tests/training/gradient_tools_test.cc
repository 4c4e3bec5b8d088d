// Tools on gradient slots: decay, clipping, unscaling; frozen parameters and
// groups.
#include <limits>

#include "tests/training/training_fixture.h"

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

class GradientTools : public TrainingTest {
 protected:
  tir_value Variable(const Doubles &data, const Doubles &gradient,
                     tir_dtype dtype = TIR_DTYPE_F32) {
    const std::vector<int64_t> dims = {static_cast<int64_t>(data.size())};
    const tir_value w = Value(dtype, dims, data);
    tir_attach_grad(t, w, TIR_GRAD_WRITE);
    tir_set_grad(t, w, Value(dtype, dims, gradient));
    return w;
  }
  Doubles Grad(tir_value w) { return Read(tir_grad_of(t, w)); }
  tir_value Number(double x) { return tir_scalar(t, TIR_DTYPE_F32, x); }
};

TEST_F(GradientTools, DecayAddsTheWeights) {
  const tir_value w[] = {Variable({1, -2}, {3, 4}), Variable({8}, {1})};
  tir_decay_grads(t, w, 2, Number(.5));
  EXPECT_EQ(Grad(w[0]), (Doubles{3.5, 3}));
  EXPECT_EQ(Grad(w[1]), (Doubles{5}));
  EXPECT_EQ(Read(w[0]), (Doubles{1, -2})) << "weights stay";
}

TEST_F(GradientTools, ClipByValueKeepsNan) {
  const tir_value w = Variable({0, 0, 0, 0, 0}, {-3, .5, kInf, kNan, -kInf});
  tir_clip_grads_by_value(t, &w, 1, Number(1));
  const Doubles g = Grad(w);
  EXPECT_EQ(g[0], -1);
  EXPECT_EQ(g[1], .5);
  EXPECT_EQ(g[2], 1);
  EXPECT_TRUE(std::isnan(g[3]));
  EXPECT_EQ(g[4], -1);
}

TEST_F(GradientTools, ClipByNormTreatsEachAlone) {
  const tir_value w[] = {Variable({0, 0}, {3, 4}), Variable({0, 0}, {.3, .4}),
                         Variable({0}, {0})};
  const Doubles small = Grad(w[1]);
  tir_clip_grads_by_norm(t, w, 3, Number(2.5));
  EXPECT_EQ(Grad(w[0]), (Doubles{1.5, 2}));
  EXPECT_EQ(Grad(w[1]), small) << "bits of what is below the limit";
  EXPECT_EQ(Grad(w[2]), (Doubles{0}));
}

TEST_F(GradientTools, ClipByGlobalNormUsesOneFactor) {
  const tir_value w[] = {Variable({0, 0}, {2, 4}), Variable({0}, {-4}),
                         Variable({0}, {8})};
  const tir_value norm = tir_clip_grads_by_global_norm(t, w, 3, Number(5));
  EXPECT_NEAR(Read(norm)[0], 10, 1e-6);
  EXPECT_NEAR(Grad(w[0])[0], 1, 1e-6);
  EXPECT_NEAR(Grad(w[0])[1], 2, 1e-6);
  EXPECT_NEAR(Grad(w[1])[0], -2, 1e-6);
  EXPECT_NEAR(Grad(w[2])[0], 4, 1e-6);
}

// No limit: only the norm is wanted.
TEST_F(GradientTools, AnInfiniteLimitChangesNothing) {
  const tir_value w[] = {Variable({0, 0}, {3, 4}), Variable({0}, {0})};
  const tir_value norm =
      tir_clip_grads_by_global_norm(t, w, 2, Number(INFINITY));
  EXPECT_EQ(Read(norm)[0], 5);
  tir_clip_grads_by_norm(t, w, 2, Number(INFINITY));
  EXPECT_EQ(Grad(w[0]), (Doubles{3, 4}));
  EXPECT_EQ(Grad(w[1]), (Doubles{0}));
  const tir_value bad[] = {Variable({0}, {NAN}), Variable({0}, {1})};
  tir_clip_grads_by_global_norm(t, bad, 2, Number(INFINITY));
  EXPECT_TRUE(std::isnan(Grad(bad[1])[0]));
}

TEST_F(GradientTools, GlobalNormDoesNotOverflow) {
  const tir_value w[] = {Variable({0}, {3e30}), Variable({0}, {4e30})};
  const tir_value norm = tir_clip_grads_by_global_norm(t, w, 2, Number(5));
  EXPECT_NEAR(Read(norm)[0] / 5e30, 1, 1e-6);
  EXPECT_NEAR(Grad(w[0])[0], 3, 1e-5);
}

TEST_F(GradientTools, UnscaleTellsOverflow) {
  const tir_value w[] = {Variable({0, 0}, {8, -4}), Variable({0}, {1})};
  EXPECT_TRUE(tir_read_bool(t, tir_unscale_grads(t, w, 2, Number(4))));
  EXPECT_EQ(Grad(w[0]), (Doubles{2, -1}));
  EXPECT_EQ(Grad(w[1]), (Doubles{.25}));
  for (const double bad : {kInf, -kInf, kNan}) {
    const tir_value v[] = {Variable({0}, {1}), Variable({0, 0}, {1, bad}),
                           Variable({0}, {1})};
    EXPECT_FALSE(tir_read_bool(t, tir_unscale_grads(t, v, 3, Number(4))));
  }
}

TEST_F(GradientTools, ChangeAllOrNothing) {
  const tir_value w[] = {Variable({1}, {3}), Vec({1})};
  tir_decay_grads(t, w, 2, Number(1));
  EXPECT_EQ(Error(),
            "decay_grads: w[1] f32[1] has no gradient: attach one "
            "first");
  EXPECT_EQ(Grad(w[0]), (Doubles{3}));
  const tir_value two[] = {Variable({1}, {3}),
                           Variable({1, 1}, {3, 3}, TIR_DTYPE_F64)};
  tir_clip_grads_by_value(t, two, 2, Number(1));
  EXPECT_NE(Error(), "");
  tir_unscale_grads(t, two, 2, Number(2));
  EXPECT_NE(Error(), "");
  tir_clip_grads_by_global_norm(t, two, 2, Number(1));
  EXPECT_NE(Error(), "");
  EXPECT_EQ(Grad(two[0]), (Doubles{3}));
  tir_clip_grads_by_value(t, two, 1, Vec({1, 2}));
  EXPECT_EQ(Error(), "clip_grads_by_value: limit f32[2] is not a scalar");
  EXPECT_EQ(Grad(two[0]), (Doubles{3}));
  tir_decay_grads(t, nullptr, 2, Number(1));
  EXPECT_EQ(Error(), "decay_grads: w is NULL, expected 2 values");
  tir_decay_grads(t, nullptr, 0, Number(1));
  tir_unscale_grads(t, nullptr, 0, Number(1));
  EXPECT_EQ(Error(), "unscale_grads: n is 0, expected 1 or more");
}

TEST_F(GradientTools, LambRefusesARateForEachElement) {
  const tir_value w = Variable({1, 1}, {3, 3}), m = Vec({0, 0}),
                  v = Vec({0, 0}), one = Number(.5);
  const tir_value step = tir_scalar(t, TIR_DTYPE_I64, 0);
  tir_lamb(t, &w, &m, &v, 1, {Vec({1, 2}), one, one, one, one, step}, false);
  EXPECT_EQ(Error(), "lamb: lr f32[2] is not a scalar");
  tir_lamb(t, &w, &m, &v, 1, {one, one, one, one, Vec({1, 2}), step}, false);
  EXPECT_EQ(Error(), "lamb: decay f32[2] is not a scalar");
  EXPECT_EQ(Read(w), (Doubles{1, 1}));
  EXPECT_EQ(Grad(w), (Doubles{3, 3}));
}

TEST_F(GradientTools, AreNoPartOfWhatIsDifferentiated) {
  const tir_value w = Variable({3}, {1});
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, w);
  tir_decay_grads(t, &w, 1, Number(2));
  tir_mode_end(t);
  EXPECT_EQ(Grad(w), (Doubles{7}));
  tir_backward(t, y);
  EXPECT_EQ(Grad(w), (Doubles{6}));
}

// --- groups and frozen parameters --------------------------------------------

size_t Count(const tir_graph *graph, const char *op) {
  const char *names[64];
  size_t counts[64];
  const size_t n = tir_graph_op_counts(graph, names, counts, 64);
  EXPECT_LE(n, 64u);
  for (size_t i = 0; i < n; i++)
    if (!strcmp(names[i], op)) return counts[i];
  return 0;
}

class Groups : public TrainingTest {
 protected:
  // Two layers without bias, a step on those named in `trained`.
  Owned<tir_module> Layers(const std::vector<const char *> &trained) {
    Owned<tir_module> m = MakeModule(c);
    for (const char *name : {"w1", "w2"})
      Add(m.get(), name, TIR_DTYPE_F32, {2, 2}, {1, .5, -.5, 2},
          TIR_PARAM_TRAINABLE);
    const int64_t dims[] = {3, 2};
    tir_capture_begin(t, m.get(), "step");
    const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, dims, 2);
    std::vector<tir_value> w;
    for (const char *name : trained) {
      w.push_back(tir_param(t, m.get(), name));
      tir_attach_grad(t, w.back(), TIR_GRAD_WRITE);
    }
    tir_record_begin(t, true);
    const tir_value h =
        tir_tanh(t, tir_matmul(t, x, tir_param(t, m.get(), "w1")));
    const tir_value y = tir_matmul(t, h, tir_param(t, m.get(), "w2"));
    tir_mode_end(t);
    tir_backward(t, y);
    tir_output(t, "y", y);
    // A rate of its own for each.
    for (size_t i = 0; i < w.size(); i++)
      tir_sgd(t, &w[i], 1,
              tir_scalar(t, TIR_DTYPE_F32, trained[i][1] == '1' ? .5 : 2),
              false);
    Check(tir_capture_end(t, nullptr, &error));
    return m;
  }
  const Doubles x_ = {1, 2, -1, .5, .25, -2};
};

// Forward takes two products. Behind it there is one for the gradient of each
// weight, and one to get through w2 to what is below.
TEST_F(Groups, AFrozenParametersGradientIsNotComputed) {
  const struct {
    std::vector<const char *> trained;
    size_t products, steps;
  } rows[] = {{{"w1", "w2"}, 5, 2}, {{"w2"}, 3, 1}, {{"w1"}, 4, 1}};
  for (const auto &row : rows) {
    const Owned<tir_module> m = Layers(row.trained);
    const tir_graph *graph = tir_module_graph(m.get(), "step");
    EXPECT_EQ(Count(graph, "matmul"), row.products);
    EXPECT_EQ(Count(graph, "sgd"), row.steps);
    // What is run too: no step of the program makes such a gradient.
    const Owned<tir_program> program = Compile(c, graph);
    size_t products = 0;
    for (size_t i = 0; i < tir_program_n_values(program.get()); i++) {
      tir_planned_value value;
      ASSERT_EQ(tir_program_value(program.get(), i, &value), TIR_OK);
      products += !strcmp(value.op, "matmul");
    }
    EXPECT_EQ(products, row.products);
    GraphRunner(c, m.get(), "step").Run({x_});
    for (const char *name : {"w1", "w2"}) {
      bool trained = false;
      for (const char *other : row.trained) trained |= !strcmp(name, other);
      EXPECT_EQ(Get(m.get(), name) != (Doubles{1, .5, -.5, 2}), trained)
          << name;
    }
  }
}

// Two groups with their own rates move as each would alone.
TEST_F(Groups, EachHasItsOwnRate) {
  const Owned<tir_module> both = Layers({"w1", "w2"});
  GraphRunner(c, both.get(), "step").Run({x_});
  for (const char *name : {"w1", "w2"}) {
    const Owned<tir_module> alone = Layers({name});
    GraphRunner(c, alone.get(), "step").Run({x_});
    EXPECT_EQ(Get(both.get(), name), Get(alone.get(), name));
  }
}

}  // namespace
