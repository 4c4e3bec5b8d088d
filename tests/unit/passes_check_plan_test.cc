// The checker finds every kind of broken plan: each test breaks a good one.
#include "tests/support/context_fixture.h"
#include "tests/support/planned.h"

namespace {

class CheckPlan : public testing::Test {
 protected:
  static std::string Found(const Planned &p) {
    tir_error error = {};
    const tir_status status = p.Check(&error);
    EXPECT_TRUE(status == TIR_OK || status == TIR_ERR_STATE);
    return status == TIR_OK ? "nothing" : error.message;
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
};

#define EXPECT_FOUND(plan, text) \
  EXPECT_NE(Found(plan).find(text), std::string::npos) << Found(plan)

const char kTwoAlive[] = R"(
graph @main(%x: f32[64]) {
  %a = softmax %x {axis = 0} : f32[64]
  %b = softmax %a {axis = 0} : f32[64]
  %c = softmax %b {axis = 0} : f32[64]
  %d = add_n %a, %b, %c : f32[64]
  %e = reduce_max %d : f32[]
  return %e
})";

TEST_F(CheckPlan, OverlapOfLivingValues) {
  Planned p(context_, kTwoAlive);
  EXPECT_EQ(Found(p), "nothing");
  p.MutablePlace("c")->offset = p.Place("a").offset;
  EXPECT_FOUND(p, "memory holds something else");
}

TEST_F(CheckPlan, PartialOverlap) {
  Planned p(context_, kTwoAlive);
  p.mutable_plan()->arena_bytes += 64;
  p.MutablePlace("c")->offset = p.Place("a").offset + 64;
  EXPECT_NE(Found(p), "nothing");
}

TEST_F(CheckPlan, OutsideTheArena) {
  Planned p(context_, kTwoAlive);
  p.mutable_plan()->arena_bytes -= 64;
  EXPECT_FOUND(p, "outside its memory");
}

TEST_F(CheckPlan, WrongAlignment) {
  Planned p(context_, kTwoAlive);
  p.mutable_plan()->arena_bytes += 1024;
  p.MutablePlace("c")->offset = p.plan().arena_bytes - 512 + 4;
  EXPECT_FOUND(p, "multiple of 64");
}

TEST_F(CheckPlan, WrongOrder) {
  Planned p(context_, kTwoAlive);
  std::swap(p.mutable_plan()->order.data[1], p.mutable_plan()->order.data[2]);
  EXPECT_FOUND(p, "memory holds something else");
}

TEST_F(CheckPlan, MissingStep) {
  Planned p(context_, kTwoAlive);
  p.mutable_plan()->order.count--;
  EXPECT_FOUND(p, "does not reach it");
}

TEST_F(CheckPlan, RepeatedStep) {
  Planned p(context_, kTwoAlive);
  p.mutable_plan()->order.data[1] = p.plan().order.data[0];
  EXPECT_FOUND(p, "ran before");
}

TEST_F(CheckPlan, NoPlace) {
  Planned p(context_, kTwoAlive);
  p.MutablePlace("b")->kind = TIR_PLACE_NONE;
  EXPECT_FOUND(p, "has no place");
}

TEST_F(CheckPlan, WrongSize) {
  Planned p(context_, kTwoAlive);
  p.MutablePlace("b")->size -= 4;
  EXPECT_FOUND(p, "another size");
}

// softmax reads what it has already written.
TEST_F(CheckPlan, InPlaceWithoutPermission) {
  Planned p(context_, R"(
graph @main(%x: f32[64]) {
  %a = exp %x : f32[64]
  %b = softmax %a {axis = 0} : f32[64]
  %c = reduce_max %b : f32[]
  return %c
})");
  p.MutablePlace("b")->offset = p.Place("a").offset;
  EXPECT_FOUND(p, "overwrites an operand");
}

TEST_F(CheckPlan, InPlaceOverABroadcastOperand) {
  Planned p(context_, R"(
graph @main(%x: f32[16], %y: f32[4, 16]) {
  %a = exp %x : f32[16]
  %b = add %a, %y : f32[4, 16]
  %c = reduce_max %b : f32[]
  return %c
})");
  p.MutablePlace("a")->offset = p.Place("b").offset;
  EXPECT_FOUND(p, "overwrites an operand");
}

TEST_F(CheckPlan, ResultsOverlap) {
  Planned p(context_, R"(
graph @main(%w: f32[3], %m: f32[3], %v: f32[3], %g: f32[3], %s: f32[],
            %step: i64[]) {
  %a, %b, %c = adam %w, %m, %v, %g, %s, %s, %s, %s, %step : f32[3], f32[3], f32[3]
  %d = add_n %a, %b, %c : f32[3]
  %e = reduce_max %d : f32[]
  return %e
})");
  p.MutablePlace("b")->offset = p.Place("a").offset;
  EXPECT_FOUND(p, "overlaps another result");
}

TEST_F(CheckPlan, ViewElsewhere) {
  Planned p(context_, R"(
graph @main(%x: f32[4, 16]) {
  %a = softmax %x {axis = 1} : f32[4, 16]
  %s = slice %a {starts = [1], stops = [3]} : f32[2, 16]
  %m = reduce_max %s {axes = [1]} : f32[2]
  %n = reduce_max %a {axes = [1]} : f32[4]
  return %m, %n
})");
  p.MutablePlace("s")->offset -= 64;
  EXPECT_FOUND(p, "not where its content was written");
}

TEST_F(CheckPlan, ViewOfScatteredElements) {
  Planned p(context_, R"(
graph @main(%x: f32[4, 16]) {
  %a = softmax %x {axis = 1} : f32[4, 16]
  %s = slice %a {starts = [0, 1], stops = [4, 5]} : f32[4, 4]
  %m = reduce_max %s {axes = [1]} : f32[4]
  %n = reduce_max %a {axes = [1]} : f32[4]
  return %m, %n
})");
  tir_place *s = p.MutablePlace("s");
  s->is_view = true;
  s->offset = p.Place("a").offset + 4;
  EXPECT_FOUND(p, "no run of bytes");
}

const char kUpdate[] = R"(
graph @main(%g: f32[64], %i: i64[4], %lr: f32[], %w: param f32[64] "w",
            %u: param f32[64] "u") {
  %y = gather %w, %i : f32[4]
  %n = sgd %w, %g, %lr : f32[64]
  %v = assign %w, %n : f32[64]
  return %y
})";

TEST_F(CheckPlan, ParamOverwrittenWhileRead) {
  Planned p(context_, kUpdate);
  EXPECT_EQ(Found(p), "nothing");
  std::swap(p.mutable_plan()->order.data[0], p.mutable_plan()->order.data[1]);
  p.mutable_plan()->commit = 0;
  EXPECT_NE(Found(p), "nothing");
}

TEST_F(CheckPlan, FallibleBehindCommit) {
  Planned p(context_, kUpdate);
  p.mutable_plan()->commit = 0;
  EXPECT_FOUND(p, "may fail behind the commit point");
}

TEST_F(CheckPlan, OverwriteBeforeCommit) {
  Planned p(context_, kUpdate);
  p.mutable_plan()->commit = 2;
  EXPECT_FOUND(p, "before the commit point");
}

TEST_F(CheckPlan, UpdateOfAnotherParam) {
  Planned p(context_, kUpdate);
  p.MutablePlace("n")->index = 1;
  EXPECT_NE(Found(p), "nothing");
}

TEST_F(CheckPlan, MissingCopy) {
  Planned p(context_, R"(
graph @main(%x: f32[4]) {
  return %x "a", %x "b"
})");
  EXPECT_EQ(Found(p), "nothing");
  p.mutable_plan()->copies.count--;
  EXPECT_FOUND(p, "does not reach it");
}

TEST_F(CheckPlan, ExchangeWithoutSaving) {
  Planned p(context_, R"(
graph @main(%a: param f32[64] "a", %b: param f32[64] "b") {
  %0 = assign %a, %b : f32[64]
  %1 = assign %b, %a : f32[64]
  return
})");
  EXPECT_EQ(Found(p), "nothing");
  tir_plan *plan = p.mutable_plan();
  ASSERT_EQ(plan->copies.count, 3u);
  plan->copies.data[2].from_saved = false;
  EXPECT_NE(Found(p), "nothing");
}

TEST_F(CheckPlan, ConstantOverwritten) {
  Planned p(context_, R"(
graph @main(%x: f32[64]) {
  %k = constant {value = 1} : f32[64]
  %a = exp %k : f32[64]
  %b = reduce_max %a : f32[]
  return %b
})");
  tir_place *a = p.MutablePlace("a");
  a->kind = TIR_PLACE_CONSTANT;
  a->index = p.Place("k").index;
  EXPECT_FOUND(p, "overwrite a constant");
}

}  // namespace
