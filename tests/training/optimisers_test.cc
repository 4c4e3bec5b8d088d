// Every optimiser for twenty steps, against formulas written here in f64, and
// with the same bits on a live tape, captured, saved and loaded, and parsed.
#include "tests/training/training_fixture.h"

namespace {

constexpr int kSteps = 20;
constexpr double kLr = 0.03125, kA = 0.875, kB = 0.96875, kEps = 0.0009765625,
                 kDecay = 0.0625;  // exact in f32, so that one formula serves

struct Numbers {
  Doubles w, s, r;  // the weights, and up to two lists of state
  Doubles g;
  int step;  // from 1
};

double Norm(const Doubles &x) {
  double sum = 0;
  for (double e : x) sum += e * e;
  return std::sqrt(sum);
}

// Adam's direction, after its moments moved.
Doubles AdamDirection(Numbers *x) {
  Doubles d;
  for (size_t i = 0; i < x->w.size(); i++) {
    x->s[i] = kA * x->s[i] + (1 - kA) * x->g[i];
    x->r[i] = kB * x->r[i] + (1 - kB) * x->g[i] * x->g[i];
    const double m = x->s[i] / (1 - std::pow(kA, x->step));
    const double v = x->r[i] / (1 - std::pow(kB, x->step));
    d.push_back(m / (std::sqrt(v) + kEps));
  }
  return d;
}

void Sgd(Numbers *x) {
  for (size_t i = 0; i < x->w.size(); i++) x->w[i] -= kLr * x->g[i];
}
void Momentum(Numbers *x) {
  for (size_t i = 0; i < x->w.size(); i++) {
    x->s[i] = kA * x->s[i] + x->g[i];
    x->w[i] -= kLr * x->s[i];
  }
}
void Nesterov(Numbers *x) {
  for (size_t i = 0; i < x->w.size(); i++) {
    x->s[i] = kA * x->s[i] + x->g[i];
    x->w[i] -= kLr * (x->g[i] + kA * x->s[i]);
  }
}
void Adam(Numbers *x) {
  const Doubles d = AdamDirection(x);
  for (size_t i = 0; i < d.size(); i++) x->w[i] -= kLr * d[i];
}
void AdamW(Numbers *x) {
  const Doubles d = AdamDirection(x);
  for (size_t i = 0; i < d.size(); i++) {
    x->w[i] *= 1 - kLr * kDecay;
    x->w[i] -= kLr * d[i];
  }
}
void Lamb(Numbers *x) {
  Doubles d = AdamDirection(x);
  for (size_t i = 0; i < d.size(); i++) d[i] += kDecay * x->w[i];
  const double of_w = Norm(x->w), of_d = Norm(d);
  const double ratio = of_w > 0 && of_d > 0 ? of_w / of_d : 1;
  for (size_t i = 0; i < d.size(); i++) x->w[i] -= kLr * ratio * d[i];
}
void RmsProp(Numbers *x) {
  for (size_t i = 0; i < x->w.size(); i++) {
    x->s[i] = kA * x->s[i] + (1 - kA) * std::pow(x->g[i], 2);
    x->w[i] -= kLr * x->g[i] / (std::sqrt(x->s[i]) + kEps);
  }
}
void Adagrad(Numbers *x) {
  for (size_t i = 0; i < x->w.size(); i++) {
    x->s[i] += std::pow(x->g[i], 2);
    x->w[i] -= kLr * x->g[i] / (std::sqrt(x->s[i]) + kEps);
  }
}
void Adadelta(Numbers *x) {
  for (size_t i = 0; i < x->w.size(); i++) {
    x->s[i] = kA * x->s[i] + (1 - kA) * std::pow(x->g[i], 2);
    const double d = std::sqrt((x->r[i] + kEps) / (x->s[i] + kEps)) * x->g[i];
    x->r[i] = kA * x->r[i] + (1 - kA) * d * d;
    x->w[i] -= kLr * d;
  }
}
void Lion(Numbers *x) {
  for (size_t i = 0; i < x->w.size(); i++) {
    const double c = kA * x->s[i] + (1 - kA) * x->g[i];
    const double sign = c > 0 ? 1 : c < 0 ? -1 : 0;
    x->w[i] -= kLr * (sign + kDecay * x->w[i]);
    x->s[i] = kB * x->s[i] + (1 - kB) * x->g[i];
  }
}

// What a builder is called with.
struct Call {
  tir_tape *t;
  tir_dtype dtype;
  const tir_value *w, *s, *r;
  size_t n;
  tir_value step;

  tir_value operator()(double x) const { return tir_scalar(t, dtype, x); }
  tir_adamw_values AdamWValues() const {
    const Call &c = *this;
    return {c(kLr), c(kA), c(kB), c(kEps), c(kDecay), step};
  }
};

struct Optimiser {
  const char *name;
  void (*formula)(Numbers *x);
  int n_state;
  bool fused;
  void (*build)(const Call &c);
};

const Optimiser kOptimisers[] = {
    {"sgd", Sgd, 0, true,
     [](const Call &c) { tir_sgd(c.t, c.w, c.n, c(kLr), false); }},
    {"momentum", Momentum, 1, true,
     [](const Call &c) {
       tir_momentum(c.t, c.w, c.s, c.n, c(kLr), c(kA), false);
     }},
    {"nesterov", Nesterov, 1, true,
     [](const Call &c) {
       tir_nesterov(c.t, c.w, c.s, c.n, c(kLr), c(kA), false);
     }},
    {"adam", Adam, 2, true,
     [](const Call &c) {
       tir_adam(c.t, c.w, c.s, c.r, c.n,
                {c(kLr), c(kA), c(kB), c(kEps), c.step}, false);
     }},
    {"adamw", AdamW, 2, true,
     [](const Call &c) {
       tir_adamw(c.t, c.w, c.s, c.r, c.n, c.AdamWValues(), false);
     }},
    {"lamb", Lamb, 2, false,
     [](const Call &c) {
       tir_lamb(c.t, c.w, c.s, c.r, c.n, c.AdamWValues(), false);
     }},
    {"rmsprop", RmsProp, 1, true,
     [](const Call &c) {
       tir_rmsprop(c.t, c.w, c.s, c.n, c(kLr), c(kA), c(kEps), false);
     }},
    {"adagrad", Adagrad, 1, true,
     [](const Call &c) {
       tir_adagrad(c.t, c.w, c.s, c.n, c(kLr), c(kEps), false);
     }},
    {"adadelta", Adadelta, 2, true,
     [](const Call &c) {
       tir_adadelta(c.t, c.w, c.s, c.r, c.n, c(kLr), c(kA), c(kEps), false);
     }},
    {"lion", Lion, 1, true,
     [](const Call &c) {
       tir_lion(c.t, c.w, c.s, c.n, {c(kLr), c(kA), c(kB), c(kDecay)}, false);
     }},
};

// Two variables: a vector, and a matrix that starts at zero (lamb's ratio).
const std::vector<int64_t> kDims[] = {{5}, {2, 3}};
const Doubles kStart[] = {{1, -2, 0.5, 0, 3}, Doubles(6, 0)};

Doubles Gradient(int step, int variable) {
  Doubles g;
  for (size_t i = 0; i < kStart[variable].size(); i++)
    g.push_back(std::round(1024 * std::sin(step * 1.7 + variable +
                                           static_cast<double>(i) * 0.9)) /
                512);
  return g;
}

class Optimisers : public TrainingTest,
                   public testing::WithParamInterface<Optimiser> {
 protected:
  Owned<tir_module> Start(tir_dtype dtype) {
    Owned<tir_module> m = MakeModule(c);
    for (int i = 0; i < 2; i++) {
      const Doubles zeros(kStart[i].size(), 0);
      Add(m.get(), Name("w", i), dtype, kDims[i], kStart[i],
          TIR_PARAM_TRAINABLE);
      if (GetParam().n_state > 0)
        Add(m.get(), Name("s", i), dtype, kDims[i], zeros);
      if (GetParam().n_state > 1)
        Add(m.get(), Name("r", i), dtype, kDims[i], zeros);
    }
    Add(m.get(), "step", TIR_DTYPE_I64, {}, {0});
    return m;
  }
  static std::string Name(const char *list, int i) {
    return list + std::to_string(i);
  }
  // A step of the optimiser with these gradients, recorded or captured.
  void Step(tir_module *m, tir_dtype dtype, const tir_value *gradients) {
    tir_value lists[3][2] = {};
    const char *const names[] = {"w", "s", "r"};
    for (int k = 0; k <= GetParam().n_state; k++)
      for (int i = 0; i < 2; i++)
        lists[k][i] = tir_param(t, m, Name(names[k], i).c_str());
    for (int i = 0; i < 2; i++) {
      if (!tir_has_grad(t, lists[0][i]))
        tir_attach_grad(t, lists[0][i], TIR_GRAD_WRITE);
      tir_set_grad(t, lists[0][i], gradients[i]);
    }
    GetParam().build(Call{t, dtype, lists[0], lists[1], lists[2], 2,
                          tir_param(t, m, "step")});
  }
  void Capture(tir_module *m, tir_dtype dtype) {
    tir_capture_begin(t, m, "step");
    tir_value g[2];
    for (int i = 0; i < 2; i++)
      g[i] = tir_input(t, Name("g", i).c_str(), dtype, kDims[i].data(),
                       static_cast<int>(kDims[i].size()));
    Step(m, dtype, g);
    Check(tir_capture_end(t, nullptr, &error));
  }
  void RunCaptured(tir_module *m, int first, int last) {
    GraphRunner run(c, m, "step");
    for (int step = first; step <= last; step++)
      run.Run({Gradient(step, 0), Gradient(step, 1)});
  }
};

TEST_P(Optimisers, FollowTheFormulaForTwentySteps) {
  for (const tir_dtype dtype : {TIR_DTYPE_F64, TIR_DTYPE_F32}) {
    const Owned<tir_module> m = Start(dtype);
    Capture(m.get(), dtype);
    GraphRunner run(c, m.get(), "step");
    Numbers x[2];
    for (int i = 0; i < 2; i++)
      x[i].w = kStart[i], x[i].s = x[i].r = Doubles(kStart[i].size(), 0);
    for (int step = 1; step <= kSteps; step++) {
      run.Run({Gradient(step, 0), Gradient(step, 1)});
      for (int i = 0; i < 2; i++) {
        x[i].g = Gradient(step, i);
        x[i].step = step;
        GetParam().formula(&x[i]);
        const double near = dtype == TIR_DTYPE_F64 ? 1e-13 : 2e-5;
        const Doubles w = Get(m.get(), Name("w", i));
        for (size_t e = 0; e < w.size(); e++)
          ASSERT_NEAR(w[e], x[i].w[e], near)
              << tir_dtype_name(dtype) << " step " << step << " of variable "
              << i;
        for (int k = 1; k <= GetParam().n_state; k++) {
          const Doubles s = Get(m.get(), Name(k == 1 ? "s" : "r", i));
          for (size_t e = 0; e < s.size(); e++)
            ASSERT_NEAR(s[e], (k == 1 ? x[i].s : x[i].r)[e], near);
        }
      }
    }
    EXPECT_NE(Get(m.get(), "w0"), kStart[0]);
  }
}

TEST_P(Optimisers, LiveCapturedLoadedAndParsedAgreeToTheBit) {
  const tir_dtype dtype = TIR_DTYPE_F32;
  const Owned<tir_module> live = Start(dtype), captured = Start(dtype);
  for (int step = 1; step <= kSteps; step++) {
    tir_step_begin(t);
    const tir_value g[] = {Value(dtype, kDims[0], Gradient(step, 0)),
                           Value(dtype, kDims[1], Gradient(step, 1))};
    Step(live.get(), dtype, g);
    Check(tir_step_end(t, nullptr, 0, &error));
  }
  Capture(captured.get(), dtype);
  RunCaptured(captured.get(), 1, kSteps / 2);
  const Owned<tir_module> loaded = Reload(captured.get());
  const Owned<tir_module> parsed = Reparse(captured.get());
  for (tir_module *m : {captured.get(), loaded.get(), parsed.get()}) {
    RunCaptured(m, kSteps / 2 + 1, kSteps);
    EXPECT_EQ(Bytes(m), Bytes(live.get()));
  }
}

// Every output of a fused step stands where its state does.
TEST_P(Optimisers, FusedStepsNeedNoMemory) {
  const Owned<tir_module> m = Start(TIR_DTYPE_F32);
  Capture(m.get(), TIR_DTYPE_F32);
  const GraphRunner run(c, m.get(), "step");
  tir_memory_report report;
  tir_program_memory(run.program(), &report);
  // Only Adam's step number may stand beside its next value.
  EXPECT_EQ(report.arena_bytes <= 64, GetParam().fused) << report.arena_bytes;
  // One step per variable, and counting.
  EXPECT_EQ(report.n_steps <= 4, GetParam().fused) << report.n_steps;
}

INSTANTIATE_TEST_SUITE_P(All, Optimisers, testing::ValuesIn(kOptimisers),
                         [](const testing::TestParamInfo<Optimiser> &one) {
                           return std::string(one.param.name);
                         });

// --- one variable twice ----------------------------------------------------

// Each of the two steps would start from the same weights, and one be lost.
class StepLists : public TrainingTest {
 protected:
  tir_value Leaf(const char *name, const Doubles &data, bool variable = true) {
    const tir_value v = tir_set_name(t, Vec(data), name);
    if (!variable) return v;
    tir_attach_grad(t, v, TIR_GRAD_WRITE);
    tir_set_grad(t, v, Vec(Doubles(data.size(), 1)));
    return v;
  }
  tir_value Number(double x) { return tir_scalar(t, TIR_DTYPE_F32, x); }
};

TEST_F(StepLists, NameWhatIsGivenTwice) {
  const tir_value a = Leaf("a", {1, 2}), b = Leaf("b", {3, 4});
  const tir_value v = Leaf("v", {0, 0}, false), u = Leaf("u", {0, 0}, false);
  const tir_value twice[] = {a, b, a}, both[] = {a, b};
  const tir_value one_state[] = {v, v}, state_is_weight[] = {v, b};
  tir_sgd(t, twice, 3, Number(1), false);
  EXPECT_EQ(Error(),
            "sgd: \"a\" f32[2] is given twice: a step changes each once");
  tir_momentum(t, both, one_state, 2, Number(1), Number(.5), false);
  EXPECT_EQ(Error(),
            "momentum: \"v\" f32[2] is given twice: a step changes each once");
  tir_momentum(t, both, state_is_weight, 2, Number(1), Number(.5), false);
  EXPECT_EQ(Error(),
            "momentum: \"b\" f32[2] is given twice: a step changes each once");
  tir_average_weights(t, one_state, both, 2, Number(.5));
  EXPECT_EQ(Error(),
            "average_weights: \"v\" f32[2] is given twice: a step changes each "
            "once");
  EXPECT_EQ(Read(a), (Doubles{1, 2}));
  EXPECT_EQ(Read(tir_grad_of(t, a)), (Doubles{1, 1}));
  // Afterwards and one after the other it is what it says.
  const tir_value states[] = {v, u};
  tir_momentum(t, both, states, 2, Number(1), Number(.5), true);
  tir_sgd(t, both, 2, Number(1), true);
  EXPECT_EQ(Read(a), (Doubles{-1, 0}));
}

TEST_F(StepLists, CapturedStepsRefuseTheSame) {
  const Owned<tir_module> m = MakeModule(c);
  Add(m.get(), "w", TIR_DTYPE_F32, {2}, {1, 2}, TIR_PARAM_TRAINABLE);
  tir_capture_begin(t, m.get(), "step");
  const tir_value w[] = {tir_param(t, m.get(), "w"),
                         tir_param(t, m.get(), "w")};
  tir_attach_grad(t, w[0], TIR_GRAD_WRITE);
  tir_sgd(t, w, 2, Number(1), false);
  EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message,
               "sgd: \"w\" f32[2] is given twice: a step changes each once");
}

}  // namespace
