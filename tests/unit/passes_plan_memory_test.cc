#include "tests/support/context_fixture.h"
#include "tests/support/planned.h"

namespace {

class PlanMemory : public testing::Test {
 protected:
  FailingAllocator allocator_;
  TestContext context_{&allocator_};
};

// --- places ----------------------------------------------------------------

TEST_F(PlanMemory, ChainRunsInPlaceInTheOutput) {
  const Planned p(context_, R"(
graph @main(%x: f32[64]) {
  %a = exp %x : f32[64]
  %b = tanh %a : f32[64]
  %c = neg %b : f32[64]
  return %c
})");
  EXPECT_EQ(p.plan().arena_bytes, 0u);
  for (const char *name : {"a", "b", "c"})
    EXPECT_EQ(p.Place(name).kind, TIR_PLACE_OUTPUT) << name;
  EXPECT_FALSE(p.Place("a").in_place) << "inputs are never written";
  EXPECT_TRUE(p.Place("b").in_place);
  EXPECT_TRUE(p.Place("c").in_place);
  EXPECT_EQ(p.plan().copies.count, 0u);
}

TEST_F(PlanMemory, OperandReadLaterIsNotOverwritten) {
  const Planned p(context_, R"(
graph @main(%x: f32[64]) {
  %a = exp %x : f32[64]
  %b = tanh %a : f32[64]
  %c = add %b, %a : f32[64]
  return %c
})");
  EXPECT_FALSE(p.Place("b").in_place);
  EXPECT_TRUE(p.Place("c").in_place);
  EXPECT_EQ(p.plan().arena_bytes, 256u);
}

TEST_F(PlanMemory, OtherTypeIsNotInPlace) {
  const Planned p(context_, R"(
graph @main(%x: f32[64]) {
  %a = exp %x : f32[64]
  %b = less %a, %x : bool[64]
  %c = cast %b {dtype = f32} : f32[64]
  %d = exp %c : f32[64]
  return %d
})");
  EXPECT_FALSE(p.Place("b").in_place);
  EXPECT_FALSE(p.Place("c").in_place);
  EXPECT_TRUE(p.Place("d").in_place);
}

TEST_F(PlanMemory, ProductIsNeverInPlace) {
  const Planned p(context_, R"(
graph @main(%x: f32[8, 8]) {
  %a = exp %x : f32[8, 8]
  %b = matmul %a, %a : f32[8, 8]
  return %b
})");
  EXPECT_FALSE(p.Place("b").in_place);
  EXPECT_EQ(p.plan().arena_bytes, 256u);
}

// A row of %a is read by every row of the result: not in place.
TEST_F(PlanMemory, BroadcastViewOfTheSameMemoryIsNotOverwritten) {
  const Planned p(context_, R"(
graph @main(%x: f32[4, 16]) {
  %a = exp %x : f32[4, 16]
  %row = slice %a {starts = [1], stops = [2]} : f32[1, 16]
  %b = mul %a, %row : f32[4, 16]
  return %b
})");
  EXPECT_TRUE(p.Place("row").is_view);
  EXPECT_FALSE(p.Place("b").in_place);
}

TEST_F(PlanMemory, ViewsShareTheirRootsMemory) {
  const Planned p(context_, R"(
graph @main(%x: f32[4, 16]) {
  %a = exp %x : f32[4, 16]
  %r = reshape %a {dims = [64]} : f32[64]
  %s = softmax %r {axis = 0} : f32[64]
  %b = reshape %s {dims = [4, 16]} : f32[4, 16]
  %c = softmax %b {axis = 1} : f32[4, 16]
  return %c
})");
  EXPECT_TRUE(p.Place("r").is_view);
  EXPECT_EQ(p.Place("r").root, p.Value("a"));
  EXPECT_EQ(p.Place("b").root, p.Value("s"));
  EXPECT_EQ(p.Order(), "a s c");
}

TEST_F(PlanMemory, ViewAsOutputIsComputedThere) {
  const Planned p(context_, R"(
graph @main(%x: f32[4, 16]) {
  %a = exp %x : f32[4, 16]
  %r = reshape %a {dims = [64]} : f32[64]
  return %r
})");
  EXPECT_EQ(p.Place("a").kind, TIR_PLACE_OUTPUT);
  EXPECT_EQ(p.plan().copies.count, 0u);
}

TEST_F(PlanMemory, SliceOfLivingValueIsAView) {
  const Planned p(context_, R"(
graph @main(%x: f32[4, 16]) {
  %a = softmax %x {axis = 1} : f32[4, 16]
  %s = slice %a {starts = [1], stops = [3]} : f32[2, 16]
  %m = reduce_max %s {axes = [1]} : f32[2]
  %n = reduce_max %a {axes = [1]} : f32[4]
  return %m, %n
})");
  EXPECT_TRUE(p.Place("s").is_view);
  EXPECT_EQ(p.Place("s").offset - p.Place("a").offset, 64u);
  EXPECT_EQ(p.Position("s"), -1);
}

TEST_F(PlanMemory, SliceThatWouldKeepItsSourceIsCopied) {
  const Planned p(context_, R"(
graph @main(%x: f32[4, 16]) {
  %a = softmax %x {axis = 1} : f32[4, 16]
  %s = slice %a {starts = [1], stops = [3]} : f32[2, 16]
  %m = reduce_max %s {axes = [1]} : f32[2]
  %n = reduce_max %s {axes = [0]} : f32[16]
  return %m, %n
})");
  EXPECT_FALSE(p.Place("s").is_view);
}

TEST_F(PlanMemory, SliceOfInnerAxisIsNoRun) {
  const Planned p(context_, R"(
graph @main(%x: f32[4, 16], %y: f32[1, 4, 16]) {
  %s = slice %x {starts = [0, 1], stops = [4, 3]} : f32[4, 2]
  %m = reduce_max %s {axes = [1]} : f32[4]
  %t = slice %y {starts = [0, 2], stops = [1, 4]} : f32[1, 2, 16]
  %n = reduce_max %t {axes = [1]} : f32[1, 16]
  %u = slice %x {starts = [0], stops = [4], steps = [2]} : f32[2, 16]
  %o = reduce_max %u {axes = [1]} : f32[2]
  return %m, %n, %o
})");
  EXPECT_FALSE(p.Place("s").is_view);
  EXPECT_TRUE(p.Place("t").is_view) << "one run behind an axis of size 1";
  EXPECT_EQ(p.Place("t").kind, TIR_PLACE_INPUT);
  EXPECT_EQ(p.Place("t").offset, 128u);
  EXPECT_FALSE(p.Place("u").is_view);
}

TEST_F(PlanMemory, PartOfConcatenationIsAView) {
  const Planned p(context_, R"(
graph @main(%x: f32[5, 16], %a: f32[2, 16], %b: f32[3, 16]) {
  %p = concat_part %x, %a, %b {axis = 0, index = 1} : f32[3, 16]
  %m = reduce_max %p {axes = [1]} : f32[3]
  return %m
})");
  EXPECT_TRUE(p.Place("p").is_view);
  EXPECT_EQ(p.Place("p").offset, 128u);
}

TEST_F(PlanMemory, SliceAsOutputIsComputedThere) {
  const Planned p(context_, R"(
graph @main(%x: f32[4, 16]) {
  %s = slice %x {starts = [1], stops = [3]} : f32[2, 16]
  return %s
})");
  EXPECT_EQ(p.Place("s").kind, TIR_PLACE_OUTPUT);
  EXPECT_EQ(p.Position("s"), 0);
}

TEST_F(PlanMemory, OutputsThatAreNoResultsAreCopied) {
  const Planned p(context_, R"(
graph @main(%x: f32[4], %w: param f32[4] "w") {
  %a = exp %x : f32[4]
  %c = constant {value = 1} : f32[4]
  return %a "a", %a "b", %x "c", %w "d", %c "e"
})");
  ASSERT_EQ(p.plan().copies.count, 4u);
  for (size_t i = 0; i < 4; i++) {
    EXPECT_EQ(p.plan().copies.data[i].kind, TIR_PLACE_OUTPUT);
    EXPECT_EQ(p.plan().copies.data[i].index, i + 1);
  }
}

TEST_F(PlanMemory, ShapeOnlyOperandsNeedNoMemory) {
  const Planned p(context_, R"(
graph @main(%x: f32[64], %s: f32[]) {
  %a = exp %x : f32[64]
  %b = broadcast_like %s, %a : f32[64]
  return %b
})");
  EXPECT_EQ(p.Order(), "b");
  EXPECT_EQ(p.Place("a").kind, TIR_PLACE_NONE);
  EXPECT_EQ(p.plan().arena_bytes, 0u);
}

TEST_F(PlanMemory, ShapeOnlyOperandDoesNotLiveOn) {
  const Planned p(context_, R"(
graph @main(%x: f32[64], %s: f32[]) {
  %a = softmax %x {axis = 0} : f32[64]
  %m = reduce_max %a : f32[]
  %t = mul %m, %s : f32[]
  %b = broadcast_like %t, %a : f32[64]
  %c = softmax %b {axis = 0} : f32[64]
  return %c
})");
  EXPECT_EQ(p.Place("a").last, 1u);
  EXPECT_LT(p.plan().arena_bytes, 2 * 256u + 64u);
}

TEST_F(PlanMemory, UnusedResultsHaveNoPlace) {
  const Planned p(context_, R"(
graph @main(%w: f32[3], %m: f32[3], %v: f32[3], %g: f32[3], %s: f32[],
            %step: i64[]) {
  %a, %b, %c = adam %w, %m, %v, %g, %s, %s, %s, %s, %step : f32[3], f32[3], f32[3]
  return %b
})");
  EXPECT_EQ(p.Place("a").kind, TIR_PLACE_NONE);
  EXPECT_EQ(p.Place("b").kind, TIR_PLACE_OUTPUT);
}

TEST_F(PlanMemory, DonatedInputIsOverwritten) {
  const bool donated[] = {true, false};
  tir_plan_options options = {};
  options.input_donated = donated;
  const Planned p(context_, R"(
graph @main(%x: f32[64], %y: f32[64]) {
  %a = exp %x : f32[64]
  %b = exp %y : f32[64]
  %d = add %a, %b : f32[64]
  %c = reduce_max %d : f32[]
  return %c
})",
                  "", &options);
  EXPECT_EQ(p.Place("a").kind, TIR_PLACE_INPUT);
  EXPECT_TRUE(p.Place("a").in_place);
  EXPECT_EQ(p.Place("b").kind, TIR_PLACE_ARENA);
  EXPECT_EQ(p.Place("d").kind, TIR_PLACE_INPUT);
}

TEST_F(PlanMemory, DonatedInputStillReadIsKept) {
  const bool donated[] = {true};
  tir_plan_options options = {};
  options.input_donated = donated;
  const Planned p(context_, R"(
graph @main(%x: f32[64]) {
  %a = exp %x : f32[64]
  %b = mul %a, %x : f32[64]
  %c = reduce_max %b : f32[]
  return %c
})",
                  "", &options);
  EXPECT_EQ(p.Place("a").kind, TIR_PLACE_ARENA);
}

TEST_F(PlanMemory, OutputIsNotComputedInADonatedInput) {
  const bool donated[] = {true};
  tir_plan_options options = {};
  options.input_donated = donated;
  const Planned p(context_, R"(
graph @main(%x: f32[64]) {
  %a = exp %x : f32[64]
  return %a
})",
                  "", &options);
  EXPECT_EQ(p.Place("a").kind, TIR_PLACE_OUTPUT);
  EXPECT_FALSE(p.Place("a").in_place);
  EXPECT_EQ(p.plan().copies.count, 0u);
}

// Two results of one step cannot have the memory of one operand.
TEST_F(PlanMemory, EachResultTakesAnotherOperand) {
  const Planned p(context_, R"(
graph @main(%x: f32[64], %y: f32[64], %s: f32[], %step: i64[]) {
  %w = exp %x : f32[64]
  %a, %b, %c = adam %w, %x, %y, %x, %s, %s, %s, %s, %step : f32[64], f32[64], f32[64]
  %d = add_n %a, %b, %c : f32[64]
  %e = reduce_max %d : f32[]
  return %e
})");
  EXPECT_TRUE(p.Place("a").in_place);
  EXPECT_FALSE(p.Place("b").in_place);
  EXPECT_EQ(p.plan().arena_bytes, 3 * 256u);
}

TEST_F(PlanMemory, NoReuseGivesEveryValueItsOwn) {
  tir_plan_options options = {};
  options.no_reuse = true;
  const Planned p(context_, R"(
graph @main(%x: f32[64], %w: param f32[64] "w") {
  %a = exp %x : f32[64]
  %b = tanh %a : f32[64]
  %c = add %w, %b : f32[64]
  %d = assign %w, %c : f32[64]
  return %b
})",
                  "", &options);
  EXPECT_EQ(p.plan().arena_bytes, 3 * 256u);
  EXPECT_EQ(p.plan().copies.count, 2u);
  EXPECT_EQ(p.plan().commit, p.plan().order.count);
}

// --- state -----------------------------------------------------------------

TEST_F(PlanMemory, UpdateIsComputedInTheParam) {
  const Planned p(context_, R"(
graph @main(%g: f32[64], %lr: f32[], %w: param f32[64] "w") {
  %y = exp %w : f32[64]
  %n = sgd %w, %g, %lr : f32[64]
  %v = assign %w, %n : f32[64]
  return %y
})");
  EXPECT_EQ(p.Place("n").kind, TIR_PLACE_PARAM);
  EXPECT_TRUE(p.Place("n").in_place);
  EXPECT_EQ(p.plan().commit, static_cast<uint32_t>(p.Position("n")));
  EXPECT_EQ(p.plan().copies.count, 0u);
}

TEST_F(PlanMemory, NewVersionIsReadFromTheParam) {
  const Planned p(context_, R"(
graph @main(%g: f32[64], %lr: f32[], %w: param f32[64] "w") {
  %n = sgd %w, %g, %lr : f32[64]
  %v = assign %w, %n : f32[64]
  %y = exp %v : f32[64]
  return %y
})");
  EXPECT_EQ(p.Place("v").kind, TIR_PLACE_PARAM);
  EXPECT_TRUE(p.Place("v").is_view);
}

// A view would hold the update up until %b.
TEST_F(PlanMemory, SliceOfAnAssignedParamIsCopied) {
  const Planned p(context_, R"(
graph @main(%g: f32[4, 16], %lr: f32[], %w: param f32[4, 16] "w",
            %u: param f32[4, 16] "u") {
  %s = slice %w {starts = [1], stops = [2]} : f32[1, 16]
  %t = slice %u {starts = [1], stops = [2]} : f32[1, 16]
  %n = sgd %w, %g, %lr : f32[4, 16]
  %v = assign %w, %n : f32[4, 16]
  %a = add %s, %t : f32[1, 16]
  %b = softmax %a {axis = 1} : f32[1, 16]
  return %b
})");
  EXPECT_FALSE(p.Place("s").is_view);
  EXPECT_TRUE(p.Place("t").is_view);
  EXPECT_EQ(p.Place("n").kind, TIR_PLACE_PARAM);
}

// softmax reads whole rows, so it cannot write where it reads.
TEST_F(PlanMemory, UpdateThatIsNotElementwiseIsCopied) {
  const Planned p(context_, R"(
graph @main(%w: param f32[4, 16] "w") {
  %n = softmax %w {axis = 1} : f32[4, 16]
  %v = assign %w, %n : f32[4, 16]
  return
})");
  EXPECT_EQ(p.Place("n").kind, TIR_PLACE_ARENA);
  ASSERT_EQ(p.plan().copies.count, 1u);
  EXPECT_EQ(p.plan().copies.data[0].kind, TIR_PLACE_PARAM);
}

// Each reads the other's old version: one can be in place, one is copied.
TEST_F(PlanMemory, UpdatesThatReadEachOther) {
  const Planned p(context_, R"(
graph @main(%x: param f32[64] "x", %y: param f32[64] "y") {
  %a = add %x, %y : f32[64]
  %b = sub %y, %x : f32[64]
  %0 = assign %x, %a : f32[64]
  %1 = assign %y, %b : f32[64]
  return
})");
  EXPECT_EQ(p.Place("a").kind, TIR_PLACE_ARENA);
  EXPECT_EQ(p.Place("b").kind, TIR_PLACE_PARAM);
  EXPECT_EQ(p.plan().copies.count, 1u);
}

TEST_F(PlanMemory, OldVersionGivenOutKeepsTheParam) {
  const Planned p(context_, R"(
graph @main(%g: f32[64], %lr: f32[], %w: param f32[64] "w") {
  %n = sgd %w, %g, %lr : f32[64]
  %v = assign %w, %n : f32[64]
  return %w "old"
})");
  EXPECT_EQ(p.Place("n").kind, TIR_PLACE_ARENA);
  ASSERT_EQ(p.plan().copies.count, 2u);
  EXPECT_EQ(p.plan().copies.data[0].kind, TIR_PLACE_OUTPUT);
  EXPECT_EQ(p.plan().copies.data[1].kind, TIR_PLACE_PARAM);
  EXPECT_EQ(p.plan().commit, p.plan().order.count);
}

TEST_F(PlanMemory, ExchangedParamsAreSaved) {
  const Planned p(context_, R"(
graph @main(%a: param f32[64] "a", %b: param f32[64] "b",
            %c: param f32[64] "c") {
  %0 = assign %a, %b : f32[64]
  %1 = assign %b, %c : f32[64]
  %2 = assign %c, %a : f32[64]
  return
})");
  ASSERT_EQ(p.plan().copies.count, 4u);
  EXPECT_EQ(p.plan().copies.data[0].kind, TIR_PLACE_ARENA);
  EXPECT_EQ(p.plan().arena_bytes, 256u);
}

TEST_F(PlanMemory, ChainOfParamsNeedsNoRoom) {
  const Planned p(context_, R"(
graph @main(%a: param f32[64] "a", %b: param f32[64] "b",
            %c: param f32[64] "c") {
  %0 = assign %a, %b : f32[64]
  %1 = assign %b, %c : f32[64]
  return
})");
  EXPECT_EQ(p.plan().copies.count, 2u);
  EXPECT_EQ(p.plan().arena_bytes, 0u);
}

TEST_F(PlanMemory, OneValueForTwoParams) {
  const Planned p(context_, R"(
graph @main(%x: f32[64], %a: param f32[64] "a", %b: param f32[64] "b",
            %c: param f32[64] "c") {
  %n = exp %x : f32[64]
  %0 = assign %a, %n : f32[64]
  %1 = assign %b, %n : f32[64]
  %2 = assign %c, %c : f32[64]
  return %n
})");
  EXPECT_EQ(p.Place("n").kind, TIR_PLACE_PARAM);
  EXPECT_EQ(p.plan().copies.count, 2u) << "the output and %b";
}

// --- limits ----------------------------------------------------------------

TEST_F(PlanMemory, EmptyValuesTakeNoRoom) {
  const Planned p(context_, R"(
graph @main(%x: f32[0, 3]) {
  %a = exp %x : f32[0, 3]
  %b = reduce_sum %a {axes = [0]} : f32[3]
  return %a, %b
})");
  EXPECT_EQ(p.plan().arena_bytes, 0u);
}

TEST_F(PlanMemory, EmptyGraph) {
  const Planned p(context_, "graph @main() {\n  return\n}\n");
  EXPECT_EQ(p.plan().order.count, 0u);
}

TEST_F(PlanMemory, ArenaBeyondTheAddressSpaceIsRefused) {
  const GraphPtr graph = ParseGraph(context_, R"(
graph @main(%x: f32[1048576, 1048576, 524288]) {
  %a = softmax %x {axis = 0} : f32[1048576, 1048576, 524288]
  %b = softmax %a {axis = 0} : f32[1048576, 1048576, 524288]
  %c = softmax %b {axis = 0} : f32[1048576, 1048576, 524288]
  %d = add_n %a, %b, %c, %x : f32[1048576, 1048576, 524288]
  %e = softmax %d {axis = 0} : f32[1048576, 1048576, 524288]
  %f = add_n %a, %b, %c, %d, %e : f32[1048576, 1048576, 524288]
  return %f
})");
  tir_plan plan;
  tir_error error = {};
  tir_plan_init(&plan, context_);
  ASSERT_EQ(tir_pass_schedule(graph.get(), &plan, &error), TIR_OK);
  EXPECT_EQ(tir_pass_plan_memory(graph.get(), nullptr, &plan, &error),
            TIR_ERR_LIMIT);
  tir_plan_free(&plan);
}

// Every allocation of schedule, plan and checker may fail.
TEST(PlanMemoryFault, EveryAllocationMayFail) {
  const char *text = R"(
graph @main(%x: f32[4, 16], %lr: f32[], %a: param f32[64] "a",
            %b: param f32[64] "b", %c: param f32[64] "c") {
  %s = softmax %x {axis = 1} : f32[4, 16]
  %t = slice %s {starts = [1], stops = [3]} : f32[2, 16]
  %r = reshape %s {dims = [64]} : f32[64]
  %m = reduce_max %t {axes = [1]} : f32[2]
  %n = sgd %c, %r, %lr : f32[64]
  %0 = assign %a, %b : f32[64]
  %1 = assign %b, %a : f32[64]
  %2 = assign %c, %n : f32[64]
  return %m, %s
})";
  FailingAllocator allocator;
  const TestContext context(&allocator);
  const GraphPtr graph = ParseGraph(context, text);
  for (uint64_t n = 1; n < 1000; n++) {
    tir_plan plan;
    tir_error error = {};
    tir_plan_init(&plan, context);
    const size_t held = allocator.n_held();
    allocator.FailAt(allocator.n_allocs() + n);
    tir_status status = tir_pass_schedule(graph.get(), &plan, &error);
    if (status == TIR_OK)
      status = tir_pass_plan_memory(graph.get(), nullptr, &plan, &error);
    if (status == TIR_OK)
      status = tir_pass_check_plan(graph.get(), &plan, &error);
    const bool failed = allocator.failed();
    allocator.FailAt(0);
    EXPECT_EQ(status, failed ? TIR_ERR_MEMORY : TIR_OK) << error.message;
    tir_plan_free(&plan);
    EXPECT_EQ(allocator.n_held(), held);
    if (!failed) {
      EXPECT_GT(n, 10u);
      return;
    }
  }
  FAIL() << "still failing";
}

}  // namespace
