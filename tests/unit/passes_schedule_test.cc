#include "tests/support/context_fixture.h"
#include "tests/support/planned.h"

namespace {

class Schedule : public testing::Test {
 protected:
  FailingAllocator allocator_;
  TestContext context_{&allocator_};
};

TEST_F(Schedule, KeepsTheRecordedOrder) {
  const Planned p(context_, R"(
graph @main(%x: f32[64]) {
  %a = exp %x : f32[64]
  %b = tanh %x : f32[64]
  %c = add %b, %a : f32[64]
  return %c
})");
  EXPECT_EQ(p.Order(), "a b c");
}

// Recorded, three large values are alive at once; one after the other, two.
TEST_F(Schedule, TakesTheOrderWithTheLowerPeak) {
  const Planned p(context_, R"(
graph @main(%x: f32[1024]) {
  %a = softmax %x {axis = 0} : f32[1024]
  %b = exp %x : f32[1024]
  %c = tanh %x : f32[1024]
  %p = reduce_max %a : f32[]
  %q = reduce_max %b : f32[]
  %r = reduce_max %c : f32[]
  %s = add_n %p, %q, %r : f32[]
  return %s
})");
  EXPECT_EQ(p.Order(), "a p b q c r s");
  EXPECT_LE(p.plan().arena_bytes, 4096u + 3 * 64u);
}

TEST_F(Schedule, UpdatesRunAsTheirGradientIsReady) {
  const Planned p(context_, R"(
graph @main(%x: f32[64], %lr: f32[], %w: param f32[64] "w",
            %v: param f32[64] "v") {
  %g1 = exp %x : f32[64]
  %g2 = tanh %g1 : f32[64]
  %w2 = sgd %w, %g1, %lr : f32[64]
  %0 = assign %w, %w2 : f32[64]
  %v2 = sgd %v, %g2, %lr : f32[64]
  %1 = assign %v, %v2 : f32[64]
  %g3 = neg %g2 : f32[64]
  %l = reduce_max %g3 : f32[]
  return %l
})");
  EXPECT_EQ(p.Order(), "g1 w2 g2 v2 g3 l");
  EXPECT_EQ(p.plan().commit, 1u);
}

TEST_F(Schedule, UpdateWaitsForReadersOfTheOldVersion) {
  const Planned p(context_, R"(
graph @main(%g: f32[64], %lr: f32[], %w: param f32[64] "w") {
  %n = sgd %w, %g, %lr : f32[64]
  %0 = assign %w, %n : f32[64]
  %a = exp %w : f32[64]
  %r = reshape %w {dims = [8, 8]} : f32[8, 8]
  %b = softmax %r {axis = 1} : f32[8, 8]
  return %a, %b
})");
  EXPECT_EQ(p.Order(), "a b n");
  EXPECT_EQ(p.Place("n").kind, TIR_PLACE_PARAM);
}

TEST_F(Schedule, UpdateWaitsForWhatCanFail) {
  const Planned p(context_, R"(
graph @main(%x: f32[64], %i: i64[4], %lr: f32[], %w: param f32[64] "w") {
  %g = exp %x : f32[64]
  %n = sgd %w, %g, %lr : f32[64]
  %0 = assign %w, %n : f32[64]
  %a = tanh %x : f32[64]
  %b = gather %a, %i : f32[4]
  %c = exp %b : f32[4]
  return %c
})");
  EXPECT_LT(p.Position("b"), p.Position("n"));
  EXPECT_GT(p.plan().commit, static_cast<uint32_t>(p.Position("b")));
}

// The count is needed by the update only, so it does not hold it up.
TEST_F(Schedule, ScalarsOfUpdatesAreEarly) {
  const Planned p(context_, R"(
graph @main(%x: f32[64], %s: f32[], %w: param f32[64] "w",
            %m: state f32[64] "m", %v: state f32[64] "v",
            %t: state i64[] "t") {
  %g = exp %x : f32[64]
  %h = neg %x : f32[64]
  %l = reduce_max %h : f32[]
  %one = constant {value = 1} : i64[]
  %next = add %t, %one : i64[]
  %nw, %nm, %nv = adam %w, %m, %v, %g, %s, %s, %s, %s, %next : f32[64], f32[64], f32[64]
  %0 = assign %w, %nw : f32[64]
  %1 = assign %m, %nm : f32[64]
  %2 = assign %v, %nv : f32[64]
  %3 = assign %t, %next : i64[]
  return %l
})");
  EXPECT_EQ(p.Order(), "next g nw h l");
  for (const char *name : {"nw", "nm", "nv", "next"})
    EXPECT_EQ(p.Place(name).kind, TIR_PLACE_PARAM) << name;
  EXPECT_EQ(p.plan().arena_bytes, 256u);
}

// Greedy would begin with %m, which then is alive beside %big.
TEST_F(Schedule, ScalarsOfUpdatesAreEarlyAsRecordedToo) {
  const Planned p(context_, R"(
graph @main(%x: f32[1024], %s: f32[], %w: param f32[1024] "w",
            %v: param f32[1024] "v") {
  %big = softmax %x {axis = 0} : f32[1024]
  %r = reduce_max %big : f32[]
  %part = slice %x {starts = [0], stops = [512]} : f32[512]
  %m = exp %part : f32[512]
  %n = mul %m, %r : f32[512]
  %g = exp %x : f32[1024]
  %h = tanh %x : f32[1024]
  %lr = exp %s : f32[]
  %wn = sgd %w, %g, %lr : f32[1024]
  %vn = sgd %v, %h, %lr : f32[1024]
  %0 = assign %w, %wn : f32[1024]
  %1 = assign %v, %vn : f32[1024]
  return %n
})");
  EXPECT_EQ(p.Order(), "lr big r m n g wn h vn");
}

// After %b, %c frees %a, so it comes before %d, though its result is larger.
TEST_F(Schedule, GreedySeesWhoIsLast) {
  const Planned p(context_, R"(
graph @main(%x: f32[2, 512]) {
  %a = softmax %x {axis = 1} : f32[2, 512]
  %b = reduce_max %a : f32[]
  %d = broadcast_to %b {dims = [256]} : f32[256]
  %c = reduce_max %a {axes = [0]} : f32[512]
  %e = reduce_max %c : f32[]
  %f = reduce_max %d : f32[]
  %g = add %e, %f : f32[]
  return %g
})");
  EXPECT_LT(p.Position("c"), p.Position("d"));
  EXPECT_EQ(p.plan().lower_bound_bytes, 4096u + 2048u + 64u);
}

// The check stands last, and all of one branch with it: what it needs moves
// to the front, so that the update can free its gradient.
TEST_F(Schedule, ChecksMoveToTheFront) {
  const Planned p(context_, R"(
graph @main(%x: f32[1024], %i: i64[4], %lr: f32[],
            %w: param f32[1024] "w", %v: param f32[1024] "v") {
  %a = softmax %x {axis = 0} : f32[1024]
  %wn = sgd %w, %a, %lr : f32[1024]
  %0 = assign %w, %wn : f32[1024]
  %b = log_softmax %x {axis = 0} : f32[1024]
  %vn = sgd %v, %b, %lr : f32[1024]
  %1 = assign %v, %vn : f32[1024]
  %c = exp %x : f32[1024]
  %d = gather %c, %i : f32[4]
  return %d
})");
  EXPECT_EQ(p.Order(), "c d a wn b vn");
  EXPECT_EQ(p.plan().arena_bytes, 4096u);
}

TEST_F(Schedule, FloatDivisionCannotFail) {
  const Planned p(context_, R"(
graph @main(%x: f32[64], %lr: f32[], %w: param f32[64] "w") {
  %g = exp %x : f32[64]
  %n = sgd %w, %g, %lr : f32[64]
  %0 = assign %w, %n : f32[64]
  %d = div %x, %lr : f32[64]
  return %d
})");
  EXPECT_EQ(p.plan().commit, 1u);
}

TEST_F(Schedule, IntegerDivisionCanFail) {
  const Planned p(context_, R"(
graph @main(%x: i64[64], %y: i64[], %w: param i64[64] "w") {
  %n = add %w, %x : i64[64]
  %0 = assign %w, %n : i64[64]
  %d = div %x, %y : i64[64]
  return %d
})");
  EXPECT_EQ(p.Order(), "d n");
  EXPECT_EQ(p.plan().commit, 1u);
}

TEST_F(Schedule, GradientCallIsRefused) {
  GraphPtr graph = ParseGraph(context_, R"(
graph @main(%x: f32[3]) {
  %y = exp %x : f32[3]
  return %y
})");
  const uint32_t y =
      tir_ir_resolve(graph.get(), graph->outputs.data[0].value).id;
  const uint32_t operands[] = {y, y, graph->inputs.data[0].id};
  const tir_attrs_gradient attrs = {1, 0};
  tir_ir_node node;
  tir_error error = {};
  ASSERT_EQ(tir_ir_append_checked(graph.get(), TIR_OP_GRADIENT, operands, 3,
                                  &attrs, nullptr, 1, &node, &error),
            TIR_OK)
      << error.message;
  tir_plan plan;
  tir_plan_init(&plan, context_);
  EXPECT_EQ(tir_pass_schedule(graph.get(), &plan, &error), TIR_ERR_STATE);
  tir_plan_free(&plan);
}

}  // namespace
