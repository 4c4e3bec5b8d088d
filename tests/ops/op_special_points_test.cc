// Gradients at the points where textbooks say "undefined": the rows of
// semantics §6 that concern gradients, through the live tape. Second
// derivatives there must at least not turn into NaN where a gradient of zero
// meets an infinite slope.
#include <functional>
#include <limits>

#include "tests/semantics/tape_fixture.h"

namespace {

const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInf = std::numeric_limits<float>::infinity();

class SpecialPoints : public TapeTest {
 protected:
  using Function = std::function<tir_value(tir_tape *, tir_value)>;

  // Gradient of f at x weighted by `head` (ones if empty).
  Floats Gradient(const Function &f, tir_value x, Floats head = {}) {
    return Read(Record(f, x, head, false));
  }
  // Gradient of the sum of that gradient.
  Floats SecondGradient(const Function &f, tir_value x, Floats head = {}) {
    const tir_value g = Record(f, x, head, true);
    tir_value gg = {};
    tir_backward_options options = {};
    options.allow_unused = true;
    tir_grad(t, &g, 1, nullptr, 0, &x, 1, &options, &gg);
    return Read(gg);
  }

 private:
  tir_value Record(const Function &f, tir_value x, const Floats &head,
                   bool create_graph) {
    tir_attach_grad(t, x, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value y = f(t, x);
    tir_value weights = {}, g = {};
    if (!head.empty()) weights = tir_reshape_like(t, Vec(head), y);
    tir_backward_options options = {};
    options.create_graph = create_graph;
    const size_t n = head.empty() ? 0 : 1;
    tir_grad(t, &y, 1, n ? &weights : nullptr, n, &x, 1, &options, &g);
    tir_mode_end(t);
    return g;
  }
};

TEST_F(SpecialPoints, KinksHaveSlopeZero) {
  const Floats at = {-2, -0.0f, 0, 3};
  EXPECT_EQ(Gradient(tir_relu, Vec(at)), (Floats{0, 0, 0, 1}));
  EXPECT_EQ(Gradient(tir_abs, Vec(at)), (Floats{-1, 0, 0, 1}));
}

TEST_F(SpecialPoints, SqrtWithoutIncomingGradientIsZero) {
  EXPECT_EQ(Gradient(tir_sqrt, Vec({0, 0, 4, 0}), {0, 1, 1, -1}),
            (Floats{0, kInf, .25f, -kInf}));
  EXPECT_EQ(SecondGradient(tir_sqrt, Vec({0, 4}), {0, 1}),
            (Floats{0, -1.f / 32}));
}

// A gradient of zero at a point with a finite slope still has a derivative.
TEST_F(SpecialPoints, SqrtKeepsTheCurvatureWhereTheGradientVanishes) {
  const auto f = [](tir_tape *tape, tir_value x) {
    return tir_square(tape, tir_sub_scalar(tape, tir_sqrt(tape, x), 2));
  };
  EXPECT_EQ(Gradient(f, Vec({4})), (Floats{0}));
  EXPECT_EQ(SecondGradient(f, Vec({4})), (Floats{.125f}));
}

TEST_F(SpecialPoints, NormOfZerosHasGradientZero) {
  const auto f = [](tir_tape *tape, tir_value x) {
    return tir_norm(tape, x, nullptr, 0, false);
  };
  EXPECT_EQ(Gradient(f, Vec({0, 0, 0})), (Floats{0, 0, 0}));
  EXPECT_EQ(SecondGradient(f, Vec({0, 0, 0})), (Floats{0, 0, 0}));
  EXPECT_EQ(Gradient(f, Vec({3, 0, -4})), (Floats{.6f, 0, -.8f}));
  // The smallest vectors: x / norm, not x / underflow.
  const Floats tiny = Gradient(f, Vec({3e-40f, -4e-40f}));
  EXPECT_NEAR(tiny[0], .6f, 1e-4);
  EXPECT_NEAR(tiny[1], -.8f, 1e-4);
  const auto rows = [](tir_tape *tape, tir_value x) {
    const int axis = 1;
    return tir_norm(tape, x, &axis, 1, false);
  };
  EXPECT_EQ(Gradient(rows, F32({0, 0, 6, 8}, {2, 2}), {1, 10}),
            (Floats{0, 0, 6, 8}));
}

TEST_F(SpecialPoints, TiedMaximaShare) {
  const auto all = [](tir_tape *tape, tir_value x) {
    return tir_max(tape, x, nullptr, 0, false);
  };
  EXPECT_EQ(Gradient(all, Vec({1, 3, 3, -3}), {4}), (Floats{0, 2, 2, 0}));
  EXPECT_EQ(Gradient(all, Vec({0, -0.0f})), (Floats{.5f, .5f}));
  EXPECT_EQ(Gradient(all, Vec({-kInf, -kInf})), (Floats{.5f, .5f}));
  for (bool keep : {false, true}) {
    const auto columns = [keep](tir_tape *tape, tir_value x) {
      const int axis = 0;
      return tir_max(tape, x, &axis, 1, keep);
    };
    EXPECT_EQ(Gradient(columns, F32({1, 5, 1, 2}, {2, 2}), {4, 8}),
              (Floats{2, 8, 2, 0}));
  }
}

TEST_F(SpecialPoints, MaximumGivesHalfToEach) {
  const tir_value b = Vec({1, 2, 2});
  const auto f = [b](tir_tape *tape, tir_value a) {
    return tir_maximum(tape, a, b);
  };
  EXPECT_EQ(Gradient(f, Vec({0, 2, 3})), (Floats{0, .5f, 1}));
  const auto twice = [](tir_tape *tape, tir_value a) {
    return tir_maximum(tape, a, a);
  };
  EXPECT_EQ(Gradient(twice, Vec({7})), (Floats{1}));
  const auto scalar = [](tir_tape *tape, tir_value a) {
    return tir_maximum_scalar(tape, a, 2);
  };
  EXPECT_EQ(Gradient(scalar, Vec({1, 2, 3})), (Floats{0, .5f, 1}));
}

TEST_F(SpecialPoints, TiedMinimaShare) {
  const auto all = [](tir_tape *tape, tir_value x) {
    return tir_min(tape, x, nullptr, 0, false);
  };
  EXPECT_EQ(Gradient(all, Vec({3, 1, 1, 7}), {4}), (Floats{0, 2, 2, 0}));
  EXPECT_EQ(Gradient(all, Vec({0, -0.0f})), (Floats{.5f, .5f}));
  const auto scalar = [](tir_tape *tape, tir_value a) {
    return tir_minimum_scalar(tape, a, 2);
  };
  EXPECT_EQ(Gradient(scalar, Vec({1, 2, 3})), (Floats{1, .5f, 0}));
}

// NaN passes from any place, however many there are; of zeros the one that
// the order puts last (max) or first (min) is taken.
TEST_F(SpecialPoints, ExtremesTakeNaNAndSignedZeros) {
  const auto lowest = [&](Floats x) {
    return Read(tir_min(t, Vec(x), nullptr, 0, false))[0];
  };
  EXPECT_TRUE(std::isnan(lowest({kNan, 1, -kInf})));
  EXPECT_TRUE(std::isnan(lowest({1, -kInf, kNan})));
  EXPECT_TRUE(std::isnan(lowest({kNan, kNan})));
  EXPECT_TRUE(std::signbit(lowest({0, -0.0f})));
  EXPECT_TRUE(std::signbit(lowest({-0.0f, 0})));
  const Floats both =
      Read(tir_minimum(t, Vec({kNan, 1, 0, -0.0f}), Vec({1, kNan, -0.0f, 0})));
  EXPECT_TRUE(std::isnan(both[0]) && std::isnan(both[1]));
  EXPECT_TRUE(std::signbit(both[2]) && std::signbit(both[3]));
}

TEST_F(SpecialPoints, ClipPassesInsideAndAtTheBounds) {
  const auto f = [](tir_tape *tape, tir_value x) {
    return tir_clip_scalar(tape, x, -1, 2);
  };
  const Floats at = {-3, -1, 0, 2, 3, kInf, -kInf};
  EXPECT_EQ(Read(f(t, Vec(at))), (Floats{-1, -1, 0, 2, 2, 2, -1}));
  EXPECT_EQ(Gradient(f, Vec(at)), (Floats{0, 1, 1, 1, 0, 0, 0}));
  EXPECT_EQ(Gradient(f, Vec({kNan}), {3}), (Floats{3}));
  EXPECT_TRUE(std::isnan(Read(f(t, Vec({kNan})))[0]));
  // Zero as lower bound: of the two zeros it is +0.
  EXPECT_FALSE(std::signbit(Read(tir_clip_scalar(t, Vec({-0.0f}), 0, 1))[0]));
}

TEST_F(SpecialPoints, ClipGivesItsGradientToOneOperand) {
  // x below, inside, above; bounds that cross, with x on three sides of them.
  const tir_value x = Vec({0, 2, 4, 0, 2, 4});
  const tir_value low = Vec({1, 1, 1, 3, 3, 3});
  const tir_value high = Vec({3, 3, 3, 1, 1, 1});
  EXPECT_EQ(Read(tir_clip(t, x, low, high)), (Floats{1, 2, 3, 1, 1, 1}));
  const auto by = [&](int operand) {
    return Gradient(
        [=](tir_tape *tape, tir_value v) {
          return tir_clip(tape, operand == 0 ? v : x, operand == 1 ? v : low,
                          operand == 2 ? v : high);
        },
        operand == 0   ? x
        : operand == 1 ? low
                       : high);
  };
  EXPECT_EQ(by(0), (Floats{0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(by(1), (Floats{1, 0, 0, 0, 0, 0}));
  EXPECT_EQ(by(2), (Floats{0, 0, 1, 1, 1, 1}));
}

TEST_F(SpecialPoints, ProductsWithZerosHaveGradients) {
  const auto f = [](tir_tape *tape, tir_value x) {
    return tir_prod(tape, x, nullptr, 0, false);
  };
  EXPECT_EQ(Gradient(f, Vec({2, 3, 4})), (Floats{12, 8, 6}));
  EXPECT_EQ(Gradient(f, Vec({2, 0, 4})), (Floats{0, 8, 0}));
  EXPECT_EQ(Gradient(f, Vec({0, 0, 4})), (Floats{0, 0, 0}));
  EXPECT_EQ(Gradient(f, Vec({-0.0f})), (Floats{1}));
  // Sum over k of the second derivatives, the products of all but two.
  EXPECT_EQ(SecondGradient(f, Vec({2, 0, 4})), (Floats{4, 6, 2}));
  EXPECT_EQ(SecondGradient(f, Vec({0, 0, 4})), (Floats{4, 4, 0}));
}

TEST_F(SpecialPoints, LogsumexpOfInfinities) {
  const auto f = [](tir_tape *tape, tir_value x) {
    return tir_logsumexp(tape, x, nullptr, 0, false);
  };
  EXPECT_EQ(Read(f(t, Vec({-kInf, -kInf}))), (Floats{-kInf}));
  EXPECT_EQ(Gradient(f, Vec({-kInf, -kInf})), (Floats{0, 0}));
  EXPECT_EQ(SecondGradient(f, Vec({-kInf, -kInf})), (Floats{0, 0}));
  EXPECT_EQ(Read(f(t, Vec({1, kInf}))), (Floats{kInf}));
  EXPECT_EQ(Gradient(f, Vec({-kInf, 3})), (Floats{0, 1}));
  EXPECT_TRUE(std::isnan(Read(f(t, Vec({-kInf, kNan})))[0]));
  EXPECT_EQ(Read(f(t, Vec({1e30f, 1e30f}))), (Floats{1e30f}));
}

TEST_F(SpecialPoints, LogsumexpOfAScalar) {
  EXPECT_EQ(Read(tir_logsumexp(t, Scalar(3), nullptr, 0, false)), (Floats{3}));
  tir_logsumexp(t, tir_scalar(t, TIR_DTYPE_I32, 3), nullptr, 0, false);
  EXPECT_NE(Error().find("logsumexp: wrong dtype: x"), std::string::npos);
}

// Their slopes are those of the lines they come close to.
TEST_F(SpecialPoints, ActivationsAtInfinity) {
  for (const auto f : {tir_silu, tir_gelu, tir_gelu_tanh}) {
    const tir_value x = Vec({-kInf, -1e30f, 1e30f, kInf});
    EXPECT_EQ(Gradient(f, x), (Floats{0, 0, 1, 1}));
    EXPECT_EQ(SecondGradient(f, x), (Floats{0, 0, 0, 0}));
    EXPECT_TRUE(std::isnan(Gradient(f, Vec({kNan}))[0]));
  }
}

TEST_F(SpecialPoints, BceOfExtremeLogits) {
  const auto loss = [&](Floats logits, Floats target) {
    return Read(tir_bce_with_logits(t, Vec(logits), Vec(target)))[0];
  };
  EXPECT_FLOAT_EQ(loss({20}, {1}), 2.0611537e-9f) << "digits of tiny losses";
  EXPECT_FLOAT_EQ(loss({1e30f}, {0}), 1e30f);
  EXPECT_EQ(loss({1e4f, -1e4f}, {1, 0}), 0);
  EXPECT_FLOAT_EQ(loss({0}, {.25f}), .6931472f);
  EXPECT_TRUE(std::isnan(loss({}, {})));
  const tir_value target = Vec({1, 0, .5f, 1, 0});
  const auto f = [target](tir_tape *tape, tir_value x) {
    return tir_bce_with_logits(tape, x, target);
  };
  EXPECT_EQ(Gradient(f, Vec({0, 0, 0, 1e4f, 1e4f}), {5}),
            (Floats{-.5f, .5f, 0, 0, 1}));
  EXPECT_EQ(SecondGradient(f, Vec({0, 0, 0, 1e4f, 1e4f}), {5}),
            (Floats{.25f, .25f, .25f, 0, 0}));
}

TEST_F(SpecialPoints, SumsThatRunKeepSignsAndStopAtNothing) {
  const auto scan = [&](Floats x, bool exclusive) {
    return Read(tir_cumsum(t, Vec(x), 0, exclusive, false));
  };
  EXPECT_TRUE(std::signbit(scan({-0.0f, -0.0f}, false)[1]));
  EXPECT_FALSE(std::signbit(scan({-0.0f}, true)[0])) << "nothing is +0";
  EXPECT_TRUE(std::signbit(scan({-0.0f, 1}, true)[1])) << "one term is it";
  const Floats after = scan({1, kNan, 1, -kInf}, false);
  EXPECT_EQ(after[0], 1);
  for (int i = 1; i < 4; i++) EXPECT_TRUE(std::isnan(after[i]));
  EXPECT_EQ(scan({kInf, 1, kInf}, false), (Floats{kInf, kInf, kInf}));
}

TEST_F(SpecialPoints, WhatATriangleLeavesOutIsAnExactZero) {
  const auto f = [](tir_tape *tape, tir_value x) {
    return tir_tril(tape, x, 0);
  };
  const tir_value x = F32({1, kNan, 3, 4}, {2, 2});
  EXPECT_EQ(Read(f(t, x)), (Floats{1, 0, 3, 4}));
  EXPECT_EQ(Gradient(f, x, {5, kNan, 7, 8}), (Floats{5, 0, 7, 8}));
}

TEST_F(SpecialPoints, SplitPartsMeetInOneGradient) {
  const auto f = [](tir_tape *tape, tir_value x) {
    const int64_t sizes[] = {2, -1};
    tir_value parts[2];
    tir_split(tape, x, sizes, 2, 0, parts);
    return tir_sum(tape, tir_mul(tape, parts[0], tir_square(tape, parts[1])),
                   nullptr, 0, false);
  };
  EXPECT_EQ(Gradient(f, Vec({1, 2, 3, 4})), (Floats{9, 16, 6, 16}));
}

TEST_F(SpecialPoints, LeakyReluAtZero) {
  const auto f = [](tir_tape *tape, tir_value x) {
    return tir_leaky_relu(tape, x, .25);
  };
  EXPECT_EQ(Read(f(t, Vec({-8, 0, 8, -kInf}))), (Floats{-2, 0, 8, -kInf}));
  EXPECT_EQ(Gradient(f, Vec({-8, 0, -0.0f, 8})), (Floats{.25f, .25f, .25f, 1}));
  EXPECT_TRUE(std::isnan(Read(f(t, Vec({kNan})))[0]));
}

// The corners of x^y. Columns: x, y, d/dx, d/dy (a NaN means NaN).
TEST_F(SpecialPoints, PowAtItsCorners) {
  struct Row {
    float x, y, dx, dy;
  };
  const Row rows[] = {
      {0, 0, 0, 0},          {0, 1, 1, 0},          {0, 2, 0, 0},
      {0, .5f, kInf, 0},     {0, -1, -kInf, -kInf}, {2, 0, 0, .6931472f},
      {1, 3, 3, 0},          {-1, 2, -2, 0},        {-2, 3, 12, -5.5451775f},
      {-2, .5f, kNan, kNan}, {-0.0f, 2, -0.0f, 0},  {-0.0f, 0, 0, 0},
  };
  for (const Row &row : rows) {
    const tir_value y = Vec({row.y}), x = Vec({row.x});
    const Floats dx = Gradient(
        [y](tir_tape *tape, tir_value v) { return tir_pow(tape, v, y); },
        Vec({row.x}));
    const Floats dy = Gradient(
        [x](tir_tape *tape, tir_value v) { return tir_pow(tape, x, v); },
        Vec({row.y}));
    const auto same = [](float a, float b) {
      return std::isnan(b) ? std::isnan(a) : a == b || std::fabs(a - b) < 1e-5f;
    };
    EXPECT_TRUE(same(dx[0], row.dx))
        << row.x << "^" << row.y << ": d/dx " << dx[0];
    EXPECT_TRUE(same(dy[0], row.dy))
        << row.x << "^" << row.y << ": d/dy " << dy[0];
  }
}

// Whatever stands beside them.
TEST_F(SpecialPoints, SquaresByPowHaveTheSameBits) {
  const int64_t n = 1000;
  std::vector<double> x(n), twos(n, 2), mixed(n, 2);
  for (int64_t i = 0; i < n; i++) x[i] = 1 + static_cast<double>(i) / 997;
  mixed[n - 1] = 3;
  const tir_value base = tir_value_from_data(t, TIR_DTYPE_F64, &n, 1, x.data());
  tir_tensor *squares = nullptr, *powers = nullptr;
  for (const auto &[exponents, out] :
       {std::pair{&twos, &squares}, std::pair{&mixed, &powers}}) {
    const tir_value y =
        tir_value_from_data(t, TIR_DTYPE_F64, &n, 1, exponents->data());
    ASSERT_EQ(tir_read(t, tir_pow(t, base, y), out, nullptr), TIR_OK);
  }
  EXPECT_EQ(memcmp(tir_tensor_data(squares), tir_tensor_data(powers),
                   (n - 1) * sizeof(double)),
            0);
  tir_tensor_release(squares);
  tir_tensor_release(powers);
}

TEST_F(SpecialPoints, PowersOfZeroCanBeDifferentiatedAgain) {
  const auto power = [](double y) {
    return
        [y](tir_tape *tape, tir_value x) { return tir_pow_scalar(tape, x, y); };
  };
  EXPECT_EQ(SecondGradient(power(2), Vec({0, 3})), (Floats{2, 2}));
  EXPECT_EQ(SecondGradient(power(3), Vec({0, 2})), (Floats{0, 12}));
  EXPECT_EQ(SecondGradient(power(1), Vec({0, 2})), (Floats{0, 0}));
  EXPECT_EQ(SecondGradient(power(0), Vec({0, 2})), (Floats{0, 0}));
}

// d/dy of d/dx of x^y is 1/x at y = 0, where d/dx itself is 0.
TEST_F(SpecialPoints, PowKeepsItsMixedDerivative) {
  const tir_value x = Vec({2, 4}), y = Vec({0, 0});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_attach_grad(t, y, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value p = tir_pow(t, x, y);
  tir_value dx = {}, dydx = {};
  tir_backward_options options = {};
  options.create_graph = true;
  tir_grad(t, &p, 1, nullptr, 0, &x, 1, &options, &dx);
  tir_mode_end(t);
  tir_grad(t, &dx, 1, nullptr, 0, &y, 1, nullptr, &dydx);
  EXPECT_EQ(Read(dx), (Floats{0, 0}));
  EXPECT_EQ(Read(dydx), (Floats{.5f, .25f}));
}

TEST_F(SpecialPoints, WhereGivesAnExactZeroToTheOther) {
  const tir_value x = Vec({kNan, kInf, -kInf, 1});
  const auto f = [](tir_tape *tape, tir_value v) {
    const tir_value good =
        tir_less(tape, tir_square(tape, v), tir_full_like(tape, v, 4));
    return tir_where(tape, good, tir_square(tape, v), tir_zeros_like(tape, v));
  };
  // Through square the zero meets its operand: 0 * inf would be NaN, so the
  // guard belongs around the operand too, as here around g alone.
  const auto g = [](tir_tape *tape, tir_value v) {
    const tir_value good = tir_equal(tape, v, tir_full_like(tape, v, 1));
    return tir_where(tape, good, v, tir_zeros_like(tape, v));
  };
  EXPECT_EQ(Gradient(g, x, {5, 6, 7, 8}), (Floats{0, 0, 0, 8}));
  EXPECT_EQ(Gradient(f, Vec({1, 3})), (Floats{2, 0}));
}

TEST_F(SpecialPoints, AJumpHasNoGradient) {
  const auto f = [](tir_tape *tape, tir_value x) {
    const tir_value whole =
        tir_cast(tape, tir_cast(tape, x, TIR_DTYPE_I32), TIR_DTYPE_F32);
    const tir_value sign =
        tir_cast(tape, tir_greater(tape, x, whole), TIR_DTYPE_F32);
    return tir_add(tape, tir_mul(tape, x, whole), sign);
  };
  EXPECT_EQ(Gradient(f, Vec({2.5f, -3.25f})), (Floats{2, -3}));
}

// Comparisons, argmax and one_hot: what they give has slope zero.
TEST_F(SpecialPoints, ChoosingHasNoGradient) {
  const auto f = [](tir_tape *tape, tir_value x) {
    const tir_value chosen =
        tir_one_hot(tape, tir_argmax(tape, x, 0, false), 3, TIR_DTYPE_F32);
    const tir_value above =
        tir_cast(tape, tir_greater_equal(tape, x, chosen), TIR_DTYPE_F32);
    return tir_add(tape, tir_mul(tape, x, chosen), above);
  };
  EXPECT_EQ(Gradient(f, Vec({2, 7, 3})), (Floats{0, 1, 0}));
}

TEST_F(SpecialPoints, SoftmaxSumsToOneAndKnowsNoShift) {
  Floats x(1000);
  for (size_t i = 0; i < x.size(); i++)
    x[i] = 8 * std::sin(static_cast<float>(i));
  for (const float shift : {0.f, 1e4f, -1e4f}) {
    Floats moved = x;
    // Multiples of 2^-9, so that moving them is exact.
    for (float &v : moved) v = std::round(v * 512) / 512 + shift;
    const Floats y = Read(tir_softmax(t, Vec(moved), 0));
    double sum = 0;
    for (float v : y) sum += v;
    EXPECT_NEAR(sum, 1, 1000 * 0x1p-24) << shift;
    for (size_t i = 0; i < x.size(); i++) x[i] = moved[i] - shift;
    EXPECT_EQ(y, Read(tir_softmax(t, Vec(x), 0))) << shift;
  }
}

TEST_F(SpecialPoints, NarrowFloatsPassTheGradient) {
  const auto f = [](tir_tape *tape, tir_value x) {
    return tir_cast(tape, tir_cast(tape, x, TIR_DTYPE_F64), TIR_DTYPE_F32);
  };
  EXPECT_EQ(Gradient(f, Vec({1, 2}), {3, 4}), (Floats{3, 4}));
  const auto half = [](tir_tape *tape, tir_value x) {
    return tir_cast(tape, tir_cast(tape, x, TIR_DTYPE_F16), TIR_DTYPE_F32);
  };
  EXPECT_EQ(Gradient(half, Vec({1, 2}), {3, 1.f / 3}),
            (Floats{3, .333251953125f}));
}

TEST_F(SpecialPoints, RepeatedRowsAddUpInIndexOrder) {
  const int64_t indices[] = {1, 1, -1, 0};
  const int64_t n = 4;
  const tir_value i = tir_value_from_data(t, TIR_DTYPE_I64, &n, 1, indices);
  const auto f = [i](tir_tape *tape, tir_value x) {
    return tir_gather(tape, x, i, 0);
  };
  // (1e8 + 1) - 1e8 is 0 in f32; any other order gives 1.
  EXPECT_EQ(Gradient(f, Vec({10, 20}), {1e8f, 1, -1e8f, 5}), (Floats{5, 0}));
}

TEST_F(SpecialPoints, EmptyReductions) {
  const tir_value x = F32({}, {2, 0});
  const int axis = 1;
  EXPECT_EQ(Read(tir_sum(t, x, &axis, 1, false)), (Floats{0, 0}));
  const Floats mean = Read(tir_mean(t, x, &axis, 1, false));
  EXPECT_TRUE(std::isnan(mean[0]) && std::isnan(mean[1]));
  tir_max(t, x, &axis, 1, false);
  EXPECT_EQ(Error().rfind("reduce_max: no maximum over axis 1 of size 0", 0),
            0u);
  const auto f = [](tir_tape *tape, tir_value v) {
    return tir_mean(tape, v, nullptr, 0, false);
  };
  EXPECT_EQ(Gradient(f, F32({}, {2, 0})), Floats());
}

TEST_F(SpecialPoints, SaturatedFunctionsHaveFiniteGradients) {
  const Floats far = {-1e4f, 1e4f};
  EXPECT_EQ(Gradient(tir_sigmoid, Vec(far)), (Floats{0, 0}));
  EXPECT_EQ(Gradient(tir_tanh, Vec(far)), (Floats{0, 0}));
  EXPECT_EQ(Gradient(tir_softplus, Vec({-1e4f, 0, 1e4f})), (Floats{0, .5f, 1}));
  // Where x^2 and x^3 overflow, too.
  const Floats out = {-3e38f, -1e4f, 1e4f, 3e38f};
  for (auto f : {tir_silu, tir_gelu, tir_gelu_tanh}) {
    EXPECT_EQ(Gradient(f, Vec(out)), (Floats{0, 0, 1, 1}));
    EXPECT_EQ(Read(f(t, Vec({-kInf, -1e4f, 0, kInf}))),
              (Floats{0, 0, 0, kInf}));
  }
  const auto softmax = [](tir_tape *tape, tir_value x) {
    return tir_softmax(tape, x, 0);
  };
  EXPECT_EQ(Gradient(softmax, Vec(far), {1, 2}), (Floats{0, 0}));
  const auto log_softmax = [](tir_tape *tape, tir_value x) {
    return tir_log_softmax(tape, x, 0);
  };
  EXPECT_EQ(Gradient(log_softmax, Vec(far), {1, 0}), (Floats{1, -1}));
  const int32_t target[] = {0};
  const int64_t one = 1;
  const tir_value i = tir_value_from_data(t, TIR_DTYPE_I32, &one, 1, target);
  const auto loss = [i](tir_tape *tape, tir_value x) {
    return tir_cross_entropy(tape, x, i);
  };
  EXPECT_EQ(Gradient(loss, F32(far, {1, 2})), (Floats{-1, 1}));
}

TEST_F(SpecialPoints, DropoutGradientsUseTheMaskOfTheForward) {
  const int64_t n = 1000;
  const tir_value x = tir_ones(t, TIR_DTYPE_F32, &n, 1);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_dropout(t, x, .25);
  tir_mode_end(t);
  tir_keep(t, y);
  tir_backward(t, y);
  const Floats value = Read(y), gradient = Grad(x);
  EXPECT_EQ(value, gradient) << "of ones";
  size_t n_kept = 0;
  for (float v : value) {
    EXPECT_TRUE(v == 0 || v == 1 / .75f) << v;
    n_kept += v != 0;
  }
  EXPECT_GT(n_kept, 690u);
  EXPECT_LT(n_kept, 810u);
}

TEST_F(SpecialPoints, ADroppedNanIsAnExactZero) {
  const int64_t n = 64;
  const tir_value x = tir_full(t, TIR_DTYPE_F32, &n, 1, kNan);
  tir_train_begin(t);
  const Floats y = Read(tir_dropout(t, x, .5));
  tir_mode_end(t);
  size_t n_zeros = 0;
  for (float v : y) n_zeros += v == 0;
  EXPECT_GT(n_zeros, 16u);
  EXPECT_LT(n_zeros, 48u);
}

}  // namespace
