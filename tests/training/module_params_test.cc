// Parameters by name: copying, freezing, and lists of variables.
#include "tests/training/training_fixture.h"

namespace {

class ModuleParams : public TrainingTest {
 protected:
  Owned<tir_module> Make(double first, tir_dtype dtype = TIR_DTYPE_F32) {
    Owned<tir_module> m = MakeModule(c);
    Add(m.get(), "body.w", dtype, {2}, {first, 1}, TIR_PARAM_TRAINABLE);
    Add(m.get(), "body.v", dtype, {2}, {first, 2});
    Add(m.get(), "head.w", dtype, {2}, {first, 3}, TIR_PARAM_TRAINABLE);
    return m;
  }
  std::vector<std::string> Names(tir_module *m, const char *prefix) {
    tir_value w[4];
    const size_t n = tir_module_variables(t, m, prefix, w, 4);
    std::vector<std::string> names;
    for (size_t i = 0; i < n; i++) {
      EXPECT_TRUE(tir_has_grad(t, w[i]));
      const tir_value expected[] = {tir_param(t, m, "body.w"),
                                    tir_param(t, m, "head.w")};
      names.push_back(Read(w[i]) == Read(expected[0]) ? "body.w" : "head.w");
    }
    return names;
  }
  using Strings = std::vector<std::string>;
};

TEST_F(ModuleParams, CopyWhatBothHave) {
  const Owned<tir_module> from = Make(5), to = Make(9);
  Add(from.get(), "head.extra", TIR_DTYPE_F32, {1}, {7});
  size_t n = 0;
  Check(tir_module_copy_params(to.get(), from.get(), "head.", &n, &error));
  EXPECT_EQ(n, 1u);
  EXPECT_EQ(Get(to.get(), "head.w"), (Doubles{5, 3}));
  EXPECT_EQ(Get(to.get(), "body.w"), (Doubles{9, 1}));
  Check(tir_module_copy_params(to.get(), from.get(), nullptr, &n, &error));
  EXPECT_EQ(n, 3u);
  EXPECT_EQ(Get(to.get(), "body.v"), (Doubles{5, 2}));
  EXPECT_EQ(tir_module_find_param(to.get(), "head.extra"), -1);
  EXPECT_EQ(Get(from.get(), "body.w"), (Doubles{5, 1})) << "the source stays";
}

TEST_F(ModuleParams, CopyAllOrNothing) {
  const Owned<tir_module> from = Make(5), to = MakeModule(c);
  Add(to.get(), "body.w", TIR_DTYPE_F32, {2}, {9, 9});
  Add(to.get(), "head.w", TIR_DTYPE_F32, {3}, {9, 9, 9});
  size_t n = 7;
  EXPECT_EQ(tir_module_copy_params(to.get(), from.get(), "", &n, &error),
            TIR_ERR_SHAPE);
  EXPECT_STREQ(error.message,
               "module: param \"head.w\" is f32[3], the one to copy is f32[2]");
  EXPECT_EQ(n, 0u);
  EXPECT_EQ(Get(to.get(), "body.w"), (Doubles{9, 9}));
  const Owned<tir_module> wide = Make(5, TIR_DTYPE_F64);
  EXPECT_EQ(tir_module_copy_params(to.get(), wide.get(), "body", &n, &error),
            TIR_ERR_DTYPE);
  EXPECT_EQ(tir_module_copy_params(to.get(), to.get(), "", &n, &error),
            TIR_ERR_ARGUMENT);
  // Both modules are free again.
  Check(tir_module_copy_params(to.get(), from.get(), "body", &n, &error));
  EXPECT_EQ(Get(to.get(), "body.w"), (Doubles{5, 1}));
}

TEST_F(ModuleParams, VariablesAreTrainableAndNotFrozen) {
  const Owned<tir_module> m = Make(5);
  EXPECT_EQ(Names(m.get(), ""), (Strings{"body.w", "head.w"}));
  EXPECT_EQ(Names(m.get(), "head."), (Strings{"head.w"}));
  EXPECT_EQ(Names(m.get(), "tail."), (Strings{}));
  size_t n = 0;
  Check(tir_module_freeze(m.get(), "body.", true, &n, &error));
  EXPECT_EQ(n, 1u) << "state does not count";
  EXPECT_TRUE(tir_module_is_frozen(m.get(), 0));
  EXPECT_FALSE(tir_module_is_frozen(m.get(), 2));
  EXPECT_FALSE(tir_module_is_frozen(m.get(), 99));
  EXPECT_EQ(Names(m.get(), nullptr), (Strings{"head.w"}));
  Check(tir_module_freeze(m.get(), "", false, &n, &error));
  EXPECT_EQ(n, 2u);
  EXPECT_EQ(Names(m.get(), ""), (Strings{"body.w", "head.w"}));
  EXPECT_EQ(tir_module_freeze(m.get(), "tail", true, &n, &error),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message,
               "module: no trainable param begins with \"tail\"");
}

TEST_F(ModuleParams, VariablesTellHowManyThereAre) {
  const Owned<tir_module> m = Make(5);
  tir_value one[1];
  EXPECT_EQ(tir_module_variables(t, m.get(), "", nullptr, 0), 2u);
  EXPECT_EQ(tir_module_variables(t, m.get(), "", one, 1), 2u);
  EXPECT_EQ(Read(one[0]), (Doubles{5, 1}));
  EXPECT_EQ(tir_module_variables(t, nullptr, "", one, 1), 0u);
  EXPECT_EQ(Error(), "module_variables: module or out_values is NULL");
}

// A gradient stands while the list is asked for again.
TEST_F(ModuleParams, VariablesKeepTheirGradients) {
  const Owned<tir_module> m = Make(5);
  tir_value w[2], again[2];
  tir_module_variables(t, m.get(), "", w, 2);
  tir_set_grad(t, w[1], Vec({3, 4}));
  tir_module_variables(t, m.get(), "", again, 2);
  EXPECT_EQ(Read(tir_grad_of(t, again[1])), (Doubles{3, 4}));
}

// In a capture: frozen parameters are no variables, so their gradients are not
// computed and the step leaves them.
TEST_F(ModuleParams, ACapturedStepLeavesFrozenParameters) {
  const Owned<tir_module> m = Make(5);
  Check(tir_module_freeze(m.get(), "body.", true, nullptr, &error));
  tir_capture_begin(t, m.get(), "step");
  tir_value w[2];
  const size_t n = tir_module_variables(t, m.get(), "", w, 2);
  EXPECT_EQ(n, 1u);
  tir_record_begin(t, true);
  const tir_value y = tir_mul(t, tir_param(t, m.get(), "body.w"),
                              tir_param(t, m.get(), "head.w"));
  tir_mode_end(t);
  tir_backward(t, y);
  tir_sgd(t, w, n, tir_scalar(t, TIR_DTYPE_F32, 1), false);
  Check(tir_capture_end(t, nullptr, &error));
  GraphRunner(c, m.get(), "step").Run();
  EXPECT_EQ(Get(m.get(), "body.w"), (Doubles{5, 1}));
  EXPECT_EQ(Get(m.get(), "head.w"), (Doubles{0, 2}));
}

// On a tape and in a capture alike: every call gives a handle of its own, they
// mean the same parameter, and releasing one leaves the others.
TEST_F(ModuleParams, AskedForAgainAfterARelease) {
  for (const bool captured : {false, true}) {
    const Owned<tir_module> m = Make(5);
    if (captured) tir_capture_begin(t, m.get(), "step");
    const tir_value first = tir_param(t, m.get(), "head.w");
    const tir_value second = tir_param(t, m.get(), "head.w");
    tir_value_release(t, first);
    EXPECT_FALSE(tir_value_is_valid(t, first));
    const tir_value third = tir_param(t, m.get(), "head.w");
    tir_attach_grad(t, third, TIR_GRAD_WRITE);
    EXPECT_TRUE(tir_has_grad(t, second));
    tir_record_begin(t, true);
    const tir_value loss = tir_mul(t, second, third);
    tir_mode_end(t);
    tir_backward(t, loss);
    tir_assign(t, third, tir_sub(t, second, tir_grad_of(t, third)));
    // The new version is what all of them mean.
    tir_value_release(t, third);
    const tir_value fourth = tir_param(t, m.get(), "head.w");
    tir_assign(t, tir_param(t, m.get(), "body.w"), tir_add(t, second, fourth));
    if (captured) {
      Check(tir_capture_end(t, nullptr, &error));
      GraphRunner(c, m.get(), "step").Run();
    } else {
      Check(tir_tape_flush(t, &error));
    }
    // w − 2w.
    EXPECT_EQ(Get(m.get(), "head.w"), (Doubles{-5, -3}));
    EXPECT_EQ(Get(m.get(), "body.w"), (Doubles{-10, -6}));
  }
}

// In a capture a parameter belongs to all of it, not to a scope inside.
TEST_F(ModuleParams, OutlivesTheScopesOfACapture) {
  const Owned<tir_module> m = Make(5);
  tir_capture_begin(t, m.get(), "step");
  tir_value w[2];
  for (tir_value &handle : w) {
    tir_scope_begin(t);
    handle = tir_param(t, m.get(), "head.w");
    tir_scope_end(t);
  }
  tir_assign(t, w[0], tir_add(t, w[0], w[1]));
  Check(tir_capture_end(t, nullptr, &error));
  GraphRunner(c, m.get(), "step").Run();
  EXPECT_EQ(Get(m.get(), "head.w"), (Doubles{10, 6}));
}

}  // namespace
