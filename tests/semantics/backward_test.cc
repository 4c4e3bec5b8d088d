// backward and grad: semantics 11 to 15.
#include "tests/semantics/tape_fixture.h"

class Backward : public TapeTest {
 protected:
  tir_value Leaf(Floats data) {
    const tir_value x = Vec(data);
    tir_attach_grad(t, x, TIR_GRAD_WRITE);
    return x;
  }
  static constexpr tir_backward_options kRetain = {true, false, false, {0}};
  static constexpr tir_backward_options kCreate = {false, true, false, {0}};
};

TEST_F(Backward, SeveralHeadsSomeWithGradients) {
  const tir_value x = Leaf({1, 2});
  tir_record_begin(t, true);
  const tir_value heads[] = {tir_mul_scalar(t, x, 2), tir_square(t, x)};
  tir_mode_end(t);
  const tir_value gradients[] = {tir_value{}, Vec({10, 100})};
  tir_backward_ex(t, heads, 2, gradients, 2, nullptr);
  EXPECT_EQ(Grad(x), (Floats{22, 402}));
}

TEST_F(Backward, TheSameHeadTwiceCountsTwice) {
  const tir_value x = Leaf({1, 2});
  tir_record_begin(t, true);
  const tir_value y = tir_mul_scalar(t, x, 3);
  tir_mode_end(t);
  const tir_value heads[] = {y, y};
  tir_backward_ex(t, heads, 2, nullptr, 0, nullptr);
  EXPECT_EQ(Grad(x), (Floats{6, 6}));
}

TEST_F(Backward, ALeafMayBeAHead) {
  const tir_value x = Leaf({1, 2});
  tir_backward(t, x);
  EXPECT_EQ(Grad(x), (Floats{1, 1}));
}

TEST_F(Backward, AHeadMayFeedAnotherHead) {
  const tir_value x = Leaf({1, 2});
  tir_record_begin(t, true);
  const tir_value y = tir_mul_scalar(t, x, 3);
  const tir_value z = tir_mul_scalar(t, y, 10);
  tir_mode_end(t);
  const tir_value heads[] = {y, z};
  tir_backward_ex(t, heads, 2, nullptr, 0, nullptr);
  EXPECT_EQ(Grad(x), (Floats{33, 33}));
}

TEST_F(Backward, RetainKeepsTheHistory) {
  const tir_value x = Leaf({1, 2});
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, x);
  tir_mode_end(t);
  tir_backward_ex(t, &y, 1, nullptr, 0, &kRetain);
  EXPECT_EQ(Grad(x), (Floats{2, 4}));
  tir_backward(t, y);
  EXPECT_EQ(Grad(x), (Floats{2, 4}));
}

TEST_F(Backward, GradReturnsValuesAndLeavesBuffersAlone) {
  const tir_value x = Leaf({1, 2}), w = Leaf({5, 5});
  tir_record_begin(t, true);
  const tir_value y = tir_mul(t, x, w);
  tir_mode_end(t);
  const tir_value wrt[] = {w, x};
  tir_value out[2];
  tir_grad(t, &y, 1, nullptr, 0, wrt, 2, nullptr, out);
  EXPECT_EQ(Read(out[0]), (Floats{1, 2}));
  EXPECT_EQ(Read(out[1]), (Floats{5, 5}));
  EXPECT_EQ(Grad(x), (Floats{0, 0}));
}

TEST_F(Backward, CreateGraphToTheThirdOrder) {
  const tir_value x = Leaf({2, -1});
  tir_record_begin(t, true);
  tir_value y = tir_mul(t, tir_square(t, x), tir_square(t, x));
  const Floats want[] = {{32, -4}, {48, 12}, {48, -24}, {24, 24}};
  for (const Floats &expected : want) {
    tir_value g;
    tir_grad(t, &y, 1, nullptr, 0, &x, 1, &kCreate, &g);
    EXPECT_EQ(Read(g), expected);
    y = g;
  }
  tir_mode_end(t);
}

TEST_F(Backward, CreateGraphWithoutReadingBetween) {
  const tir_value x = Leaf({2, -1});
  tir_record_begin(t, true);
  const tir_value y = tir_mul(t, tir_square(t, x), x);
  tir_value g;
  tir_grad(t, &y, 1, nullptr, 0, &x, 1, &kCreate, &g);
  // A gradient penalty: sum((dy/dx)²), differentiated.
  const tir_value penalty = tir_sum(t, tir_square(t, g), nullptr, 0, false);
  tir_mode_end(t);
  tir_backward(t, penalty);
  // d/dx (3x²)² = 36 x³
  EXPECT_EQ(Grad(x), (Floats{288, -36}));
  EXPECT_EQ(Stats().n_runs, 1u);
}

TEST_F(Backward, RecordingIsOffUnlessCreateGraph) {
  const tir_value x = Leaf({3});
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, x);
  tir_backward(t, y);
  EXPECT_TRUE(tir_is_recording(t)) << "the mode itself stays";
  tir_backward(t, tir_grad_of(t, x));
  EXPECT_NE(Error().find("head 0 has no history"), std::string::npos);
  const tir_value z = tir_square(t, x);
  tir_backward_ex(t, &z, 1, nullptr, 0, &kCreate);
  tir_value second;
  const tir_value first = tir_grad_of(t, x);
  tir_grad(t, &first, 1, nullptr, 0, &x, 1, nullptr, &second);
  tir_mode_end(t);
  EXPECT_EQ(Read(second), (Floats{2}));
}

// Gradients that meet are one sum in recorded order: in f32 1e8 + 1 - 1e8 is
// 0, while 1e8 - 1e8 + 1 is 1.
TEST_F(Backward, GradientsThatMeetAreSummedInRecordedOrder) {
  const double orders[][3] = {{1e8, 1, -1e8}, {1e8, -1e8, 1}};
  const float sums[] = {0, 1};
  for (int i = 0; i < 2; i++) {
    const tir_value x = Leaf({1});
    tir_record_begin(t, true);
    const tir_value a = tir_mul_scalar(t, x, orders[i][0]);
    const tir_value b = tir_mul_scalar(t, x, orders[i][1]);
    const tir_value d = tir_mul_scalar(t, x, orders[i][2]);
    // Met in another order than recorded.
    const tir_value y = tir_add(t, d, tir_add(t, b, a));
    tir_mode_end(t);
    tir_backward(t, y);
    EXPECT_EQ(Grad(x), (Floats{sums[i]}));
  }
}

TEST_F(Backward, GradOfUnusedIsZerosOfItsOwnType) {
  const tir_value x = Leaf({1, 2});
  const int64_t dims[] = {3, 1};
  const tir_value unused = tir_ones(t, TIR_DTYPE_F64, dims, 2);
  tir_attach_grad(t, unused, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, x);
  tir_mode_end(t);
  const tir_backward_options zeros = {false, false, true, {0}};
  tir_value g;
  tir_grad(t, &y, 1, nullptr, 0, &unused, 1, &zeros, &g);
  EXPECT_EQ(tir_value_dtype(t, g), TIR_DTYPE_F64);
  ASSERT_EQ(tir_value_rank(t, g), 2);
  EXPECT_EQ(tir_value_dim(t, g, 0), 3);
  double read[3] = {1, 1, 1};
  tir_error error;
  ASSERT_EQ(tir_read_into(t, g, read, sizeof read, &error), TIR_OK);
  for (double v : read) EXPECT_EQ(v, 0);
}

TEST_F(Backward, VariablesWithEqualGradientsGetTheirOwn) {
  const tir_value a = Leaf({1}), b = Leaf({2});
  tir_record_begin(t, true);
  const tir_value y = tir_add(t, a, b);
  tir_mode_end(t);
  tir_backward(t, y);
  tir_set_grad(t, a, Vec({7}));
  EXPECT_EQ(Grad(a), (Floats{7}));
  EXPECT_EQ(Grad(b), (Floats{1}));
}

TEST_F(Backward, UnreachedVariableKeepsItsBuffer) {
  const tir_value x = Leaf({1}), other = Leaf({1});
  tir_set_grad(t, other, Vec({42}));
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, x);
  tir_mode_end(t);
  tir_backward(t, y);
  EXPECT_EQ(Grad(other), (Floats{42}));
}

TEST_F(Backward, GradOfUnreachedIsAnErrorUnlessZerosAreAskedFor) {
  const tir_value x = Leaf({1}), other = Leaf({1});
  tir_set_name(t, other, "other");
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, x);
  tir_mode_end(t);
  tir_value g;
  tir_grad(t, &y, 1, nullptr, 0, &other, 1, nullptr, &g);
  EXPECT_NE(Error().find("grad: wrt 0 \"other\" is not reached"),
            std::string::npos);
  const tir_backward_options zeros = {false, false, true, {0}};
  tir_grad(t, &y, 1, nullptr, 0, &other, 1, &zeros, &g);
  EXPECT_EQ(Read(g), (Floats{0}));
}

TEST_F(Backward, SecondBackwardOnTheResultOfAReadLoop) {
  // Each turn reads, so each turn is a run of its own; the history spans all.
  const tir_value a = Leaf({0.37f});
  tir_record_begin(t, true);
  tir_value b = tir_mul_scalar(t, a, 2);
  int turns = 0;
  while (tir_read_scalar(t, tir_norm(t, b, nullptr, 0, false)) < 1000) {
    b = tir_mul_scalar(t, b, 2);
    turns++;
  }
  tir_mode_end(t);
  tir_backward(t, b);
  EXPECT_EQ(turns, 11);
  EXPECT_EQ(Grad(a), (Floats{4096}));
}

TEST_F(Backward, ReadingOrNotReadingGivesTheSameBits) {
  Floats results[2];
  for (int read = 0; read < 2; read++) {
    const tir_value x = Leaf({0.1f, 0.7f, -1.3f});
    tir_record_begin(t, true);
    tir_value y = x;
    for (int i = 0; i < 6; i++) {
      y = tir_tanh(t, tir_add(t, tir_mul(t, y, y), tir_exp(t, y)));
      if (read) Read(y);
    }
    tir_mode_end(t);
    tir_backward(t, y);
    results[read] = Grad(x);
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_F(Backward, EagerTapeGivesTheSameBits) {
  Floats results[2];
  for (uint32_t eager = 0; eager < 2; eager++) {
    tir_tape_options options = {};
    options.flags = eager ? TIR_TAPE_EAGER : 0;
    Make(options);
    const tir_value x = Leaf({0.1f, 0.7f, -1.3f});
    tir_record_begin(t, true);
    const tir_value y = tir_sigmoid(t, tir_mul(t, tir_exp(t, x), x));
    tir_mode_end(t);
    tir_backward(t, y);
    results[eager] = Grad(x);
  }
  EXPECT_EQ(results[0], results[1]);
}
